"""Landscapes against their peers, in one process; prints figures, ratios and targets.

``python tests/benchmarks/compare_landscapes.py bbob``, in about a minute; without an argument,
every part. Sides take turns, and the best of several rounds counts, so that other work on the
machine disturbs all alike.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np

import landscapes
from hpo_lab.space import Floats, Ints
from landscapes import nk
from landscapes.nk import NK

ROUNDS = 9
AT_LEAST = 0.002  # seconds that a side is repeated for in a round
FUNCTIONS = (1, 3, 15, 16, 20, 21, 23, 24)
DIMENSIONS = (2, 10, 40)

Sides = Mapping[str, Callable[[], object]]


def fastest(sides: Sides) -> dict[str, float]:
    """Return the seconds of one call of each side: the best of the rounds."""
    repeats = {}
    for name, side in sides.items():
        side()  # compiles
        start = time.perf_counter()
        side()
        repeats[name] = max(1, int(AT_LEAST / (time.perf_counter() - start)))
    best = dict.fromkeys(sides, np.inf)
    for _ in range(ROUNDS):
        for name, side in sides.items():
            start = time.perf_counter()
            for _ in range(repeats[name]):
                side()
            best[name] = min(best[name], (time.perf_counter() - start) / repeats[name])
    return best


def mean(ratios: list[float]) -> str:
    """Return the geometric mean and the least of ratios, in words."""
    return f"geometric mean {np.exp(np.mean(np.log(ratios))):.2f}, least {min(ratios):.2f}"


def with_threads(count: int, side: Callable[[], object]) -> Callable[[], object]:
    """Return the same call in so many threads."""

    def call() -> object:
        with landscapes.threads(count):
            return side()

    return call


def machine() -> float:
    """Return what a second thread is worth on this machine now: hashing, free of the GIL."""
    data = bytes(2_000_000)
    with ThreadPoolExecutor(1) as pool:

        def both() -> None:
            other = pool.submit(hashlib.sha256, data)
            hashlib.sha256(data)
            other.result()

        took = fastest({"one": lambda: hashlib.sha256(data), "both": both})
    return 2.0 * took["one"] / took["both"]


# ---- BBOB: ioh and coco-experiment


def bbob_sides(function: int, dimension: int, x: Floats) -> dict[str, Callable[[], object]]:
    """Return the evaluation of points (n, d), or of one (d,), by us and by each peer."""
    import ioh
    from cocoex.bare_problem import BareProblem  # type: ignore[import-untyped, unused-ignore]

    f = landscapes.make("bbob", function=function, dimension=dimension)
    points = f.universe.points(x)
    of_ioh = ioh.get_problem(function, 1, dimension, ioh.ProblemClass.BBOB)
    of_coco = BareProblem("bbob", function, dimension, 1)
    listed = x.tolist()
    return {
        "ours": lambda: f.evaluate(points),
        "ioh, list": lambda: of_ioh(listed),
        "ioh, array": lambda: of_ioh(x),  # type: ignore[arg-type, unused-ignore]
        "coco": lambda: of_coco(x),
    }


def compare_bbob() -> None:
    """Print the table of batches, one and two threads, and of single points."""
    _batches(1_000)
    _threads(1_000)
    _threads(100_000)
    _single_points()


def _points(count: int, dimension: int) -> Floats:
    return np.random.default_rng(0).uniform(-5.0, 5.0, (count, dimension))


def _batches(count: int) -> None:
    print(f"\nBBOB, {count} points, one thread: nanoseconds a point, and the peers' best / ours")
    print(f"{'f':>3} {'d':>3} {'ours':>9} {'ioh':>9} {'coco':>9} {'ratio':>7}")
    ratios = []
    for function in FUNCTIONS:
        for d in DIMENSIONS:
            took = fastest(bbob_sides(function, d, _points(count, d)))
            ns = {name: 1e9 * seconds / count for name, seconds in took.items()}
            of_ioh = min(ns["ioh, list"], ns["ioh, array"])
            ratios.append(min(of_ioh, ns["coco"]) / ns["ours"])
            row = f"{ns['ours']:9.1f} {of_ioh:9.1f} {ns['coco']:9.1f} {ratios[-1]:7.2f}"
            print(f"{function:3} {d:3} {row}", flush=True)
    print(f"{mean(ratios)}; wanted: 2, and none under 1")


def _threads(count: int) -> None:
    print(f"\nBBOB, {count} points: one thread / two threads; this machine gives {machine():.2f}")
    ratios = []
    for function in FUNCTIONS:
        row = []
        for d in DIMENSIONS:
            f = landscapes.make("bbob", function=function, dimension=d)
            points = f.universe.points(_points(count, d))
            one = lambda f=f, points=points: f.evaluate(points)  # noqa: E731
            took = fastest({"one": one, "two": with_threads(2, one)})
            row.append(took["one"] / took["two"])
        print(f"f{function:<3}", *(f"{ratio:7.2f}" for ratio in row), flush=True)
        ratios += row
    print(f"{mean(ratios)}; wanted: 1.7; afterwards this machine gave {machine():.2f}")


def _single_points() -> None:
    print("\nBBOB, one point: nanoseconds, and ioh's faster call / ours")
    print(f"{'f':>3} {'d':>3} {'ours':>7} {'list':>7} {'array':>7} {'coco':>7} {'ratio':>7}")
    ratios: dict[int, list[float]] = {10: [], 40: []}
    for function in FUNCTIONS:
        for d in ratios:
            took = fastest(bbob_sides(function, d, _points(1, d)[0]))
            ours, listed, array, coco = (1e9 * seconds for seconds in took.values())
            ratios[d].append(min(listed, array) / ours)
            row = f"{ours:7.0f} {listed:7.0f} {array:7.0f} {coco:7.0f} {ratios[d][-1]:7.2f}"
            print(f"{function:3} {d:3} {row}", flush=True)
    for d, found in ratios.items():
        print(f"d = {d}: {mean(found)}; wanted: 1")


# ---- NK: a plain numpy program, and ioh


def nk_by_numpy(f: NK, values: Floats) -> Floats:
    """Return f (n,) as one writes it in numpy: each contribution's index, then its table."""
    model = nk._model(f)
    bits, weights = values.astype(np.int64), 1 << np.arange(f.k, -1, -1)
    total = np.zeros(len(values), dtype=np.int64)
    for loci, table in zip(model.links, model.tables, strict=True):
        total += table[bits[:, loci] @ weights]
    return model.losses(total)


def nk_descended_by_numpy(f: NK) -> tuple[Floats, Ints]:
    """Return the values of all states, and where steepest descent ends from each."""
    model, states = nk._model(f), np.arange(1 << f.n)
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


def compare_nk() -> None:
    """Print all states with minima and basins, batches, and ioh at the one K that it has."""
    f = NK(20, 4)
    listed = lambda: nk._minima.__wrapped__(f)  # noqa: E731
    sides = {"ours": listed, "ours, 2 threads": with_threads(2, listed)}
    program = lambda: nk_descended_by_numpy(f)  # noqa: E731
    title = "NK, N = 20, K = 4: all 2^20 states, minima and basins; wanted: 150 ms on 2 cores"
    _compared(title, {**sides, "numpy": program}, 2**20)
    for n, k, wanted in ((100, 8, "; wanted: 1e6 a second"), (20, 4, "")):
        g = NK(n, k)
        points = g.universe.sample(100_000, np.random.default_rng(0))
        ours = lambda g=g, points=points: g.evaluate(points)  # noqa: E731
        by_numpy = lambda g=g, points=points: nk_by_numpy(g, points.values)  # noqa: E731
        sides = {"ours": ours, "ours, 2 threads": with_threads(2, ours), "numpy": by_numpy}
        _compared(f"NK, N = {n}, K = {k}: 100,000 points{wanted}", sides, 100_000)
    _nk_of_ioh()


def _nk_of_ioh() -> None:
    """ioh's K is always 1: another landscape, of the same work."""
    import ioh

    f = NK(100, 1)
    points = f.universe.sample(10_000, np.random.default_rng(0))
    peer = ioh.get_problem("NKLandscapes", 1, 100, ioh.ProblemClass.PBO)
    rows, one = points.values.astype(int).tolist(), points[0]
    batch = {"ours": lambda: f.evaluate(points), "ioh, list": lambda: peer(rows)}
    _compared("NK, N = 100, K = 1: 10,000 points", batch, 10_000)
    single = {"ours": lambda: f.evaluate(one), "ioh": lambda: peer(rows[0])}
    _compared("NK, N = 100, K = 1: one point", single, 1)


def _compared(title: str, sides: Sides, points: int) -> None:
    took = fastest(sides)
    print(f"\n{title}\n{'':16} {'ms':>10} {'points/s':>10} {'/ ours':>7}")
    for name, seconds in took.items():
        ratio = seconds / took["ours"]
        print(f"{name:16} {1e3 * seconds:10.4f} {points / seconds:10.3g} {ratio:7.2f}", flush=True)


PARTS: Mapping[str, Callable[[], None]] = {"bbob": compare_bbob, "nk": compare_nk}


def main(names: list[str]) -> None:
    """Run the named parts, or all."""
    unknown = sorted(set(names) - set(PARTS))
    if unknown:
        raise SystemExit(f"there is no part {unknown[0]}; there are {', '.join(PARTS)}")
    for name in names or PARTS:
        PARTS[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
