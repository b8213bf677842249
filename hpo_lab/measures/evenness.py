"""Evenness: discrepancy, the largest empty ball and the largest empty box of what was visited."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from hpo_lab.measure import ArmResult, Cell, Measure, Results
from hpo_lab.measures._visited import runs_of
from hpo_lab.space import Floats, Ints, Points, Real, Space
from hpo_lab.statistics import (
    covering_radius,
    discrepancy_curve,
    log_budgets,
    random_discrepancy,
    random_dispersion,
)
from hpo_lab.statistics.dispersion import READABLE, empty_box_volume

if TYPE_CHECKING:
    import pandas as pd

POINTS = 1_000  # of one run or one family that are looked at: the discrepancy is O(n² d)
RUNS = 20  # that are looked at one by one
FEWEST = 2  # points in a family that have an evenness
ONE, ALL = "one run", "all runs"


@dataclass(frozen=True)
class Evenness(Measure):
    """How evenly the continuous axes of each family were visited, against as many uniform points.

    On the real axes of the declared space, in their scales. ``statistic`` is "discrepancy"
    (squared centred L2, over the first ``points``), "radius" (of the largest empty ball, a lower
    bound by probes; up to 7 axes, above which it tells nothing apart) or "box" (volume of the
    largest empty box: exact on one and two axes, greedy and a lower bound above). ``random`` is
    what uniform points have (the discrepancy exactly, the others by the same computation on 20
    uniform sets); ``ratio`` = value / random: below 1 more even, above 1 clustered, and uniform
    points have it between ``random_low`` and ``random_high`` in 95 % of such studies (from
    simulations of as many points; a mean of runs by its standard error).

    ``scope`` is "one run" (means over at most 20 runs) or "all runs" together. Of more than 1,000
    points a random 1,000, in the order of time, are looked at: ``points`` of ``of``, ``sampled``;
    the random reference has as many. ``headline``: at most 7 axes. One row a statistic, family,
    scope and number of points.

    Sources: Hickernell 1998; Niederreiter 1992, chapter 6 (dispersion).
    """

    name: ClassVar[str] = "evenness"

    def __call__(self, results: Results) -> pd.DataFrame:
        import pandas as pd

        rows = [
            {**arm.labels, "instance": cell.instance, **row}
            for arm in results.arms
            for cell in arm.cells
            for row in _rows(arm, cell)
        ]
        return pd.DataFrame(rows)


def _rows(arm: ArmResult, cell: Cell) -> Iterator[dict[str, Any]]:
    space, runs = cell.problem.view.declared, runs_of(arm, cell)
    for index, family in enumerate(space.families):
        columns = [c for c, axis in space.places(index) if isinstance(axis, Real) and axis.size > 1]
        if not columns:
            continue
        rows = np.flatnonzero((cell.points.family == index) & (cell.run < runs))
        head = {"family": family.name, "axes": len(columns)}
        each = [_unit(space, cell, mine, columns) for mine in _by_run(cell, rows, runs)]
        yield from (head | row for row in _scope(ONE, each, cell.budget))
        if runs > 1:
            in_time = rows[np.argsort(cell.evaluation[rows], kind="stable")]
            pooled = [_unit(space, cell, in_time, columns)]
            yield from (head | row for row in _scope(ALL, pooled, cell.budget * runs))


def _by_run(cell: Cell, rows: Ints, runs: int) -> list[Ints]:
    """The rows of at most RUNS runs, evenly chosen."""
    chosen = np.unique(np.linspace(0, runs - 1, min(runs, RUNS)).round().astype(np.int64))
    return [rows[cell.run[rows] == run] for run in chosen]


def _unit(space: Space, cell: Cell, rows: Ints, columns: list[int]) -> tuple[Floats, int]:
    """Coordinates (n, d) of at most POINTS of the rows, and how many rows there are."""
    some = rows
    if len(rows) > POINTS:
        picked = np.random.default_rng(0).choice(len(rows), POINTS, replace=False)
        some = rows[np.sort(picked)]
    unit = space.to_unit(Points(space, cell.points.family[some], cell.points.values[some]))
    return np.clip(unit[:, columns], 0.0, 1.0), len(rows)


def _scope(scope: str, sets: list[tuple[Floats, int]], length: int) -> Iterator[dict[str, Any]]:
    """The rows of one family: each statistic as the mean over the sets that have points enough."""
    enough = [(unit, of) for unit, of in sets if len(unit) >= FEWEST]
    if not enough:
        return
    axes, count = enough[0][0].shape[1], int(np.median([len(unit) for unit, _ in enough]))
    of = float(np.mean([of for _, of in enough]))
    head = {"scope": scope, "of": of, "sampled": of > POINTS, "headline": axes <= READABLE}
    yield from (head | row for row in _discrepancies([u for u, _ in enough], count, axes))
    measured = {"box": empty_box_volume, "radius": covering_radius}
    for statistic, compute in measured.items():
        if statistic == "radius" and axes > READABLE:
            continue
        values = np.array([compute(unit) for unit, _ in enough])
        chance = random_dispersion(count, axes, statistic)
        yield head | _row(statistic, count, values.mean(), chance, len(enough))


def _discrepancies(sets: list[Floats], count: int, axes: int) -> Iterator[dict[str, Any]]:
    """One row an evaluation: the points of this family so far, on average over the sets."""
    chance = random_dispersion(count, axes, "discrepancy", searches=100)
    chance = chance / random_discrepancy(count, axes)
    until = log_budgets(count)
    curves = np.stack([discrepancy_curve(unit, until) for unit in sets])
    for n, values in zip(until.tolist(), curves.T, strict=True):
        exact = float(random_discrepancy(n, axes))
        yield _row("discrepancy", n, values.mean(), chance * exact, len(sets), exact)


def _row(
    statistic: str,
    points: int,
    value: float,
    chance: Floats,
    sets: int,
    centre: float | None = None,
) -> dict[str, Any]:
    random = float(chance.mean()) if centre is None else centre
    if sets > 1:
        wide = 1.96 * chance.std(ddof=1) / np.sqrt(sets)
        low, high = random - wide, random + wide
    else:
        low, high = np.quantile(chance, [0.025, 0.975])
    return {
        "statistic": statistic,
        "points": points,
        "value": float(value),
        "random": random,
        "ratio": float(value) / random,
        "random_low": max(float(low) / random, 0.0),
        "random_high": float(high) / random,
    }
