"""Coverage: how much of the space the runs visited, against uniform search with the same budget."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from hpo_lab.assumption import View
from hpo_lab.measure import LISTED, ArmResult, Cell, Measure, Results, system_masses
from hpo_lab.measures._visited import (
    CELLS,
    axes_split,
    groups_of,
    runs_of,
    simulated_fills,
    visited,
)
from hpo_lab.region import Cells, masses
from hpo_lab.space import Floats, Ints, Space
from hpo_lab.statistics import (
    excess_emptiness,
    mean_by_chance,
    numbered,
    occupied,
    occupied_moments,
)

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Coverage(Measure):
    """Occupied cells of a run against what uniform search fills, exactly and simulated.

    The cells are mixed-radix products of the universe's leading axes, at most
    ``cells_per_evaluation`` times the budget of them (and 4,096), so that uniform search neither
    fills nor ignores them. ``expected_in_space`` blames the search (uniform on the declared
    space), ``expected_in_universe`` blames the space (uniform on the universe), both
    E Σ 1 − (1 − μ_c)^T; ``excess_emptiness`` = (expected_in_space − occupied) /
    expected_in_space, and random search has it between ``random_low`` and ``random_high`` in 95 %
    of studies with as many runs. The ``all_`` columns are of the union of all runs, against
    random search of as many runs (of one, for a deterministic strategy).

    ``distinct`` points and ``repeats`` are means over runs, ``all_distinct`` of all runs together;
    uniform search on the declared space has ``distinct_expected`` of them in T evaluations.
    In many dimensions raw occupancy says nothing, since every search of T evaluations fills about
    T of the cells and leaves the rest: ``headline`` says whether the cells look at all axes
    (``axes_seen`` of ``axes``); where not, read the marginals of the table ``occupancy``. One row
    an arm and instance.
    """

    cells_per_evaluation: float = 2.0
    name: ClassVar[str] = "coverage"

    def __call__(self, results: Results) -> pd.DataFrame:
        import pandas as pd

        return pd.DataFrame([self._row(arm, cell) for arm in results.arms for cell in arm.cells])

    def _row(self, arm: ArmResult, cell: Cell) -> dict[str, Any]:
        view, runs = cell.problem.view, len(cell.repetitions)
        limit = min(int(self.cells_per_evaluation * cell.budget), CELLS)
        system = Cells(view.universe, limit)
        in_universe, in_space, _ = system_masses(system, view)
        budgets = np.array([cell.budget])
        found = visited(cell, system, groups_of(system), runs, budgets)
        filled = float(found.filled.mean())
        together = runs_of(arm, cell)
        expected = float(occupied_moments(in_space, cell.budget)[0])
        low, high = _by_chance(view, system, cell.budget, 1, together)
        every = float(found.pooled(groups_of(system), budgets)[0, 0])
        union = float(occupied_moments(in_space, cell.budget * together)[0])
        union_low, union_high = _by_chance(view, system, cell.budget, together, 1)
        seen, whole = axes_split(system)
        spent = float(cell.asked.sum(axis=1).mean())
        distinct, all_distinct = _distinct(cell)
        return {
            **arm.labels,
            "instance": cell.instance,
            "cells": len(in_universe),
            "occupied": filled,
            "expected_in_space": expected,
            "expected_in_universe": float(occupied_moments(in_universe, cell.budget)[0]),
            "excess_emptiness": (expected - filled) / expected,
            "random_low": float(excess_emptiness(high, expected)),
            "random_high": float(excess_emptiness(low, expected)),
            "all_occupied": every,
            "all_expected": union,
            "all_excess": float(excess_emptiness(every, union)),
            "all_random_low": float(excess_emptiness(union_high, union)),
            "all_random_high": float(excess_emptiness(union_low, union)),
            "axes": max(len(family.axes) for family in view.universe.families),
            "axes_seen": seen,
            "headline": whole,
            "distinct": distinct,
            "distinct_expected": expected_distinct(view.declared, cell.budget),
            "repeats": spent - distinct,
            "all_distinct": all_distinct,
        }


@lru_cache(maxsize=256)
def _by_chance(
    view: View, system: Cells, budget: int, together: int, means: int
) -> tuple[float, float]:
    """Where 95 % of the mean occupancies of random search lie, simulated where that is short."""
    fills = simulated_fills(view, system, (budget,), together)
    if fills is not None:
        _, low, high = mean_by_chance(fills[:, 0], means)[:, 0].tolist()
        return low, high
    mean, spread = occupied_moments(system_masses(system, view)[1], budget * together)
    wide = 1.96 * float(spread) / float(np.sqrt(means))
    return float(mean) - wide, float(mean) + wide


def _distinct(cell: Cell) -> tuple[float, int]:
    """The mean number of different points of a run, and the number in all of them."""
    number = _numbers(cell)
    runs = len(cell.repetitions)
    each = occupied(number, cell.run, cell.evaluation, runs, [cell.budget])[:, 0]
    return float(each.mean()), int(number.max(initial=-1)) + 1


def _numbers(cell: Cell) -> Ints:
    """Numbers (N,) of the points, equal for equal points."""
    table: Floats = np.empty((len(cell.points), cell.points.space.width + 1))
    table[:, 0], table[:, 1:] = cell.points.family, cell.points.values
    return numbered(table)


@lru_cache(maxsize=64)
def expected_distinct(space: Space, budget: int) -> float:
    """Return how many different points uniform search meets in so many evaluations.

    Exactly where the finite families can be listed (to rounding, a real axis repeats nothing); of
    larger ones the first two terms of Σ 1 − (1 − m)^T, where a repeat is rare.

    >>> from hpo_lab.space import Choice
    >>> expected_distinct(Space.box(Choice("c", ("a", "b"))), 2)
    1.5
    """
    found = 0.0
    for family, weight in zip(space.families, space.weights.tolist(), strict=True):
        if family.size == math.inf:
            found += weight * budget
        elif family.size <= LISTED:
            mass = weight * masses(Space((family,)).enumerate())
            found += float(occupied_moments(mass, budget)[0])
        else:
            each = [masses(Space.box(axis).enumerate()) for axis in family.axes if axis.size > 1]
            squares = weight**2 * math.prod(float((m**2).sum()) for m in each)
            found += weight * budget - budget * (budget - 1) / 2 * squares
    return found
