"""Where strategies go when there is nothing to learn: density from the bounds to the centre."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd

from hpo_lab.figure import Figure
from hpo_lab.figures import _style as style
from hpo_lab.figures._words import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

HEIGHT = 52.0  # mm


@dataclass(frozen=True)
class BiasCurves(Figure):
    """Density of visits on pure noise against the distance from the bounds, a panel a landscape."""

    name: ClassVar[str] = "bias"
    tables: ClassVar[tuple[str, ...]] = ("bias_density",)

    def caption(self, tables: Mapping[str, pd.DataFrame]) -> str:
        """Return what is shown and how many panels and strategies were left out."""
        rows = tables["bias_density"]
        hidden = max(len(style.distinct(rows, "landscape")) - style.PANELS, 0)
        text = (
            "Where strategies go on pure noise (f0): density of visits relative to uniform "
            "search, from the bounds of an axis (0) to its centre (1), all axes together. Uniform "
            "search is 1 everywhere; bands are 95 % intervals over runs. "
            "Written in a panel: the share of coordinates that lie on a bound to the last bit."
        )
        return text + (f" {hidden} more landscapes are not shown." if hidden else "")

    def __call__(self, tables: Mapping[str, pd.DataFrame]) -> Drawing | None:
        """Return the picture, None where nothing ran on noise."""
        rows = tables["bias_density"]
        if rows.empty:
            return None
        landscapes = style.distinct(rows, "landscape")[: style.PANELS]
        names = style.distinct(rows, "strategy")
        with style.styled():
            columns = style.columns_for(len(landscapes))
            width = style.SINGLE if len(landscapes) == 1 else style.DOUBLE
            drawing = style.blank(width, HEIGHT * -(-len(landscapes) // columns) + 6)
            panels = style.grid_of(drawing, len(landscapes))
            top = 1.15 * float(np.nanmax(rows[["density", "high"]].to_numpy()))
            for axes, landscape in zip(panels, landscapes, strict=True):
                _panel(axes, rows[rows["landscape"] == landscape], names, max(top, 1.5))
                axes.set_title(style.label(landscape, width / columns - 8), loc="left")
            drawing.supxlabel("from the bounds of an axis (0) to its centre (1)", fontsize=7)
            drawing.supylabel("visits, relative to uniform", fontsize=7)
            lines = panels[0].get_lines()[1:]
            if len(names) > 1:
                style.legend_above(drawing, list(zip(names, lines, strict=False)))
            return style.finished(drawing)


def _panel(axes: Axes, own: pd.DataFrame, names: list[str], top: float) -> None:
    axes.axhline(1.0, color="#888888", linewidth=0.6, dashes=(3, 2))
    for index, name in enumerate(names):
        part = own[own["strategy"] == name].sort_values("from")
        colour = style.COLOURS[index % len(style.COLOURS)]
        middle = ((part["from"] + part["to"]) / 2.0).to_numpy()
        density = part["density"].to_numpy()
        axes.plot(middle, density, color=colour, marker="o", markersize=2.2)
        if part["low"].notna().all():
            low, high = part["low"].to_numpy(), part["high"].to_numpy()
            axes.fill_between(middle, low, high, color=colour, alpha=0.2, linewidth=0)
    axes.set_xlim(0.0, 1.0)
    axes.set_ylim(0.0, top)
    atoms = own.drop_duplicates("strategy")
    said = [
        f"{percent(float(share))} on the bounds" + (f" ({name})" if len(names) > 1 else "")
        for name, share in zip(atoms["strategy"], atoms["atoms"], strict=True)
        if share > 0
    ]
    if said:
        text = "\n".join(style.label(one, 40, 6) for one in said[:4])
        axes.text(0.97, 0.04, text, transform=axes.transAxes, fontsize=6, ha="right", va="bottom")
