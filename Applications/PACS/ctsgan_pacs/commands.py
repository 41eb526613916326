"""`ctsgan pacs`: what the command line finds by the entry point, without loading more than it must."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from ctsgan.cli import (
    add_computing_options,
    add_enhancing_options,
    add_series_options,
    cancellable,
    request_of,
    require_installed,
)
from ctsgan.errors import CTError
from ctsgan.progress import STYLES, progress_display

GIB = 2**30

NEEDED = ("dicomweb_client", "pynetdicom", "python_multipart", "requests", "starlette", "uvicorn")
"""Modules of the extra `pacs`."""


def _port(text: str) -> int:
    port = int(text)
    if not 0 < port < 65536:
        raise argparse.ArgumentTypeError("a port between 1 and 65535")
    return port


def _title(text: str) -> str:
    title = text.strip()
    if not 0 < len(title) <= 16 or not title.isascii() or not title.isprintable() or "\\" in title:
        raise argparse.ArgumentTypeError("an application entity title: up to 16 characters of ASCII, no backslash")
    return title


def _uid(text: str) -> str:
    if len(text) > 64 or not re.fullmatch(r"\d+(\.\d+)*", text):
        raise argparse.ArgumentTypeError("a UID: numbers and dots, up to 64 characters")
    return text


def _accession(text: str) -> str:
    if not text.strip() or set(text) & set("*?\\"):
        raise argparse.ArgumentTypeError("one AccessionNumber; * and ? would ask for those of others too")
    return text.strip()


def _amount(text: str) -> float:
    amount = float(text)
    if not 0.0 <= amount < 1e9:
        raise argparse.ArgumentTypeError("must be a number from 0")
    return amount


def _add_node_options(group: argparse._ArgumentGroup) -> None:
    """Where an archive is: by DIMSE or by DICOMweb."""
    group.add_argument("--aet", type=_title, help="its application entity title")
    group.add_argument("--host", default="127.0.0.1", help="(default 127.0.0.1)")
    group.add_argument("--port", type=_port, default=104, help="of DIMSE (default 104)")
    group.add_argument("--tls", action="store_true", help="DIMSE over TLS")
    group.add_argument("--url", help="of DICOMweb instead, as https://host/dicom-web")
    group.add_argument(
        "--credentials", type=Path, metavar="FILE", help="for --url: a file with user:password, or Bearer TOKEN"
    )


def _add_tls_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--tls-certificate", type=Path, metavar="PEM", help="ours")
    group.add_argument("--tls-key", type=Path, metavar="PEM", help="its key")
    group.add_argument("--tls-authority", type=Path, metavar="PEM", help="that signed the other side's")


def _add_study_options(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--study", type=_uid, metavar="UID", help="StudyInstanceUID")
    which.add_argument("--accession", type=_accession, metavar="NUMBER", help="AccessionNumber")
    archive = parser.add_argument_group("the archive")
    _add_node_options(archive)
    archive.add_argument("--calling", type=_title, default="CTSGAN", help="our title there (default CTSGAN)")
    archive.add_argument("--move-port", type=_port, metavar="PORT", help="retrieve by C-MOVE, to us at this port")
    _add_tls_options(archive)


def add(commands: argparse._SubParsersAction) -> None:
    """Enter `ctsgan pacs` among the commands of `ctsgan`."""
    pacs = commands.add_parser("pacs", help="enhance what an archive (PACS) holds, or what it sends")
    actions = pacs.add_subparsers(dest="action", required=True, metavar="ACTION")

    find = actions.add_parser("find", help="list the CT series of a study")
    _add_study_options(find)
    find.set_defaults(run=_find)

    enhance = actions.add_parser("enhance", help="retrieve CT series of a study, enhance them, store them back")
    _add_study_options(enhance)
    what = enhance.add_argument_group("what to do")
    what.add_argument("--series", metavar="UID|NUMBER", help="one series (default all that are CT)")
    add_enhancing_options(what)
    add_series_options(what)
    add_computing_options(enhance.add_argument_group("how to compute it"))
    enhance.add_argument("--progress", choices=STYLES, default="bar", help="how to show it (default bar)")
    enhance.set_defaults(run=_enhance)

    listen = actions.add_parser("listen", help="a service: receive CT series, enhance them, send them on")
    listen.add_argument("folder", type=Path, help="for the queue and what is on its way; patients' data lie here")
    doors = listen.add_argument_group("how it is reached")
    doors.add_argument("--own-aet", type=_title, default="CTSGAN", help="title that callers must use (default CTSGAN)")
    doors.add_argument("--address", default="127.0.0.1", help="of the interface to listen at (default 127.0.0.1)")
    doors.add_argument("--own-port", type=_port, default=11112, help="of DIMSE (default 11112)")
    doors.add_argument("--web-port", type=_port, help="of STOW-RS, /health and /metrics (default none)")
    doors.add_argument("--callers", type=_title, nargs="+", default=(), metavar="AET", help="only these may call")
    doors.add_argument("--own-credentials", type=Path, metavar="FILE", help="that STOW-RS asks for; see --credentials")
    doors.add_argument("--own-tls", action="store_true", help="TLS at both doors; with --tls-authority for clients too")
    _add_tls_options(doors)
    _add_node_options(listen.add_argument_group("where enhanced series go"))
    limits = listen.add_argument_group("limits")
    limits.add_argument("--settle", type=_amount, default=10, metavar="S", help="after a goodbye (default 10)")
    limits.add_argument(
        "--abandon", type=_amount, default=900, metavar="S", help="after the last image without goodbye (default 900)"
    )
    limits.add_argument("--largest", type=_amount, default=0.6, metavar="GIB", help="image (default 0.6)")
    limits.add_argument("--reserve", type=_amount, default=2, metavar="GIB", help="of disk stay free (default 2)")
    limits.add_argument("--keep", type=_amount, default=14, metavar="DAYS", help="entries of the queue (default 14)")
    enhancing = listen.add_argument_group("what to do with each series")
    add_enhancing_options(enhancing)
    add_series_options(enhancing)
    add_computing_options(listen.add_argument_group("how to compute it"))
    listen.set_defaults(run=_listen)


def _tls(arguments: argparse.Namespace):
    from .security import Tls

    return Tls(arguments.tls_certificate, arguments.tls_key, arguments.tls_authority)


def _archive(arguments: argparse.Namespace, calling: str, move_port: int | None = None):
    """The archive that the options name, by whichever protocol."""
    require_installed("ctsgan pacs", NEEDED, "pacs")
    if bool(arguments.aet) == bool(arguments.url):
        raise CTError("name the archive by --aet, --host and --port, or by --url")
    if arguments.url:
        from .dicomweb import WebArchive, WebNode
        from .security import read_authorization

        authorization = read_authorization(arguments.credentials) if arguments.credentials else None
        return WebArchive(WebNode(arguments.url, authorization, _tls(arguments)))
    from .dimse import DimseArchive, Node

    tls = _tls(arguments) if arguments.tls else None
    return DimseArchive(Node(arguments.aet, arguments.host, arguments.port, calling, tls, move_port))


def _study(arguments: argparse.Namespace, wanted: str | None = None):
    archive = _archive(arguments, arguments.calling, arguments.move_port)
    from .study import find_series

    return archive, find_series(archive, arguments.study, arguments.accession, wanted)


def _find(arguments: argparse.Namespace) -> int:
    for series in _study(arguments)[1]:
        print(series)
    return 0


def _enhance(arguments: argparse.Namespace) -> int:
    def work() -> int:
        from .study import enhance_study

        archive, found = _study(arguments, arguments.series)
        with progress_display(arguments.progress, "pacs", unit="series") as progress:
            enhance_study(archive, found, request_of(arguments), progress, print)
        return 0

    return cancellable(work, arguments, left_behind="series that were stored before stay in the archive")


def _listen(arguments: argparse.Namespace) -> int:
    destination = _archive(arguments, arguments.own_aet)
    from .inbox import Limits
    from .security import read_authorization
    from .service import ServiceSettings, listen

    listen(
        ServiceSettings(
            folder=arguments.folder,
            destination=destination,
            request=request_of(arguments),
            limits=Limits(
                int(arguments.largest * GIB), int(arguments.reserve * GIB), arguments.settle, arguments.abandon
            ),
            aet=arguments.own_aet,
            callers=tuple(arguments.callers),
            address=arguments.address,
            port=arguments.own_port,
            web_port=arguments.web_port,
            tls=_tls(arguments) if arguments.own_tls else None,
            authorization=read_authorization(arguments.own_credentials) if arguments.own_credentials else None,
            keep_days=arguments.keep,
        )
    )
    return 0
