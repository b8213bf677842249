"""What recording costs: one run of random search on a cheap landscape, 100,000 evaluations.

The figure to reach is at most 5 microseconds per evaluation, recording included.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import landscapes
from hpo_lab import discovery
from hpo_lab.assumption import View
from hpo_lab.harness import execute
from hpo_lab.landscape import Problem
from hpo_lab.measure import Results
from hpo_lab.store import Store
from hpo_lab.study import Study
from hpo_lab.verbs import run

EVALUATIONS = 100_000


@pytest.fixture
def problem() -> Problem:
    landscape = landscapes.make("peaks", dimension=2, peaks=3, instance=1)
    landscape.evaluate(landscape.universe.sample(10, np.random.default_rng(0)))  # compiles
    return Problem(landscape, View.identity(landscape.universe))


def test_random_search_in_the_harness(
    benchmark: BenchmarkFixture, problem: Problem, tmp_path: Path
) -> None:
    store = Store(tmp_path)
    recipe = discovery.make("strategies", "random", {})

    def one_run() -> None:
        trials = execute(problem, recipe, EVALUATIONS, np.random.default_rng(0))
        store.write("0" * 32, trials, {})

    benchmark.pedantic(one_run, rounds=5, warmup_rounds=1)  # type: ignore[no-untyped-call]
    if benchmark.stats:
        per_evaluation = benchmark.stats.stats.median / EVALUATIONS * 1e6
        benchmark.extra_info["microseconds per evaluation"] = round(per_evaluation, 3)
    assert len(store.read("0" * 32).trials) == EVALUATIONS


def test_reading_and_measuring_two_hundred_runs(
    benchmark: BenchmarkFixture, tmp_path: Path
) -> None:
    (tmp_path / "s.toml").write_text(
        'schema = 1\n[[landscapes]]\nuse = "peaks"\n[[strategies]]\nuse = "random"\n'
        "[runs]\nbudget = 50\nrepetitions = 200\n"
    )
    study = Study.read(tmp_path / "s.toml")
    run(study, tmp_path / "out", workers=2)
    load = Results.load
    results = benchmark.pedantic(load, (study, tmp_path / "out"), rounds=3)  # type: ignore[no-untyped-call]
    assert not results.missing
