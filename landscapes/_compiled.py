"""Compiled kernels: compiled once and kept on disk, announced where one has to wait, in threads.

Importing this file loads nothing heavy; ``compiled`` loads numba. So kernels live in files of
their own (``_bbob_kernels.py``), which landscapes import late, when they are first evaluated.
"""

from __future__ import annotations

import itertools
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, wraps
from typing import ParamSpec, TypeVar

from hpo_lab.errors import InputError

P = ParamSpec("P")
T = TypeVar("T")

PATIENCE = 2.0  # seconds after which a person is told what is being waited for
SHARE = 256  # points below which a batch is not worth a second thread
_THREADS: ContextVar[int] = ContextVar("threads", default=1)


def compiled(function: Callable[P, T]) -> Callable[P, T]:
    """Return the function compiled by numba on its first call, kept on disk, free of the GIL.

    For kernels that Python calls; what only kernels call is a plain ``numba.njit(cache=True)``.
    No fast-math: a point's value must not depend on the batch that it comes in.
    """
    import numba

    kernel = numba.njit(cache=True, nogil=True)(function)
    name, ready = function.__name__, False

    @wraps(function)
    def call(*given: P.args, **named: P.kwargs) -> T:
        nonlocal ready
        if ready:
            return kernel(*given, **named)  # type: ignore[no-any-return, unused-ignore]
        with announced(f"compiling {name} for this machine, once"):
            answer: T = kernel(*given, **named)
        ready = True
        return answer

    call.bare = kernel  # type: ignore[attr-defined]
    return call


def bare(function: Callable[P, T]) -> Callable[P, T]:
    """Return what ``compiled`` wraps, for when a tenth of a microsecond counts.

    Call the function itself once before: that says what is being waited for.
    """
    return function.bare  # type: ignore[attr-defined,no-any-return]


@contextmanager
def announced(what: str) -> Iterator[None]:
    """Say on standard error what is being waited for, if it takes over two seconds."""
    timer = threading.Timer(PATIENCE, lambda: print(f"hpo_lab: {what} …", file=sys.stderr))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Evaluate large batches in so many threads while this lasts; otherwise one is used.

    The values are the same for any number. Raises InputError below 1.

    >>> with threads(2):
    ...     pass
    """
    if count < 1:
        raise InputError(f"threads must be at least 1, not {count}")
    token = _THREADS.set(count)
    try:
        yield
    finally:
        _THREADS.reset(token)


def shared(n: int, work: Callable[[int, int], object]) -> None:
    """Call ``work(start, stop)`` on consecutive parts of range(n), one a thread."""
    count = min(_THREADS.get(), n // SHARE)
    if count < 2:
        work(0, n)
        return
    bounds = [n * i // count for i in range(count + 1)]
    first, *others = itertools.pairwise(bounds)
    parts = [_pool(count - 1).submit(work, a, b) for a, b in others]
    work(*first)  # this thread works too: waking another one costs 10 microseconds
    for part in parts:
        part.result()


@cache
def _pool(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, thread_name_prefix="hpo_lab")
