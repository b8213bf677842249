"""What a strategy's own work costs: ask and tell, on a landscape that costs nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hpo_lab import discovery
from hpo_lab.space import Choice, Space
from hpo_lab.testing.spaces import KINDS_OF_SPACE
from hpo_lab.testing.strategy import rugged, trace

NAS = Space.box(*[Choice(f"op{i}", tuple(range(9))) for i in range(5)])
SPACES = {
    "nas": NAS,
    "mixed": KINDS_OF_SPACE["mixed"],
    "conditional": KINDS_OF_SPACE["conditional"],
}


@pytest.mark.parametrize("kind", SPACES)
@pytest.mark.parametrize("name", ["evolution", "grid", "random"])
def test_thousand_evaluations(benchmark: Any, name: str, kind: str) -> None:
    strategy = discovery.make("strategies", name, {})
    benchmark(trace, strategy, SPACES[kind], 1000, 0, rugged)


@pytest.mark.parametrize("kind", SPACES)
def test_gp_run_of_fifty(benchmark: Any, kind: str) -> None:
    strategy = discovery.make("strategies", "gp", {})
    benchmark(trace, strategy, SPACES[kind], 50, 0, rugged)


def test_random_draws_in_a_batch(benchmark: Any) -> None:
    strategy = discovery.make("strategies", "random", {})
    benchmark(lambda: strategy.start(NAS, 100_000, np.random.default_rng(0)).ask())
