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
from hpo_lab.space import Floats
from hpo_lab.statistics import Survival as Curve
from hpo_lab.statistics import already_visited, still_visiting

if TYPE_CHECKING:
    import pandas as pd

TIMES = 61  # points of a curve, at most


@dataclass(frozen=True)
class Survival(Measure):
    """Survival and first-visit curves of families, or of options where there is one family only.

    One row an arm, region and evaluation t (from 0 to the budget, at most 61 of them). ``still``
    is the share of runs that visit the region after t, ``came`` of those that visited it by t;
    ``_low`` and ``_high`` are exact pointwise 95 % bands over runs. The runs of all instances count
    as one sample: given the instances, the band is only too wide (Hoeffding 1956, Annals of
    Mathematical Statistics 27, 713-721: a sum of unequal chances varies less).
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
    visits = [
        [one[: samples(arm, cell)] for one in visits_of(cell, system, len(mass))[1:]]
        for cell in arm.cells
    ]
    first, last = (np.concatenate(found) for found in zip(*visits, strict=True))
    optimal = np.mean([_holds_optimum(cell, system) for cell in arm.cells], axis=0)
    blocks = []
    for place in np.flatnonzero(mass > 0).tolist():
        still = still_visiting(last[:, place], float(mass[place]), budget, at)
        came = already_visited(first[:, place], float(mass[place]), budget, at)
        head = {
            **arm.labels,
            "system": system.name,
            "region": names[place],
            "measure": mass[place],
            "best": optimal[place] if np.isnan(optimal[place]) else float(optimal[place] > 0.5),
            "instances": len(arm.cells),
            "runs": len(last),
            "evaluation": at,
        }
        banded = not all(arm.one_path(cell) for cell in arm.cells)
        curves = {**_columns("still", still, banded), **_columns("came", came, banded)}
        blocks.append(pd.DataFrame({**head, **curves}))
    return blocks


def _holds_optimum(cell: Cell, system: BoxSystem) -> Floats:
    """Whether each region (m,) holds the optimum of the declared space; nan where unknown."""
    best = region_optima(cell.problem.landscape, system, cell.problem.view.image)
    if np.isnan(best).any():
        return np.full(len(best), np.nan)
    return np.where(best <= best.min() + 1e-9, 1.0, 0.0)


def _columns(name: str, curve: Curve, banded: bool) -> dict[str, Floats]:
    nothing = np.full(len(curve.share), np.nan)
    return {
        name: curve.share,
        f"{name}_low": curve.low if banded else nothing,
        f"{name}_high": curve.high if banded else nothing,
        f"{name}_uniform": curve.uniform,
    }
