"""Every method on every slice, once: what was measured is kept and not measured again."""

from __future__ import annotations

import hashlib
import json
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from ctsgan.degradation import preset as make_preset
from ctsgan.metrics import TISSUE_RANGES, body_mask, tissue_errors

from ..quality import SCORES
from .method import Enhance, Method, Unavailable

TISSUE_SCORES = [f"{tissue} HU" for tissue in TISSUE_RANGES]
NAMES = [*SCORES, *TISSUE_SCORES]
SAVE_SECONDS = 10.0
FEWEST_PIXELS = 200
"""A tissue with fewer pixels in a slice has no mean worth printing."""


@dataclass(frozen=True)
class Pair:
    """A reference slice and what a protocol makes of it, int16 HU; ``spacing_mm`` is that of the degraded one."""

    file: str
    index: int
    low: np.ndarray
    reference: np.ndarray
    spacing_mm: tuple[float, float]

    @cached_property
    def body(self) -> np.ndarray:
        """The patient's pixels in the reference, bool."""
        return body_mask(self.reference)

    @cached_property
    def fingerprint(self) -> str:
        """Of all that a score depends on but the method."""
        content = b"".join(np.ascontiguousarray(image).tobytes() for image in (self.low, self.reference))
        return hashlib.sha256(content + repr((self.spacing_mm, NAMES)).encode()).hexdigest()[:16]


def degraded_pairs(volumes: Iterable[dict[str, Any]], preset: str, scale: int, every: int = 1) -> Iterator[Pair]:
    """Pairs of every n-th slice. What is drawn depends on the file's name and the slice alone.

    Args:
        volumes: as :func:`ctsgan.data.load_slices` returns them; slices are cut to a multiple of ``scale``.
        preset: name of a fixed protocol.
        scale: pixels of the reference to one of the degraded slice.
        every: 1 takes all slices.
    """
    degradation = make_preset(preset, scale)
    for volume in volumes:
        count, rows, columns = volume["slices"].shape
        for index in range(0, count, every):
            reference = volume["slices"][index, : rows // scale * scale, : columns // scale * scale]
            degradation.set_random_state(zlib.crc32(f"{volume['name']} {index}".encode()))
            low = degradation(reference.float()[None], volume["spacing_mm"])[0].numpy().astype(np.int16)
            spacing = tuple(scale * mm for mm in volume["spacing_mm"])
            yield Pair(volume["name"], index, low, reference.numpy(), spacing)


def score(image: np.ndarray, pair: Pair) -> list[float]:
    """The scores of an enhanced slice in the order of :data:`NAMES`; NaN for a tissue it does not show."""
    fidelity = [function(image, pair.reference, pair.body) for function in SCORES.values()]
    tissues = tissue_errors(image, pair.reference, pair.body)
    # air is around the patient too
    tissues["air"] = tissue_errors(image, pair.reference)["air"]
    enough = {tissue: error for tissue, error in tissues.items() if error and error.pixels >= FEWEST_PIXELS}
    return [*fidelity, *(enough[tissue].bias if tissue in enough else np.nan for tissue in TISSUE_RANGES)]


class Store:
    """Scores and times of slices in a JSON file, or only in memory without one."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.entries: dict[str, Any] = {}
        self._saved = time.monotonic()
        if path is not None and path.is_file():
            self.entries = json.loads(path.read_text(encoding="utf-8"))

    def of(self, method: str, preset: str, scale: int, file: str) -> dict[str, Any]:
        """What is known of a file's slices: by index, ``identity``, ``scores`` and ``seconds``."""
        entry = self.entries
        for key in (method, preset, f"x{scale}", file):
            entry = entry.setdefault(key, {})
        return entry

    def save(self, now: bool = False) -> None:
        """Write the file if ten seconds have passed, or now; never half of it."""
        if self.path is None or not (now or time.monotonic() - self._saved > SAVE_SECONDS):
            return
        part = self.path.with_name(f"{self.path.name}.part")
        part.write_text(json.dumps(self.entries), encoding="utf-8")
        part.replace(self.path)
        self._saved = time.monotonic()


def measure(
    pairs: list[Pair],
    methods: dict[str, Method],
    preset: str,
    scale: int,
    store: Store,
    say: Callable[[str], None] = tqdm.write,
) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Scores (:data:`NAMES`) and processor seconds of each slice, by method and file.

    A slice is enhanced only where the store does not hold it from the same method, weights and pair. A method
    that is not available here is told of and left out.
    """
    found: dict[str, dict[str, list[dict[str, Any]]]] = {}
    try:
        for name, method in methods.items():
            if scale not in method.scales:
                continue
            try:
                found[name] = _measure_one(pairs, name, method, preset, scale, store)
            except Unavailable as reason:
                say(f"{name}, {preset} x{scale}: {reason}")
    finally:
        store.save(now=True)
    return found


def _measure_one(
    pairs: list[Pair], name: str, method: Method, preset: str, scale: int, store: Store
) -> dict[str, list[dict[str, Any]]]:
    identity = method.identity(scale, preset)
    enhance: Enhance | None = None
    found: dict[str, list[dict[str, Any]]] = {}
    for pair in tqdm(pairs, desc=f"{name}, {preset} x{scale}", leave=False, disable=None):
        entry = store.of(name, preset, scale, pair.file)
        known = entry.get(str(pair.index))
        wanted = f"{identity} {pair.fingerprint}"
        if known is None or known["identity"] != wanted:
            if enhance is None:
                enhance = method.prepare(scale, preset)
            started = time.process_time()
            image = enhance(pair.low, pair.spacing_mm)
            seconds = time.process_time() - started
            # JSON has no NaN
            scores = [None if np.isnan(value) else round(value, 5) for value in score(image, pair)]
            known = {"identity": wanted, "scores": scores, "seconds": round(seconds, 3)}
            entry[str(pair.index)] = known
            store.save()
        scores = [np.nan if value is None else value for value in known["scores"]]
        found.setdefault(pair.file, []).append({"scores": scores, "seconds": known["seconds"]})
    return found
