"""`ctsgan pacs listen`: receive, enhance, send on."""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ctsgan.errors import CTError, reason
from ctsgan.models import load_generator
from ctsgan.workflow import Request, resolve_device

from .archive import Archive
from .inbox import Inbox, Limits
from .receiver import Receiver
from .security import Tls
from .web import WebDoor
from .worker import Worker, enhance_job, send_job

STOPPING_S = 20.0
"""For what is being sent when the service is asked to stop."""

TIDYING_S = 3600.0
"""Between two times that old entries are forgotten."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServiceSettings:
    """Of the service.

    Args:
        folder: for the queue and what is on its way; one service works in it.
        destination: what enhanced series are sent to.
        request: what is done to each series.
        limits: see :class:`ctsgan_pacs.inbox.Limits`.
        aet: our title.
        callers: titles that may call us; empty lets everyone.
        address: of the network interface to listen at.
        port: for DIMSE.
        web_port: for HTTP; ``None`` for none.
        tls: of both doors; ``None`` for plain connections.
        authorization: that STOW-RS asks for; ``None`` for none.
        keep_days: until a series that is done is forgotten.
    """

    folder: Path
    destination: Archive
    request: Request
    limits: Limits
    aet: str
    callers: tuple[str, ...]
    address: str
    port: int
    web_port: int | None
    tls: Tls | None
    authorization: str | None
    keep_days: float


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Hold the folder against a second service.

    Raises:
        CTError: if it is held, or cannot be used.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (folder / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise CTError(f"another service works in {folder}; give this one a folder of its own") from None
            yield
    except OSError as error:
        raise CTError(f"the folder {folder} cannot be used: {reason(error)}; choose another") from None


def _tidy(inbox: Inbox, keep_days: float) -> None:
    for job in inbox.queue.forget(time.time() - keep_days * 86400):
        inbox.discard(job)


def serve(settings: ServiceSettings, stop: threading.Event) -> None:
    """Run the service until ``stop`` is set.

    Raises:
        CTError: if a port, the folder, a certificate or the model is not to be had.
    """
    # what would keep every series from being enhanced keeps the service from starting
    load_generator(settings.request.model, settings.request.scale or 2, settings.request.strength)
    resolve_device(settings.request.device)
    with _alone_in(settings.folder):
        inbox = Inbox(settings.folder, settings.limits)
        workers = [
            Worker(inbox, "waiting", lambda job: enhance_job(inbox, job, settings.request)),
            Worker(inbox, "enhanced", lambda job: send_job(inbox, job, settings.destination)),
        ]
        receiver = Receiver(inbox, settings.aet, settings.callers)
        dimse = receiver.start(settings.address, settings.port, settings.tls)
        web = None
        try:
            if settings.web_port is not None:
                door = WebDoor(inbox, settings.authorization, lambda: all(worker.alive() for worker in workers))
                web = door.start(settings.address, settings.web_port, settings.tls)
            for worker in workers:
                worker.start()
            place = f"{settings.address}:{settings.port}"
            logger.info("%s listens at %s and sends to %s", settings.aet, place, settings.destination)
            tidied = 0.0
            while not stop.wait(1.0):
                if time.monotonic() - tidied > TIDYING_S or not tidied:
                    _tidy(inbox, settings.keep_days)
                    tidied = time.monotonic()
        finally:
            dimse.shutdown()
            if web:
                web.should_exit = True
            # an enhancement may take long, and is begun again at the next start
            for worker, wait_s in zip(workers, (0.0, STOPPING_S), strict=True):
                worker.stop(wait_s)
            logger.info("stopped")


def listen(settings: ServiceSettings) -> None:
    """Run the service until SIGTERM or Ctrl-C, which end the process with exit status 0.

    Raises:
        CTError: as :func:`serve`.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    logging.getLogger("ctsgan_pacs").setLevel(logging.INFO)
    # libraries quote what they trip over, and that may be the patient's name
    for library in ("pydicom", "pynetdicom", "dicomweb_client", "urllib3"):
        logging.getLogger(library).setLevel(logging.CRITICAL + 1)
    serve(settings, stop)
    logging.shutdown()
    os._exit(0)  # a convolution under way would keep an ordinary exit waiting
