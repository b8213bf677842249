"""SMAC: a random forest (or a Gaussian process), expected improvement, and random points between.

Source: F. Hutter, H. H. Hoos and K. Leyton-Brown (2011), "Sequential model-based optimization for
general algorithm configuration", LION 5; M. Lindauer et al. (2022), "SMAC3: a versatile Bayesian
optimization package for hyperparameter optimization", JMLR 23; by the package smac.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

import numpy as np

from hpo_lab.errors import InputError
from hpo_lab.optimizer import Search, Strategy
from hpo_lab.optimizers._encoding import Encoding, clipped
from hpo_lab.optimizers._libraries import Guest, library
from hpo_lab.optimizers._values import LARGEST
from hpo_lab.space import Axis, Choice, Floats, Integer, Points, Space

Model = Literal["forest", "gp"]

_LEAST = -23.0  # the logarithm of SMAC's own smallest number, 1e-10
_FAMILY = "family"


@dataclass(frozen=True)
class SMAC(Strategy):
    """SMAC3's facade for hyperparameters (a forest), or for black boxes (a Gaussian process).

    *What it assumes.* With the "forest" that values are roughly constant in boxes which halve one
    axis at a time: ten bootstrapped regression trees on the logarithm of the values. With the "gp"
    that nearby points have similar values (Matérn 5/2; Hamming distance for unordered choices).

    *Where it looks.* A scrambled Sobol' sequence first: ten points an axis (eight with the "gp"),
    at most a quarter of the budget. Then the model is fitted after every eight points, and these
    are the best by expected improvement of thousands of random points and of a local search from
    the best known and the best random ones; one in five (one in twelve) is drawn at random.

    *Where it never looks.* Nowhere, in the long run: the random points go everywhere. Among the
    others, where all trees that know a good point agree.

    Families are one categorical parameter and the axes that not all of them have are conditional on
    it. Equal axes of several families are one parameter; axes with one value are none. Ordered
    choices are ordinal. A value that is nan or infinite is told as the worst success so far; before
    there is one, it waits. A run ends when SMAC finds no new point. SMAC is seeded by the search,
    works on one thread, logs nothing and leaves no file.

    Raises InputError for an unknown model and where the package is missing.

    >>> SMAC()
    SMAC(model='forest')
    """

    name: ClassVar[str] = "smac"
    version: ClassVar[int] = 1
    deterministic: ClassVar[bool] = False
    anytime: ClassVar[bool] = False
    libraries: ClassVar[tuple[str, ...]] = (
        "smac",
        "ConfigSpace",
        "scikit-learn",
        "joblib",
        "scipy",
    )

    model: Model = "forest"

    def __post_init__(self) -> None:
        if self.model not in get_args(Model):
            known = ", ".join(get_args(Model))
            raise InputError(f"model must be one of {known}, not {self.model!r}")

    def start(self, space: Space, budget: int, rng: np.random.Generator) -> Search:
        """Return a search with a facade of its own; imports smac."""
        return _Search(self, space, budget, rng)


class _Search:
    """One facade of SMAC's behind ask and tell."""

    def __init__(self, settings: SMAC, space: Space, budget: int, rng: np.random.Generator) -> None:
        self.smac = library(settings.name, "smac", "smac")
        self.joblib = library(settings.name, "joblib", "joblib")
        self.value = library(settings.name, "smac.runhistory", "smac").TrialValue
        self.exhausted = (
            StopIteration,
            library(
                settings.name, "smac.main.exceptions", "smac"
            ).ConfigurationSpaceExhaustedException,
        )
        self.space, self.encoding = space, Encoding(space)
        self.places = {f"{j}": place for j, place in enumerate(self.encoding.places)}
        self.guest, self.worst = Guest(rng), -np.inf
        self.waiting: list[Any] = []  # failures before the first success
        self.facade: Any = None
        self.left = budget
        if self.places or len(space.families) > 1:
            self.left = int(min(budget, space.size))  # told of failures alone it would seek on
            with self._at_work(), tempfile.TemporaryDirectory() as folder:
                self.facade = self._facade(settings, budget, int(rng.integers(2**31)), Path(folder))

    def ask(self) -> Points:
        nothing = self.space.sample(0, np.random.default_rng(0))
        if self.left <= 0:
            return nothing
        if self.facade is None:
            size, self.left = self.left, 0
            return self.space.sample(size, np.random.default_rng(0))
        self.left -= 1
        try:
            with self._at_work():
                self.trial = self.facade.ask()
        except self.exhausted:  # it finds nothing new
            return nothing
        return self._points(dict(self.trial.config))

    def tell(self, points: Points, values: Floats) -> None:
        if self.facade is None:
            return
        value = float(values[0])
        self.waiting.append((self.trial, value))
        if np.isfinite(value):
            self.worst = max(self.worst, float(np.clip(value, -LARGEST, LARGEST)))
        if not np.isfinite(self.worst):
            return
        with self._at_work():
            for trial, given in self.waiting:
                cost = np.clip(given if np.isfinite(given) else self.worst, -LARGEST, LARGEST)
                self.facade.tell(trial, self.value(cost=float(cost)), save=False)
        self.waiting = []

    def _facade(self, settings: SMAC, budget: int, seed: int, folder: Path) -> Any:
        scenario = self.smac.Scenario(
            _configuration_space(settings.name, self.space, self.places),
            output_directory=folder,
            deterministic=True,
            n_trials=budget,
            seed=seed,
        )
        kinds = {"forest": "HyperparameterOptimizationFacade", "gp": "BlackBoxFacade"}
        facade = getattr(self.smac, kinds[settings.model])
        encoder = facade.get_runhistory_encoder(scenario)
        encoder.transform_response_values = _finite(encoder.transform_response_values)
        maximizer = facade.get_acquisition_maximizer(scenario)
        local = maximizer._local_search
        local._get_init_points_from_previous_configs = _sorted(
            local._get_init_points_from_previous_configs
        )
        return facade(
            scenario,
            acquisition_maximizer=maximizer,
            runhistory_encoder=encoder,
            logging_level=False,
            overwrite=True,
        )

    def _points(self, given: dict[str, Any]) -> Points:
        family = int(given.get(_FAMILY, 0))
        row = self.encoding.middle(family)
        for name, (column, axis) in self.places.items():
            if name in given:
                row[0, column] = clipped(axis, float(given[name]))
        return Points(self.space, np.array([family]), row)

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        """The globals lent, and nothing logged."""
        logger = logging.getLogger("smac")
        level = logger.level
        logger.setLevel(logging.CRITICAL + 1)
        try:
            with (
                self.guest.at_work(),
                self.joblib.parallel_config(backend="sequential"),  # the forest would take all
                warnings.catch_warnings(),
            ):
                warnings.filterwarnings("ignore", message="The balance properties of Sobol")
                # the mean time of a local search that had nowhere to go
                warnings.filterwarnings("ignore", message="Mean of empty slice|invalid value")
                yield
        finally:
            logger.setLevel(level)


def _finite(scale: Callable[[Floats], Floats]) -> Callable[[Floats], Floats]:
    """SMAC's scale of the values where it is finite.

    It takes the logarithm of the distance from just below the least value; where two equal ones
    are the least and beyond 1e6, "just below" is lost to rounding.
    """

    def scaled(values: Floats) -> Floats:
        given = scale(values)
        return np.where(np.isneginf(given), _LEAST, given)

    return scaled


def _sorted(starts: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    """SMAC's starts of the local search, which come out of a set, in an order of their own."""

    def place(configuration: Any) -> tuple[float, ...]:
        return tuple(np.nan_to_num(configuration.get_array(), nan=-1.0).tolist())

    return lambda *given: sorted(starts(*given), key=place)


def _configuration_space(name: str, space: Space, places: dict[str, tuple[int, Axis]]) -> Any:
    """The space in ConfigSpace's terms, the axes by their names in ``places``."""
    cs = library(name, "ConfigSpace", "ConfigSpace")
    made = cs.ConfigurationSpace()
    parameters = {key: _parameter(cs, key, axis) for key, (_, axis) in places.items()}
    families = range(len(space.families))
    parent = cs.CategoricalHyperparameter(_FAMILY, families)
    if len(families) > 1:
        made.add(parent)
    made.add(*parameters.values())
    for key, place in places.items():
        owners = [i for i in families if place in space.places(i)]
        if len(owners) == 1 < len(families):
            made.add(cs.EqualsCondition(parameters[key], parent, owners[0]))
        elif len(owners) < len(families):
            made.add(cs.InCondition(parameters[key], parent, owners))
    return made


def _parameter(cs: Any, name: str, axis: Axis) -> Any:
    if isinstance(axis, Choice):
        kind = cs.OrdinalHyperparameter if axis.ordered else cs.CategoricalHyperparameter
        return kind(name, range(len(axis.options)))
    integer = isinstance(axis, Integer)
    kind = cs.UniformIntegerHyperparameter if integer else cs.UniformFloatHyperparameter
    return kind(name, axis.low, axis.high, log=axis.log)
