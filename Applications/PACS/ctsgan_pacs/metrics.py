"""How the service is, for those who watch over it; nothing of any patient."""

from __future__ import annotations

import time
from typing import Any

from .inbox import Inbox


def health(inbox: Inbox, working: bool) -> dict[str, Any]:
    """``status`` (ok, full or stopped), series in each state, and free bytes beyond the reserve."""
    free = inbox.free_bytes()
    status = "stopped" if not working else "full" if free < 0 else "ok"
    return {"status": status, "series": inbox.queue.counts(), "free_bytes": free}


def metrics(inbox: Inbox) -> str:
    """The same in Prometheus' text format."""
    oldest = inbox.queue.oldest_due()
    lines = [
        "# HELP ctsgan_pacs_series Series that are remembered, by state.",
        "# TYPE ctsgan_pacs_series gauge",
        *(f'ctsgan_pacs_series{{state="{state}"}} {count}' for state, count in inbox.queue.counts().items()),
        "# HELP ctsgan_pacs_instances Images received that are remembered.",
        "# TYPE ctsgan_pacs_instances gauge",
        f"ctsgan_pacs_instances {inbox.queue.instances()}",
        "# HELP ctsgan_pacs_oldest_seconds How long the series has been due that has waited longest.",
        "# TYPE ctsgan_pacs_oldest_seconds gauge",
        f"ctsgan_pacs_oldest_seconds {0.0 if oldest is None else max(time.time() - oldest, 0.0):.1f}",
        "# HELP ctsgan_pacs_free_bytes Room on the disk beyond the reserve.",
        "# TYPE ctsgan_pacs_free_bytes gauge",
        f"ctsgan_pacs_free_bytes {inbox.free_bytes()}",
    ]
    return "\n".join(lines) + "\n"
