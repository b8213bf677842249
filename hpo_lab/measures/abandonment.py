"""When regions were abandoned: families and options, and whether uniform search would be back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from hpo_lab.measure import ArmResult, Cell, Measure, Results, system_masses, system_names
from hpo_lab.measures.regions import samples, visits_of
from hpo_lab.region import BoxSystem, region_system
from hpo_lab.space import Floats, Space
from hpo_lab.statistics import abandonment, benjamini_hochberg, benjamini_yekutieli

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Abandonment(Measure):
    """First and last visits of families and options, one row an arm, instance and region.

    ``runs_visited`` of ``runs`` came at all; ``first_visit`` and ``last_visit`` are medians over
    those. A run has left a region if its last ``stretch`` evaluations, in which uniform search
    would have come with a probability of 95 %, lie elsewhere: ``left`` is the share of the runs
    that have, ``chance`` what it is for uniform search, and ``p`` an exact test of more, corrected
    within the system in ``p_adjusted``. nan where the budget is too small for the region, and
    without a test where there is a single run (or a deterministic strategy). Regions outside of
    the declared space have no rows.
    """

    name: ClassVar[str] = "abandonment"

    def __call__(self, results: Results) -> pd.DataFrame:
        import pandas as pd

        blocks = [
            _table(arm, cell, system)
            for arm in results.arms
            for cell in arm.cells
            for system in timed_systems(cell.problem.view.universe)
        ]
        return pd.concat(blocks, ignore_index=True) if blocks else pd.DataFrame()


def timed_systems(universe: Space) -> list[BoxSystem]:
    """Return the systems that are followed over time: families where there are several, options."""
    systems = [region_system("options", universe)]
    if len(universe.families) > 1:
        systems.insert(0, region_system("families", universe))
    return [system for system in systems if system.regions]


def _table(arm: ArmResult, cell: Cell, system: BoxSystem) -> pd.DataFrame:
    import pandas as pd

    view = cell.problem.view
    _, mass, _ = system_masses(system, view)
    kept = np.flatnonzero(mass > 0)
    counts, begins, ends = visits_of(cell, system, len(mass))
    visits, first, last = counts[:, kept], begins[:, kept], ends[:, kept]
    runs = samples(arm, cell)
    told = [
        abandonment(last[:runs, i], float(mass[place]), cell.budget)
        for i, place in enumerate(kept.tolist())
    ]
    p = np.array([one.p if runs > 1 else np.nan for one in told])
    names = system_names(system, view.universe)
    return pd.DataFrame(
        {
            **arm.labels,
            "instance": cell.instance,
            "system": system.name,
            "region": [names[place] for place in kept],
            "measure": mass[kept],
            "runs": runs,
            "runs_visited": (visits[:runs] > 0).sum(axis=0),
            "first_visit": _medians(first[:runs]),
            "last_visit": _medians(last[:runs]),
            "stretch": [one.stretch for one in told],
            "left": [one.left for one in told],
            "chance": [one.chance for one in told],
            "p": p,
            "p_adjusted": _adjusted(p, system.partition),
        }
    )


def _medians(values: Floats) -> Floats:
    """The median (m,) over the runs that came, nan where none did."""
    came = [column[~np.isnan(column)] for column in values.T]
    return np.array([np.median(column) if len(column) else np.nan for column in came])


def _adjusted(p: Floats, partition: bool) -> Floats:
    """Corrected over the regions that could be tested."""
    adjusted = np.full(len(p), np.nan)
    tested = ~np.isnan(p)
    correct = benjamini_hochberg if partition else benjamini_yekutieli
    adjusted[tested] = correct(p[tested])
    return adjusted
