"""``python -m ctsgan_web``: the web app and the HTTP interface of CTsGANEnhance."""

from __future__ import annotations

import argparse
import ipaddress
import secrets
import sys
from collections.abc import Sequence

import uvicorn

from .limits import MEMORY_SHARE, Limits, free_memory

GRACE_S = 3
"""Seconds that open pages are given when the server is ended."""


def _positive(text: str) -> float:
    number = float(text)
    if not number > 0.0:
        raise argparse.ArgumentTypeError("must be more than 0")
    return number


def build_parser() -> argparse.ArgumentParser:
    """The parser of ``python -m ctsgan_web``."""
    parser = argparse.ArgumentParser(prog="ctsgan_web", description=__doc__)
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen at; others than this machine's need a token"
    )
    parser.add_argument("--port", type=int, default=8501, help="0 takes a free one (default 8501)")
    parser.add_argument("--token", help="access token (default: a new one, where the host is not this machine alone)")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="volumes enhanced at a time (default 1)")
    parser.add_argument(
        "--memory-gb", type=_positive, metavar="GB", help="for all jobs (default 80 %% of what is free)"
    )
    parser.add_argument(
        "--keep-minutes", type=_positive, default=60.0, metavar="N", help="how long files are kept (default 60)"
    )
    return parser


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C; 0."""
    arguments = build_parser().parse_args(argv)
    alone = is_loopback(arguments.host)
    token = arguments.token or (None if alone else secrets.token_urlsafe(24))
    memory = int(arguments.memory_gb * 1e9) if arguments.memory_gb else int(free_memory() * MEMORY_SHARE)
    limits = Limits(memory_bytes=memory, workers=max(arguments.workers, 1), kept_s=arguments.keep_minutes * 60.0)

    from .server import create_application

    application = create_application(limits, token, alone)
    config = uvicorn.Config(
        application, host=arguments.host, port=arguments.port, log_level="warning", timeout_graceful_shutdown=GRACE_S
    )
    listener = config.bind_socket()
    address = f"http://{arguments.host}:{listener.getsockname()[1]}/"
    query = f"?token={token}" if token else ""
    print(f"CTsGANEnhance is at {address}{query}; its HTTP interface at {address}docs", flush=True)
    uvicorn.Server(config).run(sockets=[listener])
    return 0


if __name__ == "__main__":
    sys.exit(main())
