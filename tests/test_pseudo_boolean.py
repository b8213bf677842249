"""OneMax, LeadingOnes, traps and the W-model against ioh, brute force and closed forms."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import landscapes
from hpo_lab import lattice
from hpo_lab.errors import InputError
from hpo_lab.landscape import Bounds, Landscape, Optimum
from hpo_lab.region import Among, Box, contains, intersect, whole
from hpo_lab.space import Bools, Floats
from hpo_lab.testing.landscape import check_landscape, random_view
from landscapes import _bits, trap, wmodel
from landscapes.wmodel import WModel

SMALL: list[tuple[str, dict[str, Any]]] = [
    ("onemax", {"n": 1}),
    ("onemax", {"n": 9, "instance": 3}),
    ("leadingones", {"n": 9}),
    ("leadingones", {"n": 10, "instance": 2}),
    ("trap", {"n": 10, "k": 5, "instance": 4}),
    ("trap", {"n": 8, "k": 2}),
    ("trap", {"n": 9, "k": 3, "instance": 2}),
    ("wmodel", {"n": 9, "mu": 1, "nu": 4, "gamma": 30}),
    ("wmodel", {"n": 11, "dummies": 2, "mu": 2, "nu": 3, "gamma": 5, "instance": 3}),
    ("wmodel", {"n": 10, "dummies": 1, "mu": 1, "nu": 9, "gamma": 0}),
    ("wmodel", {"n": 10, "mu": 3, "nu": 2, "gamma": 2, "instance": 2}),
]


def _every(f: Landscape) -> tuple[Any, Floats]:
    points = f.universe.enumerate()
    return points, f.evaluate(points)


@pytest.mark.parametrize(("name", "arguments"), SMALL)
def test_the_contract_with_other_arguments(name: str, arguments: dict[str, Any]) -> None:
    for seed in range(2):
        check_landscape(landscapes.make(name, **arguments), seed=seed)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("onemax", {"n": 300, "instance": 2}),
        ("leadingones", {"n": 300, "instance": 2}),
        ("trap", {"n": 100, "k": 5}),
        ("trap", {"n": 36, "k": 18, "instance": 3}),
        ("wmodel", {"n": 120, "dummies": 20, "mu": 3, "nu": 5, "gamma": 200, "instance": 2}),
    ],
)
def test_the_contract_where_states_cannot_be_listed(name: str, arguments: dict[str, Any]) -> None:
    check_landscape(landscapes.make(name, **arguments), views=3)


# ---- the peer


def _of_ioh(problem: Any, points: Floats) -> Floats:
    return np.array([problem(row) for row in points.astype(int).tolist()])


@pytest.mark.parametrize(("name", "number"), [("onemax", 1), ("leadingones", 2)])
def test_values_are_those_of_ioh(name: str, number: int) -> None:
    ioh = pytest.importorskip("ioh", reason="the peer is not installed")
    for n in (1, 7, 50):
        f = landscapes.make(name, n=n)
        points = f.universe.sample(200, np.random.default_rng(n))
        values = points.values
        values[::2] = values[::2].max(axis=1, keepdims=True)  # long runs of ones as well
        values[::4, n // 2] = 0.0
        problem = ioh.get_problem(number, 1, n, ioh.ProblemClass.PBO)
        assert np.array_equal(f.evaluate(points), n - _of_ioh(problem, values))


def _overwritten(y: Bools, nu: int) -> Bools:
    """The epistasis layer as ioh 0.3.22 computes it: a block is overwritten while it is read.

    From its end on, each output is the parity of the block but for one bit, of which those behind
    are outputs already. Up to ν = 2 that makes no difference.
    """
    y = y.copy()
    for start in range(0, len(y), nu):
        block = y[start : start + nu]
        first, last = block[0].copy(), len(block) - 1
        for i in range(last, -1, -1):
            read = [j for j in range(1, last + 1) if j != (i + 1 if i < last else 0)]
            block[i] = first ^ np.logical_xor.reduce(block[read], axis=0)
    return y


@pytest.mark.parametrize(
    ("n", "mu", "nu"),
    [(8, 1, 1), (16, 1, 4), (16, 2, 4), (17, 1, 2), (20, 3, 4), (23, 2, 11), (30, 1, 30)],
)
def test_the_w_model_is_that_of_ioh(
    n: int, mu: int, nu: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for its slip in the epistasis layer. It multiplies its gamma by n; ours is q − its."""
    ioh = pytest.importorskip("ioh", reason="the peer is not installed")
    if nu > 2:
        monkeypatch.setattr(wmodel, "_mixed", _overwritten)
    q = n // mu
    points = WModel(n, 0, mu, nu, 0).universe.sample(150, np.random.default_rng(n))
    points.values[:8] = np.tri(8, n)
    for times in range(q * (q - 1) // 2 // n + 1):
        f = WModel(n, 0, mu, nu, times * n)
        peer = ioh.problem.WModelOneMax(1, n, 0.0, nu, mu, times)
        assert np.array_equal(f.evaluate(points), q - _of_ioh(peer, points.values))


@pytest.mark.parametrize("n", [4, 11, 50])
def test_epistasis_is_that_of_another_function_of_ioh(n: int) -> None:
    """Its OneMaxEpistasis (ν = 4; the last block shorter) is right."""
    ioh = pytest.importorskip("ioh", reason="the peer is not installed")
    f = WModel(n, mu=1, nu=4, gamma=0)
    points = f.universe.sample(300, np.random.default_rng(n))
    peer = ioh.get_problem("OneMaxEpistasis", 1, n, ioh.ProblemClass.PBO)
    assert np.array_equal(f.evaluate(points), n - _of_ioh(peer, points.values))


def test_the_w_model_with_dummies_is_that_of_ioh() -> None:
    """The two draw other dummies: ours, in order, are put where those of ioh are."""
    ioh = pytest.importorskip("ioh", reason="the peer is not installed")
    n, kept = 24, 18
    layers = {"epistasis_block_size": 2, "neutrality_mu": 2, "ruggedness_gamma": 1}
    plain = ioh.problem.WModelOneMax(1, n, kept / n)
    read = np.flatnonzero([plain(row) for row in np.eye(n, dtype=int).tolist()])
    assert len(read) == kept
    f = WModel(n, n - kept, 2, 2, n)
    rng = np.random.default_rng(3)
    theirs = rng.integers(0, 2, (200, n)).astype(float)
    ours = rng.integers(0, 2, (200, n)).astype(float)
    ours[:, wmodel._read(f).ravel()] = theirs[:, read]
    peer = ioh.problem.WModelOneMax(1, n, kept / n, **layers)
    values = f.evaluate(f.universe.points(ours))
    assert np.array_equal(values, kept // 2 - _of_ioh(peer, theirs))


# ---- definitions


@pytest.mark.parametrize("n", [1, 12])
def test_the_layers_can_be_switched_off(n: int) -> None:
    """What is left of the W-model is OneMax; a trap is what its table says."""
    plain = WModel(n, mu=1, nu=1, gamma=0)
    points = plain.universe.sample(100, np.random.default_rng(0))
    onemax = landscapes.make("onemax", n=n)
    assert np.array_equal(plain.evaluate(points), onemax.evaluate(points))


def test_a_trap_is_its_table() -> None:
    f = landscapes.make("trap", n=4, k=4)
    right = np.tri(5, 4, -1)
    assert f(right).tolist() == [1.0, 2.0, 3.0, 4.0, 0.0]
    both = landscapes.make("trap", n=8, k=4)
    assert both(np.concatenate([right, right[::-1]], axis=1)).tolist() == [1.0, 6.0, 6.0, 6.0, 1.0]


@pytest.mark.parametrize("q", range(1, 13))
def test_ruggedness_permutes_and_has_every_roughness_once(q: int) -> None:
    """Weise & Wu 2018: r(0) = 0, and Σ|r(i) − r(i − 1)| runs through q … q + q(q − 1)/2."""
    most = q * (q - 1) // 2
    found = [wmodel._permutation(gamma, q) for gamma in range(most + 1)]
    assert found[0].tolist() == list(range(q + 1))
    assert all(r[0] == 0 and sorted(r) == list(range(q + 1)) for r in found)
    roughness = [np.abs(np.diff(r)).sum() for r in found]
    assert sorted(roughness) == [q + i for i in range(most + 1)]
    if q > 2:  # the last is the most deceptive: all but the optimum leads away from it
        assert found[-1].tolist() == [0, *range(q, 2, -1), 1, 2]


@pytest.mark.parametrize("nu", [1, 2, 5, 8])
def test_epistasis_is_a_bijection_that_spreads_a_change(nu: int) -> None:
    every = np.array(list(np.ndindex(*[2] * nu)), dtype=bool).T
    mixed = wmodel._mixed(every, nu)
    assert len(np.unique(mixed, axis=1).T) == 2**nu
    for i in range(nu):
        flipped = every.copy()
        flipped[i] ^= True
        changed = (wmodel._mixed(flipped, nu) != mixed).sum(axis=0)
        assert (changed >= max(nu - 1, 1)).all()


def test_the_optimum_of_the_w_model_by_enumeration() -> None:
    """Known by construction; confirmed for all layers at n ≤ 14."""
    rng = np.random.default_rng(1)
    for n in (5, 10, 14):
        for _ in range(12):
            dummies = int(rng.integers(0, n // 2))
            mu = int(rng.integers(1, 4))
            q = (n - dummies) // mu
            if q < 1:
                continue
            gamma = int(rng.integers(0, q * (q - 1) // 2 + 1))
            f = WModel(n, dummies, mu, int(rng.integers(1, q + 1)), gamma, int(rng.integers(1, 4)))
            best = f.optimum()
            assert isinstance(best, Optimum)
            assert best.value == _every(f)[1].min() == 0.0


# ---- truths by brute force


@pytest.mark.parametrize(("name", "arguments"), SMALL)
def test_the_optimum_of_any_region_by_brute_force(name: str, arguments: dict[str, Any]) -> None:
    f, rng = landscapes.make(name, **arguments), np.random.default_rng(11)
    points, values = _every(f)
    first, second = (((Box("", (("x1", Among((bit,))),)),)) for bit in (0.0, 1.0))
    for _ in range(15):
        one, other = (random_view(f.universe, rng).image for _ in range(2))
        region = intersect(one, first) + intersect(other, second)  # two disjoint boxes, or fewer
        inside = contains(f.universe, region, points)
        found = f.lowest(region)
        if not inside.any():
            assert isinstance(found, Bounds)
            assert found.low == math.inf
            continue
        assert isinstance(found, Optimum)
        assert found.value == values[inside].min()
        assert contains(f.universe, region, found.point)[0]


@pytest.mark.parametrize(("name", "arguments"), SMALL)
def test_minima_and_basins_are_those_of_the_lattice(name: str, arguments: dict[str, Any]) -> None:
    f, rng = landscapes.make(name, **arguments), np.random.default_rng(2)
    points, values = _every(f)
    expected = lattice.descend(f.universe, values)
    minima = f.minima()
    assert minima is not None
    assert np.array_equal(minima.points.values, points.values[expected.minima])
    assert np.array_equal(minima.labels(points), expected.label)
    assert minima.masses is not None
    assert np.allclose(minima.masses * 2**f.universe.width, np.bincount(expected.label), rtol=1e-12)
    for _ in range(6):
        region = random_view(f.universe, rng).image
        inside = contains(f.universe, region, points)
        low = np.full(len(minima.values), np.inf)
        np.minimum.at(low, expected.label[inside], values[inside])
        assert np.array_equal(minima.lowest(region), low)


@pytest.fixture
def few_states_are_visited(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for module in (_bits, trap, wmodel):
        monkeypatch.setattr(module, "VISITED", 3)
    monkeypatch.setattr(wmodel, "DRAWS", 2)
    caches = (trap._lowest_in_box, wmodel._lowest_in_box)
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


@pytest.mark.parametrize(("name", "arguments"), SMALL[6:])
@pytest.mark.usefixtures("few_states_are_visited")
def test_bounds_hold_where_ties_go_too_far(name: str, arguments: dict[str, Any]) -> None:
    f, rng = landscapes.make(name, **arguments), np.random.default_rng(4)
    points, values = _every(f)
    bounded = 0
    for _ in range(40):
        region = random_view(f.universe, rng).image
        inside = contains(f.universe, region, points)
        found = f.lowest(region)
        if isinstance(found, Bounds):
            bounded += 1
            assert found.low <= values[inside].min() <= found.high
            assert (values[inside] == found.high).any()
        else:
            assert found.value == values[inside].min()
    assert bounded >= 3


def test_a_basin_that_ties_go_too_far_for_is_unknown() -> None:
    """The first bits of sixteen blocks are one: 49 free bits in blocks that hang together."""
    f = landscapes.make("trap", n=64, k=4, instance=2)
    minima = f.minima()
    assert minima is not None
    region = (Box("", ties=(tuple(f"x{i}" for i in range(1, 65, 4)),)),)
    found = f.lowest(region)
    assert isinstance(found, Bounds)
    assert 0.0 <= found.low < found.high <= 64.0
    assert np.isnan(minima.lowest(region)).all()


# ---- closed forms


@pytest.mark.parametrize(("n", "k"), [(12, 4), (15, 3), (30, 15), (80, 5)])
def test_traps_have_2_to_the_blocks_minima(n: int, k: int) -> None:
    f = landscapes.make("trap", n=n, k=k, instance=2)
    minima = f.minima()
    assert minima is not None
    assert minima.masses is not None
    blocks = n // k
    assert len(minima.values) == 2**blocks
    assert np.array_equal(np.bincount(minima.values.astype(int)), _binomials(blocks))
    assert math.isclose(minima.masses[0], ((k + 1) / 2**k) ** blocks, rel_tol=1e-12)
    assert math.isclose(minima.masses.sum(), 1.0, rel_tol=1e-12)
    low = minima.lowest(whole(f.universe))
    assert np.array_equal(low, minima.values)


def _binomials(n: int) -> list[int]:
    return [math.comb(n, i) for i in range(n + 1)]


def test_minima_are_listed_no_further_than_that() -> None:
    assert landscapes.make("trap", n=34, k=2).minima() is None
    assert WModel(21, mu=1, nu=1, gamma=0).minima() is None


def test_leading_ones_is_lost_by_the_first_wrong_bit_that_is_fixed() -> None:
    f = landscapes.make("leadingones", n=100)
    found = f.lowest((Box("", (("x40", Among((0.0,))),)),))
    assert isinstance(found, Optimum)
    assert found.value == 61.0
    tied = f.lowest((Box("", (("x40", Among((0.0,))),), ties=(("x7", "x40"),)),))
    assert isinstance(tied, Optimum)
    assert tied.value == 94.0


@pytest.mark.parametrize("name", ["onemax", "leadingones", "trap", "wmodel"])
def test_instances_are_the_first_after_an_exclusive_or(name: str) -> None:
    arguments = {"gamma": 3} if name == "wmodel" else {}
    first, third = (landscapes.make(name, instance=i, **arguments) for i in (1, 3))
    n = first.universe.width
    flips = 1 - _bits.target(third, n, 3)
    assert 0 < flips.sum() < n
    x = first.universe.sample(200, np.random.default_rng(0)).values
    assert np.array_equal(first(x), third(np.abs(x - flips)))
    assert not np.array_equal(first(x), third(x))


# ---- arguments


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("onemax", {"n": 0}, "n must be from 1 to 1,000"),
        ("leadingones", {"n": 1001}, "n must be from 1 to 1,000"),
        ("onemax", {"m": 3}, "no argument"),
        ("trap", {"n": 10, "k": 4}, "n must be a multiple of k = 4"),
        ("trap", {"n": 10, "k": 1}, "k must be from 2"),
        ("trap", {"n": 42, "k": 21}, "k must be from 2 to 20"),
        ("wmodel", {"dummies": 16}, "dummies must be from 0"),
        ("wmodel", {"mu": 0}, "mu must be from 1"),
        ("wmodel", {"dummies": 10, "mu": 7}, "mu must be from 1 to the 6 bits"),
        ("wmodel", {"mu": 4, "nu": 5}, "nu must be from 1 to q = 4"),
        ("wmodel", {"gamma": 29}, "gamma must be from 0 to q\\(q − 1\\)/2 = 28"),
        ("wmodel", {"gamma": -1}, "gamma must be from 0"),
        ("leadingone", {}, 'did you mean "leadingones"'),
    ],
)
def test_a_bad_argument_gets_one_sentence(name: str, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said) as raised:
        landscapes.make(name, **arguments)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["onemax", "leadingones", "trap", "wmodel"])
def test_a_point_outside_the_universe_is_refused(name: str) -> None:
    f = landscapes.make(name)
    with pytest.raises(InputError, match="outside the universe"):
        f([2.0] * f.universe.width)
