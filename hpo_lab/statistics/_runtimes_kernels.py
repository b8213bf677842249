"""One compiled pass over the values of runs; imported late, since numba takes a second."""

from __future__ import annotations

import numba

from hpo_lab.statistics._arrays import Floats, Ints


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator,unused-ignore]
def first_hits(values: Floats, targets: Floats, hits: Ints) -> None:
    """Fill hits (runs, targets) with the evaluation, from 1, that first is at most each target.

    ``values`` (runs, budget), nan where there is none; ``targets`` fall; hits begin as 0.
    """
    runs, budget = values.shape
    for run in range(runs):
        target = 0
        bar = targets[0]
        for evaluation in range(budget):
            if values[run, evaluation] <= bar:
                while target < len(targets) and values[run, evaluation] <= targets[target]:
                    hits[run, target] = evaluation + 1
                    target += 1
                if target == len(targets):
                    break
                bar = targets[target]


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator,unused-ignore]
def count_hits(values: Floats, targets: Floats, counts: Ints) -> None:
    """Add to counts (budget,) how many run-target pairs were first met at each evaluation.

    As ``first_hits``, without a place for each pair: runs may be many and short.
    """
    runs, budget = values.shape
    last = len(targets)
    for run in range(runs):
        target = 0
        bar = targets[0]
        for evaluation in range(budget):
            value = values[run, evaluation]
            if value <= bar:
                before = target
                target += 1
                while target < last and value <= targets[target]:
                    target += 1
                counts[evaluation] += target - before
                if target == last:
                    break
                bar = targets[target]
