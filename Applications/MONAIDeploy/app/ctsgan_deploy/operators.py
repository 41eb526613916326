"""The three steps of ``ctsgan enhance`` as operators: load, enhance, write.

Between them goes a :class:`ctsgan.volume.Volume`: MONAI Deploy's own image holds no gantry tilt, no uneven slices and
not the headers that a derived series needs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from monai.deploy.core import ExecutionContext, Fragment, InputContext, Operator, OperatorSpec, OutputContext

from ctsgan.io.files import check_storable, read_volume, write_volume
from ctsgan.io.output import require_space
from ctsgan.io.series import SeriesOptions
from ctsgan.progress import LogProgress
from ctsgan.workflow import Request, describe, enhance_volume, make_plan, told


class SeriesLoaderOperator(Operator):
    """Reads the CT series of a folder; what cannot be written afterwards is refused here.

    Output ``volume``: a :class:`ctsgan.volume.Volume` in HU.

    Args:
        folder: with the series.
        target: where the result will be written.
        request: which series, how strict to be, and what will be done to it.
    """

    def __init__(self, fragment: Fragment, *args: Any, folder: Path, target: Path, request: Request, **kwargs: Any):
        self.folder, self.target, self.request = folder, target, request
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: OperatorSpec) -> None:
        spec.output("volume")

    def compute(self, op_input: InputContext, op_output: OutputContext, context: ExecutionContext) -> None:
        request = self.request
        volume = read_volume(self.folder, series=request.series, force=request.force, fill=request.fill)
        plan = make_plan(volume.voxels.shape, volume.affine, request)
        check_storable(volume, self.target, request.series_options, plan.shape)
        require_space(self.target, int(np.prod(plan.shape)) * np.dtype(np.int16).itemsize)
        op_output.emit(volume, "volume")


class EnhanceOperator(Operator):
    """Enhances a volume by the one path that every host shares.

    Input ``volume``; output ``volume``, the enhanced one, and ``description``, how it was made.

    Args:
        request: what to do.
    """

    def __init__(self, fragment: Fragment, *args: Any, request: Request, **kwargs: Any):
        self.request = request
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: OperatorSpec) -> None:
        spec.input("volume")
        spec.output("volume")
        spec.output("description")

    def compute(self, op_input: InputContext, op_output: OutputContext, context: ExecutionContext) -> None:
        volume = op_input.receive("volume")
        plan = make_plan(volume.voxels.shape, volume.affine, self.request)
        request = told(self.request, volume, plan)
        with LogProgress("enhance", "slice") as progress:
            result = enhance_volume(volume, request, progress)
        op_output.emit(result, "volume")
        op_output.emit(describe(request, plan), "description")


class SeriesWriterOperator(Operator):
    """Writes a volume that came from DICOM as a derived CT series of the same study.

    Inputs ``volume`` and ``description``.

    Args:
        folder: empty, or to be made.
        options: in what form.
    """

    def __init__(self, fragment: Fragment, *args: Any, folder: Path, options: SeriesOptions, **kwargs: Any):
        self.folder, self.options = folder, options
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: OperatorSpec) -> None:
        spec.input("volume")
        spec.input("description")

    def compute(self, op_input: InputContext, op_output: OutputContext, context: ExecutionContext) -> None:
        description = op_input.receive("description")
        write_volume(op_input.receive("volume"), self.folder, description=description, options=self.options)
