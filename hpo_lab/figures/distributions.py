"""What a uniform draw from each space is worth: error distributions beside the price."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from hpo_lab.figure import Figure
from hpo_lab.figures import _style as style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

SPACES = 6  # more curves than these in a panel cannot be told apart


@dataclass(frozen=True)
class Distributions(Figure):
    """The share of uniform draws at or below each regret, one line a space, one panel a landscape.

    Logarithmic upwards, so that the left ends can be seen: their gap is the price.
    """

    panels: int = style.PANELS
    name: ClassVar[str] = "distributions"
    tables: ClassVar[tuple[str, ...]] = ("distributions",)

    def caption(self, tables: Mapping[str, pd.DataFrame]) -> str:
        """Return what is shown, how it is known, and what was left out."""
        shown, missing = self._landscapes(tables)
        rows = tables["distributions"]
        mine = rows[rows["landscape"].isin(shown)]
        text = (
            "Error distributions: the share of uniform draws from each space whose truth is at or "
            "below a value, on a logarithmic scale. Higher is better for random search"
        )
        if mine["regret"].astype(bool).any():
            text += (
                "; values count from the universe's optimum, so a curve begins at its space's "
                "price (triangle), which no number of draws gets below"
            )
        text += "."
        if (mine["how"] == "exact").any():
            text += " Exact, by enumeration"
            text += "." if (mine["how"] == "exact").all() else " where there is no band."
        if mine["low"].notna().any():
            text += " Bands: pointwise 95 % intervals over independent draws."
        hidden = style.distinct(mine, "space")[SPACES:]
        if hidden:
            text += f" {len(hidden)} more spaces are in distributions.csv."
        return text + style.left_out(shown, missing)

    def __call__(self, tables: Mapping[str, pd.DataFrame]) -> Drawing | None:
        """Return the picture, None without distributions of two spaces."""
        shown, _ = self._landscapes(tables)
        if not shown:
            return None
        rows = tables["distributions"]
        rows = rows[rows["landscape"].isin(shown)]
        spaces = style.distinct(rows, "space")[:SPACES]
        columns = style.columns_for(len(shown))
        with style.styled():
            height = 44 * -(-len(shown) // columns) + 12
            drawing = style.blank(style.SINGLE if len(shown) == 1 else style.DOUBLE, height)
            titles = style.labels(shown, 140 / columns)
            for axes, name in zip(style.grid_of(drawing, len(shown)), shown, strict=True):
                _draw(axes, rows[rows["landscape"] == name], spaces, tables.get("price"))
                axes.set_title(titles[name])
            regret = rows["regret"].astype(bool)
            what = "regret of a draw" if regret.all() else "truth of a draw"
            what = "regret, or truth where the optimum is unknown" if regret.nunique() > 1 else what
            drawing.supxlabel(style.unit_label(what, list(rows["unit"])), fontsize=7)
            drawing.supylabel("share of uniform draws", fontsize=7)
            style.legend_above(drawing, _entries(spaces))
            return style.finished(drawing)

    def _landscapes(self, tables: Mapping[str, pd.DataFrame]) -> tuple[list[str], list[str]]:
        rows = tables["distributions"]
        if rows.empty:
            return [], []
        spaces = rows.groupby("landscape", sort=False)["space"].nunique()
        several = [str(name) for name, count in spaces.items() if count > 1]
        names = style.by_price(tables, several)
        return names[: self.panels], names[self.panels :]


def _look(space: str, spaces: Sequence[str]) -> dict[str, Any]:
    place = spaces.index(space)
    return {
        "color": style.COLOURS[place % len(style.COLOURS)],
        "linestyle": style.DASHES[place % len(style.DASHES)] if place else "-",
    }


def _entries(spaces: Sequence[str]) -> list[tuple[str, Any]]:
    from matplotlib.lines import Line2D

    return [(space, Line2D([], [], **_look(space, spaces))) for space in spaces]


def _draw(
    axes: Axes, rows: pd.DataFrame, spaces: Sequence[str], price: pd.DataFrame | None
) -> None:
    least = float(rows["share"].min())
    right = _right(rows)
    for space, part in rows.groupby("space", sort=False):
        if space not in spaces:
            continue
        part = part.sort_values("value")
        look = _look(str(space), spaces)
        x = part["value"].to_numpy(float)
        ends = max(float(x[-1]), right)
        y = part["share"].to_numpy(float)
        axes.plot(
            [x[0], *x, ends], [least / 3, *y, y[-1]], drawstyle="steps-post", linewidth=1.0, **look
        )
        if part["low"].notna().any():
            band: dict[str, Any] = {"step": "post", "linewidth": 0, "alpha": 0.15}
            low, high = (part[end].to_numpy(float) for end in ("low", "high"))
            axes.fill_between(x, np.maximum(low, least / 3), high, color=look["color"], **band)
    if price is not None and bool(rows["regret"].astype(bool).all()):
        _prices(axes, rows, spaces, price, right)
    axes.set_yscale("log")
    axes.set_ylim(least / 1.5, 1.15)
    axes.set_xlim(min(0.0, float(rows["value"].min())) if rows["regret"].all() else None, right)
    axes.locator_params(axis="x", nbins=5)
    axes.grid(axis="y")


def _right(rows: pd.DataFrame) -> float:
    """Up to the median draw of the space that has the worse one: the left end is what counts."""
    medians = [
        float(part.loc[part["share"] >= 0.5, "value"].min())
        for _, part in rows.groupby("space")
        if (part["share"] >= 0.5).any()
    ]
    return max(medians) if medians else float(rows["value"].max())


def _prices(
    axes: Axes, rows: pd.DataFrame, spaces: Sequence[str], price: pd.DataFrame, right: float
) -> None:
    """A triangle on the axis at the price of each space."""
    mine = price[price["landscape"] == rows["landscape"].iloc[0]]
    for _, row in mine[mine["space"].isin(spaces)].iterrows():
        paid = float(row["price"])
        if math.isfinite(paid) and paid <= right:
            colour = _look(str(row["space"]), spaces)["color"]
            place = axes.get_xaxis_transform()
            axes.plot([paid], [0.0], marker="^", ms=4, color=colour, clip_on=False, transform=place)
