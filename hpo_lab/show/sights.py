"""What there is to see of a landscape, as arrays: a surface, its minima, profiles, a network.

Everything goes through the optimum where it is known, else through the best point of the sample.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from hpo_lab import descriptors
from hpo_lab.landscape import Optimum
from hpo_lab.region import Among, Box
from hpo_lab.show.card import Evidence
from hpo_lab.space import Axis, Choice, Floats, Integer, Ints, Points, Real, levels

GRID = 241  # points along each side of a surface; every value of an axis that has fewer
FINE = 401  # points along a profile
MARKED = 100  # minima that are marked, the best ones
BORDERED = 200  # minima in sight beyond which borders of basins would cover the surface
NODES = 120  # of a network, the best minima
PANELS, BITS = 12, 4  # profiles of a landscape; of one with many axes of two options
OPTIONS = 12  # of an axis
RANKED = 16  # axes whose importance is drawn
SECONDS = 5.0  # that a surface, and all exact optima of options, may take


@dataclass(frozen=True, eq=False)
class Scale:
    """One axis of a picture: its values in native numbers, or its options."""

    name: str
    log: bool = False
    whole: bool = False


@dataclass(frozen=True, eq=False)
class Surface:
    """Values (rows, columns) over two axes, with basins (-1: none) and minima where known."""

    x: Scale
    y: Scale
    columns: Floats
    rows: Floats
    values: Floats
    basins: Ints | None
    minima: Floats  # (m, 3): x, y and value of minima in this plane, best first
    best: Floats  # (2,): the point that the surface goes through
    through: str  # what that point is
    whole: bool  # whether these axes are all there are; else it is a slice
    left_out: int  # minima that are not marked


@dataclass(frozen=True, eq=False)
class Profile:
    """Values (n,) along one numeric axis through ``at``, and where basins change."""

    scale: Scale
    places: Floats
    values: Floats
    at: float
    borders: Floats
    minima: Floats  # (m, 2): place and value, only where the axis is the whole space


@dataclass(frozen=True, eq=False)
class Strip:
    """For each option of a choice the values of random points, and the exact lowest (or nan)."""

    name: str
    options: tuple[str, ...]
    values: tuple[Floats, ...]
    lowest: Floats
    left_out: int
    of: str  # what the points are


@dataclass(frozen=True, eq=False)
class Basins:
    """Values (m,) and shares (m,) of basins, and how the shares were found."""

    values: Floats
    shares: Floats
    how: str


@dataclass(frozen=True, eq=False)
class Spread:
    """How values are distributed: in increasing order (n,), of what points."""

    values: Floats
    of: str


@dataclass(frozen=True, eq=False)
class Importance:
    """Total and first-order indices (k,) of the axes of a single family that matter most."""

    axes: tuple[str, ...]
    total: Floats
    first: Floats
    how: str
    left_out: int


@dataclass(frozen=True, eq=False)
class Web:
    """A local-optima network by distance (n,) from the best minimum and value (n,)."""

    distance: Floats
    values: Floats
    shares: Floats
    main: np.ndarray[tuple[int], np.dtype[np.bool_]]  # which descend to the best
    edges: Ints  # (e, 2): from each node the likeliest step to a better one
    left_out: int


@dataclass(frozen=True, eq=False)
class Section:
    """The profiles of one family, through its best point."""

    family: str
    through: str
    panels: tuple[Profile | Strip, ...]
    left_out: str  # which axes are not shown; empty where all are


@dataclass(frozen=True, eq=False)
class Sights:
    """All that is drawn of a landscape; ``floor`` is its optimum, where that is known."""

    title: str
    unit: str
    floor: float | None
    surface: Surface | None
    web: Web | None
    basins: Basins | None
    families: Strip | None  # where there are several
    spread: Spread
    importance: Importance | None
    sections: tuple[Section, ...]


def sights(evidence: Evidence, title: str, card: dict[str, Any]) -> Sights:
    """Return what there is to see of a landscape whose card was made."""
    f = evidence.landscape
    best = evidence.optimum
    return Sights(
        title,
        f.unit,
        best.value if isinstance(best, Optimum) else None,
        _surface(evidence, card),
        _web(evidence),
        _basins(evidence),
        _families(evidence, card),
        _spread(evidence),
        _axes(card),
        _sections(evidence, card),
    )


# ---- one point for each family that everything goes through


def _through(evidence: Evidence, family: int) -> tuple[Points, str] | None:
    """The best point of a family, and what it is."""
    space = evidence.landscape.universe
    alone = len(space.families) == 1
    found = (
        evidence.optimum
        if alone
        else evidence.landscape.lowest((Box(space.families[family].name),))
    )
    if isinstance(found, Optimum):
        return found.point, "the optimum" if alone else "its optimum"
    own = np.flatnonzero((evidence.points.family == family) & ~np.isnan(evidence.truth))
    if not len(own):
        return None
    return evidence.points[int(own[np.argmin(evidence.truth[own])])], "the best point sampled"


def _numeric(axis: Axis) -> bool:
    return not isinstance(axis, Choice) and axis.size > 1


def _scale(axis: Axis) -> Scale:
    return Scale(axis.name, getattr(axis, "log", False), isinstance(axis, Integer))


def _places(axis: Axis, most: int, at: float) -> Floats:
    """Values along a numeric axis, evenly on its scale, ``at`` among them."""
    if axis.size <= most:
        return levels(axis)
    values = axis.from_unit(np.linspace(0.0, 1.0, most))
    return np.unique(np.append(values, at))


def _moved(point: Points, columns: tuple[int, ...], values: Floats) -> Points:
    """Copies of one point with other values (n, k) in some columns."""
    table = np.repeat(point.values, len(values), axis=0)
    table[:, columns] = values
    return Points(point.space, np.repeat(point.family, len(values)), table)


# ---- surfaces


def _surface(evidence: Evidence, card: dict[str, Any]) -> Surface | None:
    """The surface over the two axes that matter most, of a single family of numeric axes."""
    space = evidence.landscape.universe
    numeric = [(c, a) for c, a in space.places(0) if _numeric(a)]
    found = _through(evidence, 0) if len(space.families) == 1 and len(numeric) > 1 else None
    side = int(min(GRID, math.sqrt(SECONDS / max(evidence.rate, 1e-9))))
    if found is None or evidence.slow or side < 20:
        return None
    point, what = found
    whole = len(numeric) == 2 == sum(axis.size > 1 for _, axis in space.places(0))
    ranked = sorted(numeric, key=lambda pair: -_importance(card, "", pair[1].name))[:2]
    (i, x), (j, y) = sorted(ranked, key=lambda pair: pair[0])
    at = point.values[0, [i, j]]
    columns, rows = (_places(a, side, float(v)) for a, v in zip((x, y), at, strict=True))
    grid = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)
    points = _moved(point, (i, j), grid)
    values = evidence.values(points).reshape(len(rows), len(columns))
    minima, basins = np.empty((0, 3)), None
    left_out = 0
    if evidence.minima is not None:
        label = evidence.minima.labels(points).reshape(values.shape)
        basins = label if len(np.unique(label)) <= BORDERED else None
        if whole:
            own = evidence.minima
            minima = np.column_stack([own.points.values[:, [i, j]], own.values])
            left_out = max(len(minima) - MARKED, 0)
    return Surface(
        _scale(x),
        _scale(y),
        columns,
        rows,
        values,
        basins,
        minima[:MARKED],
        at,
        what,
        whole,
        left_out,
    )


def _importance(card: dict[str, Any], family: str, axis: str) -> float:
    """The total index of an axis, 0 where it is not known."""
    for own in card["families"]:
        if own["family"] == family and own["indices"] is not None:
            return float(own["indices"]["axes"].get(axis, (0.0, 0.0))[1])
    return 0.0


# ---- minima


def _basins(evidence: Evidence) -> Basins | None:
    if evidence.minima is None or evidence.basins is None or len(evidence.minima.values) < 2:
        return None
    return Basins(evidence.minima.values, *evidence.basins)


def _web(evidence: Evidence) -> Web | None:
    network = evidence.network
    if network is None:
        return None
    from hpo_lab.lattice import points_at

    count = min(len(network.minima), NODES)
    points = points_at(evidence.landscape.universe, network.minima[:count])
    edges = network.edges[:count][:, :count].toarray()
    better = np.tril(edges, k=-1)  # best first: an earlier one is better
    target = better.argmax(axis=1)
    leads = better.max(axis=1) > 0.0
    end = np.where(leads, target, np.arange(count))
    while not np.array_equal(end, end[end]):
        end = end[end]
    return Web(
        descriptors.distances(points, points[0])[:, 0],
        network.values[:count],
        network.sizes[:count] / evidence.landscape.universe.size,
        end == 0,
        np.column_stack([np.arange(count), target])[leads],
        len(network.minima) - count,
    )


# ---- profiles


def _sections(evidence: Evidence, card: dict[str, Any]) -> tuple[Section, ...]:
    """Profiles of every family; where there are many axes, of those that matter most."""
    families = evidence.landscape.universe.families
    most = max(PANELS // len(families), 4)
    started = time.perf_counter()
    sections = []
    for index, family in enumerate(families):
        found = _through(evidence, index)
        places = [(c, a) for c, a in evidence.landscape.universe.places(index) if a.size > 1]
        if found is None or not places:
            continue  # nothing to go through, or nothing that varies
        bits = len(places) > 2 * BITS and all(axis.size == 2 for _, axis in places)
        ranked = sorted(places, key=lambda p: -_importance(card, family.name, p[1].name))
        ranked = ranked[: BITS if bits else most]
        shown = sorted(ranked, key=lambda pair: places.index(pair))
        alone = len(families) == len(places) == 1
        if evidence.slow:  # only what the sample shows
            shown = [(c, a) for c, a in shown if isinstance(a, Choice)]
        panels = tuple(
            _profile(evidence, found[0], column, axis, alone)
            if not isinstance(axis, Choice)
            else _strip(evidence, index, column, axis, started)
            for column, axis in shown
        )
        if panels:
            told = _left_out(len(places) - len(shown), evidence.slow)
            sections.append(Section(family.name, found[1], panels, told))
    return tuple(sections)


def _left_out(count: int, slow: bool) -> str:
    if count == 0:
        return ""
    noun = f"{'numeric' if slow else 'less important'} {'axis' if count == 1 else 'axes'}"
    return f"{count} {noun} left out"


def _profile(
    evidence: Evidence, point: Points, column: int, axis: Real | Integer, alone: bool
) -> Profile:
    at = float(point.values[0, column])
    places = _places(axis, FINE, at)
    points = _moved(point, (column,), places[:, None])
    borders, minima = np.empty(0), np.empty((0, 2))
    if evidence.minima is not None:
        label = evidence.minima.labels(points)
        changes = np.flatnonzero(label[1:] != label[:-1])
        borders = (places[changes] + places[changes + 1]) / 2.0
        if alone:
            own = evidence.minima
            minima = np.column_stack([own.points.values[:, column], own.values])[:MARKED]
    return Profile(_scale(axis), places, evidence.values(points), at, borders, minima)


def _families(evidence: Evidence, card: dict[str, Any]) -> Strip | None:
    """The families as the options of a choice."""
    families = evidence.landscape.universe.families
    if len(families) < 2:
        return None
    points, truth, of = _drawn(evidence)
    values = [truth[(points.family == k) & ~np.isnan(truth)] for k in range(len(families))]
    optima = [own["optimum"] if own["exact"] else np.nan for own in card["families"]]
    shown = slice(0, OPTIONS)
    return Strip(
        "family",
        tuple(family.name for family in families[shown]),
        tuple(values[shown]),
        np.array(optima[shown], dtype=float),
        max(len(families) - OPTIONS, 0),
        of,
    )


def _spread(evidence: Evidence) -> Spread:
    _, truth, of = _drawn(evidence)
    return Spread(np.sort(truth[~np.isnan(truth)]), of)


def _axes(card: dict[str, Any]) -> Importance | None:
    found = card["families"][0]["indices"] if len(card["families"]) == 1 else None
    if found is None or len(found["axes"]) < 2:
        return None
    ranked = sorted(found["axes"].items(), key=lambda pair: -pair[1][1])[:RANKED]
    first, total = np.array([pair[1] for pair in ranked]).T
    names = tuple(name for name, _ in ranked)
    return Importance(names, total, first, found["how"], len(found["axes"]) - len(ranked))


def _drawn(evidence: Evidence) -> tuple[Points, Floats, str]:
    """The whole table where there is one, else the sample."""
    if evidence.table is not None:
        return evidence.table.points, evidence.table.truth, "all points"
    return evidence.points, evidence.truth, f"{len(evidence.points):,} random points"


def _strip(evidence: Evidence, family: int, column: int, axis: Choice, started: float) -> Strip:
    """Values by option, and the exact optimum with each where the landscape knows it."""
    points, truth, of = _drawn(evidence)
    rows = np.flatnonzero((points.family == family) & ~np.isnan(truth))
    option, own = points.values[rows, column], truth[rows]
    name = evidence.landscape.universe.families[family].name
    lowest = np.full(len(axis.options), np.nan)
    for k in range(len(axis.options)):
        if time.perf_counter() - started < SECONDS and isinstance(evidence.optimum, Optimum):
            found = evidence.landscape.lowest((Box(name, ((axis.name, Among((float(k),))),)),))
            lowest[k] = found.value if isinstance(found, Optimum) else np.nan
    shown = np.arange(len(axis.options))
    if len(shown) > OPTIONS:
        medians = [np.median(own[option == k]) if (option == k).any() else np.inf for k in shown]
        shown = np.sort(np.argsort(medians, kind="stable")[:OPTIONS])
    return Strip(
        axis.name,
        tuple(_named(axis.options[k]) for k in shown),
        tuple(own[option == k] for k in shown),
        lowest[shown],
        len(axis.options) - len(shown),
        of,
    )


def _named(option: object) -> str:
    return f"{option:.3g}" if isinstance(option, float) else str(option)
