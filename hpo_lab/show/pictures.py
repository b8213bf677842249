"""A landscape's picture, drawn from its ``Sights`` at print size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hpo_lab.figures import _style as style
from hpo_lab.show.sights import (
    Basins,
    Importance,
    Profile,
    Scale,
    Section,
    Sights,
    Spread,
    Strip,
    Surface,
    Web,
)
from hpo_lab.space import Floats, Ints

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing
    from matplotlib.figure import SubFigure

BLUE, ORANGE, GREEN, GREY = style.COLOURS[0], style.COLOURS[1], style.COLOURS[2], "#888888"
COLUMNS = 4  # profiles side by side
TOP, ROW, HEAD = 74.0, 36.0, 5.0  # heights in mm: of the large panels, of profiles, of headings
BANDS = 16  # of colour in a surface, each as common as the next
TICKS = 5  # on a logarithmic axis of regrets
SPREAD, STRIPS = 50.0, 15.0  # how far regrets must spread for a logarithmic axis; without lines


@dataclass(frozen=True)
class Height:
    """How values are shown: as they are, or as regret on a logarithmic axis."""

    floor: float | None
    low: float
    label: str

    @property
    def log(self) -> bool:
        return self.floor is not None

    def __call__(self, values: Floats) -> Floats:
        if self.floor is None:
            return values
        regret = values - self.floor
        return np.where(np.isnan(values), np.nan, np.maximum(regret, self.low))


def draw(sights: Sights) -> Drawing | None:
    """Return the picture of a landscape (a matplotlib Figure); None with nothing to show."""
    alone = _alone(sights)
    every = (
        *(alone, sights.surface, sights.web, sights.families),
        *(sights.basins, sights.spread, sights.importance),
    )
    large = [one for one in every if one is not None][:2]
    height = _height(sights)
    rows = [] if alone else _rows(sights.sections)
    if not large and not rows:
        return None
    heights = [TOP] * bool(large) + [ROW + HEAD * bool(head) for head, _ in rows]
    with style.styled():
        drawing = style.blank(style.DOUBLE, min(sum(heights) + 2 * HEAD, 2 * style.PAGE))
        unit = f": values in {sights.unit}" if sights.unit else ""
        drawing.suptitle(style.label(sights.title + unit, style.DOUBLE - 10, 8), fontsize=8)
        grid = drawing.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)
        parts: list[SubFigure] = list(np.ravel(grid))
        if large:
            _large(parts[0], large, height)
        for part, (head, panels) in zip(parts[len(parts) - len(rows) :], rows, strict=True):
            _row(part, head, panels, height)
        return style.finished(drawing)


def _alone(sights: Sights) -> Profile | None:
    """The only profile of a landscape on one numeric axis."""
    panels = [panel for section in sights.sections for panel in section.panels]
    one = panels[0] if len(panels) == 1 else None
    return one if isinstance(one, Profile) else None


def _rows(sections: Sequence[Section]) -> list[tuple[str, tuple[Profile | Strip, ...]]]:
    """Panels in rows, each section under its own heading."""
    rows = []
    for section in sections:
        bars = [_bars(panel) for panel in section.panels if isinstance(panel, Strip)]
        only = len(bars) == len(section.panels)
        said = [] if only else [f"lines through {section.through}"]
        said += bars[:1]
        said += [section.left_out] if section.left_out else []
        said[0] = f"{section.family}; {said[0]}" if section.family else said[0]
        for start in range(0, len(section.panels), COLUMNS):
            head = "; ".join(said) if start == 0 else ""
            rows.append((head, section.panels[start : start + COLUMNS]))
    return rows


def _bars(strip: Strip) -> str:
    known = "" if np.isnan(strip.lowest).all() else ", stars: exact best"
    return f"bars: quartiles, 5–95 % of {strip.of}{known}"


def _height(sights: Sights) -> Height:
    """Regret on a logarithmic axis where the optimum is known and values spread over decades."""
    found = [np.ravel(sights.surface.values)] if sights.surface else []
    for section in sights.sections:
        for panel in section.panels:
            found += [panel.values] if isinstance(panel, Profile) else list(panel.values)
    every = np.concatenate(found) if found else np.empty(0)
    if sights.floor is not None and len(every):
        regret = every - sights.floor
        regret = regret[regret > 1e-12 * max(1.0, abs(sights.floor))]
        if len(regret) > 10:
            low, middle, high = np.quantile(regret, [0.05, 0.5, 0.95])
            lines = sights.surface or any(
                isinstance(panel, Profile)
                for section in sights.sections
                for panel in section.panels
            )
            if high / low > (SPREAD if lines else STRIPS):
                least = max(float(regret.min()), float(middle) * 1e-4)
                return Height(sights.floor, least, "regret")
    return Height(None, 0.0, "value")


# ---- large panels


def _large(part: SubFigure, panels: Sequence[Any], height: Height) -> None:
    grid = part.subplots(1, 2, squeeze=False)[0]
    for axes, panel in zip(grid, panels, strict=False):
        if isinstance(panel, Surface):
            _surface(part, axes, panel, height)
        elif isinstance(panel, Web):
            _web(axes, panel)
        elif isinstance(panel, Basins):
            _basins(axes, panel)
        elif isinstance(panel, Spread):
            _spread(axes, panel, height)
        elif isinstance(panel, Importance):
            _importance(axes, panel)
        else:
            _narrow(axes, panel, height, 76.0)
            axes.set_ylabel(height.label)
            _heights(axes, height)
            if isinstance(panel, Strip):
                _title(axes, _bars(panel))
            else:
                _title(axes, "circles: minima; star: the best; lines: borders of basins")
    for empty in grid[len(panels) :]:
        empty.remove()


def _surface(part: SubFigure, axes: Axes, surface: Surface, height: Height) -> None:
    from matplotlib import colormaps
    from matplotlib.colors import BoundaryNorm

    shown = height(surface.values)
    bands = np.unique(np.nanquantile(shown, np.linspace(0.0, 1.0, BANDS + 1)))
    colours = colormaps["cividis"].with_extremes(bad="#DDDDDD")
    norm = BoundaryNorm(bands, colours.N) if len(bands) > 2 else None
    mesh = axes.pcolormesh(
        surface.columns, surface.rows, shown, cmap=colours, norm=norm, rasterized=True
    )
    bar = part.colorbar(mesh, ax=axes, spacing="uniform", pad=0.02, aspect=30)
    if norm is not None:
        ticks = bands[:: max(len(bands) // 6, 1)]
        bar.set_ticks(ticks.tolist(), labels=_numbers(ticks))
    bar.set_label(height.label)
    bar.outline.set_linewidth(0.4)
    notes = []
    if surface.basins is not None and len(np.unique(surface.basins)) > 1:
        _borders(axes, surface)
        notes.append("lines: borders of basins")
    if len(surface.minima):
        _mark_minima(axes, surface.minima)
        some = f" ({surface.left_out:,} more not shown)" if surface.left_out else ""
        notes.append(f"circles: minima, larger is deeper{some}")
    star: dict[str, Any] = {"color": ORANGE, "mec": "white", "mew": 0.4, "ms": 9, "zorder": 4}
    axes.plot(*surface.best, "*", clip_on=False, **star)
    notes.append(f"star: {surface.through}")
    _scaled(axes, surface.x, surface.y)
    _title(axes, "; ".join(notes if surface.whole else ["a slice", *notes]))


def _borders(axes: Axes, surface: Surface) -> None:
    """Lines between cells of the grid that lie in different basins."""
    from matplotlib.collections import LineCollection

    basins: Ints = surface.basins  # type: ignore[assignment]
    x, y = (_edges(v, s) for v, s in ((surface.columns, surface.x), (surface.rows, surface.y)))
    row, column = np.nonzero(basins[:, 1:] != basins[:, :-1])
    upright = np.stack([x[column + 1], y[row], x[column + 1], y[row + 1]], axis=1)
    row, column = np.nonzero(basins[1:] != basins[:-1])
    flat = np.stack([x[column], y[row + 1], x[column + 1], y[row + 1]], axis=1)
    lines = np.concatenate([upright, flat]).reshape(-1, 2, 2)
    axes.add_collection(
        LineCollection(list(lines), colors="white", linewidths=0.5, capstyle="projecting")
    )


def _edges(values: Floats, scale: Scale) -> Floats:
    """The borders (n + 1,) between values, in the middle on the axis' own scale."""
    t = np.log(values) if scale.log else values
    middle = (t[1:] + t[:-1]) / 2.0
    edges = np.concatenate([[2 * t[0] - middle[0]], middle, [2 * t[-1] - middle[-1]]])
    return np.exp(edges) if scale.log else edges


def _mark_minima(axes: Axes, minima: Floats) -> None:
    x, y, value = minima.T
    depth = (value.max() - value) / max(float(np.ptp(value)), 1e-300)
    axes.scatter(x, y, s=3 + 22 * depth, c="white", edgecolors="black", linewidths=0.5, zorder=3)


def _scaled(axes: Axes, x: Scale, y: Scale | None = None) -> None:
    from matplotlib.ticker import MaxNLocator

    for side, one in (("x", x), ("y", y)):
        if one is None:
            continue
        if one.log:
            getattr(axes, f"set_{side}scale")("log")
        elif one.whole:
            getattr(axes, f"{side}axis").set_major_locator(MaxNLocator(integer=True, nbins=6))
        getattr(axes, f"set_{side}label")(style.label(one.name, 60))


def _title(axes: Axes, text: str, width: int = 58) -> None:
    import textwrap

    axes.set_title("\n".join(textwrap.wrap(text, width)), loc="left", fontsize=6)


def _basins(axes: Axes, basins: Basins) -> None:
    """How large the basins of good and bad minima are."""
    seen = basins.shares > 0.0
    axes.scatter(basins.values[seen], basins.shares[seen], s=9, color=BLUE, alpha=0.6, linewidths=0)
    if seen[0]:
        axes.plot(basins.values[0], basins.shares[0], "*", color=ORANGE, mec="white", mew=0.4, ms=9)
    if seen.sum() > 1 and basins.shares[seen].max() / basins.shares[seen].min() > 10:
        _logarithmic(axes)
    axes.set_xlabel("value of the minimum")
    axes.set_ylabel("share of the universe in its basin")
    never = int((~seen).sum())
    some = f"; {never:,} basins hold none of them" if never else ""
    _title(axes, f"{len(seen):,} minima, star: the best; shares {basins.how}{some}")


def _spread(axes: Axes, spread: Spread, height: Height) -> None:
    """The share of the universe that is at least so good."""
    count = len(spread.values)
    axes.step(height(spread.values), np.arange(1, count + 1) / count, where="post", color=BLUE)
    if height.log:
        axes.set_xscale("log")
    axes.set_ylim(0.0, 1.0)
    axes.set_xlabel(height.label)
    axes.set_ylabel("share of the universe at or below")
    _title(axes, f"distribution of values, {spread.of}")


def _importance(axes: Axes, importance: Importance) -> None:
    """Total indices as bars, what each axis does alone as the darker part."""
    places = np.arange(len(importance.axes))
    axes.barh(places, importance.total, color=BLUE, alpha=0.4, height=0.7)
    axes.barh(places, np.maximum(importance.first, 0.0), color=BLUE, height=0.7)
    axes.set_yticks(places.tolist(), [style.label(name, 20, 6) for name in importance.axes])
    axes.invert_yaxis()
    axes.set_xlabel("Sobol' index: alone (dark), in total (light)")
    some = f"; {importance.left_out} less important left out" if importance.left_out else ""
    _title(axes, f"share of the variance by axis, {importance.how}{some}")


def _web(axes: Axes, web: Web) -> None:
    """Minima by distance from the best and value; lines: the likeliest step to a better one."""
    from matplotlib.collections import LineCollection

    x, y = web.distance + _aside(web.distance), web.values
    ends = np.stack([np.column_stack([x, y])[web.edges[:, i]] for i in range(2)], axis=1)
    axes.add_collection(LineCollection(list(ends), colors=GREY, linewidths=0.4, alpha=0.5))
    size = 6 + 200 * web.shares / max(float(web.shares.max()), 1e-300) * 0.5
    for main, colour in ((True, BLUE), (False, ORANGE)):
        own = web.main == main
        axes.scatter(
            x[own], y[own], s=size[own], c=colour, alpha=0.75, edgecolors="white", linewidths=0.3
        )
    axes.plot(x[0], y[0], "*", color="white", mec="black", mew=0.5, ms=8)
    aside = "" if np.array_equal(x, web.distance) else " (equal ones set apart)"
    axes.set_xlabel("distance from the best minimum" + aside)
    axes.set_ylabel("value of the minimum")
    some = f" ({web.left_out:,} worse ones not shown)" if web.left_out else ""
    others = "; orange: to another" if not web.main.all() else ""
    _title(
        axes,
        f"local-optima network: {len(x):,} minima{some}, area by basin; lines: the likeliest step "
        f"to a better basin; blue: such steps lead to the best (star){others}",
    )


def _aside(distance: Floats) -> Floats:
    """Small shifts that part points of equal whole distance: multiples of the golden ratio."""
    if not np.array_equal(distance, np.round(distance)):
        return np.zeros(len(distance))
    shift = (np.arange(len(distance)) * 0.6180339887498949) % 1.0 - 0.5
    return np.where(distance > 0, 0.6 * shift, 0.0)


# ---- profiles


def _row(part: SubFigure, head: str, panels: Sequence[Profile | Strip], height: Height) -> None:
    if head:
        part.suptitle(style.label(head, style.DOUBLE - 12, 7), fontsize=7, x=0.01, ha="left")
    grid = part.subplots(1, COLUMNS, squeeze=False, sharey=True)[0]
    for axes, panel in zip(grid, panels, strict=False):
        _narrow(axes, panel, height, 38.0)
    grid[0].set_ylabel(height.label)
    _heights(grid[0], height)
    for empty in grid[len(panels) :]:
        empty.set_axis_off()


def _narrow(axes: Axes, panel: Profile | Strip, height: Height, width: float) -> None:
    if isinstance(panel, Profile):
        _profile(axes, panel, height)
    else:
        _strip(axes, panel, height, width)


def _profile(axes: Axes, profile: Profile, height: Height) -> None:
    shown = height(profile.values)
    few = profile.scale.whole and len(profile.places) <= 40
    for border in profile.borders if len(profile.borders) <= 60 else ():
        axes.axvline(border, color="#CCCCCC", linewidth=0.5, zorder=0)
    axes.plot(profile.places, shown, color=BLUE, marker="." if few else "", ms=3, linewidth=0.9)
    at = np.argmin(np.abs(profile.places - profile.at))
    if len(profile.minima):
        place, value = profile.minima.T
        axes.plot(place, height(value), "o", color="white", mec="black", mew=0.5, ms=3)
    axes.plot(profile.places[at], shown[at], "*", color=ORANGE, mec="white", mew=0.4, ms=7)
    _scaled(axes, profile.scale)


def _strip(axes: Axes, strip: Strip, height: Height, width: float) -> None:
    """Boxes of the values of random points (quartiles; 5 to 95 %), and what is best of all."""
    from matplotlib.lines import Line2D

    for place, values in enumerate(strip.values):
        if not len(values):
            continue
        low, q1, middle, q3, high = height(np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95]))
        axes.plot([place, place], [low, high], color=GREY, linewidth=0.6)
        axes.plot(
            [place, place], [q1, q3], color=BLUE, linewidth=4.5, alpha=0.5, solid_capstyle="butt"
        )
        axes.add_line(
            Line2D([place - 0.25, place + 0.25], [middle, middle], color="black", linewidth=0.8)
        )
    known = ~np.isnan(strip.lowest)
    axes.plot(
        np.flatnonzero(known),
        height(strip.lowest[known]),
        "*",
        color=ORANGE,
        mec="white",
        mew=0.4,
        ms=6,
    )
    room = width / len(strip.options)
    wide = max(style.text_width(option, 6) for option in strip.options) > room - 1.5
    names = [style.label(option, 17.0 if wide else room, 6) for option in strip.options]
    axes.set_xticks(range(len(names)), names, rotation=90 if wide else 0)
    axes.set_xlim(-0.6, len(names) - 0.4)
    some = f" ({strip.left_out} more)" if strip.left_out else ""
    axes.set_xlabel(style.label(strip.name, 40) + some)


def _heights(axes: Axes, height: Height) -> None:
    if height.log:
        _logarithmic(axes)


def _logarithmic(axes: Axes) -> None:
    """A logarithmic axis upwards, with a handful of ticks."""
    from matplotlib.ticker import NullLocator

    axes.set_yscale("log")
    ticks = np.array(style.steps(*axes.get_ylim()))
    ticks = ticks[:: math.ceil(len(ticks) / TICKS)] if len(ticks) > TICKS else ticks
    axes.set_yticks(ticks.tolist(), labels=_numbers(ticks))
    axes.yaxis.set_minor_locator(NullLocator())


def _numbers(values: Floats) -> list[str]:
    """Ticks with as many digits as tell them apart."""
    texts: list[str] = []
    for digits in range(2, 8):
        texts = [_short(value, digits) for value in values.tolist()]
        if len(set(texts)) == len(texts):
            break
    return texts


def _short(value: float, digits: int) -> str:
    text = f"{value:.{digits}g}"
    if "e" in text and abs(value) < 1e6 and abs(value) >= 1:
        text = f"{float(text):,.0f}"
    return text.replace("-", "−")
