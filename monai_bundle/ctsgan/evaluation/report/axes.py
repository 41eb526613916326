"""Axes with round ticks, and how each method is drawn in every chart."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

OURS, PEERS = 2, 6
"""How many colours there are for each."""

DASHES = (None, "6 3", "2 3", "8 3 2 3")


@dataclass(frozen=True)
class Style:
    """How a method is drawn in every chart: a class that gives the colour, a dash, and whether it is one of ours."""

    colour: str
    dash: str | None
    ours: bool


def styles(methods: Mapping[str, Mapping[str, bool]], others: Sequence[str] = ()) -> dict[str, Style]:
    """A style for each method, and one for each of ``others``, such as the reference."""
    chosen, counts = {}, [0, 0]
    for name in dict.fromkeys([*methods, *others]):
        ours = bool(methods.get(name, {}).get("ours"))
        number = counts[ours]
        counts[ours] += 1
        colour, turn = (number % OURS, number // OURS) if ours else (OURS + number % PEERS, number // PEERS)
        chosen[name] = Style(f"s{colour}", DASHES[turn % len(DASHES)], ours)
    return chosen


@dataclass(frozen=True)
class Axis:
    """Values from ``low`` to ``high`` between two places of the picture."""

    label: str
    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def place(self, value: float) -> float:
        low, high, at = (math.log(x) if self.logarithmic else x for x in (self.low, self.high, value))
        return round(self.start + (at - low) / (high - low) * (self.end - self.start), 2)

    def ticks(self, most: int = 6) -> list[float]:
        """Round numbers: 1, 2 and 5 of each decade, or multiples of such."""
        if self.logarithmic:
            decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            every = [step * 10.0**decade for decade in decades for step in (1, 2, 5)]
            inside = [value for value in every if self.low <= value <= self.high]
            return inside if len(inside) <= most + 1 else [value for value in inside if f"{value:e}"[0] == "1"]
        step = 10.0 ** math.floor(math.log10((self.high - self.low) / most))
        step *= next(factor for factor in (1, 2, 5, 10) if (self.high - self.low) / (step * factor) <= most)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [round(index * step, 10) for index in range(first, last + 1)]


def axis(label: str, values: Sequence[float], start: float, end: float, logarithmic: bool = False) -> Axis:
    """An axis that holds all values with a little room; from 0 where they are positive and reach near it."""
    low, high = min(values), max(values)
    if logarithmic:
        return Axis(label, low / 1.4, high * 1.4, start, end, True)
    room = (high - low or abs(high) or 1.0) * 0.05
    from_zero = 0 <= low < 0.25 * high
    return Axis(label, 0.0 if from_zero else low - room, high + room, start, end)
