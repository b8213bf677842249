"""scikit-optimize's Optimizer as a search, whatever its model: how points get there and back.

A bridge holds the two ways across. ``Reference`` draws candidates from our reference measure and
never lets a point be asked for twice while there is a new one; ``Native`` is scikit-optimize's own
space, for comparison with it.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal, Protocol, get_args

import numpy as np

from hpo_lab.errors import InputError
from hpo_lab.optimizer import Strategy
from hpo_lab.optimizers._encoding import Encoding, clipped
from hpo_lab.optimizers._libraries import one_thread
from hpo_lab.optimizers._values import standardized, successes
from hpo_lab.optimizers.halton import Halton
from hpo_lab.optimizers.lhs import LatinHypercube
from hpo_lab.optimizers.sobol import Sobol
from hpo_lab.space import Axis, Bools, Choice, Floats, Integer, Points, Real, Space

Preset = Literal["tuned", "skopt"]
Acquisition = Literal["preset", "EI", "LCB", "PI", "gp_hedge"]
Design = Literal["random", "lhs", "sobol", "halton"]

_DESIGNS: dict[str, Strategy] = {"lhs": LatinHypercube(), "sobol": Sobol(), "halton": Halton()}
_NEAREST = -3.0  # log10 of the smallest part of the way that a local candidate goes
_SOBOL = 40  # dimensions of scikit-optimize's own Sobol' sequence


class Settings(Protocol):
    """The settings that every model shares: fields of the strategies."""

    @property
    def preset(self) -> str: ...
    @property
    def initial(self) -> int: ...
    @property
    def design(self) -> str: ...
    @property
    def acquisition(self) -> str: ...
    @property
    def xi(self) -> float: ...
    @property
    def kappa(self) -> float: ...
    @property
    def candidates(self) -> int: ...
    @property
    def local(self) -> float: ...


def check(settings: Settings) -> None:
    """Raise InputError for a shared setting outside its range."""
    one_of("preset", settings.preset, get_args(Preset))
    one_of("acquisition", settings.acquisition, get_args(Acquisition))
    one_of("design", settings.design, get_args(Design))
    if settings.initial < 1:
        raise InputError(f"initial must be at least 1, not {settings.initial}")
    if settings.candidates < 0:
        raise InputError(f"candidates must be positive, not {settings.candidates}")
    if not 0 <= settings.local <= 1:
        raise InputError(f"local is a share in [0, 1], not {settings.local}")
    for name in ("xi", "kappa"):
        if not 0 <= getattr(settings, name) < math.inf:
            raise InputError(f"{name} must be a number from 0 on, not {getattr(settings, name)}")


def one_of(name: str, given: str, known: tuple[str, ...]) -> None:
    """Raise InputError unless the setting is one of the known words."""
    if given not in known:
        raise InputError(f"{name} must be one of {', '.join(known)}, not {given!r}")


def resolve(settings: Any, presets: Mapping[str, Mapping[str, object]]) -> None:
    """Replace each setting that stands for the preset's, 0 or "preset", by that of the preset."""
    for name, value in presets[settings.preset].items():
        if getattr(settings, name) in (0, "preset"):
            object.__setattr__(settings, name, value)
    if settings.preset == "skopt":
        object.__setattr__(settings, "local", 0.0)  # it has no local candidates


class Running:
    """What was told waits until the next ask, so that the last model is never fitted in vain."""

    def __init__(self, begin: Callable[[], tuple[Reference | Native, Any]], budget: int) -> None:
        with calm():
            self.bridge, self.optimizer = begin()
        self.left = budget
        self.rows: list[Any] = []
        self.values: list[float] = []

    def ask(self) -> Points:
        initial = self.bridge.settings.initial
        size = min(max(initial - len(self.rows), 1), self.left)
        self.left -= size
        if size == 0:
            return self.bridge.space.sample(0, np.random.default_rng(0))
        with calm():
            if not self.rows and self.bridge.settings.design != "random":
                return self.bridge.design(self.optimizer)[:size]
            self._learn()
            return Points.concatenate([self.bridge.next(self.optimizer) for _ in range(size)])

    def tell(self, points: Points, values: Floats) -> None:
        self.rows += self.bridge.rows(points)
        self.values += values.tolist()

    def _learn(self) -> None:
        known = len(self.optimizer.Xi)
        if known == len(self.rows) or not np.isfinite(self.values).any():
            return
        targets = self.bridge.targets(self.rows, successes(np.array(self.values))).tolist()
        self.optimizer.yi[:] = targets[:known]  # a new value may move the scale of the old
        self.optimizer.tell(self.rows[known:], targets[known:])


class Reference:
    """Stands in for skopt's Space: draws from our reference measure, nothing asked for twice."""

    is_categorical = True  # nothing is to be clipped: candidates are points of the space

    def __init__(self, space: Space, settings: Settings, rng: np.random.Generator) -> None:
        self.space, self.settings, self.rng = space, settings, rng
        self.candidates = settings.candidates
        self.near = round(settings.local * settings.candidates)
        self.incumbent: Floats | None = None
        self.climbs = False
        self.encoding = Encoding(space)
        self.dimensions = self.bounds = range(self.encoding.width)
        self.visited: set[bytes] = set()
        self.all = space.enumerate() if space.size <= settings.candidates else None

    def optimizer(self, estimator: Any, climb: bool = False) -> Any:
        """The Optimizer of a model over rows of the encoding; it may ``climb`` along real axes."""
        from skopt import Optimizer

        self.climbs = climb
        made = Optimizer(
            [(0.0, 1.0)],
            base_estimator=estimator,
            n_initial_points=self.settings.initial,
            acq_func=self.settings.acquisition,
            acq_func_kwargs=_rates(self.settings),
            acq_optimizer="lbfgs" if climb else "sampling",
            acq_optimizer_kwargs={"n_points": self.candidates},
            random_state=int(self.rng.integers(2**31)),
            model_queue_size=1,
            avoid_duplicates=False,
        )
        made.space = self
        return made

    @property
    def climbable(self) -> Bools:
        """Which columns (F, width) a family's points can be moved along: its real axes."""
        real = [isinstance(axis, Real) for _, axis in self.encoding.places]
        own = np.zeros((len(self.space.families), 1), dtype=bool)
        return np.hstack([own, self.encoding.active & np.array(real, dtype=bool)])

    @property
    def transformed_bounds(self) -> list[tuple[float, float]]:
        """The bounds of each column; only the climbable ones are ever moved."""
        climbable = np.any(self.climbable, axis=0).tolist()
        return [(0.0, 1.0) if moved else (-math.inf, math.inf) for moved in climbable]

    def design(self, optimizer: object) -> Points:
        """The initial points of an even design, repetitions replaced by draws."""
        n = self.settings.initial
        planned = _DESIGNS[self.settings.design].start(self.space, n, self.rng).ask()
        batch = []
        for row in range(n):
            point = planned[row : row + 1]
            batch.append(point if len(self._fresh(point)) else self._draw(1))
            self._visit(batch[-1])
        return Points.concatenate(batch)

    def next(self, optimizer: Any) -> Points:
        """The Optimizer's next point; from now on it is visited."""
        point = self.encoding.decode(np.array([optimizer.ask()]))
        if self.climbs and optimizer.models and not len(self._fresh(point)):
            point = self._sampled(optimizer)  # the climb ended where the search has been
        self._visit(point)
        return point

    def _sampled(self, optimizer: Any) -> Points:
        """The best of new candidates."""
        from skopt.acquisition import _gaussian_acquisition

        table = self.transform(self.rvs(self.candidates))
        rule = "EI" if self.settings.acquisition == "gp_hedge" else self.settings.acquisition
        loss = _gaussian_acquisition(
            table,
            optimizer.models[-1],
            np.min(optimizer.yi),
            rule,
            acq_func_kwargs=_rates(self.settings),
        )
        return self.encoding.decode(table[[int(np.argmin(loss))]])

    def _visit(self, points: Points) -> None:
        self.visited |= {bytes(key) for key in points.keys()}  # noqa: SIM118 (not a mapping)

    def rows(self, points: Points) -> list[Any]:
        return list(self.encoding.encode(points).tolist())

    def targets(self, rows: list[Any], values: Floats) -> Floats:
        self.incumbent = np.array(rows[int(np.argmin(values))])
        return standardized(values)

    def rvs(self, n_samples: int = 1, random_state: object = None) -> list[Any]:
        return self.rows(self._draw(n_samples))

    def _draw(self, n: int) -> Points:
        """At most n points that were not asked for yet; any n where none is found."""
        drawn = self._sample()
        sources = [drawn] if self.all is None else [drawn, self.all] if n == 1 else [self.all]
        for source in sources:  # a single point follows the measure, candidates are all there is
            fresh = self._fresh(source)
            if len(fresh) and source is self.all:
                fresh = fresh[self.rng.permutation(len(fresh))]  # ties fall to no corner
            if len(fresh):
                return fresh[:n]
        return drawn[:n]

    def _sample(self) -> Points:
        """Draws of the reference measure, then draws near the incumbent."""
        if self.incumbent is None or self.near == 0:
            return self.space.sample(self.candidates, self.rng)
        far = self.space.sample(self.candidates - self.near, self.rng)
        family = np.full(self.near, int(self.incumbent[0]))
        goal = self.space.from_unit(family, self.rng.random((self.near, self.space.width)))
        goals = self.encoding.encode(goal)
        part = 10.0 ** self.rng.uniform(_NEAREST, 0.0, (self.near, 1))
        moved = self.incumbent + part * (goals - self.incumbent)
        renamed = self.rng.random(goals.shape) < 1.0 / self.encoding.width
        named = np.where(renamed, goals, self.incumbent)
        near = np.where(self.encoding.nominal, named, moved)
        return Points.concatenate([far, self.encoding.decode(near)])

    def _fresh(self, points: Points) -> Points:
        keys = points.keys()
        return points[[bytes(key) not in self.visited for key in keys]]

    def transform(self, rows: list[Any]) -> Floats:
        return np.array(rows, dtype=float).reshape(-1, self.encoding.width)

    def inverse_transform(self, table: Floats) -> list[Any]:
        return list(table.tolist())

    def distance(self, one: Any, other: Any) -> float:
        return float(one != other)

    def __contains__(self, row: Any) -> bool:
        return True


class Native:
    """Our points as rows of skopt's own space: [family,] and each distinct axis that can vary."""

    def __init__(self, space: Space, settings: Settings, rng: np.random.Generator) -> None:
        self.space, self.settings, self.encoding = space, settings, Encoding(space)
        self.several = len(space.families) > 1
        self.seed = int(rng.integers(2**31))

    def optimizer(self, estimator: Any, acquisition_optimizer: str = "auto") -> Any:
        """The Optimizer of a model, or of scikit-optimize's default model of that name."""
        from skopt import Optimizer

        dimensions = self.dimensions()
        if self.settings.design == "sobol" and len(dimensions) > _SOBOL:
            raise InputError(
                f'scikit-optimize\'s design = "sobol" has {_SOBOL} dimensions and the space has '
                f'{len(dimensions)}; use "halton", or preset = "tuned"'
            )
        return Optimizer(
            dimensions,
            base_estimator=estimator,
            n_initial_points=self.settings.initial,
            initial_point_generator=self.settings.design,
            acq_func=self.settings.acquisition,
            acq_func_kwargs=_rates(self.settings),
            acq_optimizer=acquisition_optimizer,
            acq_optimizer_kwargs={"n_points": self.settings.candidates},
            random_state=self.seed,
            model_queue_size=1,
        )

    def design(self, optimizer: Any) -> Points:
        """The Optimizer's initial design, all of it: it gives one at a time as it is told."""
        return Points.concatenate([self._point(row) for row in optimizer._initial_samples])

    def next(self, optimizer: Any) -> Points:
        """The Optimizer's next point; a random one if it has a design but nothing was told."""
        if self.settings.design != "random" and not optimizer.models:
            return self._point(optimizer.space.rvs(random_state=optimizer.rng)[0])
        return self._point(optimizer.ask())

    def _point(self, row: Any) -> Points:
        family = int(row[0]) if self.several else 0
        values = self.encoding.middle(family)
        for j, (column, axis) in enumerate(self.encoding.places):
            if self.encoding.active[family, j]:
                values[0, column] = clipped(axis, float(row[j + self.several]))
        return Points(self.space, np.array([family]), values)

    def rows(self, points: Points) -> list[Any]:
        rows = []
        for family, values in zip(points.family.tolist(), points.values.tolist(), strict=True):
            row: list[Any] = [family] if self.several else []
            for j, (column, axis) in enumerate(self.encoding.places):
                has = self.encoding.active[family, j]
                row.append(_native(axis, values[column] if has else None))
            rows.append(row or [0.5])
        return rows

    def targets(self, rows: list[Any], values: Floats) -> Floats:
        return values

    def dimensions(self) -> list[Any]:
        """The space as dimensions of scikit-optimize."""
        from skopt.space import Categorical

        families = [Categorical(range(len(self.space.families)))] if self.several else []
        axes = [_dimension(axis) for _, axis in self.encoding.places]
        return families + axes or [(0.0, 1.0)]  # skopt knows no space of one point

    def lacking(self, dimensions: list[Any]) -> tuple[Bools, Floats]:
        """Which columns (F, k) each family lacks in skopt's code of dimensions, and its middle."""
        from skopt.space import Space as SkoptSpace

        coded = SkoptSpace(dimensions)
        centre = [[0, *[_native(axis, None) for _, axis in self.encoding.places]]]
        sizes = [dimension.transformed_size for dimension in coded.dimensions]
        own = np.ones((len(self.space.families), 1), dtype=bool)
        lacks = ~np.repeat(np.hstack([own, self.encoding.active]), sizes, axis=1)
        return lacks, np.asarray(coded.transform(centre), dtype=float)[0]


def _rates(settings: Settings) -> dict[str, float]:
    """What an acquisition function wants to know."""
    return {"xi": settings.xi, "kappa": settings.kappa}


def _dimension(axis: Axis) -> Any:
    """The axis as a dimension of scikit-optimize."""
    from skopt import space as skopt

    if isinstance(axis, Choice):
        options = len(axis.options)
        return skopt.Integer(0, options - 1) if axis.ordered else skopt.Categorical(range(options))
    prior = "log-uniform" if axis.log else "uniform"
    kind = skopt.Integer if isinstance(axis, Integer) else skopt.Real
    return kind(axis.low, axis.high, prior=prior)


def _native(axis: Axis, value: float | None) -> float | int:
    """The value as skopt wants it; the middle of the axis where there is none."""
    given = float(axis.from_unit(np.array([0.5]))[0]) if value is None else value
    return int(given) if isinstance(axis, Choice | Integer) else given


@contextmanager
def calm() -> Iterator[None]:
    """One thread, and none of scikit-optimize's remarks on its points."""
    with one_thread("skopt"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The objective has been evaluated at point")
        warnings.filterwarnings("ignore", message="The balance properties of Sobol' points")
        yield
