"""Other people's libraries as guests: imported late, one thread, generators of their own."""

from __future__ import annotations

import importlib
import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np

from hpo_lab.errors import InputError


def library(strategy: str, module: str, package: str) -> Any:
    """Return the module, imported.

    Raises InputError, with the command that installs it, where the package is missing.

    >>> library("mine", "no_module", "no-package")
    Traceback (most recent call last):
    hpo_lab.errors.InputError: the strategy "mine" needs no-package: pip install no-package
    """
    try:
        with _lent(_seeded(0)), warnings.catch_warnings():  # some draw numbers on the way
            warnings.simplefilter("ignore", DeprecationWarning)  # theirs, of what they import
            return importlib.import_module(module)
    except ImportError:
        raise InputError(
            f'the strategy "{strategy}" needs {package}: pip install {package}'
        ) from None


@contextmanager
def one_thread(*modules: str) -> Iterator[None]:
    """Hold these modules' linear algebra to one thread: results must not depend on their number."""
    with _threads(modules).limit(limits=1):
        yield


@lru_cache(maxsize=8)
def _threads(modules: tuple[str, ...]) -> Any:
    """What limits the threads of the modules, which are imported, and of all that is loaded."""
    from threadpoolctl import ThreadpoolController

    for module in modules:
        importlib.import_module(module)
    return ThreadpoolController()


class Guest:
    """A library that may draw from the global generators and use every thread.

    While it is at work the generators hold states of the search's own, seeded by ``rng``: what
    others draw has no influence on it, and it has none on others. Import what it consists of
    before: the threads of libraries that are loaded later are not held back.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        from threadpoolctl import ThreadpoolController

        self.threads = ThreadpoolController()
        self.states = _seeded(int(rng.integers(2**31)))

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Lend the global generators and one thread; restore what was there."""
        with self.threads.limit(limits=1), _lent(self.states):
            yield


States = dict[str, Any]


def _seeded(seed: int) -> States:
    numpy = np.random.RandomState(seed).get_state(legacy=False)
    return {"python": random.Random(seed).getstate(), "numpy": numpy}  # noqa: S311


def _now() -> States:
    legacy = np.random.get_state(legacy=False)  # noqa: NPY002
    return {"python": random.getstate(), "numpy": legacy}


def _set(states: States) -> None:
    random.setstate(states["python"])
    np.random.set_state(states["numpy"])  # noqa: NPY002


@contextmanager
def _lent(states: States) -> Iterator[None]:
    """Let the global generators hold these states, which go on where they were left."""
    before = _now()
    _set(states)
    try:
        yield
    finally:
        states.update(_now())
        _set(before)
