"""Published numbers of random search, by our functions, our strategy and our statistics."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hpo_lab.optimizers.random import Random
from hpo_lab.statistics import expected_running_time
from landscapes.bbob import Bbob

DRAWS = 2_000_000


@pytest.mark.parametrize(
    ("function", "target", "expected"),
    [
        (1, 1.0, 31.83),  # a ball: 10^D / (V_D Δ^(D/2))
        (1, 0.1, 318.3),
        (5, 1.0, 2000.0),  # a corner: D! Π s_i (10 / Δ)^D
    ],
)
def test_random_search_hits_a_target_as_often_as_its_volume_says(
    function: int, target: float, expected: float
) -> None:
    """Exact binomial bounds, 99.9 %, of the hits of f − f_opt ≤ Δ in two dimensions."""
    from scipy.stats import binom

    f = Bbob(function=function, dimension=2, instance=1)
    asked = Random().start(f.universe, DRAWS, np.random.default_rng(function)).ask()
    hit = f.evaluate(asked) - f.made_of.f_opt <= target
    low, high = binom.interval(0.999, DRAWS, 1.0 / expected)
    assert low <= hit.sum() <= high
    # as runtimes: a run is the draws up to a hit, the last one is cut off
    ends = np.flatnonzero(hit)
    spent = np.diff(np.concatenate([[-1], ends, [DRAWS - 1]]))
    mean = expected_running_time(spent, np.append(np.ones(len(ends), dtype=bool), False))
    assert mean == pytest.approx(DRAWS / hit.sum())
    assert mean == pytest.approx(expected, rel=4.0 / math.sqrt(hit.sum()))
