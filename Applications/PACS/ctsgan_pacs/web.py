"""The service's door for HTTP: STOW-RS, and what those who watch over it ask."""

from __future__ import annotations

import hmac
import logging
import threading
import time
from collections.abc import Callable
from http import HTTPStatus

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from ctsgan.errors import CTError

from .inbox import Damaged, Full, Inbox, Refused
from .metrics import health, metrics
from .multipart import PartsToFiles, boundary_of
from .security import Tls

STOW_PATH = "/dicom-web/studies"

RETRY_S = "60"
"""After which a sender may come back that found no room."""

CANNOT_UNDERSTAND = 0xC000
"""FailureReason of an image that is not taken."""

STARTING_S = 10
"""In which the server must have begun to listen."""

logger = logging.getLogger(__name__)


def _answer(taken: list[tuple[str, str]], refused: int) -> JSONResponse:
    """What PS3.18 says a STOW-RS answer holds: what was stored, and a reason for each image that was not."""

    def reference(kind: str, instance: str) -> dict[str, object]:
        return {"00081150": {"vr": "UI", "Value": [kind]}, "00081155": {"vr": "UI", "Value": [instance]}}

    body: dict[str, object] = {}
    if taken:
        body["00081199"] = {"vr": "SQ", "Value": [reference(*image) for image in taken]}
    if refused:
        # an image that cannot be read has no UIDs to say
        failure = {**reference("", ""), "00081197": {"vr": "US", "Value": [CANNOT_UNDERSTAND]}}
        body["00081198"] = {"vr": "SQ", "Value": [failure] * refused}
    status = HTTPStatus.OK if not refused else HTTPStatus.ACCEPTED if taken else HTTPStatus.CONFLICT
    return JSONResponse(body, status, media_type="application/dicom+json")


class WebDoor:
    """STOW-RS at /dicom-web/studies, /health and /metrics.

    Args:
        inbox: where images go.
        authorization: what a STOW request must bring (see :func:`ctsgan_pacs.security.read_authorization`);
            ``None`` lets everyone. Health and metrics tell nothing of patients and are open.
        working: whether the service's own threads live.
    """

    def __init__(self, inbox: Inbox, authorization: str | None, working: Callable[[], bool]) -> None:
        self._inbox = inbox
        self._authorization = authorization
        self._working = working
        stow = [Route(path, self._stow, methods=["POST"]) for path in (STOW_PATH, STOW_PATH + "/{study}")]
        watch = [Route("/health", self._health), Route("/metrics", self._metrics)]
        self.application = Starlette(routes=[*stow, *watch])

    def start(self, address: str, port: int, tls: Tls | None = None) -> uvicorn.Server:
        """Listen in a thread of its own, until ``should_exit`` of what is returned is set.

        Raises:
            CTError: if the port is not to be had.
        """
        options: dict[str, object] = {}
        if tls:
            context = tls.server()
            options = {"ssl_context_factory": lambda config, default: context}
        config = uvicorn.Config(
            self.application, address, port, log_config=None, access_log=False, lifespan="off", **options
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=_run_quietly, args=(server,), daemon=True)
        thread.start()
        deadline = time.monotonic() + STARTING_S
        while not server.started:
            if not thread.is_alive() or time.monotonic() > deadline:
                raise CTError(f"port {port} of {address} cannot be listened at; choose another --web-port")
            time.sleep(0.05)
        return server

    async def _stow(self, request: Request) -> Response:
        if not self._may(request):
            return PlainTextResponse("", HTTPStatus.UNAUTHORIZED, {"WWW-Authenticate": "Basic, Bearer"})
        boundary = boundary_of(request.headers.get("content-type", ""))
        if boundary is None:
            return PlainTextResponse("multipart/related of application/dicom", HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
        taken: list[tuple[str, str]] = []
        brought: set[str] = set()
        refused = 0
        try:
            async for file in PartsToFiles(self._inbox, boundary).files(request.stream()):
                try:
                    kind, instance, series = await run_in_threadpool(self._inbox.add, file)
                except Full:
                    raise
                except Refused as refusal:
                    logger.warning("an image by STOW-RS is refused: %s", refusal)
                    refused += 1
                else:
                    taken.append((kind, instance))
                    brought.add(series)
        except (Full, OSError) as refusal:
            logger.warning("images by STOW-RS are refused: %s", refusal)
            return PlainTextResponse("no room", HTTPStatus.SERVICE_UNAVAILABLE, {"Retry-After": RETRY_S})
        except Damaged as refusal:
            return PlainTextResponse(str(refusal), HTTPStatus.BAD_REQUEST)
        except Refused as refusal:
            return PlainTextResponse(str(refusal), HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        except ClientDisconnect:
            logger.warning("a sender by STOW-RS left without goodbye; %d series wait for it", len(brought))
            return Response(status_code=HTTPStatus.BAD_REQUEST)
        if not taken and not refused:
            return PlainTextResponse("the body holds no image", HTTPStatus.BAD_REQUEST)
        self._inbox.goodbye(brought)
        return _answer(taken, refused)

    def _may(self, request: Request) -> bool:
        given = request.headers.get("authorization", "")
        return self._authorization is None or hmac.compare_digest(given.encode(), self._authorization.encode())

    async def _health(self, request: Request) -> JSONResponse:
        state = await run_in_threadpool(health, self._inbox, self._working())
        return JSONResponse(state, HTTPStatus.OK if state["status"] == "ok" else HTTPStatus.SERVICE_UNAVAILABLE)

    async def _metrics(self, request: Request) -> PlainTextResponse:
        return PlainTextResponse(await run_in_threadpool(metrics, self._inbox))


def _run_quietly(server: uvicorn.Server) -> None:
    try:
        server.run()
    except SystemExit:  # uvicorn's way to say that it cannot listen
        logger.warning("the HTTP server has ended")
