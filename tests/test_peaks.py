"""The truths of peaks by brute force, by other programs and by the published formula."""

from __future__ import annotations

import functools
import itertools
import math
import tracemalloc
from typing import Any

import numpy as np
import pytest
from scipy.optimize import lsq_linear, minimize

import landscapes
from hpo_lab.assumption import assume
from hpo_lab.assumptions.coarsened import Coarsened
from hpo_lab.assumptions.fixed import Fixed
from hpo_lab.assumptions.tied import Tied
from hpo_lab.errors import InputError
from hpo_lab.landscape import Bounds, Landscape, Minima, Optimum
from hpo_lab.region import Among, Box, Interval
from hpo_lab.space import Floats, Points, Real, Space, levels
from hpo_lab.testing.landscape import check_landscape
from landscapes import _power
from landscapes import peaks as module
from landscapes._nearest import Bowl, Group, least_squares_in_box, nearest
from landscapes._power import PowerDiagram, cell_shares
from landscapes._quadric_cells import Forms
from landscapes._quadrics import Quadrics
from landscapes.peaks import Peaks

SHAPES: dict[str, dict[str, Any]] = {
    "round": {},
    "shared": {"conditioning": 25.0},
    "turned": {"conditioning": 25.0, "rotation": True},
    "own": {"conditioning": 25.0, "covariance": "individual", "widths": 3.0},
    "own, turned": {
        "conditioning": 25.0,
        "covariance": "individual",
        "widths": 3.0,
        "rotation": True,
    },
}
every_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
shared_shape = pytest.mark.parametrize("shape", list(SHAPES.values())[:3], ids=list(SHAPES)[:3])
own_shape = pytest.mark.parametrize("shape", list(SHAPES.values())[3:], ids=list(SHAPES)[3:])


def _forms(f: Peaks) -> Floats:
    """Σ_k⁻¹ (K, d, d): the quadratic forms over 1/(2d), as the module's docstring has them."""
    factors = f._quadrics.factors
    return 2.0 * f.dimension * np.swapaxes(factors, 1, 2) @ factors


# ---- the formula, and what the dials say


@every_shape
@pytest.mark.parametrize("dimension", [2, 7])
def test_values_are_those_of_gallagher_and_yuan_point_by_point(
    dimension: int, shape: dict[str, Any]
) -> None:
    f = Peaks(dimension, 9, 2, **shape)
    heights, centres, forms = np.exp(-f._quadrics.offsets), f._quadrics.centres, _forms(f)
    points = f.universe.sample(200, np.random.default_rng(0))
    expected = [
        1.0
        - max(
            w * math.exp(-0.5 * (x - c) @ form @ (x - c)) ** (1.0 / dimension)
            for w, c, form in zip(heights, centres, forms, strict=True)
        )
        for x in points.values
    ]
    # a dozen roundings of numbers of order one, behind an exponential that dampens them
    assert np.abs(f.evaluate(points) - expected).max() < 1e-14


@every_shape
def test_the_dials_of_the_shapes_are_what_they_say(shape: dict[str, Any]) -> None:
    f = Peaks(4, 12, 3, **shape)
    variances = 1.0 / np.linalg.eigvalsh(_forms(f))
    ratio = variances.max(axis=1) / variances.min(axis=1)
    assert np.allclose(ratio, f.conditioning, rtol=1e-10)
    width = np.prod(variances, axis=1) ** (1 / 8)
    assert width.max() / width.min() <= f.widths * (1 + 1e-12)
    assert width.max() / width.min() > math.sqrt(f.widths) * (1 - 1e-12)
    diagonal = np.allclose(_forms(f), _forms(f) * np.eye(4), atol=1e-12)
    assert diagonal == (not f.rotation)
    alike = np.allclose(_forms(f), _forms(f)[0])
    assert alike == (f.covariance == "shared")


def test_rotations_are_uniform_at_random() -> None:
    """The corner of a uniform rotation has mean 0 and variance 1/d; its rows are orthonormal."""
    turns = Peaks(3, 400, 1, covariance="individual", rotation=True)._turns()
    assert np.allclose(turns @ np.swapaxes(turns, 1, 2), np.eye(3), atol=1e-13)
    for entry in turns.reshape(400, 9).T:
        assert abs(entry.mean()) < 4 * math.sqrt(1 / 3 / 400)
        assert abs((entry**2).mean() - 1 / 3) < 4 * math.sqrt(4 / 45 / 400)


def test_heights_follow_their_law() -> None:
    linear = 1.0 - Peaks(2, 8, 1, heights="linear", shortest=0.3, tallest=0.9).minima().values
    assert np.allclose(linear, [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3], atol=1e-12)
    ratio = 1.0 - Peaks(2, 5, 1, heights="geometric", shortest=0.1, tallest=0.8).minima().values
    assert np.allclose(ratio, [1.0, 0.8, 0.4, 0.2, 0.1], atol=1e-12)
    offsets = Peaks(10, 301, 1, shortest=0.2, tallest=0.6)._quadrics.offsets
    uniform, steps = np.sort(np.exp(-offsets))[:-1], np.linspace(0.2, 0.6, 300)
    assert np.abs(uniform - steps).max() < 0.4 * 1.95 / math.sqrt(300)  # Kolmogorov, p < .001


def test_peaks_of_one_height_are_all_optima() -> None:
    f = Peaks(2, 6, 1, shortest=1.0, tallest=1.0)
    assert (f.minima().values == 0.0).all()
    check_landscape(f)


def test_heights_and_mostly_places_are_the_same_for_all_shapes() -> None:
    plain = Peaks(3, 20, 1)._quadrics
    for shape in SHAPES.values():
        other = Peaks(3, 20, 1, **shape)._quadrics
        assert np.array_equal(plain.offsets, other.offsets)
        assert (plain.centres == other.centres).all(axis=1).mean() >= 0.75


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"conditioning": 0.5}, "conditioning must be a number from 1 on, not 0.5"),
        ({"conditioning": math.inf}, "conditioning must be a number"),
        ({"covariance": "own"}, "covariance: input should be 'shared' or 'individual'"),
        ({"widths": 2.0}, "widths compares peaks"),
        ({"widths": 0.5, "covariance": "individual"}, "widths must be a ratio from 1 on"),
        ({"dimension": 1, "rotation": True}, "rotation turns axes"),
        ({"rotation": 1}, "rotation: input should be a valid boolean"),
        ({"heights": "random"}, "heights: input should be 'uniform', 'linear' or 'geometric'"),
        ({"shortest": 0.0}, "0 < shortest <= tallest <= 1"),
        ({"shortest": 0.9, "tallest": 0.8}, "0 < shortest <= tallest <= 1"),
        ({"tallest": 1.5}, "0 < shortest <= tallest <= 1"),
        ({"tallest": math.nan}, "0 < shortest <= tallest <= 1"),
    ],
)
def test_a_bad_dial_gets_one_sentence(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said) as raised:
        landscapes.make("peaks", **arguments)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("field", ["covariance", "heights"])
def test_a_bad_law_is_refused_from_python_too(field: str) -> None:
    with pytest.raises(InputError, match=f'{field} must be .*, not "other"'):
        Peaks(**{field: "other"})  # type: ignore[arg-type]


CROSS = [
    {"covariance": c, "rotation": r, "conditioning": k, "widths": w, "heights": h}
    for c, r, k, w, h in itertools.product(
        ["shared", "individual"],
        [False, True],
        [1.0, 100.0],
        [1.0, 4.0],
        ["uniform", "geometric"],
    )
    if c == "individual" or w == 1.0
]


@pytest.mark.parametrize("dimension", [1, 2, 4])
def test_the_contract_over_the_cross_product_of_the_dials(dimension: int) -> None:
    for number, dials in enumerate(CROSS):
        if dimension == 1 and (dials["rotation"] or dials["conditioning"] != 1.0):
            continue
        check_landscape(Peaks(dimension, 9, 1 + number, **dials), seed=number, views=3)  # type: ignore[arg-type]


# ---- minima and descent


@every_shape
@pytest.mark.parametrize(("dimension", "peaks"), [(2, 30), (3, 60), (10, 30)])
def test_there_are_as_many_minima_as_peaks(
    dimension: int, peaks: int, shape: dict[str, Any]
) -> None:
    f = Peaks(dimension, peaks, 2, **shape)
    minima = f.minima()
    assert len(minima.values) == peaks
    assert np.allclose(np.sort(1.0 - np.exp(-f._quadrics.offsets)), minima.values, atol=1e-15)
    assert minima.values[0] == 0.0
    nudged = minima.points.values[:, None] + np.eye(dimension) * 1e-6
    around = f.universe.points(nudged.reshape(-1, dimension))
    assert (f.evaluate(around).reshape(peaks, -1) > minima.values[:, None]).all()


@pytest.mark.parametrize(("peaks", "instance"), [(1, 1), (40, 1), (40, 2)])
def test_there_are_as_many_minima_as_peaks_on_a_line(peaks: int, instance: int) -> None:
    for shape in ({}, {"covariance": "individual", "widths": 5.0}):
        f = Peaks(1, peaks, instance, **shape)  # type: ignore[arg-type]
        fine, _ = f._quadrics.lowest(np.linspace(-5.0, 5.0, 2_000_001)[:, None])
        # f = 1 − exp(−this), without the rounding far from every peak, where f is nearly 1
        below = (fine[1:-1] < fine[:-2]) & (fine[1:-1] <= fine[2:])
        assert below.sum() == len(f.minima().values) == peaks


@own_shape
def test_a_quasi_newton_method_ends_in_the_minima_and_nowhere_else(shape: dict[str, Any]) -> None:
    f = Peaks(3, 10, 1, **shape)

    def value(x: Floats) -> float:
        return float(f.evaluate(f.universe.points(x))[0])

    for start in f.universe.sample(40, np.random.default_rng(5)).values:
        end = minimize(value, start, method="L-BFGS-B", options={"ftol": 1e-15}).x
        at_edge = (np.abs(end) > 5.0 + 1e-9).any()
        gap = np.linalg.norm(f.minima().points.values - end, axis=1).min()
        assert gap < 1e-3 or at_edge  # ten thousandths of the box: finite differences


def _descended(f: Peaks, points: Points) -> Floats:
    """Where steepest descent in the metric of Σ of the lowest peak ends, (n, d).

    A fiftieth of the way at each step, by finite differences of f; the metric is asked for anew.
    """
    x, forms = points.values.copy(), _forms(f) / (2.0 * f.dimension)
    for _ in range(1000):
        h = 1e-5
        gradient = np.empty_like(x)
        for i in range(x.shape[1]):
            step = h * np.eye(x.shape[1])[i]
            rise = f.evaluate(f.universe.points(x + step)) - f.evaluate(f.universe.points(x - step))
            gradient[:, i] = rise / (2 * h)
        rest = np.maximum(1.0 - f.evaluate(f.universe.points(x)), 1e-300)
        way = np.linalg.solve(forms[f._quadrics.lowest(x)[1]], gradient[:, :, None])[:, :, 0]
        x -= 0.02 * way / (2.0 * rest[:, None])
        if np.abs(gradient).max() < 1e-7:
            break
    return x


@every_shape
def test_basins_are_where_descent_ends(shape: dict[str, Any]) -> None:
    f = Peaks(dimension=2, peaks=12, instance=4, **shape)
    minima = f.minima()
    points = f.universe.sample(300, np.random.default_rng(1))
    ends = _descended(f, points)
    gaps = np.linalg.norm(ends[:, None, :] - minima.points.values[None], axis=2)
    assert gaps.min(axis=1).max() < 0.01
    agree = (gaps.argmin(axis=1) == minima.labels(points)).mean()
    if f.covariance == "shared":
        assert agree > 0.99  # finite differences go astray on the border itself
    else:
        assert 0.7 < agree < 1.0  # descent crosses borders, as the docstring says


# ---- the optimum of declared spaces


@every_shape
def test_the_optimum_in_a_box_by_another_program(shape: dict[str, Any]) -> None:
    f, rng = Peaks(4, 8, 3, **shape), np.random.default_rng(2)
    factors, centres, offsets = f._quadrics.factors, f._quadrics.centres, f._quadrics.offsets
    for _ in range(10):
        low, high = np.sort(rng.uniform(-5, 5, (2, 4)), axis=0)
        best = min(
            2.0 * lsq_linear(factor, factor @ centre, (low, high), method="bvls").cost + offset
            for factor, centre, offset in zip(factors, centres, offsets, strict=True)
        )
        sets = tuple((f"x{i + 1}", Interval(float(low[i]), float(high[i]))) for i in range(4))
        found = f.lowest((Box("", sets),))
        assert isinstance(found, Optimum)
        # the other program stops where a step gains less than 1e-10 of the cost
        assert found.value == pytest.approx(-math.expm1(-best), abs=1e-9)
        assert found.value <= -math.expm1(-best) + 1e-14


@every_shape
def test_the_optimum_on_grids_and_ties_by_enumeration(shape: dict[str, Any]) -> None:
    f = Peaks(4, 8, 3, **shape)
    rows = [
        [Coarsened(("x1", "x2", "x3", "x4"), levels=7)],
        [Coarsened(("x1", "x2", "x4"), levels=8), Fixed("x3", 0.7)],
        [Coarsened(("x1", "x2", "x3", "x4"), levels=9), Tied(("x1", "x4"))],
    ]
    for assumptions in rows:
        view = assume(f.universe, assumptions)  # type: ignore[arg-type]
        lowest = f.evaluate(view.lift(view.declared.enumerate())).min()
        found = f.optimum(view)
        assert isinstance(found, Optimum)
        assert found.value == pytest.approx(lowest, abs=1e-13)  # one point, or two that tie


def test_bounded_least_squares_equal_those_of_another_program() -> None:
    rng = np.random.default_rng(0)
    for size in itertools.islice(itertools.cycle([1, 2, 5, 12]), 80):
        factor, target = rng.standard_normal((size + 1, size)), 3.0 * rng.standard_normal(size + 1)
        low = rng.uniform(-1, 0, size)
        high = low + rng.uniform(0, 1, size) * (rng.random(size) < 0.8) + 1e-9
        t, below = least_squares_in_box(factor, target, low, high)
        other = 2.0 * lsq_linear(factor, target, (low, high), method="bvls", tol=1e-14).cost
        assert ((t >= low) & (t <= high)).all()
        square = float(((factor @ t - target) ** 2).sum())
        assert square == pytest.approx(other, rel=1e-9, abs=1e-12)
        assert square - 1e-12 * max(1.0, square) <= below <= other + 1e-12


def test_the_lowest_of_bowls_on_a_grid_by_enumeration() -> None:
    rng = np.random.default_rng(1)
    for _ in range(60):
        grids = [np.sort(rng.uniform(-1.0, 1.0, 5)) for _ in range(3)]
        points = np.stack(np.meshgrid(*grids), axis=-1).reshape(-1, 3)
        bowls = [
            Bowl(
                rng.standard_normal((3, 3)) * [9.0, 3.0, 1.0],
                rng.uniform(-1, 1, 3),
                float(rng.random()),
            )
            for _ in range(4)
        ]
        groups = [Group((i,), grid[0], grid[-1], grid) for i, grid in enumerate(grids)]
        found = nearest(bowls, groups)
        assert found.exact
        assert found.value == min(bowl.at(point) for bowl in bowls for point in points)


def test_a_grid_that_is_not_settled_has_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    f = Peaks(8, 5, 1, rotation=True, conditioning=1e4)
    grid = (Box("", tuple((f"x{i}", Among((-4.0, -1.0, 2.0, 4.0))) for i in range(1, 9))),)
    exact = f.lowest(grid)
    assert isinstance(exact, Optimum)
    monkeypatch.setattr(module, "nearest", functools.partial(nearest, nodes=12))
    found = f.lowest(grid)
    assert isinstance(found, Bounds)
    assert found.low <= exact.value <= found.high < 1.0
    assert found.low < found.high
    assert "branch and bound" in found.how


def test_ties_of_a_turned_bowl_by_hand() -> None:
    """(x + y)² + (x − y − 2)² on x = y is 4x² + 4; on {0, 1} × {0, 1} it is lowest at (1, 0)."""
    bowl = Bowl(np.array([[1.0, 1.0], [1.0, -1.0]]), np.array([1.0, -1.0]), 0.5)
    tied = nearest([bowl], [Group((0, 1), -3.0, 3.0)])
    assert tied.value == pytest.approx(4.5, abs=1e-14)
    assert tied.place == pytest.approx([0.0, 0.0], abs=1e-14)
    bits = np.array([0.0, 1.0])
    found = nearest([bowl], [Group((0,), 0.0, 1.0, bits), Group((1,), 0.0, 1.0, bits)])
    assert (found.value, found.place.tolist()) == (2.5, [1.0, 0.0])
    assert found.exact


# ---- basins: volumes, and how low they are inside a region


@shared_shape
@pytest.mark.parametrize("dimension", [2, 3, 4, 5])
def test_masses_of_basins_are_shares_of_the_box(dimension: int, shape: dict[str, Any]) -> None:
    f = Peaks(dimension, 15, 3, **shape)
    minima = f.minima()
    assert minima.masses is not None
    assert abs(minima.masses.sum() - 1.0) < 1e-12
    labels = minima.labels(f.universe.sample(200_000, np.random.default_rng(0)))
    shares = np.bincount(labels, minlength=15) / 200_000
    error = np.sqrt(minima.masses * (1 - minima.masses) / 200_000)
    assert (np.abs(shares - minima.masses) < 5 * error).all()


def test_masses_are_none_where_they_are_not_exact() -> None:
    assert Peaks(6, 5).minima().masses is None
    assert Peaks(5, 41).minima().masses is None
    assert Peaks(2, 5, covariance="individual").minima().masses is None


@shared_shape
def test_polygons_are_polytopes_of_two_dimensions(shape: dict[str, Any]) -> None:
    """Two programs: the clipping of polygons, and Qhull."""
    f = Peaks(2, 25, 6, **shape)
    assert f._diagram is not None
    flat = cell_shares(f._diagram, -5.0, 5.0)
    hulls = [_power._polytope_volume(f._diagram, k, -5.0, 5.0) / 100.0 for k in range(25)]
    assert flat is not None
    assert np.abs(flat - hulls).max() < 1e-12


@pytest.mark.parametrize("widths", [1.0, 5.0])
def test_masses_on_a_line_by_a_fine_grid(widths: float) -> None:
    f = Peaks(1, 15, 3, covariance="individual", widths=widths)
    minima = f.minima()
    assert minima.masses is not None
    assert abs(minima.masses.sum() - 1.0) < 1e-12
    middles = -5.0 + (np.arange(400_000) + 0.5) / 40_000.0
    shares = np.bincount(minima.labels(f.universe.points(middles[:, None])), minlength=15)
    # each border is off by at most one step; a cell may have several
    assert np.abs(shares / 400_000 - minima.masses).max() < 10 / 400_000
    if widths == 1.0:
        plain = Peaks(1, 15, 3).minima().masses
        assert plain is not None
        assert np.allclose(minima.masses, plain, atol=1e-12)


def test_estimated_masses_are_honest_about_their_error() -> None:
    pulls = []
    for dimension, instance in itertools.product([2, 4], [1, 2, 3]):
        f = Peaks(dimension, 20, instance, conditioning=5.0)
        shares, errors = f.estimated_masses(2**15)
        again, _ = f.estimated_masses(2**15)
        assert np.array_equal(shares, again)
        assert shares.sum() == pytest.approx(1.0, abs=1e-12)
        exact = f.minima().masses
        assert exact is not None
        pulls.append((shares - exact) / errors)
    assert 0.6 < np.sqrt(np.mean(np.square(pulls))) < 1.4  # 120 of them, and 15 degrees of freedom
    assert np.abs(pulls).max() < 6.0
    own = Peaks(3, 20, 1, covariance="individual", widths=3.0)
    shares, errors = own.estimated_masses()
    labels = own.minima().labels(own.universe.sample(200_000, np.random.default_rng(0)))
    plain = np.bincount(labels, minlength=20) / 200_000
    assert (np.abs(shares - plain) < 5 * np.sqrt(errors**2 + plain / 200_000)).all()
    with pytest.raises(InputError, match="points must be at least 16, not 3"):
        own.estimated_masses(3)


def _lowest_by_grid(f: Landscape, minima: Minima, grid: Points) -> Floats:
    found = np.full(len(minima.values), np.inf)
    np.minimum.at(found, minima.labels(grid), f.evaluate(grid))
    return found


@every_shape
def test_the_lowest_part_of_a_basin_in_a_box_by_a_fine_grid(shape: dict[str, Any]) -> None:
    f = Peaks(2, 20, 5, **shape)
    minima, rng = f.minima(), np.random.default_rng(3)
    known, compared = [], 0
    for _ in range(12):
        low, high = np.sort(rng.uniform(-5, 5, (2, 2)), axis=0)
        sets = tuple((f"x{i + 1}", Interval(float(low[i]), float(high[i]))) for i in range(2))
        steps = [np.linspace(low[i], high[i], 400) for i in range(2)]
        grid = f.universe.points(np.stack(np.meshgrid(*steps), axis=-1).reshape(-1, 2))
        exact, rough = minima.lowest((Box("", sets),)), _lowest_by_grid(f, minima, grid)
        known.append(~np.isnan(exact))
        seen = np.isfinite(rough) & ~np.isnan(exact)
        assert (exact[seen] <= rough[seen] + 1e-12).all()
        # the grid is coarse at a cell's corner
        assert np.abs(exact[seen] - rough[seen]).max() < 0.04
        compared += int(seen.sum())
    assert compared > 50
    assert np.mean(known) > (0.999 if f.covariance == "shared" else 0.9)


@own_shape
def test_a_certified_lowest_part_of_a_basin_is_not_undercut(shape: dict[str, Any]) -> None:
    f = Peaks(5, 20, 2, **shape)
    minima, rng = f.minima(), np.random.default_rng(4)
    known, nothing = [], 0
    for _ in range(5):
        low = rng.uniform(-5.0, 0.0, 5)
        sets = tuple((f"x{i + 1}", Interval(v, v + 5.0)) for i, v in enumerate(low.tolist()))
        exact = minima.lowest((Box("", sets),))
        rough = _lowest_by_grid(f, minima, f.universe.points(low + 5.0 * rng.random((50_000, 5))))
        known.append(~np.isnan(exact))
        assert not (exact > rough + 1e-9).any()
        nothing += int(np.isinf(exact).sum())
    assert np.mean(known) > 0.9
    assert nothing > 10


def test_the_lowest_part_of_a_quadric_cell_by_hand() -> None:
    """A wide bowl x² + y² and a narrow one 4 (x − 1)² + 4 y², equal on a circle.

    Its centre is (4/3, 0), its radius 2/3; inside it the narrow bowl is the lower one.
    """
    quadrics = Quadrics(
        np.array([[1.0, 1.0], [4.0, 4.0]]),
        np.array([[0.0, 0.0], [1.0, 0.0]]),
        np.zeros(2),
        np.empty((0, 2, 2)),
    )
    chord = 0.62  # where the box begins; the bottom of the narrow bowl on it is not in its cell
    strip = Forms.of(quadrics, [Group((0,), 0.0, 3.0), Group((1,), chord, 1.0)])
    away = 1.0 / 3.0 - math.sqrt(4.0 / 9.0 - chord**2)
    assert strip.lowest_in_cell(1) == pytest.approx(4.0 * (away**2 + chord**2), abs=1e-8)
    line = Forms.of(quadrics, [Group((0,), 0.0, 3.0), Group((1,), chord, chord)])
    assert line.lowest_in_cell(1) == pytest.approx(4.0 * (away**2 + chord**2), abs=1e-8)
    above = Forms.of(quadrics, [Group((0,), 0.0, 3.0), Group((1,), 0.7, 1.0)])
    assert above.lowest_in_cell(1) == math.inf
    inside = Forms.of(quadrics, [Group((0,), 1.0, 1.5), Group((1,), -0.2, 0.2)])
    assert inside.lowest_in_cell(0) == math.inf


@every_shape
def test_the_lowest_part_of_a_basin_on_a_grid_a_line_and_a_diagonal(shape: dict[str, Any]) -> None:
    f = Peaks(3, 15, 2, **shape)
    minima = f.minima()
    rows = {
        "grid": ([Coarsened(("x1", "x2", "x3"), levels=6)], 1e-12),
        "line": ([Fixed("x2", 1.25), Fixed("x3", -2.0)], 1e-4),
        "diagonal": ([Tied(("x1", "x2", "x3"))], 1e-4),
        "lines": ([Tied(("x1", "x3")), Coarsened(("x2",), levels=5)], 1e-4),
        "plane": ([Fixed("x2", 1.25)], 0.04),
    }
    for name, (assumptions, tolerance) in rows.items():
        view = assume(f.universe, assumptions)  # type: ignore[arg-type]
        rough = _lowest_by_grid(f, minima, view.lift(_lattice(view.declared)))
        exact = minima.lowest(view.image)
        seen = np.isfinite(rough) & ~np.isnan(exact)
        assert (exact[seen] <= rough[seen] + 1e-12).all()
        assert np.abs(exact[seen] - rough[seen]).max() < tolerance
        assert np.isnan(exact).sum() <= 2 * (f.covariance == "individual" and name == "plane")
        if name == "grid":
            assert np.array_equal(np.isfinite(exact), np.isfinite(rough))


def _lattice(declared: Space) -> Points:
    """Every point of a finite space; a fine lattice of a continuous one."""
    axes = declared.families[0].axes
    wide = sum(isinstance(axis, Real) for axis in axes)
    steps = {0: 1, 1: 100_001, 2: 401}[wide]
    values = [
        np.linspace(axis.low, axis.high, steps) if isinstance(axis, Real) else levels(axis)
        for axis in axes
    ]
    table = np.stack(np.meshgrid(*values), axis=-1).reshape(-1, len(axes))
    return declared.points(table)


def test_a_power_diagram_knows_the_lowest_point_of_a_cell_between_two_parabolas() -> None:
    diagram = PowerDiagram(np.array([1.0]), np.array([[0.0], [1.0]]), np.array([0.0, 0.1]))
    border = 0.55  # t² = (t − 1)² + 0.1
    assert diagram.lowest(0, [Group((0,), 0.8, 2.0)]) == math.inf
    assert diagram.lowest(1, [Group((0,), -3.0, border)]) == pytest.approx(border**2, abs=1e-9)
    values = np.array([-2.0, 0.5, 0.7])
    assert diagram.lowest(1, [Group((0,), -2.0, 0.7, values)]) == pytest.approx(0.19)


# ---- the near-optimal set


NEAR = [0.01, 0.1, 0.3, 0.6, 0.9]


@every_shape
@pytest.mark.parametrize("dimension", [1, 2, 3, 6])
def test_the_near_optimal_share_by_simulation(dimension: int, shape: dict[str, Any]) -> None:
    if dimension == 1:
        shape = {k: v for k, v in shape.items() if k in ("covariance", "widths")}
    f = Peaks(dimension, 12, 2, **shape)
    values = f.evaluate(f.universe.sample(200_000, np.random.default_rng(1)))
    for epsilon in NEAR:
        share, plain = f.near_optimal(epsilon), float((values <= epsilon).mean())
        error = math.sqrt(share.error**2 + share.value * (1 - share.value) / 200_000)
        assert abs(share.value - plain) < 5 * error
        assert share == f.near_optimal(epsilon)
        if dimension == 1 or (dimension == 2 and f.covariance == "shared"):
            assert share.exact
        assert share.exact == share.how.startswith("exact")
        low, high = share.interval()
        assert 0.0 <= low <= share.value <= high <= 1.0


@every_shape
def test_a_small_near_optimal_set_is_an_ellipsoid(shape: dict[str, Any]) -> None:
    """V_d r^d √det(2d Σ) over the volume of the box, r² = −log(1 − epsilon)."""
    f = Peaks(3, 12, 3, **shape)
    (ball,) = {4.0 / 3.0 * math.pi * (-math.log1p(-1e-5)) ** 1.5}
    expected = ball * math.sqrt(np.linalg.det(6.0 * np.linalg.inv(_forms(f)[0]))) / 1000.0
    share = f.near_optimal(1e-5)
    assert share.exact
    assert share.value == pytest.approx(expected, rel=1e-12)


def test_discs_cut_by_polygons_equal_ellipses_that_do_not_meet() -> None:
    from landscapes._level_set import share_below

    f = Peaks(2, 12, 2, conditioning=4.0, rotation=True)
    rng = np.random.default_rng(0)
    compared = 0
    for epsilon in (0.001, 0.01, 0.03, 0.1):
        level = -math.log1p(-epsilon)
        apart = share_below(f._quadrics, None, level, -5.0, 5.0, rng)
        if apart.exact:
            assert f.near_optimal(epsilon).value == pytest.approx(apart.value, rel=1e-12)
            compared += 1
    assert compared >= 2


def test_the_ends_of_the_near_optimal_set() -> None:
    for dimension in (1, 2, 3):
        f = Peaks(dimension, 6, 2)
        assert f.near_optimal(0.0).value == 0.0
        assert f.near_optimal(1.0).value == 1.0
        assert f.near_optimal(5).exact
    for bad in (-0.1, math.nan):
        with pytest.raises(InputError, match="epsilon must be a number from 0 on"):
            f.near_optimal(bad)


# ---- speed and noise


@every_shape
def test_a_million_points_take_three_times_their_memory_at_most(shape: dict[str, Any]) -> None:
    f = Peaks(10, 5, 1, **shape)
    points = f.universe.sample(1_000_000, np.random.default_rng(0))
    f.evaluate(points[:1])
    tracemalloc.start()
    f.evaluate(points)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * points.values.nbytes  # the points themselves were there before


@every_shape
def test_threads_change_nothing(shape: dict[str, Any]) -> None:
    f = Peaks(3, 10, 1, **shape)
    points = f.universe.sample(5000, np.random.default_rng(0))
    one = f.evaluate(points)
    with landscapes.threads(2):
        assert np.array_equal(f.evaluate(points), one)


def test_noise_on_peaks_is_keyed_and_leaves_the_truth_alone() -> None:
    quiet, noisy = Peaks(2, 10, 1), Peaks(2, 10, 1, noise=0.3)
    points = quiet.universe.sample(4000, np.random.default_rng(0))
    assert np.array_equal(quiet.evaluate(points), noisy.evaluate(points))
    noise = noisy.observe(points, 7) - noisy.evaluate(points)
    assert abs(noise.mean()) < 0.02
    assert abs(noise.std() - 0.3) < 0.015
    other = Peaks(2, 10, 2, noise=0.3)
    assert not np.allclose(noise, other.observe(points, 7) - other.evaluate(points))
