"""Regret over evaluations, with bands, beside random search in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from hpo_lab.landscape import Optimum
from hpo_lab.measure import ArmResult, Measure, Results
from hpo_lab.measures.price import random_curve
from hpo_lab.measures.regret import split
from hpo_lab.space import Bools, Floats
from hpo_lab.statistics import MINIMUM_REPETITIONS, bootstrap_means

if TYPE_CHECKING:
    import pandas as pd

EXACT = "random, exact"  # what the closed form is called where strategies are


@dataclass(frozen=True)
class Curves(Measure):
    """Total regret of the incumbent after each evaluation, one row an arm and evaluation.

    ``centre`` is the mean over runs where every run has succeeded by then, else the median, as
    ``statistic`` says; ``low`` and ``high`` bound the mean (95 %, pointwise) from 30 repetitions
    on. Rows of the strategy "random, exact" are random search's expectation in closed form.
    """

    name: ClassVar[str] = "curves"

    def __call__(self, results: Results) -> pd.DataFrame:
        import pandas as pd

        blocks = [_curve(arm) for arm in results.arms]
        blocks += _closed_forms(results)
        return pd.concat(blocks, ignore_index=True) if blocks else pd.DataFrame()


def _curve(arm: ArmResult) -> pd.DataFrame:
    import pandas as pd

    regret = np.concatenate([split(cell)[0] for cell in arm.cells])  # (runs, budget)
    success = np.concatenate([np.isfinite(cell.incumbent_truth) for cell in arm.cells])
    whole: Bools = np.asarray(success.all(axis=0))
    with np.errstate(invalid="ignore"):
        centre = np.where(whole, regret.mean(axis=0), np.median(regret, axis=0))
    low, high = _band(arm, regret, whole)
    return pd.DataFrame(
        {
            **arm.labels,
            "unit": arm.unit,
            "evaluation": np.arange(1, arm.arm.budget + 1),
            "runs": len(regret),
            "centre": centre,
            "low": low,
            "high": high,
            "statistic": np.where(whole, "mean", "median"),
            "success": success.mean(axis=0),
        }
    )


def _band(arm: ArmResult, regret: Floats, whole: Bools) -> tuple[Floats, Floats]:
    nothing = np.full(regret.shape[1], np.nan)
    sizes = {len(cell.repetitions) for cell in arm.cells}
    if arm.deterministic or len(sizes) > 1 or min(sizes) < MINIMUM_REPETITIONS:
        return nothing, nothing
    blocks = regret.reshape(len(arm.cells), -1, regret.shape[1])
    band = bootstrap_means(np.where(whole, blocks, 0.0))  # columns without variation become nan
    return band[:, 0], band[:, 1]


def _closed_forms(results: Results) -> list[pd.DataFrame]:
    import pandas as pd

    seen: dict[tuple[str, str], pd.DataFrame] = {}
    for arm in results.arms:
        problem = arm.cells[0].problem
        key = (arm.arm.landscape.label, arm.arm.space.label)
        curve = random_curve(problem) if len(arm.cells) == 1 else None
        if key in seen or curve is None or not isinstance(problem.optimum_universe, Optimum):
            continue
        evaluations = np.arange(1, max(results.study.budgets) + 1)
        seen[key] = pd.DataFrame(
            {
                **arm.labels,
                "strategy": EXACT,
                "budget": max(results.study.budgets),
                "unit": arm.unit,
                "evaluation": evaluations,
                "runs": 0,
                "centre": curve.expected(evaluations) - problem.optimum_universe.value,
                "low": np.nan,
                "high": np.nan,
                "statistic": "expectation",
                "success": 1 - curve.failure(evaluations),
            }
        )
    return list(seen.values())
