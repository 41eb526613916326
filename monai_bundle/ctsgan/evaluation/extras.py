"""What is measured of a method once and not on every slice: phantoms, lesions, time and memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from .. import __version__
from ..errors import CTError
from .cost import measure_cost, measure_slices
from .honesty import measure_honesty
from .measure import Ready, Store
from .methods import baseline
from .physics import measure_edges, measure_physics

UNITS = {"physics": 30, "honesty": 36}
"""About how many slices a method enhances for them, for the progress bar."""

REFERENCE = "reference"
"""In the place of a method's name: the slices before they are degraded."""


def measure_extras(
    groups: Sequence[str],
    ready: Sequence[Ready],
    scale: int,
    preset: str,
    references: Sequence[dict[str, Any]],
    model: str,
    store: Store,
    advance: Callable[[int], None],
    say: Callable[[str], None],
) -> dict[str, dict[str, Any]]:
    """``physics``, ``honesty`` and ``cost`` of each method, as the results name them; each is measured once.

    Args:
        groups: which of the three.
        ready: the methods.
        scale, preset: what phantom and lesions go through.
        references: slices as :func:`ctsgan.data.load_slices` returns them.
        model: ours, whose volume path is timed.
        store: what an earlier run has found.
        advance: told how many slices were enhanced, about.
        say: takes one sentence about what cannot be measured.
    """
    content = b"".join(volume["slices"].numpy().tobytes() for volume in references)
    slices = hashlib.sha256(content).hexdigest()[:16]
    found: dict[str, dict[str, Any]] = {"physics": {}, "honesty": {}, "cost": {}}
    if "physics" in groups:
        plain = Ready(REFERENCE, "", None)
        for method in (plain, *ready):
            found["physics"][method.name] = store.once(
                ("physics", method.name, preset, f"x{scale}"),
                f"{method.identity} {slices} {__version__}",
                lambda method=method: _physics(method, scale, preset, references),
            )
            advance(UNITS["physics"] if method is not plain else 0)
    if "honesty" in groups:
        try:
            for method in ready:
                found["honesty"][method.name] = store.once(
                    ("lesions", method.name, preset, f"x{scale}"),
                    f"{method.identity} {slices} {__version__}",
                    lambda method=method: measure_honesty(method.enhance, scale, preset, references),
                )
                advance(UNITS["honesty"])
        except CTError as error:
            say(f"the hallucination test is left out: {error}")
    if "cost" in groups:
        found["cost"] = store.once(
            ("cost", preset, f"x{scale}"),
            f"{[(method.name, method.identity) for method in ready]} {__version__}",
            lambda: _cost(ready, scale, model),
        )
    return found


def _physics(method: Ready, scale: int, preset: str, references: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Of the digital phantom and of the outlines that the references have."""
    phantom = measure_physics(method.enhance, scale, preset)
    edges = measure_edges(method.enhance, scale, preset, references)
    return {part: {**phantom[part], **edges[part]} for part in ("numbers", "curves")}


def _cost(ready: Sequence[Ready], scale: int, model: str) -> dict[str, Any]:
    """Side by side, and how our volume path grows with slices."""
    found = measure_cost({method.name: method.enhance for method in ready}, scale, baseline(scale))
    ours = f"ctsgan {model}"
    if ours in found:
        found[ours]["growth"] |= measure_slices(scale, model)
    return found
