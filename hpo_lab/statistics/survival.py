"""Time: when was a region abandoned, and would uniform search have been back by then?

One entry a run, so that the evaluations of a run, which depend on each other, count once. A run
*survives* evaluation t in a region if it still visits it after t; uniform search does so with
probability 1 − (1 − μ)^(T − t). A run has *left* a region if its last L evaluations, all that
uniform search needs to come with a probability of 95 %, lie elsewhere: (1 − μ)^L ≤ 0.05.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hpo_lab.statistics._arrays import Floats, Ints

LEVEL = 0.95


@dataclass(frozen=True, slots=True, eq=False)
class Survival:
    """Shares of runs at given evaluations (times,), with a band, and uniform search beside it."""

    share: Floats
    low: Floats
    high: Floats
    uniform: Floats


def still_visiting(
    last: npt.ArrayLike, mu: float, budget: int, at: npt.ArrayLike, *, level: float = LEVEL
) -> Survival:
    """Share of runs that visit a region after evaluation t, for each t in ``at`` (times,).

    ``last`` (runs,) is each run's last visit, counted from 1 and nan where it never came. Every run
    is followed to its end, so this is the estimate of Kaplan and Meier 1958 without censoring; the
    band is the exact one of Clopper and Pearson 1934 at each t, nan with fewer than two runs.
    Raises ValueError for visits beyond the budget.

    >>> still_visiting([3, 7, np.nan, 10], 0.1, 10, [0, 5, 10]).share.tolist()
    [0.75, 0.5, 0.0]
    """
    times, ends = np.asarray(at), _visits(last, budget)
    count = (np.nan_to_num(ends, nan=0.0)[:, None] > times).sum(axis=0)
    return _shares(count, len(ends), mu, budget - times, level)


def already_visited(
    first: npt.ArrayLike, mu: float, budget: int, at: npt.ArrayLike, *, level: float = LEVEL
) -> Survival:
    """Share of runs that visited a region by evaluation t: ``still_visiting`` the other way round.

    ``first`` (runs,) is each run's first visit, nan where it never came.

    >>> already_visited([3, 7, np.nan, 10], 0.1, 10, [0, 5, 10]).share.tolist()
    [0.0, 0.25, 0.75]
    """
    times, starts = np.asarray(at), _visits(first, budget)
    count = (np.nan_to_num(starts, nan=np.inf)[:, None] <= times).sum(axis=0)
    return _shares(count, len(starts), mu, times, level)


def _visits(given: npt.ArrayLike, budget: int) -> Floats:
    visits = np.asarray(given, dtype=np.float64)
    known = visits[~np.isnan(visits)]
    if visits.ndim != 1 or not len(visits) or (known < 1).any() or (known > budget).any():
        raise ValueError("visits need one entry a run, from 1 to the budget, nan for none")
    return visits


def _shares(count: Ints, runs: int, mu: float, draws: Ints, level: float) -> Survival:
    from scipy.special import betaincinv

    tail = (1 - level) / 2
    nothing = np.full(len(count), np.nan)
    low = np.where(count > 0, betaincinv(np.maximum(count, 1), runs - count + 1.0, tail), 0.0)
    high = np.where(
        count < runs, betaincinv(count + 1.0, np.maximum(runs - count, 1), 1 - tail), 1.0
    )
    uniform = 1 - (1 - min(max(mu, 0.0), 1.0)) ** np.asarray(draws, dtype=np.float64)
    band = (low, high) if runs > 1 else (nothing, nothing)
    return Survival(count / runs, *band, uniform)


@dataclass(frozen=True, slots=True)
class Abandonment:
    """How many of the runs had left a region by their end.

    ``stretch`` is L, the number of last evaluations that decide, nan where the budget is too small
    for the region; then all the rest is nan, too. ``chance`` is the probability, at most 5 %, that
    a run of uniform search is found to have left, and ``p`` that so many of its runs are.
    """

    stretch: float
    left: float
    chance: float
    p: float


def abandonment(last: npt.ArrayLike, mu: float, budget: int) -> Abandonment:
    """Share of the runs that left a region, those that never came included, and an exact test.

    ``last`` (runs,) as in ``still_visiting``. The test is P(Bin(runs, (1 − μ)^L) ≥ k) for k runs
    that left.

    >>> found = abandonment([20, 100, np.nan, 30], 0.1, 100)
    >>> found.stretch, found.left, round(found.chance, 4)
    (29.0, 0.75, 0.0471)
    """
    from scipy.special import bdtrc

    ends = np.nan_to_num(_visits(last, budget), nan=0.0)
    if not 0 < mu < 1:
        return Abandonment(*[math.nan] * 4)
    stretch = math.ceil(math.log(1 - LEVEL) / math.log1p(-mu) - 1e-9)
    if stretch > budget:
        return Abandonment(*[math.nan] * 4)
    gone = int((ends <= budget - stretch).sum())
    chance = (1 - mu) ** stretch
    p = float(bdtrc(gone - 1.0, len(ends), chance)) if gone else 1.0
    return Abandonment(float(stretch), gone / len(ends), chance, p)
