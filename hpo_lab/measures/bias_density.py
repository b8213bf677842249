"""Where each strategy goes on f0: density against the distance from the bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from hpo_lab.measure import Cell, Measure, Results
from hpo_lab.measures.bias import noisy, unit_places
from hpo_lab.space import Floats
from hpo_lab.statistics import MINIMUM_REPETITIONS, bootstrap_means

if TYPE_CHECKING:
    import pandas as pd

BINS = 10


@dataclass(frozen=True)
class BiasDensity(Measure):
    """Density of all visits on the landscape ``flat`` over the distance from the nearer bound.

    Ten bins from the bounds (0) to the centre (1), as 2 min(x, 1 − x) of each real axis' unit
    coordinate, all axes together; ``density`` is relative to uniform search, with a 95 % interval
    over runs from 30 on. ``atoms`` is the share of coordinates on a bound to the last bit (they are
    in the first bin, too). One row a bin.
    """

    name: ClassVar[str] = "bias_density"

    def __call__(self, results: Results) -> pd.DataFrame:
        import pandas as pd

        blocks = [
            pd.DataFrame({**arm.labels, "runs": len(cell.repetitions), **_columns(cell)})
            for arm, cell in noisy(results)
        ]
        head = ["landscape", "space", "strategy", "budget", "runs"]
        empty = pd.DataFrame(columns=[*head, "from", "to", "density", "low", "high", "atoms"])
        return pd.concat(blocks, ignore_index=True) if blocks else empty


def _columns(cell: Cell) -> dict[str, Floats]:
    places, _ = unit_places(cell.points)
    known = ~np.isnan(places)
    run = np.broadcast_to(cell.run[:, None], places.shape)[known]
    x = places[known]
    depth = np.minimum((2.0 * np.minimum(x, 1.0 - x) * BINS).astype(np.int64), BINS - 1)
    runs = len(cell.repetitions)
    counts = np.bincount(run * BINS + depth, minlength=runs * BINS).reshape(runs, BINS)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1) * BINS
    low = high = np.full(BINS, np.nan)
    if runs >= MINIMUM_REPETITIONS:
        low, high = bootstrap_means(shares[None]).T
    edges = np.linspace(0.0, 1.0, BINS + 1)
    atoms = float(((x == 0.0) | (x == 1.0)).mean()) if len(x) else np.nan
    return {
        "from": edges[:-1],
        "to": edges[1:],
        "density": shares.mean(axis=0),
        "low": low,
        "high": high,
        "atoms": np.full(BINS, atoms),
    }
