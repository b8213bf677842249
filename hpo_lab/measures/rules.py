"""Blind spots as readable rules, and what was missed there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from hpo_lab.assumption import View
from hpo_lab.basins import DRAWS, LISTED, NearOptimal
from hpo_lab.landscape import Bounds, Landscape, Optimum
from hpo_lab.measure import ArmResult, Cell, Measure, Results
from hpo_lab.region import Region, contains, masses
from hpo_lab.rules import Rule, blind_rules
from hpo_lab.space import Floats, Points
from hpo_lab.statistics import NEGLECTED

if TYPE_CHECKING:
    import pandas as pd

FEWEST = 30  # near-optimal draws from which a share of the near-optimal set is estimated


@dataclass(frozen=True)
class Rules(Measure):
    """Regions of the declared space that an arm never visited or neglected, most missed first.

    Nobody declared them: half of the runs propose boxes, the other half confirm them by the exact
    visit test against uniform search (``hpo_lab.rules``; both ``p`` are of those ``confirming``
    runs, ``p_adjusted`` for all proposals). At most ``most`` rules for each arm and instance.

    ``rule`` is in native units and ``statement`` says everything in a sentence. ``density`` is the
    number of visits relative to uniform search; ``best`` the best truth in the region, exact where
    ``exact`` says so, else the upper end of certified bounds. ``missed`` is how far it lies below
    the arm's mean incumbent, ``beyond`` below the best truth that any run met: what was really out
    of sight. ``near_optimal`` is the region's share of the declared part of the near-optimal set
    L_ε (ε as in the study's regions), nan where that is not known or too small to be estimated.
    """

    most: int = 5
    name: ClassVar[str] = "rules"

    def __call__(self, results: Results) -> pd.DataFrame:
        import pandas as pd

        epsilon = results.study.resolution.epsilon
        rows = [
            row
            for arm in results.arms
            for cell in arm.cells
            for row in _rows(arm, cell, self.most, epsilon)
        ]
        return pd.DataFrame(rows, columns=_COLUMNS)


_COLUMNS = [
    *("landscape", "space", "strategy", "budget", "instance", "rank", "rule", "verdict"),
    *("measure", "density", "runs_visited", "runs", "expected", "confirming", "p", "p_adjusted"),
    *("bound", "best", "exact", "missed", "beyond", "near_optimal", "costly", "statement"),
]


def _rows(arm: ArmResult, cell: Cell, most: int, epsilon: float) -> list[dict[str, Any]]:
    rules = blind_rules(
        cell.problem.view.declared,
        cell.points,
        cell.run,
        cell.budget,
        runs=len(cell.repetitions),
        deterministic=arm.one_path(cell),
        most=2 * most,  # the measure knows what was missed, and keeps the worst
    )
    rows = [_row(arm, cell, rule, epsilon) for rule in rules]
    rows.sort(key=lambda row: (-_known(row["missed"]), -_known(row["near_optimal"])))
    return [{**row, "rank": rank} for rank, row in enumerate(rows[:most], start=1)]


def _known(value: float) -> float:
    """What an unknown quantity is worth when rules are ranked: nothing."""
    return 0.0 if math.isnan(value) else value


def _row(arm: ArmResult, cell: Cell, rule: Rule, epsilon: float) -> dict[str, Any]:
    view, landscape = cell.problem.view, cell.problem.landscape
    found = landscape.lowest(view.push(rule.region))
    best = _best(found)
    missed = max(float(np.mean(cell.incumbent_truth[:, -1])) - best, 0.0)
    beyond = max(float(np.min(cell.best_truth[:, -1])) - best, 0.0)
    near = near_optimal_share(landscape, view, epsilon, rule.region)
    return {
        **arm.labels,
        "instance": cell.instance,
        "rule": rule.words,
        "verdict": rule.verdict,
        "measure": rule.measure,
        "density": rule.density,
        "runs_visited": rule.runs_visited,
        "runs": rule.runs,
        "expected": rule.expected,
        "confirming": rule.confirming,
        "p": rule.p,
        "p_adjusted": rule.adjusted,
        "bound": rule.bound,
        "best": best,
        "exact": isinstance(found, Optimum),
        "missed": missed,
        "beyond": beyond,
        "near_optimal": near,
        "costly": missed > 1e-9,
        "statement": statement(rule, cell.budget, beyond, near, arm.unit),
    }


def _best(found: Optimum | Bounds) -> float:
    """The best truth of a region, or certainly no better than the best; nan: unknown, inf: none."""
    if isinstance(found, Optimum):
        return found.value
    return math.nan if found.high == math.inf and found.low < math.inf else found.high


def near_optimal_share(landscape: Landscape, view: View, epsilon: float, region: Region) -> float:
    """Return which share of the near-optimal points of the declared space lies in a region of it.

    nan where the optimum is not known, or where fewer than 30 draws are near-optimal.
    """
    points, weights = _near_optimal(landscape, view, epsilon)
    if not len(points):
        return math.nan
    inside = contains(view.declared, region, points)
    return float(weights[inside].sum() / weights.sum())


@lru_cache(maxsize=64)
def _near_optimal(landscape: Landscape, view: View, epsilon: float) -> tuple[Points, Floats]:
    """The near-optimal points of the declared space with their masses: all of them, or draws."""
    space = view.declared
    listed = space.size <= LISTED
    points = space.enumerate() if listed else space.sample(DRAWS, np.random.default_rng(0))
    weights = masses(points) if listed else np.ones(len(points))
    if not isinstance(landscape.optimum(), Optimum):
        return points[:0], weights[:0]
    near = np.flatnonzero(NearOptimal(landscape, epsilon).labels(view.lift(points))[:, 0] == 0)
    enough = listed or len(near) >= FEWEST
    return (points[near], weights[near]) if enough else (points[:0], weights[:0])


def statement(rule: Rule, budget: int, beyond: float, near_optimal: float, unit: str) -> str:
    """Return a rule in a sentence; what is not known is left out.

    ``beyond`` is by how much the best in the region is better than anything found.
    """
    how = "hardly ever" if rule.verdict == NEGLECTED else rule.verdict.removesuffix(" seen")
    runs = f"{rule.runs:,} run" + "s" * (rule.runs > 1)
    parts = [f"{how} {{{rule.words}}} in {runs} × {budget:,} evaluations"]
    if rule.verdict == NEGLECTED:
        parts.append(f"{_percent(rule.density)} of the visits that uniform search makes")
    if rule.runs == 1:
        chance = "above 0.99" if rule.expected > 0.99 else f"of {rule.expected:.2g}"
        parts.append(f"uniform search would have visited with a probability {chance}")
    elif rule.runs_visited < rule.expected * rule.runs / 2:
        came = f"visited in {rule.runs_visited:,}, " if rule.runs_visited else ""
        uniform = f"{rule.expected * rule.runs:.0f} of {rule.runs:,}"
        parts.append(f"{came}uniform search would have visited in {uniform}")
    if beyond > 0 and math.isfinite(beyond):
        amount = f"{beyond:.3g} {unit}".strip()
        parts.append(f"the best there is {amount} better than anything found")
    if near_optimal > 0:
        parts.append(f"{_percent(near_optimal)} of the near-optimal set lies there")
    return "; ".join(parts)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.095 else f"{100 * share:.2g} %"
