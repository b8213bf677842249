"""The learners of sklearn_table fitted when they are asked for: a true tuning run.

    f(x) = mean over r < repeats of error(x, r),  in percentage points,

with the error of sklearn_table (landscapes/_learners.py): the same data, splits, seeds and
learners, but every number may lie anywhere between the outer levels of the table.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import lru_cache
from typing import ClassVar

import numpy as np

from hpo_lab.errors import InputError
from hpo_lab.landscape import UNKNOWN, Bounds, Landscape, Optimum, keyed_uniform
from hpo_lab.region import Region
from hpo_lab.space import Floats, Ints, Points, Space
from landscapes import _learners
from landscapes._tabulated import row_means
from landscapes.sklearn_table import COLUMNS, check_arguments


@dataclass(frozen=True)
class SklearnLive(Landscape):
    """The universe of sklearn_table without its gaps, evaluated for real: two fits a repeat.

    With ``repeats`` 1 what a strategy is told and what regret is counted in are two errors of one
    repeat of cross-validation, on the columns ``observe`` and ``truth`` (``"valid"`` or
    ``"test"``). With more, the truth is their mean, a strategy is told one of them, and every
    point costs that many times two fits. A configuration of the table has the table's errors,
    repeat by repeat, on equal versions of scikit-learn and numpy and the same kind of processor.

    The optimum is not known, and nothing is claimed about it.

    >>> f = SklearnLive("wine")
    >>> neighbours = {"n_neighbors": 5, "weights": "uniform", "metric": "euclidean"}
    >>> 0 <= f({"family": "knn", "scale": "standard", **neighbours}) <= 100
    True
    """

    dataset: str = "digits"
    repeats: int = 1
    observed_column: str = field(default="valid", metadata={"argument": "observe"})
    truth: str = "test"
    name: ClassVar[str] = "sklearn_live"
    version: ClassVar[int] = 1
    unit: ClassVar[str] = "percentage points"

    def __post_init__(self) -> None:
        check_arguments(self.dataset, self.observed_column, self.truth)
        if self.repeats < 1:
            raise InputError(f"repeats must be at least 1, not {self.repeats}")

    @property
    def universe(self) -> Space:
        """Six families; numbers range between the outer levels of the table, in its scales."""
        return _learners.ranges()

    @property
    def stochastic(self) -> bool:
        """Where there is more than one repeat a strategy is told the error of one."""
        return self.repeats > 1

    def evaluate(self, points: Points) -> Floats:
        """Fit and return the mean error (n,) on the column ``truth``; nan where all fits failed."""
        every = [np.full(len(points), repeat) for repeat in range(self.repeats)]
        return row_means(np.array([self._errors(points, r, self.truth) for r in every]).T)

    def observe(self, points: Points, repetition: int = 0, replicate: Ints | None = None) -> Floats:
        """Fit and return the error (n,) of one repeat on the column ``observe``."""
        again = np.zeros(len(points), dtype=np.int64) if replicate is None else replicate
        drawn = keyed_uniform(points, repetition, again) * self.repeats
        return self._errors(points, drawn.astype(np.int64), self.observed_column)

    def lowest(self, region: Region) -> Optimum | Bounds:
        """Unknown: nobody has fitted everything between the levels of the table."""
        return UNKNOWN

    def _errors(self, points: Points, repeats: Ints, column: str) -> Floats:
        place = COLUMNS.index(column)
        rows = zip(points.records(), repeats.tolist(), strict=True)
        return np.array(
            [_fitted(self.dataset, json.dumps(record), repeat)[place] for record, repeat in rows],
            dtype=float,
        )


@lru_cache(maxsize=100_000)
def _fitted(dataset: str, record: str, repeat: int) -> tuple[float, float]:
    """The validation and the test error of a configuration in one repeat, fitted once."""
    outcome = _learners.cross_validate(dataset, json.loads(record), repeat)
    return outcome.valid, outcome.test
