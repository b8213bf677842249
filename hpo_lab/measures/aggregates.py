"""Each strategy in one number over all landscapes: interquartile mean and optimality gap."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from hpo_lab.measure import ArmResult, Measure, Results
from hpo_lab.measures.comparisons import (
    EVERYWHERE,
    FIRST_GUESS,
    best_known,
    landscape_scales,
)
from hpo_lab.space import Floats
from hpo_lab.statistics import aggregate_interval, interquartile_mean, optimality_gap

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Aggregates(Measure):
    """Regret over all landscapes that an arm was run on, each in units of its own scale.

    The scale of a landscape is the median regret of its runs after one evaluation, and regret is
    that of ``runtimes``: against the best found where f*(U) is not known. ``iqm`` is the mean of
    the middle half of all runs (inf where more than a quarter never succeeded), ``gap`` by how
    much they miss a regret of ``target`` on average. ``*_low`` and ``*_high``: 95 %, repetitions
    resampled within each landscape and instance, approximate, so they speak of these landscapes
    only; none where nothing varies or repetitions are below 30. Definitions: Agarwal et al. 2021.
    One row a space, strategy and budget; strategies compare only over the same ``tasks``.
    """

    target: float = 0.01
    name: ClassVar[str] = "aggregates"

    def __call__(self, results: Results) -> pd.DataFrame:
        import pandas as pd

        scales, best = landscape_scales(results), best_known(results)
        groups: dict[tuple[str, str, int], list[Floats]] = {}
        for arm in results.arms:
            key = arm.arm.space.label, arm.arm.strategy.label, arm.arm.budget
            groups.setdefault(key, []).extend(_regrets(arm, scales, best))
        return pd.DataFrame([self._row(key, rows) for key, rows in groups.items()])

    def _row(self, key: tuple[str, str, int], rows: list[Floats]) -> dict[str, object]:
        length = min(map(len, rows))
        values = np.stack([row[:length] for row in rows])
        row: dict[str, object] = {
            "landscape": EVERYWHERE,
            **dict(zip(("space", "strategy", "budget"), key, strict=True)),
            "unit": FIRST_GUESS,
            "tasks": len(rows),
            "repetitions": length,
        }
        statistics: dict[str, Callable[[Floats], float]] = {
            "iqm": interquartile_mean,
            "gap": partial(optimality_gap, target=self.target),
        }
        for name, statistic in statistics.items():
            found = aggregate_interval(values, statistic) if length >= 30 else None
            low, high = found or (np.nan, np.nan)
            row |= {name: statistic(values), f"{name}_low": low, f"{name}_high": high}
        return row


def _regrets(
    arm: ArmResult, scales: Mapping[str, float], best: Mapping[tuple[str, int], float]
) -> list[Floats]:
    """The final regrets (repetitions,) on each instance, in units of the landscape's scale."""
    label = arm.arm.landscape.label
    scale = scales[label] or 1.0
    goals = [min(best[label, cell.instance], 1e300) for cell in arm.cells]
    finals = [cell.incumbent_truth[:, -1] for cell in arm.cells]
    return [(final - goal) / scale for final, goal in zip(finals, goals, strict=True)]
