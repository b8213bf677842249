"""Basin coverage: how many of the true basins were hit, and what was near the near-optimal set."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from hpo_lab.assumption import View
from hpo_lab.basins import DRAWS, LISTED, Basins, NearOptimal, known_systems, minima_of
from hpo_lab.measure import ArmResult, Cell, Measure, Results, system_masses
from hpo_lab.measures._visited import levels_of, runs_of
from hpo_lab.region import Cells, masses
from hpo_lab.space import Bools, Floats, Ints
from hpo_lab.statistics import first_visits, log_budgets, occupied_moments, visit_chance

if TYPE_CHECKING:
    import pandas as pd

ONE, ALL = "one run", "all runs"


@dataclass(frozen=True)
class BasinCoverage(Measure):
    """Hits of the known basins, and of the cells that hold the near-optimal set, over evaluations.

    ``target`` is "basins" (all of them that the declared space meets, of the best 1,000),
    "near-optimal basins" (those whose minimum is at most f* + ε · (mean of uniform points − f*),
    the study's ε) or "near-optimal set". For basins ``hit`` counts those with a visit and
    ``expected`` is Σ 1 − (1 − v_k)^T, v_k the basin's share of the declared space (estimated from
    100,000 draws where the landscape does not say it). For the set, ``hit`` is the share
    μ(L_ε ∩ visited cells) / μ(L_ε) in percent, cells of the finest testable level: whether the
    search came near, not into it. ``random_low`` and ``random_high``: where random search lies in
    95 % of such studies, by the exact moments; nan for the set, whose cells are few.

    Hitting a basin is not finding its minimum: that is the table ``fates``. Landscapes that do
    not know their minima or their optimum have no rows for them. ``scope`` as in ``occupancy``.
    """

    name: ClassVar[str] = "basin_coverage"

    def __call__(self, results: Results) -> pd.DataFrame:
        import pandas as pd

        rows = []
        for arm in results.arms:
            for cell in arm.cells:
                head = {**arm.labels, "instance": cell.instance}
                epsilon = results.study.resolution.epsilon
                rows += [head | row for row in _rows(arm, cell, epsilon)]
        return pd.DataFrame(rows)


def _rows(arm: ArmResult, cell: Cell, epsilon: float) -> Iterator[dict[str, Any]]:
    known = known_systems(cell.problem.landscape, epsilon)
    basins, near = known.get("basins"), known.get("near_optimal")
    if isinstance(basins, Basins):
        yield from _basins(arm, cell, basins, near)
    if isinstance(near, NearOptimal):
        yield from _near(arm, cell, near)


def _basins(
    arm: ArmResult, cell: Cell, basins: Basins, near: NearOptimal | object
) -> Iterator[dict[str, Any]]:
    runs, view = runs_of(arm, cell), cell.problem.view
    _, mass, excluded = system_masses(basins, view)
    first = _first(cell, basins.labels(cell.lifted), runs, len(mass))
    targets = {"basins": ~excluded}
    minima = minima_of(basins.landscape)
    if isinstance(near, NearOptimal) and minima is not None:
        best = minima.values[: len(mass)] <= near.threshold
        targets["near-optimal basins"] = ~excluded & best
    for target, chosen in targets.items():
        if chosen.any():
            yield from _hits(cell, target, first[:, chosen], mass[chosen])


def _first(cell: Cell, labels: Ints, runs: int, regions: int) -> Ints:
    """The first visits (runs, regions) of the runs that are counted."""
    rows = slice(0, int(np.searchsorted(cell.run, runs)))
    return first_visits(labels[rows], cell.run[rows], cell.evaluation[rows], runs, regions)


def _scopes(first: Ints) -> Iterator[tuple[str, Ints, int]]:
    """The first visits run by run, and of all runs together, with how many runs those are."""
    yield ONE, first, 1
    if len(first) > 1:
        yield ALL, first.min(axis=0, keepdims=True), len(first)


def _hits(cell: Cell, target: str, first: Ints, mass: Floats) -> Iterator[dict[str, Any]]:
    budgets = log_budgets(cell.budget)
    for scope, visits, together in _scopes(first):
        expected, spread = occupied_moments(mass, budgets * together)
        wide = 1.96 * spread / math.sqrt(len(visits))
        for k, budget in enumerate(budgets.tolist()):
            yield {
                "target": target,
                "scope": scope,
                "evaluation": budget,
                "possible": float(len(mass)),
                "hit": float((visits < budget).sum(axis=1).mean()),
                "expected": float(expected[k]),
                "random_low": max(float(expected[k] - wide[k]), 0.0),
                "random_high": min(float(expected[k] + wide[k]), float(len(mass))),
            }


def _near(arm: ArmResult, cell: Cell, near: NearOptimal) -> Iterator[dict[str, Any]]:
    runs, view = runs_of(arm, cell), cell.problem.view
    levels = levels_of(view, cell.budget, runs)
    if not levels:
        return
    weight = near_weights(near, view, levels[-1])
    if weight is None:
        return
    _, mass, _ = system_masses(levels[-1], view)
    held = np.flatnonzero(weight > 0)
    place = np.full(len(mass), -1)
    place[held] = np.arange(len(held))
    labels = place[levels[-1].labels(cell.lifted)]
    first = _first(cell, labels, runs, len(held))
    budgets = log_budgets(cell.budget)
    for scope, visits, together in _scopes(first):
        for budget in budgets.tolist():
            chance = visit_chance(mass[held], budget * together)
            seen: Bools = visits < budget
            yield {
                "target": "near-optimal set",
                "scope": scope,
                "evaluation": budget,
                "possible": 100.0,
                "hit": 100 * float((seen @ weight[held]).mean()),
                "expected": 100 * float(chance @ weight[held]),
                "random_low": math.nan,
                "random_high": math.nan,
            }


@lru_cache(maxsize=64)
def near_weights(near: NearOptimal, view: View, cells: Cells) -> Floats | None:
    """Return the share of the near-optimal set of the declared space in each cell (cells,).

    Exactly where the space can be listed, else from the draws that fall into it; None where the
    declared space has no such point, or no draw found one.
    """
    exact = view.declared.size <= LISTED
    points = (
        view.declared.enumerate()
        if exact
        else view.declared.sample(DRAWS, np.random.default_rng(0))
    )
    lifted = view.lift(points)
    inside = near.labels(lifted)[:, 0] >= 0
    if not inside.any():
        return None
    mass = masses(points)[inside] if exact else np.ones(int(inside.sum()))
    label = cells.labels(lifted[np.flatnonzero(inside)])[:, 0]
    share = np.bincount(label, weights=mass, minlength=len(cells.regions))
    return np.asarray(share / share.sum())
