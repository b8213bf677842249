"""The price of a declared space shared among its assumptions, as a waterfall."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from hpo_lab.figure import Figure
from hpo_lab.figures import _style as style
from hpo_lab.figures._words import decimals, listed, number, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

ROW, HEAD = 4.2, 17.0  # mm of an assumption; of a panel's title and axis
SHARE, MASKED, TOTAL = "#0072B2", "#E69F00", "#B2500A"
KEYS = ["landscape", "space"]


@dataclass(frozen=True)
class Attribution(Figure):
    """Shapley shares of the price from top to bottom, and what each assumption costs by itself.

    Hatched: masked, because giving it up alone gains nothing although it has a share.
    """

    panels: int = style.PANELS
    name: ClassVar[str] = "attribution"
    tables: ClassVar[tuple[str, ...]] = ("attribution",)

    def caption(self, tables: Mapping[str, pd.DataFrame]) -> str:
        """Return what is shown, what is masked, and which prices cannot be shared and why."""
        shown, missing = self._panels(tables)
        text = (
            "The price of each declared space, shared among its assumptions: the mean contribution "
            "over all orders in which they can be made (Shapley). Alone: what an assumption costs "
            "if it is the only one; given up: what is gained by giving up just this one."
        )
        words = {
            str(p["words"].iloc[0]): f"{p['landscape'].iloc[0]} ({p['space'].iloc[0]})"
            for p in shown
            if p["words"].iloc[0]
        }
        for said, where in list(words.items())[:3]:
            text += f" On {plain(where)}: {plain(said)}."
        if any((p["status"] == "bounds").any() for p in shown):
            text += " Grey: bounds, where optima are not known exactly."
        rows = tables["attribution"]
        odd = rows[rows["status"].str.startswith(("refused", "unknown"))]
        for status, part in odd.groupby("status", sort=False):
            names = listed(dict.fromkeys(part["landscape"] + " (" + part["space"] + ")"), 4)
            text += f" Not shared on {names}, {plain(status)}."
        what = "panels (landscape × space)"
        return text + style.left_out([str(p["landscape"].iloc[0]) for p in shown], missing, what)

    def __call__(self, tables: Mapping[str, pd.DataFrame]) -> Drawing | None:
        """Return the picture, None where no price is shared."""
        shown, _ = self._panels(tables)
        if not shown:
            return None
        heights = [ROW * (len(part) + 1) + HEAD for part in shown]
        with style.styled():
            drawing = style.blank(style.DOUBLE, sum(heights) + 8)
            grid = drawing.subplots(len(shown), 1, squeeze=False, height_ratios=heights)[:, 0]
            for axes, part in zip(grid, shown, strict=True):
                _draw(axes, part)
            style.legend_above(drawing, _entries(shown))
            return style.finished(drawing)

    def _panels(self, tables: Mapping[str, pd.DataFrame]) -> tuple[list[pd.DataFrame], list[str]]:
        rows = tables["attribution"]
        if rows.empty:
            return [], []
        known = rows["shapley"].notna() | (rows["status"] == "bounds")
        rows = rows[(rows["game"] == "price") & known]
        if rows.empty:
            return [], []
        order = style.by_price(tables, style.distinct(rows, "landscape"))
        parts = [part for _, part in rows.groupby(KEYS, sort=False)]
        parts.sort(key=lambda part: order.index(str(part["landscape"].iloc[0])))
        parts = [part for part in parts if _interesting(part)]
        count, height = 0, 8.0
        for part in parts[: self.panels]:
            height += ROW * (len(part) + 1) + HEAD
            if height > style.PAGE and count:
                break
            count += 1
        return parts[:count], [str(part["landscape"].iloc[0]) for part in parts[count:]]


def _interesting(part: pd.DataFrame) -> bool:
    """A free space has nothing to show; bounds always have."""
    return bool((part["total"].abs() > 0).any() or (part["status"] == "bounds").any())


def masked(part: pd.DataFrame) -> pd.Series[bool]:
    """Which assumptions have a share but gain nothing when they alone are given up."""
    return (part["shapley"] > 0) & (part["last_out"] <= 0)


def _draw(axes: Axes, part: pd.DataFrame) -> None:
    bounds = bool((part["status"] == "bounds").any())
    part = part.sort_values("shapley_high" if bounds else "shapley", ascending=False, kind="stable")
    shares = part["shapley"].to_numpy(float)
    starts = np.concatenate([[0.0], np.cumsum(shares)])
    hidden = masked(part).to_numpy()
    for y, (_, row) in enumerate(part.iterrows()):
        if bounds:
            low, high = float(row["shapley_low"]), float(row["shapley_high"])
            axes.barh(y, high - low, 0.6, left=low, color="#BBBBBB")
            continue
        look: dict[str, Any] = {"color": SHARE}
        if hidden[y]:
            look = {"facecolor": "white", "edgecolor": MASKED, "hatch": "/////", "linewidth": 0.8}
        axes.barh(y, shares[y], 0.6, left=starts[y], **look)
        axes.plot([starts[y + 1]] * 2, [y - 0.3, y + 1.3], color="#888888", linewidth=0.5)
    right = float(part["shapley_high"].max()) if bounds else float(starts.max())
    if not bounds:
        axes.barh(len(part), starts[-1], 0.6, color=TOTAL)
    names = style.labels(list(part["assumption"]), 62, 6)
    ticks = [names[str(name)] for name in part["assumption"]]
    ends = range(len(part) + (not bounds))
    axes.set_yticks(ends, ticks if bounds else [*ticks, "price of all together"])
    axes.set_ylim(len(part) + 0.5 - bounds, -0.6)
    axes.set_xlim(0, (right or 1.0) * 1.03)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.locator_params(axis="x", nbins=6)
    first = part.iloc[0]
    title = style.label(f"{first['landscape']} · {first['space']}", 90)
    axes.set_title(title, loc="left")
    axes.set_xlabel(style.unit_label("share of the price", [first["unit"]]))
    _numbers(axes, part, bounds)


def _numbers(axes: Axes, part: pd.DataFrame, bounds: bool) -> None:
    """Two columns beside the bars: what each assumption costs alone, and given up alone."""
    place = axes.get_yaxis_transform()
    shares = ("first_in", "last_out")
    tops = [float(v) for s in shares for v in part[f"{s}_high"] if math.isfinite(float(v))]
    places = decimals(tops)
    for share, x, head in zip(shares, (1.10, 1.22), ("alone", "given up"), strict=True):
        kind: dict[str, Any] = {"ha": "right", "va": "center", "fontsize": 6, "transform": place}
        axes.text(x, -0.95, head, color="#555555", **kind)
        for y, (_, row) in enumerate(part.iterrows()):
            value = float(row[f"{share}_high"] if bounds else row[share])
            text = ("≤ " if bounds else "") + number(value, places)
            axes.text(x, y, text, **kind)


def _entries(parts: Sequence[pd.DataFrame]) -> list[tuple[str, Any]]:
    from matplotlib.patches import Patch

    exact = [part for part in parts if not (part["status"] == "bounds").any()]
    found: list[tuple[str, Any]] = []
    if any((~masked(part) & (part["shapley"] > 0)).any() for part in exact):
        found.append(("share", Patch(color=SHARE)))
    if any(masked(part).any() for part in exact):
        look: dict[str, Any] = {"facecolor": "white", "edgecolor": MASKED, "hatch": "/////"}
        found.append(("masked: given up alone, it gains nothing", Patch(**look)))
    if exact:
        found.append(("price", Patch(color=TOTAL)))
    if len(exact) < len(parts):
        found.append(("bounds of the share", Patch(color="#BBBBBB")))
    return found
