"""The analysis of five million trials against pandas and numpy, in one process; prints ratios.

``python -m tests.benchmarks.compare_analysis``, in half a minute (``--trials``, ``--budget``).
Cases take turns and the best of several rounds counts, but for the group-by, which runs once.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping

import numba
import numpy as np
import pandas as pd

from hpo_lab.space import Floats
from hpo_lab.statistics import log_targets, runtime_ecdf

ROUNDS = 7
Cases = Mapping[str, Callable[[], object]]


@numba.njit(cache=True)  # type: ignore[untyped-decorator,unused-ignore]
def one_pass(values: Floats) -> Floats:
    """The best value of each run: the least that a compiled pass over the data can do."""
    best = np.full(len(values), np.inf)
    for run in range(len(values)):
        for evaluation in range(values.shape[1]):
            if values[run, evaluation] < best[run]:
                best[run] = values[run, evaluation]
    return best


def by_group(trials: pd.DataFrame, targets: Floats) -> Floats:
    """The ECDF as one writes it in pandas: for each target the first evaluation of each run."""
    best = trials.assign(best=trials.groupby("run")["value"].cummin())
    runs, budget = trials["run"].nunique(), int(trials["evaluation"].max())
    solved = np.zeros(budget + 1)
    for target in targets:
        first = best[best["best"] <= target].groupby("run")["evaluation"].min()
        np.add.at(solved, first.to_numpy(), 1)
    return np.asarray(solved.cumsum()[1:] / (runs * len(targets)))


def by_numpy(values: Floats, targets: Floats) -> Floats:
    """The ECDF by bisection in the best so far of each run."""
    rising = -np.minimum.accumulate(values, axis=1)
    found = np.concatenate([np.searchsorted(run, -targets) for run in rising])
    return np.asarray(np.bincount(found, minlength=values.shape[1] + 1)[:-1].cumsum() / found.size)


def medians_by_group(trials: pd.DataFrame) -> Floats:
    """The median best-so-far after each evaluation as one writes it in pandas."""
    best = trials.assign(best=trials.groupby("run")["value"].cummin())
    return best.groupby("evaluation")["best"].median().to_numpy()


def medians(values: Floats) -> Floats:
    """The same on the dense array (runs, budget), as the measures do it."""
    return np.asarray(np.median(np.minimum.accumulate(values, axis=1), axis=0))


def _fastest(cases: Cases, rounds: int) -> dict[str, float]:
    """Seconds of each case: the best of the rounds, in which the cases take turns."""
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, case in cases.items():
            start = time.perf_counter()
            case()
            seconds[name].append(time.perf_counter() - start)
    return {name: min(times) for name, times in seconds.items()}


def _print(title: str, seconds: Mapping[str, float], target: str) -> None:
    print(f"\n{title}; target: {target}")
    for name, took in seconds.items():
        print(f"  {name:24s} {1000 * took:10.2f} ms  {took / seconds['ours']:9.2f} × our time")


def compare_analysis(trials: int = 5_000_000, budget: int = 10_000) -> None:
    """Print the comparisons on so many trials, in runs of the budget."""
    rng = np.random.default_rng(0)
    values = rng.lognormal(0, 3, (max(1, trials // budget), budget))
    targets = log_targets()
    runs = np.repeat(np.arange(len(values)), budget)
    evaluations = np.tile(np.arange(1, budget + 1), len(values))
    frame = pd.DataFrame({"run": runs, "evaluation": evaluations, "value": values.ravel()})
    mine = runtime_ecdf(values, targets)
    assert np.allclose(mine, by_numpy(values, targets))
    cases: Cases = {
        "ours": lambda: runtime_ecdf(values, targets),
        "one compiled pass": lambda: one_pass(values),
        "numpy, by bisection": lambda: by_numpy(values, targets),
    }
    one_pass(values)  # compiles
    seconds = _fastest(cases, ROUNDS)
    slow: Cases = {"pandas group-by": lambda: by_group(frame, targets)}
    assert np.allclose(mine, by_group(frame, targets))
    seconds |= _fastest(slow, 1)
    title = f"ECDF of {values.size:,} trials over {len(targets)} targets, runs of {budget:,}"
    _print(title, seconds, "3 × one pass; 1/100 of the group-by")
    assert np.allclose(medians(values), medians_by_group(frame))
    cases = {"ours": lambda: medians(values), "pandas group-by": lambda: medians_by_group(frame)}
    _print("best so far, and its medians", _fastest(cases, 3), "none")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=5_000_000)
    parser.add_argument("--budget", type=int, default=10_000)
    given = parser.parse_args()
    compare_analysis(given.trials, given.budget)
