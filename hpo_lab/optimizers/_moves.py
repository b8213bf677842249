"""Moves from one point of a mixed, conditional space to another, in unit coordinates."""

from __future__ import annotations

import numpy as np

from hpo_lab.space import Axis, Choice, Floats, Points, Real, Space


def neighbours(space: Space, point: Points, step: float) -> Points:
    """Return every point one move away from a batch of one, axis by axis (m,), perhaps none.

    An unordered choice moves to each other option, an ordered choice or an integer one level down
    and up, a real axis ``step`` down and up in unit scale, no further than its bounds.
    """
    family = int(point.family[0])
    unit = space.to_unit(point)[0]
    rows: list[Floats] = []
    for column, axis in space.places(family):
        for to in _beside(axis, float(unit[column]), step):
            row = unit.copy()
            row[column] = to
            rows.append(row)
    table = np.array(rows).reshape(len(rows), space.width)
    return space.from_unit(np.full(len(rows), family, dtype=np.int64), table)


def _beside(axis: Axis, at: float, step: float) -> list[float]:
    """The unit coordinates one move away on one axis."""
    if axis.size == 1:
        return []
    if isinstance(axis, Real):
        return [to for to in (max(at - step, 0.0), min(at + step, 1.0)) if to != at]
    k = int(axis.size)
    if isinstance(axis, Choice) and not axis.ordered:
        place = min(int(at * k), k - 1)
        return [(i + 0.5) / k for i in range(k) if i != place]
    value = axis.from_unit(np.array([at]))
    moved = np.array([value[0] - 1.0, value[0] + 1.0])
    return [float(to) for to in axis.to_unit(moved[axis.contains(moved)])]


def mutated(
    space: Space, point: Points, sigma: float, migration: float, rng: np.random.Generator
) -> Points:
    """Return a batch of one that differs from this one in one axis, drawn at random.

    A real axis takes a Gaussian step of ``sigma`` in unit scale, reflected at the bounds, an
    integer or ordered choice one of at least a level, an unordered choice another option. With
    probability ``migration`` the family is drawn anew instead, by weight, and the axes that are
    new with it. Where no axis can vary the point comes back as it is.
    """
    several = len(space.families) > 1
    if several and rng.random() < migration:
        return migrated(space, point, rng)
    family = int(point.family[0])
    varying = [place for place in space.places(family) if place[1].size > 1]
    if not varying:
        return migrated(space, point, rng) if several else point
    column, axis = varying[int(rng.integers(len(varying)))]
    unit = space.to_unit(point)
    unit[0, column] = _moved(axis, float(unit[0, column]), sigma, rng)
    return space.from_unit(point.family, unit)


def migrated(space: Space, point: Points, rng: np.random.Generator) -> Points:
    """Return a batch of one in a family drawn by weight; axes that it had already stay."""
    drawn = space.sample(1, rng)
    unit, kept = space.to_unit(drawn), space.to_unit(point)
    family = int(drawn.family[0])
    shared = space.active[family] & ~np.isnan(kept[0])
    unit[0, shared] = kept[0, shared]
    return space.from_unit(drawn.family, unit)


def _moved(axis: Axis, at: float, sigma: float, rng: np.random.Generator) -> float:
    """A unit coordinate drawn around another one."""
    k = axis.size
    if isinstance(axis, Choice) and not axis.ordered:
        place = int(rng.integers(int(k) - 1))
        return (place + (place >= min(int(at * k), k - 1)) + 0.5) / k
    if isinstance(axis, Real):
        return float(reflected(np.array([at + sigma * rng.normal()]))[0])
    beside = _beside(axis, at, 0.0)
    wanted = at + max(sigma, 1.0 / k) * rng.normal()
    values = axis.from_unit(np.clip(np.array([at, wanted]), 0.0, 1.0))
    if values[0] != values[1]:
        return float(axis.to_unit(values[1:])[0])
    return beside[int(rng.integers(len(beside)))]


def reflected(unit: Floats) -> Floats:
    """Return coordinates folded back into [0, 1] at the bounds, as often as it takes."""
    folded = unit % 2.0
    return np.where(folded > 1.0, 2.0 - folded, folded)
