"""What a user asks of the bundle, and the options of ``ctsgan enhance`` that say it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """How a volume is enhanced; the fields are the options of ``ctsgan enhance``.

    Args:
        scale: 1 cleans, 2 and 4 make pixels that much finer.
        strength: restoration strength, 0 (low) to 1 (high).
        model: a name of the bundle's catalogue.
        fidelity_mm: regions wider than this keep their mean HU; ``None`` is off.
        device: auto, cpu, cuda, cuda:n or mps.
        tile: window edge in pixels; ``None`` is the whole slice.
        batch: slices at once.
        threads: of the processor; ``None`` leaves it to PyTorch.
        force: go on where the input does not look like a CT.
    """

    scale: int = 2
    strength: float = 0.0
    model: str = "light"
    fidelity_mm: float | None = 5.0
    device: str = "auto"
    tile: int | None = None
    batch: int = 1
    threads: int | None = None
    force: bool = False

    def options(self) -> list[str]:
        """For the command line of ``ctsgan enhance``."""
        options = {
            "--scale": self.scale,
            "--strength": f"{self.strength:g}",
            "--model": self.model,
            "--fidelity": "off" if self.fidelity_mm is None else f"{self.fidelity_mm:g}",
            "--device": self.device,
            "--tile": self.tile,
            "--batch": self.batch,
            "--threads": self.threads,
        }
        given = [str(word) for name, value in options.items() if value is not None for word in (name, value)]
        return [*given, "--force"] if self.force else given


def enhance_arguments(source: Path, target: Path, options: Sequence[str]) -> list[str]:
    """Of ``ctsgan`` for a run that tells its progress and ends when its standard input is closed."""
    return ["enhance", str(source), str(target), *options, "--progress", "slicer"]
