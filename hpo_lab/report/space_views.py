"""What a declared space cost, what it gained, and what a choice in it is worth, as tables."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from hpo_lab.figures._style import longest
from hpo_lab.figures._words import MISSING, decimals, interval, number, numbers, p_value, plain
from hpo_lab.report.view import (
    Tables,
    View,
    arm_columns,
    common_unit,
    counts,
    fixed,
    table_of,
    texts,
    units,
    view_of,
)

if TYPE_CHECKING:
    import pandas as pd

SHARES = {"Share": "shapley", "Alone": "first_in", "Given up": "last_out"}


def price(tables: Tables) -> View | None:
    """The price of each declared space beside chance, the most expensive first."""
    from hpo_lab.figures.price_chance import declared

    rows = table_of(tables, "price")
    if rows is None:
        return None
    rows = declared(rows).sort_values("price", ascending=False, kind="stable")
    if rows.empty:
        return None
    places = decimals(rows["price"])
    columns = {
        "Landscape": texts(rows["landscape"]),
        "Space": texts(rows["space"]),
        "Price #": [_priced(row, places) for _, row in rows.iterrows()],
        **_seeds(rows, places),
        **units(rows),
        "By chance #": numbers(list(rows["chance_mean"])),
        "p #": [p_value(float(p)) for p in rows["chance_p"]],
        "Carried by #": counts(rows["carriers"]),
        "Points left #": counts(rows["points"]),
        "Random search wins at": [
            plain(wins) or ("unknown" if status == "unknown" else "no budget")
            for wins, status in zip(rows["wins"], rows["break_even_status"], strict=True)
        ],
        "Break-even #": [
            _break_even(v, s)
            for v, s in zip(rows["break_even"], rows["break_even_status"], strict=True)
        ],
    }
    note = (
        "Price: how far the space’s optimum lies above the universe’s. By chance: the mean price "
        "of leaving out as many points at random; p: the probability that this costs at least as "
        "much. Carried by: points better than everything left. Wins: the budgets at which random "
        "search expects less regret in the space than in the universe; break-even: the last of "
        "them."
    ) + _conditional(rows)
    return view_of("price", "What each space costs" + common_unit(rows), columns, note)


def _priced(row: pd.Series[Any], places: int) -> str:
    value, low, high = float(row["price"]), float(row["low"]), float(row["high"])
    if math.isfinite(value) and bool(row["exact"]):
        return number(value, places)
    if math.isfinite(low) and math.isfinite(high):
        return interval(low, high, decimals([low, high]))
    return "unknown"


def _break_even(value: float, status: object) -> str:
    finite = isinstance(value, float | int) and math.isfinite(value)
    return f"{value:,.0f}" if status == "finite" and finite else plain(status)


def benefit(tables: Tables) -> View | None:
    """What each strategy gained (or lost) at this budget by searching the declared space."""
    rows = table_of(tables, "benefit")
    if rows is None:
        return None
    places = decimals(rows["net"])
    columns = {
        **arm_columns(rows),
        "Net benefit #": fixed(rows["net"], places),
        "95 % interval #": [
            interval(float(a), float(b), places) or MISSING
            for a, b in zip(rows["low"], rows["high"], strict=True)
        ],
        "Pairs of runs #": counts(rows["runs"]),
        **units(rows),
    }
    note = (
        "Total regret in the universe minus total regret in the declared space, in paired runs: "
        "above zero, the declared space gave the better result at this budget, its price included."
    )
    return view_of("benefit", "Net benefit at this budget" + common_unit(rows), columns, note)


def _seeds(rows: pd.DataFrame, places: int) -> dict[str, list[str]]:
    """The interval over training seeds, where some landscape has several."""
    if "seeds_low" not in rows or not rows["seeds_low"].notna().any():
        return {}
    ends = zip(rows["seeds_low"], rows["seeds_high"], strict=True)
    return {"95 % over seeds #": [interval(float(a), float(b), places) or MISSING for a, b in ends]}


def _conditional(rows: pd.DataFrame) -> str:
    """Whether prices of tables are conditional on the one table that there is."""
    if "conditional" not in rows or not (rows["conditional"] == "conditional on this table").any():
        return ""
    return " A price that is read from a table of one seed is conditional on that table."


def attribution(tables: Tables) -> View | None:
    """The price of each space that makes several assumptions, shared among them."""
    rows = table_of(tables, "attribution")
    if rows is None:
        return None
    rows = rows[(rows["game"] == "price") & rows["shapley_high"].notna()]
    rows = rows.sort_values("shapley_high", ascending=False, kind="stable")
    order = rows.groupby(["landscape", "space"], sort=False)["total"].transform("max")
    rows = rows.assign(order=order.fillna(0.0)).sort_values(
        ["order", "landscape", "space"], ascending=[False, True, True], kind="stable"
    )
    if rows.empty:
        return None
    places = decimals(rows["shapley_high"])
    columns = {
        "Landscape": texts(rows["landscape"]),
        "Space": texts(rows["space"]),
        "Assumption": texts(rows["assumption"]),
        **{
            f"{head} #": [_within(row, share, places) for _, row in rows.iterrows()]
            for head, share in SHARES.items()
        },
        "Price of all #": fixed(rows["total"], places),
        **units(rows),
    }
    note = (
        "Share: the mean contribution to the price over all orders in which the assumptions can "
        "be made (Shapley); the shares add up to the price of all. Alone: what the assumption "
        "costs as the only one. Given up: what is gained by giving up just this one. A share "
        "without a gain from giving up is masked by the others."
    )
    title = "The price, shared among the assumptions" + common_unit(rows)
    return view_of("attribution", title, columns, note)


def _within(row: pd.Series[Any], share: str, places: int) -> str:
    """A share, or its bounds where optima are only bounded."""
    value, low, high = float(row[share]), float(row[f"{share}_low"]), float(row[f"{share}_high"])
    return number(value, places) if math.isfinite(value) else interval(low, high, places)


def break_even(tables: Tables) -> View | None:
    """At which budgets each strategy was better off in the declared space."""
    rows = table_of(tables, "break_even")
    if rows is None:
        return None
    rows, _ = longest(rows)
    columns = {
        "Landscape": texts(rows["landscape"]),
        "Space": texts(rows["space"]),
        "Strategy": texts(rows["strategy"]),
        "Ahead at": [plain(text) or "no budget" for text in rows["wins"]],
        "Surely ahead at": [plain(text) or "no budget" for text in rows["sure_wins"]],
        "Break-even #": [plain(text) for text in rows["shown"]],
        "95 % interval #": [_crossing(text) for text in rows["interval"]],
        "Pairs of runs #": [f"{int(n):,}" if n else MISSING for n in rows["pairs"]],
    }
    note = (
        "Ahead: evaluations after which mean regret is lower in the declared space than in the "
        "universe, its price included; surely: where the pointwise 95 % interval lies above zero "
        "(30 repetitions or more). Break-even: the last of them; “> T” where the space is still "
        "ahead at the end of the budget. “random, exact” is random search’s expectation in closed "
        "form. The interval is of the crossing itself, and approximate: it moves by jumps."
    )
    return view_of("break_even", "Net price and break-even", columns, note)


def _crossing(text: object) -> str:
    """The interval of a crossing, once where both its ends are the same."""
    if not isinstance(text, str) or not text:
        return MISSING
    ends = text.strip("[]").split(", ")
    return plain(ends[0] if len(set(ends)) == 1 else text)


def selection(tables: Tables) -> View | None:
    """What one would choose by which scores, and what that scores on the others."""
    rows = table_of(tables, "selection")
    if rows is None:
        return None
    places = decimals(rows["score"])
    columns = {
        "Landscape": texts(rows["landscape"]),
        "Space": texts(rows["space"]),
        "Best by": texts(rows["chosen_by"]),
        "Equals #": [f"{ties:,.3g}" for ties in rows["ties"]],
        "Score #": fixed(rows["score"], places),
        **_told(rows, places),
        "Price by this score #": numbers(list(rows["price"])),
        **units(rows),
    }
    note = (
        "The best of many noisy scores is better by luck: what one chooses by one score is worse "
        "by another that the choice was not made by. Observed: what strategies are told. Truth: "
        "what regret is counted in. Price by this score: its best in the space minus its best in "
        "the universe; where the rows of a space differ, its price depends on the score."
    )
    return view_of("selection", "Selection" + common_unit(rows), columns, note)


def _told(rows: pd.DataFrame, places: int) -> dict[str, list[str]]:
    """The choice's observed value and truth; what seeds left out say, where there are several."""
    heads = {"observed": "Observed #", "truth": "Truth #"}
    heads |= {"held_out": "Other seeds #", "curse": "Worse there by #"}
    return {head: fixed(rows[n], places) for n, head in heads.items() if rows[n].notna().any()}
