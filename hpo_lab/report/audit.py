"""The audit of one run: the sentences, the table on the terminal, and the page.

``tables`` are regions, edges, constant and excluded of an audit as data frames; ``facts`` hold
log, space, trials, distinct, succeeded, completeness, maximize, best, smallest, has_universe,
outside, skipped and notes.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hpo_lab.figures._words import counted, listed, numbers, p_value, percent, plain, shortened
from hpo_lab.report.console import WIDTH, fixed_width
from hpo_lab.report.page import Picture, drawn, own_folder, readable, rendered, write_tables
from hpo_lab.report.view import View, view_of

if TYPE_CHECKING:
    import pandas as pd

    Tables = Mapping[str, pd.DataFrame]
    Facts = Mapping[str, Any]

SHOWN = 40  # regions on the page
LISTED = 15  # regions on the terminal
NAMED = 3  # regions in a sentence
SYSTEMS = {
    "families": "families",
    "options": "options",
    "bins": "ranges",
    "pairs": "pairs of options",
    "planes": "pairs of ranges",
    "cells": "cells",
}
MEANING = (
    "This says where the run did not look, against uniform search with as many trials. A search "
    "that learns concentrates, so it is no mistake by itself: it is what the result is silent "
    "about."
)

TERMS = (
    (
        "Never seen",
        "no trial lies there, and uniform search with as many trials would have come: with "
        "T trials it misses a region of measure μ with probability (1 − μ)^T.",
    ),
    (
        "Neglected",
        "so few trials lie there that even uniform search at half its pace would hardly ever come "
        "as rarely (at most 5 %), and uniform search itself all the less.",
    ),
    ("No evidence", "neither of these could be shown. It does not mean visited."),
    (
        "Untestable",
        "too small a region: with this number of trials uniform search might well miss it too.",
    ),
    (
        "Measure, expected visits, p",
        "the region’s share of the declared space (families weigh alike unless the space says "
        "otherwise, numbers are uniform on their scale); that share of the trials; and the "
        "probability that uniform search comes as rarely, P(Bin(T, μ) ≤ visits). Corrected: within "
        "its table of regions, for the number of regions that can be tested (Tarone; "
        "Benjamini–Hochberg where regions do not overlap, else Benjamini–Yekutieli).",
    ),
    (
        "What such a verdict is not",
        "One run is one sample and its trials depend on one another, so nothing is said about how "
        "the strategy would fare in another run, or whether something better lies there.",
    ),
)


def lead(tables: Tables, facts: Facts) -> list[str]:
    """Return what was found in plain sentences, the most important first."""
    return [
        sentence
        for sentence in (
            _never(tables["regions"], facts),
            _edge(tables["edges"], facts),
            _constant(tables["constant"]),
            _excluded(tables["excluded"], facts),
            _resolution(facts),
            MEANING,
        )
        if sentence
    ]


def _never(regions: pd.DataFrame, facts: Facts) -> str:
    trials = counted(facts["trials"], "trial")
    if facts["distinct"] < facts["trials"]:
        trials += f" ({facts['distinct']:,} different)"
    blind = blind_rows(regions)
    if blind.empty:
        return (
            f"In {trials} no region was found that this run left out more than uniform search with "
            "as many trials might."
        )
    said = [
        f"{verb} {_named(rows)}"
        for word, rows in blind.groupby("verdict", sort=False)
        for verb in ("never looked at" if word == "never seen" else "neglected",)
    ]
    return f"In {trials} this run {'. It '.join(said)}."


def _named(rows: pd.DataFrame) -> str:
    """Regions with the visits that uniform search would have made there, the largest first."""
    said = [
        f"{shortened(plain(region), 80)} ({visits:,} of {expected:,.0f} visits that were due)"
        if visits
        else f"{shortened(plain(region), 80)} (uniform search: {expected:,.0f} visits)"
        for region, visits, expected in zip(
            rows["region"], rows["visits"], rows["expected"], strict=True
        )
    ]
    return listed(said, limit=NAMED)


def _edge(edges: pd.DataFrame, facts: Facts) -> str:
    best = facts["best"]
    if best is None:
        return "No trial has a value, so nothing is said about the best."
    value = f"The best value, {best['value']:.6g} in trial {best['trial']:,}"
    if edges.empty:
        return f"{value}, lies on no edge of the declared space."
    where = [
        f"{plain(axis)} = {_shown(given)} at the {side} end"
        for axis, given, side in zip(edges["axis"], edges["value"], edges["side"], strict=True)
    ]
    return f"{value}, lies on the edge of the declared space: {listed(where)}."


def _constant(constant: pd.DataFrame) -> str:
    if constant.empty:
        return ""
    named = listed(
        f"{plain(axis)} (always {_shown(value)})"
        for axis, value in zip(constant["axis"], constant["value"], strict=True)
    )
    return f"Never varied, although the space lets them: {named}."


def _excluded(excluded: pd.DataFrame, facts: Facts) -> str:
    if not facts["has_universe"]:
        return ""
    if excluded.empty:
        return "The declared space is the whole universe that was given."
    named = listed(
        (
            f"{shortened(plain(region), 80)} ({percent(float(share))})"
            for region, share in zip(excluded["region"], excluded["measure"], strict=True)
        ),
        limit=6,
    )
    return f"The declared space leaves out of the universe: {named}."


def _resolution(facts: Facts) -> str:
    return (
        f"With {counted(facts['trials'], 'trial')} no region below "
        f"{100 * facts['smallest']:.2g} % of the space can be called never seen: "
        "what is smaller, uniform search may miss too."
    )


def _shown(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else shortened(plain(value), 60)


def blind_rows(regions: pd.DataFrame) -> pd.DataFrame:
    """Return the regions never seen or neglected; what follows from one listed before is left out.

    Those where most visits are missing come first. A pair or a cell that lies in an option, range
    or family with a verdict of its own is no news.
    """
    rows = regions[regions["verdict"].isin(["never seen", "neglected"])]
    rows = rows.assign(_missing=(rows["expected"] - rows["visits"]).round(6))
    rows = rows.sort_values("_missing", ascending=False, kind="stable")
    simple = set(rows.loc[rows["system"].isin(["families", "options", "bins"]), "region"])
    follows = [
        system in ("pairs", "planes", "cells")
        and any(part in simple for part in str(region).split(" and "))
        for system, region in zip(rows["system"], rows["region"], strict=True)
    ]
    return rows[~np.array(follows, dtype=bool)].drop(columns="_missing")


# --- tables ------------------------------------------------------------------------------------


def audit_views(tables: Tables, facts: Facts) -> dict[str, View]:
    """Return the tables that there are, by name, as they are read."""
    made = {
        "blind": _blind_view(tables["regions"]),
        "systems": _systems_view(tables["regions"], facts),
        "edges": _edges_view(tables["edges"]),
        "constant": _constant_view(tables["constant"]),
        "excluded": _excluded_view(tables["excluded"]),
    }
    return {name: view for name, view in made.items() if view is not None}


def _blind_view(regions: pd.DataFrame) -> View | None:
    rows = blind_rows(regions)
    if rows.empty:
        return None
    columns = {
        "Kind": [SYSTEMS.get(name, plain(name)) for name in rows["system"]],
        "Region": [shortened(plain(region), 200) for region in rows["region"]],
        "Verdict": list(rows["verdict"]),
        "Visits #": [f"{n:,}" for n in rows["visits"]],
        "Uniform search #": numbers(list(rows["expected"])),
        "Measure #": [percent(float(share)) for share in rows["measure"]],
        "p #": [p_value(float(p)) for p in rows["p"]],
        "p, corrected #": [p_value(float(p)) for p in rows["p_adjusted"]],
    }
    note = (
        "Where most visits are missing first; pairs and cells only where no option, "
        "range or family in them is listed already. Uniform search: the visits that it would "
        "make on average with as many trials."
    )
    title = "Regions never seen or neglected"
    return view_of("blind", title, columns, note, source="regions", limit=SHOWN)


def _systems_view(regions: pd.DataFrame, facts: Facts) -> View | None:
    words = ("never seen", "neglected", "no evidence", "untestable")
    groups = list(regions.groupby("system", sort=False))
    if not groups:
        return None
    columns = {
        "Kind": [SYSTEMS.get(str(name), plain(name)) for name, _ in groups],
        "Regions #": [f"{len(rows):,}" for _, rows in groups],
        **{
            f"{word.capitalize()} #": [f"{(rows['verdict'] == word).sum():,}" for _, rows in groups]
            for word in words
        },
        "Smallest measure #": [percent(float(rows["measure"].min())) for _, rows in groups],
        "Visited #": [f"{(rows['visits'] > 0).sum():,}" for _, rows in groups],
    }
    note = (
        "Numbers are split so that most regions can be tested with so many trials. "
        + " ".join(
            f"Left out: {count:,} {SYSTEMS.get(name, name)}, too many to be listed."
            for name, count in facts["skipped"].items()
        )
    ).strip()
    return view_of("systems", "All regions, counted", columns, note, source="regions")


def _edges_view(edges: pd.DataFrame) -> View | None:
    if edges.empty:
        return None
    columns = {
        **_family_column(edges),
        "Axis": [plain(one) for one in edges["axis"]],
        "End": list(edges["side"]),
        "Best trial’s value #": [_shown(one) for one in edges["value"]],
        "Bound #": [_shown(one) for one in edges["bound"]],
        "Distance #": [percent(float(one)) for one in edges["distance"]],
        "By chance #": [percent(float(one)) for one in edges["chance"]],
    }
    note = (
        "The best trial lies within 1 % of the scale of a bound of the declared space, so better "
        "ones may lie beyond it. By chance: the probability that a uniform point lies as close to "
        "that bound; each axis has two chances."
    )
    return view_of("edges", "The best value on an edge", columns, note)


def _constant_view(constant: pd.DataFrame) -> View | None:
    if constant.empty:
        return None
    columns = {
        "Axis": [plain(one) for one in constant["axis"]],
        "Always #": [_shown(one) for one in constant["value"]],
        "Trials #": [f"{one:,}" for one in constant["trials"]],
    }
    return view_of("constant", "Never varied", columns, "One value in all trials that have it.")


def _excluded_view(excluded: pd.DataFrame) -> View | None:
    if excluded.empty:
        return None
    columns = {
        **(
            {"Family": [plain(one) for one in excluded["family"]]}
            if any(excluded["family"])
            else {}
        ),
        "Left out": [shortened(plain(one), 200) for one in excluded["region"]],
        "Share of the universe #": [percent(float(one)) for one in excluded["measure"]],
    }
    note = "Each alone; what is left out on several axes counts under each of them."
    return view_of("excluded", "In the universe, and not in the declared space", columns, note)


def _family_column(rows: pd.DataFrame) -> dict[str, list[str]]:
    """The families, where any is named."""
    return {"Family": [plain(one) for one in rows["family"]]} if any(rows["family"]) else {}


# --- what a reader has to know before the numbers ----------------------------------------------


def banners(facts: Facts) -> list[tuple[str, list[str]]]:
    """Return (sentence, particulars): what the log lacks, and which trials were left out."""
    found: list[tuple[str, list[str]]] = []
    if facts["completeness"] == "improvements only":
        found.append(
            (
                "Every value in this log improves on those before it: it seems to hold only the "
                "improvements. Visits are lower bounds, and “never seen” speaks of the log alone.",
                [],
            )
        )
    elif facts["completeness"] != "complete":
        found.append(
            (
                "It is not known whether this log holds every trial. Unless it does, visits are "
                "lower bounds, and “never seen” speaks of the log alone.",
                [],
            )
        )
    if facts["outside"]:
        count = sum(facts["outside"].values())
        found.append(
            (
                f"{counted(count, 'trial')} lie outside the declared space and were not counted."
                if count > 1
                else "1 trial lies outside the declared space and was not counted.",
                [f"{counted(n, 'trial')}: {plain(why)}" for why, n in facts["outside"].items()],
            )
        )
    return found


def _setting(facts: Facts) -> list[tuple[str, str]]:
    best = facts["best"]
    rows = [
        ("log", plain(facts["log"])),
        ("declared space", plain(facts["space"])),
        ("trials in the space", f"{facts['trials']:,}"),
        ("different points", f"{facts['distinct']:,}"),
        ("trials with a value", f"{facts['succeeded']:,}"),
        ("completeness", plain(facts["completeness"])),
        ("direction", "maximised" if facts["maximize"] else "minimised"),
    ]
    if best is not None:
        said = ", ".join(f"{plain(k)} = {_shown(v)}" for k, v in best.items() if k != "trial")
        rows.append((f"best, trial {best['trial']:,}", said))
    return [*rows, *(("note", plain(note)) for note in facts["notes"]), *facts["provenance"]]


# --- terminal and page -------------------------------------------------------------------------


def audit_console(tables: Tables, facts: Facts) -> str:
    """Return the audit as plain text at most 100 columns wide."""
    said = [sentence for sentence, _ in banners(facts)] + lead(tables, facts)
    text = [textwrap.fill(sentence, WIDTH) for sentence in said]
    text += [textwrap.fill(plain(note), WIDTH) for note in facts["notes"]]
    rows = blind_rows(tables["regions"])
    if len(rows):
        shown = rows.head(LISTED)
        head = ("verdict", "region", "visits", "uniform", "p")
        cells = [
            (
                row["verdict"],
                shortened(plain(row["region"]), 55),
                f"{row['visits']:,}",
                f"{row['expected']:.3g}",
                p_value(float(row["p"])),
            )
            for row in shown.to_dict("records")
        ]
        text += ["", *fixed_width([head, *cells], numeric=(False, False, True, True, True))]
        if len(rows) > LISTED:
            text.append(f"… and {len(rows) - LISTED:,} more (all with --json)")
    view = _systems_view(tables["regions"], facts)
    if view is not None:
        table = [[one.lower() for one in view.head], *view.cells]
        text += ["", *fixed_width(table, numeric=view.numeric)]
    return "\n".join(text) + "\n"


def write_audit(folder: str | Path, tables: Tables, facts: Facts) -> Path:
    """Write report.html, figures/ and tables/ of an audit into a folder; return the page's path.

    Everything that comes from the log is shown as text and never run. Raises InputError where a
    folder is a link to somewhere else.
    """
    from hpo_lab.figure import publish
    from hpo_lab.report.audit_strips import caption, strips

    folder = Path(folder)
    for name in ("figures", "tables"):
        own_folder(folder / name)
    shown = audit_views(tables, facts)
    write_tables(folder / "tables", tables, shown)
    drawing = strips(tables["regions"])
    picture: Picture | None = None
    if drawing is not None:
        picture = drawn(drawing, "visits", caption(tables["regions"]), folder / "figures")
    page = rendered(
        "audit.html",
        facts=readable(facts),
        title="What did this run never look at?",
        lead=lead(tables, facts),
        banners=banners(facts),
        views=shown,
        picture=picture,
        terms=TERMS,
        setting=_setting(facts),
    )
    path = folder / "report.html"
    publish(path, page.encode("utf-8"))
    return path
