"""Region verdicts: where each strategy never went, against uniform search with the same budget."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar
from weakref import WeakKeyDictionary

import numpy as np

from hpo_lab.measure import (
    ArmResult,
    Cell,
    Measure,
    Results,
    System,
    region_optima,
    system_errors,
    system_masses,
    system_names,
    systems_of,
)
from hpo_lab.region import Among, Combinations, whole
from hpo_lab.space import Bools, Floats, Ints, Space
from hpo_lab.statistics import (
    BY_CONSTRUCTION,
    EXCLUDED,
    NEGLECTED,
    NEVER_SEEN,
    Verdicts,
    verdicts,
)

if TYPE_CHECKING:
    import pandas as pd

BLIND = (NEVER_SEEN, NEGLECTED, BY_CONSTRUCTION)  # verdicts that can be costly


@dataclass(frozen=True)
class Regions(Measure):
    """The verdict on each region of the study's region systems, for each arm and instance.

    ``measure`` is the region's share of the declared space (with its standard error
    ``measure_error`` where it had to be estimated, as for most basins; such a region is tested
    with three errors less), ``expected`` the probability that a run of uniform search with the
    same budget visits it. The test asks in how many runs there were ``at_least`` so many visits
    (``runs_reached``, where a uniform run gets there with probability ``chance``): one, unless
    hardly any uniform run would miss the region. ``bound`` is the one-sided 95 % upper bound on
    the probability that a run of this strategy gets there, ``p_adjusted`` is corrected within the
    region system.

    ``best`` is the best truth in the region (of the declared space; of the universe where the
    region is excluded), ``missed`` how far it lies below the arm's mean incumbent, ``costly``
    marks regions never seen or neglected with something better in them. ``share`` of visits,
    ``first_visit`` and ``last_visit`` (median evaluation of the runs that came).

    All that blames the search. The second reference blames the space: ``universe_measure``,
    ``universe_expected``, ``universe_p_adjusted`` and ``universe_verdict`` compare the same visits
    with uniform search on the universe.

    Sources: Tarone 1990; Benjamini and Hochberg 1995; Benjamini and Yekutieli 2001.
    """

    name: ClassVar[str] = "regions"

    def __call__(self, results: Results) -> pd.DataFrame:
        import pandas as pd

        blocks = [
            table_of(arm, cell, system)
            for arm in results.arms
            for cell in arm.cells
            for system in systems_of(results.study, cell.problem)
        ]
        return pd.concat(blocks, ignore_index=True) if blocks else pd.DataFrame()


_KEPT: WeakKeyDictionary[ArmResult, dict[tuple[Cell, System], pd.DataFrame]] = WeakKeyDictionary()


def table_of(arm: ArmResult, cell: Cell, system: System) -> pd.DataFrame:
    """Return the measure's rows of one arm, instance and region system, one a region.

    They are kept as long as the arm is: causes ask for the same rows. Do not change them.
    """
    kept = _KEPT.setdefault(arm, {})
    if (cell, system) not in kept:
        kept[cell, system] = _table(arm, cell, system)
    return kept[cell, system]


def _table(arm: ArmResult, cell: Cell, system: System) -> pd.DataFrame:
    import pandas as pd

    view = cell.problem.view
    in_universe, mass, excluded = system_masses(system, view)
    visits = visits_of(cell, system, len(mass))
    told = judged(arm, cell, system, visits[0])
    blame = judged(arm, cell, system, visits[0], mass=in_universe)
    best = _best(cell, system, excluded)
    incumbent = float(np.mean(cell.incumbent_truth[:, -1]))
    with np.errstate(invalid="ignore"):
        missed = np.maximum(incumbent - best, 0.0)
    words = told.word.astype(object)
    axis, option = _axes(view.universe, system, len(mass))
    runs = samples(arm, cell)
    return pd.DataFrame(
        {
            **arm.labels,
            "instance": cell.instance,
            "system": system.name,
            "region": system_names(system, view.universe),
            "axis": axis,
            "option": option,
            "measure": mass,
            "measure_error": system_errors(system, view),
            "runs_visited": np.minimum((visits[0] > 0).sum(axis=0), runs),
            "runs": runs,
            "expected": told.expected,
            "at_least": told.least,
            "runs_reached": told.came,
            "chance": told.chance,
            "p": told.p,
            "p_adjusted": told.adjusted,
            "bound": told.upper,
            "verdict": words,
            "costly": np.isin(words, BLIND) & (missed > 1e-9),
            "best": best,
            "missed": missed,
            "share": visits[0].mean(axis=0) / cell.budget,
            "first_visit": _median(visits[1]),
            "last_visit": _median(visits[2]),
            "universe_measure": in_universe,
            "universe_expected": blame.expected,
            "universe_p_adjusted": blame.adjusted,
            "universe_verdict": np.where(excluded, EXCLUDED, blame.word).astype(object),
        }
    )


def samples(arm: ArmResult, cell: Cell) -> int:
    """Return how many independent runs there are: one, where all that ran are the same."""
    return 1 if arm.one_path(cell) else len(cell.repetitions)


def judged(
    arm: ArmResult, cell: Cell, system: System, counts: Ints, mass: Floats | None = None
) -> Verdicts:
    """Return the verdicts (m,) on visits (R, m), against uniform search on the declared space.

    With ``mass`` (m,) against a search of these shares instead, as of the universe. A measure that
    was estimated is taken three standard errors smaller, which favours the strategy.
    """
    _, in_space, excluded = system_masses(system, cell.problem.view)
    if mass is None:
        mass = np.maximum(in_space - 3 * system_errors(system, cell.problem.view), 0.0)
        outside = excluded
    else:
        outside = mass <= 0
    runs = samples(arm, cell)
    return verdicts(
        np.minimum(mass, 1.0),
        cell.budget,
        np.minimum((counts > 0).sum(axis=0), runs),
        runs,
        counts=None if arm.one_path(cell) else counts,
        excluded=outside & (counts == 0).all(axis=0),
        deterministic=arm.one_path(cell),
        partition=system.partition,
    )


def visits_of(cell: Cell, system: System, count: int) -> tuple[Ints, Floats, Floats]:
    """Return visits, first and last evaluation (from 1; nan: none), each (R, count)."""
    return visits_at(cell, system.labels(cell.lifted), count)


def visits_at(cell: Cell, labels: Ints, count: int) -> tuple[Ints, Floats, Floats]:
    """Return the same from labels (N, parts) of the cell's trials."""
    shape = (len(cell.repetitions), count)
    visits = np.zeros(math.prod(shape), dtype=np.int64)
    first, last = np.full(math.prod(shape), np.nan), np.full(math.prod(shape), np.nan)
    for label in labels.T:
        known = np.flatnonzero(label >= 0)
        place = cell.run[known] * count + label[known]
        when = cell.evaluation[known] + 1.0
        visits += np.bincount(place, minlength=len(visits))
        last[place] = when  # trials stand in the order of time: of equals the last one stays
        first[place[::-1]] = when[::-1]
    return visits.reshape(shape), first.reshape(shape), last.reshape(shape)


def _median(values: Floats) -> Floats:
    """The median (m,) over the runs that have a value, nan where none has."""
    came = (~np.isnan(values)).sum(axis=0)
    ranked = np.sort(values, axis=0)  # nan goes last
    low, high = np.maximum(came - 1, 0) // 2, came // 2
    pair = np.take_along_axis(ranked, np.stack([low, np.minimum(high, len(values) - 1)]), axis=0)
    return np.asarray(np.where(came > 0, pair.mean(axis=0), np.nan))


def _best(cell: Cell, system: System, excluded: Bools) -> Floats:
    landscape = cell.problem.landscape
    here = region_optima(landscape, system, cell.problem.view.image)
    if not excluded.any():
        return here
    return np.where(excluded, region_optima(landscape, system, whole(landscape.universe)), here)


@lru_cache(maxsize=64)
def _axes(universe: Space, system: System, count: int) -> tuple[list[str], list[str]]:
    """Axis and option of each region of the system "options"; empty text elsewhere."""
    if not (isinstance(system, Combinations) and system.name == "options"):
        return [""] * count, [""] * count
    axes, options = [], []
    for region in system.regions:
        name, within = region[0].sets[0]
        axes.append(name)
        value = within.values[0] if isinstance(within, Among) else within.low
        options.append(str(universe.family(region[0].family).axis(name).native(value)))
    return axes, options
