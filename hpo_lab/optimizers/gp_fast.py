"""Bayesian optimization with a Gaussian process, written for many short runs.

Source: D. R. Jones, M. Schonlau and W. J. Welch (1998), "Efficient global optimization of expensive
black-box functions", Journal of Global Optimization 13; J. Snoek, H. Larochelle and R. P. Adams
(2012), "Practical Bayesian optimization of machine learning algorithms", NeurIPS 25.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import numpy as np

from hpo_lab.errors import InputError
from hpo_lab.optimizer import Search, Strategy
from hpo_lab.optimizers._encoding import Encoding
from hpo_lab.optimizers._libraries import one_thread
from hpo_lab.optimizers._values import standardized, successes
from hpo_lab.space import Floats, Points, Space

Rule = Literal["logEI", "EI", "LCB"]

_EVALUATIONS = 60  # of the likelihood from each start, at most
_SUBSET = 400  # rows that hyperparameters are fitted to, at most


@dataclass(frozen=True)
class GPFast(Strategy):
    """Bayesian optimization: a Gaussian process and expected improvement, at some 10 ms a point.

    *What it assumes.* Nearby points have similar values, axis by axis at a distance of its own:
    Matérn 5/2 with one length scale each for the family, for every real axis, integer axis and
    ordered choice (in unit scale), and for every set of unordered choices with the same options
    (two options that differ are at squared distance 2). What families have in common is learned
    together: equal axes share a coordinate, and where a family lacks an axis its coordinate is
    constant. Noise is of one size everywhere.

    *The model.* Length scales and noise are those of the highest posterior under log-normal
    priors, by L-BFGS with analytic gradients from the last ones and from ``restarts`` more (the
    priors' middle, then draws). They are fitted again once the observations have grown by the
    share ``refit``, to at most 400 of these; in between, the Cholesky factor grows by rows. Mean
    and variance follow in closed form. Values are standardized by median and interquartile range,
    drawn in logarithmically beyond 3 standard deviations and, with ``warp``, drawn to the normal
    by a power (Yeo and Johnson).

    *Where it looks.* The first ``initial`` points are a Latin hypercube. Then each point has the
    highest ``acquisition`` that is found: expected improvement (on the lowest mean at a point asked
    for), its logarithm (the same order, but it can be climbed where the improvement underflows),
    or the lower confidence bound ``kappa`` deviations below the mean. Of ``candidates`` draws a
    share ``local`` goes only a part of the way (log-uniform from 1/1000) from the incumbent to a
    draw in its family, unordered choices with probability 1 / (1 + axes); the others are drawn
    from the reference measure. The best ``starts`` climb together along their real axes, ``steps``
    evaluations at most; then the best of all moves along one coordinate at a time while that
    helps, three times at most. A space with no more points than ``candidates`` is listed instead.
    A point is repeated only when no new one is found.

    *Where it never looks.* Where the acquisition is low at every draw: with few observations that
    is near points that disappointed, with many it is everywhere but near the incumbent. Where there
    is nothing to learn it keeps to the bounds, of which the model knows least.

    Batches of ``batch`` points are made one by one, each told to the model at the best value so
    far until the truth comes (D. Ginsbourger, R. Le Riche and L. Carraro (2010), "Kriging is
    well-suited to parallelize optimization": the constant liar). A value that is nan or infinite is
    a failed trial and is told as the worst success so far; until there is a success, points are
    drawn at random. Linear algebra runs on one thread, so that results do not depend on their
    number.

    Raises InputError for a setting outside its range.

    >>> from hpo_lab.space import Real
    >>> space = Space.box(Real("x", -1, 1))
    >>> search = GPFast(initial=4).start(space, budget=9, rng=np.random.default_rng(0))
    >>> lowest = 1.0
    >>> while len(asked := search.ask()):
    ...     values = asked.values[:, 0] ** 2
    ...     search.tell(asked, values)
    ...     lowest = min(lowest, values.min())
    >>> bool(lowest < 1e-4)
    True
    """

    name: ClassVar[str] = "gp_fast"
    version: ClassVar[int] = 1
    deterministic: ClassVar[bool] = False
    anytime: ClassVar[bool] = True
    libraries: ClassVar[tuple[str, ...]] = ("scipy", "numba")

    initial: int = 10
    acquisition: Rule = "logEI"
    kappa: float = 1.96
    candidates: int = 500
    local: float = 0.5
    starts: int = 6
    steps: int = 40
    warp: bool = True
    refit: float = 0.05
    restarts: int = 1
    batch: int = 1

    def __post_init__(self) -> None:
        if self.acquisition not in get_args(Rule):
            known = ", ".join(get_args(Rule))
            raise InputError(f"acquisition must be one of {known}, not {self.acquisition!r}")
        for name in ("initial", "candidates", "starts", "batch"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, not {getattr(self, name)}")
        for name in ("steps", "restarts"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} must be at least 0, not {getattr(self, name)}")
        for name in ("kappa", "refit"):
            if not 0 <= getattr(self, name) < np.inf:
                raise InputError(f"{name} must be at least 0, not {getattr(self, name)}")
        if not 0 <= self.local <= 1:
            raise InputError(f"local is a share in [0, 1], not {self.local}")

    def start(self, space: Space, budget: int, rng: np.random.Generator) -> Search:
        """Return a search with a model of its own; imports scipy and numba."""
        return _Search(self, space, budget, rng)


class _Search:
    """What was told waits until the next ask, so that the last model is never fitted in vain."""

    def __init__(
        self, settings: GPFast, space: Space, budget: int, rng: np.random.Generator
    ) -> None:
        from hpo_lab.optimizers import _gp_fast_proposals as proposals
        from hpo_lab.optimizers._gp_fast_acquisition import Acquisition
        from hpo_lab.optimizers._gp_fast_model import Columns, Model

        self.settings, self.space, self.left, self.rng = settings, space, budget, rng
        self.encoding = Encoding(space)
        self.visited = proposals.Visited(space, settings.candidates, rng)
        scope = proposals.Scope(
            settings.candidates, settings.local, settings.starts, settings.steps
        )
        self.proposer = proposals.Proposer(self.encoding, scope, self.visited)
        self.acquisition = Acquisition(settings.acquisition, settings.kappa)
        self.model = Model(Columns(self.encoding))
        self.table = np.empty((0, self.encoding.width))
        self.values = np.empty(0)
        self.fitted = 0  # rows that the hyperparameters know

    def ask(self) -> Points:
        size = min(self.settings.batch if len(self.table) else self.settings.initial, self.left)
        self.left -= size
        if size == 0:
            return self.space.sample(0, self.rng)
        if len(self.table) == 0:
            return self.visited.design(self.settings.initial)[:size]
        if not np.isfinite(self.values).any():
            return self.visited.draw(size)
        with one_thread("scipy.linalg"):
            return self._proposed(size)

    def tell(self, points: Points, values: Floats) -> None:
        self.table = np.concatenate([self.table, self.encoding.encode(points)])
        self.values = np.append(self.values, values)

    def _proposed(self, size: int) -> Points:
        """The next batch: each point is told to the model at the best value so far (a lie)."""
        from hpo_lab.optimizers._gp_fast_values import warped

        table, values = self.table, standardized(successes(self.values))
        values = warped(values) if self.settings.warp else values
        if len(table) >= (1.0 + self.settings.refit) * self.fitted:
            self._fit(table, values)
        rows, batch = self.model.columns.of(table), []
        while True:
            self.model.condition(rows, values)
            anchor = int(np.argmin(self.model.fitted))
            target = float(self.model.fitted[anchor])
            batch.append(self.proposer.best(self.model, self.acquisition, target, table[anchor]))
            if len(batch) == size:
                break
            table = np.concatenate([table, self.encoding.encode(batch[-1])])
            rows, values = self.model.columns.of(table), np.append(values, values.min())
        self.model.forget(len(self.table))
        return Points.concatenate(batch)

    def _fit(self, table: Floats, values: Floats) -> None:
        model, known = self.model, len(table)
        kept = np.arange(known)
        if known > _SUBSET:  # the best quarter, and the rest evenly spread over the run
            best = np.argsort(values, kind="stable")[: _SUBSET // 4]
            rest = np.setdiff1d(kept, best)
            even = np.linspace(0, len(rest) - 1, _SUBSET - len(best)).astype(np.int64)
            kept = np.sort(np.append(best, rest[even]))
        restarts = self.settings.restarts if self.fitted else max(self.settings.restarts, 1)
        drawn = self.rng.normal(size=(max(restarts - 1, 0), len(model.theta)))
        fresh = [model.middle, *(model.middle + model.deviations * drawn)][:restarts]
        starts = [model.theta, *fresh] if self.fitted else fresh
        rows = model.columns.of(table[kept])
        model.fit(rows, values[kept], np.array(starts), _EVALUATIONS)
        self.fitted = known
