"""Structural bias of each strategy that ran on f0, a landscape of nothing but noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from hpo_lab.measure import ArmResult, Cell, Measure, Results
from hpo_lab.space import Bools, Floats, Ints, Points, Real
from hpo_lab.statistics.bias import BOUNDS, CENTRE, centre_pull, drawn_to, structural_bias

if TYPE_CHECKING:
    import pandas as pd

NOISE = "flat"  # the landscape that this is measured on
FEWEST = 100  # runs below which no test is made


@dataclass(frozen=True)
class StructuralBias(Measure):
    """Tests of structural bias on the landscape ``flat``: one row a real axis, sample and test.

    Runs are the units: of each run one evaluation drawn at random ("visit") and the final incumbent
    ("incumbent", as in BIAS) are tested for uniformity in unit coordinates, and the runs' mean
    distance from the centre, all axes and visits together ("run"), against that of uniform search;
    p is corrected by Holm over all of it. ``towards`` says where a significant axis is drawn to.
    Deterministic strategies and fewer than 100 runs are not tested. Sources:
    ``statistics.bias.structural_bias``.
    """

    name: ClassVar[str] = "bias"

    def __call__(self, results: Results) -> pd.DataFrame:
        import pandas as pd

        from hpo_lab.statistics import holm

        blocks = []
        for arm, cell in noisy(results):
            if len(cell.repetitions) < FEWEST or cell.one_path:
                continue
            parts = [_tests(cell, rows, sample) for sample, rows in _samples(cell).items()]
            own = pd.concat([*parts, _run_test(cell)], ignore_index=True)
            if len(own):
                own["p_adjusted"] = holm(own["p"].to_numpy())
                own["biased"] = own["p_adjusted"] <= 0.05
                own["towards"] = np.where(own["biased"], own["towards"], "")
                blocks.append(own.assign(**arm.labels))
        columns = ["landscape", "space", "strategy", "budget", *_COLUMNS]
        if not blocks:
            return pd.DataFrame(columns=columns)
        return pd.concat(blocks, ignore_index=True)[columns]


_COLUMNS = (
    "runs",
    "sample",
    "axis",
    "test",
    "statistic",
    "p",
    "p_adjusted",
    "biased",
    "towards",
)


def noisy(results: Results) -> list[tuple[ArmResult, Cell]]:
    """Return the arms that ran on f0 with their cells."""
    return [
        (arm, cell)
        for arm in results.arms
        if arm.arm.landscape.use == NOISE
        for cell in arm.cells
        if cell.problem.landscape.stochastic
    ]


def unit_places(points: Points) -> tuple[Floats, list[str]]:
    """Return the unit coordinates (n, k) of all real axes that can vary, and their names."""
    space = points.space
    real = {
        column
        for index in range(len(space.families))
        for column, axis in space.places(index)
        if isinstance(axis, Real) and axis.size > 1
    }
    columns = sorted(real)
    return space.to_unit(points)[:, columns], [space.columns[column] for column in columns]


def _samples(cell: Cell) -> dict[str, Ints]:
    """Rows of the cell's points: one of each run, a random one, and the final incumbent."""
    starts = np.searchsorted(cell.run, np.arange(len(cell.repetitions)))
    sizes = np.bincount(cell.run, minlength=len(cell.repetitions))
    draws = [np.random.default_rng([int(r), 7]).random() for r in cell.repetitions]
    visit = starts + np.floor(np.array(draws) * sizes).astype(np.int64)
    last = cell.incumbents[:, -1]
    return {"visit": visit, "incumbent": (starts + last)[last >= 0]}


def _tests(cell: Cell, rows: Ints, sample: str) -> pd.DataFrame:
    import pandas as pd

    places, names = unit_places(cell.points[rows])
    known: Bools = ~np.isnan(places)
    found = structural_bias(np.where(known, places, 0.5), known)
    towards = [  # atoms have no side of their own
        "the bounds" if test == BOUNDS else drawn_to(places[known[:, j], j])
        for j, test in zip(found.axis, found.test, strict=True)
    ]
    return pd.DataFrame(
        {
            "runs": len(rows),
            "sample": sample,
            "axis": [names[j] for j in found.axis],
            "test": found.test.astype(object),
            "statistic": found.statistic,
            "p": found.p,
            "towards": towards,
        }
    )


def _run_test(cell: Cell) -> pd.DataFrame:
    """The test of the runs' mean distances from the centre; no row where they do not vary."""
    import pandas as pd

    distance = 2.0 * np.abs(unit_places(cell.points)[0] - 0.5)
    known, runs = ~np.isnan(distance), len(cell.repetitions)
    counts = np.bincount(cell.run, known.sum(axis=1), runs)
    sums = np.bincount(cell.run, np.where(known, distance, 0.0).sum(axis=1), runs)
    mean, p = centre_pull(sums[counts > 0] / counts[counts > 0])
    row = {
        "runs": runs,
        "sample": "run",
        "axis": "all",
        "test": CENTRE,
        "statistic": mean,
        "p": p,
        "towards": "the centre" if mean < 0.5 else "the bounds",
    }
    return pd.DataFrame([row] if np.isfinite(p) else [])
