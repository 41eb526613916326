"""The plain HTTP interface: a file in, a file out, and what the app's pages load."""

from __future__ import annotations

import asyncio
from dataclasses import fields
from typing import Any

import numpy as np
from fastapi import APIRouter, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, JSONResponse, Response
from starlette.background import BackgroundTask
from starlette.datastructures import UploadFile

from ctsgan.errors import CTError

from .jobs import Job
from .service import Options, result_path, service
from .uploads import KINDS, Stored
from .visitors import Visitor

POLL_S = 0.2

FORM = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {
            "type": "array",
            "items": {"type": "string", "format": "binary"},
            "description": f"One file, or all files of a DICOM series: {KINDS}",
        },
        "scale": {"type": "integer", "enum": [1, 2, 4], "default": 2},
        "model": {"type": "string", "default": "light"},
        "strength": {"type": "string", "default": "low", "description": "low, medium, high or 0 to 1"},
        "fidelity_mm": {"type": "string", "default": "5", "description": "regions wider keep their mean HU; or off"},
        "tile": {"type": "integer", "description": "window edge in pixels; less memory, same result"},
        "series": {"type": "string", "description": "UID or number of the series, where there are several"},
        "force": {"type": "boolean", "default": False, "description": "go on where it does not look like a CT"},
        "fill": {"type": "number", "description": "HU in the place of NaN and Inf"},
        "dicom": {
            "type": "boolean",
            "default": False,
            "description": "of a volume of another format: a zip with a DICOM series, a study of a nameless patient",
        },
    },
}
"""Of ``POST /enhance``, for the OpenAPI page; Starlette's own parsing allows too few files for a series."""

SENTENCE = {"description": "What cannot be done, in one sentence"}

router = APIRouter()


@router.post(
    "/enhance",
    summary="Enhance a volume, a series or a picture",
    openapi_extra={"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": FORM}}}},
    responses={200: {"content": {"application/octet-stream": {}}}, 202: {"description": "The job"}, 422: SENTENCE},
)
async def enhance(request: Request, wait: bool = True) -> Response:
    """The enhanced file of the same kind (a DICOM series as zip); with `wait=false` a job to ask for.

    Who goes away while waiting cancels the job. Files of a job that is not removed are kept for an hour.
    """
    visitor = service().visitors.enter()
    try:
        stored, form = await _taken(request, visitor)
        job = service().process(visitor, stored, _options(form))
        if not wait:
            return JSONResponse(state(job), status_code=202)
        while not job.finished.is_set():
            if await request.is_disconnected():
                raise CTError("the client went away")
            await asyncio.sleep(POLL_S)
        _require_done(job)
    except BaseException:
        await run_in_threadpool(service().visitors.leave, visitor.id)
        raise
    return _file(job, BackgroundTask(service().visitors.leave, visitor.id))


@router.get("/jobs/{identity}", summary="How far a job is", responses={404: SENTENCE})
def job_state(identity: str) -> dict[str, Any]:
    """State (waiting, running, done, failed, cancelled), place in the queue, fraction, seconds left, error."""
    return state(_job(identity))


@router.delete("/jobs/{identity}", summary="Cancel a job and remove its files", responses={404: SENTENCE})
def remove_job(identity: str) -> dict[str, Any]:
    """Ends it at once, whatever it is doing."""
    job = _job(identity)
    service().queue.cancel(job)
    service().visitors.leave(job.visitor)
    return {"id": identity, "state": job.state}


@router.get(
    "/jobs/{identity}/file",
    summary="The file of a finished job",
    response_class=FileResponse,
    responses={422: SENTENCE},
)
def job_file(identity: str) -> FileResponse:
    """The enhanced file."""
    job = _job(identity)
    _require_done(job)
    return _file(job)


@router.get("/jobs/{identity}/slices/{which}/{index}", include_in_schema=False)
def job_slice(identity: str, which: str, index: int) -> Response:
    """One slice of what a job read or made, as plain numbers, for the viewer."""
    job = _job(identity)
    path = job.folder / {"before": "before.npy", "after": "after.npy"}.get(which, "none.npy")
    if not path.is_file():
        raise HTTPException(404, "there is no such image")
    stack = np.load(path, mmap_mode="r")
    if not 0 <= index < len(stack):
        raise HTTPException(404, f"there are {len(stack)} slices, counted from 0")
    content = np.ascontiguousarray(stack[index], dtype=plain_type(stack.dtype)).tobytes()
    return Response(content, media_type="application/octet-stream", headers={"cache-control": "no-store"})


@router.post("/uploads/{identity}", include_in_schema=False)
async def upload(request: Request, identity: str) -> dict[str, Any]:
    """Files of a visitor of the app, who has an id; gives the upload's name."""
    visitor = service().visitors.get(identity)
    if visitor is None:
        raise HTTPException(404, "your files were removed; load the page again")
    try:
        stored, _ = await _taken(request, visitor)
    except CTError as error:
        raise HTTPException(422, str(error)) from None
    return {"upload": stored.folder.name, "files": len(stored.names)}


def plain_type(stored: np.dtype) -> str:
    """The type in which a slice is sent: one that a browser has an array for."""
    return stored.name if stored.name in ("int16", "uint8", "uint16") else "float32"


def state(job: Job) -> dict[str, Any]:
    """What is told of a job."""
    left = job.seconds_left
    told = {
        "id": job.id,
        "state": job.state,
        "step": job.steps[0],
        "place": service().queue.place(job),
        "fraction": round(job.fraction, 3),
        "seconds_left": None if left is None else round(left, 1),
        "error": job.error or None,
    }
    if job.state == "done" and job.steps[-1] == "enhance":
        told["result"] = job.result("enhance")
    return told


async def _taken(request: Request, visitor: Visitor) -> tuple[Stored, dict[str, str]]:
    """The files of a form, stored, and its other fields."""
    most = service().limits.files + 1
    async with request.form(max_files=most, max_fields=100) as form:
        files = [(part.filename or "", part.file) for _, part in form.multi_items() if isinstance(part, UploadFile)]
        others = {name: part for name, part in form.multi_items() if isinstance(part, str)}
        return await run_in_threadpool(service().store, visitor, files), others


def _options(form: dict[str, str]) -> Options:
    """Fields of a form as options.

    Raises:
        CTError: if a field is unknown or not of its type.
    """
    kinds = {"scale": int, "tile": int, "fill": float, "fidelity_mm": _width, "force": _truth, "dicom": _truth}
    known = [field.name for field in fields(Options) if field.name != "score"]
    options: dict[str, Any] = {}
    for name, text in form.items():
        if name not in known:
            raise CTError(f"there is no setting {name[:40]!r}; choose from {', '.join(known)}")
        if text == "" and name != "fidelity_mm":
            continue
        try:
            options[name] = kinds.get(name, str)(text)
        except ValueError:
            raise CTError(f"{name} cannot be {text[:40]!r}") from None
    return Options(**options)


def _width(text: str) -> float | None:
    return None if text == "off" else float(text)


def _truth(text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0"):
        raise ValueError(text)
    return text.lower() in ("true", "1")


def _job(identity: str) -> Job:
    job = service().queue.get(identity)
    if job is None or service().visitors.get(job.visitor) is None:
        raise HTTPException(404, "there is no such job, or it was removed")
    return job


def _require_done(job: Job) -> None:
    if job.state != "done":
        raise CTError(job.error or f"the job is {job.state}, so that there is no file")


def _file(job: Job, after: BackgroundTask | None = None) -> FileResponse:
    path = result_path(job)
    name = job.result(job.steps[-1])["name"]
    return FileResponse(path, media_type="application/octet-stream", filename=name, background=after)
