"""What all figures share: print sizes, colours, literal text, panels and legends."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from hpo_lab.figures._words import listed, plain, shortened

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

MM = 1 / 25.4  # matplotlib counts in inches
SINGLE, DOUBLE, PAGE = 88.0, 180.0, 225.0  # widths of one and two columns, usable height; mm
PANELS = 8
EXACT = "random, exact"  # the name under which curves hold random search's closed form

# Okabe & Ito (2008), "Color universal design", without yellow, which is too pale for a line.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("", "o", "s")  # from the eighth strategy on, colours return with a marker
DASHES: tuple[Any, ...] = (
    "-",
    (0, (1, 1)),
    (0, (5, 1, 1, 1)),
    (0, (5, 1, 1, 1, 1, 1)),
    (0, (9, 2)),
)

_STYLE: Mapping[str, Any] = {
    "font.size": 7,
    "axes.titlesize": 7,
    "axes.labelsize": 7,
    "xtick.labelsize": 6,
    "ytick.labelsize": 6,
    "legend.fontsize": 6.5,
    "axes.linewidth": 0.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "xtick.major.width": 0.5,
    "ytick.major.width": 0.5,
    "xtick.major.size": 2,
    "ytick.major.size": 2,
    "grid.linewidth": 0.4,
    "grid.color": "#DDDDDD",
    "hatch.linewidth": 0.5,
    "lines.linewidth": 1.1,
    "legend.frameon": False,
    "legend.handlelength": 2.2,
    "legend.columnspacing": 1.4,
    "legend.borderaxespad": 0.2,
}
# matplotlib carries DejaVu Sans itself; these are asked, where they are installed, for the rest.
_FALLBACKS = (
    "Noto Sans",
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans SC",
    "Noto Sans Devanagari",
    "Source Han Sans SC",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "IPAexGothic",
    "PingFang SC",
    "Hiragino Sans",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
    "Nirmala UI",
    "Arial Unicode MS",
)


@contextmanager
def styled() -> Iterator[None]:
    """Draw with our settings, whatever the reader's own matplotlibrc says."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        settings: dict[Any, Any] = {**_STYLE, "font.family": list(families())}
        matplotlib.rcParams.update(settings)
        yield


def blank(width: float, height: float) -> Drawing:
    """Return an empty drawing of that size in mm, outside pyplot's global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Drawing

    drawing = Drawing(figsize=(width * MM, height * MM), layout="constrained")
    FigureCanvasAgg(drawing)
    return drawing


def finished(drawing: Drawing) -> Drawing:
    """Lay the drawing out while our settings hold: ticks are made when they are first drawn."""
    drawing.draw_without_rendering()
    return drawing


@lru_cache(maxsize=1)
def families() -> tuple[str, ...]:
    """The fonts that text is drawn with, first come first served."""
    from matplotlib.font_manager import fontManager

    installed = set(fontManager.get_font_names())
    return ("DejaVu Sans", *(name for name in _FALLBACKS if name in installed))


@lru_cache(maxsize=4096)
def _drawable(character: str) -> bool:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    paths = (findfont(FontProperties(family=[name])) for name in families())
    return any(get_font(path).get_char_index(ord(character)) for path in paths)


def _readable(text: object) -> str:
    """Text in which every character has a glyph; others are written by their code point."""
    return "".join(c if _drawable(c) else f"[U+{ord(c):04X}]" for c in plain(text))


def text_width(text: str, size: float) -> float:
    """The width of literal text in mm."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family=list(families()), size=size)
    points: float = text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]
    return points / 72 / MM


def label(text: object, width: float = math.inf, size: float = 7) -> str:
    """Text for matplotlib to show as it is, no wider than that many mm (the middle is left out).

    Dollar signs are escaped, or matplotlib would read what is between two of them as a formula.
    """
    shown = whole = _readable(text)[:500]
    length = len(whole)
    while length > 2 and width < math.inf and text_width(shown, size) > width:
        length = min(length - 1, max(int(length * width / text_width(shown, size)) + 1, 2))
        shown = shortened(whole, length)
    return shown.replace("$", r"\$")


def labels(names: Sequence[str], width: float, size: float = 7) -> dict[str, str]:
    """Labels of several names; where two look the same when shortened they get a number."""
    shown: dict[str, str] = {}
    for name in dict.fromkeys(names):
        text = label(name, width, size)
        if text in shown.values():
            mark = f" ({len(shown) + 1})"
            text = label(name, width - text_width(mark, size), size) + mark
        shown[name] = text
    return shown


def unit_label(quantity: str, units: Sequence[object]) -> str:
    """An axis label with the unit that all share; where they differ it says so."""
    known = list(dict.fromkeys(plain(unit) for unit in units if isinstance(unit, str)))
    if len(known) > 1:
        return f"{quantity} (each in its own unit)"
    return label(f"{quantity} ({known[0]})" if known and known[0] else quantity, 80)


def distinct(frame: pd.DataFrame, column: str) -> list[str]:
    """The different values of a text column, in order of appearance."""
    return [str(value) for value in dict.fromkeys(frame[column])]


def by_price(tables: Mapping[str, pd.DataFrame], names: Sequence[str]) -> list[str]:
    """Landscapes with the highest price first; those of unknown price last, in their order."""
    price = tables.get("price")
    if price is None or price.empty:
        return list(names)
    highest = price.groupby("landscape")["price"].max().to_dict()
    known = {name: -value for name, value in highest.items() if value == value}
    return sorted(names, key=lambda name: known.get(name, math.inf))


def longest(frame: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The rows of the largest budget where there are several, and a sentence that says so."""
    if "budget" not in frame or frame["budget"].nunique() < 2:
        return frame, ""
    budget = frame["budget"].max()
    return frame[frame["budget"] == budget], f" Of several budgets the largest, {budget:,}."


def left_out(shown: Sequence[str], hidden: Sequence[str], what: str = "landscapes") -> str:
    """The sentence that says what a figure does not show; empty where it shows everything.

    Both hold one landscape a panel, so a landscape may be there several times.
    """
    if not hidden:
        return ""
    total = len(shown) + len(hidden)
    text = f" Shown are {len(shown)} of {total} {what}, those of the highest price"
    gone = [name for name in dict.fromkeys(hidden) if name not in shown]
    return f"{text}; not shown at all: {listed(gone, 12)}." if gone else text + "."


def grid_of(drawing: Drawing, count: int, columns: int | None = None) -> list[Axes]:
    """That many panels in rows of three or four; the first ``count`` axes of a full grid."""
    columns = columns or columns_for(count)
    rows = math.ceil(count / columns)
    axes = drawing.subplots(rows, columns, squeeze=False).ravel().tolist()
    for empty in axes[count:]:
        empty.remove()
    return list(axes[:count])


def columns_for(count: int) -> int:
    """How many panels stand side by side."""
    return count if count <= 4 else 3 if count <= 6 else 4


def legend_above(drawing: Drawing, entries: Sequence[tuple[str, Any]]) -> None:
    """A legend over the panels with as many columns as fit into the figure's width.

    Below, it would lie on the common axis label, which takes no part in the layout.
    """
    if not entries:
        return
    width = drawing.get_size_inches()[0] * drawing.dpi
    texts = [label(text, width=60, size=6.5) for text, _ in entries]
    for columns in range(min(len(entries), 8), 0, -1):
        # A label that begins with "_" would be dropped: set the words when the legend is there.
        legend = drawing.legend(
            [handle for _, handle in entries],
            ["x"] * len(entries),
            loc="outside upper center",
            ncols=columns,
        )
        for artist, text in zip(legend.get_texts(), texts, strict=True):
            artist.set_text(text)
        if columns == 1 or legend.get_window_extent().width < width:
            return
        legend.remove()


def steps(low: float, high: float) -> list[float]:
    """Ticks 1, 2, 5, 10, … between two positive numbers; only powers of ten over a wide range."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    leads = (1, 2, 5) if last - first <= 2 else (1, 3) if last - first <= 3 else (1,)
    ticks = [lead * 10.0**power for power in range(first, last + 1) for lead in leads]
    return [tick for tick in ticks if low <= tick <= high]
