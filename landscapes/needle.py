"""Needle: one small box in a large one, and nothing outside that leads there.

    f(x) = 0                                              in the needle,
    f(x) = 1 − slope · mean_i(|x_i − c_i| / reach_i)      outside,

where c is the needle's middle and reach_i the distance from c_i to the farther end of the axis: a
positive slope leads away from the needle. T independent uniform points hit a needle of volume v
with probability 1 − (1 − v)^T whatever its shape; a grid does not.

Source of the comparison: Bergstra & Bengio 2012, "Random search for hyper-parameter optimization",
JMLR 13, section 4 (boxes of 1 % of the volume, cubes and elongated ones).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from hpo_lab.errors import InputError
from hpo_lab.landscape import Bounds, Landscape, Optimum, generator
from hpo_lab.region import Box, Interval, Region
from hpo_lab.space import Floats, Points, Real, Space
from landscapes._separable import MinOfSeparables, Separable, Term, filled


@dataclass(frozen=True)
class Needle(Landscape):
    """A needle in a haystack: what no strategy can find but by hitting it.

    The universe is [0, 1]^dimension, axes x1, x2, …; the optimum is 0. ``volume`` is the needle's.
    Its sides are a geometric sequence whose longest is ``aspect`` times the shortest, dealt to the
    axes at random; it lies anywhere inside the box, uniformly. Outside f is 1, or falls from 1
    beside the needle to as little as 1 - ``slope`` in the farthest corner.

    The optimum is exact in every box, grid and diagonal. Minima are None: the needle is flat, and
    with slope 0 so is the rest. A point outside the universe is evaluated by the formula (calling
    the landscape refuses it).

    >>> from hpo_lab.region import measure
    >>> f = Needle(dimension=3, volume=0.01, aspect=5.0)
    >>> f.optimum().value, round(measure(f.universe, f.needle), 12)
    (0.0, 0.01)

    Raises InputError for a dimension below 1, a volume outside (0, 1], an aspect below 1 or so
    large that the needle is longer than the box, and a slope outside [0, 1).
    """

    dimension: int = 2
    volume: float = 0.01
    aspect: float = 1.0
    slope: float = 0.0
    instance: int = 1
    name: ClassVar[str] = "needle"
    version: ClassVar[int] = 1
    unit: ClassVar[str] = ""

    def __post_init__(self) -> None:
        if self.dimension < 1:
            raise InputError(f"dimension must be at least 1, not {self.dimension}")
        if not 0.0 < self.volume <= 1.0:
            raise InputError(f"volume must be a share of the box in (0, 1], not {self.volume}")
        if not 0.0 <= self.slope < 1.0:
            raise InputError(f"slope must be in [0, 1), not {self.slope}")
        most = 1.0 if self.dimension == 1 else self.volume ** (-2.0 / self.dimension)
        if not 1.0 <= self.aspect <= most:
            raise InputError(
                f"aspect must be in [1, {most:.6g}] for a needle of volume {self.volume} in "
                f"dimension {self.dimension}, not {self.aspect}"
            )

    @cached_property
    def universe(self) -> Space:
        """The box [0, 1]^dimension."""
        return Space.box(*[Real(f"x{i}", 0.0, 1.0) for i in range(1, self.dimension + 1)])

    @cached_property
    def ends(self) -> Floats:
        """The lower and upper ends of the needle, (2, dimension)."""
        rng = generator(self, self.dimension, self.instance)
        share = np.linspace(-0.5, 0.5, self.dimension) if self.dimension > 1 else np.zeros(1)
        sides = self.volume ** (1.0 / self.dimension) * self.aspect ** rng.permutation(share)
        sides = np.minimum(sides, 1.0)  # the longest may be 1 but for rounding
        low = rng.random(self.dimension) * (1.0 - sides)
        return np.array([low, np.minimum(low + sides, 1.0)])

    @property
    def needle(self) -> Region:
        """The needle as a region of the universe."""
        pairs = zip(self.universe.columns, self.ends.T.tolist(), strict=True)
        return (Box("", tuple((name, Interval(*ends)) for name, ends in pairs)),)

    @cached_property
    def _walls(self) -> tuple[_Wall, ...]:
        share = self.slope / self.dimension
        return tuple(_Wall(((low, high),), share) for low, high in self.ends.T.tolist())

    def evaluate(self, points: Points) -> Floats:
        """Return f (n,); any real coordinates will do."""
        from landscapes._separable_kernels import boxed

        low, high = self.ends
        slope = float(self.slope)
        return filled(points, lambda x, y, _: boxed(x, low, high, slope, y))[0]

    @cached_property
    def _separable(self) -> MinOfSeparables:
        outer = _Inside(float(self.slope))
        return MinOfSeparables(self.universe, (Separable(self._walls, outer, 2),))

    def lowest(self, region: Region) -> Optimum | Bounds:
        """Return the exact optimum inside any region."""
        return self._separable.lowest(region, self.evaluate)


@dataclass(frozen=True, eq=False)
class _Inside:
    """g_1(s) = 0 where s = 0, else more than anything outside; g_2(s) = s + 1 − slope."""

    slope: float

    def __call__(self, sums: Floats) -> Floats:
        return np.stack([2.0 * (sums[:, 0] > 0.0), sums[:, 1] + (1.0 - self.slope)], axis=1)


@dataclass(frozen=True, eq=False)
class _Wall:
    """On how many of the tied axes a value lies outside the needle, and how far away it is.

    The second is share · (1 − |x − c| / reach), summed over the axes.
    """

    sides: tuple[tuple[float, float], ...]
    share: float

    def __call__(self, values: Floats) -> Floats:
        total = np.zeros((len(values), 2))
        for low, high in self.sides:
            middle = (low + high) / 2.0
            total[:, 0] += (values < low) | (values > high)
            away = np.abs(values - middle) / max(middle, 1.0 - middle)
            total[:, 1] += self.share * (1.0 - away)
        return total

    def minimum(self, low: float, high: float) -> tuple[Floats, Floats]:
        """Return where each is lowest in [low, high], and its value there: exact.

        The first changes at the needle's sides alone; the second, a sum of tents, is concave.
        """
        places = np.array([*self._middle(), *np.ravel(self.sides), low, high])
        places = np.clip(places, low, high)
        values = self(places)
        return places[np.argmin(values, axis=0)], values.min(axis=0)

    def _middle(self) -> list[float]:
        """The middle of what the sides have in common, if anything."""
        low, high = max(s[0] for s in self.sides), min(s[1] for s in self.sides)
        return [(low + high) / 2.0] if low <= high else []

    def plus(self, other: Term) -> _Wall | None:
        """Return both as one: for tied axes."""
        return _Wall(self.sides + other.sides, self.share) if isinstance(other, _Wall) else None
