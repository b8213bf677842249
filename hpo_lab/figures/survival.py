"""When families were abandoned: the share of runs that will still visit them, over evaluations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from hpo_lab.figure import Figure
from hpo_lab.figures import _style as style
from hpo_lab.figures._words import listed

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

LINES = len(style.COLOURS)  # more regions than colours cannot be told apart
HEIGHT = 38  # mm a row of panels


class _Panel(NamedTuple):
    landscape: str
    space: str
    strategy: str
    rows: pd.DataFrame


@dataclass(frozen=True)
class Survival(Figure):
    """Share of runs that will still visit each family after evaluation t, one panel a strategy.

    Colour is the family (or the option, where there is one family only); the one that holds the
    optimum is drawn broader. Thin and dashed: uniform search.
    """

    panels: int = style.PANELS
    name: ClassVar[str] = "survival"
    tables: ClassVar[tuple[str, ...]] = ("survival",)

    def caption(self, tables: Mapping[str, pd.DataFrame]) -> str:
        """Return what is shown, and which regions and panels were left out."""
        shown, missing = self._panels(tables)
        rows, budget = style.longest(tables["survival"])
        text = (
            "Share of runs that will still visit a region after evaluation t: a curve that falls "
            "early shows a region that is abandoned. Thin and dashed, in the same colour: uniform "
            "search with the same budget, which falls near the end because nothing is left to "
            "draw."
        )
        if (rows["best"] == 1).any():
            text += " Broad: the region that holds the optimum of the declared space."
        if rows["still_low"].notna().any():
            text += " Bands are pointwise 95 % intervals over runs."
        same = rows[rows["system"].isin([panel.rows["system"].iloc[0] for panel in shown])]
        if len(same) < len(rows):
            text += " Options of landscapes with one family only are in survival.csv."
        hidden = [one for one in style.distinct(same, "region") if one not in _colours(shown)]
        if hidden:
            text += f" Regions left out: {listed(hidden)}."
        return text + budget + _left_out(shown, missing)

    def __call__(self, tables: Mapping[str, pd.DataFrame]) -> Drawing | None:
        """Return the picture, None where there is no region to follow."""
        shown, _ = self._panels(tables)
        if not shown:
            return None
        colours = _colours(shown)
        columns = style.columns_for(len(shown))
        height = HEIGHT * -(-len(shown) // columns) + 12 + 4 * (len(colours) // 5)
        with style.styled():
            drawing = style.blank(style.SINGLE if len(shown) == 1 else style.DOUBLE, height)
            for axes, panel in zip(style.grid_of(drawing, len(shown)), shown, strict=True):
                _draw(axes, panel, colours)
                axes.set_title(_title(panel, shown, 140 / columns))
            drawing.supylabel("share of runs", fontsize=7)
            drawing.supxlabel("evaluation t", fontsize=7)
            style.legend_above(drawing, _entries(colours))
            return style.finished(drawing)

    def _panels(self, tables: Mapping[str, pd.DataFrame]) -> tuple[list[_Panel], list[_Panel]]:
        table = tables["survival"]
        if not len(table):
            return [], []
        rows, _ = style.longest(table)
        several = rows.groupby(["landscape", "space"])["region"].transform("nunique") > 1
        rows = rows[several]
        families = rows[rows["system"] == "families"]
        rows = families if families["region"].nunique() > 1 else rows
        rows = rows[rows["region"].isin(_followed(rows))]
        found = []
        for landscape in style.by_price(tables, style.distinct(rows, "landscape")):
            here = rows[rows["landscape"] == landscape]
            for (space, strategy), part in here.groupby(["space", "strategy"], sort=False):
                found.append(_Panel(landscape, str(space), str(strategy), part))
        return found[: self.panels], found[self.panels :]


def _followed(rows: pd.DataFrame) -> list[str]:
    """The regions that hold an optimum, and those that fall first, beside uniform search."""
    if rows["region"].nunique() <= LINES:
        return style.distinct(rows, "region")
    by_region = rows.groupby("region", sort=False)
    lead = (rows["still"] - rows["still_uniform"]).groupby(rows["region"], sort=False).mean()
    lead -= 1.0 * (by_region["best"].max() == 1)
    return [str(name) for name in lead.sort_values(kind="stable").index[:LINES]]


def _colours(panels: Sequence[_Panel]) -> dict[str, str]:
    """The colour of each region, the same in every panel."""
    every = dict.fromkeys(name for panel in panels for name in style.distinct(panel.rows, "region"))
    return dict(zip(every, style.COLOURS, strict=False))


def _title(panel: _Panel, panels: Sequence[_Panel], width: float) -> str:
    """What tells a panel from the others: its strategy, and what else differs between them."""
    lines = []
    if len({one.landscape for one in panels}) > 1:
        lines.append(panel.landscape)
    if len({one.space for one in panels}) > 1:
        lines.append(panel.space)
    lines.append(panel.strategy)
    return "\n".join(style.label(line, width) for line in lines)


def _left_out(shown: Sequence[_Panel], missing: Sequence[_Panel]) -> str:
    if not missing:
        return ""
    total = len(shown) + len(missing)
    return f" Shown are {len(shown)} of {total} panels (landscape × space × strategy)."


def _draw(axes: Axes, panel: _Panel, colours: Mapping[str, str]) -> None:
    for region, rows in panel.rows.groupby("region", sort=False):
        rows = rows.sort_values("evaluation")
        x = rows["evaluation"].to_numpy(float)
        look: dict[str, Any] = {"color": colours[str(region)]}
        broad = bool((rows["best"] == 1).any())
        axes.plot(x, rows["still_uniform"], lw=0.5, ls=(0, (5, 2)), zorder=1, **look)
        axes.plot(x, rows["still"], lw=2.2 if broad else 1.0, drawstyle="steps-post", **look)
        low, high = rows["still_low"].to_numpy(float), rows["still_high"].to_numpy(float)
        axes.fill_between(x, low, high, step="post", linewidth=0, alpha=0.1, **look)
    axes.set_xlim(0, max(float(panel.rows["evaluation"].max()), 1.0))
    axes.set_ylim(0, 1.02)
    axes.set_yticks([0, 0.5, 1], ["0", "50 %", "100 %"])
    axes.locator_params(axis="x", nbins=4)
    axes.grid(axis="y")


def _entries(colours: Mapping[str, str]) -> list[tuple[str, Any]]:
    from matplotlib.lines import Line2D

    found = [(name, Line2D([], [], color=colour, lw=1.4)) for name, colour in colours.items()]
    return [*found, ("uniform search", Line2D([], [], color="#444444", lw=0.5, ls=(0, (5, 2))))]
