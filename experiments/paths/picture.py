"""A run's picture: the landscape in grey, the points in order, and what was never visited."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from experiments.paths.walks import BUDGET, SIDE, Scene, Walk, visited
from hpo_lab.figures import _style as style
from hpo_lab.space import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

GRID, BANDS = 200, 12  # points along each side of the background; its shades, each as common
ORDER = "plasma"
VEIL, STAR = "#4A90C2", "#00A06A"


def drawn(scene: Scene, walk: Walk, *, path: bool = True) -> Drawing:
    """Return the picture of one run on one scene; a ``path`` joins its points in order."""
    with style.styled():
        drawing = style.blank(style.SINGLE, 84.0)
        axes = drawing.subplots()
        _background(axes, scene)
        _unseen(axes, walk)
        x, y = walk.unit.T
        colours = np.arange(len(x)) / max(BUDGET - 1, 1)
        if path:
            axes.plot(x, y, color="black", linewidth=0.3, alpha=0.25, zorder=3)
        axes.scatter(
            *(x, y), c=colours, cmap=ORDER, vmin=0.0, vmax=1.0, s=15, zorder=4, clip_on=False,
            edgecolors="white", linewidths=0.5,
        )  # fmt: skip
        _marks(axes, scene, walk)
        return style.finished(drawing)


def _background(axes: Axes, scene: Scene) -> None:
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    greys = ListedColormap(colormaps["Greys"](np.linspace(0.62, 0.02, BANDS)))
    shades = _shades(scene)
    axes.imshow(
        shades,
        origin="lower",
        extent=(0, 1, 0, 1),
        cmap=greys,
        vmin=-0.5,
        vmax=BANDS - 0.5,
        interpolation="none",
    )
    places = np.linspace(0.0, 1.0, 5)
    for which, (_, axis) in zip(
        (axes.xaxis, axes.yaxis), scene.landscape.universe.places(0), strict=True
    ):
        ticks = [f"{tick:g}".replace("-", "−") for tick in axis.from_unit(places)]
        which.set_ticks(places.tolist(), ticks)
    axes.set_xlabel("x1", labelpad=1)
    axes.set_ylabel("x2", labelpad=1)
    axes.set_xlim(0.0, 1.0)
    axes.set_ylim(0.0, 1.0)
    axes.set_aspect("equal")


@lru_cache(maxsize=8)
def _shades(scene: Scene) -> Floats:
    """The shade of every place, from the lowest values (0) to the highest."""
    f = scene.landscape
    line = np.linspace(0.0, 1.0, GRID)
    unit = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    values = f.evaluate(f.universe.from_unit(np.zeros(len(unit), dtype=np.int64), unit))
    edges = np.quantile(values, np.linspace(0.0, 1.0, BANDS + 1)[1:-1])
    return np.searchsorted(edges, values).reshape(GRID, GRID).astype(float)


def _unseen(axes: Axes, walk: Walk) -> None:
    """A veil over every cell without a point, and the largest empty circle."""
    from matplotlib.patches import Circle, Rectangle

    for row, column in np.argwhere(visited(walk.unit) == 0):
        corner = (column / SIDE, row / SIDE)
        axes.add_patch(Rectangle(corner, 1 / SIDE, 1 / SIDE, color=VEIL, alpha=0.3, linewidth=0))
    x, y, radius = walk.empty
    axes.add_patch(
        Circle(
            (x, y), radius, fill=False, edgecolor="#1B4F72", linewidth=0.9, linestyle=(0, (3, 2))
        )
    )


def _marks(axes: Axes, scene: Scene, walk: Walk) -> None:
    known = scene.landscape.universe.to_unit(scene.optimum.point)[0]
    axes.plot(*known, "*", color=STAR, mec="white", mew=0.6, ms=11, zorder=5, clip_on=False)
    axes.plot(
        *walk.unit[walk.best], "o", mfc="none", mec="black", mew=1.2, ms=9, zorder=6, clip_on=False
    )


def legend() -> Drawing:
    """Return what the marks mean, as a picture."""
    from matplotlib import colormaps
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    with style.styled():
        drawing = style.blank(style.SINGLE, 24.0)
        axes = drawing.subplots()
        axes.set_axis_off()
        order = [
            Line2D([], [], marker="o", color="none", mfc=colormaps[ORDER](at), mec="white", ms=5)
            for at in (0.0, 0.5, 1.0)
        ]
        entries = [
            (order[0], "first points"),
            (order[1], "in the middle of the run"),
            (order[2], "last points"),
            (Line2D([], [], marker="*", color="none", mfc=STAR, mec="white", ms=10), "the optimum"),
            (
                Line2D([], [], marker="o", color="none", mfc="none", mec="black", mew=1.2, ms=8),
                "the best point that was found",
            ),
            (Patch(color=VEIL, alpha=0.4, linewidth=0), "cells never visited"),
            (
                Line2D([], [], color="#1B4F72", linewidth=0.9, linestyle=(0, (3, 2))),
                "the largest empty circle",
            ),
            (Patch(facecolor="#888888", linewidth=0), "darker: lower, better values"),
        ]
        axes.legend(
            [one for one, _ in entries], [text for _, text in entries], ncols=2, loc="center"
        )
        return style.finished(drawing)
