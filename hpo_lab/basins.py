"""Region systems that a landscape knows: true basins, and what is close to the optimum.

These regions are no boxes, so their measures are exact where the landscape says them or where the
space can be listed, and estimated from draws, with a standard error, where neither is so.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from hpo_lab.assumption import View
from hpo_lab.landscape import Landscape, Minima, Optimum
from hpo_lab.region import Region, masses
from hpo_lab.space import Bools, Floats, Ints, Points

LISTED = 1_000_000  # points of a space up to which a measure is a sum over all of them
DRAWS = 100_000  # points of a larger one that it is estimated from
MOST = 1_000  # basins that are told apart, the best ones


@dataclass(frozen=True, slots=True, eq=False)
class Shares:
    """Shares of regions (m,) in a space, and their standard errors (m,): 0 where exact."""

    mass: Floats
    error: Floats


@dataclass(frozen=True)
class Basins:
    """The basins of a landscape's local minima, the best 1,000 of them.

    Raises ValueError where the landscape does not know its minima.
    """

    landscape: Landscape
    name: str = "basins"
    partition: bool = True

    @cached_property
    def _minima(self) -> Minima:
        known = minima_of(self.landscape)
        if known is None:
            raise ValueError(f"{self.landscape.name} does not know its minima")
        return known

    @cached_property
    def names(self) -> list[str]:
        """The basins in words, best first."""
        return [f"basin {i} (minimum {v:.6g})" for i, v in enumerate(self._values, start=1)]

    @property
    def _values(self) -> Floats:
        return self._minima.values[:MOST]

    def labels(self, points: Points) -> Ints:
        """Return (n, 1)."""
        label = self._minima.labels(points)
        return np.where(label < MOST, label, -1)[:, None]

    def shares(self, view: View) -> Shares:
        """Return the basins' shares of the declared space."""
        known = self._minima.masses
        if known is not None and view == View.identity(self.landscape.universe):
            return Shares(known[:MOST], np.zeros(len(self._values)))
        return shares(self, view)

    def excluded(self, view: View) -> Bools:
        """Return which basins (m,) the declared space does not meet."""
        return np.isposinf(self.lowest(view.image))

    def lowest(self, within: Region) -> Floats:
        """Return the best truth (m,) of each basin in a region; inf: none, nan: not known."""
        return self._minima.lowest(within)[:MOST]


@dataclass(frozen=True)
class NearOptimal:
    """The near-optimal set L_ε: one region, truth at most f* + ε · (mean of uniform points − f*).

    ``epsilon`` is a share of the spread, so that it means the same on landscapes of any unit.
    Raises ValueError where the optimum is not known exactly.
    """

    landscape: Landscape
    epsilon: float = 0.01
    name: str = "near_optimal"
    partition: bool = True

    @cached_property
    def threshold(self) -> float:
        """The largest truth in the set; its mean is that of 10,000 uniform points."""
        best = self.landscape.optimum()
        if not isinstance(best, Optimum):
            raise ValueError(f"the optimum of {self.landscape.name} is not known exactly")
        some = self.landscape.universe.sample(10_000, np.random.default_rng(0))
        mean = float(np.nanmean(self.landscape.evaluate(some)))
        return best.value + self.epsilon * (mean - best.value)

    @cached_property
    def names(self) -> list[str]:
        """The set in words."""
        return [f"near-optimal: truth at most {self.threshold:.6g}"]

    def labels(self, points: Points) -> Ints:
        """Return (n, 1)."""
        return np.where(self.landscape.evaluate(points) <= self.threshold, 0, -1)[:, None]

    def shares(self, view: View) -> Shares:
        """Return the set's share of the declared space."""
        return shares(self, view)

    def excluded(self, view: View) -> Bools:
        """Return whether (1,) the declared space has no point of it; not, where that is unknown."""
        return np.isposinf(self.lowest(view.image))

    def lowest(self, within: Region) -> Floats:
        """Return the best truth (1,) of the set in a region; inf: none, nan: not known."""
        best = self.landscape.lowest(within)
        if isinstance(best, Optimum):
            return np.array([best.value if best.value <= self.threshold else np.inf])
        return np.array([np.inf if best.low > self.threshold else np.nan])


Known = Basins | NearOptimal


def known_systems(landscape: Landscape, epsilon: float) -> dict[str, Known]:
    """Return the region systems that the landscape knows, by their names in a study."""
    found: dict[str, Known] = {}
    if minima_of(landscape) is not None:
        found["basins"] = Basins(landscape)
    if isinstance(landscape.optimum(), Optimum):
        found["near_optimal"] = NearOptimal(landscape, epsilon)
    return found


@lru_cache(maxsize=64)
def minima_of(landscape: Landscape) -> Minima | None:
    """Return the landscape's minima, found once."""
    return landscape.minima()


@lru_cache(maxsize=64)
def shares(system: Known, view: View) -> Shares:
    """Return each region's share of the declared space: a sum over its points, or an estimate."""
    count = len(system.names)
    if view.declared.size <= LISTED:
        points = view.declared.enumerate()
        weight, exact = masses(points), True
    else:
        points = view.declared.sample(DRAWS, np.random.default_rng(0))
        weight, exact = np.full(DRAWS, 1.0 / DRAWS), False
    label = system.labels(view.lift(points))[:, 0]
    inside = label >= 0
    mass = np.bincount(label[inside], weights=weight[inside], minlength=count)
    error = np.zeros(count) if exact else np.sqrt(mass * np.maximum(1 - mass, 0.0) / DRAWS)
    return Shares(np.minimum(mass, 1.0), error)
