"""The laws over every landscape found; the truths of peaks and families by brute force."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import landscapes
from hpo_lab.assumption import assume
from hpo_lab.assumptions.coarsened import Coarsened
from hpo_lab.assumptions.fixed import Fixed
from hpo_lab.assumptions.only import Only
from hpo_lab.assumptions.tied import Tied
from hpo_lab.errors import InputError
from hpo_lab.landscape import Bounds, Landscape, Minima, Optimum
from hpo_lab.region import Among, AxisSet, Box, Interval, Region, contains
from hpo_lab.space import Choice, Family, Floats, Integer, Ints, Points, Real, Space
from hpo_lab.testing.landscape import check_landscape
from hpo_lab.testing.spaces import KINDS_OF_SPACE
from landscapes._power import Group, PowerDiagram
from landscapes._separable import Valleys
from landscapes.families import Families
from landscapes.peaks import Peaks

GOLDENS = Path(__file__).parent / "goldens"
ARGUMENTS: list[tuple[str, dict[str, Any]]] = [
    ("peaks", {"dimension": 1, "peaks": 12}),
    ("peaks", {"dimension": 2, "peaks": 30, "instance": 2, "conditioning": 50.0}),
    ("peaks", {"dimension": 10, "peaks": 20, "noise": 0.1}),
    ("families", {"optima": 3, "ruggedness": 0.1}),
    ("families", {"families": ("conv", "mlp"), "gap": 0.3, "optima": 4}),
    ("nas_graph", {"dataset": "proteins"}),
    ("nas_graph", {"dataset": "arxiv", "observe": "test", "truth": "valid"}),
]


@pytest.mark.parametrize("name", landscapes.names())
def test_everything_found_keeps_the_contract(name: str) -> None:
    check_landscape(landscapes.make(name))


@pytest.mark.parametrize(("name", "arguments"), ARGUMENTS)
def test_the_contract_with_other_arguments(name: str, arguments: dict[str, Any]) -> None:
    for seed in range(3):
        check_landscape(landscapes.make(name, **arguments), seed=seed)


@pytest.mark.parametrize("kind", sorted(KINDS_OF_SPACE))
@pytest.mark.parametrize("ruggedness", [0.0, 0.2])
def test_families_over_every_kind_of_space(kind: str, ruggedness: float) -> None:
    f = Families(space=KINDS_OF_SPACE[kind], ruggedness=ruggedness, optima=3)
    check_landscape(f, samples=64, views=3)


# ---- what the contract catches


class _Broken(Landscape):
    """A parabola that keeps the contract, to be broken in one place at a time."""

    name: ClassVar[str] = "function"
    universe = Space.box(Real("x", -1.0, 1.0))

    def __setattr__(self, key: str, value: object) -> None:
        raise AttributeError(key)

    def evaluate(self, points: Points) -> Floats:
        return points.values[:, 0] ** 2

    def lowest(self, region: Region) -> Optimum | Bounds:
        return Bounds(0.0, 1.0, "a square is not negative")


class _DependsOnTheBatch(_Broken):
    def evaluate(self, points: Points) -> Floats:
        return points.values[:, 0] ** 2 + np.arange(len(points))


class _ClaimsTooMuch(_Broken):
    def lowest(self, region: Region) -> Optimum | Bounds:
        return Bounds(0.9, 1.0, "wishful thinking")


class _ForgetsItsPoint(_Broken):
    def lowest(self, region: Region) -> Optimum | Bounds:
        return Optimum(0.0, self.universe.points([0.5]))


class _SecretlyNoisy(_Broken):
    def observe(self, points: Points, repetition: int = 0, replicate: Ints | None = None) -> Floats:
        return self.evaluate(points) + repetition


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (_DependsOnTheBatch, "the order of a batch"),
        (_ClaimsTooMuch, "a sampled point has"),
        (_ForgetsItsPoint, "but its point has"),
        (_SecretlyNoisy, "repetitions say otherwise"),
    ],
)
def test_the_contract_says_which_law_is_broken(broken: type[_Broken], said: str) -> None:
    check_landscape(_Broken(), views=0)
    with pytest.raises(AssertionError, match=said):
        check_landscape(broken(), views=0)


# ---- peaks


def _ascended(f: Peaks, points: Points) -> Floats:
    """Where steepest descent in the metric of Σ ends, (n, d): by mean shift.

    The gradient of the lowest component points along Σ⁻¹ (x − c), so that in the metric of Σ a
    small step goes straight towards c; the component is asked for anew at each step.
    """
    x = points.values.copy()
    for _ in range(2000):
        h = 1e-5
        f0 = f.evaluate(f.universe.points(x))
        gradient = np.empty_like(x)
        for i in range(x.shape[1]):
            over, under = x.copy(), x.copy()
            over[:, i] += h
            under[:, i] -= h
            rise = f.evaluate(f.universe.points(over)) - f.evaluate(f.universe.points(under))
            gradient[:, i] = rise / (2 * h)
        curvature = f._diagram.curvature
        # ∇f = 2 (1 − f) a (x − c): a step of a twentieth of the way, in finite differences alone
        x -= 0.05 * gradient / (2.0 * np.maximum(1.0 - f0, 1e-300)[:, None] * curvature)
        if np.abs(gradient).max() < 1e-7:
            break
    return x


@pytest.mark.parametrize("conditioning", [1.0, 25.0])
def test_basins_of_peaks_are_where_descent_ends(conditioning: float) -> None:
    f = Peaks(dimension=2, peaks=12, instance=4, conditioning=conditioning)
    minima = f.minima()
    points = f.universe.sample(300, np.random.default_rng(1))
    ends = _ascended(f, points)
    gaps = np.linalg.norm(ends[:, None, :] - minima.points.values[None], axis=2)
    assert gaps.min(axis=1).max() < 0.01
    agree = gaps.argmin(axis=1) == minima.labels(points)
    assert agree.mean() > 0.99  # finite differences go astray on the border itself


@pytest.mark.parametrize(("dimension", "peaks"), [(1, 1), (1, 40), (2, 30), (3, 60), (10, 30)])
def test_there_are_as_many_minima_as_peaks(dimension: int, peaks: int) -> None:
    for instance in range(1, 4):
        f = Peaks(dimension, peaks, instance)
        minima = f.minima()
        assert len(minima.values) == peaks
        assert not f._diagram.dominated()
        assert minima.values[0] == 0.0
        nudged = minima.points.values[:, None] + np.eye(dimension) * 1e-6
        around = f.universe.points(nudged.reshape(-1, dimension))
        assert (f.evaluate(around).reshape(peaks, -1) > minima.values[:, None]).all()


@pytest.mark.parametrize("dimension", [1, 2])
def test_masses_of_basins_are_shares_of_the_box(dimension: int) -> None:
    f = Peaks(dimension, 15, 3)
    minima = f.minima()
    assert minima.masses is not None
    assert abs(minima.masses.sum() - 1.0) < 1e-12
    labels = minima.labels(f.universe.sample(200_000, np.random.default_rng(0)))
    shares = np.bincount(labels, minlength=15) / 200_000
    error = np.sqrt(minima.masses * (1 - minima.masses) / 200_000)
    assert (np.abs(shares - minima.masses) < 5 * error).all()
    assert Peaks(3, 5).minima().masses is None


def _lowest_by_grid(f: Landscape, minima: Minima, grid: Points) -> Floats:
    found = np.full(len(minima.values), np.inf)
    np.minimum.at(found, minima.labels(grid), f.evaluate(grid))
    return found


def test_the_lowest_part_of_a_basin_in_a_box_by_a_fine_grid() -> None:
    f = Peaks(2, 20, 5, conditioning=4.0)
    minima, rng = f.minima(), np.random.default_rng(3)
    compared = 0
    for _ in range(12):
        low, high = np.sort(rng.uniform(-5, 5, (2, 2)), axis=0)
        sets = tuple((f"x{i + 1}", Interval(float(low[i]), float(high[i]))) for i in range(2))
        steps = [np.linspace(low[i], high[i], 400) for i in range(2)]
        grid = f.universe.points(np.stack(np.meshgrid(*steps), axis=-1).reshape(-1, 2))
        exact, rough = minima.lowest((Box("", sets),)), _lowest_by_grid(f, minima, grid)
        seen = np.isfinite(rough)
        assert (exact[seen] <= rough[seen] + 1e-12).all()
        assert (
            np.abs(exact[seen] - rough[seen]).max() < 0.02
        )  # the grid is coarse at a cell's corner
        compared += int(seen.sum())
    assert compared > 50


def test_the_lowest_part_of_a_basin_on_a_grid_a_line_and_a_diagonal() -> None:
    f = Peaks(3, 15, 2)
    minima = f.minima()
    rows = {
        "grid": (Coarsened(("x1", "x2", "x3"), levels=6), 1e-12),
        "fixed": (Fixed("x2", 1.25), 0.01),
        "tied": (Tied(("x1", "x3")), 0.01),
    }
    for assumption, tolerance in rows.values():
        view = assume(f.universe, [assumption])
        if math.isinf(view.declared.size):
            axes = np.linspace(-5, 5, 401)
            lattice = np.stack(np.meshgrid(axes, axes), axis=-1).reshape(-1, 2)
            declared = view.declared.points(lattice)
        else:
            declared = view.declared.enumerate()
        rough = _lowest_by_grid(f, minima, view.lift(declared))
        exact = minima.lowest(view.image)
        seen = np.isfinite(rough)
        assert (exact[seen] <= rough[seen] + 1e-12).all()
        assert np.abs(exact[seen] - rough[seen]).max() < tolerance
        if tolerance < 1e-9:
            assert np.array_equal(np.isfinite(exact), seen)


def test_a_power_diagram_knows_the_lowest_point_of_a_cell_between_two_parabolas() -> None:
    diagram = PowerDiagram(np.array([1.0]), np.array([[0.0], [1.0]]), np.array([0.0, 0.1]))
    border = 0.55  # t² = (t − 1)² + 0.1
    assert diagram.lowest(0, [Group((0,), 0.8, 2.0)]) == math.inf
    assert diagram.lowest(1, [Group((0,), -3.0, border)]) == pytest.approx(border**2, abs=1e-9)
    values = np.array([-2.0, 0.5, 0.7])
    assert diagram.lowest(1, [Group((0,), -2.0, 0.7, values)]) == pytest.approx(0.19)


def test_noise_on_peaks_is_keyed_and_leaves_the_truth_alone() -> None:
    quiet, noisy = Peaks(2, 10, 1), Peaks(2, 10, 1, noise=0.3)
    points = quiet.universe.sample(4000, np.random.default_rng(0))
    assert np.array_equal(quiet.evaluate(points), noisy.evaluate(points))
    noise = noisy.observe(points, 7) - noisy.evaluate(points)
    assert abs(noise.mean()) < 0.02
    assert abs(noise.std() - 0.3) < 0.015
    other = Peaks(2, 10, 2, noise=0.3)
    assert not np.allclose(noise, other.observe(points, 7) - other.evaluate(points))


# ---- families


def test_each_family_has_its_own_lowest_value_and_the_best_is_planted() -> None:
    f = Families(gap=0.15, optima=3, ruggedness=0.05, best="recurrent", instance=3)
    lowest = {}
    for family in f.universe.families:
        found = f.optimum(assume(f.universe, [Only(family=family.name)]))
        assert isinstance(found, Optimum)
        lowest[family.name] = found.value
    assert lowest.pop("recurrent") == 0.0
    assert min(lowest.values()) == pytest.approx(0.15, abs=1e-12)
    assert max(lowest.values()) <= 0.15 + 0.2
    assert f.minima() is None


@pytest.mark.parametrize("ruggedness", [0.02, 0.5])
def test_a_box_of_rugged_families_by_a_fine_grid(ruggedness: float) -> None:
    space = Space.box(Real("lr", 1e-5, 1e-1, log=True), Real("drop", 0.0, 0.5))
    f = Families(space=space, ruggedness=ruggedness, optima=3, instance=5)
    rng = np.random.default_rng(0)
    for _ in range(10):
        unit = np.sort(rng.random((2, 2)), axis=0)
        low, high = space.from_unit(np.zeros(2, dtype=np.int64), unit).values
        sets: tuple[tuple[str, AxisSet], ...] = (
            ("lr", Interval(low[0], high[0])),
            ("drop", Interval(low[1], high[1])),
        )
        found = f.lowest((Box("", sets),))
        assert isinstance(found, Optimum)
        steps = [np.geomspace(low[0], high[0], 700), np.linspace(low[1], high[1], 700)]
        rough = f.evaluate(space.points(np.stack(np.meshgrid(*steps), -1).reshape(-1, 2))).min()
        assert found.value <= rough + 1e-12
        assert rough - found.value < 1e-2


def test_tied_axes_of_families_are_exact_on_one_scale_and_bounded_on_two() -> None:
    same = Space.box(Real("a", 0.0, 1.0), Real("b", 0.0, 1.0), Real("c", 0.0, 2.0))
    f = Families(space=same, ruggedness=0.3, instance=2)
    exact = f.lowest((Box("", ties=(("a", "b"),)),))
    assert isinstance(exact, Optimum)
    on_diagonal = np.linspace(0, 1, 200_001)
    best_c = exact.point.values[0, 2]
    diagonal = np.column_stack([on_diagonal, on_diagonal, np.full(len(on_diagonal), best_c)])
    rough = f.evaluate(same.points(diagonal)).min()
    assert exact.value <= rough + 1e-12
    assert rough - exact.value < 1e-6
    bounds = f.lowest((Box("", ties=(("a", "c"),)),))
    assert isinstance(bounds, Bounds)
    values = np.linspace(0, 1, 301)
    a, b = np.meshgrid(values, values)
    tied = f.evaluate(same.points(np.column_stack([a.ravel(), b.ravel(), a.ravel()])))
    assert bounds.low <= tied.min() + 1e-12
    assert bounds.high <= tied.min() + 1e-3


def _neighbours(space: Space, point: Points) -> Points:
    """All points one option, one integer or one small real step away from a batch of one."""
    found = []
    for column, axis in space.places(int(point.family[0])):
        value = point.values[0, column]
        if isinstance(axis, Choice):
            moves = [float(v) for v in range(len(axis.options)) if v != value]
        elif isinstance(axis, Integer):
            moves = [value - 1, value + 1]
        else:
            unit = axis.to_unit(np.array([value])) + np.array([-1e-4, 1e-4])
            moves = axis.from_unit(unit).tolist()
        for move in moves:
            if axis.contains(np.array([move]))[0] and move != value:
                values = point.values.copy()
                values[0, column] = move
                found.append(Points(space, point.family, values))
    return Points.concatenate(found)


def test_minima_of_families_are_those_that_descent_finds() -> None:
    space = Space(
        (
            Family("a", (Real("x", 0.0, 1.0), Integer("k", 1, 9), Choice("c", ("p", "q")))),
            Family("b", (Integer("k", 1, 9), Integer("m", 1, 9))),
        )
    )
    f = Families(space=space, optima=3, instance=2)
    minima = f.minima()
    assert minima is not None
    for i in range(len(minima.values)):
        around = f.evaluate(_neighbours(space, minima.points[i]))
        assert (around > minima.values[i]).all()
    finite = Space.box(*[Integer(name, 1, 9) for name in ("k", "m")])
    g = Families(space=finite, optima=3, instance=2)
    every = finite.enumerate()
    values = g.evaluate(every)
    lowest = [
        i
        for i in range(len(every))
        if (g.evaluate(_neighbours(finite, every[i])) > values[i]).all()
    ]
    known = g.minima()
    assert known is not None
    assert sorted(values[lowest]) == pytest.approx(sorted(known.values))


def test_the_lowest_part_of_a_basin_of_families_by_enumeration() -> None:
    space = Space.box(Integer("k", 1, 15), Integer("m", 2, 40, log=True), Choice("c", (1, 2, 3)))
    f = Families(space=space, optima=4, instance=6)
    minima = f.minima()
    assert minima is not None
    every = space.enumerate()
    regions: list[Region] = [
        (Box("", (("k", Interval(3, 8)), ("c", Among((0.0, 2.0))))),),
        (Box("", (("k", Among((1.0, 7.0, 15.0))), ("m", Among((3.0, 11.0, 30.0))))),),
        (Box("", (("m", Interval(5, 5)),)), Box("", (("m", Interval(20, 25)),))),
    ]
    for region in regions:
        inside = every[np.flatnonzero(contains(space, region, every))]
        assert minima.lowest(region) == pytest.approx(_lowest_by_grid(f, minima, inside))


def test_a_valley_with_ripples_is_lowest_where_a_fine_grid_says() -> None:
    rng = np.random.default_rng(4)
    for _ in range(40):
        a, b, c, p = rng.uniform([0.1, 0.0, 0.0, 0.0], [5.0, 2.0, 1.0, 1.0], (2, 4)).T
        term = Valleys(a, c, b, p, waves=float(rng.uniform(1, 12)))
        low, high = np.sort(rng.uniform(-0.5, 1.5, 2)).tolist()
        grid = np.linspace(low, high, 20_001)
        found = np.diag(term(term.argmin(low, high)))
        assert (found <= term(grid).min(axis=0) + 1e-12).all()
        twice = term.plus(Valleys(a[::-1], p, b, c, term.waves))
        assert twice is not None
        total = term(grid) + Valleys(a[::-1], p, b, c, term.waves)(grid)
        at = twice.argmin(low, high)
        both = np.diag(term(at) + Valleys(a[::-1], p, b, c, term.waves)(at))
        assert (both <= total.min(axis=0) + 1e-9).all()


# ---- arguments


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("peaks", {"dimension": 0}, "dimension must be at least 1"),
        ("peaks", {"peaks": 0}, "peaks must be at least 1"),
        ("peaks", {"noise": -1.0}, "noise must be"),
        ("peaks", {"dimension": 1, "conditioning": 10.0}, "compares axes"),
        ("peaks", {"dimensions": 2}, 'did you mean "dimension"'),
        ("families", {"best": "atention"}, 'did you mean "attention"'),
        ("families", {"families": ("convv",)}, 'did you mean "conv"'),
        ("families", {"families": ("mlp", "mlp")}, "twice"),
        ("families", {"gap": math.nan}, "gap must be"),
        ("families", {"optima": 0}, "optima must be"),
        ("families", {"ruggedness": -0.1}, "ruggedness must be"),
        ("peak", {}, 'did you mean "peaks"'),
    ],
)
def test_a_bad_argument_gets_one_sentence(name: str, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said) as raised:
        landscapes.make(name, **arguments)
    assert "\n" not in str(raised.value)


def test_a_point_outside_the_universe_is_refused() -> None:
    with pytest.raises(InputError, match="outside the universe"):
        landscapes.make("peaks", dimension=2)([6.0, 0.0])


# ---- goldens: a landscape of one name@version has the same values for ever


def golden_values(name: str, arguments: dict[str, Any], points: int = 50) -> list[str]:
    """The values of a landscape at its first random points, as hexadecimal floats."""
    f = landscapes.make(name, **arguments)
    given = f.universe.sample(points, np.random.default_rng(2026))
    return [float(value).hex() for value in f.evaluate(given)]


def write_goldens() -> None:
    """Write the values of every landscape at its present version; never over another version's."""
    for number, (name, arguments) in enumerate(ARGUMENTS):
        version = landscapes.make(name, **arguments).version
        path = GOLDENS / f"{name}@{version}-{number}.json"
        if not path.exists():
            table = {"name": name, "arguments": arguments, "values": golden_values(name, arguments)}
            path.write_text(json.dumps(table, indent=1) + "\n")


@pytest.mark.parametrize("path", sorted(GOLDENS.glob("*@*.json")), ids=lambda path: path.stem)
def test_golden_values(path: Path) -> None:
    golden = json.loads(path.read_text())
    f = landscapes.make(golden["name"], **golden["arguments"])
    if f"@{f.version}-" not in path.name:
        pytest.skip("the values of an earlier version")
    expected = [float.fromhex(value) for value in golden["values"]]
    # exponentials of two machines may differ in the last bits
    now = [float.fromhex(v) for v in golden_values(golden["name"], golden["arguments"])]
    assert np.allclose(now, expected, rtol=1e-13, atol=1e-15, equal_nan=True)


if __name__ == "__main__":
    write_goldens()
