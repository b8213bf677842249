"""The fate of every known basin: found, entered, missed or excluded."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from hpo_lab.landscape import Landscape, Minima
from hpo_lab.measure import ArmResult, Cell, Measure, Results

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Fates(Measure):
    """What became of the basins of a landscape's local minima, means over runs.

    With ε = ``tolerance`` × (mean truth of uniform points − optimum), a basin B with minimum f_B
    is *excluded* if min over S∩B of f > f_B + ε; *found* if a visit in it is at most f_B + ε;
    *entered* if it was visited only above that; else *missed*, or *unknown* where the landscape
    does not know min over S∩B. Only landscapes that know their
    minima have rows. One row an arm and instance.
    """

    tolerance: float = 0.01
    name: ClassVar[str] = "fates"

    def __call__(self, results: Results) -> pd.DataFrame:
        import pandas as pd

        rows = [self._row(arm, cell) for arm in results.arms for cell in arm.cells]
        columns = [*_KEYS, *_COUNTS]
        return pd.DataFrame([row for row in rows if row], columns=columns)

    def _row(self, arm: ArmResult, cell: Cell) -> dict[str, Any]:
        landscape = cell.problem.landscape
        minima = _minima(landscape)
        if minima is None:
            return {}
        epsilon = self.tolerance * _spread(landscape)
        reach = minima.lowest(cell.problem.view.image)
        lowest = _lowest_visits(cell, minima)
        excluded = reach > minima.values + epsilon
        found = ~excluded & (lowest <= minima.values + epsilon)
        entered = ~excluded & ~found & np.isfinite(lowest)
        # a basin whose lowest value here is not known is neither excluded nor missed for certain
        unknown = np.isnan(reach) & ~found & ~entered
        missed = ~excluded & ~found & ~entered & ~unknown
        counts = {"found": found, "entered": entered, "missed": missed, "unknown": unknown}
        means = {word: float(mask.sum(axis=1).mean()) for word, mask in counts.items()}
        return {
            **arm.labels,
            "instance": cell.instance,
            "basins": len(minima.values),
            "epsilon": epsilon,
            **means,
            "excluded": float(excluded.sum()),
        }


_KEYS = ("landscape", "space", "strategy", "budget", "instance", "basins", "epsilon")
_COUNTS = ("found", "entered", "missed", "excluded", "unknown")


@lru_cache(maxsize=64)
def _minima(landscape: Landscape) -> Minima | None:
    return landscape.minima()


@lru_cache(maxsize=64)
def _spread(landscape: Landscape) -> float:
    """Mean truth of 10,000 uniform points above the best minimum: the scale of the tolerance."""
    points = landscape.universe.sample(10_000, np.random.default_rng(0))
    minima = _minima(landscape)
    best = float(minima.values.min()) if minima is not None else 0.0
    return float(np.nanmean(landscape.evaluate(points))) - best


def _lowest_visits(cell: Cell, minima: Minima) -> np.ndarray:
    """The lowest truth (R, m) that each run met in each basin; inf where it never came."""
    lowest = np.full((len(cell.repetitions), len(minima.values)), np.inf)
    basin = minima.labels(cell.lifted)
    truth = cell.truth[cell.run, cell.evaluation]
    known = (basin >= 0) & np.isfinite(truth)
    np.minimum.at(lowest, (cell.run[known], basin[known]), truth[known])
    return lowest
