"""The critical-difference diagram: mean ranks of strategies, and which differ; for the appendix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import pandas as pd

from hpo_lab.figure import Figure
from hpo_lab.figures import _style as style
from hpo_lab.figures._words import number, p_value

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

LINE = 4.2  # mm a strategy


@dataclass(frozen=True)
class RankDiagram(Figure):
    """Mean ranks over problems in each space; bars join what is not told apart (Demšar 2006)."""

    name: ClassVar[str] = "rank_diagram"
    tables: ClassVar[tuple[str, ...]] = ("ranks",)

    def caption(self, tables: Mapping[str, pd.DataFrame]) -> str:
        """Return what is shown, with what was left out."""
        rows = _tested(tables["ranks"])
        budget = "" if rows.empty else f" after {int(rows['budget'].iloc[0]):,} evaluations"
        hidden = 0 if rows.empty else max(len(style.distinct(rows, "space")) - style.PANELS, 0)
        text = (
            f"Mean ranks of the strategies over problems{budget} (1 is the best), by their median "
            "regret on each. A bar joins strategies that lie within the critical difference of "
            "Nemenyi's test at 5 %; p is Friedman's, of no difference at all. Ranks depend on who "
            "else is in the pool."
        )
        return text + (f" {hidden} more spaces are not shown." if hidden else "")

    def __call__(self, tables: Mapping[str, pd.DataFrame]) -> Drawing | None:
        """Return the picture, None with fewer than two problems."""
        rows = _tested(tables["ranks"])
        if rows.empty:
            return None
        spaces = style.distinct(rows, "space")[: style.PANELS]
        parts = [rows[rows["space"] == space] for space in spaces]
        with style.styled():
            heights = [len(part) * LINE + 14 for part in parts]
            drawing = style.blank(style.SINGLE, sum(heights) + 4)
            grid = drawing.subplots(len(parts), 1, squeeze=False, height_ratios=heights)[:, 0]
            for axes, part, space in zip(grid, parts, spaces, strict=True):
                _draw(axes, part.sort_values("rank_of_median", kind="stable"))
                p = p_value(float(part["friedman_p"].iloc[0]))
                problems = int(part["problems"].iloc[0])
                title = f"{space}: {problems} problems, p {p}"
                axes.set_title(style.label(title, style.SINGLE - 8), loc="left")
            grid[-1].set_xlabel("mean rank")
            return style.finished(drawing)


def _tested(ranks: pd.DataFrame) -> pd.DataFrame:
    """The rows of the largest budget that have a test."""
    if ranks.empty or "critical_difference" not in ranks:
        return ranks.iloc[:0]
    rows = ranks[ranks["critical_difference"].notna() & ranks["rank_of_median"].notna()]
    return rows[rows["budget"] == rows["budget"].max()] if len(rows) else rows


def _draw(axes: Axes, part: pd.DataFrame) -> None:
    ranks = part["rank_of_median"].tolist()
    names = style.labels([str(name) for name in part["strategy"]], 30)
    for row, (name, rank) in enumerate(zip(part["strategy"], ranks, strict=True)):
        axes.plot(rank, row, "o", color=style.COLOURS[0], markersize=3)
        text = f" {names[str(name)]} {number(rank, 2)}"
        axes.annotate(text, (rank, row), xytext=(3, 0), textcoords="offset points", va="center")
    reach = max(max(ranks) - min(ranks), 1.0)
    joined = _cliques(ranks, float(part["critical_difference"].iloc[0]))
    for place, (first, last) in enumerate(joined):
        x = min(ranks) - reach * (0.06 + 0.06 * place)
        axes.plot([x, x], [first - 0.3, last + 0.3], color="#444444", linewidth=1.6)
    axes.set_xlim(min(ranks) - reach * (0.12 + 0.06 * len(joined)), max(ranks) + 0.6 * reach)
    axes.set_ylim(len(ranks) - 0.4, -0.6)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)


def _cliques(ranks: list[float], difference: float) -> list[tuple[int, int]]:
    """First and last of each longest stretch of at least two that lie within the difference."""
    ends = [
        max(j for j in range(i, len(ranks)) if ranks[j] - ranks[i] <= difference)
        for i in range(len(ranks))
    ]
    stretches = [(i, end) for i, end in enumerate(ends) if end > i]
    return [s for k, s in enumerate(stretches) if k == 0 or s[1] > stretches[k - 1][1]]
