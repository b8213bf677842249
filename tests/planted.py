"""Planted avoidance: random search that stays out of a region, wholly or most of the time."""

from __future__ import annotations

import math

import numpy as np

from hpo_lab.region import Among, AxisSet, Box, Interval, Region, contains, measure
from hpo_lab.space import Axis, Choice, Ints, Points, Real, Space, levels


def avoiding(
    space: Space, region: Region, ratio: float, budget: int, runs: int, rng: np.random.Generator
) -> tuple[Points, Ints]:
    """Runs of random search with ``ratio`` times the fair density in a region, and each's run.

    By rejection, then mixed: in the region with probability ratio · μ, else outside of it.
    """
    total = budget * runs
    inside = rng.random(total) < ratio * measure(space, region)
    drawn = space.sample(max(40 * total, 1), rng)
    there = contains(space, region, drawn)
    rows = np.empty(total, dtype=np.int64)
    for place in (True, False):
        fit = np.flatnonzero(there == place)
        need = int((inside == place).sum())
        if need > len(fit):
            raise ValueError("too few draws on one side of the region")
        rows[inside == place] = fit[:need]
    return drawn[rows], np.repeat(np.arange(runs), budget)


def planted_box(space: Space, mass: float, rng: np.random.Generator) -> Region:
    """A box on one to three axes of one family, of about this measure: at most twice or half."""
    for _ in range(10_000):
        index = int(rng.choice(len(space.families), p=space.weights))
        family = space.families[index]
        axes = [axis for axis in family.axes if axis.size > 1]
        share = mass / float(space.weights[index])
        if share > 1:
            continue
        count = int(rng.integers(1, min(3, len(axes)) + 1)) if axes else 0
        chosen = sorted(rng.permutation(len(axes))[:count].tolist())
        sets = tuple((axes[i].name, _part(axes[i], share ** (1 / count), rng)) for i in chosen)
        region = (Box(family.name, sets),)
        if mass / 2 <= measure(space, region) <= min(mass * 2, 0.3):
            return region
    raise ValueError(f"no box of measure {mass} was found")


def _part(axis: Axis, share: float, rng: np.random.Generator) -> AxisSet:
    if isinstance(axis, Choice) and not axis.ordered:
        size = max(1, min(round(share * len(axis.options)), len(axis.options) - 1))
        kept = sorted(rng.permutation(len(axis.options))[:size].tolist())
        return Among(tuple(float(i) for i in kept))
    low = rng.random() * (1 - share)
    ends = axis.from_unit(np.array([low, low + share]))
    if isinstance(axis, Choice):
        values = levels(axis)
        return Among(tuple(values[(values >= ends[0]) & (values <= ends[1])].tolist()))
    return Interval(*ends.tolist()) if isinstance(axis, Real) else Interval(*np.round(ends))


def log_uniform(low: float, high: float, rng: np.random.Generator) -> float:
    """A number between two others, uniform in its logarithm."""
    return math.exp(rng.uniform(math.log(low), math.log(high)))
