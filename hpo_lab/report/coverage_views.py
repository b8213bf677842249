"""How much was covered, as tables: marginals first, always beside random search."""

from __future__ import annotations

import math

import pandas as pd

from hpo_lab.figures._style import longest
from hpo_lab.figures._words import MISSING, interval, numbers, percent
from hpo_lab.report.view import Tables, View, arm_columns, counts, table_of, texts, view_of

SYSTEMS = {
    "families": "families",
    "options": "single axes (options)",
    "bins": "single axes (parts of a range)",
    "pairs": "pairs of axes (options)",
    "planes": "pairs of axes (parts of ranges)",
    "cells": "cells",
}


def marginals(tables: Tables) -> View | None:
    """Excess emptiness of one- and two-dimensional marginals in one run, beside random search."""
    rows = at_the_end(tables, "occupancy")
    if rows is None:
        return None
    rows = rows[(rows["axes"].fillna("") == "") & (rows["system"] != "cells")]
    rows = rows[rows["headline"].astype(bool)]
    rows = rows[rows["verdict"] != "as random"]
    rows = rows.sort_values("excess", ascending=False, kind="stable")
    if rows.empty:
        return None
    columns = {
        **arm_columns(rows),
        "Regions of": [SYSTEMS.get(text, text) for text in texts(rows["system"])],
        "Excess emptiness #": [signed_percent(float(x)) for x in rows["excess"]],
        "Random search has #": _band(rows),
        "": [text or "n = 1" for text in texts(rows["verdict"])],
    }
    note = (
        "Of the regions that uniform search on the declared space fills with the same budget, the "
        "share that a run left empty; below zero, more were filled. Random search has: where 95 % "
        "of such means lie for random search itself, in a study of as many runs. What is as empty "
        "as that is not listed."
    )
    title = "Marginals: what stayed empty beyond chance"
    return view_of("marginals", title, columns, note, source="occupancy", limit=24)


def emptiest(tables: Tables) -> View | None:
    """The single axes and pairs of axes with the greatest excess emptiness."""
    rows = at_the_end(tables, "occupancy")
    if rows is None:
        return None
    rows = rows[(rows["axes"].fillna("") != "") & (rows["verdict"] == "emptier")]
    rows = rows.sort_values(["dimension", "excess"], ascending=[True, False], kind="stable")
    if rows.empty:
        return None
    columns = {
        **arm_columns(rows),
        "Axes": texts(rows["axes"]),
        "Excess emptiness #": [signed_percent(float(x)) for x in rows["excess"]],
        "Random search has #": _band(rows),
    }
    note = "Single axes first, then pairs; means over runs."
    title = "The emptiest axes"
    return view_of("emptiest", title, columns, note, source="occupancy", limit=12)


def at_the_end(tables: Tables, name: str) -> pd.DataFrame | None:
    """A table over evaluations, of single runs at their last evaluation and largest budget."""
    rows = table_of(tables, name)
    if rows is None:
        return None
    rows = longest(rows[rows["scope"] == "one run"])[0]
    keys = [key for key in ("landscape", "space", "strategy") if key in rows]
    return rows[rows["evaluation"] == rows.groupby(keys)["evaluation"].transform("max")]


def _band(rows: pd.DataFrame) -> list[str]:
    ends = zip(rows["random_low"], rows["random_high"], strict=True)
    return [
        f"{signed_percent(float(a))} to {signed_percent(float(b))}"
        if math.isfinite(a) and math.isfinite(b)
        else MISSING
        for a, b in ends
    ]


def edges(tables: Tables) -> View | None:
    """Ends of axes at which the best values lie: was the range too narrow?"""
    rows = table_of(tables, "edges")
    if rows is None:
        return None
    rows = longest(rows)[0]
    often = (rows["best_on_edge"] >= 0.5) | (rows["best_near_edge"] >= 0.5)
    matters = (rows["gain"] > 0) | (rows["gain"].isna() & (rows["gain_high"] > 0))
    rows = rows[often & (matters | rows["ends"].astype(bool))]
    rows = rows.sort_values(["gain", "best_near_edge"], ascending=False, kind="stable")
    if rows.empty:
        return None
    columns = {
        **arm_columns(rows),
        "Edge": [
            f"{axis} {'≤' if side == 'high' else '≥'} {bound}"
            for axis, side, bound in zip(
                texts(rows["axis"]), rows["side"], texts(rows["bound"].astype(str)), strict=True
            )
        ],
        "Best value on it #": [percent(float(x)) for x in rows["best_on_edge"]],
        "or close to it #": [percent(float(x)) for x in rows["best_near_edge"]],
        "Gain beyond it #": [
            "ends here" if end else _gained(gain, low, high)
            for end, gain, low, high in zip(
                rows["ends"], rows["gain"], rows["gain_low"], rows["gain_high"], strict=True
            )
        ],
    }
    note = (
        "Shares of the runs whose best value sits on, or close to, the end of an axis of the "
        "declared space. Gain: how much better the universe’s optimum beyond that end is than the "
        "declared space’s; “ends here”: the universe ends there, too, so look whether it should."
    )
    title = "The best value sits on the edge of the space"
    return view_of("edges", title, columns, note, limit=20)


def _gained(gain: float, low: float, high: float) -> str:
    if math.isfinite(gain):
        return numbers([gain])[0]
    return interval(low, high, 3) if math.isfinite(high) else "unknown"


def basins(tables: Tables) -> View | None:
    """Arms whose runs hit fewer basins than random search, of all or of the near-optimal ones."""
    rows = at_the_end(tables, "basin_coverage")
    if rows is None:
        return None
    rows = rows[(rows["target"] != "near-optimal set") & (rows["hit"] < rows["random_low"])]
    rows = rows.assign(short=rows["hit"] / rows["expected"]).sort_values("short", kind="stable")
    if rows.empty:
        return None
    ends = zip(rows["random_low"], rows["random_high"], strict=True)
    columns = {
        **arm_columns(rows),
        "Target": texts(rows["target"]),
        "In the space #": numbers(list(rows["possible"])),
        "Hit by a run #": numbers(list(rows["hit"])),
        "Uniform search hits #": numbers(list(rows["expected"])),
        "Random search has #": [interval(float(a), float(b), 1) or MISSING for a, b in ends],
    }
    note = (
        "Where runs hit fewer basins than random search does with the same budget, the fewest "
        "first. A basin is hit where an evaluation lies in it; that is not yet finding its "
        "minimum, which is in the table of fates. Means over runs."
    )
    title = "Basins that were passed by"
    return view_of("basins", title, columns, note, source="basin_coverage", limit=16)


def coverage(tables: Tables) -> View | None:
    """Emptiness beyond what uniform search with the same budget would show."""
    rows = table_of(tables, "coverage")
    if rows is None:
        return None
    columns = {
        **arm_columns(rows),
        "Excess emptiness #": [signed_percent(float(x)) for x in rows["excess_emptiness"]],
        **_random(rows),
        "Space: uniform fills #": numbers(list(rows["expected_in_space"])),
        "Universe: uniform fills #": numbers(list(rows["expected_in_universe"])),
        "Filled #": numbers(list(rows["occupied"])),
        "Cells #": counts(rows["cells"]),
        "Distinct points #": numbers(list(rows["distinct"])),
        "Repeats #": numbers(list(rows["repeats"])),
    }
    note = (
        "Excess emptiness: the share of the cells that uniform search on the declared space would "
        "have filled with the same budget, and that stayed empty; below zero, more were filled. "
        "How many are filled says nothing by itself: in large spaces nearly all cells stay empty "
        "whatever one does, and a run that does not repeat itself fills about as many as it makes "
        "evaluations."
    )
    title = "Coverage, against uniform search"
    return view_of("coverage", title, columns, note, limit=24)


def _random(rows: pd.DataFrame) -> dict[str, list[str]]:
    """What random search has of it, and how many of the axes the cells look at."""
    if "random_low" not in rows:
        return {}
    seen = zip(rows["axes_seen"], rows["axes"], strict=True)
    return {
        "Random search has #": _band(rows),
        "Axes in the cells #": [f"{int(a)} of {int(b)}" for a, b in seen],
    }


def fates(tables: Tables) -> View | None:
    """What became of each known basin."""
    rows = table_of(tables, "fates")
    if rows is None:
        return None
    columns = {
        **arm_columns(rows),
        "Basins #": counts(rows["basins"]),
        **{
            f"{fate.capitalize()} #": numbers(list(rows[fate]))
            for fate in ("found", "entered", "missed", "excluded")
        },
    }
    note = "Basins of the landscape’s known local minima; means over runs."
    return view_of("fates", "Fates of the basins", columns, note, limit=32)


def signed_percent(share: float) -> str:
    """Return a share that may be negative as a percentage; near 0 without a sign.

    >>> [signed_percent(x) for x in (-0.25, 1e-15, -0.0004, 1.0)]
    ['−25.0 %', '0.0 %', '0.0 %', '100.0 %']
    """
    if not math.isfinite(share):
        return MISSING
    if abs(share) < 5e-4:
        return "0.0 %"
    return f"{'−' if share < 0 else ''}{100 * abs(share):.1f} %"
