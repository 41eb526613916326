"""From a training checkpoint to a weight file of the catalogue.

    python -m ctsgan.publish CHECKPOINT --model light --scale 4 --quality "..."

The averaged weights are folded to the inference form, stored in float16, and their SHA-256 entered into models.json. Of
the light generator the rounding moves an output by 0.02 HU in the mean.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
from collections.abc import Sequence
from pathlib import Path

import torch

from . import networks
from .errors import CTError
from .models import architecture, averaged_weights, combined_arguments, models_folder, stored_catalogue
from .networks.grow import SOFT_PREFIX


def publish(
    checkpoint: Path,
    model: str,
    scale: int,
    stage: str,
    quality: str | None = None,
    folder: Path | None = None,
    soft: Sequence[Path] = (),
) -> Path:
    """Write ``{model}_x{scale}[_high].pt`` and its catalogue entry; returns its path.

    Args:
        checkpoint: of the bundle's trainers, with an ``averaged`` state dict.
        model: a name of the catalogue.
        scale: 1, 2 or 4.
        stage: "low" for weights of the first training stage, "high" for the second.
        quality: one line with figures for ``ctsgan models``; ``None`` keeps the old one.
        folder: of the models; ``None`` is the bundle's.
        soft: other checkpoints or weight files, which are taken for softer and softer kernels; none take the
            checkpoint's own.

    Raises:
        CTError: if the checkpoint is of another architecture.
    """
    folder = folder or models_folder()
    content = stored_catalogue(folder)
    entry = content["models"][model]
    state = averaged_weights(checkpoint)
    offer = entry["scales"].setdefault(str(scale), {"quality": ""})
    arguments = combined_arguments(entry, offer)
    if "batch_norm" in arguments:  # the catalogue says what is stored, where normalisations are folded
        arguments["batch_norm"] = any("running_var" in name for name in state)
    trained = architecture(entry, offer)(scale=scale, **arguments)
    prefix = ""
    for file in soft:
        state = {name: value for name, value in state.items() if not name.startswith(prefix + SOFT_PREFIX)}
        prefix += SOFT_PREFIX
        state |= {prefix + name: value for name, value in averaged_weights(file).items()}
    try:
        trained.load_state_dict(state)
    except RuntimeError:
        raise CTError(
            f"{checkpoint} does not fit {model} x{scale} as models.json has it; what its network was trained with "
            'besides the scale belongs into "arguments" there, such as {"told": true}'
        ) from None
    buffer = io.BytesIO()
    torch.save({name: value.half() for name, value in networks.fold(trained).state_dict().items()}, buffer)
    path = folder / f"{model}_x{scale}{'_high' if stage == 'high' else ''}.pt"
    path.write_bytes(buffer.getvalue())
    offer.setdefault("weights", {})[stage] = {
        "file": path.name,
        "sha256": hashlib.sha256(buffer.getvalue()).hexdigest(),
    }
    if quality is not None:
        offer["quality"] = quality
    entry["scales"] = dict(sorted(entry["scales"].items()))
    (folder / "models.json").write_text(json.dumps(content, indent=4) + "\n", encoding="utf-8")
    return path


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--model", default="light")
    parser.add_argument("--scale", type=int, choices=(1, 2, 4), required=True)
    parser.add_argument("--stage", choices=("low", "high"), default="low")
    parser.add_argument("--quality", help="one line with figures for `ctsgan models`")
    parser.add_argument(
        "--soft",
        type=Path,
        nargs="+",
        default=(),
        help="other checkpoints or weight files, for softer and softer kernels",
    )
    given = parser.parse_args(argv)
    try:
        path = publish(given.checkpoint, given.model, given.scale, given.stage, given.quality, soft=given.soft)
    except CTError as error:
        raise SystemExit(f"ctsgan.publish: {error}") from None
    print(path)


if __name__ == "__main__":
    main()
