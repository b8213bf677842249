"""BoTorch: a Gaussian process and the logarithm of expected improvement, as in its tutorials.

Source: M. Balandat et al. (2020), "BoTorch: a framework for efficient Monte-Carlo Bayesian
optimization", NeurIPS 33; S. Ament et al. (2023), "Unexpected improvements to expected improvement
for Bayesian optimization", NeurIPS 36; priors that grow with the dimension: C. Hvarfner, E. O.
Hellsten and L. Nardi (2024), "Vanilla Bayesian optimization performs great in high dimensions",
ICML; by the package botorch.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np

from hpo_lab.errors import InputError
from hpo_lab.optimizer import Search, Strategy
from hpo_lab.optimizers._encoding import CENTRE, NO_OPTION, Encoding
from hpo_lab.optimizers._libraries import Guest, library
from hpo_lab.optimizers._quasi import spread, width
from hpo_lab.optimizers._values import successes
from hpo_lab.space import Axis, Floats, Points, Real, Space, levels

# The thresholds of botorch.optim.optimize_mixed (its MAX_DISCRETE_VALUES, MAX_CHOICES_ENUMERATE and
# ALTERNATING_OPTIMIZER_THRESHOLD): how it optimizes over discrete axes.
_RELAXED = 20
_LISTED = 10_000
_ENUMERATED = 10

_LAST = 1e9  # taken from the acquisition of a family in which nothing is new


@dataclass(frozen=True)
class BoTorch(Strategy):
    """Bayesian optimization by BoTorch: SingleTaskGP and LogExpectedImprovement, its defaults.

    *What it assumes.* Nearby points have similar values, axis by axis at a distance of its own: a
    squared-exponential kernel with dimension-scaled priors in unit scale; with unordered choices
    MixedSingleTaskGP, whose kernel multiplies and adds that of the numbers and one on which
    choices are equal. Noise is of one size everywhere.

    *Where it looks.* The first ``initial`` points are a scrambled Sobol' sequence. Then each point
    has the highest expected improvement that is found: from ``raw_samples`` quasi-random points the
    ``restarts`` best (Boltzmann) are climbed along the real axes. Discrete axes are handled as the
    library (and Ax on top of it) does: all points are listed up to 10,000, beyond that a local
    search; next to real axes at most 10 combinations are taken one by one (optimize_acqf_mixed),
    more in alternation (optimize_acqf_mixed_alternating). Integers and ordered choices with more
    than 20 values are relaxed and rounded. Where every axis is discrete, points that were asked for
    are left out while there are others.

    *Where it never looks.* Where the improvement is low at every start.

    BoTorch has no conditional spaces: as a user of it would do, the family is one more unordered
    choice, the acquisition is optimized in each family with the axes that it lacks fixed (the
    middle, or no option), and the best of these is asked for.

    A value that is nan or infinite is told as the worst success so far; until there is a success,
    points go on along the sequence. Double precision, one thread; the seed is the search's own.

    Raises InputError for a setting outside its range and where the package is missing.

    >>> BoTorch()
    BoTorch(initial=10, restarts=10, raw_samples=512)
    """

    name: ClassVar[str] = "botorch"
    version: ClassVar[int] = 1
    deterministic: ClassVar[bool] = False
    anytime: ClassVar[bool] = True
    libraries: ClassVar[tuple[str, ...]] = ("botorch", "gpytorch", "torch", "scipy")

    initial: int = 10
    restarts: int = 10
    raw_samples: int = 512

    def __post_init__(self) -> None:
        for name in ("initial", "restarts", "raw_samples"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.raw_samples < self.restarts:
            raise InputError("raw_samples must be at least restarts: starts are chosen from them")

    def start(self, space: Space, budget: int, rng: np.random.Generator) -> Search:
        """Return a search with a model of its own; imports torch."""
        return _Search(self, space, budget, rng)


class _Search:
    def __init__(
        self, settings: BoTorch, space: Space, budget: int, rng: np.random.Generator
    ) -> None:
        self.botorch = _botorch(settings.name)
        from scipy.stats.qmc import Sobol

        self.settings, self.space, self.left = settings, space, budget
        self.encoding = Encoding(space)
        self.sobol = Sobol(width(space), rng=np.random.default_rng(rng.integers(2**63)))
        self.guest = Guest(rng)
        self.torch_state = self._seeded(int(rng.integers(2**31)))
        self.table = np.empty((0, self.encoding.width))
        self.values = np.empty(0)

    def ask(self) -> Points:
        size = min(max(self.settings.initial - len(self.table), 1), self.left)
        self.left -= size
        if len(self.table) < self.settings.initial or not np.isfinite(self.values).any():
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="The balance properties of Sobol")
                return spread(self.space, self.sobol, size)
        if size == 0 or (self.encoding.width == 1 and len(self.space.families) == 1):
            return self.space.sample(size, np.random.default_rng(0))
        with self._at_work():
            return self.encoding.decode(self._proposed())

    def tell(self, points: Points, values: Floats) -> None:
        self.table = np.concatenate([self.table, self.encoding.encode(points)])
        self.values = np.append(self.values, values)

    def _proposed(self) -> Floats:
        """The row (1, width) with the highest acquisition over the families."""
        own = np.array(self.columns)
        acquisition, rows, scores = self._acquisition(), [], []
        for family in range(len(self.space.families)):
            found, score = _Part(self, family).best(acquisition)
            rows.append(found.detach().numpy())
            scores.append(float(score))
        best = np.full((1, self.encoding.width), 0.0)
        best[:, own] = rows[int(np.argmax(scores))]
        return best

    @property
    def columns(self) -> list[int]:
        """The columns of the table that the model sees: the family only where there are several."""
        return list(range(len(self.space.families) == 1, self.encoding.width))

    def _acquisition(self) -> Any:
        b = self.botorch
        values = successes(self.values)
        values = values / (np.abs(values).max() or 1.0)  # huge ones can then be standardized
        x = b.torch.tensor(self.table[:, self.columns], dtype=b.torch.float64)
        y = b.torch.tensor(-values[:, None], dtype=b.torch.float64)
        named = [k for k, column in enumerate(self.columns) if self.encoding.nominal[column]]
        model = b.MixedSingleTaskGP(x, y, cat_dims=named) if named else b.SingleTaskGP(x, y)
        b.fit(b.Likelihood(model.likelihood, model))
        return b.LogExpectedImprovement(model, best_f=y.max())

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        """One thread of torch, its generator ours, and none of the library's remarks."""
        torch = self.botorch.torch
        threads, state = torch.get_num_threads(), torch.get_rng_state()
        with self.guest.at_work(), warnings.catch_warnings():
            for category in self.botorch.remarks:
                warnings.simplefilter("ignore", category)
            warnings.filterwarnings("ignore", r"Optimization failed in ", RuntimeWarning)
            torch.set_num_threads(1)
            torch.set_rng_state(self.torch_state)
            try:
                yield
            finally:
                self.torch_state = torch.get_rng_state()
                torch.set_rng_state(state)
                torch.set_num_threads(threads)

    def _seeded(self, seed: int) -> Any:
        return self.botorch.torch.Generator().manual_seed(seed).get_state()


class _Part:
    """One family as the library's optimizers see it: columns that are fixed, discrete, real."""

    def __init__(self, search: _Search, family: int) -> None:
        self.search, self.botorch = search, search.botorch
        self.fixed: dict[int, float] = {}
        self.ordered: dict[int, list[float]] = {}
        self.named: dict[int, list[float]] = {}
        self.bounds: list[tuple[float, float]] = []
        encoding = search.encoding
        for k, column in enumerate(search.columns):
            self.bounds.append((0.0, 1.0))
            if column == 0:
                self.fixed[k] = float(family)
            elif not encoding.active[family, column - 1]:
                self.fixed[k] = NO_OPTION if encoding.nominal[column] else CENTRE
            else:
                self._add(k, encoding.places[column - 1][1], encoding.nominal[column])

    def _add(self, k: int, axis: Axis, nominal: bool) -> None:
        if nominal:
            self.named[k] = levels(axis).tolist()
        elif not isinstance(axis, Real) and axis.size <= _RELAXED:
            self.ordered[k] = axis.to_unit(levels(axis)).tolist()
        values = {**self.named, **self.ordered}.get(k, [0.0, 1.0])
        self.bounds[k] = (values[0], values[-1])

    def best(self, acquisition: Any) -> tuple[Any, float]:
        """Return the row (1, columns) with the highest acquisition that is found, and that."""
        combinations = math.prod(len(v) for v in (*self.ordered.values(), *self.named.values()))
        if len(self.fixed) + len(self.ordered) + len(self.named) == len(self.bounds):
            return self._best_discrete(acquisition, combinations)
        b, settings = self.botorch, self.search.settings
        how = {"q": 1, "num_restarts": settings.restarts, "raw_samples": settings.raw_samples}
        how["bounds"] = b.torch.tensor(self.bounds, dtype=b.torch.float64).T
        if combinations == 1:
            found = b.optimize_acqf(acquisition, fixed_features=self.fixed or None, **how)
        elif combinations <= _ENUMERATED:
            found = b.optimize_acqf_mixed(acquisition, fixed_features_list=self._all(), **how)
        else:
            found = b.optimize_acqf_mixed_alternating(
                acquisition,
                discrete_dims=self.ordered,
                cat_dims=self.named,
                fixed_features=self.fixed,
                **how,
            )
        return found[0], float(found[1])

    def _all(self) -> list[dict[int, float]]:
        """Every combination of the discrete columns, the fixed ones with it."""
        sets = {**self.ordered, **self.named}
        return [
            {**self.fixed, **dict(zip(sets, one, strict=True))} for one in product(*sets.values())
        ]

    def _best_discrete(self, acquisition: Any, combinations: int) -> tuple[Any, float]:
        b, settings, columns = self.botorch, self.search.settings, range(len(self.bounds))
        known = b.torch.tensor(self.search.table[:, self.search.columns], dtype=b.torch.float64)
        if combinations > _LISTED:
            sets = {**{k: [v] for k, v in self.fixed.items()}, **self.ordered, **self.named}
            found = b.optimize_acqf_discrete_local_search(
                acquisition,
                [b.torch.tensor(sets[k], dtype=b.torch.float64) for k in columns],
                q=1,
                num_restarts=settings.restarts,
                raw_samples=settings.raw_samples,
                X_avoid=known,
            )
            return found[0], float(found[1])
        rows = np.array([[one[k] for k in columns] for one in self._all()])
        choices = b.torch.tensor(rows, dtype=b.torch.float64)
        new = (choices[:, None] != known).any(-1).all(-1)
        listed = choices[new] if new.any() else choices
        found = b.optimize_acqf_discrete(acquisition, q=1, choices=listed)
        return found[0], float(found[1]) - (0.0 if new.any() else _LAST)


def _botorch(name: str) -> SimpleNamespace:
    """What we use of the library, under its own names; InputError where it is missing."""

    def part(module: str) -> Any:
        return library(name, module, "botorch")

    part("botorch")
    optim, errors = part("botorch.optim"), part("botorch.exceptions.warnings")
    return SimpleNamespace(
        torch=part("torch"),
        SingleTaskGP=part("botorch.models").SingleTaskGP,
        MixedSingleTaskGP=part("botorch.models").MixedSingleTaskGP,
        LogExpectedImprovement=part("botorch.acquisition").LogExpectedImprovement,
        Likelihood=part("gpytorch.mlls").ExactMarginalLogLikelihood,
        fit=part("botorch.fit").fit_gpytorch_mll,
        optimize_acqf=optim.optimize_acqf,
        optimize_acqf_mixed=optim.optimize_acqf_mixed,
        optimize_acqf_mixed_alternating=part(
            "botorch.optim.optimize_mixed"
        ).optimize_acqf_mixed_alternating,
        optimize_acqf_discrete=optim.optimize_acqf_discrete,
        optimize_acqf_discrete_local_search=optim.optimize_acqf_discrete_local_search,
        remarks=(errors.BotorchWarning, part("linear_operator.utils.warnings").NumericalWarning),
    )
