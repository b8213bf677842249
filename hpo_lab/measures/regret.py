"""Regret, run by run: what the space cost, what the search cost, and what selection cost."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from hpo_lab.landscape import TIES, Landscape, Optimum, Problem, enumeration
from hpo_lab.measure import Cell, Measure, Results
from hpo_lab.region import contains, whole
from hpo_lab.space import Floats

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Regret(Measure):
    """Total regret of each run's incumbent, split exactly into space, search and selection.

    total = f(x̂) − f*(U) = [f*(S) − f*(U)] + [min over the visited of f − f*(S)]
    + [f(x̂) − min over the visited of f], with x̂ the visited point of least observed value. Every
    term is at least 0, and the three add up. Where f*(S) is not exact the total stands alone;
    where f*(U) is not, nothing is known. The signal split names x_S, the point of S that a
    perfect search would choose by what is observed: total = from_space + floor + shortfall,
    floor = f(x_S) − f*(S), shortfall = f(x̂) − f(x_S), averaged over ties of x_S. The columns
    ``observed_*`` are the terms once more with truth := observed. Before the first success the
    regret is inf. One row a run.
    """

    name: ClassVar[str] = "regret"

    def __call__(self, results: Results) -> pd.DataFrame:
        import pandas as pd

        blocks = [
            pd.DataFrame({**arm.labels, "instance": cell.instance, **_columns(cell)})
            for arm in results.arms
            for cell in arm.cells
        ]
        return pd.concat(blocks, ignore_index=True) if blocks else pd.DataFrame()


def _columns(cell: Cell) -> dict[str, Floats]:
    total, parts = split(cell)
    floor = signal_floor(cell.problem)
    with np.errstate(invalid="ignore"):
        shortfall = total[:, -1] - parts[0] - floor
    return {
        "repetition": cell.repetitions,
        "success": np.isfinite(cell.incumbent_truth[:, -1]),
        "failures": (cell.asked & ~np.isfinite(cell.truth)).sum(axis=1),
        "incumbent": cell.incumbent_truth[:, -1],
        "total": total[:, -1],
        "from_space": np.full(len(total), parts[0]),
        "from_search": parts[1][:, -1],
        "from_selection": parts[2][:, -1],
        "floor": np.full(len(total), floor),
        "shortfall": shortfall,
        **_observed_columns(cell),
    }


def split(cell: Cell) -> tuple[Floats, tuple[float, Floats, Floats]]:
    """Return total regret (R, T), and its parts: space, a number, search and selection (R, T).

    Parts that are not known exactly are nan.
    """
    best, best_here = _exact(cell.problem.optimum_universe), _exact(cell.problem.optimum)
    with np.errstate(invalid="ignore"):
        selection = cell.incumbent_truth - cell.best_truth
        selection[~np.isfinite(cell.incumbent_truth)] = np.nan  # nothing to select from yet
        search = cell.best_truth - best_here
        parts = best_here - best, search, selection
        if np.isnan(best_here) or np.isnan(best):
            nothing = np.full(search.shape, np.nan)
            parts = np.nan, nothing, nothing
        return cell.incumbent_truth - best, parts


def _exact(optimum: object) -> float:
    return optimum.value if isinstance(optimum, Optimum) else float("nan")


@lru_cache(maxsize=256)
def signal_floor(problem: Problem) -> float:
    """Return f(x_S) − f*(S): what choosing by observed values costs a perfect search.

    Several points of S may share the least observed value; their truths are averaged with the
    weight that distinct things have, so that isomorphic points count once. nan where unknown.
    """
    landscape = problem.landscape
    if _told_the_truth(problem):
        return 0.0 if isinstance(problem.optimum, Optimum) else float("nan")
    table = enumeration(landscape)
    if table is None or landscape.stochastic or not isinstance(problem.optimum, Optimum):
        return float("nan")
    inside = contains(landscape.universe, problem.view.image, table.points)
    rows = np.flatnonzero(inside & ~np.isnan(table.observed) & ~np.isnan(table.truth))
    told = np.round(table.observed[rows], TIES)
    tied = rows[told == told.min()]
    _, first = np.unique(table.same[tied], return_index=True)
    return float(table.truth[tied][first].mean() - problem.optimum.value)


def _told_the_truth(problem: Problem) -> bool:
    """Whether a landscape has no observe of its own."""
    return type(problem.landscape).observe is Landscape.observe


def _observed_columns(cell: Cell) -> dict[str, Floats]:
    best, here = observed_optimum(cell.problem, True), observed_optimum(cell.problem, False)
    told = cell.incumbent_observed[:, -1]
    return {
        "observed_total": told - best,
        "observed_from_space": np.full(len(told), here - best),
        "observed_from_search": told - here,
    }


@lru_cache(maxsize=512)
def observed_optimum(problem: Problem, universe: bool) -> float:
    """Return the least observed value in the universe or in the declared space; nan if unknown."""
    landscape = problem.landscape
    if _told_the_truth(problem):
        return _exact(problem.optimum_universe if universe else problem.optimum)
    table = enumeration(landscape)
    if table is None or landscape.stochastic:
        return float("nan")
    region = whole(landscape.universe) if universe else problem.view.image
    inside = contains(landscape.universe, region, table.points)
    return float(np.nanmin(table.observed[inside]))
