"""The price of an assumption: what the best of the declared space is worse than the best of all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from hpo_lab.assumption import View
from hpo_lab.landscape import Bounds, Optimum, Problem, enumeration
from hpo_lab.measure import Measure, Results
from hpo_lab.region import contains, masses
from hpo_lab.space import ENUMERABLE, Floats
from hpo_lab.statistics import (
    Chance,
    RandomSearchCurve,
    break_even,
    price_against_chance,
    price_over_seeds,
    random_search_curve,
    winning_budgets,
)
from hpo_lab.study import Part, SpaceSpec, Study

if TYPE_CHECKING:
    import pandas as pd

Wins = list[tuple[int, int | None]]


@dataclass(frozen=True)
class Price(Measure):
    """P = f*(S) − f*(U) of every declared space on every landscape, free of budget and strategy.

    Means over instances. ``points`` of the product have a value; ``carriers`` are better than
    everything left (things that are the same count once); ``chance_mean`` and ``chance_p`` come
    from removing as many at random. ``wins`` are the budgets at which random search expects a
    better incumbent in the declared space, ``oracle_wins`` the same for the best truth drawn;
    both exact, for one instance of an enumerable landscape without noise. ``low`` and ``high`` are
    [LB_S − UB_U, UB_S − LB_U] where optima are bounds. On a table with several training seeds a
    point ``seeds_low`` and ``seeds_high`` are the 95 % interval of the price over seeds, and
    ``conditional`` says so; with one seed all of it is conditional on that table, and it says that.
    One row a landscape and space.
    """

    name: ClassVar[str] = "price"

    def __call__(self, results: Results) -> pd.DataFrame:
        import pandas as pd

        study = results.study
        return pd.DataFrame(
            [
                _row(study, landscape, space)
                for landscape in study.landscapes
                for space in study.spaces
                if landscape.label in space.landscapes
            ]
        )


def _row(study: Study, landscape: Part, space: SpaceSpec) -> dict[str, Any]:
    problems = [
        study.problem(landscape, space, instance) for instance in study.instances_of(landscape)
    ]
    single = problems[0] if len(problems) == 1 else None
    chance = chance_of(single) if single else None
    wins, oracle = (winning(single, oracle=o) if single else None for o in (False, True))
    value, status = break_even(wins)
    oracle_value, oracle_status = break_even(oracle)
    budgets = list(study.budgets)
    return {
        "landscape": landscape.label,
        "unit": problems[0].landscape.unit,
        "space": space.label,
        "instances": len(problems),
        **_values(problems),
        **_over_seeds(single),
        "points": _points(problems),
        "carriers": chance.carriers if chance else np.nan,
        "chance_mean": chance.mean if chance else np.nan,
        "chance_p": chance.p if chance else np.nan,
        "wins": wins,
        "break_even": value,
        "break_even_status": status,
        "oracle_wins": oracle,
        "oracle_break_even": oracle_value,
        "oracle_break_even_status": oracle_status,
        "budgets": budgets,
        "random_regret": _random_regret(single, budgets),
    }


def _values(problems: Sequence[Problem]) -> dict[str, Any]:
    """Optimum and price, means over instances; nan with bounds where they are not exact."""
    here = np.array([_ends(problem.optimum) for problem in problems])
    best = np.array([_ends(problem.optimum_universe) for problem in problems])
    exact = bool((here[:, 0] == here[:, 1]).all() and (best[:, 0] == best[:, 1]).all())
    with np.errstate(invalid="ignore"):
        low = float(np.maximum(here[:, 0] - best[:, 1], 0.0).mean())
        high = float((here[:, 1] - best[:, 0]).mean())
    known = bool((here[:, 0] == here[:, 1]).all())
    return {
        "optimum": float(here[:, 0].mean()) if known else np.nan,
        "price": low if exact else np.nan,
        "exact": exact,
        "low": low,
        "high": high,
    }


def _over_seeds(problem: Problem | None) -> dict[str, Any]:
    """The interval of the price over training seeds, and what the price is conditional on."""
    measured = problem.landscape.replicates() if problem else None
    if problem is None or measured is None or problem.view == universe_of(problem).view:
        return {"seeds": np.nan, "seeds_low": np.nan, "seeds_high": np.nan, "conditional": ""}
    seeds = int((~np.isnan(measured)).sum(axis=1).max())
    found = _seeds_interval(problem) if seeds > 1 else None
    low, high = found or (np.nan, np.nan)
    words = f"interval from {seeds} training seeds" if found else "conditional on this table"
    return {"seeds": seeds, "seeds_low": low, "seeds_high": high, "conditional": words}


@lru_cache(maxsize=256)
def _seeds_interval(problem: Problem) -> tuple[float, float] | None:
    landscape = problem.landscape
    measured = landscape.replicates()
    if measured is None:
        return None
    points = landscape.universe.enumerate()
    removed = ~contains(landscape.universe, problem.view.image, points)
    if not removed.any() or np.isnan(measured[~removed]).all():
        return None
    return price_over_seeds(measured, removed)


def _ends(optimum: Optimum | Bounds) -> tuple[float, float]:
    if isinstance(optimum, Optimum):
        return optimum.value, optimum.value
    return optimum.low, optimum.high


def _points(problems: Sequence[Problem]) -> float:
    """How many points of the declared product have a value; nan where they are infinite."""
    draws = [draws_of(problem) for problem in problems]
    if any(one is None for one in draws):
        sizes = [problem.view.declared.size for problem in problems]
        return float(np.mean(sizes)) if np.isfinite(sizes).all() else np.nan
    return float(np.mean([int(np.isfinite(one[2]).sum()) for one in draws if one is not None]))


@lru_cache(maxsize=64)
def draws_of(problem: Problem) -> tuple[Floats, Floats, Floats] | None:
    """Return mass, observed and truth of every point of a finite space, as ``random`` draws them.

    None where it is infinite, too large or noisy.
    """
    landscape, declared = problem.landscape, problem.view.declared
    if declared.size > ENUMERABLE or landscape.stochastic or enumeration(landscape) is None:
        return None
    points = declared.enumerate()
    lifted = problem.view.lift(points)
    return masses(points), landscape.observe(lifted), landscape.evaluate(lifted)


@lru_cache(maxsize=64)
def random_curve(problem: Problem, oracle: bool = False) -> RandomSearchCurve | None:
    """Return what random search expects in a declared space after n draws; None if unknown.

    The truth of its incumbent, or with ``oracle`` the best truth among the draws.
    """
    draws = draws_of(problem)
    if draws is None:
        return None
    mass, observed, truth = draws
    return random_search_curve(mass, truth if oracle else observed, truth)


@lru_cache(maxsize=64)
def universe_of(problem: Problem) -> Problem:
    """Return the same landscape with nothing assumed."""
    return Problem(problem.landscape, View.identity(problem.view.universe))


@lru_cache(maxsize=128)
def winning(problem: Problem, *, oracle: bool = False) -> Wins | None:
    """Return the budgets at which random search expects better here than in the universe."""
    here = random_curve(problem, oracle)
    everywhere = random_curve(universe_of(problem), oracle)
    if here is None or everywhere is None:
        return None
    return winning_budgets(everywhere, here)


def chance_of(problem: Problem) -> Chance | None:
    """Return the price against the prices of removing as many distinct things at random."""
    table = enumeration(problem.landscape)
    if table is None:
        return None
    inside = contains(problem.landscape.universe, problem.view.image, table.points)
    valued = ~np.isnan(table.truth)
    distinct, first, inverse = np.unique(table.same[valued], return_index=True, return_inverse=True)
    kept = np.zeros(len(distinct), dtype=bool)
    np.logical_or.at(kept, inverse, inside[valued])
    return price_against_chance(table.truth[valued][first], ~kept)


def _random_regret(problem: Problem | None, budgets: list[int]) -> list[float] | None:
    """Random search's expected total regret at the study's budgets, exact; None if unknown."""
    curve = random_curve(problem) if problem else None
    if problem is None or curve is None or not isinstance(problem.optimum_universe, Optimum):
        return None
    return [float(v) for v in curve.expected(budgets) - problem.optimum_universe.value]


def in_words(wins: Sequence[tuple[int, int | None]] | None) -> str:
    """Return winning budgets as text.

    >>> in_words([(1, 5), (7, 7), (12, None)])
    '1–5, 7, 12–∞'
    """
    return ", ".join(str(a) if a == b else f"{a}–{'∞' if b is None else b}" for a, b in wins or [])
