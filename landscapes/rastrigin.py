"""Rastrigin: a separable bowl covered with ripples of one height.

    f(x) = Σ_i a_i (x_i − c_i)² + ripple · Σ_i (1 − cos 2π waves (x_i − c_i)),
    a_i = conditioning^((i − 1) / (d − 1))

Source: Rastrigin 1974, "Systems of extremal control" (two dimensions); Mühlenbein, Schomisch & Born
1991, "The parallel genetic algorithm as function optimizer", Parallel Computing 17 (any dimension;
ripple 10, waves 1). On an unbounded axis φ has, with κ = 2a / (ripple (2π waves)²) < 1
and β = arccos(−κ),

    1 + 2 ⌊(β + √(1 / κ² − 1)) / 2π⌋   minima,

the solutions of κu + sin u = 0 where the curvature κ + cos u is positive.
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

EDGE = 5.12  # the published box
REACH = 4.0  # how far from the middle the optimum may lie


@dataclass(frozen=True)
class Rastrigin(Landscape):
    """A bowl with ripples: exactly known minima, exactly known basins, as many as one likes.

    The universe is [-5.12, 5.12]^dimension, axes x1, x2, …; the optimum is 0. ``ripple`` is the
    height of the ripples (their range is twice that), ``waves`` their number per unit,
    ``conditioning`` the ratio of the last axis' curvature to the first's, which is 1. Instance 0
    is the published function, with its optimum in the middle; in the others it is uniform on
    [-4, 4]^dimension.

    The optimum is exact in every box, grid and diagonal. The minima are products of
    one-dimensional ones and are listed up to 20,000 (None beyond); minima on the edge of the box
    count. The basin of a minimum is the box where steepest descent ends in it; masses are exact.
    A point outside the universe is evaluated by the formula (calling the landscape refuses it).

    >>> f = Rastrigin(dimension=2, instance=0)
    >>> f([0.0, 0.0]), f([1.0, 0.0]), len(f.minima().values)
    (0.0, 1.0, 121)

    Raises InputError for a dimension below 1, a negative ripple, waves that are not positive and
    a conditioning below 1.
    """

    dimension: int = 2
    ripple: float = 10.0
    waves: float = 1.0
    conditioning: float = 1.0
    instance: int = 1
    name: ClassVar[str] = "rastrigin"
    version: ClassVar[int] = 1
    unit: ClassVar[str] = ""

    def __post_init__(self) -> None:
        if self.dimension < 1:
            raise InputError(f"dimension must be at least 1, not {self.dimension}")
        if not (math.isfinite(self.ripple) and self.ripple >= 0.0):
            raise InputError(f"ripple must be a height from 0 on, not {self.ripple}")
        if not 0.0 < self.waves <= 1000.0:
            raise InputError(f"waves must be a number per unit in (0, 1000], not {self.waves}")
        if not (math.isfinite(self.conditioning) and self.conditioning >= 1.0):
            raise InputError(f"conditioning must be a number from 1 on, not {self.conditioning}")
        if self.conditioning > 1.0 and self.dimension == 1:
            raise InputError("conditioning compares axes: with dimension 1 it must be 1")

    @cached_property
    def universe(self) -> Space:
        """The box [-5.12, 5.12]^dimension."""
        return Space.box(*[Real(f"x{i}", -EDGE, EDGE) for i in range(1, self.dimension + 1)])

    @cached_property
    def centre(self) -> Floats:
        """Where the optimum lies (dimension,)."""
        if self.instance == 0:
            return np.zeros(self.dimension)
        rng = generator(self, self.dimension, self.instance)
        return REACH * (2.0 * rng.random(self.dimension) - 1.0)

    @cached_property
    def curvature(self) -> Floats:
        """The a_i (dimension,)."""
        share = np.arange(self.dimension) / max(self.dimension - 1, 1)
        return np.asarray(self.conditioning**share)

    def evaluate(self, points: Points) -> Floats:
        """Return f (n,); any real coordinates will do."""
        return self._judge(points)[0]

    def _judge(self, points: Points) -> tuple[Floats, Ints]:
        from landscapes._separable_kernels import rippled_bowls

        a, c, none = self.curvature[None], self.centre[None], np.zeros(1)
        ripples = float(self.ripple), float(self.waves), self.centre
        return filled(points, lambda x, *out: rippled_bowls(x, a, c, none, *ripples, *out))

    @cached_property
    def _terms(self) -> tuple[Valleys, ...]:
        height = np.array([float(self.ripple)])
        return tuple(
            Valleys(a, c, height, c, float(self.waves))
            for a, c in zip(self.curvature[:, None], self.centre[:, None], strict=True)
        )

    def lowest(self, region: Region) -> Optimum | Bounds:
        """Return the exact optimum inside any region."""
        separable = Separable(self._terms, Raised(np.zeros(1)), 1)
        return MinOfSeparables(self.universe, (separable,)).lowest(region, self.evaluate)

    def minima(self) -> Minima | None:
        """Return all minima, best first, with their basins; None where they are over 20,000."""
        return _minima(self)


@lru_cache(maxsize=16)
def _minima(landscape: Rastrigin) -> Minima | None:
    return RippledMinima(landscape.universe, landscape._terms, landscape._judge).listed()
