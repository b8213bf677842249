"""Intervals: how often do 95 % intervals hold the truth that a closed form knows?

Regrets of random search on real tables, run by run through the measure ``regret``; three ways to
bootstrap their mean, beside the exact expectation. Then the break-even budget, whose truth is
known where two closed forms cross.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from experiments.instrument import simulated as sim
from hpo_lab import assumption, discovery
from hpo_lab.assumptions.without import Without
from hpo_lab.landscape import Optimum, Problem
from hpo_lab.measures.price import random_curve, universe_of, winning
from hpo_lab.measures.regret import split
from hpo_lab.region import masses
from hpo_lab.space import Floats, Ints
from hpo_lab.statistics import bootstrap_means, break_even, resampled_runs

REPETITIONS = (10, 30, 100)
BUDGETS = (20, 100)
STUDIES = 1_000
LEVEL, RESAMPLES = 0.95, 2_000
METHODS = ("percentile", "bca", "studentised")
SHARED = 50  # studies that share their resamples, as the columns of one call do

Bounds = tuple[Floats, Floats]


# --- three intervals of a mean -------------------------------------------------------------------


def percentile(values: Floats, seed: int) -> Bounds:
    """Return the percentile intervals (studies,) of the means of values (n, studies)."""
    means = np.sort(_resampled_means(values, seed), axis=0)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return low, high


def bca(values: Floats, seed: int) -> Bounds:
    """Return the plain BCa intervals (Efron and Tibshirani 1993, eq. 14.10) of the means."""
    means = _resampled_means(values, seed)
    off = values - values.mean(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        acceleration = (off**3).sum(axis=0) / (6 * (off**2).sum(axis=0) ** 1.5)
    return corrected(means, values.mean(axis=0), np.nan_to_num(acceleration))


def corrected(resampled: Floats, estimate: Floats, acceleration: Floats) -> Bounds:
    """Return the bias-corrected and accelerated limits (columns,) of resampled (b, columns)."""
    from scipy.special import ndtr, ndtri

    size = len(resampled)
    below = (resampled < estimate).mean(axis=0) + (resampled == estimate).mean(axis=0) / 2
    bias = ndtri(np.clip(below, 1 / (size + 1), size / (size + 1)))
    ranked = np.sort(resampled, axis=0)
    limits = []
    for z in ndtri([(1 - LEVEL) / 2, (1 + LEVEL) / 2]):
        share = ndtr(bias + (bias + z) / (1 - acceleration * (bias + z)))
        rank = np.clip(np.round(share * (size + 1)) - 1, 0, size - 1).astype(np.int64)
        limits.append(np.take_along_axis(ranked, rank[None], axis=0)[0])
    return limits[0], limits[1]


def studentised(values: Floats, seed: int) -> Bounds:
    """Return the intervals that the reports use."""
    found = bootstrap_means(values[None], level=LEVEL, resamples=RESAMPLES, seed=seed)
    return found[:, 0], found[:, 1]


def _resampled_means(values: Floats, seed: int) -> Floats:
    """Means (resamples, studies) of values (n, studies), each drawn anew with replacement."""
    return draw_counts(len(values), seed) @ values / len(values)


@lru_cache(maxsize=4)
def draw_counts(n: int, seed: int) -> Floats:
    """Return how often each of n runs was drawn (resamples, n)."""
    draws = resampled_runs(1, n, resamples=RESAMPLES, seed=seed)[:, 0]
    flat = draws + n * np.arange(RESAMPLES)[:, None]
    return np.bincount(flat.ravel(), minlength=RESAMPLES * n).reshape(RESAMPLES, n).astype(float)


INTERVALS: dict[str, Callable[[Floats, int], Bounds]] = {
    "percentile": percentile,
    "bca": bca,
    "studentised": studentised,
}


# --- regrets, of random search in closed form ----------------------------------------------------

_CORA = {"dataset": "cora", "observe": "valid", "truth": "test"}
_OPERATIONS = ("op1", "op2", "op3", "op4")
TABLES: dict[str, tuple[str, dict[str, Any], str]] = {  # landscape, arguments, option left out
    "Cora": ("nas_graph", _CORA, ""),
    "Cora without gat": ("nas_graph", _CORA, "gat"),
    "arXiv": ("nas_graph", {**_CORA, "dataset": "arxiv"}, ""),
    "NAS-Bench-201, CIFAR-10": ("nas201", {"dataset": "cifar10", "noise": False}, ""),
    "NK, 256 points": ("nk", {"n": 8, "k": 2}, ""),
    "NK, 64 points": ("nk", {"n": 6, "k": 2}, ""),
}
PARTS = ("total", "search", "selection")


@lru_cache(maxsize=8)
def problem_of(name: str) -> Problem:
    """Return one of the problems of ``TABLES``."""
    use, arguments, option = TABLES[name]
    landscape = discovery.make("landscapes", use, arguments)
    assumptions = [Without(axis=_OPERATIONS, option=option)] if option else []
    return Problem(landscape, assumption.assume(landscape.universe, assumptions))


@dataclass(frozen=True, eq=False)
class Table:
    """All points of a declared space: the probability of a draw, what is told, and the truth."""

    mass: Floats
    observed: Floats  # inf where a trial fails
    truth: Floats

    def draw(self, runs: int, budget: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """Return observed and truth (runs, budget) of random search."""
        if np.ptp(self.mass) < 1e-15:
            rows = rng.integers(0, len(self.mass), (runs, budget))
        else:
            edges = np.cumsum(self.mass)[:-1]
            rows = np.searchsorted(edges, rng.random((runs, budget)), side="right")
        return self.observed[rows], self.truth[rows]


@lru_cache(maxsize=8)
def table_of(problem: Problem) -> Table:
    """Return the table that random search draws from."""
    points = problem.view.declared.enumerate()
    answer = problem.answer(points)
    failed = answer.state != 0
    observed, truth = (np.where(failed, np.inf, v) for v in (answer.observed, answer.truth))
    return Table(masses(points), observed, truth)


def regrets(problem: Problem, runs: int, rng: np.random.Generator) -> dict[tuple[str, int], Floats]:
    """Return total, search and selection regret (runs,) of random search at each budget."""
    observed, truth = table_of(problem).draw(runs, BUDGETS[-1], rng)
    cell = replace(sim.cell_of(problem, runs, BUDGETS[-1]), observed=observed, truth=truth)
    total, (_, search, selection) = split(cell)
    known = {"total": total, "search": search, "selection": selection}
    return {(part, t): known[part][:, t - 1] for part in PARTS for t in BUDGETS}


def expectations(problem: Problem) -> dict[tuple[str, int], float]:
    """Return the exact means of the same."""
    curve, oracle = random_curve(problem), random_curve(problem, oracle=True)
    best, here = problem.optimum_universe, problem.optimum
    if curve is None or oracle is None:
        raise ValueError("only a table has a closed form")
    if not (isinstance(best, Optimum) and isinstance(here, Optimum)):
        raise ValueError("the optimum has to be exact")
    mean, best_mean = curve.expected(BUDGETS), oracle.expected(BUDGETS)
    values = {
        "total": mean - best.value,
        "search": best_mean - here.value,
        "selection": mean - best_mean,
    }
    return {(part, t): float(values[part][i]) for part in PARTS for i, t in enumerate(BUDGETS)}


def coverage_jobs(studies: int = STUDIES) -> Iterator[tuple[str, int]]:
    """Yield the arguments of ``coverage``."""
    for name in TABLES:
        yield name, studies


def coverage(name: str, studies: int) -> list[dict[str, object]]:
    """Return, by part, budget, repetitions and method, how often the interval held the mean."""
    problem, rng = problem_of(name), sim.generator("intervals", name)
    truth = expectations(problem)
    most = max(REPETITIONS)
    blocks = [regrets(problem, SHARED * most, rng) for _ in range(-(-studies // SHARED))]
    rows = []
    for key, mean in truth.items():
        values = [block[key].reshape(SHARED, most).T for block in blocks]
        if all(np.ptp(v) < 1e-9 for v in values):
            continue  # nothing varies: the number is exact and has no interval
        for n in REPETITIONS:
            for method, interval in INTERVALS.items():
                limits = [interval(v[:n], seed) for seed, v in enumerate(values)]
                rows.append(
                    {
                        **{"landscape": name, "part": key[0], "budget": key[1], "repetitions": n},
                        **{"method": method, "mean": mean},
                        "zeros": float(np.mean([v < 1e-9 for v in values])),
                        **_scored(limits, mean),
                    }
                )
    return rows


def _scored(limits: list[Bounds], truth: float) -> dict[str, object]:
    """How often intervals held the truth, missed it on each side, or did not exist."""
    low, high = (np.concatenate([limit[i] for limit in limits]) for i in range(2))
    exists = ~np.isnan(low)
    low, high = low[exists], high[exists]
    tiny = 1e-9 * max(1.0, abs(truth))
    held = (low <= truth + tiny) & (truth - tiny <= high)
    lower, upper = sim.rate_bounds(int(held.sum()), len(held))
    return {
        **{"studies": len(exists), "intervals": len(held), "coverage": held.mean()},
        **{"lower": lower, "upper": upper},
        **{
            "missed_below": (high < truth - tiny).mean(),
            "missed_above": (low > truth + tiny).mean(),
        },
    }


# --- break-even ----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Crossing:
    """Two searches whose net curve crosses zero for the last time after ``truth`` evaluations.

    ``draw(n, rng)`` gives the curves (n, ``most``) of n paired runs; a ``truth`` beyond ``most``
    has to be covered by "> most".
    """

    most: int
    truth: int
    draw: Callable[[int, np.random.Generator], Floats]


def _power_law(price: float, most: int, truth: int) -> Crossing:
    """The closed forms of volumes ε³ and ε^1.5 below f* + ε, the smaller space being dearer."""

    def draw(n: int, rng: np.random.Generator) -> Floats:
        universe, declared = rng.random((2, n, most)) ** (1 / np.array([3.0, 1.5]))[:, None, None]
        best = np.minimum.accumulate
        return np.asarray(best(universe, axis=1) - best(declared, axis=1) - price)

    return Crossing(most, truth, draw)


def _cora_without(option: str, most: int) -> Crossing:
    """The best truth seen on Cora, in the universe and without an option."""
    landscape = discovery.make("landscapes", "nas_graph", {**_CORA, "observe": "test"})
    view = assumption.assume(landscape.universe, [Without(axis=_OPERATIONS, option=option)])
    problem = Problem(landscape, view)
    everywhere, here = table_of(universe_of(problem)), table_of(problem)

    def draw(n: int, rng: np.random.Generator) -> Floats:
        curves = [
            np.minimum.accumulate(t.draw(n, most, rng)[1], axis=1) for t in (everywhere, here)
        ]
        with np.errstate(invalid="ignore"):
            return np.asarray(curves[0] - curves[1])

    return Crossing(most, break_even(winning(problem))[0] or 0, draw)


CROSSINGS: dict[str, Callable[[], Crossing]] = {
    "power laws, price 0.10": lambda: _power_law(0.10, 1_000, 468),
    "the same, budget 400": lambda: _power_law(0.10, 400, 468),  # it lies beyond the budget
    "Cora without graph": lambda: _cora_without("graph", 500),
    "Cora without gat": lambda: _cora_without("gat", 200),
}


def crossing_jobs(studies: int = STUDIES) -> Iterator[tuple[str, int, int]]:
    """Yield the arguments of ``crossing``."""
    for name in CROSSINGS:
        for n in REPETITIONS:
            yield name, n, studies


def crossing(name: str, n: int, studies: int) -> list[dict[str, object]]:
    """Return, by method, how often an interval of the break-even budget held it.

    ``studentised`` inverts the pointwise studentised intervals of the curve: from the last budget
    whose interval is above zero to the last one whose interval reaches above zero.
    """
    known, rng = CROSSINGS[name](), sim.generator("crossing", name, n)
    limits: dict[str, list[Bounds]] = {method: [] for method in METHODS}
    for study in range(studies):
        net = known.draw(n, rng)
        net[:, ~np.isfinite(net).all(axis=0)] = -1.0  # before the first success of every run
        resampled = last_positive(draw_counts(n, study % 4) @ net / n)[:, None]
        low, high = np.quantile(
            resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0, method="inverted_cdf"
        )
        limits["percentile"].append((low, high))
        estimate = last_positive(net.mean(axis=0)[None])
        limits["bca"].append(corrected(resampled, estimate, _acceleration(net)))
        limits["studentised"].append(inverted(net, study))
    return [
        {
            **{"crossing": name, "repetitions": n, "method": method},
            **{"truth": known.truth, "most": known.most},
            **_scored(limits[method], float(min(known.truth, known.most))),
            "median_low": float(np.median([low for low, _ in limits[method]])),
            "median_high": float(np.median([high for _, high in limits[method]])),
        }
        for method in METHODS
    ]


def last_positive(curves: Floats) -> Floats:
    """Return the last column (k,), from 1, at which each curve (k, T) is above zero; 0: none."""
    above = curves > 1e-12
    last = curves.shape[1] - above[:, ::-1].argmax(axis=1)
    return np.where(above.any(axis=1), last, 0).astype(np.float64)


def _acceleration(net: Floats) -> Floats:
    """The jackknife's, of the crossing itself (1,)."""
    n = len(net)
    left_out = last_positive((net.sum(axis=0) - net) / (n - 1))
    off = left_out.mean() - left_out
    spread = (off**2).sum() ** 1.5
    return np.array([(off**3).sum() / (6 * spread) if spread > 0 else 0.0])


GRID = 120  # budgets at which the pointwise intervals are computed


def inverted(net: Floats, seed: int) -> Bounds:
    """Return the interval (1,) of the crossing from pointwise studentised ones, on a grid."""
    at = np.unique(np.linspace(1, net.shape[1], GRID).astype(np.int64))
    band = bootstrap_means(net[None][:, :, at - 1], level=LEVEL, resamples=1_000, seed=seed)
    return _last_budget(band[:, 0], at, -1), _last_budget(band[:, 1], at, 1)


def _last_budget(limit: Floats, at: Ints, side: int) -> Floats:
    """The last budget of the grid with a limit above zero; rounded outwards, 0: none."""
    above = np.flatnonzero(np.nan_to_num(limit) > 0)
    if not len(above):
        return np.zeros(1)
    last = above[-1] if side < 0 else min(above[-1] + 1, len(at) - 1)
    return np.array([float(at[last])])
