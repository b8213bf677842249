"""The separable BBOB functions 1–5 as sums over the axes: exact in every product of sets.

On each axis φ(x) = h(z(x)) with z increasing and h(z) = c z² (f2), or z² + 10 (1 − cos 2πz), whose
minima lie at 0 and, ever higher, at the z_m with sin(2πz_m) = −z_m / 10π next to ±1, ±2, … So the
lowest h between two values of z is known in closed form, and with it φ's on every interval; of
tied axes the sum is bounded by it, and branch and bound finds its minimum.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from hpo_lab.space import Floats, Space
from landscapes._bbob_bounds import oscillated
from landscapes._bbob_instance import Instance
from landscapes._separable import MinOfSeparables, Raised, Separable, Term, Valleys, root

CLOSE = 5e-11  # the gap, relative to the value, at which branch and bound ends
ENOUGH = 500_000  # intervals at a time after which it is given up
ROUNDING = 1e-13  # relative: what the bounds' own arithmetic may be off by


def separable(made: Instance, space: Space) -> MinOfSeparables:
    """Return the sum of the axes' terms of f1–f5."""
    terms = tuple(_term(made, i) for i in range(made.dimension))
    outer = Raised(np.array([made.f_opt]))
    return MinOfSeparables(space, (Separable(terms, outer, 1),))


def _term(made: Instance, i: int) -> Term:
    centre = float(made.x_opt[i])
    if made.function == 1:
        flat = np.zeros(1)
        return Valleys(np.ones(1), np.array([centre]), flat, np.array([centre]))
    c = float(made.scale[i])
    if made.function == 5:
        return Slope(5.0 * abs(c), c)
    if made.function == 2:
        return Climbs((Climb(centre, c, c, waves=False),))
    if made.function == 3:
        return Climbs((Climb(centre, c, c, share=0.2 * i / (made.dimension - 1.0)),))
    return Climbs((Climb(centre, 10.0 * c if i % 2 == 0 else c, c),))


@dataclass(frozen=True)
class Slope:
    """φ(x) = height − slope · x: f5."""

    height: float
    slope: float

    def __call__(self, values: Floats) -> Floats:
        """Return φ (n, 1)."""
        return (self.height - self.slope * values)[:, None]

    def minimum(self, low: float, high: float) -> tuple[Floats, Floats]:
        """Return the end (1,) where φ is lowest, and φ there (1,)."""
        x = np.array([high if self.slope > 0.0 else low])
        return x, self(x)[:, 0]

    def plus(self, other: Term) -> Term | None:
        """The sum of slopes is a slope."""
        if not isinstance(other, Slope):
            return None
        return Slope(self.height + other.height, self.slope + other.slope)


@dataclass(frozen=True)
class Climb:
    """φ(x) = h(z(x)), lowest at the centre; z = c T_asy(T_osz(x − centre)), c by the side.

    ``share`` is β i / (d − 1) of T_asy; without ``waves`` h(z) = c T_osz², and c is no factor of z.
    """

    centre: float
    above: float
    below: float
    share: float = 0.0
    waves: bool = True

    def height(self, x: Floats) -> Floats:
        """Return φ (n,)."""
        return self.curve(self.coordinate(x))

    def coordinate(self, x: Floats) -> Floats:
        """Return z (n,), increasing in x."""
        z = oscillated(x - self.centre)
        up = np.maximum(z, 0.0)
        z = np.where(z > 0.0, up ** (1.0 + self.share * np.sqrt(up)), z)
        return z * np.where(z > 0.0, self.above, self.below) if self.waves else z

    def curve(self, z: Floats) -> Floats:
        """Return h (n,)."""
        if not self.waves:
            return self.above * z * z
        return z * z + 10.0 * (1.0 - np.cos(2.0 * math.pi * z))

    def lowest(self, low: Floats, high: Floats) -> Floats:
        """Return the z (n,) in [low, high] (of coordinates) where h is lowest."""
        near = np.minimum(np.abs(low), np.abs(high))
        far = np.maximum(np.abs(low), np.abs(high))
        best = near
        if self.waves:
            for z in (np.minimum(_next_bottom(near), far), far):
                best = np.where(self.curve(z) < self.curve(best), z, best)
        best = np.where(low > 0.0, best, -best)
        return np.where((low <= 0.0) & (high >= 0.0), 0.0, best)

    def least(self, low: Floats, high: Floats) -> Floats:
        """Return the lowest φ (n,) in the intervals [low, high] (of values of the axis)."""
        return self.curve(self.lowest(self.coordinate(low), self.coordinate(high)))

    def where(self, low: float, high: float) -> float:
        """Return where φ is lowest in [low, high]."""
        if low <= self.centre <= high:
            return self.centre
        ends = np.array([low, high])
        left, right = self.coordinate(ends)
        z = self.lowest(np.array([left]), np.array([right]))
        found = root(lambda x: self.coordinate(x) - z, ends[:1], ends[1:])
        candidates = np.concatenate([ends, found])
        return float(candidates[np.argmin(self.height(candidates))])


def _next_bottom(z: Floats) -> Floats:
    """The first z_m from z > 0 on; infinity where there is none."""
    bottoms = _bottoms()
    found: Floats = bottoms[np.minimum(np.searchsorted(bottoms, z), len(bottoms) - 1)]
    return found


@cache
def _bottoms() -> Floats:
    """z_m: where 20π sin(2πz) + 2z rises through 0, and infinity."""
    m = np.arange(1.0, 32.0)

    def slope(z: Floats) -> Floats:
        return 20.0 * math.pi * np.sin(2.0 * math.pi * z) + 2.0 * z

    return np.append(root(slope, m - 0.25, m), math.inf)


@dataclass(frozen=True)
class Climbs:
    """The sum of the climbs of one axis, or of several that are tied."""

    parts: tuple[Climb, ...]

    def __call__(self, values: Floats) -> Floats:
        """Return φ (n, 1)."""
        return self._height(values)[:, None]

    def _height(self, x: Floats) -> Floats:
        return np.asarray(np.sum([part.height(x) for part in self.parts], axis=0))

    def plus(self, other: Term) -> Term | None:
        """Return both as one."""
        return Climbs(self.parts + other.parts) if isinstance(other, Climbs) else None

    def minimum(self, low: float, high: float) -> tuple[Floats, Floats]:
        """Return where φ is lowest (1,) in [low, high], and a bound below φ there (1,)."""
        if len(self.parts) == 1:
            x = np.array([self.parts[0].where(low, high)])
            return x, self._height(x)
        return self._searched(low, high)

    def _searched(self, low: float, high: float) -> tuple[Floats, Floats]:
        """Branch and bound: every part's lowest value in an interval is known."""
        centres = np.clip([part.centre for part in self.parts], low, high)
        edges = np.unique(np.concatenate([np.linspace(low, high, 257), centres]))
        a, b = edges[:-1], edges[1:]
        best, value, closed = edges[:1], math.inf, math.inf
        while True:
            middle = (a + b) / 2.0
            seen = np.concatenate([edges, middle])
            heights = self._height(seen)
            if heights.min() < value:
                best, value = seen[[np.argmin(heights)]], float(heights.min())
            under = np.sum([part.least(a, b) for part in self.parts], axis=0) * (1.0 - ROUNDING)
            goal = value - CLOSE * max(1.0, value)
            left = under < goal
            wide = (a < middle) & (middle < b)
            closed = min(closed, goal, float(under[left & ~wide].min(initial=math.inf)))
            left &= wide
            if not left.any() or left.sum() > ENOUGH:
                return best, np.array([under[left].min(initial=closed)])
            a, b, middle, edges = a[left], b[left], middle[left], edges[:0]
            a, b = np.concatenate([a, middle]), np.concatenate([middle, b])
