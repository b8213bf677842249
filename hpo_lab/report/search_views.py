"""What the searches never saw, as tables: the costly first, each with its cause where known."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pandas as pd

from hpo_lab.figures._style import longest
from hpo_lab.figures._words import (
    MISSING,
    counted,
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
    counts,
    fixed,
    table_of,
    texts,
    varying,
    view_of,
)

PER_SPACE = 10  # regions that a declared space leaves out on a landscape
PER_ARM = 3  # blind spots of one arm
PER_FIXED = 1  # of a deterministic one, which would fill the table alone
VERDICTS = (
    "excluded",
    "never seen",
    "neglected",
    "no evidence",
    "untestable",
    "never, by construction",
)
TESTED = ("never seen", "neglected")
BLIND = (*TESTED, "never, by construction")
ARM = ("landscape", "space", "strategy", "budget", "instance")


def excluded(tables: Tables) -> View | None:
    """Regions left out that hold something better than everything in the declared space."""
    from hpo_lab.figures.visit_map import unreachable

    rows = table_of(tables, "regions")
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
    total, mine = len(mine), mine[mine.groupby(keys[:2]).cumcount() < PER_SPACE]
    columns = {
        "Landscape": texts(mine["landscape"]),
        "Space": texts(mine["space"]),
        "Region": texts(mine["region"]),
        "Best there #": numbers(list(mine["best"]), 4),
        "Better than the space by #": numbers(list(mine["better"])),
    }
    note = (
        "The declared space leaves these regions out, and the best of them is better than "
        "everything in it. The space is to blame, not a strategy. At most "
        f"{PER_SPACE} of each space; pairs that hold such an option are in regions.csv."
    )
    title = "Costly, and excluded by the space"
    view = view_of("excluded", title, columns, note, source="regions", limit=40)
    return replace(view, hidden=total - len(view.cells))


def blind_spots(tables: Tables) -> View | None:
    """Regions that a strategy never saw or neglected, the costly ones first."""
    rows = table_of(tables, "regions")
    if rows is None:
        return None
    mine = with_causes(rows[rows["verdict"].isin(BLIND)], tables)
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
        "Landscape": texts(mine["landscape"]),
        "Space": texts(mine["space"]),
        "Strategy": texts(mine["strategy"]),
        **varying(mine),
        "Region": texts(mine["region"]),
        "Verdict": texts(mine["verdict"]),
        **_why(mine),
        "Better by #": [
            number(float(missed), places) if costly else MISSING
            for missed, costly in zip(mine["missed"], mine["costly"], strict=True)
        ],
        "Share of the space #": _measures(mine),
        "Came in #": _came(mine),
        "Uniform search would #": [
            percent(float(share)) for share in mine.get("chance", mine["expected"])
        ],
        "A run comes at most #": [
            percent(float(bound)) if math.isfinite(float(bound)) else MISSING
            for bound in mine["bound"]
        ],
    }
    note = (
        f"At most {PER_ARM} of each arm ({PER_FIXED} where it is deterministic), and no pair that "
        "holds an option already listed for it. "
        "Costly ones first: there lay something better than the strategy’s mean result, by the "
        "amount given; tested verdicts stand before those by construction. Share of the space: by "
        "the reference measure; ± is the standard error where it had to be estimated. Came in: k "
        "of R runs visited it, or visited it at least h times (≥ h), where any run of uniform "
        "search is all but sure to come and only runs with half of the fair number of visits "
        "count; uniform search would: the probability that one run of it comes so. Every tested "
        "verdict is significant at 5 % after correction; p-values are in regions.csv. A run comes "
        "at most: the upper 95 % bound on the probability that one run comes; what lies below it "
        "cannot be told from never."
    )
    view = view_of("blind_spots", "Blind spots", columns, note, source="regions", limit=40)
    return replace(view, hidden=total - len(view.cells))


def _came(rows: pd.DataFrame) -> list[str]:
    """In how many runs a region was visited, or visited often enough to count."""
    least = rows["at_least"] if "at_least" in rows else [1] * len(rows)
    reached = rows["runs_reached"] if "runs_reached" in rows else rows["runs_visited"]
    return [
        f"{a} of {b}" + (f", ≥ {int(h)} times" if h > 1 else "")
        for a, b, h in zip(reached, rows["runs"], least, strict=True)
    ]


def with_causes(rows: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    """Rows of the table of regions with the ``cause`` that control runs found for each."""
    causes = table_of(tables, "causes")
    if causes is None:
        return rows
    keys = [key for key in (*ARM, "system", "region") if key in rows and key in causes]
    found = causes[[*keys, "cause"]].drop_duplicates(keys)
    return rows.merge(found, on=keys, how="left")


def _why(rows: pd.DataFrame) -> dict[str, list[str]]:
    return {"Cause": texts(rows["cause"])} if "cause" in rows else {}


def _measures(rows: pd.DataFrame) -> list[str]:
    """The share of the declared space, with its error where it is an estimate."""
    errors = rows["measure_error"] if "measure_error" in rows else [0.0] * len(rows)
    return [
        percent(float(share)) + (f" ± {100 * error:.2g}" if error > 0 else "")
        for share, error in zip(rows["measure"], errors, strict=True)
    ]


def _worst(rows: pd.DataFrame) -> pd.DataFrame:
    """The first few rows of each arm; a pair follows from an option that was listed before it."""
    keys = [k for k in ("landscape", "space", "strategy", "budget", "instance") if k in rows]
    kept: list[int] = []
    listed: dict[tuple[Any, ...], list[str]] = {}
    columns = zip(*(rows[key] for key in keys), strict=True)
    judged = zip(columns, rows["region"], rows["tested"], strict=True)
    for place, (arm, region, tested) in enumerate(judged):
        before = listed.setdefault(arm, [])
        follows = any(part in before for part in str(region).split(" and "))
        if len(before) < (PER_ARM if tested else PER_FIXED) and not follows:
            before.append(str(region))
            kept.append(place)
    return rows.iloc[kept]


def verdicts(tables: Tables) -> View | None:
    """How many regions got which verdict, for each arm and region system, over landscapes."""
    rows = table_of(tables, "regions")
    if rows is None:
        return None
    several = "budget" in rows and rows["budget"].nunique() > 1
    keys = ["space", "strategy", *(["budget"] if several else []), "system"]
    rows = rows.assign(costly=rows["costly"].astype(bool), blind=rows["verdict"].isin(BLIND))
    flagged = rows.groupby(keys)["blind"].transform("any")
    everything = not flagged.any()
    quiet = 0 if everything else len(rows.loc[~flagged, keys].drop_duplicates())
    found = (rows if everything else rows[flagged]).groupby(keys, sort=False)
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
    if quiet:
        note += f" {counted(quiet, 'more row')} without a region never seen or neglected."
    return view_of("verdicts", "Verdicts, counted", columns, note, source="regions", limit=40)


def causes(tables: Tables) -> View | None:
    """How many blind spots have which cause, for each space and strategy."""
    rows = table_of(tables, "causes")
    if rows is None:
        return None
    rows = longest(rows[rows["verdict"].isin(BLIND)])[0]
    if rows.empty:
        return None
    found = dict.fromkeys(rows["cause"])
    columns: dict[str, list[str]] = {"Space": [], "Strategy": []}
    columns |= {f"{plain(cause).capitalize()} #": [] for cause in found}
    columns["Costly #"] = []
    for (space, strategy), part in rows.groupby(["space", "strategy"], sort=False):
        columns["Space"].append(plain(space))
        columns["Strategy"].append(plain(strategy))
        for cause in found:
            count = (part["cause"] == cause).sum()
            columns[f"{plain(cause).capitalize()} #"].append(f"{count:,}")
        columns["Costly #"].append(f"{part['costly'].astype(bool).sum():,}")
    note = (
        "Blind spots inside the declared space, counted over landscapes, instances and region "
        "systems; a region may lie in several of them. Structural bias: the strategy avoids the "
        "region on pure noise, too. Undecided: the control runs do not tell, and unknown: there "
        "were none. These are tests of what was run, not of why."
    )
    return view_of("causes", "Causes, counted", columns, note)


def richness(tables: Tables) -> View | None:
    """Where runs of the same kind would still reach something new: estimates from incidence."""
    rows = table_of(tables, "richness")
    if rows is None:
        return None
    rows = longest(rows)[0]
    rows = rows.assign(unseen=rows["estimate"] - rows["observed"])
    rows = rows[(rows["unseen"] >= 0.5) & (rows["system"] != "pairs")]
    rows = rows.sort_values(["estimator", "unseen"], ascending=[False, False], kind="stable")
    if rows.empty:
        return None
    ends = zip(rows["low"], rows["high"], strict=True)
    columns = {
        **arm_columns(rows),
        "Regions": texts(rows["system"]),
        "In the space #": counts(rows["reachable"]),
        "Seen #": counts(rows["observed"]),
        "Reachable #": numbers(list(rows["estimate"])),
        "95 % interval #": [interval(float(a), float(b), 0) or MISSING for a, b in ends],
        "Visits to what was seen #": [percent(float(share)) for share in rows["coverage"]],
        "Estimated by": texts(rows["estimator"]),
    }
    note = (
        "Reachable but unseen: how many regions further runs of the same strategy and budget would "
        "come to, estimated from those that only one or two runs visited, with runs as the "
        "sampling units. Chao2 is a lower bound. What no run can reach is not counted. Visits to "
        "what was seen: the share of one more run’s visits that go to regions seen before."
    )
    return view_of("richness", "Reachable, but unseen", columns, note, limit=15)


def abandonment(tables: Tables) -> View | None:
    """Families and options that runs left for good, more often than uniform search seems to."""
    rows = table_of(tables, "abandonment")
    if rows is None:
        return None
    rows = longest(rows)[0]
    families = rows["system"] == "families"
    several = rows.groupby(["landscape", "space"])["system"].transform(
        lambda s: "families" in set(s)
    )
    rows = rows[(families | ~several) & (rows["p_adjusted"] <= 0.05)]
    rows = rows.assign(more=rows["left"] - rows["chance"])
    rows = rows.sort_values("more", ascending=False, kind="stable")
    if rows.empty:
        return None
    columns = {
        **arm_columns(rows),
        "Region": texts(rows["region"]),
        "Left by #": [percent(float(share)) for share in rows["left"]],
        "Uniform search #": [percent(float(share)) for share in rows["chance"]],
        "First visit #": fixed(rows["first_visit"], 0),
        "Last visit #": fixed(rows["last_visit"], 0),
        "p #": [p_value(float(p)) for p in rows["p_adjusted"]],
    }
    note = (
        "A run has left a region if it did not come in its last evaluations, as many as uniform "
        "search needs to come with a probability of 95 %. Shown is what significantly more runs "
        "left than uniform search would seem to (exact test, corrected). Visits: medians over "
        "the runs that came. To leave a region that is worse is no fault."
    )
    return view_of("abandonment", "Left for good", columns, note, limit=20)
