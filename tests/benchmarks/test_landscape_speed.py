"""How fast landscapes evaluate, by the size of the batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import landscapes

ARGUMENTS: dict[str, dict[str, Any]] = {
    "peaks": {"dimension": 10, "peaks": 30},
    "families": {"optima": 3, "ruggedness": 0.1},
    "nas_graph": {"dataset": "cora"},
}


@pytest.mark.parametrize("batch", [1, 1_000, 100_000])
@pytest.mark.parametrize("name", sorted(ARGUMENTS))
def test_evaluation(benchmark: BenchmarkFixture, name: str, batch: int) -> None:
    f = landscapes.make(name, **ARGUMENTS[name])
    points = f.universe.sample(batch, np.random.default_rng(0))
    f.evaluate(points)  # compiles and loads
    values = benchmark(f.evaluate, points)
    assert values.shape == (batch,)


@pytest.mark.parametrize("name", sorted(ARGUMENTS))
def test_exact_optimum_of_a_declared_space(benchmark: BenchmarkFixture, name: str) -> None:
    f = landscapes.make(name, **ARGUMENTS[name])
    f.optimum()
    benchmark(f.optimum)
