"""The HTTP interface, the Streamlit app and the guard around both, as one ASGI application."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import streamlit
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi_offline import FastAPIOffline

from ctsgan import __version__
from ctsgan.errors import CTError

from .guard import LOOPBACK, Guard
from .interface import router
from .limits import Limits
from .service import Service, start

SETTINGS = {
    "browser.gatherUsageStats": False,
    "client.showErrorDetails": "none",
    "client.toolbarMode": "minimal",
    "global.developmentMode": False,
    "server.fileWatcherType": "none",
    "server.headless": True,
    # texts in these colours can be read on the light and on the dark background
    "theme.light.primaryColor": "#1769aa",
    "theme.dark.primaryColor": "#6cb8f0",
}
"""Of Streamlit: no telemetry, no texts of errors from within, nothing for those who write apps, colours."""

MULTIPART = 2**20
"""Bytes beside the files that a form may have."""


def create_application(limits: Limits, token: str | None, loopback_only: bool) -> Guard:
    """All that the server answers.

    Args:
        limits: see :class:`ctsgan_web.limits.Limits`.
        token: see :class:`ctsgan_web.guard.Guard`.
        loopback_only: answer to names of this machine alone.
    """
    for name, value in SETTINGS.items():
        streamlit.config.set_option(name, value)
    service = start(limits)
    pages = streamlit.App(Path(__file__).with_name("pages") / "app.py")
    run_pages = pages.lifespan()

    @contextlib.asynccontextmanager
    async def run(application: FastAPI) -> AsyncIterator[None]:
        async with run_pages(application):
            yield
        service.close()

    application = FastAPIOffline(
        title="CTsGANEnhance",
        version=__version__,
        description="Sharper and cleaner CT: same patient, same place, true HU. For research; not a medical device.",
        lifespan=run,
    )
    application.include_router(router)
    application.add_exception_handler(CTError, _unprocessable)
    application.mount("/", pages)
    return Guard(application, token, LOOPBACK if loopback_only else None, _largest_request(service))


def _largest_request(service: Service) -> int:
    return service.limits.volume_bytes + MULTIPART


async def _unprocessable(request: Request, error: CTError) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, status_code=422)
