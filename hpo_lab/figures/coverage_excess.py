"""Excess emptiness of each strategy: marginals and whole cells, against random search."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd

from hpo_lab.figure import Figure
from hpo_lab.figures import _style as style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

ROWS = 40
ROW = 3.8  # mm
EMPTIER, FULLER, CHANCE = "#B2500A", "#0072B2", "#CCCCCC"
LEVELS = ("single axes", "pairs of axes", "all axes together")
PAIRS = ("pairs", "planes")
ARM = ["landscape", "space", "strategy"]


@dataclass(frozen=True)
class CoverageExcess(Figure):
    """What stayed empty beyond random search: single axes, pairs of axes, all axes together."""

    name: ClassVar[str] = "coverage_excess"
    tables: ClassVar[tuple[str, ...]] = ("occupancy",)

    def caption(self, tables: Mapping[str, pd.DataFrame]) -> str:
        """Return what is shown, and what was left out."""
        rows, said = style.longest(_last(tables["occupancy"]))
        found = _excess(rows)
        text = (
            "Excess emptiness: of the regions that random search fills with the same budget, the "
            "share that a run of each strategy left empty; below zero, more were filled. Grey: "
            "where 95 % of such means lie for random search itself. Means over runs"
            f"{' and instances' if rows['instance'].nunique() > 1 else ''}.{said}"
        )
        if "all axes together" not in set(found["level"]):
            text += (
                " Cells of all axes together are not shown: there are so many that random search "
                "leaves more than half of them empty, whatever one does."
            )
        arms = len(found[ARM].drop_duplicates())
        if arms > ROWS:
            text += f" Shown are {ROWS} of {arms} arms, the emptiest ones."
        return text

    def __call__(self, tables: Mapping[str, pd.DataFrame]) -> Drawing | None:
        """Return the picture, None where nothing may lead."""
        table = tables["occupancy"]
        if table.empty:
            return None
        found = _excess(style.longest(_last(table))[0])
        if found.empty:
            return None
        arms = _arms(found)
        levels = [level for level in LEVELS if level in set(found["level"])]
        with style.styled():
            drawing = style.blank(style.DOUBLE, len(arms) * ROW + 18)
            panels = drawing.subplots(1, len(levels), sharey=True, squeeze=False)[0]
            for axes, level in zip(panels, levels, strict=True):
                _draw(axes, found[found["level"] == level], arms, level)
            shown = style.labels([" · ".join(arm) for arm in arms], 55, 6)
            panels[0].set_yticks(range(len(arms)), list(shown.values()))
            drawing.supxlabel("excess emptiness (%)", fontsize=7)
            style.legend_above(drawing, _entries(found))
            return style.finished(drawing)


def _last(table: pd.DataFrame) -> pd.DataFrame:
    """Sums of whole systems by single runs at their last evaluation, which may lead."""
    if table.empty:
        return table
    rows = table[(table["scope"] == "one run") & (table["axes"].fillna("") == "")]
    rows = rows[rows["headline"].astype(bool)]
    return rows[rows["evaluation"] == rows["budget"]]


def _excess(rows: pd.DataFrame) -> pd.DataFrame:
    """One row an arm and level: excess and its range by chance, systems weighed by their regions.

    Of the cells only the finest level is kept.
    """
    cells = rows["system"] == "cells"
    finest = rows["regions"] == rows["regions"].where(cells).groupby(
        [rows[key] for key in (*ARM, "instance")]
    ).transform("max")
    rows = rows[~cells | finest]
    level = rows["system"].map(
        lambda name: LEVELS[2] if name == "cells" else LEVELS[1 if name in PAIRS else 0]
    )
    parts = {key: rows[key] * rows["expected"] for key in ("excess", "random_low", "random_high")}
    weighed = rows[ARM].assign(level=level, expected=rows["expected"], **parts)
    found = weighed.groupby([*ARM, "level"], sort=False).sum()
    for key in parts:
        found[key] = 100 * found[key] / found["expected"]
    return found.reset_index()


def _arms(found: pd.DataFrame) -> list[tuple[str, ...]]:
    """The arms from the emptiest on, at most ROWS of them."""
    worst = found.groupby(ARM, sort=False)["excess"].max().sort_values(ascending=False)
    return [tuple(map(str, arm)) for arm in worst.index[:ROWS]]


def _draw(axes: Axes, rows: pd.DataFrame, arms: list[tuple[str, ...]], level: str) -> None:
    place = {arm: y for y, arm in enumerate(arms)}
    axes.axvline(0, color="#888888", lw=0.5, zorder=1)
    for row in rows.to_dict("records"):
        y = place.get(tuple(str(row[key]) for key in ARM))
        if y is None:
            continue
        low, high, excess = (float(row[k]) for k in ("random_low", "random_high", "excess"))
        axes.barh(y, high - low, 0.55, left=low, color=CHANCE, zorder=2)
        colour, fill = _look(excess, low, high)
        axes.scatter([excess], [y], s=14, edgecolors=colour, facecolors=fill, lw=0.9, zorder=3)
    axes.set_title(level)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(arms) - 0.4, -0.6)
    axes.locator_params(axis="x", nbins=5)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")


def _look(excess: float, low: float, high: float) -> tuple[str, str]:
    if excess > high + 1e-9:
        return EMPTIER, EMPTIER
    return (FULLER, FULLER) if excess < low - 1e-9 else ("#444444", "white")


def _entries(found: pd.DataFrame) -> list[tuple[str, Any]]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    looks = {
        _look(float(e), float(a), float(b))
        for e, a, b in zip(found["excess"], found["random_low"], found["random_high"], strict=True)
        if math.isfinite(e)
    }
    entries: list[tuple[str, Any]] = [("random search, 95 %", Patch(color=CHANCE))]
    for words, colour, fill in (
        ("emptier than random", EMPTIER, EMPTIER),
        ("as random", "#444444", "white"),
        ("fuller than random", FULLER, FULLER),
    ):
        if (colour, fill) in looks:
            dot = Line2D([], [], ls="", marker="o", markersize=4, color=colour, mfc=fill, mew=0.9)
            entries.append((words, dot))
    return entries
