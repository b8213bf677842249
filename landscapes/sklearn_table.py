"""sklearn_table: six learners tuned on three data sets, every configuration of them really fitted.

    truth = mean over repeats r of error(x, r),  in percentage points,

the error of configuration x in repeat r of 2-fold cross-validation: on the folds (``"valid"``) or
on the third of the data that no fold touches (``"test"``). Learners, their parameters, the splits
and the sources of the data: landscapes/_learners.py, with scikit-learn (Pedregosa et al. 2011,
JMLR 12). The table is this project's own: ``python -m landscapes._make_sklearn_table`` makes
landscapes/data/sklearn_table.parquet, and ``provenance`` says when that was and with what.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np

from hpo_lab.errors import InputError, nearest
from hpo_lab.space import Floats, Record, Space
from landscapes import _learners
from landscapes._tabulated import Replicates, Tabulated

TABLE = Path(__file__).parent / "data" / "sklearn_table.parquet"
COLUMNS = ("valid", "test")


@dataclass(frozen=True)
class SklearnTable(Tabulated):
    """Nearest neighbours, SVM, logistic regression, forest, boosting and MLP on real data.

    The universe has one family a learner and each is a full lattice: 610 configurations, of
    ``dataset`` ``"digits"``, ``"breast_cancer"`` or ``"wine"``. Regret is counted in the mean
    error over the repeats on the column ``truth``; a strategy is told the error of one repeat on
    the column ``observe``, drawn by (repetition, point, replicate), or without ``noise`` the mean
    of that column. So what is told scatters about the validation error, which is not quite the
    test error. Truth is conditional on this table: on its splits and its test part.

    Neighbours, for the minima: configurations of one learner that differ in one parameter, a
    number by one level.

    Raises InputError for an unknown data set or column.

    >>> f = SklearnTable("wine")
    >>> f.universe.size
    610.0
    """

    dataset: str = "digits"
    noise: bool = True
    observed_column: str = field(default="valid", metadata={"argument": "observe"})
    truth: str = "test"
    name: ClassVar[str] = "sklearn_table"
    version: ClassVar[int] = 1
    unit: ClassVar[str] = "percentage points"

    def __post_init__(self) -> None:
        check_arguments(self.dataset, self.observed_column, self.truth)

    @property
    def universe(self) -> Space:
        """Six families, each the product of its levels."""
        return _learners.lattice()

    @property
    def table(self) -> Replicates:
        """The mean of the column ``truth``, and the column ``observe`` repeat by repeat."""
        return _table(self.dataset, self.observed_column, self.truth)


def check_arguments(dataset: str, observe: str, truth: str) -> None:
    """Raise InputError, naming the nearest, for a data set or a column that there is not."""
    if dataset not in _learners.DATASETS:
        raise InputError(f"there is no dataset {nearest(dataset, _learners.DATASETS)}")
    for key, column in (("observe", observe), ("truth", truth)):
        if column not in COLUMNS:
            raise InputError(f"{key}: the table has no column {nearest(column, COLUMNS)}")


@lru_cache(maxsize=1)
def provenance() -> Record:
    """Return what the table was made with: versions, machine, date, seconds, hash of the learners.

    >>> provenance()["threads"]
    1
    """
    import pyarrow.parquet as pq

    found: Record = json.loads(pq.read_schema(TABLE).metadata[b"provenance"])
    return found


@lru_cache(maxsize=16)
def _table(dataset: str, observe: str, truth: str) -> Replicates:
    return Replicates(_errors(dataset, truth), _errors(dataset, observe))


@lru_cache(maxsize=6)
def _errors(dataset: str, column: str) -> Floats:
    """The errors (610, repeats), configurations in the order of the universe's enumeration."""
    import pyarrow.parquet as pq

    read = pq.read_table(TABLE, columns=[column], filters=[("dataset", "==", dataset)])
    values = np.asarray(read[column].to_numpy(), dtype=float)
    return values.reshape(int(_learners.lattice().size), -1)
