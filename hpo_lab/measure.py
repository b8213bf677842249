"""Measures: from stored results to tidy tables, never from a running search.

``Results.load`` reads what a study left in its folder; each measure turns it into one table.
A new measure therefore applies to old runs.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

import numpy as np

from hpo_lab import discovery
from hpo_lab.assumption import View
from hpo_lab.basins import Basins, Known, NearOptimal, known_systems
from hpo_lab.landscape import OK, STATES, TIES, Bounds, Landscape, Optimum, Problem, enumeration
from hpo_lab.region import (
    BoxSystem,
    Region,
    contains,
    describe,
    intersect,
    measure,
    region_system,
)
from hpo_lab.space import Bools, Floats, Ints, Points, Record, Space
from hpo_lab.store import OF_ONE_RUN, Store, Stored, results_hash
from hpo_lab.study import Arm, Run, Study

if TYPE_CHECKING:
    import pandas as pd


class Measure(Protocol):
    """A frozen dataclass that turns results into one tidy table; its fields are its settings."""

    name: ClassVar[str]

    def __call__(self, results: Results) -> pd.DataFrame: ...


@dataclass(frozen=True, eq=False)
class Cell:
    """The runs (R of them) of one arm on one instance of its landscape, cut at its budget T.

    ``points`` (N,) are all trials one after the other in the declared space, ``run`` (N,) and
    ``evaluation`` (N,) say which run and which evaluation (from 0) each was.
    """

    instance: int
    problem: Problem
    budget: int
    repetitions: Ints  # (R,)
    points: Points
    run: Ints
    evaluation: Ints
    observed: Floats  # (R, T), inf where a trial failed or was not asked for
    truth: Floats  # (R, T), likewise
    asked: Bools  # (R, T)

    @cached_property
    def lifted(self) -> Points:
        """All trials (N,) as points of the universe."""
        return self.problem.view.lift(self.points)

    @cached_property
    def incumbents(self) -> Ints:
        """Index (R, T) of the trial with the least observed value so far, the first of equals.

        -1 before the first success.
        """
        rounded = np.round(self.observed, TIES)
        best = np.minimum.accumulate(rounded, axis=1)
        before = np.concatenate([np.full((len(best), 1), np.inf), best[:, :-1]], axis=1)
        place = np.where(rounded < before, np.arange(self.budget), -1)
        return np.asarray(np.maximum.accumulate(place, axis=1))

    @cached_property
    def incumbent_truth(self) -> Floats:
        """Truth (R, T) of the incumbent after each evaluation; inf before the first success."""
        return self._at_incumbent(self.truth)

    @cached_property
    def incumbent_observed(self) -> Floats:
        """Observed value (R, T) of the incumbent; inf before the first success."""
        return self._at_incumbent(self.observed)

    def _at_incumbent(self, values: Floats) -> Floats:
        taken = np.take_along_axis(values, np.maximum(self.incumbents, 0), axis=1)
        return np.where(self.incumbents >= 0, taken, np.inf)

    @cached_property
    def best_truth(self) -> Floats:
        """The least truth (R, T) among the trials so far; inf before the first success."""
        return np.asarray(np.minimum.accumulate(self.truth, axis=1))

    @cached_property
    def one_path(self) -> bool:
        """Whether all of several runs went to the same points in the same order."""
        runs, trials = len(self.repetitions), len(self.points)
        sizes = self.asked.sum(axis=1)
        if runs < 2 or not trials or (sizes != sizes[0]).any():
            return False
        values = self.points.values.reshape(runs, trials // runs, self.points.space.width)
        family = self.points.family.reshape(runs, -1)
        return all(
            np.array_equal(values[0], other, equal_nan=True) and np.array_equal(family[0], where)
            for other, where in zip(values[1:], family[1:], strict=True)
        )

    @cached_property
    def distinct_runs(self) -> int:
        """How many of the runs differ in any trial; identical runs are one sample."""
        table = np.full((len(self.repetitions), self.budget, self.points.space.width + 2), -1.0)
        table[self.run, self.evaluation, 0] = self.points.family
        table[self.run, self.evaluation, 1:-1] = np.nan_to_num(self.points.values)
        table[..., -1] = np.where(np.isfinite(self.observed), self.observed, -1.0)
        return len(np.unique(table.reshape(len(table), -1), axis=0))


@dataclass(frozen=True, eq=False)
class ArmResult:
    """An arm with its runs, one cell for each instance that has any.

    ``controls`` hold the cells of its control runs, by the control's name and the instance.
    """

    arm: Arm
    cells: tuple[Cell, ...]
    controls: Mapping[tuple[str, int], Cell] = field(default_factory=dict)

    @property
    def labels(self) -> Record:
        """The columns that every table begins with."""
        return {
            "landscape": self.arm.landscape.label,
            "space": self.arm.space.label,
            "strategy": self.arm.strategy.label,
            "budget": self.arm.budget,
        }

    @property
    def unit(self) -> str:
        """The unit of the landscape's values."""
        return self.cells[0].problem.landscape.unit

    @property
    def deterministic(self) -> bool:
        """Whether one run on an instance is all there is: a deterministic strategy, no noise."""
        return self._fixed and not self.cells[0].problem.landscape.stochastic

    def one_path(self, cell: Cell) -> bool:
        """Whether the visits of a cell are one sample: a deterministic strategy, noise or not.

        Grid search on a noisy landscape is told other values each time, and goes to the same
        places.
        """
        return self.deterministic or (self._fixed and cell.one_path)

    @property
    def _fixed(self) -> bool:
        fixed: bool = discovery.find("strategies", self.arm.strategy.use).deterministic
        return fixed


@dataclass(frozen=True, eq=False)
class Results:
    """What a study's folder holds of it."""

    study: Study
    arms: tuple[ArmResult, ...]
    missing: tuple[Run, ...]
    damaged: tuple[Path, ...]
    mixed: tuple[str, ...]
    hash: str
    provenance: Record
    made_with: Mapping[str, Mapping[tuple[str, ...], int]] = field(default_factory=dict)
    # of each strategy: the sets of packages ("numpy==2.4.6") that its runs had, and how many runs

    @staticmethod
    def load(study: Study, folder: Path) -> Results:
        """Read every run of the study that is there; damaged files are set aside and listed."""
        store = Store(folder)
        stored: dict[str, Stored] = {}
        damaged: list[Path] = []
        for one in store.read_all(study.runs):
            if isinstance(one, Path):
                damaged.append(one)
            else:
                stored[one.identity] = one
        arms = (_arm_result(study, arm, stored) for arm in study.arms)
        return Results(
            study=study,
            arms=tuple(arm for arm in arms if arm.cells),
            missing=tuple(run for identity, run in study.runs.items() if identity not in stored),
            damaged=tuple(damaged),
            mixed=tuple(_mixed(stored.values())),
            hash=results_hash({i: one.content for i, one in stored.items()}),
            provenance=next(iter(stored.values())).provenance if stored else {},
            made_with=_made_with(study, stored),
        )

    @staticmethod
    def empty(study: Study) -> Results:
        """Return the results of a study that never ran: enough for what needs no runs."""
        return Results(study, (), (), (), (), "", {})


def _mixed(stored: Iterable[Stored]) -> list[str]:
    """What differs between the provenances of runs, in words."""
    seen: dict[str, set[str]] = {}
    for one in stored:
        for key, value in one.provenance.items():
            if key not in OF_ONE_RUN:
                seen.setdefault(key, set()).add(str(value))
    words = []
    for key, values in seen.items():
        if len(values) > 1:
            shown = " / ".join(sorted(values)) if key != "packages" else f"{len(values)} sets"
            words.append(f"{key}: {shown}")
    return words


def _made_with(study: Study, stored: Mapping[str, Stored]) -> dict[str, Counter[tuple[str, ...]]]:
    """The packages of each strategy's runs, by its label, and how many runs had them."""
    found: dict[str, Counter[tuple[str, ...]]] = {}
    for identity, one in stored.items():
        packages = one.provenance.get("packages", ())
        kept = tuple(map(str, packages)) if isinstance(packages, list) else ()
        label = study.runs[identity].arm.strategy.label
        found.setdefault(label, Counter())[kept] += 1
    return found


def _arm_result(study: Study, arm: Arm, stored: Mapping[str, Stored]) -> ArmResult:
    controls = {
        (control.control, cell.instance): cell
        for control in study.controls_of(arm)
        for cell in _cells(study, control, stored)
    }
    return ArmResult(arm, tuple(_cells(study, arm, stored)), controls)


def _cells(study: Study, arm: Arm, stored: Mapping[str, Stored]) -> Iterator[Cell]:
    for instance in study.instances_of(arm.landscape):
        runs = [arm.run(instance, r) for r in range(1, study.repetitions + 1)]
        there = [(run, stored[run.identity]) for run in runs if run.identity in stored]
        if there:
            yield _cell(arm, instance, there)


def _cell(arm: Arm, instance: int, there: list[tuple[Run, Stored]]) -> Cell:
    problem, budget = arm.problem(instance), arm.budget
    trials = [one.trials for _, one in there]
    lengths = [min(len(t), budget) for t in trials]
    run = np.repeat(np.arange(len(trials)), lengths)
    evaluation = np.concatenate([np.arange(n) for n in lengths])
    observed = np.full((len(trials), budget), np.inf)
    truth = np.full((len(trials), budget), np.inf)
    asked = np.zeros((len(trials), budget), dtype=bool)
    ok = STATES.index(OK)
    for row, (one, n) in enumerate(zip(trials, lengths, strict=True)):
        good = one.state[:n] == ok
        observed[row, :n] = np.where(good, one.observed[:n], np.inf)
        truth[row, :n] = np.where(good, one.truth[:n], np.inf)
        asked[row, :n] = True
    family = np.concatenate([t.family[:n] for t, n in zip(trials, lengths, strict=True)])
    values = np.concatenate([t.values[:n] for t, n in zip(trials, lengths, strict=True)])
    return Cell(
        instance=instance,
        problem=problem,
        budget=budget,
        repetitions=np.array([one.repetition for one, _ in there]),
        points=Points(problem.view.declared, family, values),
        run=run,
        evaluation=evaluation,
        observed=observed,
        truth=truth,
        asked=asked,
    )


# --- what several measures need ----------------------------------------------------------------


System = BoxSystem | Known


def systems_of(study: Study, problem: Problem) -> list[System]:
    """Return the study's region systems on a problem; those that it does not know are left out."""
    landscape, universe = problem.landscape, problem.view.universe
    found: list[System] = []
    for name in study.systems:
        if name in ("basins", "near_optimal"):
            known = known_systems(landscape, study.resolution.epsilon)
            found += [known[name]] if name in known else []
        else:
            found.append(region_system(name, universe, study.resolution))
    return found


@lru_cache(maxsize=256)
def system_names(system: System, universe: Space) -> list[str]:
    """Return each region in words (m,), in native units."""
    if isinstance(system, Basins | NearOptimal):
        return system.names
    return [describe(universe, region) for region in system.regions]


@lru_cache(maxsize=256)
def system_masses(system: System, view: View) -> tuple[Floats, Floats, Bools]:
    """Return each region's mass (m,) in the universe and in the declared space, and which are out.

    A region is excluded where the declared space has no point of it at all.
    """
    if isinstance(system, Basins | NearOptimal):
        everything = system.shares(View.identity(view.universe))
        return everything.mass, system.shares(view).mass, system.excluded(view)
    pulled = [view.pull(region) for region in system.regions]
    in_universe = np.array([measure(view.universe, region) for region in system.regions])
    in_space = np.array([measure(view.declared, region) for region in pulled])
    excluded = np.array([not region for region in pulled], dtype=bool)
    return in_universe, in_space, excluded


def system_errors(system: System, view: View) -> Floats:
    """Return the standard error (m,) of each mass in the declared space: 0 where it is exact."""
    if isinstance(system, Basins | NearOptimal):
        return system.shares(view).error
    return np.zeros(len(system.regions))


LISTED = 200_000  # points of a universe whose regions are minimised by listing it


@lru_cache(maxsize=256)
def region_optima(landscape: Landscape, system: System, within: Region) -> Floats:
    """Return the best truth (m,) of each region inside ``within``; nan where it is not known.

    inf where the region has no point there with a value.
    """
    if isinstance(system, Basins | NearOptimal):
        return system.lowest(within)
    # labels of many points in many pairs fill the memory: a landscape that knows better is asked
    asked = type(landscape).lowest is not Landscape.lowest and landscape.universe.size > LISTED
    table = None if asked else enumeration(landscape)
    if table is None:
        found = [landscape.lowest(intersect(region, within)) for region in system.regions]
        return np.array([_value(one) for one in found])
    inside = contains(landscape.universe, within, table.points) & ~np.isnan(table.truth)
    rows = np.flatnonzero(inside)
    best = np.full(len(system.regions), np.inf)
    for labels in system.labels(table.points[rows]).T:
        known = labels >= 0
        np.minimum.at(best, labels[known], table.truth[rows][known])
    return best


def _value(found: Optimum | Bounds) -> float:
    if isinstance(found, Bounds):
        return math.inf if found.low == math.inf else math.nan
    return found.value


def tabulate(results: Results, names: Iterable[str] | None = None) -> dict[str, pd.DataFrame]:
    """Return the tables of the named measures (default: all that are found), by name.

    BLAS has one thread: its threads wait for one another by spinning, and the many small products
    of prices took 20 seconds instead of one on a machine whose cores were busy.
    """
    from threadpoolctl import threadpool_limits

    chosen = list(names) if names is not None else discovery.names("measures")
    with threadpool_limits(1, user_api="blas"):
        return {name: discovery.make("measures", name, {})(results) for name in chosen}
