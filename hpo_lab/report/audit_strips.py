"""The picture of an audit: each axis as a strip of its parts, with where the trials went."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from hpo_lab.figures._style import DOUBLE, PAGE, blank, finished, label, styled, text_width
from hpo_lab.figures._words import counted

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

STRIPS = 24  # that fit on a page
PARTS = 40  # of a strip that can be told apart
HEIGHT = 8.0  # mm of a strip
NEVER, FEWER, MORE = "#D55E00", "#F4C9A4", "#0072B2"
LEVELS = ((0.5, FEWER), (1.0, "#F1F3F5"), (2.0, "#CFE3F1"), (4.0, "#8FC0E0"))  # upper ratio


class _Strip(NamedTuple):
    name: str
    rows: pd.DataFrame


def _all(regions: pd.DataFrame) -> Iterator[_Strip]:
    """Families, then every axis; axes that share a name but not their parts are told apart."""
    known = regions[
        (regions["axis"] != "") & regions["system"].isin(["families", "options", "bins"])
    ]
    for system in ("families", "bins", "options"):
        mine = known[known["system"] == system]
        for name, rows in mine.groupby("axis", sort=False):
            yield _Strip(str(name), rows)


def _strips(regions: pd.DataFrame) -> tuple[list[_Strip], int]:
    """What is shown, the emptiest strips first where there are too many, and what is not."""
    found = list(_all(regions))
    fit = [one for one in found if len(one.rows) <= PARTS]
    if len(fit) > STRIPS:
        kept = sorted(fit, key=lambda one: -_blind_share(one.rows))[:STRIPS]
        fit = [one for one in fit if any(one is other for other in kept)]
    return fit, len(found) - len(fit)


def _blind_share(rows: pd.DataFrame) -> float:
    blind = rows["verdict"].isin(["never seen", "neglected"])
    return float(rows.loc[blind, "measure"].sum() / max(rows["measure"].sum(), 1e-300))


def caption(regions: pd.DataFrame) -> str:
    """Return what the picture shows, and what was left out of it."""
    _, hidden = _strips(regions)
    text = (
        "Every axis from end to end, each part as wide as its share of it, with the number of "
        "trials there. White: as many as uniform search would make; blue: more, at most twice, "
        "four times and beyond; pale orange: less than half as many; orange: never seen or "
        "neglected, by the test. A plain 0 is no evidence, or untestable."
    )
    return text + (f" Not shown: {counted(hidden, 'more strip')}." if hidden else "")


def strips(regions: pd.DataFrame) -> Drawing | None:
    """Return the picture, None where no part of any axis can be shown.

    ``regions`` has the columns system, axis, part, measure, visits, expected and verdict.
    """
    shown, _ = _strips(regions)
    if not shown:
        return None
    with styled():
        drawing = blank(DOUBLE, min(HEIGHT * len(shown) + 4, PAGE))
        axes = drawing.subplots()
        for place, strip in enumerate(shown):
            _draw(axes, place, strip.rows)
        axes.set_yticks(range(len(shown)), [label(strip.name, 34) for strip in shown])
        axes.set(xlim=(0, 1), ylim=(len(shown) - 0.45, -0.55), xticks=[])
        axes.tick_params(axis="y", length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
        return finished(drawing)


def _draw(axes: Axes, place: int, rows: pd.DataFrame) -> None:
    """One strip: its parts from left to right, the number of visits in each, names below."""
    total, left = max(float(rows["measure"].sum()), 1e-300), 0.0
    for row in rows.to_dict("records"):
        width = row["measure"] / total
        colour = _colour(row)
        axes.barh(place, width, 0.5, left, color=colour, edgecolor="white", linewidth=0.8)
        middle, room = left + width / 2, width * (DOUBLE - 42)
        count = f"{row['visits']:,}"
        if text_width(count, 6) < room:
            ink = "white" if colour in (NEVER, MORE) else "#1c2126"
            axes.text(middle, place, count, ha="center", va="center", size=6, color=ink)
        if room > 5:
            name = label(row["part"], room - 1, 5)
            axes.text(middle, place + 0.28, name, ha="center", va="top", size=5, color="#5a646e")
        left += width


def _colour(row: Mapping[Any, Any]) -> str:
    if row["verdict"] in ("never seen", "neglected"):
        return NEVER
    ratio = float(row["visits"]) / max(float(row["expected"]), 1e-300)
    return next((colour for level, colour in LEVELS if ratio < level), MORE)
