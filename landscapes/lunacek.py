"""Lunacek: two funnels under one set of ripples, of which the wide one is not the deep one.

    f(x) = min(Σ_i (x_i − p_i)², depth · D + s Σ_i (x_i − q_i)²)
           + ripple · Σ_i (1 − cos 2π (x_i − p_i)),
    p_i = shift_i + 2.5 e_i,   q_i = shift_i − √((2.5² − depth) / s) e_i,   e_i = ±1,
    s = 1 − 1 / (2 √(D + 20) − 8.2)

Source: Lunacek, Whitley & Sutton 2008, "The impact of global structure on search", PPSN X
(depth 1, ripple 10, no shift); BBOB's f24 rotates and squeezes it. In the middle of the axes, where
x = shift, the two bowls are equal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import ClassVar

import numpy as np

from hpo_lab.errors import InputError
from hpo_lab.landscape import Bounds, Landscape, Minima, Optimum, generator
from hpo_lab.region import Region
from hpo_lab.space import Floats, Ints, Points, Real, Space
from landscapes._ripples import RippledMinima
from landscapes._separable import MinOfSeparables, Raised, Separable, Valleys, filled

EDGE = 5.0
PLACE = 2.5  # of the deep funnel on every axis
SHIFT = 1.0  # how far an instance moves both funnels, at most


@dataclass(frozen=True)
class Lunacek(Landscape):
    """Two funnels of ripples, unrotated: the deep funnel holds the optimum, the wide one misleads.

    The universe is [-5, 5]^dimension, axes x1, x2, …; the optimum is 0, at the bottom of the deep
    funnel. The other funnel's bottom is ``depth`` · dimension higher and ``size`` times as steep:
    small sizes are wide. By default size is the published s, which grows with the dimension; it
    is not defined in one. In two dimensions the wide funnel's bottom lies outside the box.
    ``ripple`` is the height of the ripples (their range is twice that). Instance 0 is the
    published function; the others are moved by a shift uniform on [-1, 1] along every axis, and
    have axes turned round at random.

    The optimum is exact in every box, grid and diagonal. Minima are listed up to 20,000
    candidates (None beyond). The basin of a minimum is the part of its ripple's cell where its own
    funnel is the lower one; a point in a cell whose bottom lies in the other funnel has none. What
    is lowest in a basin and a region is nan where that is not the lowest of the cell. A point
    outside the universe is evaluated by the formula (calling the landscape refuses it).

    >>> f = Lunacek(dimension=2, instance=0)
    >>> f([2.5, 2.5]), f.optimum().value, f.funnels(f.universe.points([[2.5, 2.5], [-5.0, -5.0]]))
    (0.0, 0.0, array([0, 1]))

    Raises InputError for a dimension below 1 (or 1 without a size), a depth outside [0, 6.25), a
    size that is not positive and a negative ripple.
    """

    dimension: int = 2
    depth: float = 1.0
    size: float | None = None
    ripple: float = 10.0
    instance: int = 1
    name: ClassVar[str] = "lunacek"
    version: ClassVar[int] = 1
    unit: ClassVar[str] = ""

    def __post_init__(self) -> None:
        if self.dimension < 1:
            raise InputError(f"dimension must be at least 1, not {self.dimension}")
        if self.size is None and self.dimension == 1:
            raise InputError("the published size is not defined in dimension 1: give a size")
        if self.size is not None and not (math.isfinite(self.size) and self.size > 0.0):
            raise InputError(f"size must be a positive number, not {self.size}")
        if not 0.0 <= self.depth < PLACE**2:
            raise InputError(f"depth must be in [0, {PLACE**2}), not {self.depth}")
        if not (math.isfinite(self.ripple) and self.ripple >= 0.0):
            raise InputError(f"ripple must be a height from 0 on, not {self.ripple}")

    @cached_property
    def universe(self) -> Space:
        """The box [-5, 5]^dimension."""
        return Space.box(*[Real(f"x{i}", -EDGE, EDGE) for i in range(1, self.dimension + 1)])

    @cached_property
    def steepness(self) -> float:
        """The s of the wide funnel."""
        if self.size is not None:
            return float(self.size)
        return 1.0 - 1.0 / (2.0 * math.sqrt(self.dimension + 20.0) - 8.2)

    @cached_property
    def bottoms(self) -> Floats:
        """The bottoms of the two funnels' bowls (2, dimension), the deep one first."""
        rng = generator(self, self.dimension, self.instance)
        shift = SHIFT * (2.0 * rng.random(self.dimension) - 1.0)
        ends = np.where(rng.random(self.dimension) < 0.5, -1.0, 1.0)
        if self.instance == 0:
            shift, ends = np.zeros(self.dimension), np.ones(self.dimension)
        other = math.sqrt((PLACE**2 - self.depth) / self.steepness)
        return np.array([shift + PLACE * ends, shift - other * ends])

    def evaluate(self, points: Points) -> Floats:
        """Return f (n,); any real coordinates will do."""
        return self._judge(points)[0]

    def funnels(self, points: Points) -> Ints:
        """Return which funnel (n,) each point lies in: 0 is the deep one, 1 the wide one."""
        return self._judge(points)[1]

    @cached_property
    def _offsets(self) -> Floats:
        return np.array([0.0, self.depth * self.dimension])

    @cached_property
    def _curvature(self) -> Floats:
        return np.array([1.0, self.steepness])

    def _judge(self, points: Points) -> tuple[Floats, Ints]:
        from landscapes._separable_kernels import rippled_bowls

        a = np.repeat(self._curvature[:, None], self.dimension, axis=1)
        c, o, ripples = self.bottoms, self._offsets, (float(self.ripple), 1.0, self.bottoms[0])
        return filled(points, lambda x, *out: rippled_bowls(x, a, c, o, *ripples, *out))

    @cached_property
    def _terms(self) -> tuple[Valleys, ...]:
        height = np.full(2, float(self.ripple))
        return tuple(
            Valleys(self._curvature, centres, height, np.full(2, centres[0]), 1.0)
            for centres in self.bottoms.T
        )

    def lowest(self, region: Region) -> Optimum | Bounds:
        """Return the exact optimum inside any region."""
        separable = Separable(self._terms, Raised(self._offsets), 2)
        return MinOfSeparables(self.universe, (separable,)).lowest(region, self.evaluate)

    def minima(self) -> Minima | None:
        """Return all minima, best first, with their basins; None where they are too many."""
        return _minima(self)


@lru_cache(maxsize=16)
def _minima(landscape: Lunacek) -> Minima | None:
    return RippledMinima(landscape.universe, landscape._terms, landscape._judge).listed()
