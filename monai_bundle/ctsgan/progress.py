"""How far a run has come, for a person, for 3D Slicer, for a log, or for nobody."""

from __future__ import annotations

import logging
import math
import sys
import time
from collections.abc import Callable
from typing import Any

STYLES = ("bar", "slicer", "none")
"""What the command line and the bundle's config offer."""

logger = logging.getLogger(__name__)


class SlicerProgress:
    """The lines that 3D Slicer reads from a command-line module's standard output."""

    def __init__(self, name: str, unit: str) -> None:
        self.name = name
        self.unit = unit

    def __enter__(self) -> SlicerProgress:
        self._started = time.monotonic()
        self._write(f"<filter-start><filter-name>{self.name}</filter-name></filter-start>")
        return self

    def __call__(self, done: float, total: int) -> None:
        elapsed = time.monotonic() - self._started
        left = elapsed / done * (total - done)
        text = f"{self.unit} {math.ceil(done)} of {total}, {left:.0f} s left"
        self._write(f"<filter-progress>{done / total:.4f}</filter-progress>")
        self._write(f"<filter-progress-text>{text}</filter-progress-text>")

    def __exit__(self, *_: object) -> None:
        elapsed = time.monotonic() - self._started
        self._write(
            f"<filter-end><filter-name>{self.name}</filter-name><filter-time>{elapsed:.2f}</filter-time></filter-end>"
        )

    @staticmethod
    def _write(line: str) -> None:
        print(line, flush=True)


class TerminalProgress:
    """A bar with percent and time left on standard error; quiet where that is not a terminal."""

    def __init__(self, name: str, unit: str) -> None:
        self.name = name
        self.unit = unit

    def __enter__(self) -> TerminalProgress:
        from tqdm import tqdm

        style = "{l_bar}{bar}| {n:.3g}/{total} {unit}s, {remaining} left"
        hidden = not sys.stderr.isatty()
        self._bar = tqdm(desc=self.name, unit=self.unit, bar_format=style, leave=False, disable=hidden)
        return self

    def __call__(self, done: float, total: int) -> None:
        self._bar.total = total
        self._bar.update(done - self._bar.n)

    def __exit__(self, *_: object) -> None:
        self._bar.close()


class LogProgress:
    """Lines in the log, one for every twentieth of the work, for hosts whose users look there."""

    def __init__(self, name: str, unit: str) -> None:
        self.name = name
        self.unit = unit

    def __enter__(self) -> LogProgress:
        self._twentieths = 0
        return self

    def __call__(self, done: float, total: int) -> None:
        twentieths = int(done * 20 / total)
        if twentieths > self._twentieths:
            self._twentieths = twentieths
            logger.info("%s: %s %d of %d", self.name, self.unit, math.ceil(done), total)

    def __exit__(self, *_: object) -> None:
        pass


class NoProgress:
    """Says nothing."""

    def __init__(self, name: str, unit: str) -> None:
        pass

    def __enter__(self) -> Callable[[float, int], None]:
        return lambda done, total: None

    def __exit__(self, *_: object) -> None:
        pass


def progress_display(style: str, name: str, unit: str = "slice") -> Any:
    """The context manager for one of :data:`STYLES`; what it enters as takes (units done, units in all)."""
    return {"bar": TerminalProgress, "slicer": SlicerProgress, "none": NoProgress}[style](name, unit)
