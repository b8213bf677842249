"""Occupancy: which share of the marginals and of the cells was filled, against random search."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from hpo_lab.assumption import View
from hpo_lab.measure import ArmResult, Cell, Measure, Results, system_masses
from hpo_lab.measures._visited import (
    Group,
    Visited,
    axes_split,
    groups_of,
    levels_of,
    one_sample,
    runs_of,
    simulated_fills,
    visited,
)
from hpo_lab.region import BoxSystem, Cells, region_system
from hpo_lab.space import Floats, Ints
from hpo_lab.statistics import (
    entropy,
    excess_emptiness,
    log_budgets,
    mean_by_chance,
    occupied_moments,
    random_entropy,
)
from hpo_lab.study import Study

if TYPE_CHECKING:
    import pandas as pd

REGIONS = 20_000  # regions of two axes together; more (100 axes have 4,950 pairs) are left out
MARGINAL = {"families": 1, "options": 1, "bins": 1, "pairs": 2, "planes": 2}
ONE, ALL = "one run", "all runs"
FILLED = 0.5  # of the cells that random search has to fill for their excess to say something


@dataclass(frozen=True)
class Occupancy(Measure):
    """Filled regions over evaluations against what uniform search fills, exactly and simulated.

    The regions are one- and two-dimensional marginals (families; options and pairs of choices;
    ``bins`` parts of a number, alone and with another axis) and mixed-radix cells of nearly equal
    measure at every testable level (4, 16, 64, .. cells of the universe, at most 4,096).
    ``scope`` is "one run" (means over runs) or "all runs" (their union, against random search of
    as many runs). ``dimension`` counts the axes that a region looks at. ``axes`` names a single
    axis or pair, at the last evaluation only; where it is empty, the row sums up the system.

    ``expected`` = Σ 1 − (1 − μ_c)^T on the declared space (blames the search),
    ``expected_in_universe`` on the universe (blames the space); T is the budget, also where a run
    stopped early. ``excess`` = (expected − occupied) / expected is the excess emptiness; random
    search has it between ``random_low`` and ``random_high`` in 95 % of such studies: ``null`` says
    whether by simulation or, where that would be long, by the exact mean and variance (for
    marginals that share points the sum of their standard deviations: wider than it need be).
    ``verdict`` is "emptier", "fuller" or "as random"; empty where every run went to
    the same places, as of a deterministic strategy.
    ``entropy`` (bits) of the shares of visits, and what as many uniform visits have.

    In many dimensions raw occupancy says nothing: of 3^10 cells 1,000 uniform evaluations fill
    1.7 %, and any search that does not repeat itself fills about as many. So ``headline`` marks
    what a report may lead with, always as excess: the marginals, and cells that look at all axes
    and of which random search fills at least half. Pairs of axes with more than 20,000 regions
    together are left out.
    """

    name: ClassVar[str] = "occupancy"

    def __call__(self, results: Results) -> pd.DataFrame:
        import pandas as pd

        rows: list[dict[str, Any]] = []
        for arm in results.arms:
            for cell in arm.cells:
                head = {**arm.labels, "instance": cell.instance}
                budgets = log_budgets(cell.budget)
                for system in systems(results.study, arm, cell):
                    rows += [head | row for row in _rows(arm, cell, system, budgets)]
        return pd.DataFrame(rows)


def systems(study: Study, arm: ArmResult, cell: Cell) -> Iterator[BoxSystem]:
    """The marginals of a universe, and its cells at every testable level."""
    view = cell.problem.view
    for name in MARGINAL:
        system = region_system(name, view.universe, study.resolution)
        count = sum(g.regions.stop or len(system.regions) for g in groups_of(system)[-1:])
        if 1 < count <= REGIONS:
            yield system
    yield from levels_of(view, cell.budget, runs_of(arm, cell))


def _rows(arm: ArmResult, cell: Cell, system: BoxSystem, budgets: Ints) -> Iterator[dict[str, Any]]:
    runs, groups, view = runs_of(arm, cell), groups_of(system), cell.problem.view
    found = visited(cell, system, groups, runs, budgets)
    one, judged = found.filled.mean(axis=0), not one_sample(arm, cell)
    scopes = [(ONE, one, 1, runs)]
    if runs > 1:
        scopes.append((ALL, found.pooled(groups, budgets).astype(np.float64), runs, 1))
    for scope, filled, together, means in scopes:
        null = _Null.of(view, system, tuple(budgets.tolist()), together, means)
        head = {"scope": scope, "system": system.name, **_level(system, view, null)}
        for k, evaluation in enumerate(budgets.tolist()):
            yield (
                head
                | {"axes": "", "evaluation": evaluation}
                | null.row(filled[:, k].sum(), None, k, judged)
                | {"entropy": math.nan, "entropy_random": math.nan}
            )
        if not groups[0].axes:
            continue
        for place, group in enumerate(groups):
            row = null.row(filled[place, -1], place, -1, judged)
            bits = _entropies(found, group, scope, system_masses(system, view)[1])
            yield head | {"axes": _words(group), "evaluation": int(budgets[-1])} | row | bits


def _level(system: BoxSystem, view: View, null: _Null) -> dict[str, Any]:
    """How many axes the regions look at, how many there are, and whether they may lead."""
    inside = system_masses(system, view)[1] > 0
    count = int(inside.sum())
    order, lead = MARGINAL.get(system.name, 0), True
    if isinstance(system, Cells):
        order, every = axes_split(system)
        lead = every and bool(null.expected.sum(axis=0)[-1] >= FILLED * count)
    return {"dimension": order, "regions": len(inside), "possible": count, "headline": lead}


def _words(group: Group) -> str:
    return group.axes + (f" ({', '.join(group.families)})" if group.families else "")


def _entropies(found: Visited, group: Group, scope: str, mass: Floats) -> dict[str, float]:
    visits = found.visits[:, group.regions]
    if scope == ALL:
        visits = visits.sum(axis=0, keepdims=True)
    bits = entropy(visits)
    came = round(float(visits.sum(axis=1).mean()))
    return {
        "entropy": float(np.nanmean(bits)) if np.isfinite(bits).any() else math.nan,
        "entropy_random": random_entropy(mass[group.regions], came),
    }


@dataclass(frozen=True, eq=False)
class _Null:
    """What uniform search fills by each budget: exact means, and where a study's mean may lie.

    ``expected`` and ``universe`` are (groups, k); ``low`` and ``high`` (groups + 1, k), the last
    row for all groups together; they bound the mean of ``means`` runs.
    """

    expected: Floats
    universe: Floats
    low: Floats
    high: Floats
    simulated: bool

    @staticmethod
    @lru_cache(maxsize=256)
    def of(view: View, system: BoxSystem, budgets: tuple[int, ...], runs: int, means: int) -> _Null:
        in_universe, in_space, _ = system_masses(system, view)
        groups, draws = groups_of(system), np.array(budgets) * runs
        moments = [occupied_moments(in_space[g.regions], draws) for g in groups]
        expected = np.stack([mean for mean, _ in moments])
        universe = np.stack([occupied_moments(in_universe[g.regions], draws)[0] for g in groups])
        fills = simulated_fills(view, system, budgets, runs)
        if fills is None:
            spread = np.stack([sd for _, sd in moments]) * 1.96 / math.sqrt(means)
            both = np.concatenate([expected, expected.sum(axis=0, keepdims=True)])
            wide = np.concatenate([spread, spread.sum(axis=0, keepdims=True)])
            return _Null(expected, universe, both - wide, both + wide, False)
        every = np.concatenate([fills, fills.sum(axis=1, keepdims=True)], axis=1)
        _, low, high = mean_by_chance(every.reshape(len(every), -1), means)
        shape = every.shape[1:]
        return _Null(expected, universe, low.reshape(shape), high.reshape(shape), True)

    def row(self, filled: float, group: int | None, k: int, judged: bool) -> dict[str, Any]:
        """The columns of one row: of one group, or of all together."""
        place = -1 if group is None else group
        chance = float(self.expected[:, k].sum() if group is None else self.expected[group, k])
        wide = float(self.universe[:, k].sum() if group is None else self.universe[group, k])
        low, high = float(self.low[place, k]), float(self.high[place, k])
        close = 1e-9 * max(chance, 1.0)
        word = "emptier" if filled < low - close else "fuller" if filled > high + close else ""
        return {
            "occupied": float(filled),
            "expected": chance,
            "expected_in_universe": wide,
            "excess": _excess(filled, chance),
            "random_low": _excess(high, chance),
            "random_high": _excess(low, chance),
            "null": "simulated" if self.simulated else "moments",
            "verdict": (word or "as random") if judged else "",
        }


def _excess(filled: float, chance: float) -> float:
    """Excess emptiness without the rounding of sums: exactly 0 where both agree."""
    return round(float(excess_emptiness(filled, chance)), 12) + 0.0
