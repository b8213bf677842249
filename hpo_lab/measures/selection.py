"""The winner's curse: what the best scores on what it was not chosen by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from hpo_lab.landscape import TIES, Enumeration, Problem, enumeration
from hpo_lab.measure import Measure, Results
from hpo_lab.region import contains
from hpo_lab.space import Bools, Floats, Ints

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Selection(Measure):
    """Which point of a declared space one would choose by which scores, and what it scores on all.

    On a table with two columns: the best by what strategies are told ("observed"), by the truth,
    and by the mean of both. On a table with training seeds: the best by one seed and by all seeds
    but one, means over the seeds, and by all of them (the truth). ``score`` is what the choice was
    made by, ``held_out`` the mean of the seeds that it was not made by, ``curse`` how much worse
    that is: the best of many noisy scores is better by luck. ``observed`` and ``truth`` are the
    choice's own, ``price`` is its score here minus the score of the same choice in the universe.
    ``ties`` points (things that are the same count once) share the best score; the rest are means
    over them. Conditional on the table; no rows where scores are formulas without noise. One row
    a landscape, space and choice.
    """

    name: ClassVar[str] = "selection"

    def __call__(self, results: Results) -> pd.DataFrame:
        import pandas as pd

        study = results.study
        rows = []
        for landscape in study.landscapes:
            for space in study.spaces:
                if (
                    landscape.label not in space.landscapes
                    or len(study.instances_of(landscape)) > 1
                ):
                    continue
                problem = study.problem(landscape, space, 1)
                begin = {"landscape": landscape.label, "space": space.label}
                unit = problem.landscape.unit
                rows += [{**begin, "unit": unit, **row} for row in _choices(problem)]
        return pd.DataFrame(rows, columns=list(_COLUMNS))


_COLUMNS = (
    *("landscape", "space", "unit", "chosen_by", "ties", "score"),
    *("observed", "truth", "held_out", "curse", "price"),
)


@dataclass(frozen=True, eq=False)
class _Scores:
    """What a choice is made by (N,), and what was not looked at (N,); nan where unknown."""

    chosen_by: str
    score: Floats
    held_out: Floats


def _choices(problem: Problem) -> list[dict[str, Any]]:
    table = enumeration(problem.landscape)
    measured = problem.landscape.replicates()
    if table is None or measured is None:
        return []
    inside = contains(problem.landscape.universe, problem.view.image, table.points)
    groups: dict[str, list[dict[str, Any]]] = {}
    for scores in _criteria(problem, table, measured):
        row = _choice(problem, table, scores, inside)
        groups.setdefault(scores.chosen_by, []).append(row)
    means = [
        {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
        for rows in groups.values()
    ]
    return [{"chosen_by": name, **mean} for name, mean in zip(groups, means, strict=True)]


def _criteria(problem: Problem, table: Enumeration, measured: Floats) -> Iterator[_Scores]:
    unknown = np.full(len(table.truth), np.nan)
    seeds = np.flatnonzero((~np.isnan(measured)).sum(axis=0) > 0)
    if len(seeds) > 1:
        for seed in seeds:
            one, others = measured[:, seed], _mean(np.delete(measured, seed, axis=1))
            both = ~np.isnan(one) & ~np.isnan(others)
            yield _Scores("one seed", np.where(both, one, np.nan), others)
            yield _Scores("all seeds but one", np.where(both, others, np.nan), one)
    elif not np.array_equal(table.observed, table.truth, equal_nan=True):
        yield _Scores("observed", table.observed, unknown)
        yield _Scores("both", (table.observed + table.truth) / 2, unknown)
    else:
        return
    yield _Scores("truth", table.truth, unknown)


def _mean(columns: Floats) -> Floats:
    count = (~np.isnan(columns)).sum(axis=1)
    return np.where(count > 0, np.nansum(columns, axis=1) / np.maximum(count, 1), np.nan)


def _choice(problem: Problem, table: Enumeration, scores: _Scores, inside: Bools) -> dict[str, Any]:
    known = ~np.isnan(scores.score) & ~np.isnan(table.truth)
    here, everywhere = (_best(scores.score, table, known & rows) for rows in (inside, True))
    score = float(scores.score[here].mean())
    held_out = float(scores.held_out[here].mean())
    observed = np.nan if problem.landscape.stochastic else float(table.observed[here].mean())
    return {
        "ties": len(here),
        "score": score,
        "observed": observed,
        "truth": float(table.truth[here].mean()),
        "held_out": held_out,
        "curse": held_out - score,
        "price": score - float(scores.score[everywhere].mean()),
    }


def _best(score: Floats, table: Enumeration, rows: Bools) -> Ints:
    """The rows that share the least score after rounding; one of each that are the same."""
    places = np.flatnonzero(rows)
    told = np.round(score[places], TIES)
    tied = places[told == told.min()]
    return np.asarray(tied[np.unique(table.same[tied], return_index=True)[1]])
