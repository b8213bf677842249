"""Density: where a strategy spent its evaluations, relative to uniform search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from hpo_lab.measure import ArmResult, Cell, Measure, Results, system_masses, system_names
from hpo_lab.measures._visited import groups_of, runs_of
from hpo_lab.measures.regions import visits_at
from hpo_lab.region import BoxSystem, region_system
from hpo_lab.space import Floats
from hpo_lab.statistics import MINIMUM_REPETITIONS, density_ratios

if TYPE_CHECKING:
    import pandas as pd

SYSTEMS = ("families", "options", "bins")
REGIONS = 5_000  # of one system; larger ones (an axis of 10,000 options) are left out


@dataclass(frozen=True)
class Density(Measure):
    """Visits of each family, option and part of a number's range, relative to uniform search.

    ``share`` is the mean over runs of n_r / T, T the evaluations that were really made; ``ratio``
    = (n_r / T) / μ_r, 1 for uniform search on the declared space, nan where a region is excluded
    from it; ``low`` and ``high`` bound it (95 %, studentised bootstrap over runs, since the
    evaluations of one run are not independent), nan for a deterministic strategy and where runs
    do not differ. They are ``approximate`` below 30 runs and where fewer than half of the runs
    came, where such intervals are too narrow (see ``statistics.bootstrap_means``).

    ``first_visit`` and ``last_visit`` (evaluation from 1, medians over the ``runs_visited`` of
    ``runs`` that came) say when a family or option was found and when it was abandoned.
    One row a region; an axis that exists only in some families has its share of all evaluations.
    """

    name: ClassVar[str] = "density"

    def __call__(self, results: Results) -> pd.DataFrame:
        import pandas as pd

        study = results.study
        blocks = []
        for arm in results.arms:
            for cell in arm.cells:
                for name in SYSTEMS:
                    universe = cell.problem.view.universe
                    system = region_system(name, universe, study.resolution)
                    if 1 < len(system.regions) <= REGIONS:
                        blocks.append(_table(arm, cell, system))
        return pd.concat(blocks, ignore_index=True) if blocks else pd.DataFrame()


def _table(arm: ArmResult, cell: Cell, system: BoxSystem) -> pd.DataFrame:
    import pandas as pd

    view, runs = cell.problem.view, runs_of(arm, cell)
    _, mass, _ = system_masses(system, view)
    every, first, last = visits_at(cell, system.labels(cell.lifted), len(mass))
    visits = every[:runs]
    spent = cell.asked.sum(axis=1)[:runs]
    ratio, interval = density_ratios(visits, mass, spent)
    came = visits > 0
    axes = [g.axes for g in groups_of(system) for _ in range(len(mass))[g.regions]]
    return pd.DataFrame(
        {
            **arm.labels,
            "instance": cell.instance,
            "system": system.name,
            "axis": axes,
            "region": system_names(system, view.universe),
            "measure": mass,
            "share": (visits / np.maximum(spent, 1)[:, None]).mean(axis=0),
            "ratio": ratio,
            "low": interval[:, 0],
            "high": interval[:, 1],
            "approximate": (runs < MINIMUM_REPETITIONS) | (2 * came.sum(axis=0) < runs),
            "first_visit": _median(first[:runs], came),
            "last_visit": _median(last[:runs], came),
            "runs_visited": came.sum(axis=0),
            "runs": runs,
        }
    )


def _median(when: Floats, came: np.ndarray) -> Floats:
    """The median (m,) over the runs that came; nan where none did."""
    some = came.any(axis=0)
    found = np.full(when.shape[1], np.nan)
    found[some] = np.nanmedian(when[:, some], axis=0)
    return found
