"""Synthetic tidy tables, as a study of eight data sets would give them; the same every time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

DATA_SETS = ("cora", "citeseer", "pubmed", "cs", "physics", "photo", "computers", "arxiv")
STRATEGIES = ("grid", "random", "gp", "evolution")
SPACES = ("universe", "declared")
OPERATIONS = ("gat", "gcn", "gin", "cheb", "sage", "arma", "graph", "fc", "skip")
PRICES = (0.867, 0.2, 0.1, 0.0, 0.0, 0.0, 0.052, 0.018)
HOSTILE = (
    "<script>document.title='pwned'</script>",
    "$x_1$ & 50% #1 \\input{/etc/passwd}",
    '=HYPERLINK("http://example.org","x")',
    "__init__ 注意 мир \x1b[31m\u202e",
    "a_very_long_name_" * 6,
    '"><img src=x onerror="document.title=\'pwned\'">',
    "'}}{{7*7}}{% raw %}",
    "@SUM(A1) ~^ [x] --",
)


def tables(
    landscapes: Sequence[str] = DATA_SETS,
    spaces: Sequence[str] = SPACES,
    strategies: Sequence[str] = STRATEGIES,
    budgets: Sequence[int] = (50,),
    axes: int = 4,
    options: Sequence[str] = OPERATIONS,
    repetitions: int = 30,
) -> dict[str, pd.DataFrame]:
    """All tidy tables of a study; the first space is the universe, the first strategy a grid."""
    rng = np.random.default_rng(20261123)
    prices = {name: PRICES[i % len(PRICES)] for i, name in enumerate(landscapes)}
    arms = [
        (landscape, space, strategy)
        for landscape in landscapes
        for space in spaces
        for strategy in strategies
    ]
    names = [f"op{i + 1}" for i in range(axes)]
    return {
        "price": _price(prices, spaces),
        "arms": _arms(rng, arms, prices, spaces, strategies, budgets, repetitions),
        "curves": _curves(rng, arms, prices, spaces, strategies, max(budgets)),
        "regions": _regions(rng, arms, prices, spaces, strategies, names, options, repetitions),
        "coverage": _coverage(rng, arms),
        "fates": pd.DataFrame(
            [(*arm, 0, 40, 3.2, 9.1, 20.7, 7.0) for arm in arms],
            columns=[*_ARM, "instance", "basins", "found", "entered", "missed", "excluded"],
        ),
        "benefit": _benefit(rng, arms, spaces, strategies),
    }


_ARM = ("landscape", "space", "strategy")


def facts(**changes: Any) -> dict[str, Any]:
    """What a report says beside the tables."""
    return {
        "name": "no_attention",
        "question": "What does a search space without attention cost?",
        "spaces": {
            "universe": [],
            "declared": ['without "gat" in op1, op2, op3 and op4: the team knew convolutions'],
        },
        "strategies": dict.fromkeys(STRATEGIES, "default settings"),
        "budget": 50,
        "repetitions": 30,
        "instances": 1,
        "missing": [],
        "mixed": [],
        "damaged": [],
        "provenance": {"numpy": "2.4.6", "CPU": "x86-64, AVX2"},
        "hash": "0123456789abcdef" * 4,
        **changes,
    }


def _price(prices: dict[str, float], spaces: Sequence[str]) -> pd.DataFrame:
    rows = []
    for place, (landscape, price) in enumerate(prices.items()):
        for space in spaces:
            declared = space != spaces[0]
            paid = price * (1 + spaces.index(space) / 10) if declared else 0.0
            rows.append(
                {
                    "landscape": landscape,
                    "unit": "pp of test error",
                    "space": space,
                    "optimum": 11.0 + place + paid,
                    "price": paid,
                    "exact": True,
                    "low": paid,
                    "high": paid,
                    "instances": 1,
                    "points": 36864 if declared else 59040,
                    "carriers": 8 if paid else 0,
                    "chance_mean": 0.2 / (1 + place) if declared else np.nan,
                    "chance_p": (0.0006, 0.16, 0.31, 1.0)[min(place, 3)] if declared else np.nan,
                    "wins": "1–179" if declared else "",
                    "break_even": 179.0 if declared else np.nan,
                    "break_even_status": "finite" if declared else "never",
                    "oracle_wins": "12–∞" if declared else "",
                    "oracle_break_even": np.nan,
                    "oracle_break_even_status": "unbounded" if declared else "never",
                }
            )
    return pd.DataFrame(rows)


def _arms(
    rng: np.random.Generator,
    arms: Sequence[tuple[str, str, str]],
    prices: dict[str, float],
    spaces: Sequence[str],
    strategies: Sequence[str],
    budgets: Sequence[int],
    repetitions: int,
) -> pd.DataFrame:
    rows = []
    for landscape, space, strategy in arms:
        for budget in budgets:
            declared = space != spaces[0]
            grid = strategy == strategies[0]
            paid = prices[landscape] if declared else 0.0
            search, selection = rng.gamma(3, 12 / budget), rng.gamma(2, 0.1)
            total = paid + search + selection
            rows.append(
                {
                    "landscape": landscape,
                    "unit": "pp of test error",
                    "space": space,
                    "strategy": strategy,
                    "budget": budget,
                    "runs": repetitions,
                    "samples": 1 if grid else repetitions,
                    "statistic": "mean",
                    "failures": 0.3,
                    "success": 1.0,
                    "total": total,
                    "from_space": paid,
                    "from_search": search,
                    "from_selection": selection,
                    "floor": 0.5,
                    "shortfall": total - paid - 0.5,
                    "total_low": np.nan if grid else total - 0.2 * search,
                    "total_high": np.nan if grid else total + 0.3 * search,
                    "split": True,
                }
            )
    return pd.DataFrame(rows)


def _curves(
    rng: np.random.Generator,
    arms: Sequence[tuple[str, str, str]],
    prices: dict[str, float],
    spaces: Sequence[str],
    strategies: Sequence[str],
    budget: int,
) -> pd.DataFrame:
    evaluation = np.arange(1, budget + 1)
    known = [*arms, *dict.fromkeys((a, s, "random, exact") for a, s, _ in arms)]
    parts = []
    for landscape, space, strategy in known:
        paid = prices[landscape] if space != spaces[0] else 0.0
        drop = rng.gamma(2, 0.3, budget) * (rng.random(budget) < 0.3)
        centre = paid + 0.4 + 12 * np.exp(-np.cumsum(drop) / 3) / evaluation**0.5
        alone = strategy in (strategies[0], "random, exact")
        parts.append(
            pd.DataFrame(
                {
                    "landscape": landscape,
                    "unit": "pp of test error",
                    "space": space,
                    "strategy": strategy,
                    "evaluation": evaluation,
                    "runs": 30,
                    "centre": centre,
                    "low": np.nan if alone else centre * 0.85,
                    "high": np.nan if alone else centre * 1.2,
                    "statistic": "mean",
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _regions(
    rng: np.random.Generator,
    arms: Sequence[tuple[str, str, str]],
    prices: dict[str, float],
    spaces: Sequence[str],
    strategies: Sequence[str],
    axes: Sequence[str],
    options: Sequence[str],
    runs: int,
) -> pd.DataFrame:
    single = [((axis, option),) for axis in axes for option in options]
    pairs = [(a, b) for (a,), (b,) in combinations(single[:12], 2) if a[0] != b[0]]
    rows = []
    for landscape, space, strategy in arms:
        gone = options[0] if space != spaces[0] else None
        left = len(options) - (gone is not None)
        for parts in [*single, *pairs]:
            excluded = any(option == gone for _, option in parts)
            measure = 0.0 if excluded else (1 / left) ** len(parts)
            share = measure * float(rng.lognormal(0, 0.8))
            verdict = "excluded" if excluded else "no evidence"
            if not excluded and len(parts) == 1 and rng.random() < 0.08:
                verdict, share = "never seen", 0.0
            elif not excluded and rng.random() < 0.05:
                verdict, share = "neglected", measure / 9
            if strategy == strategies[0] and verdict == "never seen":
                verdict = "never, by construction"
            flagged = verdict in ("never seen", "neglected")
            bare = 11.0 + list(prices).index(landscape)  # the universe's optimum
            best = bare if excluded and len(parts) == 1 else bare + 1 + float(rng.gamma(2, 0.4))
            costly = flagged and rng.random() < 0.2
            rows.append(
                {
                    "landscape": landscape,
                    "space": space,
                    "strategy": strategy,
                    "instance": 0,
                    "system": "options" if len(parts) == 1 else "pairs",
                    "region": " and ".join(f"{axis} = {option}" for axis, option in parts),
                    "axis": parts[0][0] if len(parts) == 1 else "",
                    "option": parts[0][1] if len(parts) == 1 else "",
                    "measure": measure,
                    "runs_visited": 0 if share == 0 or excluded else runs - 2,
                    "runs": runs,
                    "expected": 1 - (1 - measure) ** 50,
                    "p": 1e-6 if flagged else np.nan if excluded else 0.6,
                    "p_adjusted": 1e-4 if flagged else np.nan if excluded else 1.0,
                    "bound": 0.095 if flagged else np.nan,
                    "verdict": verdict,
                    "costly": bool(costly),
                    "best": best,
                    "missed": float(rng.gamma(2, 0.2)) if costly or excluded else 0.0,
                    "share": 0.0 if excluded else share,
                    "first_visit": np.nan if share == 0 else 4.0,
                    "last_visit": np.nan if share == 0 else 47.0,
                }
            )
    return pd.DataFrame(rows)


def _coverage(rng: np.random.Generator, arms: Sequence[tuple[str, str, str]]) -> pd.DataFrame:
    columns = [
        *_ARM,
        "instance",
        "cells",
        "occupied",
        "expected_in_space",
        "expected_in_universe",
        "excess_emptiness",
        "distinct",
        "repeats",
    ]
    rows = []
    for arm in arms:
        occupied = 48 - float(rng.gamma(2, 4))
        rows.append((*arm, 0, 729, occupied, 48.3, 47.1, 1 - occupied / 48.3, 44.0, 6.0))
    return pd.DataFrame(rows, columns=columns)


def _benefit(
    rng: np.random.Generator,
    arms: Sequence[tuple[str, str, str]],
    spaces: Sequence[str],
    strategies: Sequence[str],
) -> pd.DataFrame:
    rows = []
    for landscape, space, strategy in arms:
        if space == spaces[0]:
            continue
        net = float(rng.normal(0, 0.5))
        alone = strategy == strategies[0]
        wide = np.nan if alone else 0.4
        rows.append(
            (landscape, space, strategy, "pp of test error", net, net - wide, net + wide, 30)
        )
    return pd.DataFrame(rows, columns=[*_ARM, "unit", "net", "low", "high", "runs"])
