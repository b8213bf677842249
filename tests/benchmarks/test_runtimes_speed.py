"""What ECDFs over 51 targets cost, and that the cost grows like the number of trials.

The figure to reach is three compiled passes over the data (``compare_analysis`` prints ratios).
"""

from __future__ import annotations

import time

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from hpo_lab.statistics import log_targets, runtime_ecdf

TRIALS = (1_000_000, 2_000_000, 4_000_000)


@pytest.mark.parametrize("runs", [100, 1_000])
def test_ecdf_of_a_million_trials(benchmark: BenchmarkFixture, runs: int) -> None:
    values = np.random.default_rng(0).lognormal(0, 3, (runs, 1_000_000 // runs))
    profile = benchmark(runtime_ecdf, values, log_targets())
    assert 0 < profile[-1] < 1


def test_the_cost_grows_like_the_number_of_trials() -> None:
    """Four times the trials in at most seven times the time: near linear, with room for noise."""
    rng = np.random.default_rng(0)
    arrays = [rng.lognormal(0, 3, (size // 1_000, 1_000)) for size in TRIALS]
    targets = log_targets()
    fastest = dict.fromkeys(TRIALS, np.inf)
    for _ in range(9):  # sizes take turns, so that other work disturbs all alike
        for size, values in zip(TRIALS, arrays, strict=True):
            start = time.perf_counter()
            runtime_ecdf(values, targets)
            fastest[size] = min(fastest[size], time.perf_counter() - start)
    assert fastest[TRIALS[-1]] < 7 * fastest[TRIALS[0]]
