"""`ctsgan web`: what the command line finds by the entry point, without loading more than it must."""

from __future__ import annotations

import argparse
import ipaddress
import secrets

from ctsgan.cli import positive, require_installed

NEEDED = ("fastapi", "fastapi_offline", "PIL", "psutil", "python_multipart", "streamlit", "uvicorn")
"""Modules of the extra `web`."""

GRACE_S = 3
"""Seconds that open pages are given when the server is ended."""


def _positive(text: str) -> float:
    number = float(text)
    if not number > 0.0:
        raise argparse.ArgumentTypeError("must be more than 0")
    return number


def add_options(parser: argparse.ArgumentParser) -> None:
    """What a server can be told."""
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen at; any but this machine's needs a token"
    )
    parser.add_argument("--port", type=int, default=8501, help="0 takes a free one (default 8501)")
    parser.add_argument("--token", help="access token (default: a new one, where the host is not this machine alone)")
    parser.add_argument(
        "--workers", type=positive, default=1, metavar="N", help="volumes enhanced at a time (default 1)"
    )
    parser.add_argument(
        "--memory-gb", type=_positive, metavar="GB", help="for all jobs (default 80 %% of what is free at the start)"
    )
    parser.add_argument(
        "--keep-minutes", type=_positive, default=60.0, metavar="N", help="how long files are kept (default 60)"
    )
    parser.set_defaults(run=_serve)


def add(commands: argparse._SubParsersAction) -> None:
    """Enter `ctsgan web` among the commands of `ctsgan`."""
    add_options(commands.add_parser("web", help="the web app and the HTTP interface, for a browser and for programs"))


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _memory(arguments: argparse.Namespace) -> int:
    from ctsgan.plan import free_memory_bytes

    from .limits import MEMORY_SHARE

    if arguments.memory_gb:
        return int(arguments.memory_gb * 1e9)
    return int((free_memory_bytes() or 0) * MEMORY_SHARE)


def _serve(arguments: argparse.Namespace) -> int:
    """Serve until Ctrl-C; 0."""
    require_installed("ctsgan web", NEEDED, "web")
    import uvicorn

    from .limits import Limits
    from .server import create_application

    alone = is_loopback(arguments.host)
    token = arguments.token or (None if alone else secrets.token_urlsafe(24))
    limits = Limits(_memory(arguments), workers=arguments.workers, kept_s=arguments.keep_minutes * 60.0)
    config = uvicorn.Config(
        create_application(limits, token, alone),
        host=arguments.host,
        port=arguments.port,
        log_level="warning",
        timeout_graceful_shutdown=GRACE_S,
    )
    listener = config.bind_socket()
    address = f"http://{arguments.host}:{listener.getsockname()[1]}/"
    query = f"?token={token}" if token else ""
    print(f"CTsGANEnhance is at {address}{query}; its HTTP interface at {address}docs", flush=True)
    uvicorn.Server(config).run(sockets=[listener])
    return 0
