"""f0: uniform noise without structure, fresh in every repetition or frozen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import kstest

import landscapes
from hpo_lab.errors import InputError
from hpo_lab.landscape import Bounds, Optimum
from hpo_lab.region import Among, Box, Interval
from hpo_lab.space import Integer, Real, Space
from hpo_lab.testing.landscape import check_landscape
from hpo_lab.testing.spaces import KINDS_OF_SPACE
from landscapes.flat import Flat


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("kind", sorted(KINDS_OF_SPACE))
def test_the_contract_over_every_kind_of_space(kind: str, fresh: bool) -> None:
    check_landscape(Flat(space=KINDS_OF_SPACE[kind], fresh=fresh))


@pytest.mark.parametrize("arguments", [{"dimension": 7, "fresh": False}, {"instance": 4}])
def test_the_contract(arguments: dict[str, Any]) -> None:
    check_landscape(landscapes.make("flat", **arguments))


@pytest.mark.parametrize("fresh", [False, True])
def test_the_noise_is_uniform_and_knows_nothing_of_its_neighbours(fresh: bool) -> None:
    f = Flat(dimension=2, fresh=fresh)
    points = f.universe.sample(100_000, np.random.default_rng(0))
    values = f.observe(points, 3)
    assert values.min() >= 0.0
    assert values.max() < 1.0
    assert kstest(values, "uniform").pvalue > 1e-3
    near = f.observe(f.universe.points(points.values * (1.0 - 2.0**-52)), 3)
    for other in (near, points.values[:, 0], points.values[:, 1]):
        # standard error of a correlation of 100,000 pairs: .0032
        assert abs(np.corrcoef(values, other)[0, 1]) < 0.013


def test_fresh_noise_is_new_in_every_repetition_and_replicate() -> None:
    f = Flat(dimension=3)
    points = f.universe.sample(20_000, np.random.default_rng(1))
    zeros = np.zeros(len(points), dtype=np.int64)
    seen = [f.observe(points, r, zeros + k) for r in range(2) for k in range(2)]
    seen.append(Flat(dimension=3, instance=2).observe(points))
    for i, first in enumerate(seen):
        assert np.array_equal(first, f.observe(points, 0)) == (i == 0)
        for second in seen[:i]:
            assert abs(np.corrcoef(first, second)[0, 1]) < 0.03
    assert set(f.evaluate(points).tolist()) == {0.5}
    best = f.optimum()
    assert isinstance(best, Optimum)
    assert best.value == 0.5


def test_a_frozen_field_is_one_field_an_instance() -> None:
    f = Flat(dimension=3, fresh=False)
    points = f.universe.sample(1000, np.random.default_rng(1))
    assert np.array_equal(f.evaluate(points), f.observe(points, 5))
    assert not np.array_equal(
        f.evaluate(points), Flat(dimension=3, fresh=False, instance=2).evaluate(points)
    )


def test_frozen_optima_by_enumeration_or_bounds() -> None:
    space = Space.box(Integer("k", 0, 300), Integer("l", 0, 300), Real("x", 0.0, 1.0))
    f = Flat(space=space, fresh=False)
    slice_ = Box("", (("x", Among((0.25, 0.5))),), (("k", "l"),))
    found = f.lowest((slice_, Box("", (("k", Among((7.0,))), ("x", Among((0.1,)))))))
    assert isinstance(found, Optimum)
    diagonal = [[k, k, x] for k in range(301) for x in (0.25, 0.5)]
    row = [[7, other, 0.1] for other in range(301)]
    assert found.value == f(np.array(diagonal + row)).min()
    wide = f.lowest((Box("", (("x", Interval(0.2, 0.3)),)),))
    assert isinstance(wide, Bounds)
    assert wide.low == 0.0
    assert 0.0 < wide.high < 0.02  # the best of 1,000: 1/1,001 on average
    nowhere = f.lowest((Box("", (("k", Among((0.5,))), ("x", Interval(0.2, 0.3)))),))
    assert isinstance(nowhere, Bounds)
    assert nowhere.low == nowhere.high == np.inf


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"dimension": 0}, "dimension must be at least 1"),
        ({"dimension": 2, "space": Space.box(Real("x", 0.0, 1.0))}, "not both"),
        ({"fresh": 1}, "fresh: "),
    ],
)
def test_a_bad_argument_gets_one_sentence(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said) as raised:
        landscapes.make("flat", **arguments)
    assert "\n" not in str(raised.value)
