"""Region verdicts: where each strategy never went, against uniform search with the same budget."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from hpo_lab.measure import ArmResult, Cell, Measure, Results, region_optima, system_masses
from hpo_lab.region import Among, Combinations, RegionSystem, describe, region_system, whole
from hpo_lab.space import Bools, Floats, Space
from hpo_lab.statistics import BY_CONSTRUCTION, NEGLECTED, NEVER_SEEN, verdicts

if TYPE_CHECKING:
    import pandas as pd

BLIND = (NEVER_SEEN, NEGLECTED, BY_CONSTRUCTION)  # verdicts that can be costly


@dataclass(frozen=True)
class Regions(Measure):
    """The verdict on each region of the study's region systems, for each arm and instance.

    ``measure`` is the region's share of the declared space, ``expected`` the probability that a
    run of uniform search with the same budget visits it, ``bound`` the one-sided 95 % upper bound
    on the probability that a run of this strategy does, ``p_adjusted`` is corrected within the
    region system. ``best`` is the best truth in the region (of the declared space; of the
    universe where the region is excluded), ``missed`` how far it lies below the arm's mean
    incumbent, ``costly`` marks regions never seen or neglected with something better in them.
    ``share`` of visits, ``first_visit`` and ``last_visit`` (median evaluation of the runs that
    came). Sources: Tarone 1990; Benjamini and Hochberg 1995.
    """

    name: ClassVar[str] = "regions"

    def __call__(self, results: Results) -> pd.DataFrame:
        import pandas as pd

        blocks = [
            _verdicts(arm, cell, region_system(name, cell.problem.view.universe))
            for arm in results.arms
            for cell in arm.cells
            for name in results.study.systems
        ]
        return pd.concat(blocks, ignore_index=True) if blocks else pd.DataFrame()


def _verdicts(arm: ArmResult, cell: Cell, system: RegionSystem) -> pd.DataFrame:
    import pandas as pd

    _, mass, excluded = system_masses(system, cell.problem.view)
    visits = _visits(cell, system)
    visited = (visits[0] > 0).sum(axis=0)
    runs = 1 if arm.deterministic else len(cell.repetitions)
    told = verdicts(
        mass,
        cell.budget,
        np.minimum(visited, runs),
        runs,
        excluded=excluded,
        deterministic=arm.deterministic,
        partition=system.partition,
    )
    best = _best(cell, system, excluded)
    incumbent = float(np.mean(cell.incumbent_truth[:, -1]))
    with np.errstate(invalid="ignore"):
        missed = np.maximum(incumbent - best, 0.0)
    words = told.word.astype(object)
    universe = cell.problem.view.universe
    axis, option = _axes(universe, system)
    return pd.DataFrame(
        {
            **arm.labels,
            "instance": cell.instance,
            "system": system.name,
            "region": _names(universe, system),
            "axis": axis,
            "option": option,
            "measure": mass,
            "runs_visited": np.minimum(visited, runs),
            "runs": runs,
            "expected": told.expected,
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
        }
    )


def _visits(cell: Cell, system: RegionSystem) -> tuple[Floats, Floats, Floats]:
    """Visits, first and last evaluation (from 1; nan: none), each (R, m)."""
    shape = (len(cell.repetitions), len(system.regions))
    counts = np.zeros(shape)
    first, last = np.full(shape, np.inf), np.full(shape, -np.inf)
    when = cell.evaluation + 1.0
    for labels in system.labels(cell.lifted).T:
        known = labels >= 0
        place = cell.run[known], labels[known]
        np.add.at(counts, place, 1.0)
        np.minimum.at(first, place, when[known])
        np.maximum.at(last, place, when[known])
    never = counts == 0
    first[never] = last[never] = np.nan
    return counts, first, last


def _median(values: Floats) -> Floats:
    """The median (m,) over the runs that have a value, nan where none has."""
    result = np.full(values.shape[1], np.nan)
    came = ~np.isnan(values).all(axis=0)
    result[came] = np.nanmedian(values[:, came], axis=0)
    return result


def _best(cell: Cell, system: RegionSystem, excluded: Bools) -> Floats:
    landscape = cell.problem.landscape
    here = region_optima(landscape, system, cell.problem.view.image)
    if not excluded.any():
        return here
    return np.where(excluded, region_optima(landscape, system, whole(landscape.universe)), here)


@lru_cache(maxsize=64)
def _names(universe: Space, system: RegionSystem) -> list[str]:
    return [describe(universe, region) for region in system.regions]


@lru_cache(maxsize=64)
def _axes(universe: Space, system: RegionSystem) -> tuple[list[str], list[str]]:
    """Axis and option of each region of the system "options"; empty text elsewhere."""
    if not (isinstance(system, Combinations) and system.order == 1):
        return [""] * len(system.regions), [""] * len(system.regions)
    axes, options = [], []
    for region in system.regions:
        name, within = region[0].sets[0]
        axes.append(name)
        value = within.values[0] if isinstance(within, Among) else within.low
        options.append(str(universe.family(region[0].family).axis(name).native(value)))
    return axes, options
