"""NAS-Bench-Graph: really trained graph neural networks, every one of them, on nine data sets.

    f(x) = 100 · (1 − accuracy of the architecture x), in percentage points.

Source: Qin, Zhang, Wang, Zhang & Zhu 2022, "NAS-Bench-Graph: benchmarking graph neural
architecture search", NeurIPS Datasets and Benchmarks; the table is the PyPI package
nas_bench_graph 1.4.0 (Apache-2.0).

An architecture is a tree of four operations under the input: the wiring says which node each
takes its input from (0 is the input, 1 the first operation, …).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from hpo_lab import lattice
from hpo_lab.errors import InputError, nearest
from hpo_lab.landscape import Bounds, Landscape, Minima, Optimum
from hpo_lab.region import Region
from hpo_lab.space import Bools, Choice, Floats, Ints, Points, Space
from landscapes import _pickled

DATASETS = (
    "cora",
    "citeseer",
    "pubmed",
    "cs",
    "physics",
    "photo",
    "computers",
    "arxiv",
    "proteins",
)
WIRINGS = (
    (0, 0, 0, 0),
    (0, 0, 0, 1),
    (0, 0, 1, 1),
    (0, 0, 1, 2),
    (0, 0, 1, 3),
    (0, 1, 1, 1),
    (0, 1, 1, 2),
    (0, 1, 2, 2),
    (0, 1, 2, 3),
)
OPERATIONS = ("gat", "gcn", "gin", "cheb", "sage", "arma", "graph", "fc", "skip")
OPERATIONS_PROTEINS = ("gcn", "sage", "arma", "fc", "skip")
COLUMNS = {"valid": "valid_perf", "test": "perf"}
SKIP = OPERATIONS.index("skip")
PACKAGE = "nas_bench_graph"


@dataclass(frozen=True)
class NasGraph(Landscape):
    """26,206 trained graph neural networks on each of eight data sets (2,021 on proteins).

    The universe is the product of the wiring (9 options) and op1 … op4 (nine operations; five on
    proteins): 59,049 points. Isomorphic architectures share their value, and ``same`` tells
    them; the nine points that only skip have none. Strategies are told the error on the column
    ``observe``, regret is counted in the error on the column ``truth`` (``"valid"`` or
    ``"test"``).

    Neighbours, for the minima: architectures of which some points are one axis apart, where
    isomorphic points are one architecture and those without a value do not exist. From each
    architecture one steps to the neighbour that is best on the truth, compared after rounding to
    1e-9, of equals the one with the lowest number, as long as that is an improvement in this
    order; where it ends is the minimum whose basin the architecture is in. A basin's mass is its
    share of the 59,049 points.

    >>> f = NasGraph("cora")
    >>> f({"wiring": "0-0-1-3", "op1": "gcn", "op2": "gat", "op3": "skip", "op4": "fc"})
    22.03...
    >>> round(f.optimum().value, 4)
    16.8667
    """

    dataset: str = "cora"
    observed_column: str = field(default="valid", metadata={"argument": "observe"})
    truth: str = "test"
    name: ClassVar[str] = "nas_graph"
    version: ClassVar[int] = 1
    unit: ClassVar[str] = "percentage points"

    def __post_init__(self) -> None:
        if self.dataset not in DATASETS:
            raise InputError(f"there is no dataset {nearest(self.dataset, DATASETS)}")
        for key, column in (("observe", self.observed_column), ("truth", self.truth)):
            if column not in COLUMNS:
                raise InputError(f"{key}: the table has no column {nearest(column, COLUMNS)}")
        _path(self.dataset)

    @cached_property
    def universe(self) -> Space:
        """The product of the wiring and four operations."""
        wiring = Choice("wiring", tuple("-".join(map(str, w)) for w in WIRINGS))
        operations = _operations(self.dataset)
        return Space.box(wiring, *[Choice(f"op{i}", operations) for i in range(1, 5)])

    def evaluate(self, points: Points) -> Floats:
        """Return the error (n,) on the column ``truth``, in percentage points; nan if all skip."""
        return _errors(self.dataset, self.truth)[self._rows(points)]

    def observe(self, points: Points, repetition: int = 0, replicate: Ints | None = None) -> Floats:
        """Return the error (n,) on the column ``observe``: the table has no replicates."""
        return _errors(self.dataset, self.observed_column)[self._rows(points)]

    def replicates(self) -> Floats:
        """Return the one measured value (N, 1) of every point."""
        return _errors(self.dataset, self.truth)[:, None]

    def same(self, points: Points) -> Ints:
        """Return the number (n,) of each architecture, equal for isomorphic ones."""
        return _architectures(self.dataset)[self._rows(points)]

    def lowest(self, region: Region) -> Optimum | Bounds:
        """Return the exact optimum inside a region, by enumeration."""
        return lattice.lowest(self.universe, _errors(self.dataset, self.truth), region)

    def minima(self) -> Minima:
        """Return all local minima, best first, with their basins and the basins' exact masses."""
        return lattice.minima_of(self)

    def _rows(self, points: Points) -> Ints:
        return lattice.places(self.universe, points)


def _operations(dataset: str) -> tuple[str, ...]:
    return OPERATIONS_PROTEINS if dataset == "proteins" else OPERATIONS


@lru_cache(maxsize=1)
def _numbers() -> Ints:
    """The architecture's number for every point of the product over nine operations (59049,).

    The number of an architecture is that of one representative: digits wiring, op1, … op4 in base
    10. A skip computes nothing: unless it is a leaf beside others, of something that is not all
    skips, it is moved to the input's end (``_skip_first``); then operations whose places in the
    tree are interchangeable are sorted.
    """
    n = len(OPERATIONS)
    grid = np.indices((len(WIRINGS), n, n, n, n)).reshape(5, -1)
    parents, ops = np.array(WIRINGS)[grid[0]], grid[1:].T.copy()
    for k in range(4):
        moved = _skip_is_idle(parents, ops, k)
        parents[moved], ops[moved] = _skip_first(parents[moved], ops[moved], k)
    wiring = _renamed(parents, ops)
    _sort_interchangeable(wiring, ops)
    return np.asarray(wiring * 10_000 + ops @ np.array([1000, 100, 10, 1]))


def _skip_is_idle(parents: Ints, ops: Ints, k: int) -> Bools:
    """Which architectures (n,) have at node k a skip that may be moved to the input."""
    others = [j for j in range(4) if j != k]
    feeds = (parents == k + 1).any(axis=1)
    beside = (parents[:, others] == parents[:, [k]]).any(axis=1)
    raw = np.ones(len(ops), dtype=bool)  # the input reaches the node through skips alone
    node = np.full(len(ops), k + 1)
    rows = np.arange(len(ops))
    for _ in range(4):
        inner = node > 0
        raw &= ~inner | (ops[rows, node - 1] == SKIP)
        node = np.where(inner, parents[rows, node - 1], 0)
    return np.asarray((ops[:, k] == SKIP) & (feeds | ~beside | raw))


def _skip_first(parents: Ints, ops: Ints, k: int) -> tuple[Ints, Ints]:
    """Node k taken out and put between the input and everything that the input fed."""
    order = [k, *[j for j in range(4) if j != k]]
    up = parents[:, [k]] + 1
    moved = np.where(parents <= k, parents + 1, np.where(parents == k + 1, up, parents))[:, order]
    moved[:, 0] = 0
    return moved, ops[:, order]


def _renamed(parents: Ints, ops: Ints) -> Ints:
    """The wiring (n,) of each architecture; operations of other drawings are put in its order."""
    for drawing, order in (((0, 1, 2, 1), [0, 1, 3, 2]), ((0, 1, 1, 3), [0, 2, 1, 3])):
        rows = np.flatnonzero((parents == drawing).all(axis=1))
        parents[rows] = (0, 1, 1, 2)
        ops[rows] = ops[rows][:, order]
    codes = np.full(256, -1)
    powers = np.array([64, 16, 4, 1])
    codes[np.array(WIRINGS) @ powers] = np.arange(len(WIRINGS))
    return np.asarray(codes[parents @ powers])


def _sort_interchangeable(wiring: Ints, ops: Ints) -> None:
    """Put operations in order where the tree looks the same from their places."""
    leaves = {0: [0, 1, 2, 3], 1: [1, 2], 2: [2, 3], 5: [1, 2, 3], 7: [2, 3]}
    for index, places in leaves.items():
        rows = np.flatnonzero(wiring == index)
        ops[np.ix_(rows, np.array(places))] = np.sort(ops[rows][:, places], axis=1)
    rows = np.flatnonzero(wiring == 3)  # two chains of two, whole chains are interchangeable
    first, second = ops[rows][:, [0, 2]] @ [10, 1], ops[rows][:, [1, 3]] @ [10, 1]
    rows = rows[first > second]
    ops[rows] = ops[rows][:, [1, 0, 3, 2]]


@lru_cache(maxsize=2)
def _architectures_of(operations: tuple[str, ...]) -> Ints:
    used = np.array([OPERATIONS.index(operation) for operation in operations])
    n = len(OPERATIONS)
    table = _numbers().reshape(len(WIRINGS), n, n, n, n)
    return np.asarray(table[np.ix_(np.arange(len(WIRINGS)), used, used, used, used)]).ravel()


def _architectures(dataset: str) -> Ints:
    """The architecture's number for every point (N,) of the universe of a data set."""
    return _architectures_of(_operations(dataset))


@lru_cache(maxsize=32)
def _errors(dataset: str, column: str) -> Floats:
    """The error (N,) of every point of the universe, in percentage points."""
    accuracy = _accuracies(dataset)[column][_architectures(dataset)]
    return 100.0 * (1.0 - accuracy)


def _path(dataset: str) -> Path:
    """Where the table is; InputError where the package is not installed."""
    return _pickled.folder_of(PACKAGE, NasGraph.name, PACKAGE) / "light" / f"{dataset}.bench"


@lru_cache(maxsize=16)
def _accuracies(dataset: str) -> dict[str, Floats]:
    """The accuracies by column, indexed by the architecture's number; nan where there is none."""
    path = _path(dataset)
    table = read_bench(path)
    numbers = np.fromiter(table, dtype=np.int64, count=len(table))
    columns = {}
    for name, key in COLUMNS.items():
        accuracy = np.full(100_000, np.nan)
        accuracy[numbers] = [float(row[key]) for row in table.values()]
        columns[name] = accuracy
    return columns


def read_bench(path: Path) -> dict[int, dict[str, float]]:
    """Return a table of NAS-Bench-Graph: for each architecture's number its row of columns.

    Raises InputError where the file is missing, is damaged, or names anything but numpy scalars;
    nothing that it names is ever run.
    """
    return _pickled.read(
        path,
        PACKAGE,
        lambda table: {_integer(number): _row(row) for number, row in table.items()},
    )


def _integer(number: Any) -> int:
    if type(number) is not int or not 0 <= number < 100_000:
        raise ValueError("an architecture's number is wrong")
    return number


def _row(row: Any) -> dict[str, float]:
    if not isinstance(row, dict) or not set(COLUMNS.values()) <= set(row):
        raise ValueError("a row lacks a column")
    return row
