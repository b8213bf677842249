"""The test of visits: exact by enumeration, right where runs cluster, powerful at all sizes."""

from __future__ import annotations

import itertools
import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hpo_lab import statistics as s

Ints = npt.NDArray[np.int64]


def brute_chance(mu: float, budget: int, least: int) -> float:
    """P(at least so many of the draws hit), over all sequences of hits and misses."""
    return sum(
        math.prod(mu if hit else 1 - mu for hit in draws)
        for draws in itertools.product((0, 1), repeat=budget)
        if sum(draws) >= least
    )


@given(st.floats(0.01, 0.99), st.integers(1, 8), st.integers(1, 12))
def test_the_chance_to_come_is_what_all_sequences_of_draws_give(
    mu: float, budget: int, runs: int
) -> None:
    found = s.verdicts([mu], budget, [0], runs, counts=np.zeros((runs, 1)))
    assert 1 <= found.least[0] <= max(1, mu * budget / 2)
    assert found.chance[0] == pytest.approx(brute_chance(mu, budget, found.least[0]), rel=1e-9)
    assert found.p[0] == pytest.approx((1 - found.chance[0]) ** runs, rel=1e-6, abs=1e-300)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9), st.integers(1, 2000), st.integers(1, 100))
def test_least_visits_is_the_largest_that_keeps_its_word(
    mu: list[float], budget: int, runs: int
) -> None:
    wanted = 0.05 / (100 * len(mu))
    for mass, found in zip(mu, s.least_visits(mu, budget, runs).tolist(), strict=True):

        def smallest(least: int, mass: float = mass) -> float:
            return float(stats.binom.cdf(least - 1, budget, mass)) ** runs

        assert found == 1 or smallest(found) <= wanted * 1.0001
        if (1 - mass) ** budget >= 0.1 + 1e-12:
            assert found == 1
        elif found + 1 <= mass * budget / 2 and (1 - mass) ** budget < 0.1 - 1e-12:
            assert smallest(found + 1) > wanted * 0.9999


@given(st.integers(1, 6), st.integers(1, 6), st.data())
def test_fisher_against_all_ways_to_deal(runs: int, others: int, data: st.DataObject) -> None:
    came = data.draw(st.integers(0, runs))
    others_came = data.draw(st.integers(0, others))
    marked = [1] * (came + others_came) + [0] * (runs + others - came - others_came)
    deals = [sum(hand) for hand in itertools.combinations(marked, runs)]
    share = np.mean([dealt <= came for dealt in deals])
    assert s.fewer_runs_p_value(came, runs, others_came, others) == pytest.approx(share)


def clustered(mu: float, budget: int, runs: int, studies: int, correlation: float) -> Ints:
    """Visits (studies, runs): each run has a share of its own, beta-distributed around mu."""
    rng = np.random.default_rng([budget, runs, int(1000 * correlation)])
    share: npt.NDArray[np.float64] | float = mu
    if correlation:
        a = mu * (1 - correlation) / correlation
        share = rng.beta(a, a * (1 - mu) / mu, size=(studies, runs))
    return rng.binomial(budget, share, size=(studies, runs))


def p_values(counts: Ints, mu: float, budget: int) -> npt.NDArray[np.float64]:
    """The p-value of each study (studies,): many regions of one measure, in one family."""
    runs = counts.shape[1]
    least = s.least_visits([mu], budget, runs)[0]
    chance = stats.binom.sf(least - 1, budget, mu)
    return s.visit_p_value((counts >= least).sum(axis=1), runs, chance)


@pytest.mark.parametrize("runs", [3, 10, 30, 100])
@pytest.mark.parametrize(("mu", "budget"), [(0.01, 100), (0.05, 100), (0.2, 100), (0.5, 500)])
def test_level_under_uniform_search(mu: float, budget: int, runs: int) -> None:
    """Exact at every level: far out too, where corrections for many regions reach."""
    p = p_values(clustered(mu, budget, runs, 20_000, 0.0), mu, budget)
    for alpha in (0.05, 0.01, 0.001):
        assert 1 - s.visit_upper_bound(len(p) - (p <= alpha).sum(), len(p), 0.999) <= alpha


@pytest.mark.parametrize("runs", [10, 30])
@pytest.mark.parametrize("correlation", [0.02, 0.1])
def test_runs_that_differ_are_judged_by_how_many_come(runs: int, correlation: float) -> None:
    """The hypothesis is about runs: its level holds whatever the evaluations of a run do.

    Clustered runs whose mean share is fair come less often than uniform ones do: that is what is
    tested, and it is measured against the share of runs that really come.
    """
    mu, budget = 0.2, 100
    counts = clustered(mu, budget, runs, 4_000, correlation)
    least = s.least_visits([mu], budget, runs)[0]
    really = (clustered(mu, budget, 1, 200_000, correlation) >= least).mean()
    p = s.visit_p_value((counts >= least).sum(axis=1), runs, really)
    assert 1 - s.visit_upper_bound((p > 0.05).sum(), len(p), 0.999) <= 0.05


@pytest.mark.parametrize("ratio", [0.0, 0.1, 0.25])
def test_power_where_a_single_visit_says_nothing(ratio: float) -> None:
    """20 % of the space at a quarter of its fair density: the issue asks for 0.95."""
    rng = np.random.default_rng(5)
    mu, budget, runs, studies = 0.2, 100, 30, 200
    rest = np.full(4, (1 - mu * ratio) / 4)
    found = {"counts": 0, "visits": 0}
    for _ in range(studies):
        counts = rng.multinomial(budget, [mu * ratio, *rest], size=runs)
        visited = (counts > 0).sum(axis=0)
        for name, given_counts in (("counts", counts), ("visits", None)):
            word = s.verdicts([mu] * 5, budget, visited, runs, counts=given_counts).word[0]
            found[name] += word in (s.NEVER_SEEN, s.NEGLECTED)
    assert found["counts"] >= 0.95 * studies
    if ratio == 0.25:
        assert found["visits"] == 0


def test_power_at_one_percent() -> None:
    """Ratio 0.1, measure 1 %, budget 100, 30 repetitions, among 100 cells: it is always found.

    The word asks for more: "neglected" needs an upper bound below half of what uniform search has,
    and 30 runs show that in four of five studies.
    """
    rng = np.random.default_rng(6)
    mu = np.full(100, 0.01)
    searched = np.append(0.001, np.full(99, 0.999 / 99))
    found = said = 0
    for _ in range(200):
        counts = rng.multinomial(100, searched, size=30)
        told = s.verdicts(mu, 100, (counts > 0).sum(axis=0), 30, counts=counts)
        found += told.adjusted[0] <= 0.05
        said += told.word[0] in (s.NEVER_SEEN, s.NEGLECTED)
    assert found >= 0.95 * 200
    assert said >= 0.7 * 200


def test_one_run_is_enough_for_what_is_large() -> None:
    counts = np.array([[990, 0, 10]])
    told = s.verdicts([0.5, 0.2, 0.3], 1000, [1, 0, 1], 1, counts=counts)
    assert told.word.tolist() == [s.NO_EVIDENCE, s.NEVER_SEEN, s.NO_EVIDENCE]
    assert told.p[1] < 1e-4
    assert told.p[2] < 1e-4
    assert s.verdicts([0.5, 0.5], 5, [1, 0], 1, counts=[[5, 0]]).word[1] == s.UNTESTABLE


def test_randomised_p_values_of_counts_are_uniform() -> None:
    rng = np.random.default_rng(7)
    mu, budget, runs = 0.3, 40, 12
    counts = rng.binomial(budget, mu, size=(3000, runs))
    least = s.least_visits([mu], budget, runs)[0]
    assert least > 1
    came = (counts >= least).sum(axis=1)
    p = s.randomised_p_value(came, runs, stats.binom.sf(least - 1, budget, mu), rng.random(3000))
    assert stats.kstest(p, "uniform").pvalue > 1e-3


def test_counts_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="one row a run"):
        s.verdicts([0.5, 0.5], 5, [1, 1], 2, counts=[[1, 1]])
    with pytest.raises(ValueError, match="number of runs with a visit"):
        s.verdicts([0.5, 0.5], 5, [1, 1], 1, counts=[[1, 0]])
