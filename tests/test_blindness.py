"""No strategy can see the landscape or the future; and whoever looks is found out."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from types import FrameType, SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest

from hpo_lab import discovery
from hpo_lab.errors import InputError
from hpo_lab.landscape import Problem
from hpo_lab.optimizer import Search, Strategy
from hpo_lab.space import Floats, Points, Space
from hpo_lab.testing.blindness import check_blindness, hidden_in, twins
from hpo_lab.testing.spaces import KINDS_OF_SPACE
from tests.test_determinism import COSTLY

KINDS = ("mixed", "conditional")
SEEN: list[Problem] = []  # what a careless landscape might leave where a strategy finds it


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name in COSTLY else ())
        for name in discovery.names("strategies")
    ],
)
def test_every_strategy_is_blind(name: str, kind: str) -> None:
    strategy = discovery.make("strategies", name, {})
    space = KINDS_OF_SPACE[kind]
    try:
        strategy.start(space, 14, np.random.default_rng(0))
    except InputError as refused:  # a package that is not installed, a space beyond the library
        pytest.skip(str(refused))
    check_blindness(strategy, {kind: space}, 14)


@pytest.mark.parametrize("kind", KINDS_OF_SPACE)
def test_twins_answer_alike_and_share_nothing_else(kind: str) -> None:
    plain, disguised = twins(KINDS_OF_SPACE[kind])
    points = KINDS_OF_SPACE[kind].sample(100, np.random.default_rng(0))
    one, other = plain.answer(points), disguised.answer(points)
    assert np.array_equal(one.observed, other.observed)
    assert plain.view.declared == disguised.view.declared
    assert not np.isclose(one.truth, other.truth).any()
    assert plain.optimum != disguised.optimum
    for hidden in ("name", "version", "unit", "universe"):
        assert getattr(plain.landscape, hidden) != getattr(disguised.landscape, hidden)


def test_hidden_objects_are_found_wherever_they_are_kept() -> None:
    problem = next(twins(KINDS_OF_SPACE["mixed"]))

    def inside() -> Iterator[Problem]:
        kept = problem
        yield kept

    begun = inside()
    next(begun)
    boxed = np.empty(1, dtype=object)
    boxed[0] = problem
    ways = {
        "closure": inside,
        "generator": begun,
        "method": problem.answer,
        "partial": partial(print, problem),
        "array": boxed[:0],
        "frame": sys._getframe(),
        "cache": lru_cache(lambda: problem),
        "attribute": SimpleNamespace(by={"name": (problem,)}),
    }
    for way, holder in ways.items():
        assert problem in list(hidden_in(holder)), way
    assert not list(hidden_in(Problem, sys.modules[__name__], test_every_strategy_is_blind))


# --- who looks is found out ---------------------------------------------------------------------


@dataclass(frozen=True)
class Cheat(Strategy):
    """Random search that finds the problem where it should not, and uses or keeps it."""

    name: ClassVar[str] = "cheat"
    where: str = "frames"
    what: str = "truth"

    def start(self, space: Space, budget: int, rng: np.random.Generator) -> Search:
        return _CheatSearch(self, space, budget, rng)


class _CheatSearch:
    def __init__(
        self, settings: Cheat, space: Space, budget: int, rng: np.random.Generator
    ) -> None:
        self.settings, self.space, self.left, self.rng = settings, space, budget, rng
        self.kept: Any = None

    def ask(self) -> Points:
        drawn = self.space.sample(min(self.left, 1) * 20, self.rng)
        self.left -= min(self.left, 1)
        if not len(drawn):
            return drawn
        problem = _in_frames() if self.settings.where == "frames" else SEEN[-1]
        best = self._looked(problem, drawn)
        return drawn[best : best + 1]

    def _looked(self, problem: Problem, drawn: Points) -> int:
        if self.settings.what == "nothing":
            return 0
        if self.settings.what == "name":
            return len(problem.landscape.name)
        if self.settings.what == "kept":
            self.kept = {"deep": [lambda: problem]}
            return 0
        return int(np.argmin(getattr(problem.answer(drawn), self.settings.what)))

    def tell(self, points: Points, values: Floats) -> None:
        pass


def _in_frames() -> Problem:
    """The harness's own problem, a few frames up."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if isinstance(found := frame.f_locals.get("problem"), Problem):
            return found
        frame = frame.f_back
    raise LookupError


@pytest.mark.parametrize("where", ["frames", "global"])
@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("truth", "if only the hidden differs"),
        ("name", "if only the hidden differs"),
        ("observed", "what it is told later"),
        ("kept", "holds a Problem"),
    ],
)
def test_a_cheat_is_found_out(
    where: str, what: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Problem.__post_init__

    def opened(self: Problem) -> None:
        made(self)
        SEEN.append(self)

    monkeypatch.setattr(Problem, "__post_init__", opened)
    spaces = {kind: KINDS_OF_SPACE[kind] for kind in KINDS}
    check_blindness(Cheat(where, "nothing"), spaces)
    with pytest.raises(AssertionError, match=said):
        check_blindness(Cheat(where, what), spaces)
