"""The truths of peaks by brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hpo_lab.assumption import assume
from hpo_lab.assumptions.coarsened import Coarsened
from hpo_lab.assumptions.fixed import Fixed
from hpo_lab.assumptions.tied import Tied
from hpo_lab.landscape import Landscape, Minima
from hpo_lab.region import Box, Interval
from hpo_lab.space import Floats, Points
from landscapes._power import Group, PowerDiagram
from landscapes.peaks import Peaks


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
    assert Peaks(5, 5).minima().masses is None


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
