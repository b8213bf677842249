"""NK landscapes against the definition, brute force, a ring dynamic program and closed forms."""

from __future__ import annotations

import math
import tracemalloc
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import landscapes
from hpo_lab import lattice, measure
from hpo_lab.errors import InputError
from hpo_lab.landscape import Bounds, Optimum
from hpo_lab.region import Among, Box, Region, contains, intersect, region_system, whole
from hpo_lab.space import Floats, Points
from hpo_lab.testing.landscape import check_landscape, random_view
from landscapes import _elimination, nk
from landscapes.nk import NK
from tests.published.nk_optima import COUNTS, counts

SMALL: list[dict[str, Any]] = [
    {"n": 1, "k": 0},
    {"n": 9, "k": 0, "neighbourhood": "adjacent"},
    {"n": 11, "k": 3, "neighbourhood": "adjacent", "instance": 2},
    {"n": 12, "k": 4, "instance": 3},
    {"n": 10, "k": 9},
    {"n": 12, "k": 3, "q": 2},
    {"n": 12, "k": 2, "q": 4, "neighbourhood": "adjacent"},
    {"n": 12, "k": 3, "p": 0.9},
]


def _every(f: NK) -> tuple[Points, Floats]:
    points = f.universe.enumerate()
    return points, f.evaluate(points)


# ---- the definition


@pytest.mark.parametrize("arguments", SMALL)
def test_the_contract_with_other_arguments(arguments: dict[str, Any]) -> None:
    for seed in range(2):
        check_landscape(NK(**arguments), seed=seed)


@pytest.mark.parametrize(
    "arguments",
    [
        {"n": 60, "k": 3, "neighbourhood": "adjacent"},
        {"n": 40, "k": 5},
        {"n": 200, "k": 1},
        {"n": 30, "k": 2, "q": 3},
        {"n": 30, "k": 17, "neighbourhood": "adjacent"},
    ],
)
def test_the_contract_where_states_cannot_be_listed(arguments: dict[str, Any]) -> None:
    check_landscape(NK(**arguments), views=3)


@pytest.mark.parametrize("arguments", [*SMALL, {"n": 200, "k": 9, "instance": 5}])
def test_values_are_the_definition_in_fractions(arguments: dict[str, Any]) -> None:
    f = NK(**arguments)
    model = nk._model(f)
    points = f.universe.sample(20, np.random.default_rng(0))
    for row, value in zip(points.values, f.evaluate(points), strict=True):
        total = Fraction(0)
        for loci, table in zip(model.links, model.tables, strict=True):
            index = int("".join(str(int(row[j])) for j in loci), 2)
            total += Fraction(int(table[index]), model.scale)
        assert value == float(1 - total / f.n)


def test_neighbourhoods_are_windows_of_a_ring_or_other_loci() -> None:
    ring = nk._model(NK(8, 3, "adjacent")).links
    assert ring[6].tolist() == [6, 7, 0, 1]
    links = nk._model(NK(40, 6, "random")).links
    assert links[:, 0].tolist() == list(range(40))
    assert all(len(set(row)) == 7 for row in links.tolist())
    # every other locus is as likely: 240 draws over 40 loci, each expected 6 times
    seen = np.zeros(40)
    for instance in range(1, 41):
        seen += np.bincount(nk._model(NK(40, 6, "random", instance)).links[:, 1:].ravel())
    assert ((seen - 240.0) ** 2 / 240.0).sum() < 72.1  # chi-square of 39, 99.9 %


def test_contributions_are_uniform_quantised_or_mostly_zero() -> None:
    plain = nk._model(NK(50, 9)).tables
    share = plain / 2.0**32
    assert abs(share.mean() - 0.5) < 4 / math.sqrt(12 * share.size)
    quantised = nk._model(NK(50, 9, q=4))
    assert quantised.scale == 3
    assert np.array_equal(quantised.tables, np.floor(share * 4))
    sparse = nk._model(NK(50, 9, p=0.8)).tables
    zero = sparse == 0
    assert abs(zero.mean() - 0.8) < 4 * math.sqrt(0.16 / zero.size)
    assert np.array_equal(sparse[~zero], plain[~zero])


def test_values_do_not_depend_on_threads() -> None:
    f = NK(100, 8)
    points = f.universe.sample(5000, np.random.default_rng(1))
    alone = f.evaluate(points)
    with landscapes.threads(2):
        assert np.array_equal(alone, f.evaluate(points))
        shared = nk._descended(NK(14, 3, instance=9))
    again = nk._descended(NK(14, 3, instance=9))
    assert np.array_equal(shared[0], again[0])
    assert np.array_equal(shared[1], again[1])


def test_a_large_batch_needs_little_memory_beside_its_points() -> None:
    f = NK(20, 4)
    points = f.universe.sample(200_000, np.random.default_rng(0))
    f.evaluate(points[:10])
    tracemalloc.start()
    f.evaluate(points)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < points.values.nbytes  # beside the points themselves


# ---- minima


@pytest.mark.parametrize("arguments", SMALL)
def test_minima_and_basins_are_those_of_the_lattice(arguments: dict[str, Any]) -> None:
    """Ranks stand for the values: the lattice would round values that differ by under 1e-9."""
    f = NK(**arguments)
    points, values = _every(f)
    ranks = np.unique(values, return_inverse=True)[1].astype(float)
    expected = lattice.descend(f.universe, ranks)
    minima = f.minima()
    assert minima is not None
    assert np.array_equal(minima.points.values, points.values[expected.minima])
    assert np.array_equal(minima.labels(points), expected.label)
    assert minima.masses is not None
    assert np.array_equal(minima.masses * 2**f.n, np.bincount(expected.label))


@pytest.mark.parametrize("arguments", SMALL[2:])
def test_the_lowest_part_of_every_basin_in_a_region(arguments: dict[str, Any]) -> None:
    f, rng = NK(**arguments), np.random.default_rng(7)
    points, values = _every(f)
    minima = f.minima()
    assert minima is not None
    label = minima.labels(points)
    for _ in range(10):
        region = random_view(f.universe, rng).image
        inside = contains(f.universe, region, points)
        expected = np.full(len(minima.values), np.inf)
        np.minimum.at(expected, label[inside], values[inside])
        assert np.array_equal(minima.lowest(region), expected)


def test_regions_of_a_large_universe_are_minimised_without_listing_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As a report asks for them, in a declared space that some of them do not meet."""
    f = NK(10, 3)
    system = region_system("pairs", f.universe)
    within = (Box("", (("x2", Among((1.0,))), ("x5", Among((0.0,))))),)
    listed = measure.region_optima.__wrapped__(f, system, within)
    monkeypatch.setattr(measure, "LISTED", 0)
    assert np.array_equal(measure.region_optima.__wrapped__(f, system, within), listed)
    assert np.isinf(listed).any()


def test_no_minima_beyond_24_loci() -> None:
    assert NK(25, 2).minima() is None


@pytest.mark.slow
def test_all_states_of_24_loci() -> None:
    for neighbourhood in nk.NEIGHBOURHOODS:
        f = NK(24, 4, neighbourhood)
        minima, best = f.minima(), f.optimum()
        assert minima is not None
        assert isinstance(best, Optimum)
        assert best.value == minima.values[0]
        assert minima.masses is not None
        assert minima.masses.sum() == 1.0


# ---- optima of regions


def _in_union(f: NK, rng: np.random.Generator) -> Region:
    """Two disjoint random boxes."""
    one, other = (random_view(f.universe, rng).image for _ in range(2))
    halves = [(Box("", (("x1", Among((bit,))),)),) for bit in (0.0, 1.0)]
    return intersect(one, halves[0]) + intersect(other, halves[1])


@pytest.mark.parametrize("arguments", SMALL)
@pytest.mark.parametrize("exact", [24, -1], ids=["any way", "by elimination"])
def test_the_optimum_of_any_region_by_brute_force(
    arguments: dict[str, Any], exact: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nk, "EXACT", exact)  # below 0: no region is visited state by state
    nk._lowest_in_box.cache_clear()
    f, rng = NK(**arguments), np.random.default_rng(11)
    points, values = _every(f)
    for _ in range(12):
        region = _in_union(f, rng)
        inside = contains(f.universe, region, points)
        found = f.lowest(region)
        if not inside.any():
            assert isinstance(found, Bounds)
            assert found.low == math.inf
            continue
        assert isinstance(found, Optimum)
        assert found.value == values[inside].min()
        assert contains(f.universe, region, found.point)[0]
        assert f.evaluate(found.point)[0] == found.value
    nk._lowest_in_box.cache_clear()


def _ring_optimum(f: NK, allowed: list[tuple[int, ...]]) -> float:
    """The optimum of an adjacent landscape by dynamic programming over the last K bits.

    For each content of the first K loci: the best sum so far for every content of the last K
    loci; the contributions that close the ring come at the end.
    """
    tables, k = nk._model(f).tables.astype(np.int64), f.k
    best = -1
    for first in np.ndindex(*[2] * k):
        if any(bit not in allowed[i] for i, bit in enumerate(first)):
            continue
        sums = {first: 0}
        for i in range(k, f.n):
            wider: dict[tuple[int, ...], int] = {}
            for last, total in sums.items():
                for bit in allowed[i]:
                    window = (*last, bit)
                    index = int("".join(map(str, window)), 2)
                    value = total + int(tables[i - k, index])
                    wider[window[1:]] = max(value, wider.get(window[1:], -1))
            sums = wider
        for last, total in sums.items():
            ring = last + first
            for j in range(k):
                index = int("".join(map(str, ring[j : j + k + 1])), 2)
                total += int(tables[f.n - k + j, index])
            best = max(best, total)
    return float(nk._model(f).losses(np.array([best]))[0])


@pytest.mark.parametrize("arguments", [{}, {"q": 3}, {"p": 0.7}])
def test_the_optimum_of_a_long_ring_by_dynamic_programming(arguments: dict[str, Any]) -> None:
    f, rng = NK(70, 3, "adjacent", 4, **arguments), np.random.default_rng(5)
    for share in (0.0, 0.3, 0.8):
        fixed = rng.random(f.n) < share
        allowed: list[tuple[int, ...]] = [
            (int(rng.integers(2)),) if one else (0, 1) for one in fixed
        ]
        sets = tuple(
            (f"x{i + 1}", Among(tuple(map(float, bits)))) for i, bits in enumerate(allowed)
        )
        found = f.lowest((Box("", sets),))
        assert isinstance(found, Optimum)
        assert found.value == _ring_optimum(f, allowed)


@pytest.mark.parametrize("k", [1, 4, 8, 11])
def test_elimination_reads_at_most_twice_k_bits_and_one_of_a_ring(k: int) -> None:
    """So that every region without ties is exact to k = 11."""
    rng = np.random.default_rng(k)
    for n in (k + 1, 2 * k + 3, 60, 200):
        for share in (0.0, 0.1, 0.4):
            place = np.cumsum(rng.random(n) >= share) - 1  # of the loci that are free
            free = np.diff(place, prepend=-1) > 0
            windows = [(np.arange(k + 1) + i) % n for i in range(n)]
            scopes = [tuple(place[w[free[w]]].tolist()) for w in windows]
            order = _elimination.elimination_order(scopes, int(free.sum()))
            assert order.width <= min(2 * k + 1, free.sum())


def test_ties_across_a_long_ring_are_exact() -> None:
    """Equal halves of a ring: every locus is tied with the one opposite; by brute force."""
    f = NK(36, 2, "adjacent", 3)
    ties = tuple((f"x{i + 1}", f"x{i + 19}") for i in range(18))
    found = f.lowest((Box("", ties=ties),))
    half = NK(18, 0, "adjacent").universe.enumerate().values
    values = f.evaluate(f.universe.points(np.concatenate([half, half], axis=1)))
    assert isinstance(found, Optimum)
    assert found.value == values.min()


@pytest.mark.parametrize("arguments", SMALL[3:])
def test_bounds_hold_where_the_optimum_is_out_of_reach(
    arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With 4 bits at a time allowed, the truth is out of reach; brute force knows it."""
    f, rng = NK(**arguments), np.random.default_rng(3)
    points, values = _every(f)
    monkeypatch.setattr(nk, "EXACT", 4)
    monkeypatch.setattr(_elimination, "EXACT", 4)
    monkeypatch.setattr(_elimination, "APART", 4)
    monkeypatch.setattr(nk, "COPIED", 2**12)  # so that k = 9 is bounded entry by entry
    nk._lowest_in_box.cache_clear()
    bounded = 0
    for region in [whole(f.universe)] + [random_view(f.universe, rng).image for _ in range(8)]:
        inside = contains(f.universe, region, points)
        found = f.lowest(region)
        if isinstance(found, Bounds):
            bounded += 1
            assert found.low <= values[inside].min() <= found.high
            assert (values[inside] == found.high).any()
            assert found.low > 0.0 or f.q or f.p
    nk._lowest_in_box.cache_clear()
    assert bounded >= 1


# ---- closed forms and published numbers


def _autocorrelation(f: NK, mean: float | None) -> tuple[float, float]:
    """Covariance over one flip, and variance, over all states; about their mean unless given."""
    values = f.evaluate(f.universe.enumerate()).reshape((2,) * f.n)
    values = values - (values.mean() if mean is None else mean)
    flipped = [(values * np.flip(values, axis)).mean() for axis in range(f.n)]
    return float(np.mean(flipped)), float((values**2).mean())


def _ratio(pairs: list[tuple[float, float]]) -> tuple[float, float]:
    """A ratio of means, with its standard error by the jackknife."""
    table = np.array(pairs)
    left_out = (table.sum(axis=0) - table) / (len(table) - 1)
    ratios = left_out[:, 0] / left_out[:, 1]
    error = math.sqrt((len(table) - 1) * ((ratios - ratios.mean()) ** 2).mean())
    return float(table[:, 0].mean() / table[:, 1].mean()), error


@pytest.mark.parametrize("neighbourhood", nk.NEIGHBOURHOODS)
@pytest.mark.parametrize(("n", "k"), [(12, 2), (12, 5)])
def test_autocorrelation_of_the_ensemble(n: int, k: int, neighbourhood: str) -> None:
    """ρ(1) = 1 − (K + 1)/N about the ensemble's mean ½; another number about the instance's own.

    Weinberger 1990; with the instance's mean removed each of N contributions loses the variance
    of the mean of 2^(K+1) numbers.
    """
    fs = [NK(n, k, neighbourhood, instance) for instance in range(1, 151)]
    plain = 1 - (k + 1) / n
    found, error = _ratio([_autocorrelation(f, 0.5) for f in fs])
    assert abs(found - plain) < 4 * error
    entries = 2 ** (k + 1)
    found, error = _ratio([_autocorrelation(f, None) for f in fs])
    assert abs(found - (entries * plain - 1) / (entries - 1)) < 4 * error
    assert error < 0.01


@pytest.mark.parametrize(("n", "neighbourhood"), [(8, "adjacent"), (11, "random")])
def test_without_correlation_there_are_2_to_the_n_over_n_plus_1_minima(
    n: int, neighbourhood: str
) -> None:
    found = counts(n, n - 1, neighbourhood, instances=200)
    error = np.std(found, ddof=1) / math.sqrt(len(found))
    assert abs(np.mean(found) - 2**n / (n + 1)) < 4 * error


def test_without_epistasis_there_is_one_minimum() -> None:
    f = NK(16, 0)
    minima = f.minima()
    assert minima is not None
    assert minima.masses is not None
    assert minima.masses.tolist() == [1.0]
    best = nk._model(f).tables.max(axis=1).astype(np.int64).sum()
    assert minima.values[0] == nk._model(f).losses(best[None])[0]


@pytest.mark.parametrize(
    ("n", "neighbourhood", "k"), [(18, "adjacent", 4), (14, "random", 6), (14, "random", 10)]
)
def test_published_counts_of_minima(n: int, neighbourhood: str, k: int) -> None:
    """Both are means over 30 landscapes: within 3 standard errors of the difference."""
    found = counts(n, k, neighbourhood, instances=30)
    published, _ = COUNTS[n, neighbourhood][k]
    error = np.std(found, ddof=1) * math.sqrt(1 / 30 + 1 / 30)
    assert abs(np.mean(found) - published) < 3 * error


@pytest.mark.parametrize("arguments", [{"q": 2}, {"p": 0.95}])
def test_neutrality_is_a_dial(arguments: dict[str, Any]) -> None:
    """Far more neighbours are equal than in NK, where none is."""

    def equal(f: NK) -> float:
        values = f.evaluate(f.universe.enumerate()).reshape((2,) * f.n)
        return float(np.mean([values == np.flip(values, axis) for axis in range(f.n)]))

    assert equal(NK(12, 2)) == 0.0
    assert equal(NK(12, 2, **arguments)) > 0.2


# ---- arguments


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"n": 5, "k": 5}, "k must be from 0 to n − 1 = 4"),
        ({"k": -1}, "k must be from 0"),
        ({"n": 0, "k": 0}, "n must be from 1 to 200"),
        ({"n": 201}, "n must be from 1 to 200"),
        ({"n": 200, "k": 30}, "at most 2\\^27"),
        ({"neighbourhood": "adjacnt"}, 'did you mean "adjacent"'),
        ({"q": 1}, "q must be from 2"),
        ({"q": 10**9}, "q must be from 2"),
        ({"p": 1.0}, "p must be a share"),
        ({"p": -0.1}, "p must be a share"),
        ({"p": math.nan}, "p must be a share"),
        ({"p": 0.5, "q": 2}, "not both"),
        ({"K": 3}, 'did you mean "k"'),
        ({"n": "20"}, "n: input should be a valid integer"),
    ],
)
def test_a_bad_argument_gets_one_sentence(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said) as raised:
        landscapes.make("nk", **arguments)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("given", [[0.5] * 20, [2.0] * 20, [-1.0] * 20])
def test_a_point_outside_the_universe_is_refused(given: list[float]) -> None:
    with pytest.raises(InputError, match="outside the universe"):
        NK()(given)
