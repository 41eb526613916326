"""The service inside the test's own process, and what it sends to."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ctsgan.workflow import Request
from ctsgan_pacs.dimse import DimseArchive, Node
from ctsgan_pacs.inbox import Inbox, Limits
from ctsgan_pacs.service import ServiceSettings, serve
from pacs.processes import free_ports, listens, wait_for
from pacs.sink import Sink

LIMITS = Limits(instance_bytes=10**6, reserve_bytes=10**6, settle_s=0.5, abandon_s=600.0)


@pytest.fixture
def sink() -> Iterator[Sink]:
    sink = Sink()
    sink.start()
    yield sink
    sink.stop()


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    return Inbox(tmp_path / "queue", LIMITS)


@pytest.fixture
def serving(tmp_path: Path, sink: Sink) -> Iterator[Callable[..., ServiceSettings]]:
    """Start the service, with other settings than the usual ones as named; it is stopped after the test."""
    stop, threads = threading.Event(), []

    def start(**other: object) -> ServiceSettings:
        port, web_port = free_ports(2)
        settings = ServiceSettings(
            folder=tmp_path / "queue",
            destination=DimseArchive(Node("SINK", "127.0.0.1", sink.port)),
            request=Request(scale=1, threads=1, device="cpu"),
            limits=LIMITS,
            aet="CTSGAN",
            callers=(),
            address="127.0.0.1",
            port=port,
            web_port=web_port,
            tls=None,
            authorization=None,
            keep_days=1.0,
        )
        settings = dataclasses.replace(settings, **other)
        threads.append(threading.Thread(target=serve, args=(settings, stop), daemon=True))
        threads[-1].start()
        wait_for(lambda: listens(settings.port) and listens(settings.web_port))
        return settings

    yield start
    stop.set()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
