"""How fast BBOB functions are evaluated; against the peers: compare_landscapes.py."""

from __future__ import annotations

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from landscapes.bbob import Bbob


@pytest.mark.parametrize("batch", [1, 1_000])
@pytest.mark.parametrize("dimension", [2, 10, 40])
@pytest.mark.parametrize("function", [1, 3, 15, 16, 20, 21, 23, 24])
def test_evaluation(benchmark: BenchmarkFixture, function: int, dimension: int, batch: int) -> None:
    f = Bbob(function, dimension)
    points = f.universe.sample(batch, np.random.default_rng(0))
    f.evaluate(points)  # compiles
    values = benchmark(f.evaluate, points)
    assert values.shape == (batch,)


def test_making_an_instance(benchmark: BenchmarkFixture) -> None:
    from landscapes._bbob_instance import instance

    made = benchmark(instance.__wrapped__, 15, 40, 1)
    assert made.second.shape == (40, 40)
