"""Certified minima of functions of one variable, by branch and bound.

A minorant of φ on [l, r] with middle m lies below it everywhere in between:

    φ(x) ≥ v + s (x − m)   for l ≤ x ≤ r,   so that   min φ ≥ v − |s| (r − l) / 2.

The sum of minorants is a minorant of the sum, so that axes that are tied to be equal need nothing
new. Where the gap shrinks with (r − l)², a bounded number of intervals is open around each
minimum at every depth.

Source: Piyavskii 1972, "An algorithm for finding the absolute extremum of a function", USSR
Computational Mathematics 12(4), with tangents for his cones; Horst & Tuy 1996, ch. IV.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hpo_lab.space import Floats, Ints

PARTS = 16  # intervals that the search starts from
DEPTH = 100  # halvings: more than a floating-point number has bits
OPEN = 200_000  # intervals beyond which the search is given up, and its bound is what is known
CLOSE = 1e-12  # relative gap between the best value and the bound at which it is content


class Minorised(Protocol):
    """φ_k on one axis for K components, with minorants and with places to look at first."""

    @property
    def hints(self) -> Floats:
        """Values (h, K) where φ_k may well be lowest."""
        ...

    def at(self, k: Ints, x: Floats) -> Floats:
        """Return φ_k (m,) of components (m,) at values (m,)."""
        ...

    def under(self, k: Ints, low: Floats, high: Floats) -> tuple[Floats, Floats]:
        """Return the minorants' v and s (m,) of components (m,) on intervals (m,)."""
        ...


@dataclass(frozen=True, eq=False)
class Certified:
    """A term of one axis, or the sum of the terms of tied axes, with certified minima."""

    parts: tuple[Minorised, ...]

    def __call__(self, values: Floats) -> Floats:
        """Return the sum (n, K) at the values (n,)."""
        count = self.parts[0].hints.shape[1]
        k = np.tile(np.arange(count), len(values))
        return self._at(k, np.repeat(values, count)).reshape(len(values), count)

    def plus(self, other: object) -> Certified | None:
        """Return the sum with another such term."""
        return Certified(self.parts + other.parts) if isinstance(other, Certified) else None

    def minimum(self, low: float, high: float) -> tuple[Floats, Floats]:
        """Return values (K,) in [low, high] where the sum is lowest, and bounds below it (K,).

        The two meet to a relative 1e-12, unless too many intervals had to be kept.
        """
        count = self.parts[0].hints.shape[1]
        x, best = self._first(low, high)
        bound = np.full(count, math.inf)
        edges = np.linspace(low, high, PARTS + 1)
        k = np.repeat(np.arange(count), PARTS)
        left, right = np.tile(edges[:-1], count), np.tile(edges[1:], count)
        for _ in range(DEPTH):
            middle = (left + right) / 2.0
            _improve(x, best, k, middle, self._at(k, middle))
            under = self._under(k, left, right)
            closed = under >= best[k] - CLOSE * np.abs(best[k])
            closed |= (middle <= left) | (middle >= right)
            if np.count_nonzero(~closed) > OPEN:
                closed[:] = True
            np.minimum.at(bound, k[closed], under[closed])
            k, left, middle, right = k[~closed], left[~closed], middle[~closed], right[~closed]
            if not len(k):
                break
            k = np.concatenate([k, k])
            left, right = np.concatenate([left, middle]), np.concatenate([middle, right])
        return x, np.minimum(bound, best)

    def _first(self, low: float, high: float) -> tuple[Floats, Floats]:
        """The best of the ends and the hints: values (K,), and the sums there."""
        hints = np.concatenate([part.hints for part in self.parts])
        count = hints.shape[1]
        places = np.vstack([np.clip(hints, low, high), np.full((2, count), [[low], [high]])])
        sums = self._at(np.tile(np.arange(count), len(places)), places.ravel())
        sums = sums.reshape(places.shape)
        row = np.argmin(sums, axis=0), np.arange(count)
        return places[row], sums[row]

    def _at(self, k: Ints, x: Floats) -> Floats:
        total = np.zeros(len(x))
        for part in self.parts:
            total += part.at(k, x)
        return total

    def _under(self, k: Ints, low: Floats, high: Floats) -> Floats:
        value, slope = np.zeros(len(k)), np.zeros(len(k))
        for part in self.parts:
            v, s = part.under(k, low, high)
            value, slope = value + v, slope + s
        return value - np.abs(slope) * (high - low) / 2.0


def _improve(x: Floats, best: Floats, k: Ints, at: Floats, value: Floats) -> None:
    """Keep, for each component, the lowest value seen so far and where it was."""
    order = np.lexsort((value, k))
    first = order[np.unique(k[order], return_index=True)[1]]
    better = first[value[first] < best[k[first]]]
    x[k[better]], best[k[better]] = at[better], value[better]
