"""Which axes a landscape's variance comes from: Sobol' indices and effective dimension.

    first_i = Var(E[f | x_i]) / Var f,   total_i = E[Var(f | all but x_i)] / Var f

within one family, under its reference measure. Source: Sobol' 1993; Homma & Saltelli 1996. Exact
from a complete table; exact up to quadrature where f is a sum over the axes; otherwise estimated.
pflacco 1.2.2 has one feature of the kind, ``sobol_indices.degree_of_variable_interaction``, but it
analyses an ordinary sample as if it had Saltelli's design, so there is nothing in it to equal.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hpo_lab.region import masses
from hpo_lab.space import Axis, Floats, Ints, Points, Space, levels

EXCHANGES = 256  # random exchanges of coordinates between two points that a sum must survive
NODES = 4096  # of the quadrature along a real axis
SUM = 1e-9  # how far an exchange may move a sum, relative to the largest value


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """First-order and total indices (d,) of a family's axes, and how they were found."""

    axes: tuple[str, ...]
    first: Floats
    total: Floats
    how: str

    @property
    def mean_dimension(self) -> float:
        """Σ total_i: 1 where f is a sum over the axes (Owen 2003; Liu & Owen 2006)."""
        return float(self.total.sum())

    def effective_dimension(self, share: float = 0.95) -> int:
        """Return how many axes, the most important first, account for that share of the variance.

        The truncation sense of Caflisch, Morokoff & Owen 1997 with axes in order of importance,
        bounded from above: what a set of axes leaves out is at most the sum of the totals outside.
        """
        left = np.cumsum(np.sort(self.total))  # left out by keeping all but the k + 1 least
        return len(self.total) - int((left <= 1.0 - share + 1e-12).sum())


def sensitivity_of_table(axes: Sequence[Axis], table: Floats) -> Sensitivity | None:
    """Return the exact indices of a complete table (k1, …, kd); None where it varies nowhere.

    None, too, where a point has no value.

    >>> from hpo_lab.space import Integer
    >>> axes = (Integer("a", 0, 1), Integer("b", 0, 1))
    >>> found = sensitivity_of_table(axes, np.array([[0.0, 1.0], [2.0, 3.0]]))
    >>> found.first.tolist(), found.mean_dimension
    ([0.8, 0.2], 1.0)
    """
    weights = [masses(Space.box(axis).enumerate()) for axis in axes]
    centred = table - _mean(table, weights)
    variance = _mean(centred**2, weights)
    if not _varies(variance, table):
        return None
    first, total = np.empty(len(axes)), np.empty(len(axes))
    for i, weight in enumerate(weights):
        others = weights[:i] + weights[i + 1 :]
        along = np.moveaxis(centred, i, -1)
        mean = along @ weight
        total[i] = _mean((along - mean[..., None]) ** 2 @ weight, others)
        first[i] = ((_alone(along, others)) ** 2) @ weight
    names = tuple(axis.name for axis in axes)
    return Sensitivity(
        names, first / variance, total / variance, f"exact, all {table.size:,} points"
    )


def _mean(table: Floats, weights: Sequence[Floats]) -> float:
    for weight in reversed(weights):
        table = table @ weight
    return float(table)


def _alone(along: Floats, others: Sequence[Floats]) -> Floats:
    """The mean over all axes but the last."""
    for weight in others:
        along = np.tensordot(weight, along, axes=1)
    return along


def _varies(variance: float, values: Floats) -> bool:
    """Whether a variance is more than rounding; False where it is nan."""
    return bool(variance > (1e-14 * max(1.0, float(np.abs(values).max()))) ** 2)


Evaluate = Callable[[Points], Floats]


def sensitivity_of_family(
    evaluate: Evaluate, space: Space, family: int, sample: int, rng: np.random.Generator
) -> Sensitivity | None:
    """Return the indices of one family of a space, from evaluations of its points.

    Where ``EXCHANGES`` random exchanges of coordinates between two points never change the sum of
    their values, f is taken for a sum over the axes and each index found by quadrature. Otherwise
    they are estimated after Saltelli et al. 2010 (first) and Jansen 1999 (total) from
    ``sample`` · (d + 2) points, ``sample`` a power of two. None where f varies nowhere, or a point
    has no value.

    >>> from hpo_lab.space import Real
    >>> space = Space.box(Real("x", 0.0, 1.0), Real("y", 0.0, 1.0))
    >>> found = sensitivity_of_family(
    ...     lambda p: p.values @ [1.0, 3.0], space, 0, 64, np.random.default_rng(0)
    ... )
    >>> found.how, found.first.round(6).tolist()
    ('a sum over the axes, by quadrature', [0.1, 0.9])
    """
    columns = [column for column, axis in space.places(family) if axis.size > 1]
    if not columns:
        return None
    ask = _Ask(evaluate, space, family, tuple(columns))
    summed = _by_quadrature(ask, rng) if _is_sum(ask, rng) else None
    return summed or _estimated(ask, sample, rng)


@dataclass(frozen=True, eq=False)
class _Ask:
    """Values of a family at unit coordinates (n, d) of the axes that vary."""

    evaluate: Evaluate
    space: Space
    family: int
    columns: tuple[int, ...]

    @property
    def axes(self) -> tuple[Axis, ...]:
        by_column = dict(self.space.places(self.family))
        return tuple(by_column[column] for column in self.columns)

    def __call__(self, unit: Floats) -> Floats:
        everywhere = np.full((len(unit), self.space.width), 0.5)
        everywhere[:, self.columns] = unit
        family: Ints = np.full(len(unit), self.family, dtype=np.int64)
        return self.evaluate(self.space.from_unit(family, everywhere))


def _is_sum(ask: _Ask, rng: np.random.Generator) -> bool:
    d = len(ask.columns)
    a, b = rng.random((2, EXCHANGES, d))
    swap = rng.random((EXCHANGES, d)) < 0.5
    before = ask(a) + ask(b)
    after = ask(np.where(swap, b, a)) + ask(np.where(swap, a, b))
    size = float(np.abs(before).max())
    return bool(np.isfinite(before).all() and (np.abs(after - before) <= SUM * size).all())


def _by_quadrature(ask: _Ask, rng: np.random.Generator) -> Sensitivity | None:
    """The variance along each axis from one point: enough where f is a sum."""
    base = rng.random(len(ask.columns))
    variances = np.empty(len(base))
    largest = 0.0
    for i, axis in enumerate(ask.axes):
        if axis.size < NODES:
            weight = masses(Space.box(axis).enumerate())
            place = axis.to_unit(levels(axis))
        else:
            weight, place = np.full(NODES, 1.0 / NODES), (np.arange(NODES) + 0.5) / NODES
        unit = np.tile(base, (len(place), 1))
        unit[:, i] = place
        values = ask(unit)
        variances[i] = weight @ (values - weight @ values) ** 2
        largest = max(largest, float(np.abs(values).max()))
    if not _varies(float(variances.sum()), np.array([largest])):
        return None
    shares = variances / variances.sum()
    names = tuple(axis.name for axis in ask.axes)
    return Sensitivity(names, shares, shares, "a sum over the axes, by quadrature")


def _estimated(ask: _Ask, sample: int, rng: np.random.Generator) -> Sensitivity | None:
    from scipy.stats import sobol_indices
    from scipy.stats.qmc import Sobol

    d = len(ask.columns)
    both = Sobol(2 * d, seed=rng).random(sample)
    a, b = both[:, :d], both[:, d:]
    mixed = np.tile(a, (d, 1, 1))
    mixed[np.arange(d), :, np.arange(d)] = b.T
    f_a, f_b, f_ab = ask(a), ask(b), ask(mixed.reshape(-1, d)).reshape(d, sample)
    every = np.concatenate([f_a, f_b, f_ab.ravel()])
    if not _varies(float(np.concatenate([f_a, f_b]).var()), every):
        return None
    given: Any = {"f_A": f_a[None], "f_B": f_b[None], "f_AB": f_ab[:, None]}
    found = sobol_indices(func=given, n=sample)
    names = tuple(axis.name for axis in ask.axes)
    how = f"estimated from {len(every):,} points"
    first = np.ravel(np.asarray(found.first_order, dtype=float))
    total = np.ravel(np.asarray(found.total_order, dtype=float))
    return Sensitivity(names, first, total, how) if math.isfinite(float(total.sum())) else None
