"""Total regret of the incumbent over evaluations, one panel a landscape."""

from __future__ import annotations

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

LINES = 8  # more lines than these in a panel cannot be told apart
EXACT_LOOKS = (((7, 2), "#222222"), ((3, 1.5), "#777777"), ((5, 4), "#AAAAAA"))
POINTS = 300  # more points than these on a line cannot be seen


class _Panel(NamedTuple):
    landscape: str
    space: str | None  # None: all spaces in one panel
    rows: pd.DataFrame


@dataclass(frozen=True)
class RegretCurves(Figure):
    """Total regret over evaluations with bands; colour is the strategy, line style the space.

    Random search's closed form, where it is known, is thin and dashed.
    """

    panels: int = style.PANELS
    name: ClassVar[str] = "regret_curves"
    tables: ClassVar[tuple[str, ...]] = ("curves",)

    def caption(self, tables: Mapping[str, pd.DataFrame]) -> str:
        """Return what is shown, which statistic, and which landscapes were left out."""
        shown, missing = self._panels(tables)
        rows, budget = style.longest(tables["curves"])
        text = "Total regret of the incumbent over evaluations"
        text += " (median of the runs where some had no success yet, mean elsewhere)" * bool(
            (rows["statistic"] == "median").any()
        )
        text += ". Regret is on a logarithmic scale, straight near zero where zero is reached."
        if rows["low"].notna().any():
            text += " " + (
                "Bands are 95 % intervals."
                if _banded(shown)
                else "Bands are left out because there are too many lines; see curves.csv."
            )
        if style.EXACT in set(rows["strategy"]):
            text += " Thin and dashed: random search's exact expectation."
        what = "panels (landscape × space)" if _by_space(rows) else "landscapes"
        return text + budget + style.left_out([p.landscape for p in shown], missing, what)

    def __call__(self, tables: Mapping[str, pd.DataFrame]) -> Drawing | None:
        """Return the picture, None without curves."""
        shown, _ = self._panels(tables)
        if not shown:
            return None
        rows, _ = style.longest(tables["curves"])
        looks = _Looks(
            style.distinct(rows, "strategy"), style.distinct(rows, "space"), _by_space(rows)
        )
        columns = style.columns_for(len(shown))
        height = 46 * -(-len(shown) // columns) + 10 + 4 * (len(looks.entries(shown)) // 5)
        with style.styled():
            drawing = style.blank(style.SINGLE if len(shown) == 1 else style.DOUBLE, height)
            banded = _banded(shown)
            for axes, panel in zip(style.grid_of(drawing, len(shown)), shown, strict=True):
                _draw(axes, panel, looks, banded)
                axes.set_title(label_of(panel, 140 / columns))
            units = list(rows["unit"])
            drawing.supylabel(style.unit_label("total regret", units), fontsize=7)
            drawing.supxlabel("evaluations", fontsize=7)
            style.legend_above(drawing, looks.entries(shown))
            return style.finished(drawing)

    def _panels(self, tables: Mapping[str, pd.DataFrame]) -> tuple[list[_Panel], list[str]]:
        rows, _ = style.longest(tables["curves"])
        rows = rows[np.isfinite(rows["centre"].to_numpy(float))]
        spaces = style.distinct(rows, "space") if _by_space(rows) else [None]
        found = []
        for landscape in style.by_price(tables, style.distinct(rows, "landscape")):
            for space in spaces:
                part = rows[rows["landscape"] == landscape]
                part = part if space is None else part[part["space"] == space]
                if len(part):
                    found.append(_Panel(landscape, space, part))
        return found[: self.panels], [panel.landscape for panel in found[self.panels :]]


def label_of(panel: _Panel, width: float) -> str:
    """A panel's title: its landscape, and its space where spaces have panels of their own."""
    if panel.space is None:
        return style.label(panel.landscape, width)
    first = style.label(panel.landscape, width)
    return first + "\n" + style.label(panel.space, width)


class _Looks:
    """How each strategy and each space is drawn; the same in every panel."""

    def __init__(self, strategies: Sequence[str], spaces: Sequence[str], apart: bool) -> None:
        self.apart = apart  # each space has panels of its own: no need to tell them by line style
        self.spaces = list(spaces)
        self.strategies = [name for name in strategies if name != style.EXACT]

    def of(self, strategy: str, space: str) -> dict[str, Any]:
        place = 0 if self.apart else self.spaces.index(space)
        if strategy == style.EXACT:
            dash, grey = EXACT_LOOKS[place % len(EXACT_LOOKS)]
            return {"color": grey, "linewidth": 0.7, "linestyle": (0, dash), "zorder": 1}
        turn, colour = divmod(self.strategies.index(strategy), len(style.COLOURS))
        marker = style.MARKERS[turn % len(style.MARKERS)]
        return {
            "color": style.COLOURS[colour],
            "linestyle": style.DASHES[place % len(style.DASHES)],
            "marker": marker,
            "markersize": 2.5,
        }

    def entries(self, panels: Sequence[_Panel]) -> list[tuple[str, Any]]:
        """The legend: strategies by colour, spaces by line style, closed forms one by one."""
        from matplotlib.lines import Line2D

        def line(**look: Any) -> Line2D:
            return Line2D([], [], **look)

        exact = {
            space
            for panel in panels
            for space in panel.rows.loc[panel.rows["strategy"] == style.EXACT, "space"]
        }
        first = self.spaces[0]
        found = [
            (name, line(**{**self.of(name, first), "linestyle": "-"})) for name in self.strategies
        ]
        if self.apart:
            alone = ("random, exact", line(**self.of(style.EXACT, first)))
            return [*found, alone] if exact else found
        if len(self.spaces) > 1:
            for place, space in enumerate(self.spaces):
                dash = style.DASHES[place % len(style.DASHES)]
                found.append((f"in {space}", line(color="#444444", linestyle=dash)))
        for space in self.spaces:
            if space in exact:
                found.append((f"random, exact, in {space}", line(**self.of(style.EXACT, space))))
        return found


def _by_space(rows: pd.DataFrame) -> bool:
    """Whether each space needs a panel of its own."""
    arms = rows.loc[rows["strategy"] != style.EXACT, ["strategy", "space"]].drop_duplicates()
    return len(arms) > LINES and rows["space"].nunique() > 1


def _banded(panels: Sequence[_Panel]) -> bool:
    return all(
        len(panel.rows[["strategy", "space"]].drop_duplicates()) <= LINES + 2 for panel in panels
    )


def _draw(axes: Axes, panel: _Panel, looks: _Looks, banded: bool) -> None:
    for (strategy, space), rows in panel.rows.groupby(["strategy", "space"], sort=False):
        rows = _thinned(rows.sort_values("evaluation"))
        look = looks.of(str(strategy), str(space))
        x = rows["evaluation"].to_numpy(float)
        every = max(len(x) // 6, 1)
        axes.plot(x, rows["centre"], markevery=every, drawstyle="steps-post", **look)
        if banded and rows["low"].notna().any():
            low, high = rows["low"].to_numpy(float), rows["high"].to_numpy(float)
            kind: dict[str, Any] = {"step": "post", "linewidth": 0, "alpha": 0.13}
            axes.fill_between(x, low, high, color=look["color"], **kind)
    last = float(panel.rows["evaluation"].max())
    if last > 200:
        axes.set_xscale("log")
        _ticks(axes.xaxis, style.steps(1, last))
    axes.set_xlim(1, max(last, 2))
    _regret_scale(axes, panel.rows["centre"].to_numpy(float))
    axes.grid(axis="y")


def _thinned(rows: pd.DataFrame) -> pd.DataFrame:
    """A long curve at points that are even on a logarithmic scale, the last one included."""
    if len(rows) <= POINTS:
        return rows
    places = np.unique(np.geomspace(1, len(rows), POINTS).astype(int)) - 1
    return rows.iloc[places]


def _regret_scale(axes: Axes, centres: np.ndarray[Any, np.dtype[np.float64]]) -> None:
    """Logarithmic; straight below the smallest positive regret where some regret is zero."""
    positive = centres[centres > 0]
    if not len(positive):
        axes.set_ylim(-0.05, 1)
        return
    high = float(positive.max()) * 1.15
    low = max(float(positive.min()), high / 1e4)
    if len(positive) == len(centres):
        low = min(low / 1.15, high / 2)
        axes.set_yscale("log")
        axes.set_ylim(low, high)
        ticks = style.steps(low, high)
    else:
        low = max(low, high / 1e3)
        axes.set_yscale("symlog", linthresh=low, linscale=0.4)
        axes.set_ylim(-low * 0.1, high)
        ticks = [0.0, *style.steps(low * 0.999, high)]
    _ticks(axes.yaxis, ticks)


def _ticks(axis: Any, ticks: Sequence[float]) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    axis.set_major_locator(FixedLocator(list(ticks)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
