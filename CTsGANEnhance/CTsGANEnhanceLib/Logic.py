"""From a volume node to an enhanced volume node; every voxel comes from the bundle."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import slicer
import vtk
from slicer.i18n import tr as _

from .Process import BundleProcess, Outcome, Progress
from .Region import region_text
from .Settings import Settings, enhance_arguments

ATTRIBUTE = "CTsGANEnhance."
"""Begins the names of the node attributes and references that say how an output was made."""


class EnhanceRun:
    """One volume on its way through the bundle. The scene changes only when the result is there.

    Args:
        input_node: a CT in HU.
        settings: how to enhance it.
        output_node: a volume to be replaced; ``None`` makes a new one.
        roi_node: only the voxels that it touches are computed and come out; ``None`` is all.
        slice_index: only this slice, as :func:`.Compare.shown_slice` counts them; a preview.
        temporary_folder: holds files of the size of input and output meanwhile; ``None`` is the system's.
        python: see :class:`.Process.BundleProcess`.

    Raises:
        ValueError: one sentence for the user, if there is something to mend first.
        OSError: if the files cannot be written or the worker not started.
    """

    def __init__(
        self,
        input_node: slicer.vtkMRMLScalarVolumeNode,
        settings: Settings,
        output_node: slicer.vtkMRMLScalarVolumeNode | None = None,
        roi_node: slicer.vtkMRMLMarkupsROINode | None = None,
        temporary_folder: str | None = None,
        python: Sequence[str] | None = None,
        slice_index: int | None = None,
    ) -> None:
        _require_usable(input_node, output_node)
        self.output_node = output_node
        self.input_node = input_node
        self._scene = input_node.GetScene()
        self._options = settings.options()
        self._name = f"{input_node.GetName()}_x{settings.scale}"
        region = region_text(input_node, roi_node) if roi_node is not None else None
        if slice_index is not None:
            self._name += "_preview"
            region = ",".join([*(region or ":,:,:").split(",")[:2], f"{slice_index}:{slice_index + 1}"])
        if region is not None:
            self._options += ["--roi", region]
        folder = Path(tempfile.mkdtemp(prefix="CTsGANEnhance-", dir=temporary_folder))
        source, self._target = folder / "input.nrrd", folder / "output.nrrd"
        _write(input_node, source)
        arguments = enhance_arguments(source, self._target, self._options)
        self._process = BundleProcess(arguments, folder, python)
        self._outcome: Outcome | None = None

    @property
    def progress(self) -> Progress:
        """How far the run has come."""
        return self._process.progress

    @property
    def log(self) -> str:
        """What the worker said, to copy into a report."""
        return self._process.log

    @property
    def pid(self) -> int:
        """Of the worker."""
        return self._process.pid

    def poll(self) -> Outcome | None:
        """How the run ended, ``None`` while it goes on; once it is ``done``, ``output_node`` holds the result."""
        if self._outcome is None:
            self._outcome = self._process.poll()
            if self._outcome is not None and self._outcome.kind == "done":
                self._take_result()
        return self._outcome

    def cancel(self) -> None:
        """End the run at once and leave the scene as it is."""
        self._process.cancel()
        self.poll()

    def _take_result(self) -> None:
        result = slicer.vtkMRMLScalarVolumeNode()
        storage = slicer.vtkMRMLNRRDStorageNode()
        storage.SetFileName(str(self._target))
        was_read = storage.ReadData(result)
        self._process.close()
        if not was_read:
            self._outcome = Outcome("failed", _("the result could not be read"), 0)
            return
        given = self.input_node
        if self.output_node is None or self.output_node.GetScene() is None:
            name = self._scene.GenerateUniqueName(self._name)
            self.output_node = self._scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
        modifying = self.output_node.StartModify()
        _copy_voxels(result, self.output_node)
        _copy_description(given, self.output_node, " ".join(self._options))
        self.output_node.EndModify(modifying)
        copy_display(given, self.output_node)
        copy_place(given, self.output_node)


def _require_usable(
    input_node: slicer.vtkMRMLScalarVolumeNode, output_node: slicer.vtkMRMLScalarVolumeNode | None
) -> None:
    name = input_node.GetName()
    image = input_node.GetImageData()
    if image is None or image.GetNumberOfPoints() == 0:
        raise ValueError(_("{volume} holds no voxels; load a CT.").format(volume=name))
    if image.GetNumberOfScalarComponents() != 1:
        raise ValueError(_("{volume} holds colours or vectors, not HU; choose a CT.").format(volume=name))
    if output_node is input_node:
        raise ValueError(_("{volume} cannot be its own output; choose another output.").format(volume=name))


def _write(volume_node: slicer.vtkMRMLScalarVolumeNode, path: Path) -> None:
    """The voxels and the grid, without parent transform; the node's own file is not touched."""
    storage = slicer.vtkMRMLNRRDStorageNode()
    storage.SetFileName(str(path))
    storage.SetUseCompression(0)
    if not storage.WriteData(volume_node):
        path.unlink(missing_ok=True)
        path.parent.rmdir()
        raise OSError(
            _("{volume} could not be written to {folder}; make room on its disk.").format(
                volume=volume_node.GetName(), folder=path.parent.parent
            )
        )


def _copy_voxels(source: slicer.vtkMRMLScalarVolumeNode, target: slicer.vtkMRMLScalarVolumeNode) -> None:
    ijk_to_ras = vtk.vtkMatrix4x4()
    source.GetIJKToRASMatrix(ijk_to_ras)
    target.SetAndObserveImageData(source.GetImageData())
    target.SetIJKToRASMatrix(ijk_to_ras)


def _copy_description(
    source: slicer.vtkMRMLScalarVolumeNode, target: slicer.vtkMRMLScalarVolumeNode, options: str
) -> None:
    """What the numbers mean, what they were made of and how. The instances' UIDs stay the input's own: readers of
    ``DICOM.instanceUIDs`` take the node's voxels for those of the files."""
    target.SetVoxelValueQuantity(source.GetVoxelValueQuantity())
    target.SetVoxelValueUnits(source.GetVoxelValueUnits())
    target.SetAttribute(ATTRIBUTE + "Options", options)
    target.SetAttribute(ATTRIBUTE + "SourceInstanceUIDs", source.GetAttribute("DICOM.instanceUIDs"))
    target.SetNodeReferenceID(ATTRIBUTE + "input", source.GetID())


def copy_display(source: slicer.vtkMRMLScalarVolumeNode, target: slicer.vtkMRMLScalarVolumeNode) -> None:
    """Show ``target`` with the window, level and colours of ``source``."""
    given = source.GetDisplayNode()
    if given is None:
        return
    target.CreateDefaultDisplayNodes()
    shown = target.GetDisplayNode()
    shown.SetAutoWindowLevel(False)
    shown.SetWindowLevel(given.GetWindow(), given.GetLevel())
    shown.SetInterpolate(given.GetInterpolate())
    shown.SetAndObserveColorNodeID(given.GetColorNodeID())


def copy_place(source: slicer.vtkMRMLScalarVolumeNode, target: slicer.vtkMRMLScalarVolumeNode) -> None:
    """Give ``target`` the parent transform of ``source`` and its place in the subject hierarchy."""
    target.SetAndObserveTransformNodeID(source.GetTransformNodeID())
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(target.GetScene())
    item = hierarchy.GetItemByDataNode(source)
    if not item:
        return
    parent = hierarchy.GetItemParent(item)
    result = hierarchy.GetItemByDataNode(target)
    if result:
        hierarchy.SetItemParent(result, parent)
    else:
        hierarchy.CreateItem(parent, target)


def explain(outcome: Outcome) -> str:
    """One sentence for the user on how a run ended."""
    sentences = {
        "done": _("Done."),
        "cancelled": _("Cancelled; the scene is as it was."),
        "refused": _("The volume was not enhanced: {detail}."),
        "memory": _(
            "There was not enough memory: enhance a region of interest, set a smaller tile, or close other programs."
        ),
        "killed": _(
            "The enhancement was ended from outside (status {status}); most often memory ran out: enhance a region of "
            "interest, set a smaller tile, or close other programs."
        ),
        "failed": _("The enhancement ended with an error (status {status}): {detail}"),
    }
    return sentences[outcome.kind].format(detail=outcome.detail.rstrip("."), status=outcome.exit_status)
