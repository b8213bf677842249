"""The truths of families by brute force; what the dials and the tasks say, measured."""

from __future__ import annotations

import math
import pickle  # noqa: S403  a round trip of the landscape itself
from typing import Any

import numpy as np
import pytest

import landscapes
from hpo_lab.assumption import assume
from hpo_lab.assumptions.only import Only
from hpo_lab.errors import InputError
from hpo_lab.landscape import Bounds, Landscape, Minima, Optimum
from hpo_lab.region import Among, AxisSet, Box, Interval, Region, contains, masses
from hpo_lab.space import Choice, Family, Floats, Integer, Points, Real, Space
from hpo_lab.testing.landscape import check_landscape
from hpo_lab.testing.spaces import KINDS_OF_SPACE
from landscapes._families_tasks import TASKS
from landscapes.families import Families


@pytest.mark.parametrize("kind", sorted(KINDS_OF_SPACE))
@pytest.mark.parametrize("ruggedness", [0.0, 0.2])
def test_families_over_every_kind_of_space(kind: str, ruggedness: float) -> None:
    f = Families(space=KINDS_OF_SPACE[kind], ruggedness=ruggedness, optima=3)
    check_landscape(f, samples=64, views=3)


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


def _neighbours(space: Space, point: Points, step: float = 1e-4) -> Points:
    """All points one option, one integer or one small real step away from a batch of one."""
    found = []
    for column, axis in space.places(int(point.family[0])):
        value = point.values[0, column]
        if isinstance(axis, Choice):
            moves = [float(v) for v in range(len(axis.options)) if v != value]
        elif isinstance(axis, Integer):
            moves = [value - 1, value + 1]
        else:
            unit = axis.to_unit(np.array([value])) + np.array([-step, step])
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


def _lowest_by_grid(f: Landscape, minima: Minima, grid: Points) -> Floats:
    found, label = np.full(len(minima.values), np.inf), minima.labels(grid)
    np.minimum.at(found, label[label >= 0], f.evaluate(grid)[label >= 0])
    return found


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


# ---- a hidden family


def _of_family(space: Space, name: str, n: int, seed: int = 0) -> Points:
    """A sample of one family's reference measure."""
    unit = np.random.default_rng(seed).random((n, space.width))
    return space.from_unit(np.full(n, space.index(name), dtype=np.int64), unit)


@pytest.mark.parametrize("kind", sorted(set(KINDS_OF_SPACE) - {"wide"}))
def test_a_hidden_family_over_every_kind_of_space(kind: str) -> None:
    for gradient in (-0.7, 0.0, 0.4):
        f = Families(space=KINDS_OF_SPACE[kind], visibility=0.05, gradient=gradient)
        check_landscape(f, samples=64, views=3)


@pytest.mark.slow
def test_a_hidden_family_with_a_hundred_axes() -> None:
    check_landscape(Families(space=KINDS_OF_SPACE["wide"], visibility=0.05, gradient=-0.5))


@pytest.mark.parametrize("visibility", [0.0003, 0.02, 0.4, 1.0])
@pytest.mark.parametrize("best", ["attention", "mlp"])
def test_visibility_is_the_share_that_beats_the_rest(visibility: float, best: str) -> None:
    f = Families(visibility=visibility, gradient=-0.5, best=best, gap=0.2, instance=3)
    rest = tuple(Box(family.name) for family in f.universe.families if family.name != best)
    level = f.lowest(rest)
    assert isinstance(level, Optimum)
    assert level.value == pytest.approx(0.2, abs=1e-12)
    family = f.universe.family(best)
    finite = Space((Family(best, family.axes[1:]),))  # all but the learning rate
    others, n = finite.enumerate(), 20_000
    rates = family.axes[0].from_unit((np.arange(n) + 0.5) / n)
    values = np.full((len(others) * n, f.universe.width), np.nan)
    for column, axis in f.universe.places(f.universe.index(best))[1:]:
        values[:, column] = np.repeat(others.values[:, finite.columns.index(axis.name)], n)
    values[:, 0] = np.tile(rates, len(others))
    every = Points(f.universe, np.full(len(values), f.universe.index(best)), values)
    beats = (f.evaluate(every) < level.value).reshape(len(others), n).mean(axis=1)
    # one step of the grid at each end of each option's interval
    assert (beats * masses(others)).sum() == pytest.approx(visibility, abs=1.1 / n)


@pytest.mark.parametrize("dimension", [2, 3, 6])
@pytest.mark.parametrize("visibility", [0.01, 0.3])
def test_visibility_with_several_real_axes_by_monte_carlo(
    dimension: int, visibility: float
) -> None:
    axes = [Real(f"x{i}", 0.0, 1.0) for i in range(dimension)]
    space = Space.box(*axes, Integer("k", 1, 30), Choice("c", ("p", "q", "r")))
    f, n = Families(space=space, visibility=visibility, instance=dimension), 200_000
    share = (f.evaluate(space.sample(n, np.random.default_rng(1))) < f.gap).mean()
    error = math.sqrt(visibility * (1 - visibility) / n)
    assert abs(share - visibility) < 4 * error + 0.01 * visibility


def test_visibility_of_a_finite_family_is_as_near_as_its_steps_allow() -> None:
    space = KINDS_OF_SPACE["categorical"]
    every = space.enumerate()
    for visibility in (1e-6, 0.1, 0.5, 0.93):
        f = Families(space=space, visibility=visibility, instance=2)
        values = f.evaluate(every)
        # every visibility is one of these shares, in the order of the values at full visibility
        ordered = np.sort(Families(space=space, visibility=1.0, instance=2).evaluate(every))
        possible = np.flatnonzero(np.diff(ordered, append=math.inf) > 1e-12) + 1
        nearest = np.abs(possible / len(every) - visibility).min()
        assert abs((values < f.gap).mean() - visibility) == pytest.approx(nearest, abs=1e-12)


def test_gradient_is_how_far_the_rest_falls_toward_the_optimum() -> None:
    spread = {}
    for gradient in (-1.0, -0.5, 0.0, 0.5, 1.0):
        f = Families(visibility=0.01, gradient=gradient)
        points = _of_family(f.universe, "attention", 20_000)
        best = f.optimum()
        assert isinstance(best, Optimum)
        values = f.evaluate(points)
        around = values >= f.gap + 0.5 - abs(gradient) / 2  # not the valley's walls
        assert values.max() <= f.gap + 0.5 + abs(gradient) / 2 + 1e-12
        unit = f.universe.to_unit(points) - f.universe.to_unit(best.point)
        away = np.abs(unit[:, f.universe.columns.index("lr")])
        sense = np.corrcoef(away[around], values[around])[0, 1] if gradient else 0.0
        spread[gradient] = float(np.sign(sense) * np.ptp(values[around]))
    assert list(spread.values()) == sorted(spread.values())
    assert spread[0.0] == 0.0
    # not quite 1, since the valley covers the middle of the slope
    assert spread[1.0] == pytest.approx(1.0, abs=0.1)
    assert spread[-1.0] == pytest.approx(-1.0, abs=0.1)


def _descended(f: Families, start: Points) -> Points:
    """Where small steps on the real axes, and single ones on the others, lead: a batch of one."""
    while True:
        around = _neighbours(f.universe, start, step=2e-3)
        values = f.evaluate(around)
        if values.min() >= f.evaluate(start)[0]:
            return start
        start = around[int(np.argmin(values))]


def test_descent_ends_in_the_basin_that_it_starts_in() -> None:
    for gradient, share in [(0.6, 1.0), (-0.6, 0.02)]:
        f = Families(visibility=0.02, gradient=gradient, families=("attention", "mlp"))
        minima = f.minima()
        assert minima is not None
        starts = _of_family(f.universe, "attention", 12, seed=4)
        label = minima.labels(_of_family(f.universe, "attention", 50_000))
        assert (label == 0).mean() == pytest.approx(share, abs=0.004)
        for i in range(len(starts)):
            own = minima.labels(starts[i])
            end = _descended(f, starts[i])
            assert np.array_equal(minima.labels(end), own)
            assert f.evaluate(end)[0] == pytest.approx(minima.values[own[0]], abs=2e-3)


@pytest.mark.parametrize("gradient", [-0.6, 0.0, 0.6])
def test_the_lowest_part_of_a_hidden_basin_by_enumeration(gradient: float) -> None:
    space = Space(
        (
            Family("a", (Integer("k", 1, 15), Integer("m", 2, 40, log=True), Choice("c", (1, 2)))),
            Family("b", (Integer("k", 1, 15),)),
        )
    )
    f = Families(space=space, visibility=0.1, gradient=gradient, best="a", instance=6)
    minima, every = f.minima(), space.enumerate()
    assert minima is not None
    assert len(minima.values) == (4 if gradient < 0 else 3)
    regions: list[Region] = [
        (Box("a", (("k", Interval(3, 8)), ("c", Among((0.0,))))), Box("b")),
        (Box("a", (("k", Among((1.0, 7.0, 15.0))), ("m", Among((3.0, 11.0, 30.0))))),),
        (Box("b", (("k", Interval(5, 5)),)), Box("a", (("m", Interval(20, 25)),))),
    ]
    known = 0
    for region in regions:
        inside = every[np.flatnonzero(contains(space, region, every))]
        rough, low = _lowest_by_grid(f, minima, inside), minima.lowest(region)
        settled = ~np.isnan(low)
        assert low[settled] == pytest.approx(rough[settled])
        known += int(settled.sum())
    assert known >= 9


def test_only_a_visible_family_changes_with_its_dials() -> None:
    plain, hidden = Families(), Families(visibility=0.1, gradient=0.3)
    points = plain.universe.sample(2000, np.random.default_rng(0))
    others = points.family != plain.universe.index("attention")
    assert np.array_equal(plain.evaluate(points)[others], hidden.evaluate(points)[others])


# ---- families by a task


@pytest.mark.parametrize("task", sorted(TASKS))
def test_families_by_every_task_keep_the_contract(task: str) -> None:
    check_landscape(Families(task=task), seed=1, samples=128)
    check_landscape(Families(task=task, demands=(("examples", 1e3),), instance=2), views=4)


def lowest(f: Landscape, region: Region) -> float:
    found = f.lowest(region)
    assert isinstance(found, Optimum)
    assert found.value == f.evaluate(found.point)[0]
    return found.value


def test_each_task_has_its_best_family_and_none_wins_everywhere() -> None:
    best = {
        "control": "mlp",
        "recall": "attention",
        "parity": "recurrent",
        "copy": "hybrid",
        "motif": "conv",
        "language": "moe",
        "tabular": "trees",
        "smooth": "kernels",
    }
    assert best.keys() == TASKS.keys()
    for task, family in best.items():
        for instance in range(1, 11):
            found = Families(task=task, instance=instance).optimum()
            assert isinstance(found, Optimum)
            assert found.point.records()[0]["family"] == family


def test_a_task_s_optimum_by_brute_force() -> None:
    for task in ("copy", "tabular"):
        f = Families(task=task, instance=4)
        for index, family in enumerate(f.universe.families):
            finite = Space((Family(family.name, family.axes[1:]),)).enumerate()
            rates = family.axes[0].from_unit(np.linspace(0.0, 1.0, 201))
            values = np.full((len(finite) * len(rates), f.universe.width), np.nan)
            for column, axis in f.universe.places(index)[1:]:
                own = finite.values[:, finite.space.columns.index(axis.name)]
                values[:, column] = np.repeat(own, len(rates))
            values[:, f.universe.places(index)[0][0]] = np.tile(rates, len(finite))
            rough = f.evaluate(Points(f.universe, np.full(len(values), index), values)).min()
            found = lowest(f, (Box(family.name),))
            assert found <= rough + 1e-12
            assert rough - found < 0.15 * 0.01**2 + 1e-12  # half a step of 1/50 of a decade


def test_a_task_s_minima_are_structures_that_no_neighbour_betters() -> None:
    f = Families(task="copy")
    minima = f.minima()
    assert minima is not None
    assert len({record["family"] for record in minima.points.records()}) == 7
    assert minima.masses is not None
    assert minima.masses.sum() == pytest.approx(1.0)
    for i in range(len(minima.values)):
        family = f.universe.families[int(minima.points.family[i])]
        own = dict(zip(f.universe.columns, minima.points.values[i].tolist(), strict=True))
        for name in ("width", "depth"):
            for beside in (own[name] - 1.0, own[name] + 1.0):
                if family.axis(name).contains(np.array([beside]))[0]:
                    moved = own | {name: beside}
                    sets = tuple((a.name, Among((moved[a.name],))) for a in family.axes[1:])
                    assert lowest(f, (Box(family.name, sets),)) >= minima.values[i] - 1e-9


def test_the_loss_of_one_structure_by_hand() -> None:
    f = Families(task="motif", instance=5)
    model = f._model
    record = {"family": "conv", "lr": 1e-3, "width": 64, "depth": 3, "kernel": 5, "dilation": 2}
    field = 1 + 4 * (1 + 2 + 4)
    weights = model.weights  # type: ignore[union-attr]
    parameters = 3 * 5 * 64**2
    assert math.log(field) / math.log(128) > 0.4  # the range that the task demands
    expected = model.floor  # type: ignore[union-attr]
    expected += weights["capacity"] * max(0.0, 0.7 - math.log10(parameters) / 7)
    expected += 3e-3 * parameters / 1e5
    middle = -2.5 - 0.5 * math.log10(64 / 128) - 0.25 * math.log10(3 / 4)
    expected += 0.15 * (-3.0 - middle) ** 2
    assert f(record) == pytest.approx(expected, rel=1e-12)


def test_convolution_closes_the_gap_on_recall_as_sequences_get_shorter() -> None:
    prices = []
    for length in (8, 16, 32, 64, 128, 256):
        f = landscapes.make("families", task="recall", demands={"length": length, "pairs": 4})
        everything = tuple(Box(family.name) for family in f.universe.families)
        prices.append(lowest(f, (Box("conv"),)) - lowest(f, everything))
    assert prices == sorted(prices)
    assert prices[0] < 0.01
    assert prices[-1] > 0.1


def test_attention_needs_depth_for_parity_and_state_space_models_need_signs() -> None:
    short, long = [
        Families(task="parity", demands=(("length", length),)) for length in (8.0, 512.0)
    ]
    gaps = [lowest(f, (Box("attention"),)) - lowest(f, (Box("recurrent"),)) for f in (short, long)]
    assert gaps[0] < 0.01
    assert gaps[1] > 0.04
    signs = [lowest(long, (Box("ssm", (("eigenvalues", Among((v,))),)),)) for v in (0.0, 1.0)]
    assert signs[0] - signs[1] > 0.05


def test_a_kept_set_of_families_and_a_copy_in_another_process_are_the_same_landscape() -> None:
    every, some = Families(task="recall"), Families(task="recall", families=("conv", "ssm"))
    assert [family.name for family in some.universe.families] == ["conv", "ssm"]
    assert lowest(some, (Box("conv"),)) == lowest(every, (Box("conv"),))
    for f in (some, Families(visibility=0.1, gradient=-0.2), Families(task="smooth")):
        points = f.universe.sample(50, np.random.default_rng(0))
        values = f.evaluate(points)
        again = pickle.loads(pickle.dumps(f))  # noqa: S301  its own bytes
        assert np.array_equal(again.evaluate(points), values)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"visibility": 0.0}, "visibility must be above 0"),
        ({"visibility": 1.5}, "visibility must be above 0"),
        ({"visibility": 0.1, "gradient": -1.1}, "gradient must be from -1 to 1"),
        ({"visibility": 0.1, "gradient": math.nan}, "gradient must be from -1 to 1"),
        ({"gradient": 0.5}, "give visibility"),
        ({"visibility": 0.1, "gap": 0.0}, "needs a gap above 0"),
        ({"visibility": 0.1, "ruggedness": 0.1}, "ruggedness 0"),
        ({"task": "recal"}, 'did you mean "recall"'),
        ({"task": "recall", "families": ("trees",)}, "no family"),
        ({"task": "recall", "gap": 0.3}, "gap plants an optimum"),
        ({"task": "recall", "best": "conv"}, "best plants an optimum"),
        ({"task": "recall", "visibility": 0.1}, "visibility plants an optimum"),
        ({"demands": {"range": 1.0}}, "name the task"),
        ({"task": "recall", "demands": {"rang": 1.0}}, 'did you mean "range"'),
        ({"task": "recall", "demands": {"range": 2.0}}, "range must be from 0 to 1"),
        ({"task": "recall", "demands": {"length": 0}}, "length must be a number from 1 on"),
        ({"task": "recall", "demands": {"vocabulary": 1}}, "vocabulary must be"),
        ({"task": "recall", "demands": {"examples": math.inf}}, "examples must be"),
    ],
)
def test_a_bad_argument_gets_one_sentence(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said) as raised:
        landscapes.make("families", **arguments)
    assert "\n" not in str(raised.value)
