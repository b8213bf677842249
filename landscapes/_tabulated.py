"""Landscapes whose every point was measured, some of them several times: an exhaustive table.

Truth is the mean over a point's replicates; a strategy is told one of them, drawn uniformly by
the key (repetition, point, replicate).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Protocol

import numpy as np

from hpo_lab import lattice
from hpo_lab.landscape import Bounds, Landscape, Minima, Optimum, keyed_uniform
from hpo_lab.region import Region
from hpo_lab.space import Floats, Ints, Points


@dataclass(frozen=True, eq=False)
class Replicates:
    """What is known of every point of a finite universe, in the order of its enumeration.

    ``measured`` (N, r) are the replicates whose mean is the truth, ``told`` (N, r') those that a
    strategy may be told; each row its replicates and then nan.
    """

    measured: Floats
    told: Floats

    @staticmethod
    def of(told: Floats) -> Replicates:
        """Return the table whose truth is the mean of what is told."""
        return Replicates(told, told)

    @cached_property
    def truth(self) -> Floats:
        """The mean over replicates (N,), nan where a point has no value."""
        return row_means(self.measured)

    @cached_property
    def count(self) -> Ints:
        """How many replicates each point has (N,)."""
        return np.asarray((~np.isnan(self.told)).sum(axis=1))

    @cached_property
    def expected(self) -> Floats:
        """The mean (N,) of what is told of a point."""
        return row_means(self.told)

    @cached_property
    def varied(self) -> bool:
        """Whether some point has replicates that differ."""
        return bool((self.told != self.told[:, :1])[~np.isnan(self.told)].any())

    def draw(self, points: Points, rows: Ints, repetition: int, replicate: Ints | None) -> Floats:
        """Return one replicate (n,) of each point, by its key."""
        again = np.zeros(len(points), dtype=np.int64) if replicate is None else replicate
        chance = keyed_uniform(points, repetition, again)
        return np.asarray(self.told[rows, (chance * self.count[rows]).astype(np.int64)])


def row_means(told: Floats) -> Floats:
    """The mean (N,) of the numbers in each row; nan where there are none."""
    count = (~np.isnan(told)).sum(axis=1)
    total = np.nansum(told, axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


class Tabulated(Landscape, Protocol):
    """A landscape with a table; ``noise = False`` tells strategies the mean over replicates."""

    @property
    def noise(self) -> bool:
        """Whether a strategy is told one replicate."""
        ...

    @property
    def table(self) -> Replicates:
        """The values of all points of the universe."""
        ...

    def evaluate(self, points: Points) -> Floats:
        """Return the mean over the replicates (n,); nan where the table has none."""
        return np.asarray(self.table.truth[lattice.places(self.universe, points)])

    def observe(self, points: Points, repetition: int = 0, replicate: Ints | None = None) -> Floats:
        """Return one replicate (n,), drawn by (repetition, point, replicate)."""
        rows = lattice.places(self.universe, points)
        if not self.stochastic:
            return np.asarray(self.table.expected[rows])
        return self.table.draw(points, rows, repetition, replicate)

    @property
    def stochastic(self) -> bool:
        """Whether a strategy is told one of several replicates that differ."""
        return self.noise and self.table.varied

    def replicates(self) -> Floats:
        """Return the replicates (N, r) whose mean is the truth."""
        return self.table.measured

    def lowest(self, region: Region) -> Optimum | Bounds:
        """Return the exact optimum inside a region, by enumeration."""
        return lattice.lowest(self.universe, self.table.truth, region)

    def minima(self) -> Minima:
        """Return all local minima of the truth on the lattice, with basins and exact masses."""
        return _minima(self)


@lru_cache(maxsize=16)
def _minima(landscape: Tabulated) -> Minima:
    return lattice.minima(landscape.universe, landscape.table.truth)
