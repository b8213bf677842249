"""The budgets at which a declared space wins, and how sure the last of them is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from hpo_lab.measure import Measure, Results
from hpo_lab.measures.benefit import Pair, paired_arms
from hpo_lab.measures.net import ClosedForm, closed_forms, curve_of
from hpo_lab.measures.price import in_words, winning
from hpo_lab.statistics import (
    MINIMUM_REPETITIONS,
    break_even,
    last_positive_interval,
    positive_budgets,
)

if TYPE_CHECKING:
    import pandas as pd

CENSORED = "beyond the budget"


@dataclass(frozen=True)
class BreakEven(Measure):
    """The last budget at which a declared space is ahead of the universe, its price included.

    ``wins`` are all budgets with N_T > 0 (see the measure ``net``), ``sure_wins`` those where the
    pointwise 95 % interval lies above zero. ``break_even`` is the last win, with a ``status``:
    "never", "finite" (the space is behind from there to the end of the budget), "beyond the
    budget" (ahead at the end of it: ``shown`` says "> T") or "unknown"; of the exact rows,
    "unbounded" where it never ends. ``low`` and ``high`` bound the crossing itself (95 %, from
    resampled pairs, 30 repetitions or more): 0 is never, inf beyond the budget. This interval is
    approximate, for the crossing moves by jumps: with 30 pairs it covered .94 where the net curve
    is steep and .81 where it is flat (experiments/instrument). One row an arm.
    """

    name: ClassVar[str] = "break_even"

    def __call__(self, results: Results) -> pd.DataFrame:
        import pandas as pd

        rows = [_row(pair) for pair in paired_arms(results)]
        rows += [_closed(form) for form in closed_forms(results.study)]
        return pd.DataFrame(rows, columns=list(_COLUMNS))


_COLUMNS = (
    *("landscape", "space", "strategy", "budget", "unit", "pairs", "wins", "sure_wins"),
    *("break_even", "status", "shown", "low", "high", "interval"),
)


def _row(pair: Pair) -> dict[str, Any]:
    budget = pair.here.shape[2]
    curve = curve_of(pair)
    wins = positive_budgets(curve.net)
    value, status = break_even(wins if np.isfinite(curve.net).any() else None)
    if value == budget:
        value, status = None, CENSORED
    interval = None
    if pair.here.shape[1] >= MINIMUM_REPETITIONS and not pair.arm.deterministic:
        interval = last_positive_interval(np.where(curve.whole, pair.net, np.nan))
    low, high = (np.inf if end == budget else float(end) for end in interval or (np.nan, np.nan))
    return {
        **pair.arm.labels,
        "unit": pair.arm.unit,
        "pairs": pair.here.shape[0] * pair.here.shape[1],
        "wins": in_words(wins),
        "sure_wins": in_words(positive_budgets(curve.low)),
        "break_even": np.nan if value is None else float(value),
        "status": status,
        "shown": f"> {budget:,}" if status == CENSORED else _shown(value, status),
        "low": low,
        "high": high,
        "interval": "" if interval is None else f"[{_end(low, budget)}, {_end(high, budget)}]",
    }


def _end(budget: float, most: int) -> str:
    return f"> {most:,}" if np.isinf(budget) else "never" if budget == 0 else f"{budget:,.0f}"


def _shown(value: int | None, status: str) -> str:
    return status if value is None else f"{value:,}"


def _closed(form: ClosedForm) -> dict[str, Any]:
    wins = winning(form.problem)
    value, status = break_even(wins)
    return {
        **form.labels,
        "pairs": 0,
        "wins": in_words(wins),
        "sure_wins": in_words(wins),
        "break_even": np.nan if value is None else float(value),
        "status": status,
        "shown": _shown(value, status),
        "low": np.nan,
        "high": np.nan,
        "interval": "",
    }
