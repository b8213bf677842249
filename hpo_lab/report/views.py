"""The tables of a report as they are read: words and rounded numbers, limited, costly first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

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

if TYPE_CHECKING:
    Tables = Mapping[str, pd.DataFrame]

ROWS = 80
PER_ARM = 3  # blind spots of one arm; or a deterministic one would fill the table alone
VERDICTS = (
    "excluded",
    "never seen",
    "neglected",
    "no evidence",
    "untestable",
    "never, by construction",
)


@dataclass(frozen=True)
class View:
    """A table ready to be shown: ``cells`` are text, ``numeric`` columns stand to the right."""

    name: str
    title: str
    head: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]
    numeric: tuple[bool, ...]
    note: str = ""
    source: str = ""  # the CSV file that holds all of it
    hidden: int = 0

    @property
    def cut(self) -> str:
        """What was left out, and where it is; empty where nothing was."""
        if not self.hidden:
            return ""
        return f"{self.hidden:,} more rows are not shown; all are in tables/{self.source}.csv."


def views(tables: Tables) -> dict[str, View]:
    """Return the tables that can be shown, by name, in the order of the page."""
    made = {
        "price": price(tables),
        "arms": arms(tables),
        "excluded": excluded(tables),
        "blind_spots": blind_spots(tables),
        "verdicts": verdicts(tables),
        "coverage": coverage(tables),
        "fates": fates(tables),
        "benefit": benefit(tables),
    }
    return {name: view for name, view in made.items() if view is not None}


def price(tables: Tables) -> View | None:
    """The price of each declared space beside chance, the most expensive first."""
    from hpo_lab.figures.price_chance import declared

    rows = _table(tables, "price")
    if rows is None:
        return None
    rows = declared(rows).sort_values("price", ascending=False, kind="stable")
    if rows.empty:
        return None
    places = decimals(rows["price"])
    columns = {
        "Landscape": _texts(rows["landscape"]),
        "Space": _texts(rows["space"]),
        "Price #": [_priced(row, places) for _, row in rows.iterrows()],
        **_units(rows),
        "By chance #": numbers(list(rows["chance_mean"])),
        "p #": [p_value(float(p)) for p in rows["chance_p"]],
        "Carried by #": _counts(rows["carriers"]),
        "Points left #": _counts(rows["points"]),
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
        "them. Prices are conditional on the landscape as given."
    )
    return _view("price", "What each space costs" + _common(rows), columns, note)


def arms(tables: Tables) -> View | None:
    """The regret of each strategy in each space, with its parts."""
    rows = _table(tables, "arms")
    if rows is None:
        return None
    places = decimals(rows.loc[rows["total"].map(math.isfinite), "total"])
    parts = ("space", "search", "selection")
    columns = {
        "Landscape": _texts(rows["landscape"]),
        "Space": _texts(rows["space"]),
        "Strategy": _texts(rows["strategy"]),
        **_varying(rows),
        "Total regret #": [_total(row, places) for _, row in rows.iterrows()],
        "95 % interval #": [
            interval(float(a), float(b), places) or ("n = 1" if n == 1 else MISSING)
            for a, b, n in zip(rows["total_low"], rows["total_high"], rows["samples"], strict=True)
        ],
        **{f"From {part} #": _fixed(rows[f"from_{part}"], places) for part in parts},
        "Floor #": _fixed(rows["floor"], places),
        "Shortfall #": _fixed(rows["shortfall"], places),
        "Failed trials #": numbers(list(rows["failures"]), 2),
        "Success #": [percent(float(share)) for share in rows["success"]],
        "Runs #": _counts(rows["runs"]),
        "Distinct #": _counts(rows["samples"]),
        **_units(rows),
    }
    note = (
        "Total = space + search + selection, means over runs, at the end of the budget; "
        "a median is marked. Space + floor + shortfall is the same total, split by what the "
        "observed values can reveal."
    )
    return _view("arms", "Total regret and its parts" + _common(rows), columns, note)


def benefit(tables: Tables) -> View | None:
    """What each strategy gained (or lost) at this budget by searching the declared space."""
    rows = _table(tables, "benefit")
    if rows is None:
        return None
    places = decimals(rows["net"])
    columns = {
        "Landscape": _texts(rows["landscape"]),
        "Space": _texts(rows["space"]),
        "Strategy": _texts(rows["strategy"]),
        **_varying(rows),
        "Net benefit #": _fixed(rows["net"], places),
        "95 % interval #": [
            interval(float(a), float(b), places) or MISSING
            for a, b in zip(rows["low"], rows["high"], strict=True)
        ],
        "Pairs of runs #": _counts(rows["runs"]),
        **_units(rows),
    }
    note = (
        "Total regret in the universe minus total regret in the declared space, in paired runs: "
        "above zero, the declared space gave the better result at this budget, its price included."
    )
    return _view("benefit", "Net benefit at this budget" + _common(rows), columns, note)


def excluded(tables: Tables) -> View | None:
    """Regions left out that hold something better than everything in the declared space."""
    from hpo_lab.figures.visit_map import unreachable

    rows = _table(tables, "regions")
    if rows is None:
        return None
    rows = rows[rows["system"] != "pairs"]  # they follow from the options that they hold
    rows = rows.assign(better=unreachable(rows, tables))
    keys = ["landscape", "space", "region"]
    found = rows[rows["better"] > 0].groupby(keys, sort=False, as_index=False)
    mine = found[["best", "better"]].mean()  # every strategy has the same; instances may differ
    mine = mine.sort_values("better", ascending=False, kind="stable")
    if mine.empty:
        return None
    columns = {
        "Landscape": _texts(mine["landscape"]),
        "Space": _texts(mine["space"]),
        "Region": _texts(mine["region"]),
        "Best there #": numbers(list(mine["best"]), 4),
        "Better than the space by #": numbers(list(mine["better"])),
    }
    note = (
        "The declared space leaves these regions out, and the best of them is better than "
        "everything in it. The space is to blame, not a strategy. Pairs that hold such an option "
        "are in regions.csv."
    )
    return _view("excluded", "Costly, and excluded by the space", columns, note, source="regions")


def blind_spots(tables: Tables) -> View | None:
    """Regions that a strategy never saw or neglected, the costly ones first."""
    rows = _table(tables, "regions")
    if rows is None:
        return None
    mine = rows[rows["verdict"].isin(["never seen", "neglected", "never, by construction"])]
    mine = mine.assign(
        costly=mine["costly"].astype(bool), tested=mine["verdict"] != "never, by construction"
    )
    mine = mine[mine["costly"] | mine["tested"]]
    order = ["costly", "tested", "missed"]
    mine = mine.sort_values(order, ascending=False, kind="stable")
    if mine.empty:
        return None
    total, mine = len(mine), _worst(mine)
    places = decimals(mine["missed"])
    columns = {
        "Landscape": _texts(mine["landscape"]),
        "Space": _texts(mine["space"]),
        "Strategy": _texts(mine["strategy"]),
        **_varying(mine),
        "Region": _texts(mine["region"]),
        "Verdict": _texts(mine["verdict"]),
        "Better by #": [
            number(float(missed), places) if costly else MISSING
            for missed, costly in zip(mine["missed"], mine["costly"], strict=True)
        ],
        "Visited in #": _came(mine),
        "Uniform search would visit #": [
            percent(float(share)) for share in mine.get("chance", mine["expected"])
        ],
        "p, corrected #": [p_value(float(p)) for p in mine["p_adjusted"]],
        "Visits a run at most #": [
            percent(float(bound)) if math.isfinite(float(bound)) else MISSING
            for bound in mine["bound"]
        ],
    }
    note = (
        f"At most {PER_ARM} of each arm, and no pair that holds an option already listed for it. "
        "Costly ones first: there lay something better than the strategy’s mean result, by the "
        "amount given; tested verdicts stand before those by construction. Visits a run at most: "
        "the upper 95 % bound on the probability that one run visits the region; what lies below "
        "it cannot be told from never. Where any run of uniform search is all but sure to visit a "
        "region, only runs with the given number of visits count: half of what is fair."
    )
    view = _view("blind_spots", "Blind spots", columns, note, source="regions", limit=40)
    return replace(view, hidden=total - len(view.cells))


def _came(rows: pd.DataFrame) -> list[str]:
    """In how many runs a region was visited, or visited often enough to count."""
    least = rows["at_least"] if "at_least" in rows else [1] * len(rows)
    reached = rows["runs_reached"] if "runs_reached" in rows else rows["runs_visited"]
    return [
        f"{a} of {b}" + (f" (at least {int(h)} times)" if h > 1 else "")
        for a, b, h in zip(reached, rows["runs"], least, strict=True)
    ]


def _worst(rows: pd.DataFrame) -> pd.DataFrame:
    """The first few rows of each arm; a pair follows from an option that was listed before it."""
    keys = [k for k in ("landscape", "space", "strategy", "budget", "instance") if k in rows]
    kept: list[int] = []
    listed: dict[tuple[Any, ...], list[str]] = {}
    columns = zip(*(rows[key] for key in keys), strict=True)
    for place, (arm, region) in enumerate(zip(columns, rows["region"], strict=True)):
        before = listed.setdefault(arm, [])
        follows = any(part in before for part in str(region).split(" and "))
        if len(before) < PER_ARM and not follows:
            before.append(str(region))
            kept.append(place)
    return rows.iloc[kept]


def verdicts(tables: Tables) -> View | None:
    """How many regions got which verdict, for each arm and region system, over landscapes."""
    rows = _table(tables, "regions")
    if rows is None:
        return None
    several = "budget" in rows and rows["budget"].nunique() > 1
    keys = ["space", "strategy", *(["budget"] if several else []), "system"]
    rows = rows.assign(costly=rows["costly"].astype(bool))
    found = rows.groupby(keys, sort=False)
    columns: dict[str, list[str]] = {key.capitalize(): [] for key in keys}
    columns |= {f"{verdict.capitalize()} #": [] for verdict in VERDICTS}
    columns |= {"Costly #": [], "Resolution #": []}
    for group, part in found:
        for key, value in zip(keys, group, strict=True):
            columns[key.capitalize()].append(plain(value))
        for verdict in VERDICTS:
            columns[f"{verdict.capitalize()} #"].append(f"{(part['verdict'] == verdict).sum():,}")
        columns["Costly #"].append(f"{part['costly'].sum():,}")
        bounds = part.loc[part["verdict"] == "never seen", "bound"].dropna()
        columns["Resolution #"].append(percent(float(bounds.min())) if len(bounds) else MISSING)
    note = (
        "Regions counted over all landscapes and instances. “No evidence” means just that, not "
        "“visited”. Resolution: never seen in all runs still allows a visit in that share of them."
    )
    return _view("verdicts", "Verdicts, counted", columns, note, source="regions")


def coverage(tables: Tables) -> View | None:
    """Emptiness beyond what uniform search with the same budget would show."""
    rows = _table(tables, "coverage")
    if rows is None:
        return None
    columns = {
        "Landscape": _texts(rows["landscape"]),
        "Space": _texts(rows["space"]),
        "Strategy": _texts(rows["strategy"]),
        **_varying(rows),
        "Excess emptiness #": [_signed_percent(float(x)) for x in rows["excess_emptiness"]],
        "Uniform on the space fills #": numbers(list(rows["expected_in_space"])),
        "Uniform on the universe fills #": numbers(list(rows["expected_in_universe"])),
        "Filled #": numbers(list(rows["occupied"])),
        "Cells #": _counts(rows["cells"]),
        "Distinct points #": numbers(list(rows["distinct"])),
        "Repeats #": numbers(list(rows["repeats"])),
    }
    note = (
        "Excess emptiness: the share of the cells that uniform search on the declared space would "
        "have filled with the same budget, and that stayed empty; below zero, more were filled. "
        "In large spaces nearly all cells stay empty whatever one does."
    )
    return _view("coverage", "Coverage, against uniform search", columns, note)


def fates(tables: Tables) -> View | None:
    """What became of each known basin."""
    rows = _table(tables, "fates")
    if rows is None:
        return None
    columns = {
        "Landscape": _texts(rows["landscape"]),
        "Space": _texts(rows["space"]),
        "Strategy": _texts(rows["strategy"]),
        **_varying(rows),
        "Basins #": _counts(rows["basins"]),
        **{
            f"{fate.capitalize()} #": numbers(list(rows[fate]))
            for fate in ("found", "entered", "missed", "excluded")
        },
    }
    note = "Basins of the landscape’s known local minima; means over runs."
    return _view("fates", "Fates of the basins", columns, note)


def _view(
    name: str,
    title: str,
    columns: Mapping[str, Sequence[str]],
    note: str,
    source: str = "",
    limit: int = ROWS,
) -> View:
    """A view of columns; a head that ends in " #" is a column of numbers."""
    rows = list(zip(*columns.values(), strict=True))
    return View(
        name=name,
        title=title,
        head=tuple(head.removesuffix(" #") for head in columns),
        cells=tuple(rows[:limit]),
        numeric=tuple(head.endswith(" #") for head in columns),
        note=note,
        source=source or name,
        hidden=max(len(rows) - limit, 0),
    )


def _table(tables: Tables, name: str) -> pd.DataFrame | None:
    rows = tables.get(name)
    return None if rows is None or rows.empty else rows


def _units(rows: pd.DataFrame) -> dict[str, list[str]]:
    """A column of units where they differ; a common one stands in the title."""
    return {"Unit": _texts(rows["unit"])} if rows["unit"].nunique(dropna=False) > 1 else {}


def _common(rows: pd.DataFrame) -> str:
    unit = rows["unit"].iloc[0]
    return f", in {plain(unit)}" if not _units(rows) and isinstance(unit, str) and unit else ""


def _texts(values: pd.Series[Any]) -> list[str]:
    return [plain(value) if isinstance(value, str) else MISSING for value in values]


def _fixed(values: pd.Series[Any], places: int) -> list[str]:
    return [number(float(value), places) for value in values]


def _counts(values: pd.Series[Any]) -> list[str]:
    return [f"{int(v):,}" if math.isfinite(float(v)) else MISSING for v in values]


def _varying(rows: pd.DataFrame) -> dict[str, list[str]]:
    """Columns for budget and instance, where there are several."""
    names = [n for n in ("budget", "instance") if n in rows and rows[n].nunique() > 1]
    return {f"{name.capitalize()} #": _counts(rows[name]) for name in names}


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


def _total(row: pd.Series[Any], places: int) -> str:
    text = number(float(row["total"]), places)
    return f"{text} (median)" if row["statistic"] == "median" else text


def _signed_percent(share: float) -> str:
    return ("−" if share < 0 else "") + percent(abs(share)) if math.isfinite(share) else MISSING
