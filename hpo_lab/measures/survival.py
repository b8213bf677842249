"""Survival of families: which share of the runs will still visit them, over evaluations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from hpo_lab.measure import (
    ArmResult,
    Cell,
    Measure,
    Results,
    region_optima,
    system_masses,
    system_names,
)
from hpo_lab.measures.abandonment import timed_systems
from hpo_lab.measures.regions import samples, visits_of
from hpo_lab.region import BoxSystem
from hpo_lab.space import Floats, Ints
from hpo_lab.statistics import (
    MINIMUM_REPETITIONS,
    already_visited,
    bootstrap_means,
    still_visiting,
)
from hpo_lab.statistics import (
    Survival as Shares,
)

if TYPE_CHECKING:
    import pandas as pd

TIMES = 61  # points of a curve, at most


@dataclass(frozen=True)
class Survival(Measure):
    """Survival and first-visit curves of families, or of options where there is one family only.

    One row an arm, region and evaluation t (from 0 to the budget, at most 61 of them). ``still``
    is the share of runs that visit the region after t, ``came`` of those that visited it by t, both
    means over instances; their ``_low`` and ``_high`` are pointwise 95 % bands over runs: exact
    binomial ones on one instance, cluster bootstrap over several from 30 repetitions on.
    ``still_uniform`` and ``came_uniform`` are the same of uniform search. ``best`` marks the region
    that holds the optimum of the declared space (nan: not known), on most instances. Regions
    outside of the declared space have no rows; a deterministic strategy has no band.
    """

    name: ClassVar[str] = "survival"

    def __call__(self, results: Results) -> pd.DataFrame:
        import pandas as pd

        blocks = []
        for arm in results.arms:
            systems = timed_systems(arm.cells[0].problem.view.universe)
            blocks += [block for system in systems[:1] for block in _curves(arm, system)]
        return pd.concat(blocks, ignore_index=True) if blocks else pd.DataFrame()


def _curves(arm: ArmResult, system: BoxSystem) -> list[pd.DataFrame]:
    import pandas as pd

    view = arm.cells[0].problem.view
    mass = system_masses(system, view)[1]
    names = system_names(system, view.universe)
    budget = arm.arm.budget
    at = np.unique(np.round(np.linspace(0, budget, TIMES)).astype(np.int64))
    visits = [visits_of(cell, system, len(mass))[1:] for cell in arm.cells]
    counts = [samples(arm, cell) for cell in arm.cells]
    optimal = np.mean([_holds_optimum(cell, system) for cell in arm.cells], axis=0)
    blocks = []
    for place in np.flatnonzero(mass > 0).tolist():
        first = [found[:runs, place] for (found, _), runs in zip(visits, counts, strict=True)]
        last = [found[:runs, place] for (_, found), runs in zip(visits, counts, strict=True)]
        columns = {
            **_banded("still", last, float(mass[place]), budget, at),
            **_banded("came", first, float(mass[place]), budget, at),
        }
        head = {
            **arm.labels,
            "system": system.name,
            "region": names[place],
            "measure": mass[place],
            "best": optimal[place] if np.isnan(optimal[place]) else float(optimal[place] > 0.5),
            "instances": len(arm.cells),
            "runs": sum(map(len, last)),
            "evaluation": at,
        }
        blocks.append(pd.DataFrame({**head, **columns}))
    return blocks


def _holds_optimum(cell: Cell, system: BoxSystem) -> Floats:
    """Whether each region (m,) holds the optimum of the declared space; nan where unknown."""
    best = region_optima(cell.problem.landscape, system, cell.problem.view.image)
    if np.isnan(best).any():
        return np.full(len(best), np.nan)
    return np.where(best <= best.min() + 1e-9, 1.0, 0.0)


def _banded(
    name: str, visits: list[Floats], mass: float, budget: int, at: Ints
) -> dict[str, Floats]:
    """The columns of one curve: a mean over instances, with its band."""
    tell = still_visiting if name == "still" else already_visited
    each: list[Shares] = [tell(runs, mass, budget, at) for runs in visits]
    low, high = each[0].low, each[0].high
    if len(each) > 1:
        low = high = np.full(len(at), np.nan)
        if len({len(runs) for runs in visits}) == 1 and len(visits[0]) >= MINIMUM_REPETITIONS:
            single = [[tell(run[None], mass, budget, at).share for run in runs] for runs in visits]
            band = np.clip(bootstrap_means(np.array(single)), 0.0, 1.0)
            low, high = band[:, 0], band[:, 1]
    return {
        name: np.mean([one.share for one in each], axis=0),
        f"{name}_low": low,
        f"{name}_high": high,
        f"{name}_uniform": each[0].uniform,
    }
