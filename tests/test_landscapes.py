"""The laws over every landscape found; the truths of peaks and families by brute force."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import landscapes
from hpo_lab.errors import InputError
from hpo_lab.landscape import Bounds, Landscape, Optimum
from hpo_lab.region import Region
from hpo_lab.space import Floats, Ints, Points, Real, Space
from hpo_lab.testing.landscape import check_landscape
from tests.golden import GOLDENS, golden_values

ARGUMENTS: list[tuple[str, dict[str, Any]]] = [
    ("peaks", {"dimension": 1, "peaks": 12}),
    ("peaks", {"dimension": 2, "peaks": 30, "instance": 2, "conditioning": 50.0}),
    ("peaks", {"dimension": 10, "peaks": 20, "noise": 0.1}),
    ("families", {"optima": 3, "ruggedness": 0.1}),
    ("families", {"families": ("conv", "mlp"), "gap": 0.3, "optima": 4}),
    ("nas_graph", {"dataset": "proteins"}),
    ("nas_graph", {"dataset": "arxiv", "observe": "test", "truth": "valid"}),
]


NEEDED = {  # what is not to be had without an argument, or soon; its own tests run the contract
    "sklearn_live": "minutes of fitting",
    "table": "a person's own file",
    "yahpo": "a folder of surrogate models",
}


@pytest.mark.parametrize("name", [name for name in landscapes.names() if name not in NEEDED])
def test_everything_found_keeps_the_contract(name: str) -> None:
    check_landscape(landscapes.make(name))


@pytest.mark.parametrize(("name", "arguments"), ARGUMENTS)
def test_the_contract_with_other_arguments(name: str, arguments: dict[str, Any]) -> None:
    for seed in range(3):
        check_landscape(landscapes.make(name, **arguments), seed=seed)


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


# ---- goldens: a landscape of one name@version has the same values for ever (tests/golden.py)


def test_every_landscape_has_its_goldens() -> None:
    kept = {path.name.split("@")[0] for path in GOLDENS.glob("*@*.json")}
    assert set(landscapes.names()) - set(NEEDED) <= kept


@pytest.mark.parametrize("path", sorted(GOLDENS.glob("*@*.json")), ids=lambda path: path.stem)
def test_golden_values(path: Path) -> None:
    golden = json.loads(path.read_text())
    f = landscapes.make(golden["name"], **golden["arguments"])
    if f"@{f.version}-" not in path.name:
        pytest.skip("the values of an earlier version")
    expected = [float.fromhex(value) for value in golden["values"]]
    # exponentials of two machines may differ in the last bits
    now = [
        float.fromhex(v) for v in golden_values(golden["name"], golden["arguments"], len(expected))
    ]
    assert np.allclose(now, expected, rtol=1e-13, atol=1e-15, equal_nan=True)
