"""NK against a plain numpy program and ioh, in one process; prints figures, ratios and targets.

``python -m tests.benchmarks.compare_nk``, in about half a minute. Cases alternate, and the best of
several rounds counts, so that other work on the machine disturbs all alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np

import landscapes
from hpo_lab.space import Floats, Ints
from landscapes import nk
from landscapes.nk import NK

ROUNDS = 7


def _by_numpy(f: NK, values: Floats) -> Floats:
    """f (n,) as one writes it in numpy: the index of each contribution, then its table."""
    model = nk._model(f)
    bits = values.astype(np.int64)
    weights = 1 << np.arange(f.k, -1, -1)
    total = np.zeros(len(values), dtype=np.int64)
    for loci, table in zip(model.links, model.tables, strict=True):
        total += table[bits[:, loci] @ weights]
    return model.losses(total)


def _descended_by_numpy(f: NK) -> tuple[Floats, Ints]:
    """The values of all states, and where steepest descent ends from each."""
    model = nk._model(f)
    states = np.arange(1 << f.n)
    total = np.zeros(len(states), dtype=np.int64)
    for loci, table in zip(model.links, model.tables, strict=True):
        index = np.zeros(len(states), dtype=np.int64)
        for locus in loci:
            index = index << 1 | states >> (f.n - 1 - locus) & 1
        total += table[index]
    best, step = total.copy(), states.copy()
    for bit in range(f.n):
        other = states ^ 1 << bit
        better = total[other] > best
        best[better], step[better] = total[other][better], other[better]
    while not np.array_equal(step, further := step[step]):
        step = further
    return model.losses(total), step


def _fastest(cases: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Seconds of each case: the best of the rounds, in which the cases take turns."""
    for case in cases.values():
        case()  # compiles
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(ROUNDS):
        for name, case in cases.items():
            start = time.perf_counter()
            case()
            seconds[name].append(time.perf_counter() - start)
    return {name: min(times) for name, times in seconds.items()}


def _with_threads(count: int, case: Callable[[], object]) -> Callable[[], object]:
    def call() -> object:
        with landscapes.threads(count):
            return case()

    return call


def _print(title: str, seconds: dict[str, float], points: int, target: str) -> None:
    print(f"\n{title}; target: {target}")
    ours = seconds["ours"]
    for name, took in seconds.items():
        print(
            f"  {name:18s} {1000 * took:9.2f} ms  {points / took:9.3g} points/s"
            f"  {took / ours:7.2f} × our time"
        )


def compare_nk() -> None:
    """Print the comparisons."""
    f = NK(20, 4)

    def listed() -> object:
        return nk._minima.__wrapped__(f)

    seconds = _fastest(
        {
            "ours": listed,
            "ours, 2 threads": _with_threads(2, listed),
            "numpy": lambda: _descended_by_numpy(f),
        }
    )
    _print("N = 20, K = 4: all states, minima, basins", seconds, 2**20, "150 ms on 2 cores")
    for n, k, target in ((100, 8, "1e6 points/s"), (20, 4, "none")):
        g = NK(n, k)
        points = g.universe.sample(100_000, np.random.default_rng(0))
        cases: dict[str, Callable[[], object]] = {
            "ours": lambda g=g, points=points: g.evaluate(points),  # type: ignore[misc]
            "numpy": lambda g=g, points=points: _by_numpy(g, points.values),  # type: ignore[misc]
        }
        cases["ours, 2 threads"] = _with_threads(2, cases["ours"])
        assert np.array_equal(_by_numpy(g, points.values), g.evaluate(points))
        _print(f"N = {n}, K = {k}: 100,000 points", _fastest(cases), 100_000, target)
    _compare_ioh()


def _compare_ioh() -> None:
    """ioh knows K = 1 only; another landscape then, of the same work."""
    try:
        import ioh
    except ImportError:
        print("\nioh is not installed")
        return
    f = NK(100, 1)
    points = f.universe.sample(10_000, np.random.default_rng(0))
    rows = points.values.astype(int).tolist()
    peer = ioh.get_problem("NKLandscapes", 1, 100, ioh.ProblemClass.PBO)
    one = [points[i] for i in range(1000)]
    cases = {"ours": lambda: f.evaluate(points), "ioh, a list": lambda: peer(rows)}
    _print("N = 100, K = 1: 10,000 points", _fastest(cases), 10_000, "none")
    singly = {
        "ours": lambda: [f.evaluate(point) for point in one],
        "ioh": lambda: [peer(row) for row in rows[:1000]],
    }
    _print("N = 100, K = 1: 1,000 points one by one", _fastest(singly), 1000, "none")


if __name__ == "__main__":
    compare_nk()
