"""The audit: what did one tuning run never look at?

One run is one sample, and its trials depend on one another, so no test can tell how the *search*
would fare again. What can be told exactly is how uniform search with as many trials would have
fared: with T trials a region of measure mu gets Bin(T, mu) visits from it, so

    p = P(Bin(T, mu) <= k),    k visits in the log;    never seen at all: (1 - mu)^T.

That is the visit test of ``hpo_lab.statistics.verdicts`` with each trial as a run of one
evaluation, corrected and limited to what is testable (Tarone 1990) in the same way. *Neglected*
asks for more than a small p: even uniform search at half its pace, Bin(T, mu / 2), comes so
rarely with a probability of at most 5 %. A verdict says where this run did not look; a sane search
concentrates, so it does not say that the run was wrong.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from hpo_lab.errors import InputError, nearest
from hpo_lab.logs import Log, from_frame
from hpo_lab.region import (
    Among,
    AxisSet,
    BoxSystem,
    Combinations,
    Interval,
    Resolution,
    axis_measure,
    describe,
    measure,
    region_system,
)
from hpo_lab.space import Axis, Choice, Family, Floats, Ints, Option, Points, Record, Space
from hpo_lab.statistics import NEGLECTED, NEVER_SEEN, is_testable, verdicts

if TYPE_CHECKING:
    import pandas as pd

ALPHA = 0.05
EDGE = 0.01  # a number this close to its bound, as a share of the scale, lies on the edge
MOST_REGIONS = 20_000  # of one system
FEWEST = 4  # improvements in a row, and nothing else: chance orders five values so in 1 of 120
SYSTEMS = ("families", "options", "bins", "pairs", "cells")
COMPLETE, IMPROVEMENTS, UNKNOWN = "complete", "improvements only", "unknown"


@dataclass(frozen=True, slots=True)
class Judged:
    """A region and what uniform search with as many trials says of its visits."""

    system: str
    region: str
    measure: float  # share of the declared space
    visits: int
    expected: float  # visits of uniform search
    p: float  # P(uniform search comes as rarely)
    p_adjusted: float  # within the system; nan where it is untestable
    verdict: str
    axis: str = ""  # where the region is a part of one axis (or a family): which
    part: str = ""  # and which part


@dataclass(frozen=True, slots=True)
class Edge:
    """The best trial lies on the edge of an axis; ``side`` is "low" or "high"."""

    family: str
    axis: str
    side: str
    value: Option
    bound: Option
    distance: float  # from value to bound, as a share of the axis in its scale
    chance: float  # that a point of uniform search lies as close to that bound


@dataclass(frozen=True, slots=True)
class Constant:
    """An axis of which one value was tried, in all of the ``trials`` that have it."""

    axis: str
    value: Option
    trials: int


@dataclass(frozen=True, slots=True)
class Excluded:
    """A part of the universe that is not in the declared space, with its share of the universe."""

    family: str
    axis: str
    region: str
    measure: float


@dataclass(frozen=True, eq=False)
class Audit:
    """What one run never looked at.

    ``trials`` of the log lie in the space (``outside`` counts the others, by reason), ``distinct``
    of them differ, ``succeeded`` have a value. ``completeness`` is "complete", "improvements only"
    or "unknown"; visits are lower bounds unless it is complete. ``best`` is the incumbent as a
    record with its value. ``smallest`` is the least measure that a region needs to be testable at
    all with so many trials; ``skipped`` are systems with too many regions to be listed.
    """

    trials: int
    distinct: int
    succeeded: int
    completeness: str
    maximize: bool
    best: Record | None
    smallest: float
    regions: tuple[Judged, ...]
    edges: tuple[Edge, ...]
    constant: tuple[Constant, ...]
    excluded: tuple[Excluded, ...]
    has_universe: bool
    outside: Record
    skipped: Record
    notes: tuple[str, ...]

    def tables(self) -> dict[str, list[Record]]:
        """Return regions, edges, constant and excluded as lists of plain records."""
        names = ("regions", "edges", "constant", "excluded")
        return {name: [asdict(one) for one in getattr(self, name)] for name in names}


def audit(
    frame: pd.DataFrame,
    space: Space,
    *,
    universe: Space | None = None,
    maximize: bool = False,
    complete: bool = False,
    systems: Sequence[str] = SYSTEMS,
) -> Audit:
    """Return what one tuning run never looked at, from its trials alone, one row each, in order.

    The frame has a column for each axis in native units, ``family`` where the space has several,
    and ``value`` (nan: the trial failed). ``complete`` says that every trial is in it. Regions of
    each system are compared with uniform search of as many trials; numbers are split as finely as
    can be tested with them. ``universe`` is a wider space that the declared one is compared with.
    Raises InputError where a column is missing, no trial lies in the space, or the universe does
    not hold the space.

    >>> import pandas as pd
    >>> from hpo_lab import Choice, Real
    >>> space = Space.box(Real("lr", 1e-5, 1e-1, log=True), Choice("op", ("gat", "gcn")))
    >>> frame = pd.DataFrame({"lr": [1e-3] * 30, "op": "gcn", "value": 1.0})
    >>> found = audit(frame, space, complete=True)
    >>> [one.region for one in found.regions if one.verdict == "never seen"][0]
    'op = gat'
    >>> [one.axis for one in found.constant]
    ['lr', 'op']
    """
    log = from_frame(frame, space, maximize=maximize)
    return audit_log(log, universe=universe, complete=complete, systems=systems)


def audit_log(
    log: Log,
    *,
    universe: Space | None = None,
    complete: bool = False,
    systems: Sequence[str] = SYSTEMS,
) -> Audit:
    """Return the same for a log that was read; ``complete`` where it is known to be."""
    points, trials = log.points, len(log.points)
    regions: list[Judged] = []
    skipped: Record = {}
    for system in _systems(log.space, trials, systems):
        count = region_count(system)
        if count > MOST_REGIONS:
            skipped[system.name] = count
        else:
            regions += judged(system, points)
    best = incumbent(log.values, log.maximize)
    return Audit(
        trials=trials,
        distinct=len(np.unique(points.keys())),
        succeeded=int(np.isfinite(log.values).sum()),
        completeness=completeness(log, complete),
        maximize=log.maximize,
        best=None
        if best is None
        else {**points[best].records()[0], "value": float(log.values[best]), "trial": best + 1},
        smallest=1 - ALPHA ** (1 / trials),
        regions=tuple(regions),
        edges=() if best is None else tuple(_edges(points, best)),
        constant=tuple(_constant(points)),
        excluded=() if universe is None else tuple(left_out(log.space, universe)),
        has_universe=universe is not None,
        outside=dict(log.outside),
        skipped=skipped,
        notes=log.notes,
    )


# --- regions -----------------------------------------------------------------------------------


def _systems(space: Space, trials: int, names: Sequence[str]) -> Iterator[BoxSystem]:
    """The systems that split this space, as finely as is testable with so many trials."""
    for name in names:
        if name == "families" and len(space.families) == 1:
            continue
        made = finest(name, space, trials)
        if not isinstance(made, Combinations) or made.groups:
            yield made


def finest(name: str, space: Space, trials: int) -> BoxSystem:
    """Return a region system with its numbers split so that most regions can be tested.

    Into 2, 4, 8 or 16 parts (cells: 4 to 256 in all), whatever leaves most regions testable with
    so many trials, of equals the coarsest. It depends on the space and the number of trials, never
    on where they lie.

    >>> from hpo_lab import Real
    >>> space = Space.box(Real("x", 0, 1))
    >>> [finest("bins", space, trials).bins for trials in (10, 30, 100)]
    [2, 4, 16]
    """
    if name == "cells":
        choices = [Resolution(cells=2**k) for k in range(2, 9)]
    elif name in ("bins", "planes"):
        choices = [Resolution(bins=2**k) for k in range(1, 5)]
    else:
        return region_system(name, space)
    systems = [region_system(name, space, resolution) for resolution in choices]
    listed = [system for system in systems if region_count(system) <= MOST_REGIONS]
    return max(listed, key=lambda one: _testable(one, space, trials)) if listed else systems[0]


def _testable(system: BoxSystem, space: Space, trials: int) -> int:
    return int(is_testable(masses(system, space), 1, trials, ALPHA).sum())


def region_count(system: BoxSystem) -> int:
    """Return how many regions a system has, without making them where they are combinations."""
    if not isinstance(system, Combinations):
        return len(system.regions)
    parts = (
        math.prod(
            len(axis.options)
            if isinstance(axis, Choice)
            else min(system.bins, int(axis.size))
            if axis.size < math.inf
            else system.bins
            for axis in group
        )
        for group in system.groups
    )
    return sum(parts)


def masses(system: BoxSystem, space: Space) -> Floats:
    """Return the measure of each region of a system (m,) in the space that it splits."""
    return np.array([measure(space, region) for region in system.regions])


def visits(system: BoxSystem, points: Points) -> Ints:
    """Return how many of the points lie in each region (m,)."""
    labels = system.labels(points).ravel()
    return np.bincount(labels[labels >= 0], minlength=len(system.regions))


def judged(system: BoxSystem, points: Points) -> list[Judged]:
    """Return every region of a system of the points' space with its verdict."""
    mass = np.minimum(masses(system, points.space), 1.0)
    seen = visits(system, points)
    told = verdicts(mass, 1, seen, len(points), partition=system.partition, alpha=ALPHA)
    names = [describe(points.space, region) for region in system.regions]
    columns = (mass, seen, mass * len(points), told.p, told.adjusted, told.word)
    parts = _parts(system, points.space)
    rows = zip(
        names, *(column.tolist() for column in columns), *zip(*parts, strict=True), strict=True
    )
    return [Judged(system.name, *row) for row in rows]


def _parts(system: BoxSystem, space: Space) -> list[tuple[str, str]]:
    """Axis and part of each region, empty where it is not a part of one axis."""
    if system.name == "families":
        return [("family", family.name) for family in space.families]
    if not isinstance(system, Combinations) or system.order > 1:
        return [("", "")] * len(system.regions)
    names = [axis.name for (axis,) in system.groups]
    found = []
    for region in system.regions:
        name, within = region[0].sets[0]
        if isinstance(within, Interval):
            ends = dict.fromkeys((f"{within.low:g}", f"{within.high:g}"))
            text = " to ".join(ends)
        else:
            text = str(space.family(region[0].family).axis(name).native(within.values[0]))
        twice = names.count(name) > 1  # a family's own axis, that of another is not the same
        homes = ", ".join(box.family for box in region)
        found.append((f"{name} ({homes})" if twice else name, text))
    return found


def blind(regions: Sequence[Judged]) -> list[Judged]:
    """Return the regions never seen or neglected, the largest first.

    >>> blind([Judged("options", "op = gat", 0.5, 9, 10.0, 0.4, 0.8, "no evidence")])
    []
    """
    found = [one for one in regions if one.verdict in (NEVER_SEEN, NEGLECTED)]
    return sorted(found, key=lambda one: (one.verdict != NEVER_SEEN, -one.expected))


# --- the best trial, and what was never varied -------------------------------------------------


def incumbent(values: Floats, maximize: bool) -> int | None:
    """Return the index of the best value, of equal ones (rounded to 1e-9) the first.

    >>> incumbent(np.array([np.nan, 2.0, 1.0, 1.0]), maximize=False)
    2
    """
    if not np.isfinite(values).any():
        return None
    signed = np.round(-values if maximize else values, 9)
    return int(np.nanargmin(signed))


def completeness(log: Log, stated: bool) -> str:
    """Return whether the log holds every trial: as was stated, known, or plainly not so."""
    if stated:
        return COMPLETE
    values = log.values[np.isfinite(log.values)]
    steps = np.diff(-values if log.maximize else values)
    if (steps <= 0).all() and (steps < 0).sum() >= FEWEST:
        return IMPROVEMENTS
    return COMPLETE if log.complete else UNKNOWN


def _edges(points: Points, best: int) -> Iterator[Edge]:
    space, family = points.space, int(points.family[best])
    for column, axis in space.places(family):
        if axis.size == 1 or (isinstance(axis, Choice) and not axis.ordered):
            continue
        value = float(points.values[best, column])
        ends = (0.0, len(axis.options) - 1.0) if isinstance(axis, Choice) else (axis.low, axis.high)
        for side, bound in zip(("low", "high"), ends, strict=True):
            distance = _distance(axis, value, bound)
            if distance <= EDGE:
                near = sorted((value, float(bound)))
                chance = axis_measure(axis, _between(axis, near[0], near[1]))
                said = axis.native(value), axis.native(bound)
                yield Edge(space.families[family].name, axis.name, side, *said, distance, chance)


def _distance(axis: Axis, value: float, bound: float) -> float:
    """From a value to a bound, as a share of the way from bound to bound in the axis's scale."""
    if isinstance(axis, Choice):
        return abs(value - bound) / (len(axis.options) - 1)
    if axis.log:
        return abs(math.log(value / bound)) / math.log(axis.high / axis.low)
    return abs(value - bound) / (axis.high - axis.low)


def _between(axis: Axis, low: float, high: float) -> AxisSet:
    if isinstance(axis, Choice):
        return Among(tuple(np.arange(low, high + 1).tolist()))
    return Interval(low, high)


def _constant(points: Points) -> Iterator[Constant]:
    """The axes that could vary and did not, those of several families once."""
    space = points.space
    homes: dict[tuple[int, Axis], list[int]] = {}
    for index in range(len(space.families)):
        for place in space.places(index):
            homes.setdefault(place, []).append(index)
    for (column, axis), families in homes.items():
        values = points.values[np.isin(points.family, families), column]
        if axis.size > 1 and len(values) > 1 and (values == values[0]).all():
            yield Constant(axis.name, axis.native(float(values[0])), len(values))


# --- what the declared space leaves out of the universe ----------------------------------------


def left_out(space: Space, universe: Space) -> list[Excluded]:
    """Return what of the universe the declared space leaves out, the largest share first.

    Families and axes are the same where they have the same name. What several families lose alike
    is said once. Raises InputError where the universe does not hold the declared space.

    >>> from hpo_lab import Choice, Integer
    >>> wide = Space.box(Choice("op", ("gat", "gcn")), Integer("k", 1, 9))
    >>> narrow = Space.box(Choice("op", ("gcn",)), Integer("k", 3, 9))
    >>> [(one.region, round(one.measure, 3)) for one in left_out(narrow, wide)]
    [('op = gat', 0.5), ('k < 3', 0.222)]
    """
    pairs = _pairs(space, universe)
    lost: dict[tuple[str, str], list[tuple[str, float]]] = {}
    for index, family in enumerate(universe.families):
        weight = float(universe.weights[index])
        if family.name not in pairs:
            text = f"family = {family.name}"
            lost.setdefault(("", text), []).append((family.name, weight))
            continue
        mine = pairs[family.name]
        for axis in family.axes:
            for text, share in _axis_left_out(axis, mine):
                lost.setdefault((axis.name, text), []).append((family.name, weight * share))
    found = [
        Excluded(
            _common(universe, [family for family, _ in parts]),
            axis,
            text,
            math.fsum(share for _, share in parts),
        )
        for (axis, text), parts in lost.items()
    ]
    return sorted(found, key=lambda one: -one.measure)


def _common(universe: Space, names: Sequence[str]) -> str:
    """The families that lose something; nothing where all do."""
    return "" if len(names) == len(universe.families) else ", ".join(names)


def _pairs(space: Space, universe: Space) -> dict[str, Family]:
    """The declared family for the name of each of the universe's families that it has."""
    if len(space.families) == len(universe.families) == 1:
        pairs = {universe.families[0].name: space.families[0]}
    else:
        pairs = {family.name: family for family in space.families}
    names = [family.name for family in universe.families]
    for name, family in pairs.items():
        if name not in names:
            raise InputError(
                f"the universe has no family {nearest(name, names)}; name the declared space's "
                "families as the universe does"
            )
        for axis in family.axes:
            _check_inside(axis, universe.family(name))
    return pairs


def _check_inside(axis: Axis, family: Family) -> None:
    if axis.name not in [one.name for one in family.axes]:
        names = [one.name for one in family.axes]
        raise InputError(f"the universe has no axis {nearest(axis.name, names)}; widen it")
    wide = family.axis(axis.name)
    if isinstance(axis, Choice):
        known = isinstance(wide, Choice) and set(map(_exact, axis.options)) <= set(
            map(_exact, wide.options)
        )
    else:
        known = (
            type(axis) is type(wide)
            and not isinstance(wide, Choice)
            and wide.low <= axis.low
            and axis.high <= wide.high
        )
    if not known:
        raise InputError(
            f'the universe does not hold all of the declared axis "{axis.name}"; widen it there'
        )


def _exact(option: Option) -> tuple[type, Option]:
    return type(option), option


def _axis_left_out(axis: Axis, family: Family) -> Iterator[tuple[str, float]]:
    """What the family lacks of an axis of the universe, in words, with its share of the axis."""
    mine = next((one for one in family.axes if one.name == axis.name), None)
    if mine is None:
        if axis.size > 1:
            yield f"{axis.name}: all but one value, it is no axis of the declared space", 1.0
    elif isinstance(axis, Choice) and isinstance(mine, Choice):
        kept = set(map(_exact, mine.options))
        gone = [str(option) for option in axis.options if _exact(option) not in kept]
        if gone:
            share = len(gone) / len(axis.options)
            one = f"{axis.name} = {gone[0]}"
            yield one if len(gone) == 1 else f"{axis.name} in {{{', '.join(gone)}}}", share
    elif not isinstance(axis, Choice) and not isinstance(mine, Choice):
        step = 1.0 if axis.size < math.inf else 0.0  # whole numbers next to a bound lie outside
        if axis.low < mine.low:
            share = axis_measure(axis, Interval(axis.low, mine.low - step))
            yield f"{axis.name} < {mine.low:g}", share
        if mine.high < axis.high:
            share = axis_measure(axis, Interval(mine.high + step, axis.high))
            yield f"{axis.name} > {mine.high:g}", share
