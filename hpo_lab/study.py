"""Studies: the arms and runs that follow from a study file, their identities and seeds."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hpo_lab import discovery
from hpo_lab.assumption import Assumption, assume
from hpo_lab.controls import controlled
from hpo_lab.landscape import Landscape, Problem, identity
from hpo_lab.optimizer import Strategy
from hpo_lab.region import Resolution
from hpo_lab.space import Family, Record, Space

Weight = Literal["family", "parameters"]


@dataclass(frozen=True, slots=True)
class Part:
    """One plug-in as a study names it: what to use, with which arguments, under which label.

    Parts are compared by ``exact``, the arguments as text, for which 1, 1.0 and true are three.
    """

    kind: str
    use: str
    arguments: tuple[tuple[str, Any], ...] = field(default=(), compare=False)
    label: str = ""
    exact: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "exact", repr(self.arguments))

    def make(self, **more: Any) -> Any:
        """Return the plug-in itself; InputError where the arguments do not fit."""
        part = replace(self, arguments=self.arguments + tuple(more.items()))
        return _made(part, discovery.loaded())


@lru_cache(maxsize=256)
def _made(part: Part, loaded: int) -> Any:
    return discovery.make(part.kind, part.use, dict(part.arguments))


@dataclass(frozen=True, slots=True)
class SpaceSpec:
    """A declared space as a study names it; ``landscapes`` are the labels that it is used on."""

    label: str
    assumptions: tuple[Part, ...]
    landscapes: tuple[str, ...]


def reweighted(universe: Space, weight: Weight) -> Space:
    """Return the universe under a reference measure.

    ``"family"`` leaves the families' weights as the landscape declares them (equal unless it says
    otherwise); ``"parameters"`` weighs each by its number of axes, at least one.
    """
    if weight == "family":
        return universe
    weighted = (Family(f.name, f.axes, float(max(len(f.axes), 1))) for f in universe.families)
    return Space(tuple(weighted))


@lru_cache(maxsize=256)
def _problem(
    landscape: Part,
    instance: int | None,
    assumptions: tuple[Part, ...],
    weight: Weight,
    loaded: int,
) -> Problem:
    made: Landscape = landscape.make(**({} if instance is None else {"instance": instance}))
    chain: list[Assumption] = [part.make() for part in assumptions]
    return Problem(made, assume(reweighted(made.universe, weight), chain))


@lru_cache(maxsize=256)
def _control(problem: Problem, control: str, instance: int, repetition: int) -> Problem:
    landscape = controlled(problem.landscape, control, instance, repetition)
    return Problem(landscape, problem.view)


def takes(part: Part, argument: str) -> bool:
    """Return whether a plug-in has an argument of that name."""
    return argument in discovery.arguments(discovery.find(part.kind, part.use))


def seeded(landscape: Part) -> bool:
    """Return whether the study chooses the landscape's instances."""
    return takes(landscape, "instance") and "instance" not in dict(landscape.arguments)


@dataclass(frozen=True, slots=True)
class Arm:
    """One strategy in one declared space of one landscape, with one budget.

    With a ``control`` the landscape is replaced by what that control puts in its place.
    """

    landscape: Part
    space: SpaceSpec
    strategy: Part
    budget: int
    spent: int  # the budget of the runs that it is read from; larger for a prefix
    weight: Weight
    entropy: int
    control: str = ""

    def problem(self, instance: int, repetition: int = 1) -> Problem:
        """Return the problem of one instance of the landscape; a control's has its repetition."""
        seed = instance if seeded(self.landscape) else None
        assumptions = self.space.assumptions
        made = _problem(self.landscape, seed, assumptions, self.weight, discovery.loaded())
        return _control(made, self.control, instance, repetition) if self.control else made

    def run(self, instance: int, repetition: int) -> Run:
        """Return one run of the arm."""
        return Run(self, instance, repetition)


@lru_cache(maxsize=4096)
def _arm_digest(arm: Arm, instance: int) -> str:
    """What identifies the runs of an arm on an instance, but for the repetition."""
    problem = arm.problem(instance)
    strategy: Strategy = arm.strategy.make()
    settings = {f.name: getattr(strategy, f.name) for f in fields(strategy)}  # type: ignore[arg-type]
    described = {
        "view": problem.view.to_dict(),
        "landscape": identity(problem.landscape),
        "strategy": {"name": f"{strategy.name}@{strategy.version}", "settings": settings},
        "budget": arm.spent,
        "entropy": arm.entropy,
    }
    return _digest(described)


def _digest(described: Record) -> str:
    text = json.dumps(described, sort_keys=True, ensure_ascii=False, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, Space):
        return value.to_dict()
    raise TypeError(f"{value!r} cannot identify a run: use plain values as arguments")


@dataclass(frozen=True, slots=True)
class Run:
    """One search: an arm, an instance of its landscape, and a repetition.

    Its identity holds all that its trials depend on and nothing else: not names, reasons,
    questions or versions of libraries.
    """

    arm: Arm
    instance: int
    repetition: int

    @property
    def identity(self) -> str:
        """The run's identity, 32 hexadecimal digits."""
        arm = _arm_digest(self.arm, self.instance)
        text = f"{arm}/{self.instance}/{self.repetition}"
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def generator(self) -> np.random.Generator:
        """Return the run's own random generator, seeded by its identity."""
        return np.random.default_rng(np.random.SeedSequence(int(self.identity, 16)))

    @property
    def problem(self) -> Problem:
        """The problem that the run searches."""
        return self.arm.problem(self.instance, self.repetition)

    @property
    def title(self) -> str:
        """The run in words."""
        arm = self.arm
        parts = [arm.landscape.label, arm.space.label, arm.strategy.label, f"budget {arm.spent}"]
        parts += [f"control {arm.control}"] if arm.control else []
        return ", ".join([*parts, f"instance {self.instance}", f"repetition {self.repetition}"])


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A comparison that was declared before looking: its test is confirmatory.

    Two strategies are compared in one space, or two spaces under one strategy, on one landscape or
    (``landscape`` empty) over all that have them. Nothing of it enters the identity of a run.
    """

    name: str
    compared: Literal["strategy", "space"]
    first: str
    second: str
    landscape: str  # a label, or empty: over all landscapes
    space: str  # what is held the same; empty where spaces are compared
    strategy: str  # likewise where strategies are
    budget: int
    measure: Literal["total", "best", "observed"]
    direction: Literal["less", "greater", "two-sided"]  # of first minus second
    rope: float | None  # half-width of the region of practical equivalence; None: the usual one
    expectation: str


@dataclass(frozen=True)
class Study:
    """A validated study. ``Study.read(path)`` makes one."""

    path: Path
    name: str
    question: str
    landscapes: tuple[Part, ...]
    spaces: tuple[SpaceSpec, ...]
    strategies: tuple[Part, ...]
    budgets: tuple[int, ...]
    instances: int
    repetitions: int
    entropy: int
    weight: Weight
    systems: tuple[str, ...]
    hypotheses: tuple[Hypothesis, ...] = ()
    resolution: Resolution = field(default_factory=Resolution)
    controls: tuple[str, ...] = ()

    @staticmethod
    def read(path: str | Path) -> Study:
        """Return the study of a file; InputError, one sentence with file and key, if it is bad."""
        from hpo_lab.study_file import read

        for kept in (_made, _problem, _control, _arm_digest):  # what they read may have changed
            kept.cache_clear()
        return read(Path(path))

    def instances_of(self, landscape: Part) -> range:
        """Return the instances that the study runs of a landscape: one where it has no seed."""
        return range(1, (self.instances if seeded(landscape) else 1) + 1)

    @cached_property
    def arms(self) -> tuple[Arm, ...]:
        """Every arm, in the order of the file: landscapes, spaces, strategies, budgets."""
        return tuple(self._arms())

    def _arms(self) -> Iterator[Arm]:
        for landscape, space in itertools.product(self.landscapes, self.spaces):
            if landscape.label not in space.landscapes:
                continue
            for strategy, budget in itertools.product(self.strategies, self.budgets):
                anytime = discovery.find("strategies", strategy.use).anytime
                spent = max(self.budgets) if anytime else budget
                yield Arm(landscape, space, strategy, budget, spent, self.weight, self.entropy)

    def runs_of(self, arm: Arm) -> list[Run]:
        """Return all runs that an arm consists of, by instance and repetition."""
        return [
            arm.run(instance, repetition)
            for instance in self.instances_of(arm.landscape)
            for repetition in range(1, self.repetitions + 1)
        ]

    @cached_property
    def runs(self) -> dict[str, Run]:
        """Every run of the study and of its controls, each once, by its identity."""
        arms = (one for arm in self.arms for one in (arm, *self.controls_of(arm)))
        return {run.identity: run for arm in arms for run in self.runs_of(arm)}

    def controls_of(self, arm: Arm) -> tuple[Arm, ...]:
        """Return the arms that are an arm's controls; their runs never count as its own."""
        return tuple(replace(arm, control=control) for control in self.controls)

    def problem(self, landscape: Part, space: SpaceSpec | None, instance: int) -> Problem:
        """Return a landscape seen through a declared space (None: the universe)."""
        spec = space or SpaceSpec("universe", (), ())
        budget = self.budgets[0]
        arm = Arm(landscape, spec, Part("", ""), budget, budget, self.weight, self.entropy)
        return arm.problem(instance)
