"""Where each strategy went: visit shares of options relative to uniform search."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
import pandas as pd

from hpo_lab.figure import Figure
from hpo_lab.figures import _style as style
from hpo_lab.figures._words import listed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure as Drawing

COLUMNS = 60  # more options than these cannot be named at print size
CELL = 3.3  # mm
SPAN = 3.0  # colours end at 2^-3 and 2^3 times as often as uniform search
SYMBOLS = {"never seen": "x", "neglected": "v", "never, by construction": "o"}
# Brewer's PuOr without its darkest ends: told apart by colour-blind readers, white as uniform.
_ENDS = ("#6A4C93", "#B2ABD2", "#F7F7F7", "#FDB863", "#D07410")


class _Panel(NamedTuple):
    landscape: str
    space: str
    cells: pd.DataFrame  # one row a (strategy, axis, option)


def unreachable(rows: pd.DataFrame, tables: Mapping[str, pd.DataFrame]) -> pd.Series[float]:
    """How much better than the declared space's optimum the best of each excluded region is.

    0 where the region is not excluded or holds nothing better, nan where the optimum is unknown.
    ``rows`` are rows of the table "regions"; the optima are taken from the table "price".
    """
    price = tables.get("price", pd.DataFrame(columns=["landscape", "space", "optimum"]))
    optima = price.set_index(["landscape", "space"])["optimum"].to_dict()
    keys = zip(rows["landscape"], rows["space"], strict=True)
    optimum = pd.Series([optima.get(key, math.nan) for key in keys], rows.index, dtype=float)
    better = (optimum - rows["best"]).clip(lower=0.0).mask(lambda gap: gap <= 1e-9, 0.0)
    return better.where(rows["verdict"] == "excluded", 0.0)


@dataclass(frozen=True)
class VisitMap(Figure):
    """Visit shares of options (columns, by axis) for each strategy (rows), relative to uniform.

    Excluded options are hatched, never seen and neglected ones marked, costly ones framed and
    named.
    """

    panels: int = style.PANELS
    name: ClassVar[str] = "visit_map"
    tables: ClassVar[tuple[str, ...]] = ("regions",)

    def caption(self, tables: Mapping[str, pd.DataFrame]) -> str:
        """Return what is shown, how symbols are to be read, and what was left out."""
        shown, missing = self._panels(tables)
        text = (
            "How often each option was evaluated, relative to uniform search in the declared "
            "space: white is as uniform, orange more, purple less. A mark is a verdict over "
            "all runs; no mark means no evidence, or too few runs to test, not “visited”. "
            "Framed: costly, something better than the incumbents lay there (where excluded: "
            "better than anything in the space)."
        )
        if "instance" in tables["regions"] and tables["regions"]["instance"].nunique() > 1:
            text += " Shares are means over instances; a mark stands where most instances have it."
        hidden = [c for panel in shown for c in _columns(panel.cells)[1]]
        if hidden:
            text += f" Options left out for want of room: {listed(dict.fromkeys(hidden))}."
        here, gone = ([panel.landscape for panel in part] for part in (shown, missing))
        return text + style.left_out(here, gone, "panels (landscape × space)")

    def __call__(self, tables: Mapping[str, pd.DataFrame]) -> Drawing | None:
        """Return the picture, None without options."""
        shown, _ = self._panels(tables)
        if not shown:
            return None
        columns = [_columns(panel.cells)[0] for panel in shown]
        alike = all(names == columns[0] for names in columns)
        rows = [len(style.distinct(panel.cells, "strategy")) for panel in shown]
        widest = max(len(names) for names in columns)
        with style.styled():
            width = _width(shown, widest)
            heights = [count * CELL + 5 for count in rows]
            named = [not alike or place == len(shown) - 1 for place in range(len(shown))]
            room = sum(heights) + 19 + 16 * sum(named)
            drawing = style.blank(width, room)
            grid = drawing.subplots(len(shown), 1, squeeze=False, height_ratios=rows)[:, 0]
            layout: Any = drawing.get_layout_engine()
            layout.set(h_pad=0.02, hspace=0.0)
            for axes, panel, names, tell in zip(grid, shown, columns, named, strict=True):
                _draw(axes, panel, names, tell, width)
            _colour_bar(drawing, list(grid), width == style.DOUBLE)
            style.legend_above(drawing, _entries(shown))
            return style.finished(drawing)

    def _panels(self, tables: Mapping[str, pd.DataFrame]) -> tuple[list[_Panel], list[_Panel]]:
        rows, _ = style.longest(tables["regions"])
        rows = rows[rows["system"] == "options"]
        rows = rows.assign(costly=rows["costly"].astype(bool) | unreachable(rows, tables).gt(0))
        found = []
        for landscape in style.by_price(tables, style.distinct(rows, "landscape")):
            part = rows[rows["landscape"] == landscape]
            for space in style.distinct(part, "space"):
                found.append(_Panel(landscape, space, _cells(part[part["space"] == space])))
        count, height = 0, 31.0
        for panel in found[: self.panels]:
            height += panel.cells["strategy"].nunique() * CELL + 5
            count += height <= style.PAGE or not count
        return found[:count], found[count:]


def _width(panels: Sequence[_Panel], columns: int) -> float:
    """One column of a journal where options are few and every title fits."""
    titles = (f"{panel.landscape} · {panel.space}" for panel in panels)
    short = all(style.text_width(title, 6.5) < 24 for title in titles)
    return style.SINGLE if short and columns <= 16 else style.DOUBLE


def _cells(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a (strategy, axis, option): mean share, and what most instances say."""
    return rows.groupby(["strategy", "axis", "option"], sort=False, as_index=False).agg(
        share=("share", "mean"),
        measure=("measure", "mean"),
        verdict=("verdict", lambda verdicts: _majority(list(verdicts))),
        costly=("costly", lambda flags: bool(sum(map(bool, flags)) * 2 >= len(flags))),
        region=("region", "first"),
        missed=("missed", "mean"),
    )


def _majority(verdicts: Sequence[str]) -> str:
    best = max(dict.fromkeys(verdicts), key=verdicts.count)
    return best if verdicts.count(best) * 2 >= len(verdicts) else "no evidence"


def _columns(cells: pd.DataFrame) -> tuple[list[tuple[str, str]], list[str]]:
    """The (axis, option) columns that fit, whole axes first, and the names of those that do not."""
    every = list(dict.fromkeys(_pairs(cells)))
    axes = dict.fromkeys(axis for axis, _ in every)
    groups = [[column for column in every if column[0] == axis] for axis in axes]
    shown: list[tuple[str, str]] = []
    for group in groups:
        if len(shown) + len(group) <= COLUMNS:
            shown += group
    shown = shown or groups[0][:COLUMNS]
    return shown, [f"{axis} = {option}" for axis, option in every if (axis, option) not in shown]


def _pairs(cells: pd.DataFrame) -> list[tuple[str, str]]:
    return [(str(a), str(o)) for a, o in zip(cells["axis"], cells["option"], strict=True)]


def _palette() -> Colormap:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("visits", list(_ENDS))


def _draw(
    axes: Axes, panel: _Panel, names: Sequence[tuple[str, str]], named: bool, width: float
) -> None:
    strategies = style.distinct(panel.cells, "strategy")
    places = _places(names)
    cells = panel.cells[[pair in places for pair in _pairs(panel.cells)]]
    for _, cell in cells.iterrows():
        x = places[str(cell["axis"]), str(cell["option"])]
        _cell(axes, x, strategies.index(str(cell["strategy"])), cell)
    axes.set_xlim(-0.6, max(places.values()) + 0.6)
    axes.set_ylim(len(strategies) - 0.5, -0.5)
    shown = style.labels(strategies, 30, 6)
    axes.set_yticks(range(len(strategies)), [shown[name] for name in strategies])
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, pad=1.5)
    headed = _name_options(axes, places if named else {}, width)
    axes.set_title(_title(panel, width), loc="left", pad=10 if headed else 2.5, fontsize=6.5)


def _title(panel: _Panel, width: float) -> str:
    room = width - 38
    title = style.label(f"{panel.landscape} · {panel.space}", room * 0.45, 6.5)
    costly = panel.cells[panel.cells["costly"].astype(bool)].sort_values("missed", ascending=False)
    if costly.empty:
        return title
    tested = costly[costly["verdict"] != "never, by construction"]
    chosen = dict.fromkeys((costly if tested.empty else tested)["region"])
    names = "; costly: " + listed(chosen, 4)
    return title + style.label(names, room - style.text_width(title, 6.5), 6.5)


def _places(names: Sequence[tuple[str, str]]) -> dict[tuple[str, str], float]:
    """Where each column stands, with a gap between axes."""
    axes = list(dict.fromkeys(axis for axis, _ in names))
    return {name: i + 0.5 * axes.index(name[0]) for i, name in enumerate(names)}


def _cell(axes: Axes, x: float, y: int, cell: pd.Series[Any]) -> None:
    from matplotlib.patches import Rectangle

    look: dict[str, Any] = {"lw": 0.3, "ec": "#BBBBBB"}
    dark = False
    if cell["verdict"] == "excluded":
        look |= {"fc": "#FFFFFF", "ec": "#888888", "hatch": "//////"}
    else:
        level = _level(float(cell["share"]), float(cell["measure"]))
        look["fc"] = "#FFFFFF" if math.isnan(level) else _palette()((level / SPAN + 1) / 2)
        dark = level < -2
    axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, **look))
    symbol = SYMBOLS.get(str(cell["verdict"]))
    if symbol:
        ink = "white" if dark else "black"
        fill = "none" if symbol == "o" else ink
        edge = {"c": ink} if symbol == "x" else {"facecolors": fill, "edgecolors": ink}
        axes.scatter([x], [y], s=6, marker=symbol, linewidths=0.8, zorder=3, **edge)  # type: ignore[arg-type]
    if bool(cell["costly"]):
        frame: dict[str, Any] = {"fc": "none", "ec": "black", "lw": 0.9, "zorder": 4}
        axes.add_patch(Rectangle((x - 0.4, y - 0.4), 0.8, 0.8, **frame))


def _level(share: float, measure: float) -> float:
    """log2 of the visit share over uniform's, cut to the colour scale; nan without either."""
    if math.isnan(share) or not measure > 0:
        return math.nan
    return float(np.clip(math.log2(share / measure), -SPAN, SPAN)) if share > 0 else -SPAN


def _name_options(axes: Axes, places: Mapping[tuple[str, str], float], width: float) -> bool:
    """Options below their columns, their axes above (then True) or, for want of room, within."""
    if not places:
        axes.set_xticks([])
        return False
    groups: dict[str, list[float]] = {}
    for (axis, _), x in places.items():
        groups.setdefault(axis, []).append(x)
    cell = (width - 30) / (max(places.values()) + 1)
    fits = all(style.text_width(axis, 6) < len(xs) * cell for axis, xs in groups.items())
    texts = [option if fits else f"{axis} = {option}" for axis, option in places]
    shown = [style.label(text, 18 if fits else 28, 5.5) for text in texts]
    flat = all(style.text_width(text, 5.5) < cell for text in shown)
    axes.set_xticks(list(places.values()), shown, rotation=0 if flat else 90, fontsize=5.5)
    if fits:
        middles = [sum(xs) / len(xs) for xs in groups.values()]
        above = axes.secondary_xaxis("top")
        above.set_xticks(middles, [style.label(axis, 60, 6) for axis in groups])
        above.tick_params(length=0, pad=0.5)
        above.spines[:].set_visible(False)
    return fits


def _colour_bar(drawing: Drawing, grid: Sequence[Axes], wide: bool) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    scale = ScalarMappable(Normalize(-SPAN, SPAN), _palette())
    look: dict[str, Any] = {"location": "bottom", "aspect": 45, "pad": 0.01, "fraction": 0.03}
    bar = drawing.colorbar(scale, ax=list(grid), shrink=0.6 if wide else 0.95, **look)
    bar.outline.set_linewidth(0.3)
    words = {-3: "1/8×", -2: "1/4×", -1: "1/2×", 0: "as uniform", 1: "2×", 2: "4×", 3: "8×"}
    shown = {level: word for level, word in words.items() if wide or level % 3 == 0}
    bar.set_ticks(list(shown), labels=list(shown.values()))
    bar.ax.tick_params(labelsize=6, length=1.5)
    bar.set_label("share of visits relative to uniform search", fontsize=6.5, labelpad=1)


def _entries(panels: Sequence[_Panel]) -> list[tuple[str, Any]]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    seen = {str(verdict) for panel in panels for verdict in panel.cells["verdict"]}
    found: list[tuple[str, Any]] = []
    if "excluded" in seen:
        found.append(("excluded", Patch(fc="white", ec="#888888", hatch="//////", lw=0.3)))
    for verdict, symbol in SYMBOLS.items():
        if verdict in seen:
            fill = {"markerfacecolor": "none"} if symbol == "o" else {}
            mark = Line2D([], [], ls="", marker=symbol, color="black", markersize=3.5, **fill)  # type: ignore[arg-type]
            found.append((verdict, mark))
    if any(panel.cells["costly"].any() for panel in panels):
        found.append(("costly", Patch(fc="none", ec="black", lw=0.9)))
    return found
