"""Random fields: the Fourier field against Kac–Rice and fine grids, the fractal's variogram."""

from __future__ import annotations

import math
import tracemalloc
from typing import Any

import numpy as np
import pytest

import landscapes
from hpo_lab.errors import InputError
from hpo_lab.landscape import Bounds, Optimum
from hpo_lab.region import Among, AxisSet, Box, Interval
from hpo_lab.space import Floats
from hpo_lab.testing.landscape import check_landscape
from landscapes.fourier import Fourier
from landscapes.fractal import Fractal


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("fourier", {"dimension": 1, "length": 0.3}),
        ("fourier", {"dimension": 2, "features": 20, "instance": 3}),
        ("fourier", {"dimension": 3, "length": 2.0}),
        ("fourier", {"dimension": 8}),
        ("fractal", {"dimension": 1, "size": 300, "hurst": 0.2}),
        ("fractal", {"size": 40, "hurst": 0.9, "instance": 2}),
    ],
)
def test_the_contract(name: str, arguments: dict[str, Any]) -> None:
    check_landscape(landscapes.make(name, **arguments), samples=64, views=4)


# ---- fourier


def test_the_field_is_a_plain_sum_of_cosines() -> None:
    f = Fourier(dimension=3, features=500, instance=2)
    points = f.universe.sample(300, np.random.default_rng(1))
    waves, phases = f._waves
    plain = np.cos(2.0 * math.pi * (points.values @ waves.T + phases)).sum(axis=1)
    # 500 cosines of arguments up to 30 turns, each good to about 1e-14
    assert f.evaluate(points) == pytest.approx(math.sqrt(2.0 / 500) * plain, abs=1e-12)


def test_a_batch_in_two_threads_has_the_same_values() -> None:
    f = Fourier()
    points = f.universe.sample(5000, np.random.default_rng(1))
    alone = f.evaluate(points)
    with landscapes.threads(2):
        assert np.array_equal(f.evaluate(points), alone)


def test_minima_are_as_dense_as_kac_and_rice_say_in_one_dimension() -> None:
    length, fields = 0.05, 40
    grid = np.linspace(-5.0, 5.0, 20_001)[:, None]  # 100 points a length scale
    counts = []
    for instance in range(1, fields + 1):
        f = Fourier(dimension=1, length=length, instance=instance)
        values = f.evaluate(f.universe.points(grid))
        inner = values[1:-1]
        counts.append(int(((inner < values[:-2]) & (inner < values[2:])).sum()))
    assert f.expected_minima == pytest.approx(math.sqrt(3.0) / (2 * math.pi * length) * 10)
    error = float(np.std(counts)) / math.sqrt(fields)
    assert abs(float(np.mean(counts)) - f.expected_minima) < 3.0 * error
    assert error < 0.02 * f.expected_minima  # so the check could fail


def test_minima_are_as_dense_as_longuet_higgins_says_in_two_dimensions() -> None:
    length, fields, size = 0.5, 8, 401  # 20 points a length scale
    line = np.linspace(-5.0, 5.0, size)
    grid = np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1).reshape(-1, 2)
    counts = []
    for instance in range(1, fields + 1):
        f = Fourier(dimension=2, length=length, instance=instance)
        values = f.evaluate(f.universe.points(grid)).reshape(size, size)
        inner = values[1:-1, 1:-1]
        lower = np.ones_like(inner, dtype=bool)
        for i in (0, 1, 2):
            for j in (0, 1, 2):
                if (i, j) != (1, 1):
                    lower &= inner < values[i : i + size - 2, j : j + size - 2]
        counts.append(int(lower.sum()))
    error = float(np.std(counts)) / math.sqrt(fields)
    assert abs(float(np.mean(counts)) - f.expected_minima) < 3.0 * error
    assert error < 0.1 * f.expected_minima


def test_few_waves_have_another_density() -> None:
    """The check of Kac and Rice can fail: with two waves the field is not Gaussian."""
    grid = np.linspace(-5.0, 5.0, 20_001)[:, None]
    counts = []
    for instance in range(1, 41):
        f = Fourier(dimension=1, length=0.05, features=2, instance=instance)
        values = f.evaluate(f.universe.points(grid))
        counts.append(int(((values[1:-1] < values[:-2]) & (values[1:-1] < values[2:])).sum()))
    error = float(np.std(counts)) / math.sqrt(40)
    assert abs(float(np.mean(counts)) - f.expected_minima) > 3.0 * error


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_the_optimum_of_a_box_by_a_fine_grid(dimension: int) -> None:
    rng = np.random.default_rng(dimension)
    per_axis = {1: 20_001, 2: 301, 3: 61}[dimension]
    for instance in range(1, 5):
        f = Fourier(dimension=dimension, length=1.5, instance=instance)
        low, high = np.sort(rng.uniform(-5.0, 5.0, (2, dimension)), axis=0)
        sets = tuple((f"x{i + 1}", Interval(low[i], high[i])) for i in range(dimension))
        found = f.lowest((Box("", sets),))
        assert isinstance(found, Optimum)
        lines = [np.linspace(a, b, per_axis) for a, b in zip(low, high, strict=True)]
        grid = np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1).reshape(-1, dimension)
        rough = float(f.evaluate(f.universe.points(grid)).min())
        step = float((high - low).max()) / (per_axis - 1)
        assert found.value <= rough + 1e-10
        assert rough - found.value < 4.0 * step  # the slope of a field of variance 1 and length 1.5


def test_the_optimum_on_a_grid_a_line_and_a_diagonal() -> None:
    f = Fourier(dimension=3, instance=4)
    some: AxisSet = Among((-3.0, 0.5, 2.0))
    line = np.linspace(-5.0, 5.0, 40_001)

    def least(columns: list[Floats]) -> float:
        return float(f.evaluate(f.universe.points(np.column_stack(columns))).min())

    found = f.lowest((Box("", (("x1", some), ("x2", Among((1.0,))))),))
    rough = min(least([np.full_like(line, x), np.ones_like(line), line]) for x in (-3.0, 0.5, 2.0))
    assert isinstance(found, Optimum)
    assert found.value == pytest.approx(rough, abs=1e-6)
    assert found.value <= rough + 1e-10
    tied = f.lowest((Box("", (("x2", Among((1.0,))),), ties=(("x1", "x3"),)),))
    assert isinstance(tied, Optimum)
    assert tied.value == pytest.approx(least([line, np.ones_like(line), line]), abs=1e-6)
    assert tied.point.values[0, 0] == tied.point.values[0, 2]


def test_beyond_three_dimensions_the_optimum_is_only_bounded() -> None:
    found = Fourier(dimension=5).optimum()
    assert isinstance(found, Bounds)
    assert found.low == pytest.approx(-math.sqrt(2000.0))
    assert -5.0 < found.high < 0.0


def test_a_million_points_need_little_memory() -> None:
    f = Fourier(dimension=10, features=2)
    points = f.universe.sample(1_000_000, np.random.default_rng(0))
    f.evaluate(points[:10])
    tracemalloc.start()
    f.evaluate(points)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= 2 * points.values.nbytes  # beside the points themselves


# ---- fractal


@pytest.mark.parametrize(("dimension", "hurst"), [(1, 0.3), (2, 0.2), (2, 0.5), (2, 0.85)])
def test_the_variogram_of_a_fractal_rises_with_twice_its_exponent(
    dimension: int, hurst: float
) -> None:
    """The mean square of increments is 2 r^(2H), along an axis and along the diagonal."""
    size, fields = 48, 400
    lags = [1, 3, 10]
    step = (1.0 / math.sqrt(2.0)) / (size - 1)
    sums = {(kind, lag): [] for kind in ("axis", "diagonal") for lag in lags}  # type: ignore[var-annotated]
    for instance in range(1, fields + 1):
        f = Fractal(dimension=dimension, size=size, hurst=hurst, instance=instance)
        surface = f.evaluate(f.universe.enumerate()).reshape((size,) * dimension)
        for lag in lags:
            sums["axis", lag].append(((surface[lag:] - surface[:-lag]) ** 2).mean())
            if dimension == 2:
                moved = surface[lag:, lag:] - surface[:-lag, :-lag]
                sums["diagonal", lag].append((moved**2).mean())
    for (kind, lag), squares in sums.items():
        if not squares:
            continue
        distance = lag * step * (math.sqrt(2.0) if kind == "diagonal" else 1.0)
        error = float(np.std(squares)) / math.sqrt(fields)
        expected = 2.0 * distance ** (2.0 * hurst)
        # eighteen comparisons: four standard errors leave one false alarm in a thousand runs
        assert abs(float(np.mean(squares)) - expected) < 4.0 * error
        assert error < 0.1 * expected


def test_a_rougher_fractal_has_more_minima() -> None:
    counts = []
    for hurst in (0.1, 0.5, 0.9):
        minima = Fractal(size=64, hurst=hurst).minima()
        assert minima is not None
        counts.append(len(minima.values))
    assert counts[0] > counts[1] > counts[2] > 0


def test_minima_of_a_fractal_are_lower_than_their_four_neighbours() -> None:
    f = Fractal(size=50, hurst=0.4, instance=3)
    surface = f.evaluate(f.universe.enumerate()).reshape(50, 50)
    edge = np.pad(surface, 1, constant_values=np.inf)
    around = np.stack([edge[:-2, 1:-1], edge[2:, 1:-1], edge[1:-1, :-2], edge[1:-1, 2:]])
    minima = f.minima()
    assert minima is not None
    assert len(minima.values) == int((surface < around.min(axis=0)).sum())
    assert minima.masses is not None
    assert minima.masses.sum() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("fourier", {"dimension": 0}, "dimension must be at least 1"),
        ("fourier", {"length": 0.0}, "length must be a positive number"),
        ("fourier", {"length": math.nan}, "length must be a positive number"),
        ("fourier", {"features": 0}, "features must be at least 1"),
        ("fourier", {"instance": 0}, "instance must be at least 1"),
        ("fractal", {"dimension": 3}, "dimension must be 1 or 2"),
        ("fractal", {"size": 1}, "size must lie in"),
        ("fractal", {"size": 3000}, "size must lie in"),
        ("fractal", {"hurst": 1.0}, "hurst must lie in"),
        ("fractal", {"instance": 0}, "instance must be at least 1"),
    ],
)
def test_a_bad_argument_gets_one_sentence(name: str, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said) as raised:
        landscapes.make(name, **arguments)
    assert "\n" not in str(raised.value)
