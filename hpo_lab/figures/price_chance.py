"""The price of each declared space beside the price of leaving out as much at random."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd

from hpo_lab.figure import Figure
from hpo_lab.figures import _style as style
from hpo_lab.figures._words import number, p_value

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

ROW = 3.8  # mm
PRICE, CHANCE = "#B2500A", "#0072B2"


def declared(price: pd.DataFrame) -> pd.DataFrame:
    """The rows of spaces that leave something out: not the universe itself.

    The universe is a space called so, or one whose points are all there on every landscape.
    """
    if "points" not in price or price.empty:
        return price[price["space"] != "universe"]
    most = price.groupby("landscape")["points"].transform("max")
    whole = (price["points"] == most) & (price["price"] == 0)
    full = whole.groupby(price["space"]).transform("all")
    return price[~full & (price["space"] != "universe")]


@dataclass(frozen=True)
class PriceChance(Figure):
    """Price of each declared space against the price by chance; all landscapes in one picture."""

    name: ClassVar[str] = "price_chance"
    tables: ClassVar[tuple[str, ...]] = ("price",)

    def caption(self, tables: Mapping[str, pd.DataFrame]) -> str:
        """Return what is shown; nothing is ever left out of this figure."""
        rows = declared(tables["price"])
        text = (
            "Price of each declared space: how far its optimum lies above the universe's, "
            "whatever the strategy and the budget. Sorted by price; every landscape is shown."
        )
        if rows["chance_mean"].notna().any():
            text += (
                " Open circles: the mean price of leaving out as many points at random; p is the "
                "probability that chance alone costs at least as much."
            )
        if not rows["exact"].astype(bool).all():
            text += " Grey bars: certified bounds, where the price is not known exactly."
        return text

    def __call__(self, tables: Mapping[str, pd.DataFrame]) -> Drawing | None:
        """Return the picture, None where only the universe was searched."""
        rows = declared(tables["price"])
        if rows.empty:
            return None
        rows = rows.assign(
            label=_labels(rows), order=rows["price"].fillna(-math.inf), unit=rows["unit"].fillna("")
        ).sort_values("order", ascending=False, kind="stable")
        units = style.distinct(rows, "unit")
        parts = [rows[rows["unit"] == unit] for unit in units]
        with style.styled():
            wide = any(style.text_width(text, 6) > 30 for text in rows["label"])
            width = style.DOUBLE if wide else style.SINGLE
            drawing = style.blank(width, len(rows) * ROW + 9 * len(units) + 8)
            ratios = [len(part) + 0.5 for part in parts]
            grid = drawing.subplots(len(parts), 1, squeeze=False, height_ratios=ratios)[:, 0]
            for axes, part, unit in zip(grid, parts, units, strict=True):
                _draw(axes, part, 70 if wide else 30)
                axes.set_xlabel(style.unit_label("price", [unit]))
            style.legend_above(drawing, _entries(rows))
            return style.finished(drawing)


def _labels(rows: pd.DataFrame) -> list[str]:
    """Landscape, and the space where there is more than one."""
    if rows["space"].nunique() == 1:
        return [str(name) for name in rows["landscape"]]
    return [f"{a} · {b}" for a, b in zip(rows["landscape"], rows["space"], strict=True)]


def _draw(axes: Axes, rows: pd.DataFrame, width: float) -> None:
    values = [*rows["price"], *rows["chance_mean"], *rows["low"], *rows["high"]]
    right = max([float(v) for v in values if math.isfinite(float(v))], default=0.0) * 1.08 or 1.0
    for y, (_, row) in enumerate(rows.iterrows()):
        _row(axes, y, row, right)
        if not math.isnan(float(row["chance_p"])):
            p = p_value(float(row["chance_p"]))
            text = f"p {p}" if p.startswith("<") else f"p = {p}"
            axes.text(1.02, y, text, va="center", fontsize=6, transform=axes.get_yaxis_transform())
    shown = style.labels(list(rows["label"]), width, 6)
    axes.set_yticks(range(len(rows)), [shown[name] for name in rows["label"]])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(-right * 0.03, right)
    axes.spines["left"].set_visible(False)
    axes.locator_params(axis="x", nbins=6)
    axes.grid(axis="x")


def _row(axes: Axes, y: int, row: pd.Series[Any], right: float) -> None:
    price, chance = float(row["price"]), float(row["chance_mean"])
    low, high = float(row["low"]), float(row["high"])
    if not bool(row["exact"]) or math.isnan(price):
        _bounds(axes, y, low, high, right)
    if math.isfinite(price):
        if math.isfinite(chance):
            axes.plot([price, chance], [y, y], color="#AAAAAA", lw=1, zorder=2)
        axes.scatter([price], [y], s=16, color=PRICE, zorder=4, linewidths=0)
    if math.isfinite(chance):
        look: dict[str, Any] = {"facecolors": "white", "edgecolors": CHANCE, "linewidths": 0.9}
        axes.scatter([chance], [y], s=16, zorder=3, **look)


def _bounds(axes: Axes, y: int, low: float, high: float, right: float) -> None:
    if not math.isfinite(high):
        known = math.isfinite(low) and low > 0
        words = f"at least {number(low)}" if known else "unknown"
        start = low if known else 0.0
        axes.text(start, y, words, va="center", fontsize=6, style="italic", color="#444444")
        return
    start = max(low, 0.0) if math.isfinite(low) else 0.0
    axes.barh(y, high - start, 0.45, left=start, color="#CCCCCC", zorder=1)


def _entries(rows: pd.DataFrame) -> Sequence[tuple[str, Any]]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    found: list[tuple[str, Any]] = []
    look: dict[str, Any] = {"ls": "", "marker": "o", "markersize": 4}
    if rows["price"].notna().any():
        found.append(("price", Line2D([], [], color=PRICE, markeredgewidth=0, **look)))
    if rows["chance_mean"].notna().any():
        hollow: dict[str, Any] = {"markerfacecolor": "white", "markeredgewidth": 0.9}
        found.append(("price by chance, mean", Line2D([], [], color=CHANCE, **look, **hollow)))
    if not rows["exact"].astype(bool).all():
        found.append(("bounds", Patch(color="#CCCCCC")))
    return found
