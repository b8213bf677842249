"""Flat: f0, a landscape of nothing but uniform noise, on which no strategy can learn.

    y(x) = U(x, instance, repetition, replicate),   uniform on [0, 1), a hash of the point

Where a strategy goes on f0 is where it goes by itself: its structural bias.

Source: Kononova, Corne, De Wilde, Shneer & Caraffini 2015, "Structural bias in population-based
algorithms", Information Sciences 298 (f0); Vermetten et al. 2022, "BIAS: a toolbox for benchmarking
structural bias in the continuous domain", IEEE Transactions on Evolutionary Computation 26.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from hpo_lab.errors import InputError
from hpo_lab.landscape import Bounds, Landscape, Optimum, generator, keyed_uniform
from hpo_lab.region import Box, Interval, Region
from hpo_lab.space import Floats, Ints, Points, Real, Space
from landscapes._separable import BLOCK, NOWHERE, groups

LISTED = 100_000  # points of a region up to which they are all evaluated
TRIED = 1000  # points of a larger one that are


@dataclass(frozen=True)
class Flat(Landscape):
    """Uniform noise on [0, 1): new in every repetition, or one frozen field an instance.

    The universe is [0, 1]^dimension, axes x1, x2, … (dimension 2 by default), or ``space``: any
    universe of one's own.

    With ``fresh`` (the default, and what a test of structural bias needs: repetitions are
    independent samples) every repetition sees another f0. The truth is what the noise has for a
    mean, 1/2 everywhere, and no regret is possible. A strategy that asks for a point again gets a
    new value, as BIAS gives at every evaluation: that is the point's next replicate. Two
    strategies that ask for the same point in the same repetition meet the same noise.

    Without ``fresh`` each instance is one field of values without any structure, the same in all
    repetitions: a needle in every haystack. Its optimum is exact by enumeration in every region of
    up to 100,000 points; in larger ones it is bounded by 0 and by the best of 1,000 points.

    >>> f = Flat(dimension=5)
    >>> points = f.universe.points([[0.1, 0.2, 0.3, 0.4, 0.5]])
    >>> f.evaluate(points).tolist(), bool(f.observe(points, 0) == f.observe(points, 1))
    ([0.5], False)

    Raises InputError for a dimension below 1, or both a dimension and a space.
    """

    dimension: int | None = None
    fresh: bool = True
    instance: int = 1
    space: Space | None = None
    name: ClassVar[str] = "flat"
    version: ClassVar[int] = 1
    unit: ClassVar[str] = ""

    def __post_init__(self) -> None:
        if self.dimension is not None and self.dimension < 1:
            raise InputError(f"dimension must be at least 1, not {self.dimension}")
        if self.dimension is not None and self.space is not None:
            raise InputError("give flat a dimension or a space, not both")

    @cached_property
    def universe(self) -> Space:
        """The box [0, 1]^dimension, or the space that was given."""
        if self.space is not None:
            return self.space
        return Space.box(*[Real(f"x{i}", 0.0, 1.0) for i in range(1, (self.dimension or 2) + 1)])

    def evaluate(self, points: Points) -> Floats:
        """Return the truth (n,): 1/2, or the frozen field's values."""
        return np.full(len(points), 0.5) if self.fresh else self._noise(points, 0, None)

    def observe(self, points: Points, repetition: int = 0, replicate: Ints | None = None) -> Floats:
        """Return the noise (n,), keyed by instance, point and, if fresh, repetition, replicate."""
        return self._noise(points, repetition if self.fresh else 0, replicate)

    @property
    def stochastic(self) -> bool:
        """Whether every repetition sees another field."""
        return self.fresh

    def _noise(self, points: Points, repetition: int, replicate: Ints | None) -> Floats:
        again = replicate if self.fresh and replicate is not None else np.zeros(len(points), int)
        noise = np.empty(len(points))
        for start in range(0, len(points), BLOCK):
            rows = slice(start, start + BLOCK)
            values = np.where(self.universe.active[points.family[rows]], points.values[rows], 0.0)
            block = Points(points.space, points.family[rows], values)
            noise[rows] = keyed_uniform(block, self.instance, repetition, again[rows])
        return noise

    def lowest(self, region: Region) -> Optimum | Bounds:
        """Return the exact optimum of a region of up to 100,000 points; else certified bounds."""
        boxes = [self._points(box) for box in region]
        found = [points for points, _ in boxes if len(points)]
        if not found:
            return NOWHERE
        every = Points.concatenate(found)
        values = self.evaluate(every)
        best = int(np.argmin(values))
        if self.fresh or all(listed for _, listed in boxes):
            return Optimum(float(values[best]), every[best])
        return Bounds(0.0, float(values[best]), f"no value is negative; {len(every)} points tried")

    def _points(self, box: Box) -> tuple[Points, bool]:
        """All points of a box if they are few, else some of them; and whether these are all."""
        family = self.universe.index(box.family)
        shared = groups(self.universe, box)
        sizes = [math.inf if isinstance(c, Interval) else float(len(c)) for _, c in shared]
        count = math.prod(sizes) if all(sizes) else 0.0
        listed = count <= LISTED
        rng = generator(self, box.family, self.instance, "some points")
        total = int(count) if listed else TRIED
        number = np.arange(total)
        table = np.full((total, self.universe.width), np.nan)
        column = [place for place, _ in self.universe.places(family)]
        for axes, common in shared:
            if isinstance(common, Interval):
                drawn = common.low + rng.random(total) * (common.high - common.low)
                values = np.minimum(drawn, common.high)
            elif listed:
                values, number = common[number % len(common)], number // len(common)
            else:
                values = common[(rng.random(total) * len(common)).astype(np.int64)]
            table[:, [column[i] for i in axes]] = values[:, None]
        return Points(self.universe, np.full(total, family, dtype=np.int64), table), listed
