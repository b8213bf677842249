"""What each section of a report says in plain words before its figures and tables."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from hpo_lab.figures._style import EXACT, longest
from hpo_lab.figures._words import counted, decimals, in_unit, listed, number, percent, plain
from hpo_lab.report.coverage_views import at_the_end, signed_percent
from hpo_lab.report.search_views import BLIND, TESTED, with_causes
from hpo_lab.report.view import Tables, table_of

if TYPE_CHECKING:
    import pandas as pd

MOST = 5  # sentences of one kind
RULES = 12  # rules that are written out
PER_ARM = 2  # of them from one arm: a strategy with many would hide the others
LEVEL = 0.05


def masking(tables: Tables) -> list[str]:
    """Which assumptions look harmless one at a time, and which prices cannot be shared."""
    rows = table_of(tables, "attribution")
    if rows is None:
        return []
    rows = rows[rows["game"] == "price"].drop_duplicates(["landscape", "space"])
    text = []
    for _, row in rows[rows["words"].fillna("") != ""].head(MOST).iterrows():
        where = f"On {plain(row['landscape'])}, in the space “{plain(row['space'])}”"
        text.append(f"Masked: {_lowered(where)}, {plain(row['words'])}.")
    odd = rows[rows["status"].str.startswith(("refused", "unknown"))]
    for status, part in odd.groupby("status", sort=False):
        names = listed(dict.fromkeys(part["landscape"] + " (" + part["space"] + ")"), 4)
        text.append(f"The price is not shared on {names}: {plain(status)}.")
    return text


def _lowered(text: str) -> str:
    return text[0].lower() + text[1:]


def ahead(tables: Tables) -> list[str]:
    """For each declared space: how often and how long it is ahead, its price included."""
    rows = table_of(tables, "break_even")
    if rows is None:
        return []
    rows = longest(rows)[0]
    text = []
    for space, part in list(rows[rows["strategy"] != EXACT].groupby("space", sort=False))[:MOST]:
        told = [f"never in {(part['status'] == 'never').sum()}"]
        ended = part[part["status"] == "finite"]
        if len(ended):
            last = (
                f"the last time after {counted(round(ended['break_even'].median()), 'evaluation')}"
            )
            told.append(f"for a while in {len(ended)} ({last}{', median' * (len(ended) > 1)})")
        if count := int((part["status"] == "beyond the budget").sum()):
            told.append(f"still at the end of the budget in {count}")
        if count := int((part["status"] == "unknown").sum()):
            told.append(f"unknown in {count}")
        text.append(
            f"A search of “{plain(space)}” was ahead of the same search of the universe, the price "
            f"included: {'; '.join(told)} of {counted(len(part), 'comparison')} (one a landscape "
            "and strategy, by mean regret)."
        )
    return text


def blame(tables: Tables) -> list[str]:
    """How many blind spots are costly, what the space is to blame for, and what no test tells."""
    rows = table_of(tables, "regions")
    if rows is None:
        return []
    rows = longest(rows)[0]
    text = []
    tested = rows[rows["verdict"].isin(TESTED)]
    costly = tested[tested["costly"].astype(bool)]
    if len(tested):
        best = f"; in {len(costly)} of them lay something better than the mean result"
        text.append(
            f"{counted(len(tested), 'region')} of the declared spaces "
            f"{'was' if len(tested) == 1 else 'were'} never seen or neglected against uniform "
            f"search with the same budget{best} (costly)."
        )
    text += _by_space(rows)
    fixed = rows[rows["verdict"] == "never, by construction"]
    if len(fixed):
        names = listed(dict.fromkeys(fixed["strategy"]))
        text.append(
            f"For {names} there is no p-value: a deterministic strategy is one sample, and what it "
            "does not visit it never will at this budget."
        )
    return text


def _by_space(rows: pd.DataFrame) -> Iterator[str]:
    """Regions that only the universe's reference calls blind: the space is to blame for those."""
    if "universe_verdict" not in rows:
        return
    thin = rows[rows["universe_verdict"].isin(TESTED) & ~rows["verdict"].isin((*BLIND, "excluded"))]
    for space, part in list(thin.groupby("space", sort=False))[:MOST]:
        names = listed(dict.fromkeys(part["region"]), 3)
        yield (
            f"The space “{plain(space)}” is to blame for {counted(len(part), 'more verdict')} "
            f"({names}): against uniform search of the universe these regions are never seen or "
            "neglected, against uniform search of the space they are not, since it leaves so "
            "little of them."
        )


def rules(tables: Tables) -> tuple[list[tuple[str, str]], str]:
    """Blind spots that nobody declared as (where, sentence), and what is not shown of them.

    Costly ones first, tested ones before those by construction, few of each arm.
    """
    rows = table_of(tables, "rules")
    if rows is None:
        return [], ""
    rows = longest(rows)[0]
    rows = rows.assign(costly=rows["costly"].astype(bool), tested=rows["verdict"].isin(TESTED))
    order = ["costly", "tested", "missed"]
    rows = rows.sort_values(order, ascending=False, kind="stable")
    keys = [key for key in ("landscape", "space", "strategy", "instance") if key in rows]
    most = rows["tested"].map({True: PER_ARM, False: 1})
    shown = rows[rows.groupby(keys).cumcount() < most].head(RULES)
    text = [
        (_arm(row), f"{plain(row['statement'])}{_besides(row)}.") for _, row in shown.iterrows()
    ]
    rest = len(rows) - len(shown)
    cut = f"{counted(rest, 'more rule')} not shown; all are in tables/rules.csv." if rest else ""
    return text, cut


def _arm(row: pd.Series[float]) -> str:
    return " · ".join(plain(row[key]) for key in ("landscape", "space", "strategy"))


def _besides(row: pd.Series[float]) -> str:
    """What the statement leaves out: why it is costly, and on how many runs it was confirmed."""
    runs, text = int(row["confirming"]), ""
    if row["costly"] and not row["beyond"] > 0:  # some run found better, the mean result is worse
        text = f"; the best there is {row['missed']:.3g} better than the mean result"
    return text + (f" (proposed by the other runs, confirmed on {runs})" if runs else "")


def abandoned(tables: Tables) -> list[str]:
    """Which strategies left the region that holds the optimum."""
    rows, curves = table_of(tables, "abandonment"), table_of(tables, "survival")
    if rows is None or curves is None:
        return []
    keys = ["landscape", "space", "strategy", "budget", "system", "region"]
    best = curves.loc[curves["best"] == 1, keys].drop_duplicates()
    found = longest(rows)[0].merge(best, on=keys)
    found = found[(found["p_adjusted"] <= LEVEL) & (found["left"] > found["chance"])]
    found = found.sort_values("left", ascending=False, kind="stable")
    return [
        f"{plain(row['strategy'])} left “{plain(row['region'])}”, which holds the optimum of the "
        f"declared space “{plain(row['space'])}” of {plain(row['landscape'])}, for good in "
        f"{percent(float(row['left']))} of the runs; uniform search would seem to in "
        f"{percent(float(row['chance']))}."
        for _, row in found.head(MOST).iterrows()
    ]


def covered(tables: Tables) -> list[str]:
    """Marginals in a sentence for each strategy, after why raw coverage says nothing."""
    return [*_high_dimension(tables), *_by_strategy(tables)]


def _high_dimension(tables: Tables) -> Iterator[str]:
    rows = table_of(tables, "coverage")
    if rows is None or "headline" not in rows:
        return
    rows = longest(rows)[0]
    blind = rows[~rows["headline"].astype(bool)]
    if blind.empty:
        return
    widest = blind.sort_values("axes", kind="stable").iloc[-1]
    names = listed(dict.fromkeys(blind["landscape"]), 4)
    yield (
        f"On {names} the share of cells that were visited says nothing about a search: any that "
        "does not repeat itself fills about as many cells as it makes evaluations, and leaves "
        f"nearly all combinations of all axes empty ({plain(widest['landscape'])}: "
        f"{int(widest['axes'])} axes; the {int(widest['cells']):,} cells that are counted look at "
        f"{int(widest['axes_seen'])} of them). So single axes and pairs of axes lead here, and "
        "what stayed empty beyond random search."
    )


def _by_strategy(tables: Tables) -> Iterator[str]:
    rows = at_the_end(tables, "occupancy")
    if rows is None:
        return
    rows = rows[(rows["axes"].fillna("") == "") & rows["headline"].astype(bool)]
    rows = rows[(rows["system"] != "cells") & (rows["verdict"] != "")]
    for strategy, part in list(rows.groupby("strategy", sort=False))[:8]:
        verdicts = part["verdict"].value_counts()
        said = [
            f"{what} in {verdicts[verdict]}"
            for verdict, what in (
                ("emptier", "more empty than random search’s"),
                ("as random", "as full as random search’s"),
                ("fuller", "fuller"),
            )
            if verdict in verdicts
        ]
        middle = signed_percent(float(part["excess"].median()))
        yield (
            f"{plain(strategy)}: the marginals of a run were {', '.join(said)} of {len(part)} "
            f"systems; median excess emptiness {middle}."
        )


def compared(tables: Tables) -> list[str]:
    """How many hypotheses were declared, and what became of them."""
    rows = table_of(tables, "hypotheses")
    if rows is None:
        if table_of(tables, "comparisons") is None:
            return []
        return ["No hypothesis was declared before looking: every comparison is exploratory."]
    counts = rows["verdict"].value_counts()
    told = ", ".join(f"{count} {plain(verdict)}" for verdict, count in counts.items())
    return [
        f"{len(rows)} {'hypothesis' if len(rows) == 1 else 'hypotheses'} declared before "
        f"looking: {told}. Everything else is exploratory."
    ]


def chosen(tables: Tables) -> list[str]:
    """Where the price of a space depends on the score that it is read from."""
    rows = table_of(tables, "selection")
    if rows is None:
        return []
    text = []
    for (landscape, space), part in rows.groupby(["landscape", "space"], sort=False):
        known = part[part["price"].notna()].drop_duplicates("chosen_by")
        places = decimals(known["price"])
        if known.empty or math.isclose(known["price"].min(), known["price"].max()):
            continue
        each = [
            f"{number(p, places)} by {plain(by)}"
            for p, by in zip(known["price"], known["chosen_by"], strict=True)
        ]
        unit = in_unit("", known["unit"].iloc[0])
        text.append(
            f"On {plain(landscape)} the price of “{plain(space)}” depends on the score that it is "
            f"read from: {', '.join(each)}{f' ({unit})' if unit else ''}."
        )
    return text[:MOST]


def costly_causes(tables: Tables) -> list[str]:
    """The causes of the costly blind spots, counted, in one sentence."""
    rows = table_of(tables, "regions")
    if rows is None:
        return []
    rows = longest(rows)[0]
    mine = with_causes(rows[rows["costly"].astype(bool) & rows["verdict"].isin(TESTED)], tables)
    if mine.empty or "cause" not in mine:
        return []
    counts = mine["cause"].value_counts()
    told = listed((f"{plain(cause)} ({count})" for cause, count in counts.items()), 9)
    return [f"Why the costly ones were not visited: {told}."]
