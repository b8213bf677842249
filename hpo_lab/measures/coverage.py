"""Coverage: how much of the space the runs visited, against uniform search with the same budget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from hpo_lab.measure import ArmResult, Cell, Measure, Results, system_masses
from hpo_lab.region import Cells
from hpo_lab.statistics import expected_occupied

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Coverage(Measure):
    """Occupied cells of a run against the exact expectations for uniform search.

    The cells are mixed-radix products of the universe's leading axes, at most
    ``cells_per_evaluation`` times the budget of them, so that uniform search neither fills nor
    ignores them. ``expected_in_space`` blames the search (uniform on the declared space),
    ``expected_in_universe`` blames the space (uniform on the universe), both E Σ 1 − (1 − μ_c)^T;
    ``excess_emptiness`` = (expected_in_space − occupied) / expected_in_space. ``distinct`` points
    and ``repeats`` are means over runs. In many dimensions raw occupancy says nothing: read the
    excess and the visits of options. One row an arm and instance.
    """

    cells_per_evaluation: float = 2.0
    name: ClassVar[str] = "coverage"

    def __call__(self, results: Results) -> pd.DataFrame:
        import pandas as pd

        return pd.DataFrame([self._row(arm, cell) for arm in results.arms for cell in arm.cells])

    def _row(self, arm: ArmResult, cell: Cell) -> dict[str, Any]:
        view = cell.problem.view
        system = Cells(view.universe, int(self.cells_per_evaluation * cell.budget))
        in_universe, in_space, _ = system_masses(system, view)
        labels = system.labels(cell.lifted)[:, 0]
        seen = np.zeros((len(cell.repetitions), len(in_universe)), dtype=bool)
        seen[cell.run, labels] = True
        occupied = float(seen.sum(axis=1).mean())
        expected = float(expected_occupied(in_space, cell.budget))
        distinct = _distinct(cell)
        return {
            **arm.labels,
            "instance": cell.instance,
            "cells": len(in_universe),
            "occupied": occupied,
            "expected_in_space": expected,
            "expected_in_universe": float(expected_occupied(in_universe, cell.budget)),
            "excess_emptiness": (expected - occupied) / expected,
            "distinct": distinct,
            "repeats": float(cell.asked.sum(axis=1).mean()) - distinct,
        }


def _distinct(cell: Cell) -> float:
    """The mean number of different points that a run asked for."""
    keys = cell.points.keys()
    pairs = np.empty(len(keys), dtype=[("run", np.int64), ("key", keys.dtype)])
    pairs["run"], pairs["key"] = cell.run, keys
    return len(np.unique(pairs)) / len(cell.repetitions)
