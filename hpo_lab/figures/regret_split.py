"""Total regret split into what the space, the search and the selection cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd

from hpo_lab.figure import Figure
from hpo_lab.figures import _style as style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

PARTS = {  # column -> (words, colour); dark to light, so that they differ in grey as well
    "from_space": ("space regret", "#B2500A"),
    "from_search": ("search regret", "#56B4E9"),
    "from_selection": ("selection regret", "#D9D9D9"),
}
BAR = 2.9  # mm from one bar to the next


@dataclass(frozen=True)
class RegretSplit(Figure):
    """Stacked space, search and selection regret of each strategy in each space.

    Whiskers are the interval of the total; a deterministic arm has none.
    """

    panels: int = style.PANELS
    name: ClassVar[str] = "regret_split"
    tables: ClassVar[tuple[str, ...]] = ("arms",)

    def caption(self, tables: Mapping[str, pd.DataFrame]) -> str:
        """Return what is shown, at which budget, and what was left out."""
        rows, budget = style.longest(tables["arms"])
        shown, missing = self._landscapes(rows, tables)
        rows = rows[rows["landscape"].isin(shown)]
        text = (
            "Total regret at the end of the budget, split into what the declared space costs, "
            "what the search did not find in it, and what was lost by choosing on observed values."
        )
        if rows["total_low"].notna().any():
            text += " Whiskers: 95 % interval of the total; none where nothing varies (n = 1)."
        if not _runs(rows, tables).empty:
            text += " Dots: single runs, where they are too few for an interval."
        if any(_unsplit(row) for _, row in rows.iterrows()):
            text += " Hatched: total only, because its parts are unknown or a median is shown."
        if (rows["statistic"] == "median").any():
            text += " Totals marked “median” are medians: some runs had no success."
        return text + budget + style.left_out(shown, missing)

    def __call__(self, tables: Mapping[str, pd.DataFrame]) -> Drawing | None:
        """Return the picture, None without arms."""
        rows, _ = style.longest(tables["arms"])
        shown, _ = self._landscapes(rows, tables)
        if not shown:
            return None
        bars = _bars(rows)
        columns = style.columns_for(len(shown))
        lines = -(-len(shown) // columns)
        with style.styled():
            height = lines * (len(bars) * BAR + 11) + 12
            drawing = style.blank(style.SINGLE if len(shown) == 1 else style.DOUBLE, height)
            panels = style.grid_of(drawing, len(shown))
            titles = style.labels(shown, 120 / columns)
            for place, (axes, landscape) in enumerate(zip(panels, shown, strict=True)):
                part = rows[rows["landscape"] == landscape]
                _draw(axes, part, _runs(part, tables), bars, place % columns == 0)
                axes.set_title(titles[landscape])
            units = list(rows.loc[rows["landscape"].isin(shown), "unit"])
            drawing.supxlabel(style.unit_label("total regret", units), fontsize=7)
            style.legend_above(drawing, _entries(rows[rows["landscape"].isin(shown)]))
            return style.finished(drawing)

    def _landscapes(
        self, rows: pd.DataFrame, tables: Mapping[str, pd.DataFrame]
    ) -> tuple[list[str], list[str]]:
        names = style.by_price(tables, style.distinct(rows, "landscape"))
        count = self.panels
        height = len(_bars(rows)) * BAR + 11
        while count > 1 and -(-count // style.columns_for(count)) * height > style.PAGE:
            count -= 1
        return names[:count], names[count:]


def _bars(rows: pd.DataFrame) -> list[tuple[float, str, str]]:
    """The place of each (strategy, space) from the top, with a gap between strategies."""
    spaces = style.distinct(rows, "space")
    gap = 0.6 if len(spaces) > 1 else 0.0
    arms = [
        (strategy, space)
        for strategy in style.distinct(rows, "strategy")
        for space in spaces
        if ((rows["strategy"] == strategy) & (rows["space"] == space)).any()
    ]
    order = style.distinct(rows, "strategy")
    return [(i + gap * order.index(arm[0]), *arm) for i, arm in enumerate(arms)]


def _unsplit(row: pd.Series[Any]) -> bool:
    """Whether only the total can be drawn: parts unknown, or medians that do not add up."""
    parts = [float(row[part]) for part in PARTS]
    if not bool(row["split"]) or not all(math.isfinite(part) for part in parts):
        return True
    total = float(row["total"])
    return abs(sum(parts) - total) > 1e-6 * max(abs(total), 1.0)


def _runs(rows: pd.DataFrame, tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Total regret of the single runs of arms that vary but have no interval, where it is known."""
    keys = ["landscape", "space", "strategy", "budget"]
    varying = rows[rows["total_low"].isna() & (rows["samples"] > 1)]
    runs = tables.get("regret")
    if runs is None or runs.empty or varying.empty:
        return pd.DataFrame(columns=[*keys, "total"])
    runs = runs.merge(varying[keys], on=keys)
    return runs[runs["total"].map(math.isfinite)]


def _draw(
    axes: Axes,
    rows: pd.DataFrame,
    runs: pd.DataFrame,
    bars: Sequence[tuple[float, str, str]],
    named: bool,
) -> None:
    arms = {(str(row["strategy"]), str(row["space"])): row for _, row in rows.iterrows()}
    ends = [*rows["total"], *rows["total_high"], *runs["total"]]
    right = max([float(e) for e in ends if math.isfinite(float(e))], default=0.0) * 1.28 or 1.0
    for place, strategy, space in bars:
        row = arms.get((strategy, space))
        if row is not None:
            _bar(axes, place, row, right)
        own = runs[(runs["strategy"] == strategy) & (runs["space"] == space)]["total"]
        look: dict[str, Any] = {"facecolors": "none", "edgecolors": "black", "alpha": 0.7}
        axes.scatter(own, [place] * len(own), s=2.5, linewidths=0.35, zorder=3, **look)
    names = _names(bars)
    axes.set_yticks([bar[0] for bar in bars], names if named else [""] * len(bars))
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(bars[-1][0] + 0.7, -0.7)
    axes.set_xlim(0, right)
    axes.locator_params(axis="x", nbins=4)
    axes.grid(axis="x")


def _names(bars: Sequence[tuple[float, str, str]]) -> list[str]:
    strategies = style.labels([bar[1] for bar in bars], 24, 6)
    spaces = style.labels([bar[2] for bar in bars], 18, 6)
    if len(spaces) == 1:
        return [strategies[strategy] for _, strategy, _ in bars]
    return [f"{strategies[strategy]} · {spaces[space]}" for _, strategy, space in bars]


def _bar(axes: Axes, place: float, row: pd.Series[Any], right: float) -> None:
    total = float(row["total"])
    if not math.isfinite(total):
        words = "no success" if total == math.inf else "unknown"
        axes.text(right * 0.02, place, words, va="center", fontsize=5.5, color="#444444")
        return
    if _unsplit(row):
        axes.barh(place, total, 0.78, color="#F4F4F4", edgecolor="#666666", hatch="////", lw=0.4)
    else:
        start = 0.0
        for part, (_, colour) in PARTS.items():
            axes.barh(place, float(row[part]), 0.78, left=start, color=colour, lw=0)
            start += float(row[part])
    end = total
    low, high = float(row["total_low"]), float(row["total_high"])
    if math.isfinite(low) and math.isfinite(high):
        spread = [[max(total - low, 0.0)], [max(high - total, 0.0)]]
        axes.errorbar(
            total, place, xerr=spread, fmt="none", ecolor="black", elinewidth=0.6, capsize=1.2
        )
        end = max(end, high)
    note = _note(row)
    if note:
        axes.text(end + right * 0.02, place, note, va="center", fontsize=5.5, color="#444444")


def _note(row: pd.Series[Any]) -> str:
    if row["statistic"] == "median":
        return "median"
    return "n = 1" if row["samples"] == 1 else ""


def _entries(rows: pd.DataFrame) -> list[tuple[str, Any]]:
    from matplotlib.patches import Patch

    unsplit = [_unsplit(row) for _, row in rows.iterrows()]
    found: list[tuple[str, Any]] = []
    if not all(unsplit):
        found += [(words, Patch(color=colour, lw=0)) for words, colour in PARTS.values()]
    if any(unsplit):
        patch = Patch(facecolor="#F4F4F4", edgecolor="#666666", hatch="//////", lw=0.4)
        found.append(("total, not split", patch))
    return found
