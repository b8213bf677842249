"""Coverage: arrays against enumeration, peers and published numbers; tables against loops."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hpo_lab.statistics import (
    NEVER,
    centred_discrepancy,
    covering_radius,
    density_ratios,
    discrepancy_curve,
    edge_shares,
    entropy,
    excess_emptiness,
    expected_occupied,
    first_visits,
    largest_empty_box,
    log_budgets,
    numbered,
    occupied,
    occupied_moments,
    random_discrepancy,
    random_dispersion,
    random_entropy,
    region_visits,
    simulated_occupied,
)

# --- occupancy: exact enumeration of small spaces ----------------------------------------------


def enumerated(mass: list[float], budget: int) -> tuple[float, float]:
    """Mean and standard deviation of the occupancy over every sequence of regions."""
    outside = max(1 - sum(mass), 0.0)
    first = second = 0.0
    for sequence in itertools.product(range(len(mass) + 1), repeat=budget):
        chance = math.prod([*mass, outside][region] for region in sequence)
        filled = len(set(sequence) - {len(mass)})
        first, second = first + chance * filled, second + chance * filled**2
    return first, math.sqrt(max(second - first**2, 0.0))


@pytest.mark.parametrize("mass", [[1.0], [0.5, 0.5], [0.5, 0.3, 0.2], [0.1, 0.1, 0.0], [0.0]])
@pytest.mark.parametrize("budget", [1, 2, 5])
def test_moments_of_occupancy_against_enumeration(mass: list[float], budget: int) -> None:
    mean, sd = occupied_moments(mass, budget)
    expected = enumerated(mass, budget)
    assert float(mean) == pytest.approx(expected[0], abs=1e-12)
    assert float(sd) == pytest.approx(expected[1], abs=1e-7)  # a root of a difference of 1e-15


def test_the_known_number_of_empty_cells() -> None:
    mean, sd = occupied_moments(np.full(1024, 1 / 1024), 3000)
    assert 1024 - float(mean) == pytest.approx(54.6, abs=0.05)
    drawn = np.random.default_rng(1).multinomial(3000, np.full(1024, 1 / 1024), 4000)
    empty = (drawn == 0).sum(axis=1)
    assert abs(empty.mean() - (1024 - float(mean))) < 4 * float(sd) / math.sqrt(4000)
    assert empty.std() == pytest.approx(float(sd), rel=4 / math.sqrt(2 * 4000))


def test_moments_with_many_different_measures_against_simulation() -> None:
    """More measures than are told apart: the grouping costs less than what 4,000 draws show."""
    mass = np.random.default_rng(0).exponential(size=500)
    mass /= mass.sum()
    mean, sd = occupied_moments(mass, 300)
    assert float(mean) == pytest.approx(float(expected_occupied(mass, 300)), rel=2e-3)
    drawn = (np.random.default_rng(1).multinomial(300, mass, 4000) > 0).sum(axis=1)
    assert drawn.std() == pytest.approx(float(sd), rel=0.05)


def by_sets(label: Any, run: Any, when: Any, runs: int, budgets: list[int]) -> list[list[int]]:
    rows = list(zip(label, run, when, strict=True))
    return [
        [len({a for a, r, t in rows if r == k and t < b and a >= 0}) for b in budgets]
        for k in range(runs)
    ]


TRIALS = st.integers(1, 4).flatmap(
    lambda runs: st.lists(
        st.tuples(st.integers(-1, 5), st.integers(0, runs - 1), st.integers(0, 7)), max_size=40
    ).map(lambda rows: (runs, rows))
)


def invariant(case: tuple[int, list[tuple[int, int, int]]], seed: int) -> None:
    """Relabelling, reordering and splitting change nothing; sets of labels say the same."""
    runs, rows = case
    label, run, when = (np.array([r[i] for r in rows], dtype=np.int64) for i in range(3))
    budgets = [8, 1, 3]
    plain = occupied(label, run, when, runs, budgets)
    assert plain.tolist() == by_sets(label.tolist(), run.tolist(), when.tolist(), runs, budgets)
    rng = np.random.default_rng(seed)
    rename, order = rng.permutation(6), rng.permutation(len(rows))
    renamed = np.where(label >= 0, rename[np.maximum(label, 0)], -1)
    again = occupied(renamed[order], run[order], when[order], runs, budgets)
    assert again.tolist() == plain.tolist()
    swap = rng.permutation(runs)
    assert occupied(label, swap[run], when, runs, budgets)[swap].tolist() == plain.tolist()
    visits = region_visits(label, run, runs, 6)
    assert region_visits(renamed, run, runs, 6)[:, rename].tolist() == visits.tolist()
    assert np.allclose(entropy(visits[:, rename]), entropy(visits), equal_nan=True)
    # runs that are split at an evaluation: visits add up, the union of both fills the same
    late = when >= 3
    halves = region_visits(label, run + runs * late, 2 * runs, 6)
    assert (halves[:runs] + halves[runs:]).tolist() == visits.tolist()
    assert ((halves[:runs] + halves[runs:]) > 0).sum(axis=1).tolist() == plain[:, 0].tolist()
    first = first_visits(label, run, when, runs, 6)
    for k, region in itertools.product(range(runs), range(6)):
        came = when[(run == k) & (label == region)]
        assert first[k, region] == (came.min() if len(came) else NEVER)
    assert first_visits(renamed[order], run[order], when[order], runs, 6)[:, rename].tolist() == (
        first.tolist()
    )


@settings(max_examples=300, deadline=None)
@given(TRIALS, st.integers(0, 2**31))
def test_occupancy_is_invariant(case: tuple[int, list[tuple[int, int, int]]], seed: int) -> None:
    invariant(case, seed)


@pytest.mark.slow
@settings(max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(TRIALS, st.integers(0, 2**31))
def test_occupancy_is_invariant_in_ten_thousand_cases(
    case: tuple[int, list[tuple[int, int, int]]], seed: int
) -> None:
    invariant(case, seed)


def test_labels_too_large_for_one_number_are_sorted_another_way() -> None:
    far = 2**61
    label = np.array([far, 0, far, 1])
    run, when = np.array([0, 0, 0, 1]), np.array([5, 1, 0, 2])
    assert occupied(label, run, when, 2, [1, 3, 6]).tolist() == [[1, 2, 2], [0, 1, 1]]


def test_simulated_random_search_agrees_with_the_moments() -> None:
    mass = np.array([0.4, 0.3, 0.2, 0.1])
    rng = np.random.default_rng(2)
    labels = rng.choice(4, p=mass, size=(4000, 5))
    mean, low, high = simulated_occupied(labels, 10, [5])[:, 0].tolist()
    exact, sd = occupied_moments(mass, 5)
    assert abs(mean - float(exact)) < 4 * float(sd) / math.sqrt(4000)
    assert high - low == pytest.approx(2 * 1.96 * float(sd) / math.sqrt(10), rel=0.1)
    _, narrow, wide = simulated_occupied(labels, 1000, [5])[:, 0].tolist()
    assert wide - narrow == pytest.approx(2 * 1.96 * float(sd) / math.sqrt(1000), rel=0.1)


def test_random_search_is_outside_the_interval_as_often_as_it_says() -> None:
    """2,000 studies of 10 runs × 20 evaluations: 5 % of the means outside, up to 4 errors."""
    rng = np.random.default_rng(3)
    cells, runs = 16, 10
    null = rng.integers(0, cells, (2000, 20))
    _, low, high = simulated_occupied(null, runs, [20])
    studies = rng.integers(0, cells, (2000 * runs, 20))
    filled = np.array([len(set(row)) for row in studies.tolist()]).reshape(2000, runs)
    outside = ((filled.mean(axis=1) < low) | (filled.mean(axis=1) > high)).mean()
    assert 0.025 < outside < 0.05 + 4 * math.sqrt(0.05 * 0.95 / 2000)  # low and high are drawn too


def test_excess_is_nought_for_uniform_search_and_one_for_nothing() -> None:
    assert excess_emptiness([4.0, 0.0, 8.0], 4.0).tolist() == [0.0, 1.0, -1.0]
    assert np.isnan(excess_emptiness(0.0, 0.0))


def test_budgets_begin_at_one_and_end_at_the_budget() -> None:
    for budget in (1, 2, 9, 1000, 12_345):
        chosen = log_budgets(budget)
        assert chosen[0] == 1
        assert chosen[-1] == budget
        assert (np.diff(chosen) > 0).all()


def test_expected_entropy_against_enumeration_and_simulation() -> None:
    mass = [0.5, 0.3, 0.2]
    exact = 0.0
    for sequence in itertools.product(range(3), repeat=6):
        chance = math.prod(mass[region] for region in sequence)
        exact += chance * float(entropy(np.bincount(sequence, minlength=3)))
    assert random_entropy(mass, 6) == pytest.approx(exact, abs=1e-12)
    assert random_entropy([0.05, 0.03, 0.02], 6) == pytest.approx(exact, abs=1e-12)
    drawn = np.random.default_rng(0).multinomial(1500, mass, 4000)
    bits = entropy(drawn)
    assert abs(bits.mean() - random_entropy(mass, 1500)) < 4 * bits.std() / math.sqrt(4000)
    assert math.isnan(random_entropy(mass, 0))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(*[st.sampled_from([0.0, -0.0, 1.0, math.nan])] * 2), max_size=30))
def test_equal_rows_have_equal_numbers(rows: list[tuple[float, float]]) -> None:
    number = numbered(np.array(rows).reshape(-1, 2))
    for (i, a), (j, b) in itertools.combinations(enumerate(rows), 2):
        same = all(x == y or (x != x and y != y) for x, y in zip(a, b, strict=True))
        assert (number[i] == number[j]) == same


# --- densities ---------------------------------------------------------------------------------


def test_density_ratio_intervals_hold_the_truth_for_clustered_runs() -> None:
    """Runs that cluster (beta-binomial): the interval holds the true ratio in 95 % of studies."""
    rng = np.random.default_rng(4)
    share, held = 0.3, 0
    studies = 400
    for _ in range(studies):
        p = rng.beta(share * 4, (1 - share) * 4, 30)
        visits = rng.binomial(50, p)
        ratio, interval = density_ratios(
            np.column_stack([visits, 50 - visits]), [0.2, 0.8], np.full(30, 50)
        )
        assert ratio[0] == pytest.approx((visits / 50 / 0.2).mean())
        held += int(interval[0, 0] <= share / 0.2 <= interval[0, 1])
    assert held / studies > 0.95 - 4 * math.sqrt(0.05 * 0.95 / studies)


def test_one_run_has_no_interval() -> None:
    ratio, interval = density_ratios([[5, 5]], [0.5, 0.0], [10])
    assert ratio[0] == 1.0
    assert np.isnan(ratio[1])
    assert np.isnan(interval).all()


def test_edges_are_counted_where_the_axis_exists() -> None:
    unit = np.array([[0.0, np.nan], [1.0, 0.04], [0.5, 0.5]])
    shares = edge_shares(unit)
    assert shares[0].tolist() == [[1 / 3, 1 / 3], [1 / 3, 1 / 3]]
    assert shares[1].tolist() == [[0.0, 0.5], [0.0, 0.0]]
    assert np.isnan(edge_shares(np.full((2, 1), np.nan))).all()


# --- evenness ----------------------------------------------------------------------------------


@pytest.mark.parametrize("axes", [1, 2, 5, 10])
def test_discrepancy_against_scipy(axes: int) -> None:
    from scipy.stats import qmc

    unit = np.random.default_rng(axes).random((60, axes))
    for count in (1, 7, 60):
        theirs = qmc.discrepancy(unit[:count], method="CD")
        assert centred_discrepancy(unit[:count]) == pytest.approx(theirs, rel=1e-9)
    curve = discrepancy_curve(unit, np.arange(61))
    assert np.isnan(curve[0])
    known = qmc.discrepancy(unit[:20], iterative=True, method="CD")
    assert math.isfinite(known)
    for count in range(21, 26):
        assert curve[count] == pytest.approx(qmc.discrepancy(unit[:count], method="CD"), rel=1e-9)


@pytest.mark.parametrize("axes", [1, 3, 8])
def test_expected_discrepancy_of_uniform_points(axes: int) -> None:
    rng = np.random.default_rng(axes)
    drawn = np.array([centred_discrepancy(rng.random((30, axes))) for _ in range(2000)])
    error = drawn.std() / math.sqrt(len(drawn))
    assert abs(drawn.mean() - float(random_discrepancy(30, axes))) < 4 * error


def rectangle_by_force(points: np.ndarray) -> float:
    """Every pair of walls on each axis."""
    best = 0.0
    stops = [sorted({0.0, 1.0, *points[:, a]}) for a in range(2)]
    for left, right in itertools.combinations(stops[0], 2):
        for low, high in itertools.combinations(stops[1], 2):
            inside = (points > [left, low]).all(axis=1) & (points < [right, high]).all(axis=1)
            if not inside.any():
                best = max(best, (right - left) * (high - low))
    return best


@pytest.mark.parametrize("count", [1, 2, 3, 6, 9])
def test_largest_rectangle_against_brute_force(count: int) -> None:
    for seed in range(20):
        points = np.random.default_rng([count, seed]).random((count, 2))
        if seed % 2:
            points = np.round(points * 4) / 4  # ties, and points on the walls
        volume, box = largest_empty_box(points)
        assert volume == pytest.approx(rectangle_by_force(points), abs=1e-12)
        assert np.prod(box[1] - box[0]) == pytest.approx(volume, abs=1e-12)
        assert not ((points > box[0]) & (points < box[1])).all(axis=1).any()


def test_grown_boxes_are_empty_and_reach_the_exact_one_on_a_plane_of_three_axes() -> None:
    """A third axis on which all points stand in the middle of the cube changes nothing."""
    rng = np.random.default_rng(0)
    for axes in (3, 6):
        points = rng.random((50, axes))
        volume, box = largest_empty_box(points)
        assert not ((points > box[0]) & (points < box[1])).all(axis=1).any()
        assert volume == pytest.approx(np.prod(box[1] - box[0]))
        assert 1 / 51 < volume < 1
    flat = np.column_stack([rng.random((40, 2)), np.full(40, 0.5)])
    assert largest_empty_box(flat)[0] >= 0.5  # everything on one side of the plane


def test_published_and_known_evenness_of_random_and_sobol_points() -> None:
    """n = 100: largest rectangles of .083 and .045; at d = 10 no difference in the radius."""
    from scipy.stats import qmc

    box = random_dispersion(100, 2, "box")
    assert box.mean() == pytest.approx(0.083, abs=4 * box.std() / math.sqrt(len(box)))
    assert 1.8 * math.log(100) / 100 == pytest.approx(box.mean(), rel=0.15)
    with pytest.warns(UserWarning, match="balance properties"):
        sobol = [qmc.Sobol(2, rng=np.random.default_rng(s)).random(100) for s in range(20)]
    volumes = np.array([largest_empty_box(one)[0] for one in sobol])
    assert volumes.mean() == pytest.approx(0.045, abs=0.004)
    radius = random_dispersion(100, 10, "radius")
    with pytest.warns(UserWarning, match="balance properties"):
        even = [qmc.Sobol(10, rng=np.random.default_rng(s)).random(100) for s in range(20)]
    theirs = np.array([covering_radius(one) for one in even])
    assert abs(theirs.mean() - radius.mean()) < 0.1 * radius.mean()


def test_published_radius_without_the_corners_of_the_cube() -> None:
    """d = 10, 100 uniform points, 16,384 uniform probes: 1.10; the corners are farther away."""
    from scipy.spatial import cKDTree

    rng = np.random.default_rng(0)
    points = [rng.random((100, 10)) for _ in range(10)]
    inner = [np.max(cKDTree(one).query(rng.random((16_384, 10)))[0]) for one in points]
    assert np.mean(inner) == pytest.approx(1.10, abs=0.02)
    assert all(a < covering_radius(one) for a, one in zip(inner, points, strict=True))


def test_covering_radius_of_a_grid_is_known() -> None:
    """Centres of a 4 × 4 grid: half of a cell's diagonal."""
    centres = (np.stack(np.meshgrid(*[np.arange(4)] * 2), axis=-1).reshape(-1, 2) + 0.5) / 4
    assert covering_radius(centres) == pytest.approx(math.sqrt(2) / 8, rel=1e-9)
    assert covering_radius([[0.25]]) == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: centred_discrepancy(np.zeros((0, 2))), "at least one point"),
        (lambda: covering_radius([[1.5]]), "between 0 and 1"),
        (lambda: largest_empty_box([0.5]), "at least one point"),
        (lambda: occupied([0], [1], [0], 1, [1]), "runs are numbered"),
        (lambda: occupied([0, 1], [0], [0], 1, [1]), "one entry a trial"),
        (lambda: region_visits([3], [0], 1, 3), "a label must be a region"),
        (lambda: density_ratios([[1]], [0.5, 0.5], [1]), "visits must be"),
        (lambda: simulated_occupied([0, 1], 1, [1]), "simulations, budget"),
        (lambda: log_budgets(0), "begin at 1"),
    ],
)
def test_wrong_arrays_get_one_sentence(wrong: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        wrong()
