"""Runtimes: how many evaluations until a target is reached, and what share of runs got there."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hpo_lab.statistics._arrays import Floats, Ints

TARGETS = 51  # COCO's: precisions 10^2, 10^1.8, .., 10^-8
COMPILED = 400_000  # values from which loading numba pays


def log_targets(easiest: float = 1e2, hardest: float = 1e-8, count: int = TARGETS) -> Floats:
    """Return precisions (count,) from the easiest to the hardest, evenly spaced in the logarithm.

    By default those of COCO's data profiles. Raises ValueError unless easiest > hardest > 0 and
    there are at least 2.

    Source: Hansen et al. 2021, "COCO: a platform for comparing continuous optimizers in a
    black-box setting", Optimization Methods and Software 36, section 4.

    >>> log_targets()[[0, 1, -1]].round(9).tolist()
    [100.0, 63.095734448, 1e-08]
    """
    if not (easiest > hardest > 0 and count >= 2):
        raise ValueError("targets need easiest > hardest > 0, and at least 2 of them")
    return np.geomspace(easiest, hardest, count)


def first_hits(values: npt.ArrayLike, targets: npt.ArrayLike) -> Ints:
    """Return the evaluation (runs, targets), from 1, at which each run first met each target.

    ``values`` (runs, budget) are what each evaluation gave, not the best so far, inf or nan where
    it gave nothing; a target is met by a value that is at most it. 0 where a run never did. One
    pass over the values, compiled where there are many; ``targets`` (targets,) in any order.
    Raises ValueError for a wrong shape or a target that is nan.

    >>> first_hits([[3.0, np.nan, 1.0], [2.0, 2.0, 2.0]], [2.5, 1.0]).tolist()
    [[3, 3], [1, 0]]
    """
    given, bars = _checked(values, targets)
    hits = np.zeros((len(given), len(bars)), dtype=np.int64)
    if not given.size or not len(bars):
        return hits
    order = np.argsort(-bars, kind="stable")
    if given.size >= COMPILED:
        from hpo_lab.statistics import _runtimes_kernels

        _runtimes_kernels.first_hits(np.ascontiguousarray(given), bars[order], hits)
    else:
        hits = _searched_hits(given, bars[order])
    if (order[1:] < order[:-1]).any():
        hits = hits[:, np.argsort(order)]
    return hits


def _checked(values: npt.ArrayLike, targets: npt.ArrayLike) -> tuple[Floats, Floats]:
    given, bars = np.asarray(values, dtype=np.float64), np.asarray(targets, dtype=np.float64)
    if given.ndim != 2 or bars.ndim != 1 or np.isnan(bars).any():
        raise ValueError("values must be (runs, budget), targets a 1-D array without nan")
    return given, bars


def _searched_hits(given: Floats, falling: Floats) -> Ints:
    """The same by bisection: the best so far is monotone."""
    rising = -np.fmin.accumulate(np.where(np.isnan(given), np.inf, given), axis=1)
    found = np.stack([np.searchsorted(run, -falling, side="left") for run in rising])
    return np.where(found < given.shape[1], found + 1, 0).astype(np.int64)


def runtime_ecdf(values: npt.ArrayLike, targets: npt.ArrayLike) -> Floats:
    """Return the share (budget,) of all run-target pairs that are solved by each evaluation.

    The empirical cumulative distribution of runtimes, all targets together: entry t - 1 is the
    share of (run, target) pairs with `first_hits` between 1 and t. Arguments and errors are those
    of `first_hits`; a run that stopped early simply solves nothing more.

    Source: Hansen et al. 2021, section 4 (without their simulated restarts).

    >>> runtime_ecdf([[3.0, np.nan, 1.0], [2.0, 2.0, 2.0]], [2.5, 1.0]).tolist()
    [0.25, 0.25, 0.75]
    """
    given, bars = _checked(values, targets)
    runs, budget = given.shape
    if given.size >= COMPILED and len(bars):
        from hpo_lab.statistics import _runtimes_kernels

        solved = np.zeros(budget, dtype=np.int64)
        _runtimes_kernels.count_hits(np.ascontiguousarray(given), -np.sort(-bars), solved)
    else:
        hits = first_hits(given, bars)
        solved = np.bincount(hits.ravel(), minlength=budget + 1)[1 : budget + 1]
    return np.asarray(np.cumsum(solved) / max(runs * len(bars), 1), dtype=np.float64)


def expected_running_time(evaluations: npt.ArrayLike, solved: npt.ArrayLike) -> float:
    """Evaluations spent on a target, over all runs, for each run that reached it.

    `evaluations` (runs,) until the target was reached, or all that were spent where it was not;
    `solved` (runs,) which reached it. inf where none did. Raises ValueError for wrong shapes or
    without runs.

    Source: Hansen, Auger, Finck and Ros 2009, "Real-parameter black-box optimization benchmarking
    2009: experimental setup", INRIA RR-6828 (ERT); Auger and Hansen 2005, eq. 1.

    >>> expected_running_time([100, 300, 1_000], [True, True, False])
    700.0
    """
    spent, reached = np.asarray(evaluations, dtype=np.float64), np.asarray(solved, dtype=np.bool_)
    if spent.ndim != 1 or spent.shape != reached.shape or not len(spent):
        raise ValueError("evaluations and solved need one entry a run each, and at least one run")
    return float(spent.sum() / reached.sum()) if reached.any() else float("inf")


def expected_running_times(hits: npt.ArrayLike, spent: npt.ArrayLike) -> Floats:
    """Return `expected_running_time` (targets,) of every target at once.

    ``hits`` (runs, targets) as of `first_hits`, ``spent`` (runs,) all evaluations of each run.
    Raises ValueError for wrong shapes or without runs.

    >>> expected_running_times([[100, 0], [300, 700], [0, 0]], [1_000, 1_000, 1_000]).tolist()
    [700.0, 2700.0]
    """
    reached, budget = np.asarray(hits, dtype=np.int64), np.asarray(spent, dtype=np.int64)
    if reached.ndim != 2 or budget.shape != reached.shape[:1] or not len(budget):
        raise ValueError("hits must be (runs, targets), spent (runs,), with at least one run")
    used = np.where(reached > 0, reached, budget[:, None]).sum(axis=0)
    solved = (reached > 0).sum(axis=0)
    return np.where(solved > 0, used / np.maximum(solved, 1), np.inf)
