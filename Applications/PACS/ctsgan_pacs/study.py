"""`ctsgan pacs enhance`: the CT series of a study, from the archive and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ctsgan.enhancement import Progress
from ctsgan.errors import CTError
from ctsgan.io.output import temporary_folder
from ctsgan.workflow import Request, enhance_file

from .archive import Archive, SeriesFound
from .selection import why_not

Say = Callable[[str], None]


def find_series(
    archive: Archive, study: str | None, accession: str | None, wanted: str | None = None
) -> list[SeriesFound]:
    """The CT series of a study, in the order of their numbers.

    Args:
        archive: to ask.
        study, accession: StudyInstanceUID or AccessionNumber, one of them.
        wanted: UID or number of one series; ``None`` for all.

    Raises:
        CTError: if there is none, or the archive does not answer.
    """
    found = [series for series in archive.find(study=study, accession=accession) if series.modality == "CT"]
    chosen = [series for series in found if wanted in (None, series.uid, series.number)]
    if not chosen:
        which = f"series {wanted} among the {len(found)} CT series" if found else "CT series"
        raise CTError(f"{archive} has no {which} of this study; check it with `ctsgan pacs find`")
    return sorted(chosen, key=lambda series: (len(series.number), series.number, series.uid))


def enhance_series(archive: Archive, series: SeriesFound, request: Request, progress: Progress) -> str:
    """Retrieve a series, enhance it and store the result; what has become of it, in one line.

    Raises:
        CTError: if it cannot be had, enhanced or stored; what was sent before stays in the archive then.
    """
    with temporary_folder() as work:
        source, target = work / "source", work / "enhanced"
        source.mkdir()
        archive.retrieve(series, source)
        reason = why_not(source)
        if reason:
            return f"series {series}: left alone, {reason}"
        report = enhance_file(source, target, replace(request, series=None), progress)
        files = sorted(target.iterdir())
        archive.store(files, lambda file: None)
    return f"series {series}: {len(files)} images stored in {archive}, {report.compute_s:.1f} s of computing"


def enhance_study(archive: Archive, found: list[SeriesFound], request: Request, progress: Progress, say: Say) -> None:
    """Enhance each of the series; one that fails does not stop the others.

    Args:
        archive: where they are.
        found: see :func:`find_series`.
        request: what to do.
        progress: called with series done, a part of one counted as a part, and their number.
        say: gets one line for each series.

    Raises:
        CTError: at the end, if some failed.
    """
    failed = []
    for index, series in enumerate(found):

        def step(done: int, total: int, index: int = index) -> None:
            progress(index + done / total, len(found))

        try:
            say(enhance_series(archive, series, request, step))
        except CTError as error:
            failed.append(series.number or series.uid)
            say(f"series {series}: {error}")
    if failed:
        raise CTError(f"{len(failed)} of {len(found)} series were not enhanced: {', '.join(failed)}")
