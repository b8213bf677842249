"""The contract of landscapes: what every landscape, of ours or anybody's, must keep."""

from __future__ import annotations

import json
import math
import pickle  # noqa: S403  a round trip of the landscape itself: runs travel to worker processes

import numpy as np

from hpo_lab.assumption import Edit, View, Wire, edited
from hpo_lab.landscape import Bounds, Landscape, Minima, Optimum, identity
from hpo_lab.region import axis_values, contains, whole, whole_axis
from hpo_lab.space import Axis, Choice, Family, Floats, Integer, Points, Real, Space

SLACK = 1e-9  # how far below an exact optimum a sampled value may lie, relative and absolute


def check_landscape(
    landscape: Landscape, *, seed: int = 0, samples: int = 256, views: int = 6
) -> None:
    """Check that a landscape keeps its contract; AssertionError says which law is broken.

    A value object that travels to workers; an evaluation that depends on nothing but the point;
    observed values keyed by repetition and replicate; an optimum, in the universe and in random
    declared spaces, that its point has and that no sampled point undercuts; minima at the bottom
    of their own basins. ``samples`` points are drawn of each of ``views`` declared spaces.

    >>> from hpo_lab.landscape import Landscape
    >>> from hpo_lab.space import Real, Space
    >>> check_landscape(Landscape.of(len, Space.box(Real("x", 0, 1))))
    """
    rng = np.random.default_rng(seed)
    points = landscape.universe.sample(samples, rng)
    _check_identity(landscape)
    _check_evaluation(landscape, points)
    _check_inactive(landscape, points)
    _check_observation(landscape, points)
    every = [View.identity(landscape.universe)]
    every += [random_view(landscape.universe, rng) for _ in range(views)]
    minima = landscape.minima()
    if minima is not None:
        _check_minima(landscape, minima, points)
    for view in every:
        lifted = view.lift(view.declared.sample(samples, rng))
        _check_optimum(landscape, view, lifted)
        if minima is not None:
            _check_basins(landscape, minima, view, lifted)


def _law(holds: object, said: str) -> None:
    if not holds:
        raise AssertionError(said)


def _check_identity(landscape: Landscape) -> None:
    name = type(landscape).__name__
    _law(isinstance(landscape.name, str) and landscape.name, f"{name} needs a name")
    _law(isinstance(landscape.version, int), f"{name}.version must be a whole number")
    _law(isinstance(landscape.unit, str), f"{name}.unit must be a string")
    _law(name in repr(landscape), "repr must name the class")
    if landscape.name != "function":  # a person's own function is not plain, and may not travel
        text = json.dumps(identity(landscape))
        again = pickle.loads(pickle.dumps(landscape))  # noqa: S301  its own bytes
        _law(again == landscape, "a landscape must be equal to its copy in another process")
        _law(hash(again) == hash(landscape), "equal landscapes must have equal hashes")
        _law(json.dumps(identity(again)) == text, "its identity must travel with a landscape")
    try:
        setattr(landscape, "name", "other")  # noqa: B010
    except AttributeError:
        return
    raise AssertionError("a landscape must be frozen: its name could be changed")


def _check_evaluation(landscape: Landscape, points: Points) -> None:
    before = points.values.copy()
    values = landscape.evaluate(points)
    _law(isinstance(values, np.ndarray), "evaluate must return an array")
    _law(values.shape == (len(points),), f"evaluate must return ({len(points)},): {values.shape}")
    _law(values.dtype == np.float64, f"evaluate must return floats, not {values.dtype}")
    _law(np.array_equal(before, points.values, equal_nan=True), "evaluate changed its points")
    _law(landscape.evaluate(points[:0]).shape == (0,), "an empty batch has no values: shape (0,)")
    _law(_same(values, landscape.evaluate(points)), "a second evaluation gives other values")
    backwards = landscape.evaluate(points[::-1])[::-1]
    _law(_same(values, backwards), "the order of a batch changes its values")
    halves = [landscape.evaluate(points[i::2]) for i in range(2)]
    _law(all(_same(values[i::2], halves[i]) for i in range(2)), "splitting a batch changes values")
    ones = np.concatenate([landscape.evaluate(points[i]) for i in range(min(len(points), 16))])
    _law(_same(values[: len(ones)], ones), "a point has another value alone than in a batch")


def _same(a: Floats, b: Floats) -> bool:
    return bool(np.array_equal(a, b, equal_nan=True))


def _check_inactive(landscape: Landscape, points: Points) -> None:
    space = landscape.universe
    if landscape.name == "function" or space.active.all():
        return
    values = np.where(space.active[points.family], points.values, 0.123)
    touched = Points(space, points.family, values)
    same = _same(landscape.evaluate(points), landscape.evaluate(touched))
    _law(same, "inactive values change an evaluation")


def _check_observation(landscape: Landscape, points: Points) -> None:
    first = landscape.observe(points, 0)
    _law(first.shape == (len(points),), "observe must return one value a point")
    _law(_same(first, landscape.observe(points, 0)), "the same repetition is observed differently")
    zeros = np.zeros(len(points), dtype=np.int64)
    _law(_same(first, landscape.observe(points, 0, zeros)), "the first replicate is number 0")
    later = landscape.observe(points, 1)
    again = landscape.observe(points, 0, zeros + 1)
    _law(
        landscape.stochastic == (not _same(first, later)),
        f"stochastic is {landscape.stochastic}, but repetitions say otherwise",
    )
    _law(landscape.stochastic or _same(first, again), "replicates differ without noise")
    _law(not landscape.stochastic or not _same(first, again), "replicates must differ in noise")


def _check_optimum(landscape: Landscape, view: View, lifted: Points) -> None:
    found = landscape.optimum(view)
    values = landscape.evaluate(lifted)
    values = values[~np.isnan(values)]
    if isinstance(found, Bounds):
        _law(found.low <= found.high, f"bounds are the wrong way round: {found}")
        _law(found.how, "bounds must say how they were found")
        _check_below(found.low, values, f"the lower bound in {view.declared}")
        return
    where = f"the optimum of {view.declared}"
    _law(isinstance(found, Optimum) and len(found.point) == 1, f"{where} must be one point")
    _law(contains(landscape.universe, view.image, found.point)[0], f"{where} lies outside it")
    _law(landscape.universe.contains(found.point)[0], f"{where} is no point of the universe")
    value = float(landscape.evaluate(found.point)[0])
    _law(value == found.value, f"{where} is {found.value}, but its point has {value}")
    _check_below(found.value, values, where)


def _check_below(low: float, values: Floats, what: str) -> None:
    if len(values) and math.isfinite(low):
        least = float(values.min())
        _law(least >= low - _slack(low), f"{what} is {low}, but a sampled point has {least}")


def _slack(value: float) -> float:
    return SLACK * max(1.0, abs(value))


def _check_minima(landscape: Landscape, minima: Minima, points: Points) -> None:
    count = len(minima.values)
    values = landscape.evaluate(minima.points)
    _law(_same(values, minima.values), "the minima's points do not have the minima's values")
    _law((np.diff(minima.values) >= -SLACK).all(), "minima must come best first")
    own = minima.labels(minima.points)
    _law(np.array_equal(own, np.arange(count)), "a minimum must lie in its own basin")
    best = landscape.optimum()
    if isinstance(best, Optimum):
        gap = abs(best.value - minima.values[0])
        _law(gap <= _slack(best.value), "the best minimum is not the optimum")
    low = minima.lowest(whole(landscape.universe))
    close = np.allclose(low, minima.values, rtol=SLACK, atol=SLACK)
    _law(close, "a minimum must be the lowest of its whole basin")
    if minima.masses is not None:
        _law(minima.masses.shape == (count,), "there must be one mass for each minimum")
        _law((minima.masses > 0).all(), "a basin has no mass")
        _law(minima.masses.sum() <= 1 + 1e-9, "the masses of the basins are above one")
    label = minima.labels(points)
    _law(((label >= -1) & (label < count)).all(), "labels must be -1 or the number of a minimum")


def _check_basins(landscape: Landscape, minima: Minima, view: View, lifted: Points) -> None:
    """No point lies below its basin's lowest value, in the universe or in the declared space."""
    low = minima.lowest(view.image)
    _law(low.shape == minima.values.shape, "lowest must give one value for each minimum")
    known = ~np.isnan(low)
    slack = SLACK * np.maximum(1.0, np.abs(minima.values))
    _law((low >= minima.values - slack)[known].all(), "a part of a basin is lower than all of it")
    values, label = landscape.evaluate(lifted), minima.labels(lifted)
    rows = np.flatnonzero(~np.isnan(values) & (label >= 0))
    rows = rows[known[label[rows]]]
    over = values[rows] - low[label[rows]]
    said = f"a point of {view.declared} lies below the lowest value of its basin there"
    _law((over >= -slack[label[rows]]).all(), said)
    best = landscape.optimum(view)
    if isinstance(best, Optimum) and known.all() and (label >= 0).all():
        _law(low.min() >= best.value - _slack(best.value), "a basin is lower than the optimum")


def random_view(universe: Space, rng: np.random.Generator) -> View:
    """Return a random declared space: families, ranges, grids, fixed values, options and ties."""
    names = [family.name for family in universe.families]
    kept = [name for name in names if rng.random() < 0.7] or names[:1]
    edits: dict[tuple[str, str], Edit] = {}
    for family in universe.families:
        own: dict[str, Edit] = {}
        for axis in family.axes:
            own[axis.name] = _tied_edit(family, axis, own, rng) or _edit(axis, rng)
        edits.update({(family.name, name): edit for name, edit in own.items()})
    return edited(universe, edits, kept)


def _tied_edit(
    family: Family, axis: Axis, own: dict[str, Edit], rng: np.random.Generator
) -> Edit | None:
    """Now and then the axis follows an earlier one that has the same values."""
    for earlier in family.axes:
        alike = type(axis) is type(earlier) and whole_axis(axis) == whole_axis(earlier)
        if earlier.name in own and alike and rng.random() < 0.2:
            followed = own[earlier.name][1]
            return None, Wire(axis.name, followed.source, followed.table, followed.constant)
    return None


def _edit(axis: Axis, rng: np.random.Generator) -> Edit:
    kind = rng.choice(["whole", "narrowed", "narrowed", "some", "fixed"])
    if kind == "whole" or axis.size == 1:
        return axis, Wire(axis.name, axis.name)
    some = _some_values(axis, rng)
    if kind == "fixed":
        return None, Wire(axis.name, constant=float(some[0]))
    if kind == "some" or isinstance(axis, Choice):
        return Integer(axis.name, 0, len(some) - 1), Wire(
            axis.name, axis.name, tuple(some.tolist())
        )
    low, high = float(some[0]), float(some[-1])
    if isinstance(axis, Integer):
        return Integer(axis.name, int(low), int(high), axis.log), Wire(axis.name, axis.name)
    return Real(axis.name, low, high, axis.log), Wire(axis.name, axis.name)


def _some_values(axis: Axis, rng: np.random.Generator) -> Floats:
    """A few values of the axis, in increasing order."""
    values = axis_values(axis, whole_axis(axis))
    if values is None:
        values = axis.from_unit(rng.random(4))
    count = int(rng.integers(1, min(len(values), 5) + 1))
    return np.sort(rng.choice(values, size=count, replace=False))
