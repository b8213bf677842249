"""Bayesian optimization with a Gaussian process: scikit-optimize's Optimizer behind ask and tell.

Source: J. Snoek, H. Larochelle and R. P. Adams (2012), "Practical Bayesian optimization of machine
learning algorithms", NeurIPS 25; T. Head et al., scikit-optimize.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Literal, get_args

import numpy as np

from hpo_lab.errors import InputError
from hpo_lab.optimizer import Search, Strategy
from hpo_lab.optimizers._encoding import Encoding
from hpo_lab.space import Axis, Choice, Floats, Integer, Points, Space

Preset = Literal["tuned", "skopt"]
Acquisition = Literal["preset", "EI", "LCB", "PI", "gp_hedge"]

_PRESETS: dict[str, tuple[Acquisition, int]] = {"tuned": ("EI", 1000), "skopt": ("gp_hedge", 10000)}
_LARGEST = 1e100  # a told value beyond this would overflow when it is squared
_NEAREST = -3.0  # log10 of the smallest part of the way that a local candidate goes
_TAIL = 3.0  # robust standard deviations from which on values are drawn in


@dataclass(frozen=True)
class GP(Strategy):
    """Bayesian optimization: a Gaussian process and an acquisition function, by scikit-optimize.

    The first ``initial`` points are drawn at random, without repetition where that is possible.
    Then each point maximizes the ``acquisition`` over ``candidates`` draws.

    *preset "tuned"* (1,000 candidates, expected improvement). Matérn 5/2 with noise, fitted by
    maximum likelihood from one start. One length scale each for the family, for every real axis,
    integer axis and ordered choice (in unit scale), and for every set of unordered choices with
    the same options (one-hot). Axes of different families share a coordinate only if they are
    equal; where a family lacks an axis its coordinate is constant. Values are standardized by
    median and interquartile range, drawn in logarithmically beyond 3 standard deviations, and
    standardized again.

    Candidates are draws from the space's reference measure. A share ``local`` of them stays in
    the incumbent's family and goes only a part of the way from the incumbent to its draw: numbers
    a fraction between 1/1000 and 1 (log-uniform), each unordered choice with probability
    1 / (1 + axes). Points that were asked for before are dropped, and a space with no more points
    than ``candidates`` is listed instead; a point is repeated only when no new one is found.

    *preset "skopt"*. scikit-optimize's own defaults: one length scale a column (Hamming distance
    where all axes are unordered choices), two restarts, 10,000 candidates refined by L-BFGS,
    gp_hedge; no local candidates. Ordered choices are integers and the family is one more
    categorical dimension; the model does not see the axes that a family lacks. On one family it
    asks for exactly the points of a bare ``skopt.Optimizer``.

    Both: a value that is nan or infinite is a failed trial and is told as the worst success so
    far; until there is a success, points are drawn at random. Values beyond ±1e100 are told as
    ±1e100. Linear algebra runs on one thread, so that results do not depend on their number.
    After construction the fields hold the resolved settings.

    Raises InputError for a setting outside its range.

    >>> from hpo_lab.space import Real
    >>> space = Space.box(Real("x", -1, 1))
    >>> search = GP(initial=3).start(space, budget=4, rng=np.random.default_rng(0))
    >>> asked = search.ask()
    >>> search.tell(asked, asked.values[:, 0] ** 2)
    >>> len(asked), len(search.ask()), len(search.ask())
    (3, 1, 0)
    >>> GP(preset="skopt")
    GP(preset='skopt', initial=10, acquisition='gp_hedge', candidates=10000, local=0.0)
    """

    name: ClassVar[str] = "gp"
    version: ClassVar[int] = 1
    deterministic: ClassVar[bool] = False
    anytime: ClassVar[bool] = True

    preset: Preset = "tuned"
    initial: int = 10
    acquisition: Acquisition = "preset"
    candidates: int = 0  # 0: the preset's number
    local: float = 0.5  # preset skopt has none

    def __post_init__(self) -> None:
        if self.preset not in _PRESETS:
            raise InputError(f'preset must be "tuned" or "skopt", not {self.preset!r}')
        if self.initial < 1:
            raise InputError(f"initial must be at least 1, not {self.initial}")
        if self.acquisition not in get_args(Acquisition):
            known = ", ".join(get_args(Acquisition))
            raise InputError(f"acquisition must be one of {known}, not {self.acquisition!r}")
        if self.candidates < 0:
            raise InputError(f"candidates must be positive, not {self.candidates}")
        if not 0 <= self.local <= 1:
            raise InputError(f"local is a share in [0, 1], not {self.local}")
        self._resolve()

    def _resolve(self) -> None:
        """Replace what stands for a preset's setting by that setting."""
        acquisition, candidates = _PRESETS[self.preset]
        if self.acquisition == "preset":
            object.__setattr__(self, "acquisition", acquisition)
        if self.candidates == 0:
            object.__setattr__(self, "candidates", candidates)
        if self.preset == "skopt":
            object.__setattr__(self, "local", 0.0)

    def start(self, space: Space, budget: int, rng: np.random.Generator) -> Search:
        """Return a search with a model of its own; imports scikit-optimize."""
        return _Search(self, space, budget, rng)


class _Search:
    """What was told waits until the next ask, so that the last model is never fitted in vain."""

    def __init__(self, settings: GP, space: Space, budget: int, rng: np.random.Generator) -> None:
        self.settings, self.space, self.left = settings, space, budget
        self.bridge: _Reference | _Native
        if settings.preset == "tuned":
            self.bridge = _Reference(space, settings, rng)
        else:
            self.bridge = _Native(space)
        seed = int(rng.integers(2**31))
        with _calm():
            self.optimizer = self.bridge.optimizer(settings, seed)
        self.rows: list[Any] = []
        self.values: list[float] = []

    def ask(self) -> Points:
        size = min(max(self.settings.initial - len(self.rows), 1), self.left)
        self.left -= size
        if size == 0:
            return self.space.sample(0, np.random.default_rng(0))
        with _calm():
            self._learn()
            batches = [self.bridge.points(self.optimizer.ask()) for _ in range(size)]
        return Points.concatenate(batches)

    def tell(self, points: Points, values: Floats) -> None:
        self.rows += self.bridge.rows(points)
        self.values += values.tolist()

    def _learn(self) -> None:
        known = len(self.optimizer.Xi)
        if known == len(self.rows) or not np.isfinite(self.values).any():
            return
        targets = self.bridge.targets(self.rows, _successes(np.array(self.values))).tolist()
        self.optimizer.yi[:] = targets[:known]  # a new value may move the scale of the old
        self.optimizer.tell(self.rows[known:], targets[known:])


class _Reference:
    """Stands in for skopt's Space: draws from our reference measure, nothing asked for twice."""

    is_categorical = True  # nothing is to be clipped: candidates are points of the space

    def __init__(self, space: Space, settings: GP, rng: np.random.Generator) -> None:
        self.space, self.candidates, self.rng = space, settings.candidates, rng
        self.near = round(settings.local * settings.candidates)
        self.incumbent: Floats | None = None
        self.encoding = Encoding(space)
        self.dimensions = self.transformed_bounds = self.bounds = range(self.encoding.width)
        self.visited: set[bytes] = set()
        self.all = space.enumerate() if space.size <= settings.candidates else None

    def optimizer(self, settings: GP, seed: int) -> Any:
        from sklearn.gaussian_process import GaussianProcessRegressor
        from skopt import Optimizer

        from hpo_lab.optimizers._gp_model import GroupedMatern

        nominal, groups = self.encoding.nominal, self.encoding.groups
        lengths = (1.0,) * (1 + max(groups))
        made = Optimizer(
            [(0.0, 1.0)],
            base_estimator=GaussianProcessRegressor(
                GroupedMatern(nominal, groups, 1.0, lengths, 0.01), copy_X_train=False
            ),
            n_initial_points=settings.initial,
            acq_func=settings.acquisition,
            acq_optimizer="sampling",
            acq_optimizer_kwargs={"n_points": settings.candidates},
            random_state=seed,
            model_queue_size=1,
            avoid_duplicates=False,
        )
        made.space = self
        return made

    def points(self, row: Any) -> Points:
        """The point of one row; from now on it is visited."""
        points = self.encoding.decode(np.array([row]))
        self.visited |= {bytes(key) for key in points.keys()}  # noqa: SIM118 (not a mapping)
        return points

    def rows(self, points: Points) -> list[Any]:
        return list(self.encoding.encode(points).tolist())

    def targets(self, rows: list[Any], values: Floats) -> Floats:
        self.incumbent = np.array(rows[int(np.argmin(values))])
        return _standardized(values)

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


class _Native:
    """Our points as rows of skopt's own space: [family,] and each distinct axis that can vary."""

    def __init__(self, space: Space) -> None:
        self.space, self.encoding = space, Encoding(space)
        self.several = len(space.families) > 1
        self.constant = self.encoding.width == 1 and not self.several

    def optimizer(self, settings: GP, seed: int) -> Any:
        from skopt import Optimizer

        dimensions = self._dimensions()
        return Optimizer(
            dimensions,
            base_estimator=self._masked(dimensions, seed) if self.several else "GP",
            n_initial_points=settings.initial,
            acq_func=settings.acquisition,
            acq_optimizer_kwargs={"n_points": settings.candidates},
            random_state=seed,
            model_queue_size=1,
        )

    def points(self, row: Any) -> Points:
        family = int(row[0]) if self.several else 0
        values = np.full((1, self.space.width), np.nan)
        for column, axis in self.space.places(family):
            values[0, column] = axis.from_unit(np.array([0.5]))[0]
        for j, (column, axis) in enumerate(self.encoding.places):
            if self.encoding.active[family, j]:
                values[0, column] = _clipped(axis, float(row[j + self.several]))
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

    def _dimensions(self) -> list[Any]:
        from skopt.space import Categorical

        families = [Categorical(range(len(self.space.families)))] if self.several else []
        axes = [_dimension(axis) for _, axis in self.encoding.places]
        return families + axes or [(0.0, 1.0)]  # skopt knows no space of one point

    def _masked(self, dimensions: list[Any], seed: int) -> Any:
        """scikit-optimize's default model, blind to the axes that a row's family lacks."""
        from skopt.space import Space as SkoptSpace
        from skopt.utils import cook_estimator, normalize_dimensions

        from hpo_lab.optimizers._gp_model import MaskedRegressor

        warped = SkoptSpace(normalize_dimensions(dimensions))
        centre = [[0, *[_native(axis, None) for _, axis in self.encoding.places]]]
        sizes = [dimension.transformed_size for dimension in warped.dimensions]
        own = np.ones((len(self.space.families), 1), dtype=bool)
        lacks = ~np.repeat(np.hstack([own, self.encoding.active]), sizes, axis=1)
        return MaskedRegressor(
            lacks,
            np.asarray(warped.transform(centre), dtype=float)[0],
            kernel=cook_estimator("GP", space=dimensions).kernel,
            random_state=seed,
        )


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


def _clipped(axis: Axis, value: float) -> float:
    """Undo the last digit by which skopt's scaling may leave the axis."""
    if isinstance(axis, Choice):
        return value
    return min(max(value, float(axis.low)), float(axis.high))


def _successes(values: Floats) -> Floats:
    """The values (n,) with failures as the worst success, within a range that can be squared."""
    finite = np.isfinite(values)
    clipped = np.clip(values, -_LARGEST, _LARGEST)
    return np.where(finite, clipped, clipped[finite].max())


def _standardized(values: Floats) -> Floats:
    """Values (n,) of mean 0 and deviation 1, in the same order, their far tails drawn in."""
    largest = np.abs(values).max()
    values = values / largest if largest > 0 else values  # tiny numbers must not underflow
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    scaled = (values - middle) / ((high - low) / 1.349 or np.std(values) or 1.0)
    tails = np.maximum(np.abs(scaled) - _TAIL, 0.0)
    drawn = np.sign(scaled) * (np.minimum(np.abs(scaled), _TAIL) + np.log1p(tails))
    centred = drawn - drawn.mean()
    return np.asarray(centred / (np.std(centred) or 1.0))


@contextmanager
def _calm() -> Iterator[None]:
    """One thread, and none of scikit-optimize's remarks on points that it repeats."""
    with _libraries().limit(limits=1), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The objective has been evaluated at point")
        yield


@lru_cache(maxsize=1)
def _libraries() -> Any:
    """The loaded libraries that have threads, scikit-optimize's among them."""
    import skopt  # noqa: F401  (loads them)
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
