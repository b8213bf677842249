"""What the strategies reached, and how they compare, as tables: the confirmatory first."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from hpo_lab.figures._words import (
    MISSING,
    decimals,
    interval,
    number,
    numbers,
    p_value,
    percent,
    plain,
)
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
    varying,
    view_of,
)

if TYPE_CHECKING:
    import pandas as pd

RANKED = ("rank", "rank_low", "rank_high", "friedman_p")


def arms(tables: Tables) -> View | None:
    """The regret of each strategy in each space, with its parts."""
    rows = table_of(tables, "arms")
    if rows is None:
        return None
    places = decimals(rows.loc[rows["total"].map(math.isfinite), "total"])
    parts = ("space", "search", "selection")
    columns = {
        **arm_columns(rows),
        "Total regret #": [_total(row, places) for _, row in rows.iterrows()],
        "95 % interval #": [
            interval(float(a), float(b), places) or ("n = 1" if n == 1 else MISSING)
            for a, b, n in zip(rows["total_low"], rows["total_high"], rows["samples"], strict=True)
        ],
        **{f"From {part} #": fixed(rows[f"from_{part}"], places) for part in parts},
        "Floor #": fixed(rows["floor"], places),
        "Shortfall #": fixed(rows["shortfall"], places),
        **_failures(rows),
        "Runs #": [
            f"{runs:,}" if samples == runs else f"{runs:,} ({samples:,} distinct)"
            for runs, samples in zip(rows["runs"], rows["samples"], strict=True)
        ],
        **units(rows),
    }
    note = (
        "Total = space + search + selection, means over runs, at the end of the budget; "
        "a median is marked. Space + floor + shortfall is the same total, split by what the "
        "observed values can reveal."
    )
    return view_of("arms", "Total regret and its parts" + common_unit(rows), columns, note)


def _failures(rows: pd.DataFrame) -> dict[str, list[str]]:
    """Failed trials a run, and runs with any success, where not all is well."""
    columns = {}
    if (rows["failures"] > 0).any():
        columns["Failed trials #"] = numbers(list(rows["failures"]), 2)
    if (rows["success"] < 1).any():
        columns["Success #"] = [percent(float(share)) for share in rows["success"]]
    return columns


def _total(row: pd.Series[Any], places: int) -> str:
    text = number(float(row["total"]), places)
    return f"{text} (median)" if row["statistic"] == "median" else text


def hypotheses(tables: Tables) -> View | None:
    """The hypotheses that the study declared before looking, with their tests."""
    rows = table_of(tables, "hypotheses")
    if rows is None:
        return None
    columns = {
        "Hypothesis": texts(rows["hypothesis"]),
        "Compared": _compared(rows),
        "Where": _where(rows),
        "Declared direction": texts(rows["direction"]),
        **_effect(rows),
        "p #": [p_value(float(p)) for p in rows["p"]],
        "p, Holm #": [p_value(float(p)) for p in rows.get("p_holm", rows["p"])],
        "Verdict": texts(rows["verdict"]),
        "Expected": [text or MISSING for text in texts(rows["expectation"])],
    }
    note = (
        "Confirmatory: declared in the study file. Wilcoxon’s signed-rank test in the declared "
        "direction, corrected by Holm over all declared hypotheses; supported at 5 %. Not "
        "supported does not mean refuted."
    )
    return view_of("hypotheses", "Declared hypotheses (confirmatory)", columns, note)


def comparisons(tables: Tables) -> View | None:
    """Every other comparison of two arms, the clearest first."""
    rows = table_of(tables, "comparisons")
    if rows is None:
        return None
    rows = rows[rows["status"] == "exploratory"]
    rows = rows.sort_values("p_holm", kind="stable", na_position="last")
    if rows.empty:
        return None
    columns = {
        "Compared": _compared(rows),
        "Where": _where(rows),
        **varying(rows),
        **_effect(rows),
        "p, Holm #": [p_value(float(p)) for p in rows["p_holm"]],
        "Better #": [percent(float(x)) for x in rows["better"]],
        "Equivalent #": [percent(float(x)) for x in rows["equivalent"]],
        "Worse #": [percent(float(x)) for x in rows["worse"]],
    }
    note = (
        "Exploratory: nobody declared these before looking, so they suggest and prove nothing. "
        "Difference of total regret, below zero the first is better. A12: the probability that a "
        "run of the first beats one of the second. Holm: within the comparisons of the same "
        "landscape and kind. Better, equivalent, worse: the posterior of the Bayesian signed-rank "
        "test; equivalent is within 1 % of the median regret after one evaluation."
    )
    title = "Other comparisons (exploratory)"
    return view_of("comparisons", title, columns, note, limit=30)


def _compared(rows: pd.DataFrame) -> list[str]:
    first = [str(row[row["compared"]]) for _, row in rows.iterrows()]
    pairs = zip(first, rows["against"], strict=True)
    return [f"{plain(a)} against {plain(b)}" for a, b in pairs]


def _where(rows: pd.DataFrame) -> list[str]:
    """The landscape, and the space or the strategy that both sides have."""
    held = [
        str(row["strategy" if row["compared"] == "space" else "space"])
        for _, row in rows.iterrows()
    ]
    pairs = zip(rows["landscape"], held, strict=True)
    return [
        f"{'all landscapes' if name == 'all' else plain(name)}, {plain(kept)}"
        for name, kept in pairs
    ]


def _effect(rows: pd.DataFrame) -> dict[str, list[str]]:
    """The size of a difference: its mean (a marked median where some run had no success)."""
    if "mean" not in rows:
        return {}
    columns: dict[str, list[str]] = {"Difference #": [], "95 % interval #": []}
    for _, row in rows.iterrows():
        kind = "mean" if math.isfinite(row["mean"]) else "median"
        value, low, high = (float(row[f"{kind}{end}"]) for end in ("", "_low", "_high"))
        places = decimals([x for x in (value, low, high) if math.isfinite(x)])
        text = number(value, places)
        columns["Difference #"].append(text if kind == "mean" else f"{text} (median)")
        columns["95 % interval #"].append(interval(low, high, places) or MISSING)
    unit = [text if text != MISSING else "" for text in texts(rows["unit"])]
    if any(unit):
        columns["Unit"] = unit
    return columns | {"A12 #": fixed(rows["a12"], 2), "Pairs #": counts(rows["pairs"])}


def ranks(tables: Tables) -> View | None:
    """Strategies over all landscapes: aggregates in units of each one's scale, and mean ranks."""
    rows = table_of(tables, "aggregates")
    if rows is None or int(rows["tasks"].max()) < 2:
        return None
    keys = ["space", "strategy", "budget"]
    ranked = tables.get("ranks")
    rows = rows[rows["tasks"] > 1]
    if ranked is None or ranked.empty:
        rows = rows.assign(
            rank=math.nan, rank_low=math.nan, rank_high=math.nan, friedman_p=math.nan
        )
    else:
        kept = [*keys, "rank", "rank_low", "rank_high", "friedman_p"]
        rows = rows.merge(ranked[kept], on=keys, how="left")
    places = decimals(rows["iqm"])
    columns = {
        "Space": texts(rows["space"]),
        "Strategy": texts(rows["strategy"]),
        **varying(rows),
        "Landscapes #": counts(rows["tasks"]),
        "Interquartile mean #": fixed(rows["iqm"], places),
        "95 % interval #": _intervals(rows, "iqm", places),
        "Optimality gap #": fixed(rows["gap"], places),
        "Mean rank #": fixed(rows["rank"], 2),
        "95 % of the rank #": _intervals(rows, "rank", 2),
        "Friedman p #": [p_value(float(p)) for p in rows["friedman_p"]],
    }
    note = (
        "Regret in units of each landscape’s median regret after one evaluation, so that "
        "landscapes can be put together (Agarwal et al. 2021). Compare only rows of the same "
        "space. Mean ranks depend on which strategies take part; Friedman: do they differ at all?"
    )
    return view_of("ranks", "Over all landscapes (exploratory)", columns, note, source="aggregates")


def _intervals(rows: pd.DataFrame, column: str, places: int) -> list[str]:
    ends = zip(rows[f"{column}_low"], rows[f"{column}_high"], strict=True)
    return [interval(float(a), float(b), places) or MISSING for a, b in ends]
