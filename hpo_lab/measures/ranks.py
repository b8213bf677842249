"""Strategies ranked in every problem and seed, for the appendix: mean ranks and Friedman's test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from hpo_lab.measure import ArmResult, Measure, Results
from hpo_lab.space import Floats
from hpo_lab.statistics import bootstrap_means, friedman, has_intervals, lower_median, ranks

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Ranks(Measure):
    """Mean rank of each strategy by total regret in a space, over problems and repetitions.

    A problem is an instance of a landscape on which every strategy of the study has runs in the
    space. Strategies are ranked in each problem × repetition cell (1 is the best, equals share
    their ranks; runs without success are last), and ``rank_low`` and ``rank_high`` bound the mean
    rank (95 %, cluster bootstrap: problems, then repetitions). ``friedman_p`` tests over problems
    whether the strategies differ at all, each by its median; mean ranks of these medians that lie
    further apart than ``critical_difference`` differ at 5 % (Nemenyi; Demšar 2006). Both need two
    problems. Ranks depend on who else is in the pool. One row a space, strategy and budget; no
    rows where one strategy is alone.
    """

    name: ClassVar[str] = "ranks"

    def __call__(self, results: Results) -> pd.DataFrame:
        import pandas as pd

        groups: dict[tuple[str, int], list[ArmResult]] = {}
        for arm in results.arms:
            groups.setdefault((arm.arm.space.label, arm.arm.budget), []).append(arm)
        rows = []
        for (space, budget), arms in groups.items():
            names = list(dict.fromkeys(arm.arm.strategy.label for arm in arms))
            values = rank_cells(arms, names)
            if len(names) > 1 and values.size:
                rows += _rows({"space": space, "budget": budget}, names, values)
        return pd.DataFrame(rows)


def rank_cells(arms: list[ArmResult], names: list[str]) -> Floats:
    """Return the incumbents' truths (problems, repetitions, strategies) where all have runs."""
    cells: dict[tuple[str, int], dict[str, dict[int, float]]] = {}
    for arm in arms:
        for cell in arm.cells:
            final = dict(zip(cell.repetitions.tolist(), cell.incumbent_truth[:, -1], strict=True))
            key = arm.arm.landscape.label, cell.instance
            cells.setdefault(key, {})[arm.arm.strategy.label] = final
    whole = [one for one in cells.values() if len(one) == len(names)]
    runs = [set(final) for one in whole for final in one.values()]
    shared = sorted(set.intersection(*runs)) if runs else []
    values = [[[one[name][r] for name in names] for r in shared] for one in whole]
    return np.array(values, dtype=np.float64).reshape(len(whole), len(shared), len(names))


def _rows(labels: dict[str, object], names: list[str], values: Floats) -> list[dict[str, object]]:
    problems, repetitions, _ = values.shape
    ranked = ranks(values)
    limits = np.full((len(names), 2), np.nan)
    if has_intervals(problems, repetitions):
        limits = bootstrap_means(ranked)
    medians = lower_median(values, axis=1)
    tested = friedman(medians) if problems > 1 else None
    return [
        {
            "landscape": "all",
            "space": labels["space"],
            "strategy": name,
            "budget": labels["budget"],
            "problems": problems,
            "repetitions": repetitions,
            "rank": float(ranked[:, :, place].mean()),
            "rank_low": limits[place, 0],
            "rank_high": limits[place, 1],
            "rank_of_median": float(tested.mean_ranks[place]) if tested else np.nan,
            "friedman_p": tested.p if tested else np.nan,
            "critical_difference": tested.critical_difference if tested else np.nan,
        }
        for place, name in enumerate(names)
    ]
