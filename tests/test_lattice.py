"""Minima, basins and local-optima networks of finite spaces, against plain loops."""

from __future__ import annotations

import math
import time
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo_lab import lattice
from hpo_lab.errors import InputError
from hpo_lab.landscape import Bounds, Landscape, Minima, Optimum
from hpo_lab.region import contains, masses, whole
from hpo_lab.space import Axis, Choice, Family, Floats, Integer, Ints, Points, Real, Space
from hpo_lab.testing.landscape import check_landscape, random_view


def some_axis(name: str, rng: np.random.Generator) -> Axis:
    size = int(rng.integers(1, 5))
    kind = rng.integers(5)
    if kind < 2:
        return Choice(name, tuple(range(size)), ordered=bool(kind))
    if kind < 4:
        return Integer(name, 2, 1 + size, log=bool(kind - 2))
    return Real(name, 0.5, 0.5)


def some_space(rng: np.random.Generator) -> Space:
    families = []
    for f in range(int(rng.integers(1, 4))):
        axes = tuple(some_axis(f"x{i}", rng) for i in range(int(rng.integers(0, 4))))
        families.append(Family(f"f{f}", axes, float(rng.integers(1, 4))))
    return Space(tuple(families))


def some_values(n: int, rng: np.random.Generator, holes: float) -> Floats:
    """Few different values, so that there are ties and plateaus; some differ below the rounding."""
    values = rng.integers(0, 6, n) / 7 + rng.choice([0.0, 1e-13], n)
    values[rng.random(n) < holes] = np.nan
    return np.asarray(values)


def neighbours_by_loops(space: Space) -> list[list[int]]:
    points = space.enumerate()
    rows: list[list[int]] = []
    for i in range(len(points)):
        family = space.families[points.family[i]]
        beside = []
        for j in range(len(points)):
            if points.family[i] != points.family[j]:
                continue
            differ = [
                (axis, abs(points.values[i, column] - points.values[j, column]))
                for column, axis in space.places(int(points.family[i]))
                if points.values[i, column] != points.values[j, column]
            ]
            assert len(family.axes) >= len(differ)
            if len(differ) == 1:
                axis, by = differ[0]
                steps = isinstance(axis, Integer) or (isinstance(axis, Choice) and axis.ordered)
                if by == 1 or not steps:
                    beside.append(j)
        rows.append(beside)
    return rows


def descend_by_loops(space: Space, values: Floats, same: Ints) -> list[int]:
    """The minimum (as its first drawing's place) that each point descends to, -1 for none."""
    beside = neighbours_by_loops(space)
    drawings: dict[int, list[int]] = {}
    for i in range(len(values)):
        if not math.isnan(values[i]):
            drawings.setdefault(int(same[i]), []).append(i)
    key = {
        thing: min((round(values[i], 9), thing, i) for i in rows)
        for thing, rows in drawings.items()
    }

    def end(thing: int) -> int:
        around = {
            int(same[j]) for i in drawings[thing] for j in beside[i] if not math.isnan(values[j])
        }
        best = min(around | {thing}, key=key.__getitem__)
        return key[thing][2] if best == thing else end(best)

    return [-1 if math.isnan(v) else end(int(thing)) for v, thing in zip(values, same, strict=True)]


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**9), st.sampled_from([0.0, 0.3, 1.0]), st.booleans())
def test_descent_by_loops(seed: int, holes: float, merged: bool) -> None:
    rng = np.random.default_rng(seed)
    space = some_space(rng)
    n = int(space.size)
    values = some_values(n, rng, holes)
    same = rng.integers(0, max(1, n // 2), n) if merged else np.arange(n)
    found = lattice.descend(space, values, same if merged else None)
    expected = descend_by_loops(space, values, same)
    home = np.append(found.minima, -1)
    assert home[found.label].tolist() == expected
    assert sorted(found.minima.tolist()) == sorted(set(expected) - {-1})
    assert (np.diff(np.round(values[found.minima], 9)) >= 0).all()
    if not merged:
        numbered = lattice.descend(space, values, same)
        assert np.array_equal(numbered.label, found.label)
        assert np.array_equal(numbered.minima, found.minima)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**9), st.sampled_from([0.0, 0.3]), st.booleans())
def test_network_by_loops(seed: int, holes: float, merged: bool) -> None:
    rng = np.random.default_rng(seed)
    space = some_space(rng)
    n = int(space.size)
    values = some_values(n, rng, holes)
    found = lattice.descend(space, values, rng.integers(0, n, n) if merged else None)
    net = lattice.network(space, values, found)
    expected = np.zeros((len(found.minima), len(found.minima)))
    beside = neighbours_by_loops(space)
    sizes = np.zeros(len(found.minima))
    for i in np.flatnonzero(found.label >= 0):
        sizes[found.label[i]] += 1
        alive = [j for j in beside[i] if found.label[j] >= 0]
        for j in alive:
            expected[found.label[i], found.label[j]] += 1 / len(alive)
    assert net.sizes.tolist() == sizes.tolist()
    assert net.edges.shape == expected.shape
    assert np.allclose(net.edges.toarray(), expected / sizes[:, None], rtol=0, atol=1e-12)
    assert np.array_equal(net.values, values[net.minima])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9))
def test_places_and_regions_by_enumeration(seed: int) -> None:
    rng = np.random.default_rng(seed)
    space = some_space(rng)
    points, rows = space.enumerate(), np.arange(int(space.size))
    assert np.array_equal(lattice.places(space, points), rows)
    some = rng.permutation(rows)
    again = lattice.points_at(space, some)
    assert np.array_equal(again.family, points.family[some])
    assert np.array_equal(again.values, points.values[some], equal_nan=True)
    image = random_view(space, rng).image
    kept = contains(space, image, points)
    assert np.array_equal(lattice.inside(space, image), kept)
    values = some_values(len(points), rng, 0.3)
    best = lattice.lowest(space, values, image)
    alive = kept & ~np.isnan(values)
    if not alive.any():
        assert best == Bounds(math.inf, math.inf, "no point of the region has a value")
    else:
        assert isinstance(best, Optimum)
        assert best.value == values[alive].min()
        assert (
            lattice.places(space, best.point)[0]
            == np.flatnonzero(alive & (values == best.value))[0]
        )


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9))
def test_basins_have_their_masses_and_their_lowest_values(seed: int) -> None:
    rng = np.random.default_rng(seed)
    space = some_space(rng)
    points = space.enumerate()
    values = some_values(len(points), rng, 0.2)
    found = lattice.minima(space, values)
    label = found.labels(points)
    mass = masses(points)
    assert found.masses is not None
    expected = [mass[label == k].sum() for k in range(len(found.values))]
    assert np.allclose(found.masses, expected, rtol=0, atol=1e-12)
    image = random_view(space, rng).image
    low = [
        np.min(values[(label == k) & contains(space, image, points)], initial=math.inf)
        for k in range(len(found.values))
    ]
    assert np.array_equal(found.lowest(image), low)
    assert np.allclose(found.lowest(whole(space)), found.values, rtol=0, atol=1e-9)


def test_random_values_on_a_hypercube_have_the_known_number_of_minima() -> None:
    """2^n / (n + 1) minima on average, with variance 2^n (n - 1) / (2 (n + 1)^2).

    Kauffman & Levin 1987, J. Theor. Biol. 128; variance: Baldi & Rinott 1989, J. Appl. Prob. 26.
    """
    n, rounds, rng = 10, 200, np.random.default_rng(3)
    space = Space.box(*[Choice(f"b{i}", (0, 1)) for i in range(n)])
    counts = [len(lattice.descend(space, rng.random(2**n)).minima) for _ in range(rounds)]
    sd = math.sqrt(2**n * (n - 1) / (2 * (n + 1) ** 2) / rounds)
    assert abs(np.mean(counts) - 2**n / (n + 1)) < 4 * sd  # about one false alarm in 16,000


def test_a_flat_box_has_one_minimum_and_a_plateau_keeps_the_order() -> None:
    space = Space.box(Integer("a", 0, 4), Choice("b", ("x", "y", "z")), Integer("c", 0, 3))
    flat = lattice.descend(space, np.ones(60))
    assert flat.minima.tolist() == [0]
    assert (flat.label == 0).all()
    line = Space.box(Integer("a", 0, 4))
    ends = lattice.descend(line, np.array([1.0, 1.0, 0.0, 0.0, 1.0]))
    assert ends.minima.tolist() == [2, 0]  # 0 comes before its equal 1, though 1 has an exit
    two = lattice.descend(line, np.array([0.0, 1.0, 1.0, 1.0, 0.0]))
    assert two.label.tolist() == [0, 0, 0, 1, 1]  # the middle steps to the first of its equals


@pytest.mark.parametrize(("n", "kinds"), [(0, 1), (1, 1), (5000, 10**9), (5000, 40_000), (5000, 9)])
def test_the_order_is_that_of_a_stable_sort(n: int, kinds: int) -> None:
    """With no ties, some and many; minus zero is zero, and what has no value goes last."""
    rng = np.random.default_rng(n + kinds)
    values = rng.integers(-kinds, kinds, n).astype(float) * -1.0
    values[rng.random(n) < 0.1] = np.nan
    values[rng.random(n) < 0.01] = np.inf
    count = int((~np.isnan(values)).sum())
    with np.errstate(all="raise"):
        rank, home = lattice._ranks(values, None)
    expected = np.argsort(values, kind="stable")[:count]
    assert np.array_equal(home, expected)
    assert np.array_equal(rank[expected], np.arange(count))
    assert (rank[np.isnan(values)] == count).all()


def test_values_of_any_size_are_compared() -> None:
    line = Space.box(Integer("a", 0, 4))
    huge = np.array([1e300, -1e308, 1e-12, 0.0, np.inf])
    found = lattice.descend(line, huge)
    assert found.minima.tolist() == [1]  # 1e-12 and 0 are equal, and the first has a lower beside
    assert lattice.descend(line, np.full(5, np.nan)).minima.tolist() == []


class Lattice(Landscape):
    """A rugged function of a small lattice, frozen by hand."""

    name: ClassVar[str] = "function"
    universe = Space(
        (
            Family("a", (Integer("k", 1, 7, log=True), Choice("o", ("x", "y", "z")))),
            Family("b", (Choice("s", (1, 2, 4, 8), ordered=True),)),
        )
    )

    def __setattr__(self, key: str, value: object) -> None:
        raise AttributeError(key)

    def evaluate(self, points: Points) -> Floats:
        filled = np.where(self.universe.active[points.family], points.values, 0.0)
        return np.asarray(np.sin(3.0 * filled.sum(axis=1) + points.family))

    def minima(self) -> Minima:
        return lattice.minima_of(self)


def test_a_landscape_s_minima_keep_the_contract() -> None:
    check_landscape(Lattice())
    with pytest.raises(InputError, match="cannot be enumerated"):
        lattice.minima_of(Landscape.of(len, Space.box(Real("x", 0, 1))))


def test_a_large_space_is_quick() -> None:
    """62,208 points on nine axes: well under a second; the ratio to one sort is what is kept."""
    sizes = (2, 2, 4, 3, 3, 6, 2, 6, 6)
    axes = [Choice(f"x{i}", tuple(range(k)), ordered=i % 2 == 0) for i, k in enumerate(sizes)]
    space = Space.box(*axes)
    values = np.random.default_rng(0).random(int(space.size))
    took = []
    for _ in range(3):
        start = time.perf_counter()
        lattice.descend(space, values)
        took.append(time.perf_counter() - start)
    assert min(took) < 0.5


@pytest.mark.parametrize(
    ("space", "values", "same", "said"),
    [
        (Space.box(Real("x", 0, 1)), np.zeros(1), None, "enumerated up to"),
        (Space.box(Integer("x", 0, 10**7)), np.zeros(1), None, "enumerated up to"),
        (Space.box(Integer("x", 0, 3)), np.zeros(3), None, "expected 4 values"),
        (Space.box(Integer("x", 0, 3)), np.zeros((4, 1)), None, "expected 4 values"),
        (Space.box(Integer("x", 0, 3)), np.zeros(4), np.zeros(3, int), "expected 4 numbers"),
    ],
)
def test_bad_arguments_get_one_sentence(
    space: Space, values: Floats, same: Ints | None, said: str
) -> None:
    with pytest.raises(InputError, match=said) as raised:
        lattice.descend(space, values, same)
    assert "\n" not in str(raised.value)


def test_every_pair_of_neighbours_stands_opposite_once() -> None:
    """A Hamming graph of 3 × 4 options: every point has 2 + 3 neighbours, all rows sum to one."""
    space = Space.box(Choice("a", (0, 1, 2)), Choice("b", (0, 1, 2, 3)))
    for values in (np.arange(12.0), np.random.default_rng(1).random(12)):
        net = lattice.network(space, values, lattice.descend(space, values))
        assert np.allclose(np.asarray(net.edges.sum(axis=1)).ravel(), 1.0, rtol=0, atol=1e-12)
        flow = net.edges.toarray() * net.sizes[:, None]
        assert np.allclose(flow, flow.T, rtol=0, atol=1e-12)  # equal degrees: symmetric
