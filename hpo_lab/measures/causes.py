"""Why a region was not visited: what control runs say about each blind spot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from hpo_lab.controls import Moved
from hpo_lab.landscape import Landscape
from hpo_lab.measure import ArmResult, Cell, Measure, Results, System, systems_of
from hpo_lab.measures.regions import BLIND, samples, table_of, visits_at
from hpo_lab.space import Bools, Floats, Ints, Points
from hpo_lab.statistics import (
    BY_CONSTRUCTION,
    EXCLUDED,
    benjamini_hochberg,
    benjamini_yekutieli,
    fewer_runs_p_value,
    least_visits,
    visit_chance,
    visit_p_value,
    visit_upper_bound,
)

if TYPE_CHECKING:
    import pandas as pd

BY_SPACE = "excluded by the space"
TOO_SMALL = "too little prior mass at this budget"
BY_ENCODING = "artefact of the encoding"
BY_DESIGN = "initial design"
BY_STRUCTURE = "structural bias"
BY_LANDSCAPE = "the landscape led it away"
UNDECIDED = "undecided"
UNKNOWN = "unknown"

ALPHA = 0.05


@dataclass(frozen=True)
class Causes(Measure):
    """The cause of each blind spot, from the study's control runs (``[controls]``).

    Rows are the regions that are excluded, never seen or neglected, and the unvisited ones whose
    emptiness is no evidence. A run *comes* to a region as in the table of regions (``at_least``
    visits); a control *avoids* a region where significantly fewer of its runs come than uniform
    runs would, their probability to come lies, with 95 %, below half of that, and all its runs
    together spend less than half of the fair share of evaluations there (else they only gather,
    each in a place of its own). P-values are corrected over the blind spots of the arm and system.
    The first that holds is the cause:

    1. *excluded by the space*: the declared space has no point of it.
    2. *too little prior mass at this budget*: unvisited, and no verdict: as many runs of uniform
       search could well have missed it, too.
    3. *artefact of the encoding*: on relabelled landscapes the runs avoid the same labels, and come
       more often to what the labels stood for (sign test over runs), and they avoid the labels on
       flat noise, where that was run.
    4. *initial design*: the first evaluations are the same in all runs and none of them lies in
       the region, and in what was left of the budget the runs came not significantly less, and at
       least half as often, as uniform runs of that length.
    5. *structural bias*: the strategy avoids it on flat noise, too; without flat runs, where the
       landscape was shifted.
    6. *the landscape led it away*: the first control (flat, shifted, relabelled) that does not
       avoid the region has significantly more runs that come (Fisher's exact test).

    Else *undecided*; *unknown* where no control was run (1, 2 and 4 need none).

    ``design`` is the number of common first evaluations. Of each control: its runs, how many of
    them came, the corrected p-values against uniform search (``_p``) and of the arm against the
    control (``_fewer_p``); ``_elsewhere``: how many came to what the region was moved to.

    The tests are tests of what was run, not of why: a strategy that stays near its best point, and
    begins with a fixed design, avoids on noise what its design left out, and is told a structural
    bias.
    """

    name: ClassVar[str] = "causes"

    def __call__(self, results: Results) -> pd.DataFrame:
        import pandas as pd

        blocks = [
            _rows(arm, cell, system)
            for arm in results.arms
            for cell in arm.cells
            for system in systems_of(results.study, cell.problem)
        ]
        return pd.concat(blocks, ignore_index=True) if blocks else pd.DataFrame()


_KEPT = (
    *("landscape", "space", "strategy", "budget", "instance", "system", "region", "verdict"),
    *("costly", "missed", "measure", "at_least", "runs_reached", "runs", "chance"),
)


def _rows(arm: ArmResult, cell: Cell, system: System) -> pd.DataFrame:
    every = table_of(arm, cell, system)
    blind = np.isin(every["verdict"], (*BLIND, EXCLUDED))
    empty = ~blind & (every["runs_visited"] == 0).to_numpy()
    chosen = np.flatnonzero(blind | empty)
    rows = every.loc[chosen, list(_KEPT)].reset_index(drop=True)
    inside = np.flatnonzero(np.isin(rows["verdict"], BLIND))
    spots = _Spots(
        chosen[inside],
        len(every),
        rows["at_least"].to_numpy()[inside],
        rows["runs_reached"].to_numpy()[inside],
        samples(arm, cell),
        rows["chance"].to_numpy()[inside],
        rows["measure"].to_numpy()[inside],
        system.partition,
    )
    found = {
        name: _evidence(cell, arm.controls.get((name, cell.instance)), name, system, spots)
        for name in ("flat", "shifted", "relabelled")
    }
    design, by_design = _design(arm, cell, system, spots)
    late = (rows["verdict"] == BY_CONSTRUCTION).to_numpy()[inside]
    small = late & ((1 - spots.chance) > ALPHA)  # one run of uniform search could miss it, too
    cause = np.where(rows["verdict"] == EXCLUDED, BY_SPACE, TOO_SMALL).astype(object)
    cause[inside] = np.where(small, TOO_SMALL, _causes(found, by_design))
    told = {"cause": cause, "design": np.full(len(rows), design)}
    for name, one in found.items():
        for column, values in one.columns().items():
            told[f"{name}_{column}"] = np.full(len(rows), np.nan)
            told[f"{name}_{column}"][inside] = values
    return rows.assign(**told)


@dataclass(frozen=True, slots=True, eq=False)
class _Spots:
    """The blind spots (b,) of one arm, instance and system inside its declared space."""

    index: Ints
    regions: int
    least: Ints
    came: Ints
    runs: int
    chance: Floats
    mass: Floats
    partition: bool

    def corrected(self, p: Floats) -> Floats:
        """The p-values (b,), corrected over the blind spots."""
        return (benjamini_hochberg if self.partition else benjamini_yekutieli)(p)

    def visits(self, cell: Cell, labels: Ints) -> Ints:
        """Visits (R, b) of a cell's runs, from labels (N, parts) of its trials."""
        return visits_at(cell, labels, self.regions)[0][:, self.index]


@dataclass(frozen=True, slots=True, eq=False)
class _Evidence:
    """What the runs of one control say of each blind spot (b,)."""

    runs: int
    came: Floats
    p: Floats  # against uniform search
    avoided: Bools
    fewer: Floats  # of the arm against the control
    elsewhere: Floats  # runs that came to what was moved away
    follows: Bools  # significantly more runs come to that than stay away from it

    def columns(self) -> dict[str, Floats | int]:
        return {
            "runs": self.runs,
            "came": self.came,
            "p": self.p,
            "fewer_p": self.fewer,
            "elsewhere": self.elsewhere,
        }


def _evidence(own: Cell, cell: Cell | None, name: str, system: System, spots: _Spots) -> _Evidence:
    """What a control's cell says beside the arm's own."""
    count = len(spots.index)
    nothing, no = np.full(count, np.nan), np.zeros(count, dtype=bool)
    if cell is None or not count:
        return _Evidence(0, nothing, nothing, no, nothing, nothing, no)
    runs = len(cell.repetitions)
    visits = spots.visits(cell, system.labels(cell.lifted))
    here = visits >= spots.least
    came = here.sum(axis=0)
    p = spots.corrected(visit_p_value(came, runs, spots.chance))
    avoided = (p <= ALPHA) & (visit_upper_bound(came, runs, 1 - ALPHA) < spots.chance / 2)
    avoided &= visits.mean(axis=0) < spots.mass * cell.budget / 2
    fewer = spots.corrected(fewer_runs_p_value(spots.came, spots.runs, came, runs))
    if name == "flat":
        return _Evidence(runs, came.astype(float), p, avoided, fewer, nothing, no)
    origin = _origin(own.problem.landscape, name, cell)
    there = spots.visits(cell, system.labels(origin)) >= spots.least
    only_there, only_here = (there & ~here).sum(axis=0), (here & ~there).sum(axis=0)
    differ = np.maximum(only_there + only_here, 1)
    follows = spots.corrected(visit_p_value(only_here, differ, np.full(count, 0.5))) <= ALPHA
    elsewhere = there.sum(axis=0).astype(float)
    return _Evidence(runs, came.astype(float), p, avoided, fewer, elsewhere, follows)


def _origin(landscape: Landscape, name: str, cell: Cell) -> Points:
    """Where in the landscape itself each trial (N,) of a control was evaluated."""
    parts = []
    for row, repetition in enumerate(cell.repetitions.tolist()):
        moved = Moved(landscape, name, (cell.instance, repetition))
        parts.append(moved.move(cell.lifted[np.flatnonzero(cell.run == row)]))
    return Points.concatenate(parts)


def _design(arm: ArmResult, cell: Cell, system: System, spots: _Spots) -> tuple[int, Bools]:
    """How many first evaluations all runs have in common; where these alone explain the spot."""
    explained = np.zeros(len(spots.index), dtype=bool)
    if arm.one_path(cell) or len(cell.repetitions) < 2:
        return 0, explained
    common = _common(cell)
    labels = system.labels(cell.lifted)
    if not common or not len(spots.index):
        return common, explained
    before = (cell.evaluation < common)[:, None]
    missed = (spots.visits(cell, np.where(before, labels, -1)) == 0).all(axis=0)
    mass, left = np.minimum(spots.mass, 1.0), cell.budget - common
    least = least_visits(mass, left, spots.runs) if left else np.ones(len(mass), dtype=np.int64)
    came = (spots.visits(cell, np.where(before, -1, labels)) >= least).sum(axis=0)
    chance = _at_least(mass, left, least)
    fair = visit_p_value(came, spots.runs, chance) > ALPHA
    return common, missed & fair & (came >= spots.runs * chance / 2)


def _at_least(mass: Floats, budget: int, least: Ints) -> Floats:
    """The probability (b,) that a uniform run makes so many visits."""
    from scipy.special import bdtrc

    several = bdtrc(least - 1.0, max(budget, 1), mass)
    return np.asarray(np.where(least > 1, several, visit_chance(mass, budget)))


def _common(cell: Cell) -> int:
    """How many evaluations, from the first, are of the same points in all runs."""
    shape = (len(cell.repetitions), cell.budget)
    keys = np.unique(cell.points.keys(), return_inverse=True)[1].ravel()
    table = np.full(shape, -1)
    table[cell.run, cell.evaluation] = keys
    same = (table == table[0]).all(axis=0) & (table[0] >= 0)
    return int(np.argmin(np.append(same, False)))


def _causes(found: dict[str, _Evidence], by_design: Bools) -> Floats:
    """The cause (b,) of each blind spot, later conditions first so that earlier ones win."""
    flat, shifted, relabelled = found["flat"], found["shifted"], found["relabelled"]
    ran = [one for one in found.values() if one.runs]
    cause = np.full(len(by_design), UNDECIDED if ran else UNKNOWN, dtype=object)
    for one in reversed(ran):
        cause[~one.avoided & (one.fewer <= ALPHA)] = BY_LANDSCAPE
    cause[flat.avoided if flat.runs else shifted.avoided] = BY_STRUCTURE
    cause[by_design] = BY_DESIGN
    alone = relabelled.avoided & relabelled.follows
    cause[alone & flat.avoided if flat.runs else alone] = BY_ENCODING
    return cause
