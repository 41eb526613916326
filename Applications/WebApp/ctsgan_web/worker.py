"""The process of one task of a job: ``python -m ctsgan_web.worker TASK FOLDER BYTES``.

It reads ``request.json`` in the folder, leaves ``TASK.json`` and files there, and tells its progress as 3D Slicer's
modules do. It ends when its standard input is closed, that is, with the server. What a user can mend is one line on
standard error that begins with ``ctsgan:``.
"""

from __future__ import annotations

import json
import resource
import sys
from importlib import import_module
from pathlib import Path

from ctsgan.cancel import run_cancellable
from ctsgan.errors import CTError
from ctsgan.progress import progress_display

from .uploads import FILES, NAMES, UNPACKED, UNPACKED_NAMES

TASKS = ("read", "enhance", "degrade", "measure", "pack")

SLACK = 2**29
"""Bytes above what a task is said to need, after which the system gives no more."""


def main(task: str, folder: str, need: str) -> int:
    """Run a task; 0, or 1 after one sentence."""
    limit = int(need) + SLACK
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    place = Path(folder)
    request = json.loads((place / "request.json").read_text(encoding="utf-8"))
    try:
        with progress_display("slicer", task) as progress:
            run = import_module(f".tasks.{task}", __package__).run
            found = run_cancellable(lambda: run(place, request, progress), watch_stdin=True)
    except CTError as error:
        print(f"ctsgan: {_in_visitors_words(str(error), request)}", file=sys.stderr)
        return 1
    (place / f"{task}.json").write_text(json.dumps(found), encoding="utf-8")
    return 0


def _in_visitors_words(sentence: str, request: dict) -> str:
    """With the visitor's names in the place of ours, and settings without the command line's dashes."""
    upload = Path(request.get("upload", "none"))
    for folder, names in ((upload / UNPACKED, upload / UNPACKED_NAMES), (upload / FILES, upload / NAMES)):
        if names.is_file():
            for name, original in json.loads(names.read_text(encoding="utf-8")).items():
                sentence = sentence.replace(str(folder / name), original).replace(name, original)
            sentence = sentence.replace(f"the folder {folder}", "the upload").replace(str(folder), "the upload")
    return sentence.replace(" --", " ").replace("(--", "(")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
