"""Every method on every slice, once: what was measured is kept and not measured again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from ..errors import CTError, reason
from ..metrics import WINDOWS
from .methods import Enhance, Method, Unavailable, baseline
from .pairs import Pair
from .scores import SLICE_SCORES, VERSION, score

REFERENCE = ""
"""In the place of a method's name: the references themselves."""

BOX = 96
"""Edge in pixels of the squares in which methods are looked at for where they disagree."""


class Store:
    """Values by key in a file to which a line is added for each, so that a run that was killed loses one at most."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: dict[tuple[str, ...], tuple[str, Any]] = {}

    def __enter__(self) -> Store:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            text = self.path.read_text(encoding="utf-8") if self.path.exists() else ""
            self._file = self.path.open("a", encoding="utf-8")
        except OSError as error:
            raise CTError(f"{self.path.parent} cannot be used: {reason(error)}; choose another output folder") from None
        for line in text.splitlines():
            try:
                key, identity, value = json.loads(line)
            except ValueError:
                # the line that a killed run was writing
                continue
            self._known[tuple(key)] = (identity, value)
        if text and not text.endswith("\n"):
            self._file.write("\n")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def get(self, key: tuple[str, ...], identity: str) -> Any:
        """The value if it was kept under this identity, else ``None``."""
        known, value = self._known.get(key, (None, None))
        return value if known == identity else None

    def put(self, key: tuple[str, ...], identity: str, value: Any) -> Any:
        """Keep a value that JSON can hold; returns it."""
        self._known[key] = (identity, value)
        self._file.write(json.dumps([key, identity, value]) + "\n")
        self._file.flush()
        return value

    def once(self, key: tuple[str, ...], identity: str, compute: Callable[[], Any]) -> Any:
        """The value that is kept, computed if there is none."""
        value = self.get(key, identity)
        return self.put(key, identity, compute()) if value is None else value


@dataclass(frozen=True)
class Ready:
    """A method for one preset that can be used here; ``enhance`` is ``None`` for what is only looked at."""

    name: str
    identity: str
    enhance: Enhance | None


def prepare(
    methods: Mapping[str, Method], preset: str, scale: int, loaded: dict[str, Enhance]
) -> dict[str, Ready | str]:
    """Each method for a preset, or the sentence that says why it is not available.

    Args:
        methods: by name.
        preset, scale: what they are prepared for.
        loaded: what enhances, by method and identity, shared by the presets and added to.
    """
    found: dict[str, Ready | str] = {}
    for name, method in methods.items():
        try:
            identity = method.identity(scale, preset)
            key = f"{name} {identity}"
            if key not in loaded:
                loaded[key] = method.prepare(scale, preset)
            found[name] = Ready(name, identity, loaded[key])
        except Unavailable as error:
            found[name] = str(error)
    return found


def enhanced(ready: Ready, pair: Pair) -> np.ndarray:
    """What a method makes of a pair's input.

    Raises:
        CTError: if it has not the shape of the reference.
    """
    image = ready.enhance(pair.low, pair.spacing_mm)
    if image.shape != pair.reference.shape:
        raise CTError(f"{ready.name} makes {image.shape} of {pair.low.shape}, not {pair.reference.shape}; leave it out")
    return image


def disagreement(image: np.ndarray, other: np.ndarray, body: np.ndarray) -> list[float | int]:
    """The square of :data:`BOX` pixels where two images differ most inside the patient, in the soft-tissue window.

    Returns:
        mean absolute difference in HU there, first row, first column.
    """
    low, high = WINDOWS["soft"]
    difference = np.abs(np.clip(image, low, high).astype(np.float64) - np.clip(other, low, high)) * body
    edge = min(BOX, *image.shape)
    sums = np.pad(difference, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    boxes = sums[edge:, edge:] - sums[:-edge, edge:] - sums[edge:, :-edge] + sums[:-edge, :-edge]
    row, column = np.unravel_index(np.argmax(boxes), boxes.shape)
    return [round(float(boxes[row, column]) / edge**2, 4), int(row), int(column)]


def measure_pair(pair: Pair, ready: Sequence[Ready], groups: Iterable[str], store: Store) -> dict[str, dict[str, Any]]:
    """The scores of a slice by every method, and where each differs most from the baseline.

    A slice is enhanced only where the store does not hold it from the same method, weights and pair.

    Returns:
        By method ``scores`` and ``place``; under :data:`REFERENCE` those that need no reference of the reference.
    """
    groups = [group for group in groups if group in SLICE_SCORES]
    found: dict[str, dict[str, Any]] = {}
    plain: np.ndarray | None = None
    for method in ready:
        wanted = f"{method.identity} {pair.fingerprint} {VERSION}"
        kept = {group: store.get(_key(group, method.name, pair), wanted) for group in groups}
        lacking = [group for group in groups if kept[group] is None]
        if lacking:
            if plain is None:
                plain = enhanced(next(item for item in ready if item.name == baseline(pair.scale)), pair)
            image = plain if method.name == baseline(pair.scale) else enhanced(method, pair)
            place = disagreement(image, plain, pair.body)
            for group in lacking:
                value = {"scores": score(image, pair, group), "place": place}
                kept[group] = store.put(_key(group, method.name, pair), wanted, value)
        merged = {name: value for group in groups for name, value in kept[group]["scores"].items()}
        found[method.name] = {"scores": merged, "place": kept[groups[0]]["place"]}
    if "perception" in groups:
        wanted = f"{pair.fingerprint} {VERSION}"
        scores = store.once(
            _key("perception", REFERENCE, pair), wanted, lambda: score(pair.reference, pair, "perception")
        )
        found[REFERENCE] = {"scores": scores}
    return found


def _key(group: str, method: str, pair: Pair) -> tuple[str, ...]:
    return group, method, pair.preset, f"x{pair.scale}", pair.file, str(pair.index)
