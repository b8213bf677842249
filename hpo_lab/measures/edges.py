"""Edges: visits on the bounds of the declared space, and the best value on one of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from hpo_lab.assumption import View, Wire
from hpo_lab.landscape import Bounds, Landscape, Optimum
from hpo_lab.measure import ArmResult, Cell, Measure, Results
from hpo_lab.measures._visited import runs_of
from hpo_lab.region import Among, AxisSet, Box, Interval, axis_measure
from hpo_lab.space import Axis, Choice, Floats, Real

if TYPE_CHECKING:
    import pandas as pd

BAND = 0.05  # of an axis, in its scale: what counts as close to its bound


@dataclass(frozen=True)
class Edges(Measure):
    """Each bound of each number's axis: how often it was visited, and whether the best lies on it.

    For numbers and ordered choices of the declared space, family by family. ``on_edge`` is the
    share of the family's visits on the bound (uniform search: ``on_edge_expected``, 0 on a real
    axis), ``near_edge`` the share within 5 % of the axis, in its scale, against
    ``near_edge_expected``: means over runs. ``best_on_edge`` is the share of runs whose incumbent
    lies on the bound (to 1e-9 of the axis), ``best_near_edge`` close to it.

    ``ends`` says whether the universe ends there too. ``gain`` is how much lower the optimum would
    be if only this bound were moved out to that of the universe: f*(S) less the optimum of what
    lies beyond, 0 where nothing better does; certified bounds ``gain_low`` .. ``gain_high`` where
    the truth is not exact (then ``gain`` is nan). It is about the space, the same for every
    strategy: an incumbent on the edge with no gain beyond is no warning.

    Source: on searches that stay at bounds, Siivola et al. 2018, "Correcting boundary
    over-exploration deficiencies in Bayesian optimization with virtual derivative sign
    observations".
    """

    name: ClassVar[str] = "edges"

    def __call__(self, results: Results) -> pd.DataFrame:
        import pandas as pd

        rows = [
            {**arm.labels, "instance": cell.instance, "unit": arm.unit, **row}
            for arm in results.arms
            for cell in arm.cells
            for row in _rows(arm, cell)
        ]
        return pd.DataFrame(rows)


def _rows(arm: ArmResult, cell: Cell) -> Iterator[dict[str, Any]]:
    view, runs = cell.problem.view, runs_of(arm, cell)
    if not len(cell.points):
        return
    best, started = _incumbents(cell, runs)
    for index, family in enumerate(view.declared.families):
        rows = np.flatnonzero((cell.points.family == index) & (cell.run < runs))
        owner = cell.run[rows]
        for column, axis in view.declared.places(index):
            if axis.size == 1 or (isinstance(axis, Choice) and not axis.ordered):
                continue
            values, here = cell.points.values[rows, column], cell.points.family[best] == index
            chosen = np.where(here, cell.points.values[best, column], np.nan)[started]
            for side in ("low", "high"):
                edge = _Edge.of(axis, side)
                gain = _gain(cell.problem.landscape, view, index, axis.name, side)
                yield {
                    "family": family.name,
                    "axis": axis.name,
                    "side": side,
                    "bound": str(axis.native(edge.bound)),
                    "ends": gain is None,
                    "on_edge": _share(edge.on(axis, values), owner, runs),
                    "on_edge_expected": edge.mass,
                    "near_edge": _share(edge.near(axis, values), owner, runs),
                    "near_edge_expected": edge.near_mass,
                    "best_on_edge": float(edge.on(axis, chosen).mean()) if len(chosen) else np.nan,
                    "best_near_edge": float(edge.near(axis, chosen).mean())
                    if len(chosen)
                    else np.nan,
                    **_gains(cell, gain),
                }


def _incumbents(cell: Cell, runs: int) -> tuple[np.ndarray, np.ndarray]:
    """The trial (R,) that each run would hand over, and which runs have one."""
    place = cell.incumbents[:runs, -1]
    start = np.searchsorted(cell.run, np.arange(runs))
    trial = np.minimum(start + np.maximum(place, 0), len(cell.points) - 1)
    return trial, place >= 0


def _share(hit: np.ndarray, owner: np.ndarray, runs: int) -> float:
    """The mean over runs, of those that came to the family at all, of the share of their visits."""
    came = np.bincount(owner, minlength=runs)
    hits = np.bincount(owner, weights=hit, minlength=runs)
    return float((hits[came > 0] / came[came > 0]).mean()) if came.any() else math.nan


@dataclass(frozen=True)
class _Edge:
    """One end of an axis: its value, and the mass of that value and of what is close."""

    side: str
    bound: float
    mass: float
    near_mass: float

    @staticmethod
    def of(axis: Axis, side: str) -> _Edge:
        ends = (0.0, len(axis.options) - 1.0) if isinstance(axis, Choice) else (axis.low, axis.high)
        bound = float(ends[side == "high"])
        if isinstance(axis, Real):
            return _Edge(side, bound, 0.0, BAND)
        only: AxisSet = Among((bound,)) if isinstance(axis, Choice) else Interval(bound, bound)
        mass = axis_measure(axis, only)
        return _Edge(side, bound, mass, mass)

    def on(self, axis: Axis, values: Floats) -> np.ndarray:
        """Which values (n,) lie on the bound; nan does not."""
        if isinstance(axis, Real):
            return self._gap(axis, values) <= 1e-9
        return np.asarray(values == self.bound)

    def near(self, axis: Axis, values: Floats) -> np.ndarray:
        """Which values (n,) lie close to it; of whole numbers and options only the last one."""
        if isinstance(axis, Real):
            return self._gap(axis, values) <= BAND
        return np.asarray(values == self.bound)

    def _gap(self, axis: Axis, values: Floats) -> Floats:
        unit = axis.to_unit(values)
        return unit if self.side == "low" else 1.0 - unit


# --- what lies beyond --------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def _gain(
    landscape: Landscape, view: View, index: int, source: str, side: str
) -> Optimum | Bounds | None:
    """The optimum of what lies beyond one bound; None where the universe ends there as well.

    Beyond: the box of the declared family in the universe, with every universe axis that follows
    this declared one reaching from its own end to that of the universe.
    """
    home = view.universe.family(view.declared.families[index].name)
    box = view.image[index]
    sets = dict(box.sets)
    moved = False
    for wire in view.wires[index]:
        if wire.source == source and wire.axis in sets:
            beyond = _beyond(home.axis(wire.axis), sets[wire.axis], wire, side)
            if beyond is not None:
                sets[wire.axis], moved = beyond, True
    if not moved:
        return None
    return landscape.lowest((Box(box.family, tuple(sorted(sets.items())), box.ties),))


def _beyond(axis: Axis, within: AxisSet, wire: Wire, side: str) -> AxisSet | None:
    """What the universe's axis has beyond the end that the declared axis reaches."""
    if isinstance(within, Among):
        # through a table the declared order need not be the universe's: the end is the last entry
        ends = wire.table if wire.table is not None else within.values
        low, high = ends[0], ends[-1]
        if low > high:
            side = "low" if side == "high" else "high"
            low, high = high, low
    else:
        low, high = within.low, within.high
    if isinstance(axis, Choice):
        options = range(len(axis.options))
        left = [float(i) for i in options if (i > high if side == "high" else i < low)]
        return Among(tuple(left)) if left and axis.ordered else None
    if side == "high":
        return Interval(high, float(axis.high)) if high < axis.high else None
    return Interval(float(axis.low), low) if low > axis.low else None


def _gains(cell: Cell, beyond: Optimum | Bounds | None) -> dict[str, float]:
    """How much the optimum falls by what lies beyond: exactly, or between bounds."""
    if beyond is None:
        return {"gain": 0.0, "gain_low": 0.0, "gain_high": 0.0}
    low, high = _ends(beyond)
    best_low, best_high = _ends(cell.problem.optimum)
    least, most = _positive(best_low - high), _positive(best_high - low)
    exact = isinstance(cell.problem.optimum, Optimum) and least == most
    return {"gain": least if exact else math.nan, "gain_low": least, "gain_high": most}


def _ends(found: Optimum | Bounds) -> tuple[float, float]:
    return (found.low, found.high) if isinstance(found, Bounds) else (found.value, found.value)


def _positive(value: float) -> float:
    """At least 0, which also stands for what has no value beyond at all."""
    return max(value, 0.0) if not math.isnan(value) else 0.0
