"""The response surface against brute force, scipy's minimiser, its own formula and Monte Carlo."""

from __future__ import annotations

import math
import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import landscapes
from hpo_lab.assumption import assume
from hpo_lab.assumptions.coarsened import Coarsened
from hpo_lab.assumptions.fixed import Fixed
from hpo_lab.assumptions.only import Only
from hpo_lab.errors import InputError
from hpo_lab.landscape import Bounds, Optimum
from hpo_lab.region import Among, AxisSet, Box, Interval, Region, contains
from hpo_lab.space import Floats, Points
from hpo_lab.testing.landscape import check_landscape
from landscapes.response import Response

LR, DECAY = 0, 4  # columns


def lowest(f: Response, region: Region) -> Optimum:
    found = f.lowest(region)
    assert isinstance(found, Optimum)
    assert found.value == f.evaluate(found.point)[0]
    return found


def singly(points: Points) -> Iterator[Points]:
    return (points[i] for i in range(len(points)))


def repeated(point: Points, n: int) -> Points:
    return point[np.zeros(n, dtype=np.int64)]


def along_lr(point: Points, rates: Floats) -> Points:
    line = repeated(point, len(rates))
    line.values[:, LR] = rates
    return line


# ---- the contract


@pytest.mark.parametrize(
    "arguments",
    [
        {"noise": 0.0, "divergence": 0.0, "instance": 2},
        {"divergence": 0.0, "cliff": 0.01},
        {"noise": 0.0, "divergence": 0.2, "epochs": 3, "full": 30},
        {"interaction": 0.0, "classes": 2, "full": 1},
        {"interaction": 100.0, "noise": 0.0, "divergence": 0.0},
        {"interaction": 3.0, "cliff": 2.0, "divergence": 1e-9, "instance": 7},
    ],
)
def test_the_contract(arguments: dict[str, Any]) -> None:
    for seed in range(2):
        check_landscape(landscapes.make("response", **arguments), seed=seed, samples=128)


# ---- the optimum


@pytest.mark.parametrize("seed", range(40))
def test_the_lowest_of_any_interval_by_a_fine_grid(seed: int) -> None:
    rng = np.random.default_rng(seed)
    f = Response(
        interaction=float(rng.uniform(0, 2)),
        cliff=float(10 ** rng.uniform(-2, 0.5)),
        divergence=float(rng.choice([0.0, 1e-6, 0.01, 0.4])),
        instance=seed,
    )
    for point in singly(f.universe.sample(5, rng)):
        low, high = np.sort(10 ** rng.uniform(-5, 0, 2)).tolist()
        found = lowest(f, (_structure(f, point, ("lr", Interval(low, high))),))
        rates = np.geomspace(low, high, 20_001)
        rates[[0, -1]] = low, high  # to the last bit
        line = f.evaluate(along_lr(point, rates))
        k = int(np.argmin(line))
        assert found.value <= line[k] + 1e-12
        near = rates[[max(k - 1, 0), min(k + 1, 20_000)]]
        at = found.point.values[0, LR]
        flat = line.max() - line[k] < 1e-9  # a plateau
        assert flat or near[0] * (1 - 1e-9) <= at <= near[1] * (1 + 1e-9)


def _structure(f: Response, point: Points, *others: tuple[str, AxisSet]) -> Box:
    """The box of one point, apart from some axes."""
    family = f.universe.families[int(point.family[0])].name
    sets: dict[str, AxisSet] = {
        axis.name: Among((float(point.values[0, column]),))
        for column, axis in f.universe.places(int(point.family[0]))
    }
    return Box(family, tuple((sets | dict(others)).items()))


def test_the_valley_s_bottom_is_the_one_of_scipy_s_minimiser() -> None:
    from scipy.optimize import minimize_scalar

    f = Response(cliff=0.3, divergence=0.05, instance=3)
    for point in singly(f.universe.sample(20, np.random.default_rng(1))):
        found = lowest(f, (_structure(f, point, ("lr", Interval(1e-5, 1.0))),))
        at = math.log10(found.point.values[0, LR])

        def along(t: float, point: Points = point) -> float:
            return float(f.evaluate(along_lr(point, np.array([10.0**t])))[0])

        least = minimize_scalar(
            along, bounds=(max(at - 0.5, -5.0), min(at + 0.5, 0.0)), options={"xatol": 1e-9}
        )
        assert found.value <= least.fun + 1e-12
        # at an end of the range the bounded method stops a little inside, else the slope is zero
        assert least.fun - found.value < (1e-6 if at in (-5.0, 0.0) else 1e-10)


def test_the_optimum_of_the_universe_by_brute_force() -> None:
    f = Response(instance=4)
    found = lowest(f, tuple(Box(family.name) for family in f.universe.families))
    rates, decays = np.geomspace(1e-5, 1.0, 51), np.geomspace(1e-6, 1e-1, 11)
    best = math.inf
    for index, family in enumerate(f.universe.families):
        sizes = [np.arange(axis.size) for axis in family.axes if axis.size < math.inf]
        sizes[1] = sizes[1] + 1.0  # depth
        grid = np.meshgrid(rates, *sizes[:3], decays, *sizes[3:], indexing="ij")
        values = np.full((grid[0].size, f.universe.width), np.nan)
        for (column, _), one in zip(f.universe.places(index), grid, strict=True):
            values[:, column] = one.ravel()
        every = Points(f.universe, np.full(len(values), index), values)
        best = min(best, float(f.evaluate(every).min()))
    # half a step on the grid, 1/20 and 1/4 of a decade, costs (1/20)² / 4 + 0.01 / 16 of 87 points
    assert found.value <= best + 1e-12
    assert best - found.value < 0.11


def test_the_optimum_of_tied_learning_rate_and_decay_by_a_fine_grid() -> None:
    for instance, divergence, cliff in [(1, 0.01, 0.5), (2, 0.0, 0.5), (3, 0.0, 1e-3)]:
        f = Response(instance=instance, divergence=divergence, cliff=cliff)
        for point in singly(f.universe.sample(10, np.random.default_rng(instance))):
            box = _structure(f, point)
            sets = tuple(one for one in box.sets if one[0] not in ("lr", "weight_decay"))
            found = lowest(f, (Box(box.family, sets, (("lr", "weight_decay"),)),))
            assert found.point.values[0, LR] == found.point.values[0, DECAY]
            both = np.geomspace(1e-5, 1e-1, 20_001)
            both[[0, -1]] = 1e-5, 1e-1
            line = along_lr(point, both)
            line.values[:, DECAY] = both
            rough = f.evaluate(line).min()
            assert found.value <= rough + 1e-11
            assert rough - found.value < 0.05


def test_declared_spaces_of_grids_are_exact_by_enumeration() -> None:
    f = Response(instance=5, cliff=0.2)
    view = assume(
        f.universe,
        [
            Only(family="adam"),
            Coarsened("lr", levels=6),
            Coarsened("weight_decay", levels=3),
            Fixed("batch", 64),
        ],
    )
    every = view.lift(view.declared.enumerate())
    found = f.optimum(view)
    assert isinstance(found, Optimum)
    assert found.value == f.evaluate(every).min()


def test_a_learning_rate_tied_to_a_size_has_the_values_that_they_share() -> None:
    f = Response(instance=3)
    only = lowest(f, (Box("sgd", ties=(("lr", "depth"),)),)).point.records()[0]
    assert (only["lr"], only["depth"]) == (1.0, 1)
    assert isinstance(f.lowest((Box("sgd", ties=(("weight_decay", "depth"),)),)), Bounds)


def test_an_empty_region_has_no_optimum_and_a_plateau_has_chance() -> None:
    f = Response(divergence=0.0, interaction=0.0, instance=2)
    assert f.lowest((Box("sgd", (("depth", Interval(20, 30)),)),)) == Bounds(
        math.inf, math.inf, "no point of the region has a value"
    )
    plateau = lowest(f, (Box("adam", (("lr", Interval(0.5, 1.0)),)),))
    assert plateau.value == f.chance == 90.0
    assert contains(f.universe, (Box("adam", (("lr", Interval(0.5, 1.0)),)),), plateau.point)[0]


# ---- minima


def test_minima_are_the_structures_that_no_tuned_neighbour_betters() -> None:
    f = Response(interaction=3.0, instance=2)  # so much that the range of lr cuts valleys off
    minima = f.minima()
    rng = np.random.default_rng(0)
    free: tuple[tuple[str, AxisSet], ...] = (
        ("lr", Interval(1e-5, 1.0)),
        ("weight_decay", Interval(1e-6, 1e-1)),
    )
    assert len(minima.values) > 3
    for point in singly(minima.points):
        own = lowest(f, (_structure(f, point, *free),)).value
        assert own == f.evaluate(point)[0]
        for column, axis in f.universe.places(int(point.family[0])):
            if axis.size < math.inf:
                for step in (-1.0, 1.0):
                    beside = repeated(point, 1)
                    beside.values[:, column] += step
                    if axis.contains(beside.values[:, column])[0]:
                        assert lowest(f, (_structure(f, beside, *free),)).value > own
    # a basin is a set of structures, whatever their rates
    for point in singly(f.universe.sample(5, rng)):
        elsewhere = along_lr(point, np.array([1e-4, 0.3]))
        assert len(np.unique(minima.labels(elsewhere))) == 1


@pytest.mark.parametrize("instance", range(1, 9))
def test_each_optimizer_has_one_minimum(instance: int) -> None:
    minima = Response(instance=instance).minima()
    assert sorted(record["family"] for record in minima.points.records()) == [
        "adam",
        "momentum",
        "sgd",
    ]
    assert minima.masses == pytest.approx([1 / 3] * 3)


# ---- what the dials say


def best_rate(f: Response, **fixed: Any) -> float:
    """The best log10 learning rate of adam, with some axes fixed."""
    view = assume(f.universe, [Only(family="adam"), *[Fixed(k, v) for k, v in fixed.items()]])
    found = f.optimum(view)
    assert isinstance(found, Optimum)
    return math.log10(found.point.values[0, LR])


def test_the_valley_moves_as_the_literature_has_it_and_not_at_all_without_interaction() -> None:
    f, g = Response(interaction=1.0), Response(interaction=0.0)
    base = {"width": 128, "depth": 4, "batch": 128}
    # Adam: the learning rate goes with 1 / width (Yang et al. 2022) and √batch (Malladi et al.)
    wider = best_rate(f, **base | {"width": 1024}) - best_rate(f, **base)
    larger = best_rate(f, **base | {"batch": 512}) - best_rate(f, **base)
    assert wider == pytest.approx(-math.log10(8), abs=1e-9)
    assert larger == pytest.approx(0.5 * math.log10(4), abs=1e-9)
    everywhere = [
        best_rate(g, width=width, depth=depth, batch=batch)
        for width, depth, batch in [(16, 1, 32), (1024, 12, 512), (128, 4, 128)]
    ]
    assert everywhere == pytest.approx([everywhere[0]] * 3, abs=1e-9)


def test_momentum_and_learning_rate_trade_as_an_effective_rate() -> None:
    f = Response(noise=0.0)
    for momentum in (0.5, 0.99):
        box = Box("momentum", (("width", Among((3.0,))), ("batch", Among((2.0,)))))
        rates = []
        for option in (f.universe.family("momentum").axis("momentum").column(momentum), 1.0):
            sets = (*box.sets, ("depth", Interval(4, 4)), ("momentum", Among((option,))))
            rates.append(lowest(f, (Box("momentum", sets),)).point.values[0, LR])
        assert rates[0] / (1 - momentum) == pytest.approx(rates[1] / (1 - 0.9), rel=1e-9)


@pytest.mark.parametrize("divergence", [0.01, 0.2])
def test_runs_diverge_as_often_as_the_dial_says(divergence: float) -> None:
    from scipy.stats import binomtest

    f = Response(noise=0.0, divergence=divergence, cliff=0.5)
    # without divergence the bottom of the valley is its middle
    still = Response(noise=0.0, divergence=0.0, cliff=0.5).optimum()
    assert isinstance(still, Optimum)
    n = 20_000
    for decades, expected in [(0.0, divergence), (0.5, 0.5)]:
        point = along_lr(still.point, still.point.values[:, LR] * 10**decades)
        told = f.observe(repeated(point, n), 0, np.arange(n))
        chance = told == f.chance
        assert binomtest(int(chance.sum()), n, expected).pvalue > 1e-4
        assert len(np.unique(told[~chance])) == 1


def test_the_truth_is_the_mean_of_what_is_told_and_noise_is_heteroscedastic() -> None:
    f = Response(noise=2.0, divergence=0.1, instance=6)
    steady = Response(noise=2.0, divergence=0.0, instance=6)
    best = steady.optimum()
    assert isinstance(best, Optimum)
    n = 40_000
    deviations = []
    for decades in (0.0, -1.0, -3.0):
        point = along_lr(best.point, best.point.values[:, LR] * 10**decades)
        told = f.observe(repeated(point, n), 1, np.arange(n))
        error = told.std() / math.sqrt(n)
        assert abs(told.mean() - f.evaluate(point)[0]) < 4.5 * error
        deviations.append(steady.observe(repeated(point, n), 1, np.arange(n)).std())
    # the relative standard error of a deviation is 1 / √(2 n) = 0.35 %
    assert deviations[0] == pytest.approx(2.0, rel=0.02)
    assert deviations[0] < deviations[1] < deviations[2]
    assert deviations[2] == pytest.approx(2.0 * math.sqrt(1.0 + 15.0), rel=0.02)


def test_early_stopping_is_told_the_curve_and_misjudges_what_is_best() -> None:
    f = Response(noise=0.0, divergence=0.0, epochs=4, full=100)
    points = f.universe.sample(400, np.random.default_rng(0))
    curves = f.curve(points)
    assert np.array_equal(curves[:, 3], f.observe(points))
    assert np.array_equal(curves[:, -1], f.evaluate(points))
    assert (np.diff(curves, axis=1) <= 0).all()  # without noise nobody gets worse
    learning = f.evaluate(points) < 60.0
    early, late = curves[learning, 3], curves[learning, -1]
    before, after = early[:, None] - early[None, :], late[:, None] - late[None, :]
    crossed = ((before * after) < 0).mean()
    assert 0.02 < crossed < 0.4  # of all pairs of curves
    # the family that looks best after four epochs is not the best of the finished runs
    ends = {}
    for epochs in (4, 100):
        g = Response(noise=0.0, divergence=0.0, full=epochs, instance=2).optimum()
        assert isinstance(g, Optimum)
        ends[epochs] = g.point.records()[0]["family"]
    assert ends == {4: "adam", 100: "momentum"}


def test_a_cliff_further_away_makes_high_rates_safer() -> None:
    best = Response(divergence=0.0).optimum()
    assert isinstance(best, Optimum)
    beyond = along_lr(best.point, best.point.values[:, LR] * 10**0.4)
    errors = [float(Response(cliff=c).evaluate(beyond)[0]) for c in (0.2, 0.4, 0.8, 1.6)]
    assert errors == sorted(errors, reverse=True)
    vertical = [Response(cliff=c, divergence=0.0).evaluate(beyond)[0] for c in (0.39, 0.41)]
    assert vertical[0] == 90.0
    assert vertical[1] < 20.0


def test_replicates_and_repetitions_are_keyed_and_divergence_outlives_the_epochs() -> None:
    f = Response(divergence=0.3, epochs=5)
    g = Response(divergence=0.3, epochs=90)
    points = f.universe.sample(500, np.random.default_rng(2))
    assert np.array_equal(f.observe(points, 3) == 90.0, g.observe(points, 3) == 90.0)
    assert not np.array_equal(f.observe(points, 3), f.observe(points, 4))


def test_a_million_points_take_little_memory() -> None:
    f = Response(noise=0.0, divergence=0.0)
    points = f.universe.sample(200_000, np.random.default_rng(0))
    f.evaluate(points[:10])
    tracemalloc.start()
    f.evaluate(points)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < points.values.nbytes


# ---- arguments


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"interaction": -1.0}, "interaction must be"),
        ({"interaction": math.inf}, "interaction must be"),
        ({"cliff": 0.0}, "cliff must be"),
        ({"cliff": math.inf}, "cliff must be"),
        ({"noise": math.nan}, "noise must be"),
        ({"divergence": 0.5}, "divergence must be a probability"),
        ({"divergence": math.nan}, "divergence must be a probability"),
        ({"full": 0}, "full must be at least 1"),
        ({"epochs": 101}, "epochs must be from 1 to full = 100"),
        ({"epochs": 0}, "epochs must be from 1 to full = 100"),
        ({"classes": 1}, "classes must be at least 2"),
        ({"epoch": 3}, 'did you mean "epochs"'),
        ({"noise": "loud"}, "noise"),
    ],
)
def test_a_bad_argument_gets_one_sentence(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said) as raised:
        landscapes.make("response", **arguments)
    assert "\n" not in str(raised.value)
