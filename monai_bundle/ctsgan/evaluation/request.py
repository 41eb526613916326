"""What a user asks of ``ctsgan evaluate``."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..degradation import PRESETS, PROTOCOLS
from ..errors import CTError
from .methods import spandrel_file
from .pairs import PAIRED
from .scores import GROUPS


@dataclass(frozen=True)
class EvaluateRequest:
    """What a user asks for; the fields are the options of ``ctsgan evaluate``.

    Args:
        scale: 1, 2 or 4; ``None`` is 4, or what the pairs' grids say.
        presets: of :data:`ctsgan.degradation.PRESETS`; ``None`` takes the three protocols, at x1 portable alone.
        methods: names or model files; ``None`` takes all that there are for the scale.
        paired: folder of low-quality volumes; ``None`` degrades the references by the presets.
        limit: slices in all, at most.
        every: take every n-th slice of a volume.
        model: ours, a name of the catalogue.
        groups: of :data:`ctsgan.evaluation.scores.GROUPS`.
        threads: of the processor; ``None`` leaves it to PyTorch.
    """

    scale: int | None = None
    presets: Sequence[str] | None = None
    methods: Sequence[str] | None = None
    paired: str | Path | None = None
    limit: int | None = None
    every: int = 1
    model: str = "light"
    groups: Sequence[str] = GROUPS
    threads: int | None = None


def completed(request: EvaluateRequest) -> EvaluateRequest:
    """With its defaults.

    Raises:
        CTError: where it asks for what there is not, or contradicts itself.
    """
    if request.paired is not None:
        request = replace(request, paired=Path(request.paired))
        if request.presets:
            raise CTError("--paired brings low-quality volumes and a preset would make them; choose one of the two")
        request = replace(request, presets=(PAIRED,))
    else:
        scale = request.scale or 4
        presets = request.presets or (PROTOCOLS if scale > 1 else ("portable",))
        for name in presets:
            if name not in PRESETS:
                raise CTError(f"there is no preset {name!r}; choose among {', '.join(PRESETS)}")
            if scale == 1 and name in ("area", "bicubic"):
                raise CTError(f"{name} only makes pixels wider, so at x1 there is nothing to mend; choose portable")
        request = replace(request, scale=scale, presets=tuple(presets))
    for name in request.groups:
        if name not in GROUPS:
            raise CTError(f"there is no group of scores {name!r}; choose among {', '.join(GROUPS)}")
    return replace(request, groups=tuple(name for name in GROUPS if name in request.groups))


def settings(reference: Path, out: Path, request: EvaluateRequest) -> dict[str, Any]:
    """What was asked, without the folders' places."""
    name, paired = (path and path.resolve().name for path in (reference, request.paired))
    words = ["ctsgan", "evaluate", name, out.resolve().name, "--scale", str(request.scale)]
    words += ["--paired", paired] if paired else ["--preset", *request.presets]
    words += ["--every", str(request.every)] if request.every > 1 else []
    words += ["--limit", str(request.limit)] if request.limit else []
    words += ["--model", request.model] if request.model != "light" else []
    if request.methods:
        files = [spandrel_file.is_model_file(name) for name in request.methods]
        shown = [Path(name).name if is_file else name for name, is_file in zip(request.methods, files, strict=True)]
        words += ["--methods", *shown]
    words += ["--scores", *request.groups] if request.groups != GROUPS else []
    return {
        "scale": request.scale,
        "presets": list(request.presets),
        "every": request.every,
        "limit": request.limit,
        "reference": name,
        "paired": paired,
        "command": shlex.join(words),
    }
