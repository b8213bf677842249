"""What the measures of coverage share: trials labelled block by block, never all labels at once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from hpo_lab.assumption import View
from hpo_lab.measure import ArmResult, Cell, system_masses
from hpo_lab.region import BoxSystem, Cells, Combinations, Families, part_of, split
from hpo_lab.space import Axis, Floats, Ints, Points
from hpo_lab.statistics import NEVER, first_visits, region_visits

BLOCK = 65_536  # trials that are labelled at a time
TABLE = 4_000_000  # entries of a table of runs and regions
CELLS = 4_096  # cells of the finest level
ALPHA = 0.05


@dataclass(frozen=True, eq=False)
class Group:
    """A partition that a region system is made of: some of its regions, with their words."""

    axes: str
    regions: slice
    families: tuple[str, ...] = ()  # where the axes exist; empty: everywhere


def groups_of(system: BoxSystem) -> list[Group]:
    """Return the partitions of a system in the order of its regions."""
    if isinstance(system, Combinations):
        found, start = [], 0
        for group in system.groups:
            size = math.prod(len(split(axis, system.bins)) for axis in group)
            words = " × ".join(axis.name for axis in group)
            homes = tuple(f.name for f in system.space.families if set(group) <= set(f.axes))
            here = () if len(homes) == len(system.space.families) else homes
            found.append(Group(words, slice(start, start + size), here))
            start += size
        return found
    return [Group("family" if isinstance(system, Families) else "", slice(None))]


def one_sample(arm: ArmResult, cell: Cell) -> bool:
    """Whether every run is the same to coverage: deterministic, or the same points in every run."""
    return arm.deterministic or cell.one_path


def runs_of(arm: ArmResult, cell: Cell) -> int:
    """Return how many runs are counted: one, where all that ran went to the same places."""
    return 1 if one_sample(arm, cell) else len(cell.repetitions)


@dataclass(frozen=True, eq=False)
class Visited:
    """First visits (regions,) over all runs, and filled regions and visits run by run.

    ``filled`` (R, groups, k) counts by each budget; ``visits`` (R, regions) at the end;
    ``first`` (regions,) is the earliest evaluation of any run, from 0, NEVER for none.
    """

    filled: Ints
    visits: Ints
    first: Ints

    def pooled(self, groups: list[Group], budgets: Ints) -> Ints:
        """Return the regions (groups, k) that any run had visited by each budget."""
        return np.stack([_filled(self.first[None, g.regions], budgets)[0] for g in groups])


def visited(
    cell: Cell, system: BoxSystem, groups: list[Group], runs: int, budgets: Ints
) -> Visited:
    """Label the trials of the first ``runs`` runs and count what they filled by each budget."""
    regions = len(system_masses(system, cell.problem.view)[0])
    filled = np.zeros((runs, len(groups), len(budgets)), dtype=np.int64)
    visits = np.zeros((runs, regions), dtype=np.int32 if runs * regions > TABLE else np.int64)
    earliest = np.full(regions, NEVER)
    step = max(1, TABLE // max(regions, 1))
    for start in range(0, runs, step):
        stop = min(start + step, runs)
        first = np.full((stop - start, regions), NEVER)
        for rows, labels in _labelled(cell, system, start, stop):
            own, when = cell.run[rows] - start, cell.evaluation[rows]
            first = np.minimum(first, first_visits(labels, own, when, stop - start, regions))
            visits[start:stop] += region_visits(labels, own, stop - start, regions)
        for place, group in enumerate(groups):
            filled[start:stop, place] = _filled(first[:, group.regions], budgets)
        earliest = np.minimum(earliest, first.min(axis=0, initial=NEVER))
    return Visited(filled, visits, earliest)


def _filled(first: Ints, budgets: Ints) -> Ints:
    """How many regions of each run (R, k) were first visited before each budget."""
    ranked = np.sort(first, axis=1)
    return np.stack([np.searchsorted(run, budgets, side="left") for run in ranked]).reshape(
        len(first), len(budgets)
    )


def _labelled(cell: Cell, system: BoxSystem, start: int, stop: int) -> Iterator[tuple[slice, Ints]]:
    """Rows of the trials of some runs, and their labels; trials stand run by run."""
    low, high = np.searchsorted(cell.run, [start, stop])
    for row in range(int(low), int(high), BLOCK):
        rows = slice(row, min(row + BLOCK, int(high)))
        yield rows, labels_of(system, cell.lifted[rows])


def labels_of(system: BoxSystem, points: Points) -> Ints:
    """Return ``system.labels(points)``; of many pairs, with each axis looked at only once."""
    if not (isinstance(system, Combinations) and system.order == 2):
        return system.labels(points)
    parts: dict[Axis, Ints] = {}
    labels = np.full((len(points), len(system.groups)), -1)
    for place, (group, about) in enumerate(zip(system.groups, groups_of(system), strict=True)):
        a, b = (_part(parts, system, axis, points) for axis in group)
        label = about.regions.start + a * len(split(group[1], system.bins)) + b
        labels[:, place] = np.where((a >= 0) & (b >= 0), label, -1)
    return labels


def _part(parts: dict[Axis, Ints], system: Combinations, axis: Axis, points: Points) -> Ints:
    """Which part (n,) of an axis each point lies in, -1 where the point does not have the axis."""
    if axis not in parts:
        space = system.space
        homes = [axis in family.axes for family in space.families]
        here = slice(None) if all(homes) else np.flatnonzero(np.array(homes)[points.family])
        values = points.values[here, space.columns.index(axis.name)]
        parts[axis] = np.full(len(points), -1)
        parts[axis][here] = part_of(axis, split(axis, system.bins), values)
    return parts[axis]


# --- levels of cells ---------------------------------------------------------------------------


@lru_cache(maxsize=256)
def levels_of(view: View, budget: int, runs: int) -> tuple[Cells, ...]:
    """Return the cells of every testable level: at most 4, 16, 64, .. cells, coarsest first.

    A level is testable if an average cell that no run visits could be significant after
    correction: (1 - 1/m)^(budget · runs) <= 0.05 / m (Tarone 1990), m cells in the declared space.
    """
    found: list[Cells] = []
    known = {1}
    limit = 4
    while limit <= CELLS:
        system = Cells(view.universe, limit)
        inside = int((system_masses(system, view)[1] > 0).sum())
        trials = budget * runs
        if inside > 1 and trials * math.log1p(-1 / inside) > math.log(ALPHA / inside):
            break
        if (size := len(system.regions)) not in known:
            found.append(system)
            known.add(size)
        limit *= 4
    return tuple(found)


def axes_split(system: Cells) -> tuple[int, bool]:
    """How many axes the cells look at, in the family with most, and whether that is all of them.

    Where it is not, the cells are a projection on the leading axes.
    """
    sets = {box.family: len(box.sets) for region in system.regions for box in region}
    every = all(sets[f.name] == len(f.axes) for f in system.space.families)
    return max(sets.values()), every


# --- simulated random search -------------------------------------------------------------------

DRAWS = 200_000  # uniform points that are drawn for it
SEARCHES = 200
FEWEST = 20  # searches below which their spread says little: then the exact moments stand in


@lru_cache(maxsize=64)
def simulated_fills(
    view: View, system: BoxSystem, budgets: tuple[int, ...], runs: int
) -> Floats | None:
    """What simulated searches fill: (searches, groups, k), all ``runs`` of a search pooled.

    The points are drawn from the declared space itself, so this also checks the exact measures.
    ``budgets`` (k,) are evaluations of one run. None where the budget leaves too few searches.
    """
    length = budgets[-1]
    searches = min(SEARCHES, DRAWS // (length * runs))
    if searches < FEWEST:
        return None
    count = searches * runs * length
    drawn = view.declared.sample(count, np.random.default_rng(0))
    owner = np.repeat(np.arange(searches), runs * length)
    when = np.tile(np.arange(length), searches * runs)
    regions = len(system_masses(system, view)[0])
    groups = groups_of(system)
    filled = np.empty((searches, len(groups), len(budgets)), dtype=np.int64)
    step = max(1, min(searches, TABLE // max(regions, 1), BLOCK // (runs * length) or 1))
    for start in range(0, searches, step):
        stop = min(start + step, searches)
        rows = slice(start * runs * length, stop * runs * length)
        labels = labels_of(system, view.lift(drawn[rows]))
        first = first_visits(labels, owner[rows] - start, when[rows], stop - start, regions)
        for place, group in enumerate(groups):
            filled[start:stop, place] = _filled(first[:, group.regions], np.array(budgets))
    return filled.astype(np.float64)
