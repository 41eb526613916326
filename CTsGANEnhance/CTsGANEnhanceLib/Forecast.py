"""What is said before a run: the grids, memory and time, and what to look out for. The bundle knows all of it."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from .Bundle import use_bundle
from .Process import BundleProcess
from .Region import bundle_axes, ijk_to_ras, region_text
from .Settings import Settings

use_bundle()
from ctsgan.errors import CTError  # noqa: E402
from ctsgan.geometry import LPS_TO_RAS  # noqa: E402
from ctsgan.io.checks import check_finite, check_hounsfield  # noqa: E402
from ctsgan.io.common import from_file_affine, from_file_order  # noqa: E402
from ctsgan.io.files import write_volume  # noqa: E402
from ctsgan.plan import (  # noqa: E402
    Request,
    cautions,
    free_memory_bytes,
    grid_text,
    make_plan,
    memory_bytes,
    output_bytes,
)
from ctsgan.volume import Volume  # noqa: E402

TRIAL_PIXELS = 512
"""Edge of the part of a slice that a trial is made with; the bundle looks at no more."""


@dataclass(frozen=True)
class Forecast:
    """What a run will do.

    Args:
        input_grid, output_grid: size and spacing, for people.
        pixels: of the input that will be enhanced, in all slices.
        memory_bytes: that the run needs.
        free_bytes: of memory, ``None`` where that is not known.
        cautions: sentences on what speaks against it, each with what to do.
    """

    input_grid: str
    output_grid: str
    pixels: int
    memory_bytes: int
    free_bytes: int | None
    cautions: tuple[str, ...]


def forecast(
    input_node: slicer.vtkMRMLScalarVolumeNode,
    settings: Settings,
    roi_node: slicer.vtkMRMLMarkupsROINode | None = None,
    temporary_folder: str | None = None,
) -> Forecast:
    """What a run with these nodes and settings will do; takes milliseconds.

    Raises:
        ValueError: one sentence for the user, if it cannot be done at all.
    """
    volume = volume_of(input_node)
    roi = region_text(input_node, roi_node) if roi_node is not None else None
    try:
        request = Request(scale=settings.scale, model=settings.model, strength=settings.strength, roi=roi)
        plan = make_plan(volume.voxels.shape, volume.affine, request)
    except CTError as error:
        raise ValueError(str(error)) from None
    free = free_memory_bytes()
    doubts = [*_no_ct(input_node, volume, settings), *cautions(volume, plan, free)]
    files = volume.voxels.nbytes + output_bytes(volume, plan)
    folder = temporary_folder or tempfile.gettempdir()
    if files > shutil.disk_usage(folder).free:
        doubts.append(_("there is too little room for its files in {folder}; make room there").format(folder=folder))
    columns, rows, slices = (last - first for first, last in plan.box)
    return Forecast(
        grid_text(volume.voxels.shape, volume.spacing_mm),
        grid_text(plan.shape, plan.spacing_mm),
        columns * rows * slices,
        memory_bytes(volume, plan),
        free,
        tuple(doubts),
    )


def volume_of(node: slicer.vtkMRMLScalarVolumeNode) -> Volume:
    """The node's voxels and grid as the bundle reads them from a file; voxels are copied only to turn axes."""
    axes = bundle_axes(node)
    affine = from_file_affine(LPS_TO_RAS @ ijk_to_ras(node), axes)
    voxels = from_file_order(slicer.util.arrayFromVolume(node), axes)
    return Volume(voxels, affine, source=Path(node.GetName()))


def _no_ct(node: slicer.vtkMRMLScalarVolumeNode, volume: Volume, settings: Settings) -> list[str]:
    found = []
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(node.GetScene())
    item = hierarchy.GetItemByDataNode(node)
    modality = hierarchy.GetItemAttribute(item, "DICOM.Modality") if item else ""
    if modality not in ("", "CT"):
        found.append(_("its DICOM modality is {modality}; choose a CT").format(modality=modality))
    try:
        check_hounsfield(check_finite(volume, None), settings.force)
    except CTError as error:
        advice = _("tick Force under Advanced to take them as they are")
        found.append(str(error).replace("--force takes them as they are", advice))
    return found


class SpeedTrial:
    """Measures in a process of its own how fast the bundle is with certain settings on this machine.

    Args:
        node: a volume, of which one slice is tried.
        settings: to be tried.
        temporary_folder, python: as in :class:`.Logic.EnhanceRun`.

    Raises:
        OSError: if the slice cannot be written or the worker not started.
    """

    def __init__(
        self,
        node: slicer.vtkMRMLScalarVolumeNode,
        settings: Settings,
        temporary_folder: str | None = None,
        python: Sequence[str] | None = None,
    ) -> None:
        volume = volume_of(node)
        middle = len(volume.voxels) // 2
        sample = volume.voxels[middle : middle + 1, :TRIAL_PIXELS, :TRIAL_PIXELS]
        self._pixels = sample.size
        folder = Path(tempfile.mkdtemp(prefix="CTsGANEnhance-", dir=temporary_folder))
        write_volume(Volume(sample, volume.affine), folder / "slice.nrrd")
        # a slice may hold nothing but air
        arguments = ["info", str(folder / "slice.nrrd"), *settings.options(), "--json", "--force"]
        self._process = BundleProcess(arguments, folder, python)
        self.seconds_per_pixel: float | None = None
        self.device_name = ""
        self.devices: dict[str, str] = {}
        self.problem = ""

    def poll(self) -> bool:
        """Whether it is over: ``problem`` is there, or all else is.

        That is ``seconds_per_pixel`` of the input, the ``device_name``, and the names of the machine's ``devices``.
        """
        outcome = self._process.poll()
        if outcome is None:
            return False
        self._process.close()
        if outcome.kind == "done":
            facts = json.loads(outcome.detail)
            self.seconds_per_pixel = facts["seconds"] / self._pixels
            self.device_name = facts["device_name"]
            self.devices = facts["devices"]
        else:
            self.problem = outcome.detail
        return True

    def cancel(self) -> None:
        """End it at once."""
        self._process.cancel()


def describe(expected: Forecast, trial: SpeedTrial | None) -> str:
    """All of it in a few lines.

    Args:
        expected: what the run will do.
        trial: of the same settings, ``None`` while it goes on.
    """
    memory = _("Memory: about {needed:.1f} GiB").format(needed=expected.memory_bytes / 2**30)
    if expected.free_bytes is not None:
        memory += _(", {free:.1f} GiB free").format(free=expected.free_bytes / 2**30)
    lines = [f"{expected.input_grid} → {expected.output_grid}", memory]
    if trial is not None and trial.seconds_per_pixel is not None:
        seconds = trial.seconds_per_pixel * expected.pixels
        lines.append(
            _("Time: about {duration} ({device})").format(duration=duration(seconds), device=trial.device_name)
        )
    elif trial is not None:
        lines.append(_("Time: not known, {problem}").format(problem=trial.problem))
    lines += [_("Caution: {sentence}.").format(sentence=sentence) for sentence in expected.cautions]
    return "\n".join(lines)


def duration(seconds: float) -> str:
    """Seconds below two minutes, else minutes."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
