"""Landscapes: objectives over a universe that know their own truth; problems: seen through a view.

Everything is minimised. *truth* is what regret is counted in, *observed* is what a strategy is
told; by default they are the same.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Any, ClassVar, Protocol

import numpy as np

from hpo_lab.assumption import View
from hpo_lab.errors import InputError
from hpo_lab.region import Region, contains, whole
from hpo_lab.space import ENUMERABLE, Floats, Ints, Points, Record, Space

TIES = 9  # observed values are compared after rounding to this many decimals


@dataclass(frozen=True, slots=True, eq=False)
class Optimum:
    """An exact optimum: the lowest truth, and a point of the universe that has it (one row)."""

    value: float
    point: Points


@dataclass(frozen=True, slots=True)
class Bounds:
    """Certified bounds on an optimum that is not known exactly, and how they were found."""

    low: float
    high: float
    how: str


UNKNOWN = Bounds(-math.inf, math.inf, "unknown")


@dataclass(frozen=True, slots=True, eq=False)
class Minima:
    """All local minima, and the basin of attraction that any point lies in.

    ``points`` (m,) with truth ``values`` (m,), best first; ``labels(points)`` gives (n,) basin
    indices, -1 for none; ``lowest(region)`` gives (m,) the lowest truth inside both the basin and
    the region, inf where they do not meet and nan where it is not known; ``masses`` (m,) are the
    basins' shares of the reference measure, None where they are unknown.
    """

    points: Points
    values: Floats
    labels: Callable[[Points], Ints]
    lowest: Callable[[Region], Floats]
    masses: Floats | None = None


class Landscape(Protocol):
    """A frozen dataclass whose fields are its arguments; identified by name@version + arguments.

    Only ``universe`` and ``evaluate`` have to be written. A finite universe gets its exact truth
    by enumeration; a landscape that knows better overrides ``lowest`` and ``minima``.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    unit: ClassVar[str] = ""

    @property
    def universe(self) -> Space:
        """Everything that could be tried."""
        ...

    def evaluate(self, points: Points) -> Floats:
        """Return the truth (n,) of points of the universe; nan where a point has no value."""
        ...

    def observe(self, points: Points, repetition: int = 0, replicate: Ints | None = None) -> Floats:
        """Return what a strategy is told (n,); noise is keyed by repetition, point, replicate."""
        return self.evaluate(points)

    def __hash__(self) -> int:
        """Every frozen dataclass has its own; what is derived from a landscape is kept by it."""
        return object.__hash__(self)

    @property
    def stochastic(self) -> bool:
        """Whether observed values depend on the repetition."""
        return False

    def lowest(self, region: Region) -> Optimum | Bounds:
        """Return the optimum of the truth inside a region of the universe, or certified bounds."""
        return _lowest_by_enumeration(self, region)

    def optimum(self, view: View | None = None) -> Optimum | Bounds:
        """Return the optimum of the universe, or of the declared space of a view."""
        return self.lowest(whole(self.universe) if view is None else view.image)

    def minima(self) -> Minima | None:
        """Return all local minima with their basins, None where they are not known."""
        return None

    def replicates(self) -> Floats | None:
        """Return what was measured of every point of a finite universe, None where truth is known.

        (N, r) in the order of its enumeration, a column a training seed and nan after a point's
        last; truth is the mean of each row, and conditional on these measurements.
        """
        return None

    def same(self, points: Points) -> Ints | None:
        """Return numbers (n,), equal for points that are the same thing; None if all differ."""
        return None

    def __call__(self, given: Any) -> Any:
        """Return the truth (n,) of an array (n, d), records or a batch; of one point, a float.

        Raises InputError where a point lies outside the universe.
        """
        points = self.universe.points(given)
        outside = ~self.universe.contains(points)
        if outside.any():
            row = int(np.argmax(outside))
            raise InputError(
                f"point {row} lies outside the universe: {points.values[row].tolist()}"
            )
        values = self.evaluate(points)
        one = isinstance(given, dict) or (
            not isinstance(given, Points) and np.ndim(given) == 1 and not isinstance(given[0], dict)
        )
        return float(values[0]) if one else values

    @staticmethod
    def of(function: Callable[[Record], float], space: Space) -> Landscape:
        """Return anybody's own function of a record as a landscape; its truth is unknown.

        >>> from hpo_lab.space import Real, Space
        >>> f = Landscape.of(lambda point: (point["x"] - 1) ** 2, Space.box(Real("x", 0, 3)))
        >>> f({"x": 3.0})
        4.0
        """
        return Function(function, space)


@dataclass(frozen=True)
class Function(Landscape):
    """A person's own function of one record, called point by point."""

    function: Callable[[Record], float]
    space: Space
    name: ClassVar[str] = "function"

    @property
    def universe(self) -> Space:
        return self.space

    def evaluate(self, points: Points) -> Floats:
        return np.array([float(self.function(record)) for record in points.records()], dtype=float)

    def lowest(self, region: Region) -> Optimum | Bounds:
        """Unknown: enumerating somebody's function could take for ever."""
        return UNKNOWN


def identity(landscape: Landscape) -> Record:
    """Return what identifies a landscape: name@version and every argument, as plain values.

    A path is a place, not an identity: ``field(metadata={"identity": "content"})`` says which
    attribute of the landscape, such as a hash of what the file holds, stands for the field.
    """
    given = {
        f.metadata.get("argument", f.name): getattr(landscape, f.metadata.get("identity", f.name))
        for f in fields(landscape)  # type: ignore[arg-type]
        if f.init
    }
    plain = {k: v.to_dict() if isinstance(v, Space) else v for k, v in given.items()}
    return {"landscape": f"{landscape.name}@{landscape.version}", "arguments": plain}


def generator(landscape: Landscape, *arguments: Any) -> np.random.Generator:
    """Return a generator seeded by name@version and the given arguments: never by order or state.

    >>> from hpo_lab.space import Space
    >>> f = Landscape.of(lambda point: 0.0, Space.box())
    >>> generator(f, 3, "adjacent").random() == generator(f, 3, "adjacent").random()
    True
    """
    key = json.dumps([f"{landscape.name}@{landscape.version}", *arguments])
    return np.random.default_rng(int.from_bytes(hashlib.sha256(key.encode()).digest(), "big"))


@dataclass(frozen=True, slots=True, eq=False)
class Enumeration:
    """Every point of a finite universe (N,), its truth, its observed value, and which are the same.

    ``mass`` (N,) is each point's probability under the reference measure of the universe.
    """

    points: Points
    truth: Floats
    observed: Floats
    same: Ints


@lru_cache(maxsize=32)
def enumeration(landscape: Landscape) -> Enumeration | None:
    """Return the complete table of a landscape, None where it is infinite, too large or noisy."""
    universe = landscape.universe
    if universe.size > ENUMERABLE or isinstance(landscape, Function):
        return None
    points = universe.enumerate()
    truth = landscape.evaluate(points)
    observed = truth if landscape.stochastic else landscape.observe(points)
    same = landscape.same(points)
    return Enumeration(points, truth, observed, np.arange(len(points)) if same is None else same)


def _lowest_by_enumeration(landscape: Landscape, region: Region) -> Optimum | Bounds:
    table = enumeration(landscape)
    if table is None:
        return UNKNOWN
    inside = contains(landscape.universe, region, table.points) & ~np.isnan(table.truth)
    if not inside.any():
        return Bounds(math.inf, math.inf, "no point of the region has a value")
    rows = np.flatnonzero(inside)
    best = int(rows[np.argmin(table.truth[rows])])
    return Optimum(float(table.truth[best]), table.points[best])


OK, NO_VALUE, RAISED, INFINITE = "ok", "no value", "raised", "infinite"
STATES = (OK, NO_VALUE, RAISED, INFINITE)  # what can become of a trial


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What a batch of trials came to: observed and truth (n,), nan unless the state is ok."""

    observed: Floats
    truth: Floats
    state: Ints  # (n,) indices into STATES
    messages: tuple[str, ...] = ()  # what was raised, each once


@dataclass(frozen=True, eq=False)
class Problem:
    """A landscape seen through a view: what an experiment evaluates and a strategy never sees."""

    landscape: Landscape
    view: View
    optimum: Optimum | Bounds = field(init=False)
    optimum_universe: Optimum | Bounds = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "optimum_universe", self.landscape.optimum())
        object.__setattr__(self, "optimum", self.landscape.optimum(self.view))

    def answer(self, points: Points, repetition: int = 0, replicate: Ints | None = None) -> Answer:
        """Evaluate declared points; a point that raises or has no value is a failed trial.

        Anything but a keyboard interrupt that the landscape raises is data.
        """
        lifted = self.view.lift(points)
        return answer(self.landscape, lifted, repetition, replicate)


def answer(
    landscape: Landscape, lifted: Points, repetition: int = 0, replicate: Ints | None = None
) -> Answer:
    """Evaluate points of the universe as one batch, or one by one where the batch raises."""
    try:
        observed = landscape.observe(lifted, repetition, replicate)
        exact = landscape.observe.__func__ is Landscape.observe  # type: ignore[attr-defined]
        truth = observed if exact else landscape.evaluate(lifted)
        return _judged(
            np.asarray(observed, dtype=float), np.asarray(truth, dtype=float), len(lifted)
        )
    except (Exception, SystemExit) as raised:
        if len(lifted) == 1:
            nan = np.full(1, np.nan)
            said = f"{type(raised).__name__}: {raised}"[:500]
            return Answer(nan, nan, np.array([STATES.index(RAISED)]), (said,))
    ones = [
        answer(
            landscape, lifted[i], repetition, None if replicate is None else replicate[i : i + 1]
        )
        for i in range(len(lifted))
    ]
    return Answer(
        np.concatenate([one.observed for one in ones]),
        np.concatenate([one.truth for one in ones]),
        np.concatenate([one.state for one in ones]),
        tuple(dict.fromkeys(message for one in ones for message in one.messages)),
    )


def _judged(observed: Floats, truth: Floats, n: int) -> Answer:
    if observed.shape != (n,) or truth.shape != (n,):
        raise TypeError(f"expected {n} values, got {observed.shape} and {truth.shape}")
    missing = np.isnan(observed) | np.isnan(truth)
    infinite = ~missing & ~(np.isfinite(observed) & np.isfinite(truth))
    state = np.where(missing, STATES.index(NO_VALUE), np.where(infinite, STATES.index(INFINITE), 0))
    failed = state != 0
    return Answer(np.where(failed, np.nan, observed), np.where(failed, np.nan, truth), state)


def keyed_uniform(points: Points, *keys: int | Ints) -> Floats:
    """Return uniform numbers (n,) in [0, 1) that depend on nothing but each point and the keys."""
    return _in_unit(_keyed_bits(points, keys))


def keyed_normal(points: Points, *keys: int | Ints) -> Floats:
    """Return standard normal noise (n,) that depends on nothing but each point and the keys.

    Two strategies that ask for the same point in the same repetition meet the same noise.
    Source: splitmix64 (Steele, Lea & Flood 2014) over the bits, then Box and Muller 1958.
    """
    state = _keyed_bits(points, keys)
    first, second = _in_unit(state), _in_unit(state ^ np.uint64(0xD1B54A32D192ED03))
    return np.asarray(np.sqrt(-2.0 * np.log1p(-first)) * np.cos(2.0 * math.pi * second))


def _keyed_bits(
    points: Points, keys: tuple[int | Ints, ...]
) -> np.ndarray[Any, np.dtype[np.uint64]]:
    state = np.full(len(points), 0x9E3779B97F4A7C15, dtype=np.uint64)
    bits = np.ascontiguousarray(points.values + 0.0)
    bits[np.isnan(bits)] = np.nan
    for column in (points.family, *keys, *bits.view(np.uint64).T):
        state = _mixed(state ^ np.asarray(column).astype(np.uint64))
    return state


def _in_unit(state: np.ndarray[Any, np.dtype[np.uint64]]) -> Floats:
    return np.asarray((_mixed(state) >> np.uint64(11)) * 2.0**-53)


def _mixed(x: np.ndarray[Any, np.dtype[np.uint64]]) -> np.ndarray[Any, np.dtype[np.uint64]]:
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
