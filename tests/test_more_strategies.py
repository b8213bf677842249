"""Quasi-random, local, evolutionary and swarm strategies: what each is known to do."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hpo_lab import discovery
from hpo_lab.errors import InputError
from hpo_lab.optimizer import Search, Strategy
from hpo_lab.optimizers._moves import migrated, mutated, neighbours
from hpo_lab.space import Choice, Family, Floats, Integer, Points, Real, Space
from hpo_lab.testing.spaces import KINDS_OF_SPACE
from hpo_lab.testing.strategy import check_strategy, rugged, trace

SQUARE = Space.box(*[Real(f"x{i}", -5.0, 5.0) for i in range(1, 6)])


def made(name: str, **settings: Any) -> Strategy:
    strategy: Strategy = discovery.make("strategies", name, settings)
    return strategy


def sphere(points: Points) -> Floats:
    return np.asarray(((points.values - 1.0) ** 2).sum(axis=1))


def told(search: Search, landscape: Callable[[Points], Floats]) -> list[tuple[Points, Floats]]:
    """Every ask of a search, with what it was told."""
    asks = []
    while len(asked := search.ask()):
        values = landscape(asked)
        search.tell(asked, values)
        asks.append((asked, values))
    return asks


# --- quasi-random -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sobol", "halton", "lhs"])
def test_quasi_random_points_are_more_even_than_random_ones(name: str) -> None:
    from scipy.stats.qmc import discrepancy

    space = Space.box(Real("x", 0, 1), Real("y", 0, 1), Real("z", 0, 1))
    ours = [discrepancy(trace(made(name), space, 128, s, sphere).values) for s in range(20)]
    random = [discrepancy(trace(made("random"), space, 128, s, sphere).values) for s in range(20)]
    assert max(ours) < min(random)


@pytest.mark.parametrize("name", ["sobol", "halton", "lhs"])
def test_families_get_their_share_of_quasi_random_points(name: str) -> None:
    space = KINDS_OF_SPACE["conditional"]
    asked = trace(made(name), space, 1000, 1, rugged)
    counts = np.bincount(asked.family, minlength=len(space.families))
    assert np.abs(counts - 1000 * space.weights).max() <= 6  # random: standard deviation 13


def test_every_axis_of_a_latin_hypercube_has_a_point_in_each_stratum() -> None:
    asked = trace(made("lhs"), SQUARE, 50, 1, sphere)
    strata = np.floor((asked.values + 5.0) * 5.0).astype(int)
    assert (np.sort(strata, axis=0) == np.arange(50)[:, None]).all()
    centred = trace(made("lhs", centred=True), SQUARE, 50, 1, sphere)
    assert (np.sort(centred.values, axis=0)[:, 0]) == pytest.approx(np.arange(50) / 5 - 4.9)


def test_sobol_points_are_those_of_scipy() -> None:
    from scipy.stats.qmc import Sobol

    space = Space.box(Real("x", 0, 1), Real("y", 0, 1))
    asked = made("sobol").start(space, 16, np.random.default_rng(5)).ask()
    assert np.array_equal(asked.values, Sobol(2, rng=np.random.default_rng(5)).random_base2(4))


def test_halton_points_are_those_of_scipy_but_for_the_permutations() -> None:
    """The identity in place of every permutation gives the plain sequence."""
    from scipy.stats.qmc import Halton

    from hpo_lab.optimizers.halton import _permuted_inverses, _primes

    class Plain:
        def permutation(self, size: int) -> Floats:
            return np.arange(size, dtype=float)

    plain = Halton(6, scramble=False).random(1000)
    rng: Any = Plain()
    ours = [_permuted_inverses(1000, base, rng) for base in _primes(6).tolist()]
    assert np.column_stack(ours) == pytest.approx(plain, abs=1e-15)
    assert _primes(200)[-1] == 1223


@pytest.mark.parametrize("name", ["sobol", "halton"])
def test_scrambled_points_are_uniform_one_by_one(name: str) -> None:
    """Each point of a randomised sequence: the first and the hundredth over 400 seeds."""
    from scipy.stats import kstest

    space = Space.box(Real("x", 0, 1), Real("y", 0, 1), Real("z", 0, 1))
    asked = [trace(made(name), space, 100, seed, sphere).values for seed in range(400)]
    for row in (0, 99):
        for column in range(3):
            assert kstest([values[row, column] for values in asked], "uniform").pvalue > 1e-4


def test_sobol_refuses_more_dimensions_than_it_knows() -> None:
    space = Space(tuple(Family(f"f{i}", (Real(f"x{i}", 0, 1),)) for i in range(21_201)))
    with pytest.raises(InputError, match="21,201 dimensions"):
        made("sobol").start(space, 4, np.random.default_rng(0))


# --- grid ---------------------------------------------------------------------------------------


def test_a_grid_of_finite_axes_first_lists_all_options() -> None:
    space = Space.box(Real("x", 0, 1), Choice("c", tuple(range(7))), Real("y", 0, 1))
    even, finite = (
        trace(made("grid", spread=spread), space, 64, 0, rugged).values
        for spread in ("even", "finite")
    )
    assert [len(set(column)) for column in even.T] == [4, 4, 4]
    assert [len(set(column)) for column in finite.T] == [3, 7, 3]


def test_a_grid_may_spread_its_budget_by_axes() -> None:
    space = Space(
        (Family("one", (Real("x", 0, 1),)), Family("two", (Real("y", 0, 1), Real("z", 0, 1))))
    )
    counts = [
        np.bincount(trace(made("grid", share=share), space, 60, 0, rugged).family).tolist()
        for share in ("weight", "axes")
    ]
    assert counts == [[30, 30], [24, 36]]  # 24 = 20 + what 6 × 6 leaves of 40


def test_a_shuffled_grid_has_the_same_points() -> None:
    plain = trace(made("grid"), SQUARE, 100, 0, sphere)
    shuffled = trace(made("grid", shuffle=3), SQUARE, 100, 0, sphere)
    assert set(map(bytes, plain.keys())) == set(map(bytes, shuffled.keys()))
    assert not np.array_equal(plain.values, shuffled.values)
    check_strategy(made("grid", spread="finite", share="axes", shuffle=1))


# --- moves --------------------------------------------------------------------------------------

MIXED = Space.box(
    Real("x", 0, 1), Integer("k", 1, 4), Choice("c", ("a", "b", "c")), Integer("one", 3, 3)
)


def test_neighbours_differ_in_one_axis_by_one_move() -> None:
    point = MIXED.points({"x": 0.95, "k": 1, "c": "b", "one": 3})
    around = neighbours(MIXED, point, 0.1)
    expected = {(0.85, 1, 1), (1.0, 1, 1), (0.95, 2, 1), (0.95, 1, 0), (0.95, 1, 2)}
    assert {tuple(np.round(row[:3], 9)) for row in around.values} == expected
    assert (
        len(neighbours(KINDS_OF_SPACE["one point"], KINDS_OF_SPACE["one point"].enumerate(), 0.1))
        == 0
    )


def test_a_mutation_changes_one_axis_and_reaches_every_value() -> None:
    rng = np.random.default_rng(0)
    point = MIXED.points({"x": 0.5, "k": 1, "c": "b", "one": 3})
    seen = [mutated(MIXED, point, 0.1, 0.0, rng).values[0] for _ in range(400)]
    changed = np.array(seen) != point.values[0]
    assert (changed.sum(axis=1) == 1).all()
    assert {int(row[1]) for row in seen} >= {1, 2}
    assert {int(row[2]) for row in seen} == {0, 1, 2}
    assert changed.mean(axis=0)[:3] == pytest.approx([1 / 3] * 3, abs=0.08)


def test_a_point_that_changes_its_family_keeps_what_both_have() -> None:
    space, rng = KINDS_OF_SPACE["conditional"], np.random.default_rng(1)
    point = space.points({"family": "conv", "lr": 0.01, "kernel": 3})
    moved = Points.concatenate([migrated(space, point, rng) for _ in range(200)])
    assert set(moved.family.tolist()) == {0, 1, 2, 3}
    lr = moved.values[moved.family != 3, 0]
    assert lr == pytest.approx(0.01, rel=1e-9)


# --- local search, annealing, coordinates -------------------------------------------------------


@pytest.mark.parametrize("improvement", ["best", "first"])
def test_local_search_ends_in_local_minima_only(improvement: str) -> None:
    """On a landscape of integers it visits a minimum before every restart."""
    space = Space.box(Integer("x", 0, 60))

    def waves(points: Points) -> Floats:
        x = points.values[:, 0]
        return np.asarray(np.cos(x / 3.0) + x / 100.0)

    values = waves(space.enumerate())
    minima = [i for i in range(61) if values[i] <= min(values[max(i - 1, 0) : i + 2])]
    assert len(minima) == 4  # three valleys, and the last point
    asks = told(
        made("local_search", improvement=improvement).start(space, 400, np.random.default_rng(1)),
        waves,
    )
    visited = [float(asked.values[i, 0]) for asked, _ in asks for i in range(len(asked))]
    assert set(map(float, minima)) <= set(visited)


def test_local_search_halves_its_step_on_real_axes() -> None:
    found = trace(made("local_search"), Space.box(Real("x", 0, 1)), 60, 3, sphere_at(0.3217))
    assert np.abs(found.values - 0.3217).min() < 0.002


def sphere_at(centre: float) -> Callable[[Points], Floats]:
    return lambda points: np.asarray(((points.values - centre) ** 2).sum(axis=1))


def test_one_pass_of_coordinate_search_solves_what_is_separable() -> None:
    space = Space.box(*[Choice(f"c{i}", tuple(range(5))) for i in range(6)])
    target = np.array([3, 0, 4, 2, 1, 3])
    search = made("coordinate").start(space, 1 + 6 * 4, np.random.default_rng(2))
    asks = told(search, lambda points: (points.values != target).sum(axis=1).astype(float))
    assert min(values.min() for _, values in asks) == 0.0
    assert all((np.ptp(asked.values, axis=0) > 0).sum() <= 1 for asked, _ in asks)


def test_coordinate_search_narrows_pass_by_pass() -> None:
    asked = trace(made("coordinate"), Space.box(Real("x", 0, 1)), 60, 1, sphere_at(0.3217))
    assert np.abs(asked.values - 0.3217).min() < 1e-3


def test_annealing_cools_down() -> None:
    """It accepts worse points early and hardly any late: late points stay near the best."""
    spreads = []
    for seed in range(10):
        asked = trace(made("annealing", sigma=0.05), SQUARE, 400, seed, sphere)
        values = sphere(asked)
        spreads.append((values[10:110].mean(), values[-100:].mean()))
    early, late = np.mean(spreads, axis=0)
    assert late < 0.25 * early


# --- populations --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "local_search",
        "annealing",
        "coordinate",
        "regularized_evolution",
        "differential_evolution",
        "particle_swarm",
        "cma",
    ],
)
def test_it_beats_random_search_on_a_bowl(name: str) -> None:
    """Median of the best of 300 evaluations over 11 seeds, five dimensions."""
    best = [sphere(trace(made(name), SQUARE, 300, seed, sphere)).min() for seed in range(11)]
    random = [sphere(trace(made("random"), SQUARE, 300, seed, sphere)).min() for seed in range(11)]
    assert np.median(best) < 0.5 * np.median(random)


def test_cma_converges_linearly_on_a_bowl() -> None:
    """Hansen's tutorial: about 10^-9 after some hundred evaluations a dimension."""
    best = [sphere(trace(made("cma"), SQUARE, 1500, seed, sphere)).min() for seed in range(3)]
    assert max(best) < 1e-9


def test_the_oldest_dies_in_regularized_evolution() -> None:
    """A very good founder is forgotten when it is the oldest: then its mutants are all there is."""
    space = Space.box(Choice("c", tuple(range(50))))
    strategy = made("regularized_evolution", population=5, sample=5)
    search: Any = strategy.start(space, 40, np.random.default_rng(0))
    founders = search.ask()
    search.tell(founders, np.array([0.0, 1.0, 1.0, 1.0, 1.0]))
    ages = []
    for _ in range(6):
        search.tell(search.ask(), np.array([2.0]))
        ages.append([value for _, value in search.alive])
    assert ages[0] == [1.0, 1.0, 1.0, 1.0, 2.0]
    assert ages[3] == [1.0, 2.0, 2.0, 2.0, 2.0]
    assert ages[5] == [2.0] * 5


@pytest.mark.parametrize(("rule", "share"), [("saturate", 0.2), ("resample", 0.0)])
def test_differential_evolution_piles_up_on_the_bounds_where_it_saturates(
    rule: str, share: float
) -> None:
    """On pure noise, 5 dimensions, 2,000 evaluations: a fifth of all coordinates, or none."""
    space = Space.box(*[Real(f"x{i}", 0.0, 1.0) for i in range(5)])
    noise = np.random.default_rng(0)
    found = []
    for seed in range(20):
        asked = trace(
            made("differential_evolution", bounds=rule),
            space,
            2000,
            seed,
            lambda points: noise.random(len(points)),
        )
        found.append(((asked.values == 0.0) | (asked.values == 1.0)).mean())
    assert float(np.mean(found)) == pytest.approx(share, abs=0.03)


@pytest.mark.parametrize("alpha", [0.0, 0.366, 1.0])
def test_blend_crossover_multiplies_the_variance_as_known(alpha: float) -> None:
    """By (1 + 2α)² / 6 + 1/2, for parents drawn independently: 2/3 at α = 0, 1 at 0.366."""
    from hpo_lab.optimizers.evolution import _Individual

    space, rng = Space.box(Real("x", 0, 1)), np.random.default_rng(1)
    search: Any = made("evolution", operator="blend", alpha=alpha).start(space, 10, rng)
    parents = 0.5 + 0.02 * rng.standard_normal((20_000, 2))  # far from the bounds
    children = []
    for one, other in parents.tolist():
        pair = _Individual([one], 0), _Individual([other], 0)
        search._blend([0], *pair)
        children += [pair[0][0], pair[1][0]]
    factor = np.var(children) / np.var(parents)
    assert factor == pytest.approx((1 + 2 * alpha) ** 2 / 6 + 0.5, rel=0.03)


@pytest.mark.parametrize(
    ("rule", "atoms"), [("saturate", True), ("resample", False), ("wrap", False)]
)
def test_evolution_handles_bounds_by_its_rule(rule: str, atoms: bool) -> None:
    strategy = made("evolution", sigma=0.5, bounds=rule)
    asked = trace(strategy, Space.box(Real("x", 0, 1)), 300, 1, rugged)
    assert ((asked.values == 0.0) | (asked.values == 1.0)).any() == atoms


def test_the_contract_with_other_settings() -> None:
    few = {kind: KINDS_OF_SPACE[kind] for kind in ("mixed", "conditional", "one point")}
    check_strategy(made("local_search", improvement="first", step=0.5), few)
    check_strategy(made("coordinate", origin="centre", levels=2), few)
    check_strategy(made("cma", population=5, sigma=2.0), few)
    for rule in ("reflect", "saturate", "resample", "wrap"):
        check_strategy(made("differential_evolution", population=4, bounds=rule), few)
        check_strategy(made("particle_swarm", particles=3, bounds=rule), few)
        check_strategy(made("evolution", operator="blend", alpha=1.0, bounds=rule), few)


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("grid", {"spread": "odd"}, "'even' or 'finite'"),
        ("grid", {"share": "size"}, "'weight' or 'axes'"),
        ("grid", {"shuffle": -1}, "shuffle must be a number from 0 on"),
        ("local_search", {"improvement": "worst"}, "'best' or 'first'"),
        ("local_search", {"step": 0.0}, "step must lie in"),
        ("local_search", {"smallest": 0.5}, "smallest must lie in"),
        ("annealing", {"hot": 0.0}, "hot must be positive"),
        ("annealing", {"cold": 2.0}, "cold is a share"),
        ("annealing", {"migration": -0.1}, "migration is a probability"),
        ("coordinate", {"levels": 1}, "levels must be at least 2"),
        ("coordinate", {"shrink": 1.0}, "shrink must lie in"),
        ("regularized_evolution", {"sample": 30}, "sample must lie in"),
        ("regularized_evolution", {"population": 0}, "population must be at least 1"),
        ("differential_evolution", {"population": 3}, "population must be at least 4"),
        ("differential_evolution", {"weight": 0.0}, "weight must lie in"),
        ("differential_evolution", {"crossover": 1.5}, "crossover is a probability"),
        ("differential_evolution", {"bounds": "clip"}, "'reflect', 'saturate'"),
        ("evolution", {"operator": "sbx"}, "'uniform' or 'blend'"),
        ("evolution", {"alpha": -0.1}, "alpha must be"),
        ("evolution", {"bounds": "clip"}, "'reflect', 'saturate'"),
        ("particle_swarm", {"particles": 0}, "particles must be at least 1"),
        ("particle_swarm", {"inertia": math.nan}, "inertia must be"),
        ("cma", {"population": 2}, "population must be at least 4"),
        ("cma", {"sigma": 0.0}, "sigma must be positive"),
    ],
)
def test_a_bad_setting_gets_one_sentence(name: str, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said) as raised:
        made(name, **settings)
    assert "\n" not in str(raised.value)
