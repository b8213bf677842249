"""Reachable but unseen: how many more regions and optima more runs would find."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from hpo_lab.basins import Basins, known_systems
from hpo_lab.measure import (
    ArmResult,
    Cell,
    Measure,
    Results,
    System,
    system_masses,
    system_names,
    systems_of,
)
from hpo_lab.measures.regions import samples, visits_of
from hpo_lab.space import Ints
from hpo_lab.statistics import chao2, unseen_optima

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Richness(Measure):
    """Estimated numbers of regions that an arm can reach, one row an arm, instance and system.

    ``estimator`` "Chao2": from which regions of the study's systems, and which basins where they
    are known, were visited in how many runs; ``observed`` regions in all, ``once`` in a single
    run, ``twice`` in two; ``estimate`` with its standard error and 95 % interval ``low``, ``high``
    bounds from below what runs of this budget can reach (a single region is not counted);
    ``coverage`` (Good and Turing) is the share of one more run's visits to regions that were seen
    before. "Boender and Rinnooy Kan": each run is one local search that ends in the basin of its
    incumbent; ``estimate`` is the posterior mean of the number of basins in which runs can end,
    ``coverage`` the expected share of further runs that end in a basin already found.
    ``reachable`` is the number of regions that the declared space meets at all. A deterministic
    strategy is one run: nothing is estimated.

    Sources: see ``hpo_lab.statistics.chao2`` and ``unseen_optima``.
    """

    name: ClassVar[str] = "richness"

    def __call__(self, results: Results) -> pd.DataFrame:
        import pandas as pd

        rows = []
        for arm in results.arms:
            for cell in arm.cells:
                known = known_systems(cell.problem.landscape, results.study.resolution.epsilon)
                systems = {one.name: one for one in systems_of(results.study, cell.problem)}
                basins = known.get("basins")
                systems |= {} if basins is None else {"basins": basins}
                rows += [
                    _visited(arm, cell, system)
                    for system in systems.values()
                    if len(system_names(system, cell.problem.view.universe)) > 1
                ]
                if isinstance(basins, Basins) and not arm.one_path(cell):
                    rows.append(_ends(arm, cell, basins))
        return pd.DataFrame(rows, columns=_COLUMNS)


_COLUMNS = [
    *("landscape", "space", "strategy", "budget", "instance", "system", "estimator", "runs"),
    *("reachable", "observed", "once", "twice", "estimate", "error", "low", "high", "coverage"),
]


def _visited(arm: ArmResult, cell: Cell, system: System) -> dict[str, Any]:
    _, mass, excluded = system_masses(system, cell.problem.view)
    visits = visits_of(cell, system, len(mass))[0]
    runs = samples(arm, cell)
    found = chao2(visits[:runs] > 0)
    return {
        **arm.labels,
        "instance": cell.instance,
        "system": system.name,
        "estimator": "Chao2",
        "runs": runs,
        "reachable": int((~excluded).sum()),
        "observed": found.observed,
        "once": found.once,
        "twice": found.twice,
        "estimate": found.estimate,
        "error": found.error,
        "low": found.low,
        "high": found.high,
        "coverage": found.coverage,
    }


def _ends(arm: ArmResult, cell: Cell, basins: Basins) -> dict[str, Any]:
    ends = final_basins(cell, basins)
    times = np.bincount(ends) if len(ends) else np.zeros(0, dtype=np.int64)
    row = {
        **arm.labels,
        "instance": cell.instance,
        "system": "final basins",
        "estimator": "Boender and Rinnooy Kan",
        "runs": len(ends),
        "reachable": int((~basins.excluded(cell.problem.view)).sum()),
        "observed": int((times > 0).sum()),
        "once": int((times == 1).sum()),
        "twice": int((times == 2).sum()),
    }
    if len(ends):
        found = unseen_optima(row["observed"], len(ends))
        row |= {"estimate": found.estimate, "error": found.error}
        row["coverage"] = 1 - found.unseen_share
    return row


def final_basins(cell: Cell, basins: Basins) -> Ints:
    """Return the basin of each run's last incumbent; runs without one, or outside all, are out."""
    last = cell.incumbents[:, -1]
    runs = np.flatnonzero(last >= 0)
    starts = np.searchsorted(cell.run, runs)  # trials stand run by run, in the order of time
    label = basins.labels(cell.lifted[starts + last[runs]])[:, 0]
    return label[label >= 0]
