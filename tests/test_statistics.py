"""Every statistic against brute force, a closed form, or an independent implementation."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from hpo_lab import statistics as s
from hpo_lab.statistics import intervals

Floats = npt.NDArray[np.float64]

# --- Intervals -----------------------------------------------------------------------------------


def test_resampled_runs_stay_inside_the_instance_that_was_drawn() -> None:
    runs = s.resampled_runs(4, 5, resamples=500, seed=3)
    instance = runs // 5
    assert (instance == instance[:, :, :1]).all()
    assert set(np.unique(runs)) == set(range(20))


def test_the_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    values = np.random.default_rng(0).normal(size=(3, 12))
    assert s.bootstrap_mean(values, seed=7) == s.bootstrap_mean(values, seed=7)
    assert s.bootstrap_mean(values, seed=7) != s.bootstrap_mean(values, seed=8)


@pytest.mark.parametrize(
    "values",
    [
        [[3.0]],
        [2.0] * 40,
        np.full((5, 30), 0.1),
        np.tile(np.random.default_rng(1).normal(size=8), (4, 1)),  # four copies of one instance
    ],
)
def test_no_variation_between_clusters_gives_no_interval(values: npt.ArrayLike) -> None:
    assert s.bootstrap_mean(values) is None


def test_a_deterministic_strategy_still_varies_between_instances() -> None:
    interval = s.bootstrap_mean(np.repeat([[1.0], [2.0], [4.0], [7.0]], 10, axis=1))
    assert interval is not None
    assert interval[0] < 3.5 < interval[1]


@pytest.mark.parametrize("shape", [(1, 30, 7), (6, 10, 7)])
def test_each_column_gets_the_interval_that_it_would_get_alone(shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(2).exponential(size=shape)
    together = s.bootstrap_means(values)
    alone = [s.bootstrap_mean(values[:, :, j]) for j in range(shape[2])]
    np.testing.assert_allclose(together, np.array(alone), rtol=1e-9)


def test_intervals_follow_a_change_of_unit() -> None:
    values = np.random.default_rng(3).exponential(size=(1, 30, 3))
    np.testing.assert_allclose(
        s.bootstrap_means(1e6 + 1e-3 * values), 1e6 + 1e-3 * s.bootstrap_means(values), rtol=1e-12
    )


def test_a_wider_level_gives_a_wider_interval() -> None:
    values = np.random.default_rng(4).exponential(size=(1, 30, 1))
    narrow, wide = s.bootstrap_means(values, level=0.8)[0], s.bootstrap_means(values)[0]
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_columns_are_worked_through_in_blocks_without_a_trace() -> None:
    values = np.random.default_rng(5).normal(size=(40, 2, 130))  # more than one block
    np.testing.assert_allclose(
        s.bootstrap_means(values)[100:], s.bootstrap_means(values[:, :, 100:]), rtol=1e-9
    )


def test_a_run_without_success_costs_its_columns_only() -> None:
    values = np.random.default_rng(6).normal(size=(1, 30, 3))
    expected = s.bootstrap_means(values)
    values[0, 4, 1] = np.inf
    expected[1] = np.nan
    np.testing.assert_allclose(s.bootstrap_means(values), expected, rtol=1e-12)
    with pytest.raises(ValueError, match="medians"):
        s.bootstrap_mean(values[:, :, 1])


def test_the_limits_are_finite_where_one_run_carries_all_the_regret() -> None:
    values = np.zeros((1, 30, 1))
    values[0, 0] = 1.0
    low, high = s.bootstrap_means(values)[0]
    assert 0 <= low < 1 / 30 < high < 0.2


def test_bca_agrees_with_scipy() -> None:
    x = np.random.default_rng(7).exponential(size=25)
    draws = s.resampled_runs(25, 1, resamples=20_000)
    sums, _ = intervals._resampled_moments((x - x.mean())[:, None, None], draws)
    ours = intervals._bca((x - x.mean())[:, None], sums, stats.norm.ppf(0.975))[0] + x.mean()
    theirs = stats.bootstrap((x,), np.mean, n_resamples=20_000, method="BCa", rng=1)
    np.testing.assert_allclose(ours, theirs.confidence_interval, atol=0.02 * np.ptp(ours))


@pytest.mark.parametrize(
    ("values", "options", "word"),
    [
        (np.zeros((2, 3)), {}, "columns"),
        (np.zeros((0, 3, 2)), {}, "columns"),
        (np.zeros((1, 3, 2)), {"level": 1.0}, "level"),
        (np.zeros((1, 3, 2)), {"resamples": 20}, "resamples"),
    ],
)
def test_wrong_input_of_the_bootstrap(values: Floats, options: dict[str, float], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        s.bootstrap_means(values, **options)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least one"):
        s.resampled_runs(0, 3)
    with pytest.raises(ValueError, match="repetitions"):
        s.bootstrap_mean(np.zeros((2, 2, 2)))


# --- Visits --------------------------------------------------------------------------------------


def binomial(k: int, n: int, q: float) -> float:
    return math.comb(n, k) * q**k * (1 - q) ** (n - k)


@pytest.mark.parametrize("runs", [1, 2, 7, 30])
@pytest.mark.parametrize("q", [0.0, 0.001, 0.3, 0.95, 1.0])
def test_visit_p_values_are_sums_of_binomial_terms(runs: int, q: float) -> None:
    k = np.arange(runs + 1)
    terms = np.array([binomial(int(i), runs, q) for i in k])
    np.testing.assert_allclose(s.visit_p_value(k, runs, q), np.cumsum(terms), atol=1e-12)
    np.testing.assert_allclose(
        s.randomised_p_value(k, runs, q, 0.25), np.cumsum(terms) - 0.75 * terms, atol=1e-12
    )


def test_upper_bounds() -> None:
    # The rule of three's relatives, and the definition: P(Bin(n, bound) <= k) = 0.05.
    np.testing.assert_allclose(s.visit_upper_bound(0, [30, 60]), 1 - 0.05 ** (1 / np.r_[30, 60]))
    assert s.visit_upper_bound(0, [30, 60, 300]).round(3).tolist() == [0.095, 0.049, 0.010]
    k = np.arange(10)
    np.testing.assert_allclose(s.visit_p_value(k, 10, s.visit_upper_bound(k, 10)), 0.05, atol=1e-12)
    assert s.visit_upper_bound(10, 10) == 1.0


def test_counts_outside_the_runs_are_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and runs"):
        s.visit_p_value(4, 3, 0.5)
    with pytest.raises(ValueError, match="between 0 and 1"):
        s.visit_p_value(1, 3, 1.5)
    with pytest.raises(ValueError, match="measure"):
        s.visit_chance([-0.1], 5)


def test_the_smallest_testable_region_of_1023() -> None:
    smallest = 1 - (0.05 / 1023) ** (1 / 3000)
    assert round(100 * smallest, 2) == 0.33
    assert s.is_testable(np.full(1023, smallest * 1.0001), 100, 30).all()
    assert not s.is_testable(np.full(1023, smallest * 0.9999), 100, 30).any()


@given(
    st.lists(st.sampled_from([0.0, 0.001, 0.01, 0.02, 0.05, 0.2, 1.0]), max_size=12),
    st.integers(1, 60),
    st.integers(1, 5),
)
def test_the_testable_set_is_the_largest_that_fits_its_own_size(
    mu: list[float], budget: int, runs: int
) -> None:
    best: set[int] = set()
    for cut in {0.0, *mu}:  # every set that is closed under equal measure
        family = {i for i, m in enumerate(mu) if m >= cut}
        if len(family) > len(best) and all(
            (1 - mu[i]) ** (budget * runs) <= 0.05 / len(family) for i in family
        ):
            best = family
    assert set(np.flatnonzero(s.is_testable(mu, budget, runs))) == best


probabilities = st.lists(st.floats(0, 1), min_size=1, max_size=12)


@given(probabilities)
def test_step_up_corrections_agree_with_scipy(p: list[float]) -> None:
    theirs = stats.false_discovery_control
    np.testing.assert_allclose(s.benjamini_hochberg(p), theirs(p), atol=1e-12)
    np.testing.assert_allclose(s.benjamini_yekutieli(p), theirs(p, method="by"), atol=1e-12)


@given(probabilities, st.sampled_from([0.01, 0.05, 0.3]))
def test_corrections_reject_what_their_definitions_reject(p: list[float], alpha: float) -> None:
    ranked, m = sorted(p), len(p)
    up = max((k for k in range(1, m + 1) if ranked[k - 1] * m / k <= alpha), default=0)
    down = next((k for k in range(m) if ranked[k] * (m - k) > alpha), m)
    assert (s.benjamini_hochberg(p) <= alpha).sum() == up
    assert (s.holm(p) <= alpha).sum() == down


def test_corrections_of_nothing_and_of_nonsense() -> None:
    assert s.benjamini_hochberg([]).size == s.benjamini_yekutieli([]).size == s.holm([]).size == 0
    for correct in (s.benjamini_hochberg, s.benjamini_yekutieli, s.holm):
        with pytest.raises(ValueError, match="between 0 and 1"):
            correct([0.5, np.nan])


def test_the_six_words() -> None:
    mu = [0.4, 0.3, 0.2, 0.0999, 0.0001, 0.0]
    found = s.verdicts(
        mu, 30, [20, 20, 1, 0, 0, 0], 20, excluded=[False, False, False, False, False, True]
    )
    words = [s.NO_EVIDENCE, s.NO_EVIDENCE, s.NEGLECTED, s.NEVER_SEEN, s.UNTESTABLE, s.EXCLUDED]
    assert found.word.tolist() == words
    np.testing.assert_allclose(found.expected[:5], 1 - (1 - np.array(mu[:5])) ** 30)
    assert np.isnan(found.adjusted[4:]).all()
    assert np.isfinite(found.p[4])
    assert np.isnan([found.p[5], found.upper[5], found.expected[5]]).all()


def test_empty_cells_of_uniform_search_are_nobodys_fault() -> None:
    # 54.6 of 1,024 cells stay empty after 30 runs of 100 evaluations: too small to be tested.
    found = s.verdicts(np.full(1024, 1 / 1024), 100, np.zeros(1024, int), 30)
    assert set(found.word) == {s.UNTESTABLE}


def test_a_deterministic_strategy_has_no_p_value() -> None:
    found = s.verdicts(
        [0.5, 0.4999, 0.0001, 0], 9, [1, 0, 0, 0], 1, excluded=[0, 0, 0, 1], deterministic=True
    )
    assert found.word.tolist() == [
        s.NO_EVIDENCE,
        s.BY_CONSTRUCTION,
        s.BY_CONSTRUCTION,
        s.EXCLUDED,
    ]
    assert np.isnan(found.p).all()


def test_seen_less_often_is_not_yet_neglected() -> None:
    # 9 options, 10 runs of 50 evaluations, one option seen in 8 of the 10: significant, yet sane.
    found = s.verdicts(np.full(9, 1 / 9), 50, [8] + 8 * [10], 10)
    assert found.adjusted[0] < 0.05
    assert set(found.word) == {s.NO_EVIDENCE}


def test_excluded_regions_change_nothing_for_the_others() -> None:
    mu, visited = np.array([0.6, 0.3, 0.09, 0.01]), np.array([10, 1, 0, 0])
    alone = s.verdicts(mu, 20, visited, 10)
    beside = s.verdicts(
        np.append(mu, [0.2, 0.0]),
        20,
        np.append(visited, [0, 0]),
        10,
        excluded=[0, 0, 0, 0, 1, 1],
    )
    np.testing.assert_array_equal(beside.adjusted[:4], alone.adjusted)
    assert beside.word[:4].tolist() == alone.word.tolist()


@given(st.data())
def test_verdicts_do_not_depend_on_the_order_of_the_regions(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 8))
    weight = np.array(data.draw(st.lists(st.integers(1, 9), min_size=size, max_size=size)))
    visited = np.array(data.draw(st.lists(st.integers(0, 6), min_size=size, max_size=size)))
    order = np.array(data.draw(st.permutations(range(size))))
    mu = weight / weight.sum()
    plain = s.verdicts(mu, 5, visited, 6)
    moved = s.verdicts(mu[order], 5, visited[order], 6)
    assert moved.word.tolist() == plain.word[order].tolist()
    np.testing.assert_allclose(moved.adjusted, plain.adjusted[order], rtol=1e-12)


def test_overlapping_regions_pay_for_it() -> None:
    mu, visited = [0.5, 0.5, 0.3], [6, 0, 5]
    disjoint = s.verdicts(mu, 1, visited, 12).adjusted
    overlapping = s.verdicts(mu, 1, visited, 12, partition=False).adjusted
    np.testing.assert_allclose(overlapping, np.minimum(disjoint * (1 + 1 / 2 + 1 / 3), 1))


def test_regions_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(ValueError, match="one entry a region"):
        s.verdicts([0.5, 0.5], 5, [1], 2)
    with pytest.raises(ValueError, match="outside the declared space"):
        s.verdicts([0.5, 0.5], 5, [1, 1], 2, excluded=[True, False])


def test_expected_occupied() -> None:
    assert round(1024 - float(s.expected_occupied(np.full(1024, 1 / 1024), 3000)), 1) == 54.6
    mass = np.array([0.5, 0.25, 0.25])
    brute = [
        sum(
            math.prod(mass[list(seq)]) * len(set(seq))
            for seq in itertools.product(range(3), repeat=budget)
        )
        for budget in (1, 2, 4)
    ]
    np.testing.assert_allclose(s.expected_occupied(mass, [1, 2, 4]), brute)


# --- Random search -------------------------------------------------------------------------------

Table = tuple[list[int], list[float], list[float]]  # weights, observed, truth


@st.composite
def tables(draw: st.DrawFn) -> Table:
    size = draw(st.integers(1, 5))
    some = st.lists(st.integers(0, 3), min_size=size, max_size=size)
    weight = draw(st.lists(st.integers(1, 4), min_size=size, max_size=size))
    observed = [float(v) if v else math.nan for v in draw(some)]  # ties, and failures
    observed[0] = 1.0 if math.isnan(observed[0]) else observed[0]
    return weight, observed, [float(v) for v in draw(some)]


def incumbent_by_enumeration(table: Table, n: int) -> float:
    """Expected truth of the first visited of the best observed, over all sequences of draws."""
    weight, observed, truth = table
    mass = np.array(weight) / sum(weight)
    total = success = 0.0
    for sequence in itertools.product(range(len(weight)), repeat=n):
        seen = [i for i in sequence if not math.isnan(observed[i])]
        if seen:
            chance = math.prod(mass[list(sequence)])
            success += chance
            total += chance * truth[min(seen, key=lambda i: observed[i])]
    return total / success


def exact_expectation(table: Table, n: int) -> Fraction:
    """The formula term by term, in rational numbers."""
    weight, observed, truth = table
    size = sum(weight)
    total, beyond = Fraction(0), Fraction(1)
    for level in sorted({v for v in observed if not math.isnan(v)}):
        group = [i for i, v in enumerate(observed) if v == level]
        inside = Fraction(sum(weight[i] for i in group), size)
        mean = Fraction(
            sum(weight[i] * int(truth[i]) for i in group), sum(weight[i] for i in group)
        )
        total += mean * (beyond**n - (beyond - inside) ** n)
        beyond -= inside
    return total / (1 - beyond**n)


@settings(max_examples=50)
@given(tables())
def test_the_curve_is_the_mean_over_all_sequences(table: Table) -> None:
    curve = s.random_search_curve(*table)
    brute = [incumbent_by_enumeration(table, n) for n in (1, 2, 3, 4)]
    np.testing.assert_allclose(curve.expected([1, 2, 3, 4]), brute, atol=1e-12)
    fails = sum(w for w, v in zip(*table[:2], strict=True) if math.isnan(v)) / sum(table[0])
    np.testing.assert_allclose(curve.failure([1, 3]), [fails, fails**3], atol=1e-12)
    assert curve.expected([10**6])[0] == pytest.approx(curve.limit, abs=1e-12)


def test_the_curve_against_simulated_random_search() -> None:
    rng = np.random.default_rng(8)
    truth = rng.normal(size=200)
    observed = np.round(truth + rng.normal(size=200), 1)  # noise and ties
    observed[::9] = np.nan
    mass = rng.dirichlet(np.ones(200))
    draws = rng.choice(200, (40_000, 25), p=mass)
    reached = truth[
        np.take_along_axis(draws, np.nanargmin(observed[draws], axis=1)[:, None], axis=1)
    ]
    error = reached.std() / np.sqrt(len(reached))
    curve = s.random_search_curve(mass, observed, truth)
    assert abs(curve.expected([25])[0] - reached.mean()) < 4 * error


def test_the_oracle_is_the_expected_best_of_n_draws() -> None:
    values = np.sort(np.random.default_rng(9).normal(size=50))
    rank = np.arange(1, 51)
    curve = s.random_search_curve(np.ones(50), values, values)
    for n in (1, 7, 300):
        weight = ((51 - rank) / 50) ** n - ((50 - rank) / 50) ** n
        assert curve.expected([n])[0] == pytest.approx(values @ weight, abs=1e-12)


def test_observed_values_that_differ_in_the_last_bit_are_one_value() -> None:
    observed = [0.1 + 0.2, 0.3, 1.0]
    curve = s.random_search_curve(np.ones(3), observed, [0.0, 4.0, 9.0])
    assert curve.limit == pytest.approx(2.0)


def test_a_table_that_cannot_be_searched_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to expect"):
        s.random_search_curve([1, 0], [np.nan, 1], [0, 0])
    with pytest.raises(ValueError, match="truth finite"):
        s.random_search_curve([1, 1], [1, 2], [0, np.nan])
    with pytest.raises(ValueError, match="masses"):
        s.random_search_curve([1, -1], [1, 2], [0, 0])
    with pytest.raises(ValueError, match="one entry a point"):
        s.random_search_curve([1], [1, 2], [0, 0])
    with pytest.raises(ValueError, match="at least 1"):
        s.random_search_curve([1], [1], [0]).expected([0])


def as_set(wins: list[tuple[int, int | None]], horizon: int) -> set[int]:
    return {n for a, b in wins for n in range(a, (horizon if b is None else b) + 1) if n <= horizon}


@settings(max_examples=200, deadline=None)
@given(tables(), tables())
def test_wins_are_exact(universe: Table, declared: Table) -> None:
    wins = s.winning_budgets(s.random_search_curve(*universe), s.random_search_curve(*declared))
    brute = {
        n for n in range(1, 41) if exact_expectation(universe, n) > exact_expectation(declared, n)
    }
    assert as_set(wins, 40) == brute
    last = exact_expectation(universe, 2_000) > exact_expectation(declared, 2_000)
    assert (2_000 in as_set(wins, 2_000)) == last
    for (_, end), (start, _) in itertools.pairwise(wins):
        assert end is not None
        assert end + 1 < start  # maximal, in order


@pytest.mark.parametrize("failures", [0, 3])
def test_identical_curves_have_no_wins(failures: int) -> None:
    rng = np.random.default_rng(10)
    observed, truth, mass = rng.normal(size=500), rng.normal(size=500), rng.random(500)
    observed[:failures] = np.nan
    curve = s.random_search_curve(mass, observed, truth)
    order = rng.permutation(500)
    twin = s.random_search_curve(3 * mass[order], observed[order], truth[order])
    assert s.winning_budgets(curve, curve) == []
    assert s.winning_budgets(curve, twin) == s.winning_budgets(twin, curve) == []


def test_wins_where_the_difference_is_below_rounding_but_not_nothing() -> None:
    # The same two truths; the declared space draws the better one twice as often, for ever.
    often = s.random_search_curve([2, 98], [0, 1], [0, 1])
    seldom = s.random_search_curve([1, 99], [0, 1], [0, 1])
    assert seldom.expected([10**7])[0] == often.expected([10**7])[0] == 0
    assert s.winning_budgets(seldom, often) == [(1, None)]
    assert s.winning_budgets(often, seldom) == []


@pytest.mark.parametrize("worst", [1.0, 1e4])
def test_a_late_crossing_is_found_to_the_budget(worst: float) -> None:
    # E_U = worst (1 - 1e-6)^n and E_S = 1/2: the declared space wins while E_U > 1/2.
    universe = s.random_search_curve([1e-6, 1 - 1e-6], [0, 1], [0, worst])
    declared = s.random_search_curve([1], [0.5], [0.5])
    last = math.floor(math.log(0.5 / worst) / math.log1p(-1e-6))
    assert s.winning_budgets(universe, declared) == [(1, last)]
    assert s.winning_budgets(declared, universe) == [(last + 1, None)]
    assert s.break_even(s.winning_budgets(universe, declared)) == (last, "finite")


def test_what_the_curves_share_cancels_before_the_slowest_term_is_sought() -> None:
    # 0.9^n + 0.5^n against 0.9^n + 0.4^n.
    universe = s.random_search_curve([0.1, 0.4, 0.5], [0, 1, 2], [0, 1, 2])
    declared = s.random_search_curve([0.1, 0.5, 0.4], [0, 1, 2], [0, 1, 2])
    assert s.winning_budgets(universe, declared) == [(1, None)]
    assert s.winning_budgets(declared, universe) == []


def test_truths_that_differ_in_the_last_bit_make_no_win() -> None:
    universe = s.random_search_curve([1, 4, 5], [0, 1, 2], [0.3, 0.1 + 0.2, 1.0])
    declared = s.random_search_curve([4, 6], [0, 1], [0.3, 1.0])
    assert s.winning_budgets(universe, declared) == []


def test_several_intervals() -> None:
    # An early win (cheap draws), a loss, and a last win: the incumbent's truth need not fall.
    universe = s.random_search_curve([1, 9, 90], [0, 1, 2], [3.0, 0.0, 4.0])
    declared = s.random_search_curve([1], [0], [2.0])
    wins = s.winning_budgets(universe, declared)
    curve = universe.expected(np.arange(1, 2_001))
    assert as_set(wins, 2_000) == set(np.flatnonzero(curve > 2.0) + 1)
    assert len(wins) == 2
    assert s.break_even(wins) == (None, "unbounded")


def test_power_law_break_even() -> None:
    for price, last in ((0.02, 82_961), (0.05, 4_727), (0.10, 468)):
        budget = np.array([last, last + 1])
        net = s.power_law_regret(budget, 1.0, 3.0) - s.power_law_regret(budget, 1.0, 1.5) - price
        assert net[0] > 0 > net[1]
    with pytest.raises(ValueError, match="positive"):
        s.power_law_regret(5, 1.0, 0.0)


def test_power_law_against_simulation() -> None:
    best = np.random.default_rng(11).random((100_000, 12)).min(axis=1) ** (1 / 2.5) * 3
    error = best.std() / np.sqrt(len(best))
    assert abs(float(s.power_law_regret(12, 3.0, 2.5)) - best.mean()) < 4 * error


# --- Price against chance ------------------------------------------------------------------------


@given(st.lists(st.integers(0, 5), min_size=2, max_size=7), st.data())
def test_price_against_every_removal_of_as_many(values: list[int], data: st.DataObject) -> None:
    size = len(values)
    removed = data.draw(st.integers(0, size - 1))
    prices = [
        min(v for i, v in enumerate(values) if i not in gone) - min(values)
        for gone in itertools.combinations(range(size), removed)
    ]
    mask = np.array(data.draw(st.permutations([True] * removed + [False] * (size - removed))))
    chance = s.price_against_chance(values, mask)
    kept = np.array(values)[~mask].min()
    assert chance.price == kept - min(values)
    assert chance.carriers == sum(v < kept for v in values)
    assert chance.mean == pytest.approx(np.mean(prices))
    assert chance.p == pytest.approx(np.mean([p >= chance.price for p in prices]))


def test_price_of_a_large_table_against_simulation() -> None:
    rng = np.random.default_rng(12)
    values = rng.normal(size=3_000)
    mask = np.zeros(3_000, bool)
    mask[np.argsort(values)[:3]] = True
    mask[np.argsort(values)[-900:]] = True
    chance = s.price_against_chance(values, mask)
    prices = [values[~rng.permuted(mask)].min() - values.min() for _ in range(4_000)]
    assert abs(chance.mean - np.mean(prices)) < 4 * np.std(prices) / np.sqrt(4_000)
    assert chance.p == pytest.approx(math.comb(2_997, 900) / math.comb(3_000, 903))


def test_price_ignores_rounding_and_missing_values() -> None:
    free = s.price_against_chance([1.0, 1.0 + 1e-15, np.nan, 2.0], [True, False, True, False])
    assert (free.price, free.p, free.carriers) == (0.0, 1.0, 0)
    with pytest.raises(ValueError, match="remove fewer"):
        s.price_against_chance([1.0, np.nan], [True, False])
    with pytest.raises(ValueError, match="one entry a point"):
        s.price_against_chance([1.0, 2.0], [True])
