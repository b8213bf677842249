"""What was reachable but unseen: against closed forms, brute force, and totals that are known."""

from __future__ import annotations

import math
from math import comb

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo_lab import statistics as s

Floats = npt.NDArray[np.float64]


def incidence(chance: Floats, runs: int, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    return rng.random((runs, len(chance))) < chance


def test_where_regions_are_alike_the_estimate_finds_the_total() -> None:
    """With equal chances Chao's bound is attained; 400 studies of 10 runs at a chance of 0.1."""
    rng = np.random.default_rng(0)
    found = [s.chao2(incidence(np.full(200, 0.1), 10, rng)) for _ in range(400)]
    estimates = np.array([one.estimate for one in found])
    spread = estimates.std() / math.sqrt(len(found))
    assert estimates.mean() == pytest.approx(200, abs=4 * spread + 2)
    assert np.mean([one.observed for one in found]) == pytest.approx(200 * (1 - 0.9**10), rel=0.01)
    # the standard error is that of the estimates, and the interval keeps its level
    assert np.mean([one.error for one in found]) == pytest.approx(estimates.std(), rel=0.1)
    assert np.mean([one.low <= 200 <= one.high for one in found]) >= 0.93


def test_where_regions_differ_it_is_a_lower_bound() -> None:
    rng = np.random.default_rng(1)
    chance = rng.beta(0.5, 4, size=300)
    found = [s.chao2(incidence(chance, 20, rng)) for _ in range(100)]
    mean = np.mean([one.estimate for one in found])
    assert np.mean([one.observed for one in found]) < mean <= 300


def test_coverage_is_the_share_of_incidences_in_regions_seen_before() -> None:
    rng = np.random.default_rng(2)
    chance = rng.beta(0.7, 5, size=200)
    told, truth = [], []
    for _ in range(300):
        seen = incidence(chance, 15, rng)
        told.append(s.chao2(seen).coverage)
        truth.append(chance[seen.any(axis=0)].sum() / chance.sum())
    assert np.mean(told) == pytest.approx(np.mean(truth), abs=0.005)


@given(st.lists(st.lists(st.booleans(), min_size=4, max_size=4), min_size=2, max_size=6))
def test_the_parts_agree(rows: list[list[bool]]) -> None:
    seen = np.array(rows)
    found = s.chao2(seen)
    times = seen.sum(axis=0)
    assert found.observed == (times > 0).sum()
    m, q1, q2 = len(seen), (times == 1).sum(), (times == 2).sum()
    unseen = (m - 1) / m * q1 * (q1 - 1) / (2 * (q2 + 1))
    assert found.estimate == pytest.approx(found.observed + unseen)
    assert found.observed <= found.low <= found.estimate <= found.high
    assert s.chao2(seen[::-1, ::-1]) == found or math.isnan(found.coverage)


def test_one_run_says_nothing() -> None:
    found = s.chao2([[True, False, True]])
    assert (found.observed, found.once) == (2, 2)
    assert math.isnan(found.estimate)
    assert math.isnan(found.coverage)


@pytest.mark.parametrize("seen", [[], [True, False], np.zeros((0, 3))])
def test_bad_incidence(seen: object) -> None:
    with pytest.raises(ValueError, match="incidence must be"):
        s.chao2(seen)  # type: ignore[arg-type]


# --- optima -------------------------------------------------------------------------------------


def likelihood(w: int, n: int, k: int) -> float:
    """P(n searches end in w of k basins), all basin sizes equally likely: n balls in k boxes.

    Bose and Einstein's counting: all C(n + k - 1, n) ways to share n balls are alike, and
    C(n - 1, w - 1) of them fill w given boxes.
    """
    return comb(k, w) * comb(n - 1, w - 1) / comb(n + k - 1, n)


@pytest.mark.parametrize(("w", "n"), [(1, 10), (3, 20), (5, 30), (10, 60)])
def test_the_posterior_is_summed_up(w: int, n: int) -> None:
    """Beyond 3,000 optima the tail weighs less than 1e-9 of the second moment, or so few."""
    ks = np.arange(w, 3000)
    weight = np.array([likelihood(w, n, int(k)) for k in ks])
    weight /= weight.sum()
    mean = (weight * ks).sum()
    found = s.unseen_optima(w, n)
    assert found.estimate == pytest.approx(mean, rel=1e-6)
    assert found.error == pytest.approx(math.sqrt((weight * (ks - mean) ** 2).sum()), rel=1e-4)
    # a flat Dirichlet after n draws: each unseen basin keeps 1 / (n + k)
    assert found.unseen_share == pytest.approx((weight * (ks - w) / (n + ks)).sum(), rel=1e-6)


def test_the_estimate_against_simulated_landscapes() -> None:
    """Totals drawn evenly from 1 to 60 and flat basin sizes: what happens where w are found."""
    rng = np.random.default_rng(3)
    n, totals, unseen = 25, list[int](), list[float]()
    for _ in range(60_000):
        total = int(rng.integers(1, 61))
        size = rng.exponential(size=total)
        times = rng.multinomial(n, size / size.sum())
        if (times > 0).sum() == 4:
            totals.append(total)
            unseen.append(float(size[times == 0].sum() / size.sum()))
    found = s.unseen_optima(4, n)
    spread = float(np.std(totals)) / math.sqrt(len(totals))
    assert np.mean(totals) == pytest.approx(found.estimate, abs=4 * spread)
    assert np.mean(unseen) == pytest.approx(found.unseen_share, abs=0.004)


def test_too_few_searches_have_no_estimate() -> None:
    assert s.unseen_optima(8, 10).estimate == math.inf
    assert math.isnan(s.unseen_optima(7, 10).error)
    with pytest.raises(ValueError, match="between 1 and the number"):
        s.unseen_optima(3, 2)
