"""From the runs of both studies to the kept tables: regret, ranks, non-inferiority, time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hpo_lab.landscape import Optimum
from hpo_lab.measure import Results
from hpo_lab.space import Floats
from hpo_lab.statistics import bootstrap_means, mean_rank_difference, ranks
from hpo_lab.store import Store
from hpo_lab.study import Part, Study

SEED = ["problem", "data", "instance", "repetition"]  # what identifies a cell
PAIRS = (  # who must not be inferior to whom
    ("gp_fast", "optuna_gp"),
    ("gp_fast", "smac"),
    ("gp_fast", "botorch"),
    ("gp_fast", "skopt"),
    ("gp", "skopt"),
)
ENOUGH = 10  # problems, to resample them
MARGIN = 0.5  # of the difference of mean ranks


@dataclass(frozen=True)
class Kept:
    """A study with its runs."""

    study: Study
    folder: Path

    def runs(self) -> pd.DataFrame:
        """Return a row a run: its cell, the strategy, the regret, CPU milliseconds a trial."""
        seconds = {
            one.identity: float(str(one.provenance["cpu_seconds"]))
            for one in Store(self.folder).read_all(self.study.runs)
            if not isinstance(one, Path)
        }
        return pd.DataFrame(self._rows(seconds))

    def _rows(self, seconds: Mapping[str, float]) -> Iterator[dict[str, Any]]:
        for arm in Results.load(self.study, self.folder).arms:
            for cell in arm.cells:
                best = cell.problem.landscape.optimum()
                if not isinstance(best, Optimum):
                    raise TypeError(f"{arm.arm.landscape.label}: no exact optimum, no regret")
                regret = cell.incumbent_truth[:, -1] - best.value
                trials = cell.asked.sum(axis=1)
                for r, value, n in zip(cell.repetitions, regret, trials, strict=True):
                    spent = seconds[arm.arm.run(cell.instance, int(r)).identity]
                    yield {
                        "problem": problem_name(arm.arm.landscape),
                        "data": dict(arm.arm.landscape.arguments).get("dataset", ""),
                        "instance": cell.instance,
                        "repetition": int(r),
                        "strategy": arm.arm.strategy.label,
                        "regret": max(float(value), 0.0),
                        "ms": 1e3 * spent / float(n),
                    }


def problem_name(landscape: Part) -> str:
    """Return what the tables call a problem; the tables' data sets are instances of one."""
    given = dict(landscape.arguments)
    if landscape.use == "bbob":
        return f"f{given['function']}, {given['dimension']}-D"
    return landscape.use


def regret(runs: pd.DataFrame) -> pd.DataFrame:
    """Return a row a problem and strategy: median and quartiles of the simple regret, and time."""
    grouped = runs.groupby(["problem", "strategy"], sort=False)
    found = grouped["regret"].quantile(np.array([0.25, 0.5, 0.75])).unstack()
    found.columns = pd.Index(["lower_quartile", "median", "upper_quartile"])
    found["runs"] = grouped.size()
    found["ms"] = grouped["ms"].median()
    return found.reset_index()


def cells(runs: pd.DataFrame, strategies: list[str]) -> pd.DataFrame:
    """Return the regrets where all of these strategies have a run: a row a cell, a column each."""
    own = runs[runs["strategy"].isin(strategies)]
    wide = own.pivot_table(index=SEED, columns="strategy", values="regret", sort=False)
    return wide[strategies].dropna()


def mean_ranks(runs: pd.DataFrame, strategies: list[str]) -> pd.DataFrame:
    """Return a row a strategy: mean rank over all cells, its 95 % interval, and by problem.

    The interval is the cluster bootstrap's over problems, then over their seeds; with fewer than
    ten problems, too few to be resampled, it is over cells (``over`` says which).
    """
    wide = cells(runs, strategies)
    ranked = pd.DataFrame(ranks(wide), index=wide.index, columns=strategies)
    by_problem = ranked.groupby("problem", sort=False)
    over = "problems" if by_problem.ngroups >= ENOUGH else "cells"
    limits = bootstrap_means(_cube(ranked) if over == "problems" else ranked.to_numpy()[:, None])
    table = by_problem.mean().T
    table.insert(0, "rank", ranked.mean())
    table.insert(1, "low", limits[:, 0])
    table.insert(2, "high", limits[:, 1])
    table.insert(3, "cells", len(ranked))
    table.insert(4, "over", over)
    return table.sort_values("rank", kind="stable").rename_axis("strategy").reset_index()


def _cube(wide: pd.DataFrame) -> Floats:
    """The cells as (problems, seeds, strategies)."""
    parts = [own.to_numpy() for _, own in wide.groupby("problem", sort=False)]
    seeds = min(len(part) for part in parts)
    return np.stack([part[:seeds] for part in parts])


def non_inferiority(runs: pd.DataFrame, pairs: tuple[tuple[str, str], ...] = PAIRS) -> pd.DataFrame:
    """Return a row a pair: the difference of the two's mean ranks, and upper 95 % bounds of it.

    The two are ranked against each other in every problem × seed cell that they share.
    ``upper_cells`` resamples these cells; ``upper_problems`` resamples whole problems, which
    speaks of other problems than these, too.
    """
    rows = []
    for strategy, rival in pairs:
        wide = cells(runs, [strategy, rival])
        values = wide.to_numpy()
        cube = _cube(wide)
        by_cell, by_problem = _against(values[:, None, :]), _against(cube)
        better = values[:, 0] < values[:, 1]
        rows.append(
            {
                "strategy": strategy,
                "rival": rival,
                "cells": len(values),
                "problems": len(cube),
                "better": int(better.sum()),
                "equal": int((values[:, 0] == values[:, 1]).sum()),
                "difference": by_cell[0],
                "upper_cells": by_cell[1],
                "upper_problems": by_problem[1],
                "holds": bool(by_cell[1] < MARGIN),
            }
        )
    return pd.DataFrame(rows)


def _against(values: Floats) -> tuple[float, float]:
    found = mean_rank_difference(values, 0, 1, level=0.9)
    return found.difference, min(found.high, 1.0)  # two ranks are never further apart
