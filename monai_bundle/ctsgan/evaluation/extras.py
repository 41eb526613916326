"""What is measured of a method once and not on every slice: phantoms, lesions, time and memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from .. import __version__
from ..errors import CTError
from .cost import measure_cost, measure_slices
from .honesty import measure_honesty
from .measure import Ready, Store, enhanced
from .methods import baseline
from .pairs import Pair
from .physics import measure_consistency, measure_edges, measure_physics

UNITS = {"physics": 30, "honesty": 36}
"""About how many slices a method enhances for them, for the progress bar."""

REFERENCE = Ready("reference", "", None)
"""In the place of a method: the slices before they are degraded."""


@dataclass(frozen=True)
class Subject:
    """What the methods are tried on.

    Args:
        scale, preset: what phantom and lesions go through.
        references: slices as :func:`ctsgan.data.load_slices` returns them.
        neighbours: pairs of neighbouring slices of one volume.
        model: ours, whose volume path is timed.
    """

    scale: int
    preset: str
    references: Sequence[dict[str, Any]]
    neighbours: Sequence[Pair]
    model: str

    @cached_property
    def fingerprint(self) -> str:
        """Of all that these numbers depend on but the method."""
        content = b"".join(volume["slices"].numpy().tobytes() for volume in self.references)
        content += "".join(pair.fingerprint for pair in self.neighbours).encode()
        return f"{hashlib.sha256(content).hexdigest()[:16]} {__version__}"


def measure_extras(
    groups: Sequence[str],
    ready: Sequence[Ready],
    subject: Subject,
    store: Store,
    advance: Callable[[int], None],
    say: Callable[[str], None],
) -> dict[str, dict[str, Any]]:
    """``physics``, ``honesty`` and ``cost`` of each method, as the results name them; each is measured once.

    Args:
        groups: which of the three.
        ready: the methods.
        subject: what they are tried on.
        store: what an earlier run has found.
        advance: told how many slices were enhanced, about.
        say: takes one sentence about what cannot be measured.
    """

    def once(group: str, methods: Sequence[Ready], measure: Callable[[Ready], Any]) -> dict[str, Any]:
        found = {}
        for method in methods:
            key = (group, method.name, subject.preset, f"x{subject.scale}")
            wanted = f"{method.identity} {subject.fingerprint}"
            found[method.name] = store.once(key, wanted, lambda method=method: measure(method))
            advance(0 if method is REFERENCE else UNITS[group])
        return found

    found: dict[str, dict[str, Any]] = {"physics": {}, "honesty": {}, "cost": {}}
    if "physics" in groups:
        found["physics"] = once("physics", (REFERENCE, *ready), lambda method: _physics(method, subject))
    if "honesty" in groups:
        try:
            found["honesty"] = once("honesty", ready, lambda method: _honesty(method, subject))
        except CTError as error:
            say(f"the hallucination test is left out: {error}")
    if "cost" in groups:
        identities = [(method.name, method.identity) for method in ready]
        key = ("cost", subject.preset, f"x{subject.scale}")
        found["cost"] = store.once(key, f"{identities} {__version__}", lambda: _cost(ready, subject))
    return found


def _physics(method: Ready, subject: Subject) -> dict[str, Any]:
    """Of the digital phantom, of the outlines that the references have, and of neighbouring slices."""
    phantom = measure_physics(method.enhance, subject.scale, subject.preset)
    edges = measure_edges(method.enhance, subject.scale, subject.preset, subject.references)
    found = {part: {**phantom[part], **edges[part]} for part in ("numbers", "curves")}
    if method is not REFERENCE and len(subject.neighbours) > 1:
        images = np.stack([enhanced(method, pair) for pair in subject.neighbours])
        references, bodies = (
            np.stack([getattr(pair, name) for pair in subject.neighbours]) for name in ("reference", "body")
        )
        found["numbers"] |= measure_consistency(images, references, bodies)
    return found


def _honesty(method: Ready, subject: Subject) -> dict[str, Any]:
    return measure_honesty(method.enhance, subject.scale, subject.preset, subject.references)


def _cost(ready: Sequence[Ready], subject: Subject) -> dict[str, Any]:
    """Side by side, and how our volume path grows with slices."""
    found = measure_cost({method.name: method.enhance for method in ready}, subject.scale, baseline(subject.scale))
    ours = f"ctsgan {subject.model}"
    if ours in found:
        found[ours]["growth"] |= measure_slices(subject.scale, subject.model)
    return found
