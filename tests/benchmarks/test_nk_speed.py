"""How fast NK landscapes are evaluated, listed and minimised."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import landscapes
from hpo_lab.landscape import Optimum
from landscapes import nk
from landscapes.nk import NK


@pytest.mark.parametrize("count", [1, 2])
def test_all_states_minima_and_basins(benchmark: BenchmarkFixture, count: int) -> None:
    f = NK(20, 4)
    nk._minima.__wrapped__(f)  # compiles
    with landscapes.threads(count):
        minima = benchmark(nk._minima.__wrapped__, f)
    assert len(minima.values) == 434


@pytest.mark.parametrize("batch", [1, 1_000, 100_000])
@pytest.mark.parametrize(("n", "k"), [(20, 4), (100, 8), (200, 4)])
def test_evaluation(benchmark: BenchmarkFixture, n: int, k: int, batch: int) -> None:
    f = NK(n, k)
    points = f.universe.sample(batch, np.random.default_rng(0))
    f.evaluate(points)
    values = benchmark(f.evaluate, points)
    assert values.shape == (batch,)


@pytest.mark.parametrize(
    "arguments",
    [
        {"n": 100, "k": 4, "neighbourhood": "adjacent"},
        {"n": 100, "k": 8, "neighbourhood": "adjacent"},
        {"n": 24, "k": 4},
    ],
    ids=str,
)
def test_exact_optimum(benchmark: BenchmarkFixture, arguments: dict[str, Any]) -> None:
    f = NK(**arguments)
    f.optimum()

    def afresh() -> object:
        nk._lowest_in_box.cache_clear()
        return f.optimum()

    assert isinstance(benchmark(afresh), Optimum)
