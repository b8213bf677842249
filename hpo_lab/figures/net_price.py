"""What a declared space gained minus what it cost, over budgets, with where it stops winning."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from hpo_lab.figure import Figure
from hpo_lab.figures import _style as style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

POINTS = 300  # more points than these on a line cannot be seen
AHEAD, EXACT = "#EAF3EA", "#222222"


class _Panel(NamedTuple):
    landscape: str
    space: str
    rows: pd.DataFrame


@dataclass(frozen=True)
class NetPrice(Figure):
    """Net benefit of a declared space over evaluations, one panel a landscape and space.

    Above zero, shaded, the declared space is ahead of the universe, its price included. A dot on
    the line of zero is the break-even, a bar through it the interval of the crossing itself.
    """

    panels: int = style.PANELS
    name: ClassVar[str] = "net_price"
    tables: ClassVar[tuple[str, ...]] = ("net",)

    def caption(self, tables: Mapping[str, pd.DataFrame]) -> str:
        """Return what is shown, how sure it is, and what was left out."""
        shown, missing = self._panels(tables)
        rows, budget = style.longest(tables["net"])
        text = (
            "Net benefit of a declared space over evaluations: regret in the universe minus regret "
            "in the space, means over paired runs. Shaded, above zero, the space is ahead, its "
            "price included. What leaves the frame at the first few evaluations is in net.csv."
        )
        if rows["low"].notna().any():
            text += " Bands: pointwise 95 % intervals."
        elif (rows["strategy"] != style.EXACT).any():
            text += " No intervals: the pairs of runs are too few, or do not vary."
        if (rows["strategy"] == style.EXACT).any():
            text += " Dashed: random search's exact expectation, carried on beyond the budget."
        even = tables.get("break_even")
        if even is not None and even["break_even"].notna().any():
            text += " Dots: break-even, the last budget at which the space wins"
            text += ", with its own 95 % interval" * bool(even["low"].notna().any()) + "."
        if (rows["statistic"] == "difference of medians").any():
            text += " Where some run had no success yet, the difference of medians."
        what = "panels (landscape × space)"
        return text + budget + style.left_out([p.landscape for p in shown], missing, what)

    def __call__(self, tables: Mapping[str, pd.DataFrame]) -> Drawing | None:
        """Return the picture, None without a space to compare."""
        shown, _ = self._panels(tables)
        if not shown:
            return None
        rows, _ = style.longest(tables["net"])
        strategies = [name for name in style.distinct(rows, "strategy") if name != style.EXACT]
        even = tables.get("break_even")
        columns = style.columns_for(len(shown))
        height = 46 * -(-len(shown) // columns) + 12
        several = len({panel.space for panel in shown}) > 1
        with style.styled():
            drawing = style.blank(style.SINGLE if len(shown) == 1 else style.DOUBLE, height)
            for axes, panel in zip(style.grid_of(drawing, len(shown)), shown, strict=True):
                _draw(axes, panel, strategies, even)
                axes.set_title(_title(panel, 140 / columns, several))
            units = list(rows["unit"])
            drawing.supylabel(style.unit_label("net benefit", units), fontsize=7)
            drawing.supxlabel("evaluations", fontsize=7)
            style.legend_above(drawing, _entries(shown, strategies))
            return style.finished(drawing)

    def _panels(self, tables: Mapping[str, pd.DataFrame]) -> tuple[list[_Panel], list[str]]:
        if tables["net"].empty:
            return [], []
        rows, _ = style.longest(tables["net"])
        rows = rows[np.isfinite(rows["net"].to_numpy(float))]
        found = [
            _Panel(landscape, space, part)
            for landscape in style.by_price(tables, style.distinct(rows, "landscape"))
            for space in style.distinct(rows, "space")
            if len(part := rows[(rows["landscape"] == landscape) & (rows["space"] == space)])
        ]
        return found[: self.panels], [panel.landscape for panel in found[self.panels :]]


def _title(panel: _Panel, width: float, several: bool) -> str:
    first = style.label(panel.landscape, width)
    return f"{first}\n{style.label(panel.space, width)}" if several else first


def _look(strategy: str, strategies: Sequence[str]) -> dict[str, Any]:
    if strategy == style.EXACT:
        return {"color": EXACT, "linewidth": 0.8, "linestyle": (0, (4, 2)), "zorder": 3}
    turn, colour = divmod(strategies.index(strategy), len(style.COLOURS))
    return {
        "color": style.COLOURS[colour],
        "marker": style.MARKERS[turn % len(style.MARKERS)],
        "markersize": 2.5,
    }


def _entries(panels: Sequence[_Panel], strategies: Sequence[str]) -> list[tuple[str, Any]]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    present = {str(name) for panel in panels for name in panel.rows["strategy"]}
    names = [*strategies, style.EXACT]
    found: list[tuple[str, Any]] = [
        (name, Line2D([], [], **_look(name, strategies))) for name in names if name in present
    ]
    return [*found, ("the space is ahead", Patch(color=AHEAD))]


def _draw(axes: Axes, panel: _Panel, strategies: Sequence[str], even: pd.DataFrame | None) -> None:
    reach = max(float(panel.rows["evaluation"].max()), 2.0)
    axes.set_ylim(*_limits(panel.rows))
    axes.locator_params(axis="y", nbins=6)
    axes.axhspan(0, axes.get_ylim()[1], color=AHEAD, linewidth=0, zorder=0)
    axes.axhline(0, color="#444444", linewidth=0.6, zorder=1)
    for strategy, rows in panel.rows.groupby("strategy", sort=False):
        rows = _thinned(rows.sort_values("evaluation"))
        look = _look(str(strategy), strategies)
        x = rows["evaluation"].to_numpy(float)
        axes.plot(x, rows["net"], drawstyle="steps-post", markevery=max(len(x) // 6, 1), **look)
        band = rows["low"].notna().any() and panel.rows["strategy"].nunique() <= 6
        if band:
            ends = (np.clip(rows[end].to_numpy(float), -1e300, 1e300) for end in ("low", "high"))
            kind: dict[str, Any] = {"step": "post", "linewidth": 0, "alpha": 0.13}
            axes.fill_between(x, *ends, color=look["color"], **kind)
    if even is not None and not even.empty:
        _crossings(axes, panel, strategies, even, reach)
    own = panel.rows.loc[panel.rows["strategy"] != style.EXACT, "evaluation"]
    if len(own) and reach > own.max():
        axes.axvline(float(own.max()), color="#999999", linewidth=0.5, linestyle=(0, (1, 2)))
    if reach > 200:
        axes.set_xscale("log")
        _whole_ticks(axes, reach)
    axes.set_xlim(1, reach)


def _thinned(rows: pd.DataFrame) -> pd.DataFrame:
    """A long curve at points that are even on a logarithmic scale, the last one included."""
    if len(rows) <= POINTS:
        return rows
    places = np.unique(np.geomspace(1, len(rows), POINTS).astype(int)) - 1
    return rows.iloc[places]


def _limits(rows: pd.DataFrame) -> tuple[float, float]:
    """From the later part of the curves and where the intervals end; always with zero inside."""
    own = float(rows["budget"].max())
    later = rows[rows["evaluation"] >= min(max(5.0, own / 3), own)]
    last = rows[rows["evaluation"] == own]
    values = later["net"].to_numpy(float)
    size = float(np.abs(values).max(initial=0.0)) or 1.0
    ends = last[["low", "high"]].to_numpy(float).ravel()
    ends = ends[np.isfinite(ends) & (np.abs(ends) <= 2 * size)]
    low, high = (np.concatenate([values, ends, [0.0]])).min(), values.max(initial=0.0)
    high = max(float(high), float(ends.max(initial=0.0)))
    room = 0.12 * (high - low) or 1.0
    return float(low) - room, high + room


def _whole_ticks(axes: Axes, reach: float) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    axes.xaxis.set_major_locator(FixedLocator(style.steps(1, reach)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))


def _crossings(
    axes: Axes,
    panel: _Panel,
    strategies: Sequence[str],
    even: pd.DataFrame,
    reach: float,
) -> None:
    """Break-even on the line of zero: a dot, and a bar over the interval of the crossing."""
    mine = even[(even["landscape"] == panel.landscape) & (even["space"] == panel.space)]
    mine = mine[mine["budget"] == mine["budget"].max()]
    known = {str(name) for name in panel.rows["strategy"]}
    for _, row in mine[mine["strategy"].isin(known)].iterrows():
        colour = _look(str(row["strategy"]), strategies)["color"]
        low, high = float(row["low"]), float(row["high"])
        if not math.isnan(low):
            ends = [min(max(end, 1.0), float(row["budget"])) for end in (low, high)]
            axes.plot(ends, [0, 0], color=colour, linewidth=2.2, alpha=0.35, zorder=2)
        value = float(row["break_even"])
        if math.isfinite(value) and value <= reach:
            axes.scatter([value], [0], s=14, color=colour, edgecolors="white", lw=0.5, zorder=5)
