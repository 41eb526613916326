"""Many series at once through `ctsgan pacs listen`, which is killed again and again: what was lost, what came twice?

    PYTHONPATH=Testing python Testing/benchmarks/pacs_faults.py [KILLS] [SERIES] [SLICES]

Senders try again until they are told that a series has arrived, as archives do. The other side keeps count of every
image it is ever sent.
"""

from __future__ import annotations

import random
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from ctsgan.errors import CTError
from ctsgan_pacs.dimse import DimseArchive, Node
from dicom.ct_series import store_series
from pacs.processes import Service, running, wait_for
from pacs.series import small_slices
from pacs.sink import Sink

PAUSE_S = (0.2, 4.0)
"""Between the service's start and the next kill."""


def send(folder: Path, port: int) -> None:
    """Send a series until all of it has been acknowledged in one go."""
    while True:
        try:
            DimseArchive(Node("CTSGAN", "127.0.0.1", port, "SENDER")).store(sorted(folder.iterdir()), lambda file: None)
            return
        except CTError:
            time.sleep(0.2)


def main(kills: int = 10, series: int = 20, slices: int = 6) -> None:
    draw = random.Random(0)
    sink = Sink()
    sink.start()
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        service = Service(folder / "service", sink.options(), "--abandon", 20)
        folders = [store_series(small_slices(number, slices), folder / f"{number}") for number in range(series)]
        senders = [threading.Thread(target=send, args=(one, service.port)) for one in folders]
        moments: Counter[str] = Counter()
        with running(service):
            started = time.monotonic()
            for sender in senders:
                sender.start()
            for _ in range(kills):
                time.sleep(draw.uniform(*PAUSE_S))
                counts = service.health()["series"]
                moments.update(state for state, count in counts.items() if count)
                service.kill()
                service.start()
            for sender in senders:
                sender.join()
            wait_for(lambda: service.health()["series"]["sent"] >= series, 300.0)
            seconds = time.monotonic() - started
        complete = sum(count == slices for count in sink.of_series().values())
        print(f"{series} series of {slices} images, {kills} kills, {seconds:.0f} s")
        print(f"series that arrived whole: {complete}; in parts: {len(sink.of_series()) - complete}")
        print(f"images sent: {sum(sink.sent.values())}; of these twice: {sum(n - 1 for n in sink.sent.values())}")
        print("states that a kill met:", dict(moments))
    sink.stop()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
