"""What verdicts cost: 10,000 regions, 100 runs of 1,000 evaluations, from nothing kept before.

The figure to reach is at most 2 seconds for the whole table.
"""

from __future__ import annotations

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from hpo_lab import discovery
from hpo_lab.assumption import View
from hpo_lab.landscape import Landscape, Problem, enumeration
from hpo_lab.measure import ArmResult, Cell, region_optima, system_masses, system_names
from hpo_lab.measures.regions import table_of
from hpo_lab.region import Cells
from hpo_lab.space import Integer, Space
from hpo_lab.study import Arm, Part, SpaceSpec

RUNS, BUDGET, REGIONS = 100, 1000, 10_000


@pytest.fixture(scope="module")
def cell() -> Cell:
    space = Space.box(*[Integer(f"k{i}", 1, 10) for i in range(4)])
    landscape: Landscape = discovery.make("landscapes", "flat", {"space": space, "fresh": False})
    problem = Problem(landscape, View.identity(space))
    points = space.sample(RUNS * BUDGET, np.random.default_rng(0))
    truth = landscape.evaluate(points).reshape(RUNS, BUDGET)
    return Cell(
        instance=1,
        problem=problem,
        budget=BUDGET,
        repetitions=np.arange(1, RUNS + 1),
        points=points,
        run=np.repeat(np.arange(RUNS), BUDGET),
        evaluation=np.tile(np.arange(BUDGET), RUNS),
        observed=truth,
        truth=truth,
        asked=np.ones((RUNS, BUDGET), dtype=bool),
    )


def test_verdicts_on_ten_thousand_regions(benchmark: BenchmarkFixture, cell: Cell) -> None:
    parts = Part("landscapes", "flat", (), "flat"), Part("strategies", "random", (), "random")
    arm = Arm(parts[0], SpaceSpec("universe", (), ()), parts[1], BUDGET, BUDGET, "family", 0)

    def afresh() -> None:
        for kept in (region_optima, system_masses, system_names, enumeration):
            kept.cache_clear()

    def table() -> int:
        system = Cells(cell.problem.view.universe, REGIONS)
        return len(table_of(ArmResult(arm, (cell,)), cell, system))

    found = benchmark.pedantic(table, setup=afresh, rounds=3)  # type: ignore[no-untyped-call]
    assert found == REGIONS
    if benchmark.stats is not None:  # a benchmark that is off only runs
        assert benchmark.stats.stats.min < 2.0
