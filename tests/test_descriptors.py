"""Descriptors against closed forms, brute force over lattices, and golden values of pflacco."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

import landscapes
from hpo_lab import lattice
from hpo_lab.descriptors import (
    autocorrelation,
    correlation_length,
    dispersion,
    distances,
    fitness_distance_correlation,
    information_content,
    lattice_steps,
    network_measures,
    neutrality,
    random_walks,
    step_lengths,
    tour,
)
from hpo_lab.landscape import enumeration
from hpo_lab.sensitivity import Sensitivity, sensitivity_of_family, sensitivity_of_table
from hpo_lab.space import Choice, Family, Floats, Integer, Points, Real, Record, Space
from tests.golden import GOLDENS

MIXED = Space(
    (
        Family("a", (Real("lr", 1e-4, 1.0, log=True), Choice("act", ("relu", "tanh", "gelu")))),
        Family("b", (Real("lr", 1e-4, 1.0, log=True), Integer("k", 1, 4))),
        Family("c", (Choice("size", (1, 2, 4, 8), ordered=True),)),
        Family("d"),
    )
)
PFLACCO: dict[str, Any] = json.loads((GOLDENS / "pflacco.json").read_text())


def bits(n: int) -> Space:
    return Space.box(*[Choice(f"x{i}", (0, 1)) for i in range(n)])


# ---- pflacco


@pytest.fixture(params=PFLACCO["samples"], ids=lambda sample: sample["name"])
def sample(request: pytest.FixtureRequest) -> dict[str, Any]:
    given = request.param
    points = np.random.default_rng(given["seed"]).random((given["n"], given["d"]))
    return {"points": points, "values": np.array(given["values"]), "features": given["features"]}


def unit_cube(points: Floats) -> Points:
    return Space.box(*[Real(f"x{i}", 0.0, 1.0) for i in range(points.shape[1])]).points(points)


def test_dispersion_is_that_of_pflacco(sample: dict[str, Any]) -> None:
    points = unit_cube(sample["points"])
    apart = distances(points, points)
    for percent in (2, 5, 10, 25):
        expected = sample["features"][f"disp.ratio_mean_{percent:02d}"]
        found = dispersion(apart, sample["values"], percent / 100)
        assert found == pytest.approx(expected, rel=1e-12)


def test_information_content_is_that_of_pflacco(sample: dict[str, Any]) -> None:
    order = tour(sample["points"], start=0)
    lengths = np.linalg.norm(np.diff(sample["points"][order], axis=0), axis=1)
    found = information_content((np.diff(sample["values"][order]) / lengths)[None])
    expected = {key: sample["features"][f"ic.{key}"] for key in ("h_max", "eps_max", "m0")}
    assert (found.highest, found.at, found.partial) == pytest.approx(tuple(expected.values()))
    assert found.settled == pytest.approx(sample["features"]["ic.eps_s"])
    assert found.half == pytest.approx(sample["features"]["ic.eps_ratio"])


@pytest.mark.parametrize("given", PFLACCO["samples"][:2], ids=lambda sample: sample["name"])
def test_fitness_distance_correlation_is_that_of_pflacco_up_to_its_divisor(
    given: dict[str, Any],
) -> None:
    points = np.random.default_rng(given["seed"]).random((given["n"], given["d"]))
    values = np.array(given["values"])
    best = np.argsort(values)[: given["n"] // 2]
    half = unit_cube(points[best])
    found = fitness_distance_correlation(distances(half, half[0])[:, 0], values[best])
    n = len(best)
    expected = given["features"]["fitness_distance.fd_correlation"]
    assert found * (n - 1) / n == pytest.approx(expected, rel=1e-12)


def test_funnels_are_those_of_pflacco() -> None:
    from scipy.sparse import csr_array

    given = PFLACCO["network"]
    source, target = np.array(given["edges"]).T
    shape = (given["nodes"], given["nodes"])
    found = network_measures(csr_array((np.full(len(source), 0.25), (source, target)), shape=shape))
    assert found.minima == given["features"]["lon.n_optima"]
    assert found.funnels == given["features"]["lon.n_funnels"]
    assert found.funnel == pytest.approx(given["features"]["lon.global_funnel_strength_norm"])


# ---- walks and steps


def test_walks_take_steps_of_one_axis_within_a_family() -> None:
    points = random_walks(MIXED, 400, 12, np.random.default_rng(0), reach=0.2)
    assert MIXED.contains(points).all()
    walks = points.values.reshape(400, 13, -1)
    family = points.family.reshape(400, 13)
    assert (family == family[:, :1]).all()
    unit = MIXED.to_unit(points).reshape(400, 13, -1)
    moved = np.abs(np.diff(unit, axis=1)) > 1e-12
    assert moved.sum(axis=2).max() == 1
    still = family[:, 0] == MIXED.index("d")
    assert (moved[~still].sum(axis=2) == 1).all()
    assert np.nanmax(np.abs(np.diff(unit[:, :, MIXED.columns.index("lr")], axis=1))) <= 0.2 + 1e-12
    for axis in ("k", "size"):
        steps = np.diff(walks[:, :, MIXED.columns.index(axis)], axis=1)
        assert set(np.unique(steps[~np.isnan(steps)])) <= {-1.0, 0.0, 1.0}
    act = walks[family[:, 0] == 0][:, :, MIXED.columns.index("act")]
    assert set(np.unique(np.diff(act, axis=1))) == {-2.0, -1.0, 0.0, 1.0, 2.0}


@pytest.mark.parametrize("lag", [1, 2, 5])
def test_correlation_on_real_axes_has_its_closed_form(lag: int) -> None:
    """cos(πmt) is an eigenfunction of the reflected walk, of eigenvalue sin(πmh)/(πmh).

    So a sum of one over d axes has ρ(s) = (1 − (1 − sinc)/d)^s. 400 walks of 200 steps: the
    standard error, from 20 seeds, is 0.008 at lag 5.
    """
    d, m, reach = 3, 4, 0.15
    space = Space.box(*[Real(f"x{i}", -2.0, 3.0) for i in range(d)])
    walks = random_walks(space, 400, 200, np.random.default_rng(1), reach)
    values = np.cos(math.pi * m * space.to_unit(walks)).sum(axis=1).reshape(400, 201)
    expected = (1 - (1 - math.sin(math.pi * m * reach) / (math.pi * m * reach)) / d) ** lag
    assert autocorrelation(values, lag) == pytest.approx(expected, abs=0.03)


def test_an_exact_lattice_agrees_with_its_own_random_walk() -> None:
    """Of mixed families with holes: 4,000 walks of 50 steps, standard error below 0.005."""
    space = Space(
        (
            Family("a", (Integer("k", 1, 5), Choice("op", ("x", "y", "z")))),
            Family("b", (Choice("size", (1, 2, 4), ordered=True), Choice("op", ("x", "y")))),
            Family("c"),
        )
    )
    rng = np.random.default_rng(2)
    values = np.round(rng.random(int(space.size)) * 6) / 6 + np.arange(int(space.size)) / 6
    values[3] = np.nan
    walks = random_walks(space, 4000, 100, rng)
    along = values[lattice.places(space, walks)].reshape(4000, 101)[:, 50:]
    family = walks.family.reshape(4000, 101)[:, 0]
    along[family == 2] = np.nan  # a single point has no steps
    exact = lattice_steps(space, values)
    assert autocorrelation(along, 1, family) == pytest.approx(exact.correlation, abs=0.02)
    assert neutrality(along) == pytest.approx(exact.neutrality, abs=0.01)


def test_lattice_steps_by_brute_force() -> None:
    space = Space.box(Integer("k", 0, 3), Choice("op", ("x", "y", "z")))
    values = np.random.default_rng(3).integers(0, 3, 12).astype(float)
    grid = values.reshape(4, 3)
    pairs, weights = [], []
    for k in range(4):
        for op in range(3):
            beside = [j for j in (k - 1, k + 1) if 0 <= j < 4]
            stay = (0.5 if k in (0, 3) else 1.0) / 3 / 3
            pairs += [(grid[k, op], grid[j, op]) for j in beside]
            weights += [stay / 2 / len(beside)] * len(beside)
            others = [j for j in range(3) if j != op]
            pairs += [(grid[k, op], grid[k, j]) for j in others]
            weights += [stay / 2 / 2] * 2
    here, there = np.array(pairs).T
    w = np.array(weights)
    assert w.sum() == pytest.approx(1.0)
    mean = w @ here
    expected = (w @ ((here - mean) * (there - mean))) / (w @ (here - mean) ** 2)
    found = lattice_steps(space, values)
    assert found.correlation == pytest.approx(expected, abs=1e-12)
    assert found.neutrality == pytest.approx(w @ (here == there), abs=1e-12)


@pytest.mark.parametrize("k", [1, 4, 7])
@pytest.mark.parametrize("neighbourhood", ["adjacent", "random"])
def test_nk_has_the_correlation_of_theory(k: int, neighbourhood: str) -> None:
    """With the instance's mean removed: (2^(K+1) (1 − (K+1)/N) − 1) / (2^(K+1) − 1).

    Both expectations, of products and of squares, divided: the ratio of their means over 20
    instances, whose standard error (by the delta method) sets the tolerance, 4 of them.
    """
    n, cells = 12, 2.0 ** (k + 1)
    products, squares = [], []
    for instance in range(1, 21):
        f = landscapes.make("nk", n=n, k=k, neighbourhood=neighbourhood, instance=instance)
        table = enumeration(f)
        assert table is not None
        variance = float(table.truth.var())
        squares.append(variance)
        products.append(lattice_steps(f.universe, table.truth).correlation * variance)
    a, b = np.array(products), np.array(squares)
    expected = (cells * (1 - (k + 1) / n) - 1) / (cells - 1)
    found = a.mean() / b.mean()
    error = (a - found * b).std(ddof=1) / b.mean() / math.sqrt(len(a))
    assert abs(found - expected) < 4 * error + 1e-12
    assert error < 0.02


def test_onemax_is_smooth_easy_and_never_neutral() -> None:
    """ρ(1) = 1 − 2/N, fitness–distance correlation 1 (Jones & Forrest 1995), no plateau."""
    n = 6
    space = bits(n)
    points = space.enumerate()
    values = n - points.values.sum(axis=1)
    found = lattice_steps(space, values)
    assert found.correlation == pytest.approx(1 - 2 / n, abs=1e-12)
    assert found.neutrality == 0.0
    best = points[int(np.argmin(values))]
    assert fitness_distance_correlation(distances(points, best)[:, 0], values) == 1.0
    assert correlation_length(found.correlation) == pytest.approx(-1 / math.log(1 - 2 / n))


def test_a_fully_deceptive_trap_has_negative_correlation_with_distance() -> None:
    space = bits(6)
    points = space.enumerate()
    ones = points.values.sum(axis=1)
    values = np.where(ones == 6, 0.0, 1.0 + ones)
    best = points[int(np.argmin(values))]
    assert fitness_distance_correlation(distances(points, best)[:, 0], values) < -0.5


def test_flat_and_empty_walks_say_that_nothing_is_known() -> None:
    flat = np.ones((3, 9))
    assert math.isnan(autocorrelation(flat))
    assert neutrality(flat) == 1.0
    nothing = np.full((3, 9), np.nan)
    assert math.isnan(autocorrelation(nothing))
    assert math.isnan(neutrality(nothing))
    assert math.isnan(information_content(nothing).highest)
    assert information_content(np.zeros((1, 9))).highest == 0.0
    assert math.isnan(fitness_distance_correlation(np.arange(9.0), flat[0]))


def test_information_content_goes_on_beside_what_is_not_known() -> None:
    """A slope that is missing parts a walk in two: no pair, and no turn, spans it."""
    slopes = np.random.default_rng(11).standard_normal((5, 21))
    apart = slopes.copy()
    apart[:, 10] = np.nan
    halves = np.concatenate([slopes[:, :10], slopes[:, 11:]])
    assert information_content(apart) == information_content(halves)


# ---- distances


def test_distances_between_families_and_options() -> None:
    records: list[Record] = [
        {"family": "a", "lr": 1e-4, "act": "relu"},
        {"family": "a", "lr": 1.0, "act": "gelu"},
        {"family": "b", "lr": 1e-4, "k": 2},
        {"family": "d"},
    ]
    points = MIXED.points(records)
    expected = [[0, 2, 3, 3], [2, 0, 4, 3], [3, 4, 0, 3], [3, 3, 3, 0]]
    assert distances(points, points) == pytest.approx(np.array(expected, dtype=float))


def test_distance_is_a_metric_and_walks_know_their_steps() -> None:
    points = MIXED.sample(60, np.random.default_rng(5))
    d = distances(points, points)
    assert np.array_equal(d, d.T)
    assert (np.diag(d) == 0).all()
    assert (d[:, :, None] + d[None] >= d[:, None, :] - 1e-12).all()
    walks = random_walks(MIXED, 5, 7, np.random.default_rng(6))
    lengths = step_lengths(walks, 7)
    assert lengths.shape == (5, 7)
    assert lengths[2, 3] == distances(walks[19], walks[20])[0, 0]


# ---- sensitivity


def test_indices_of_a_table_by_brute_force() -> None:
    """Against the definition, with the unequal masses of a logarithmic integer axis."""
    axes = (Integer("k", 1, 3, log=True), Choice("op", ("x", "y")), Integer("l", 0, 3))
    space = Space.box(*axes)
    table = np.random.default_rng(7).random((3, 2, 4))
    found = sensitivity_of_table(axes, table)
    assert found is not None
    from hpo_lab.region import masses

    p = masses(space.enumerate()).reshape(3, 2, 4)
    mean = (p * table).sum()
    variance = (p * (table - mean) ** 2).sum()
    k = p.sum(axis=(1, 2))
    main = (p * table).sum(axis=(1, 2)) / k
    assert found.first[0] == pytest.approx((k * (main - mean) ** 2).sum() / variance)
    rest = p.sum(axis=0)
    inner = (p * table).sum(axis=0) / rest
    assert found.total[0] == pytest.approx((p * (table - inner) ** 2).sum() / variance)
    assert found.first.sum() < 1.0 < found.mean_dimension


def test_ishigami_has_its_published_indices() -> None:
    """Ishigami & Homma 1990, a = 7, b = 0.1: first .3139, .4424, 0; total .5576, .4424, .2437."""
    space = Space.box(*[Real(f"x{i}", -math.pi, math.pi) for i in range(3)])

    def ishigami(points: Points) -> Floats:
        x, y, z = points.values.T
        return np.asarray(np.sin(x) + 7 * np.sin(y) ** 2 + 0.1 * z**4 * np.sin(x))

    found = sensitivity_of_family(ishigami, space, 0, 4096, np.random.default_rng(8))
    assert found is not None
    assert found.how == "estimated from 20,480 points"
    assert found.first == pytest.approx([0.3139, 0.4424, 0.0], abs=0.02)
    assert found.total == pytest.approx([0.5576, 0.4424, 0.2437], abs=0.02)


def test_a_sum_is_recognised_and_exact() -> None:
    """Σ w_i t_i² has indices in proportion to w_i²; a log axis has t uniform all the same."""
    space = Space.box(Real("a", 0.0, 1.0), Real("b", 1e-3, 1.0, log=True), Integer("fixed", 2, 2))

    def unit(points: Points) -> Floats:
        return space.to_unit(points)[:, :2]

    found = sensitivity_of_family(
        lambda p: unit(p) ** 2 @ [1.0, 2.0] + 5.0, space, 0, 64, np.random.default_rng(9)
    )
    assert found is not None
    assert found.how == "a sum over the axes, by quadrature"
    assert found.axes == ("a", "b")
    assert found.first == pytest.approx([0.2, 0.8], abs=1e-6)
    assert np.array_equal(found.first, found.total)
    product = sensitivity_of_family(
        lambda p: np.prod(unit(p), axis=1), space, 0, 1024, np.random.default_rng(9)
    )
    assert product is not None
    assert product.first == pytest.approx([3 / 7, 3 / 7], abs=0.01)
    assert product.total == pytest.approx([4 / 7, 4 / 7], abs=0.01)


def test_effective_dimension_counts_the_axes_that_matter() -> None:
    total = np.array([0.5, 0.0, 0.46, 0.04])
    found = Sensitivity(("a", "b", "c", "d"), total, total, "")
    assert found.effective_dimension() == 2
    assert found.effective_dimension(0.99) == 3
    assert found.mean_dimension == pytest.approx(1.0)


def test_what_does_not_vary_or_has_no_value_has_no_indices() -> None:
    space = Space.box(Real("x", 0.0, 1.0), Real("y", 0.0, 1.0))
    rng = np.random.default_rng(10)
    flat = sensitivity_of_family(lambda p: np.full(len(p), 0.3), space, 0, 64, rng)
    holes = sensitivity_of_family(
        lambda p: np.where(p.values[:, 0] > 0.5, np.nan, p.values[:, 1]), space, 0, 64, rng
    )
    assert flat is None
    assert holes is None
    assert sensitivity_of_table((Integer("k", 0, 2),), np.array([1.0, np.nan, 2.0])) is None
    assert sensitivity_of_table((Integer("k", 0, 2),), np.full(3, 0.1)) is None


# ---- networks


def test_network_measures_by_hand() -> None:
    """Basins 1 → 0 and 2 → 1 downhill, 3 a funnel of its own from which only worse is reached."""
    from scipy.sparse import csr_array

    p = np.zeros((4, 4))
    p[0, 1], p[1, 0], p[2, 1], p[0, 3] = 0.1, 0.5, 0.25, 0.2
    p += np.diag(1 - p.sum(axis=1))
    found = network_measures(csr_array(p))
    assert (found.minima, found.funnels, found.funnel) == (4, 2, 0.75)
    assert found.strength == pytest.approx(0.5 / 1.05)
    assert found.path == pytest.approx((2 + 6) / 2)
    assert found.leaving == pytest.approx((0.3 + 0.5 + 0.25 + 0.0) / 4)


def test_one_minimum_is_one_funnel() -> None:
    space = bits(4)
    values = space.enumerate().values.sum(axis=1)
    found = network_measures(lattice.network(space, values, lattice.descend(space, values)).edges)
    assert (found.minima, found.funnels, found.funnel, found.leaving) == (1, 1, 1.0, 0.0)
    assert math.isnan(found.strength)
    assert math.isnan(found.path)
