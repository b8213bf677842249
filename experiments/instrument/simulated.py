"""Studies that are simulated: what is searched, how points are drawn, and how visits are counted.

Only the drawing is done here. Points come from the strategy ``random`` (or from a copy of it that
avoids a planted region), regions and their labels from the project's region systems, verdicts
from the measure ``regions``: what is scored is what a report uses.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from hpo_lab import assumption, discovery
from hpo_lab.assumptions.narrowed import Narrowed
from hpo_lab.assumptions.without import Without
from hpo_lab.basins import known_systems
from hpo_lab.landscape import Landscape, Problem
from hpo_lab.measure import ArmResult, Cell, System, system_masses
from hpo_lab.measures.regions import judged
from hpo_lab.region import SYSTEMS, Region, Resolution, contains, region_system
from hpo_lab.space import Bools, Ints, Points, Space
from hpo_lab.statistics import Verdicts, visit_upper_bound
from hpo_lab.study import Arm, Part, SpaceSpec
from hpo_lab.testing.spaces import KINDS_OF_SPACE

Draw = Callable[[Space, int, np.random.Generator], Points]
BLOCK = 250_000  # points that are drawn and labelled at a time

_RANDOM = Arm(
    landscape=Part("landscapes", "flat"),
    space=SpaceSpec("declared", (), ()),
    strategy=Part("strategies", "random", label="random"),
    budget=1,
    spent=1,
    weight="family",
    entropy=0,
)


def generator(*names: str | int | float) -> np.random.Generator:
    """Return a generator whose seed is made of names, so that no order of work matters."""
    return np.random.default_rng([zlib.crc32(repr(name).encode()) for name in names])


def rate_bounds(hits: int, trials: int, level: float = 0.99) -> tuple[float, float]:
    """Return one-sided exact bounds of a rate, each at this level (Clopper and Pearson 1934)."""
    upper = float(visit_upper_bound(hits, trials, level))
    return 1 - float(visit_upper_bound(trials - hits, trials, level)), upper


# --- what is searched ----------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Place:
    """A declared space with the region systems that say anything about it."""

    name: str
    problem: Problem
    systems: tuple[System, ...]


def _landscape(use: str, **arguments: object) -> Landscape:
    made: Landscape = discovery.make("landscapes", use, arguments)
    return made


def _without_parts(universe: Space) -> assumption.View:
    """A conditional universe of which a family and half of a range are not declared."""
    assumptions = [Without(family="mlp"), Narrowed("drop", high=0.25)]
    return assumption.assume(universe, assumptions)


_PLACES: dict[str, Callable[[], tuple[Landscape, assumption.View | None]]] = {
    "continuous": lambda: (_landscape("peaks", peaks=12), None),
    "continuous, 5 axes": lambda: (_landscape("flat", dimension=5), None),
    "categorical": lambda: (_landscape("flat", space=KINDS_OF_SPACE["categorical"]), None),
    "bits": lambda: (_landscape("nk", n=6, k=2), None),
    "mixed": lambda: (_landscape("flat", space=KINDS_OF_SPACE["mixed"]), None),
    "conditional": lambda: (_landscape("families", optima=3), None),
    "conditional, declared": lambda: _declared(KINDS_OF_SPACE["conditional"]),
}
PLACES = tuple(_PLACES)


def _declared(universe: Space) -> tuple[Landscape, assumption.View]:
    return _landscape("flat", space=universe), _without_parts(universe)


@lru_cache(maxsize=16)
def place(name: str) -> Place:
    """Return one of the places that studies are simulated in, by its name in ``PLACES``."""
    landscape, view = _PLACES[name]()
    problem = Problem(landscape, view or assumption.View.identity(landscape.universe))
    known = known_systems(landscape, Resolution().epsilon)
    boxes = [
        region_system(system, landscape.universe)
        for system in SYSTEMS
        if system not in ("basins", "near_optimal")
    ]
    asked = [box for box in boxes if len(box.regions) > 1]  # one region is the whole space
    some = [s for s in known.values() if system_masses(s, problem.view)[0].min() < 1 - 1e-9]
    return Place(name, problem, (*asked, *some))


# --- how it is searched --------------------------------------------------------------------------


def uniform(space: Space, n: int, rng: np.random.Generator) -> Points:
    """Draw n points as the strategy ``random`` does."""
    points: Points = discovery.make("strategies", "random", {}).start(space, n, rng).ask()
    return points


def avoiding(region: Region, ratio: float) -> Draw:
    """Return a search that visits a region of its space at ``ratio`` of its fair density.

    A uniform point that falls into the region stays with that probability; else it is drawn anew
    from outside, so that the rest keeps its shape.
    """

    def draw(space: Space, n: int, rng: np.random.Generator) -> Points:
        points = uniform(space, n, rng)
        inside = contains(space, region, points)
        sent_away = np.flatnonzero(inside & (rng.random(n) >= ratio))
        outside: list[Points] = []
        while sum(len(p) for p in outside) < len(sent_away):
            more = uniform(space, 2 * len(sent_away) + 10, rng)
            outside.append(more[~contains(space, region, more)])
        if not len(sent_away):
            return points
        others = Points.concatenate(outside)[np.arange(len(sent_away))]
        family, values = points.family.copy(), points.values.copy()
        family[sent_away], values[sent_away] = others.family, others.values
        return Points(space, family, values)

    return draw


# --- what is counted -----------------------------------------------------------------------------


def count_visits(
    labels: Ints, regions: int, runs: int, lengths: Sequence[int], studies: int
) -> list[Ints]:
    """Return visits (studies, runs, regions) within each of the increasing budgets ``lengths``.

    ``labels`` (studies * runs * lengths[-1], parts) are in the order of study, run, evaluation.
    """
    total = studies * runs
    steps = np.diff(np.concatenate([[0], lengths]))
    stage = np.repeat(np.arange(len(lengths)), steps)  # which budget first includes an evaluation
    home = (np.arange(total)[:, None] * len(lengths) + stage).ravel() * regions
    size = total * len(lengths) * regions
    visits = np.zeros(size, dtype=np.int64)
    for label in labels.T:
        known = label >= 0
        visits += np.bincount((home + label)[known], minlength=size)
    each = visits.reshape(studies, runs, len(lengths), regions).cumsum(axis=2)
    return [each[:, :, i] for i in range(len(lengths))]


def studies_of(
    at: Place, draw: Draw, studies: int, runs: int, budgets: Sequence[int], rng: np.random.Generator
) -> Iterator[dict[str, list[Ints]]]:
    """Simulate studies block by block: by system, the visits of ``count_visits`` at each budget.

    A shorter budget is the beginning of a longer one, as it is for the strategy ``random``.
    """
    view = at.problem.view
    per_block = max(1, BLOCK // (runs * budgets[-1]))
    for start in range(0, studies, per_block):
        n = min(per_block, studies - start)
        points = view.lift(draw(view.declared, n * runs * budgets[-1], rng))
        yield {
            system.name: count_visits(
                system.labels(points), len(system_masses(system, view)[0]), runs, budgets, n
            )
            for system in at.systems
        }


def cell_of(problem: Problem, runs: int, budget: int) -> Cell:
    """Return a cell whose trials are not looked at: what a verdict needs besides the visits."""
    nothing = np.empty((runs, budget))
    return Cell(
        instance=1,
        problem=problem,
        budget=budget,
        repetitions=np.arange(runs),
        points=problem.view.declared.sample(0, np.random.default_rng(0)),
        run=np.empty(0, np.int64),
        evaluation=np.empty(0, np.int64),
        observed=nothing,
        truth=nothing,
        asked=np.ones((runs, budget), dtype=bool),
    )


def verdicts_of(at: Place, system: System, budget: int, counts: Ints) -> Verdicts:
    """Return the verdicts on one study's visits (runs, regions), by the measure's own code."""
    cell = cell_of(at.problem, len(counts), budget)
    return judged(ArmResult(_RANDOM, (cell,)), cell, system, counts)


def significant(told: Verdicts, alpha: float = 0.05) -> Bools:
    """Return which regions (m,) the corrected test rejects."""
    return np.nan_to_num(told.adjusted, nan=1.0) <= alpha


def testable(told: Verdicts) -> Bools:
    """Return which regions (m,) were tested at all."""
    return ~np.isnan(told.adjusted)
