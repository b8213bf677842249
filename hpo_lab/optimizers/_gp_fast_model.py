"""The Gaussian process behind ``gp_fast``: fitted with analytic gradients, extended row by row.

Source: C. E. Rasmussen and C. K. I. Williams (2006), "Gaussian Processes for Machine Learning",
algorithm 2.1 and section 5.4.1; the constant mean is theirs of section 2.7, with a flat prior. The
prior on length scales is that of C. Hvarfner, E. O. Hellsten and L. Nardi (2024), "Vanilla Bayesian
optimization performs great in high dimensions", ICML. Imported late, as it imports scipy and numba.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack
from scipy.optimize import minimize

from hpo_lab.optimizers import _gp_fast_kernels as kernels
from hpo_lab.optimizers._encoding import Encoding
from hpo_lab.space import Floats, Ints

LENGTH_BOUNDS = (0.01, 100.0)
NOISE_BOUNDS = (1e-6, 1.0)  # of the noise's variance, as a part of the function's
_LENGTH_SHIFT, _LENGTH_DEVIATION = math.sqrt(2.0), math.sqrt(3.0)  # Hvarfner et al., eq. 3
_NOISE_MIDDLE, _NOISE_DEVIATION = math.log(1e-4), 3.0  # of the logarithm's normal prior
_VARIANCE_COUNT = 2.0  # so many observations of variance 1 stand for the prior on the variance
_SMALLEST = 1e-12  # of a variance, as a part of the prior's


class Columns:
    """Which columns of a table the kernel sees, numbers first, and the length scale of each."""

    def __init__(self, encoding: Encoding) -> None:
        groups, nominal = np.array(encoding.groups), np.array(encoding.nominal)
        varying = np.flatnonzero(groups >= 0)
        self.order = varying[np.argsort(nominal[varying], kind="stable")]
        self.groups: Ints = groups[self.order]
        self.numbers = int(np.sum(~nominal[self.order]))
        self.count = int(groups.max()) + 1

    def of(self, table: Floats) -> Floats:
        """Return the rows (n, columns) that the kernel sees of a table (n, width)."""
        return np.ascontiguousarray(table[:, self.order])

    def weights(self, theta: Floats) -> Floats:
        """Return 1 / length² (columns,) of the logarithms of the length scales."""
        return np.asarray(np.exp(-2.0 * theta[: self.count])[self.groups])


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """What the model says of m rows: means (m,), deviations (m,), their gradients (m, numbers)."""

    mean: Floats
    deviation: Floats
    mean_gradient: Floats
    deviation_gradient: Floats


class Model:
    """Matérn 5/2 over groups of columns, a constant mean, and noise.

    ``theta`` (G + 1,) holds the logarithms of the length scales and of the noise's share. The
    constant and the variance follow from theta in closed form.
    """

    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        middle = _LENGTH_SHIFT + 0.5 * math.log(max(columns.count, 1))
        self.middle = np.array([middle] * columns.count + [_NOISE_MIDDLE])
        deviations = [_LENGTH_DEVIATION] * columns.count + [_NOISE_DEVIATION]
        self.deviations = np.array(deviations)
        self.bounds = np.log([LENGTH_BOUNDS] * columns.count + [NOISE_BOUNDS])
        self.theta = np.clip(self.middle, *self.bounds.T)
        self.rows = np.empty((0, len(columns.order)))
        self.factor = np.empty((0, 0), order="F")

    def fit(self, rows: Floats, values: Floats, starts: Floats, evaluations: int) -> None:
        """Set theta to the best maximum a posteriori found from the starts (k, G + 1)."""
        best = math.inf
        limits = self.bounds.tolist()
        for start in starts:
            found = minimize(
                self.loss,
                np.clip(start, *self.bounds.T),
                args=(rows, values),
                jac=True,
                method="L-BFGS-B",
                bounds=limits,
                options={"maxfun": evaluations, "ftol": 1e-5},
            )
            if found.fun < best:
                best, self.theta = float(found.fun), np.asarray(found.x)
        self.rows = self.rows[:0]  # what was factored holds no longer

    def loss(self, theta: Floats, rows: Floats, values: Floats) -> tuple[float, Floats]:
        """Return minus the log posterior of theta, up to a constant, and its gradient (G + 1,)."""
        n, columns = len(rows), self.columns
        weights, noise = columns.weights(theta), math.exp(theta[-1])
        correlation, slope = np.zeros((n, n)), np.zeros((n, n))  # only lower triangles are filled
        kernels.within(rows, weights, columns.numbers, correlation, slope)
        correlation[np.diag_indices(n)] += noise
        factor = _factored(correlation)
        alpha, _, variance = _explained(factor, values)
        count = n + _VARIANCE_COUNT
        logdet = 2.0 * float(np.log(np.diagonal(factor)).sum())
        inverse = lapack.dpotri(factor)[0].T  # its lower triangle
        # dL/dK of the likelihood with the variance at its best: eq. 5.9, the sign turned.
        pull = inverse - alpha[:, None] * (alpha / variance)
        sums = np.zeros(len(columns.order))
        kernels.contract(rows, columns.numbers, pull * slope, sums)
        by_length = np.bincount(columns.groups, weights * sums, minlength=columns.count)
        by_noise = 0.5 * noise * float(np.trace(pull))
        away = (theta - self.middle) / self.deviations
        value = 0.5 * (count * math.log(variance) + logdet + float(away @ away))
        return value, np.append(by_length, by_noise) + away / self.deviations

    def condition(self, rows: Floats, values: Floats) -> None:
        """Know the values (n,) of the rows (n, columns); rows known already come first in both."""
        if len(self.rows) == 0 or len(rows) - len(self.rows) > len(self.rows):
            self._factor_all(rows)
        else:
            for known in range(len(self.rows), len(rows)):
                self._extend(rows[: known + 1])
        self.rows = rows
        self.alpha, self.constant, self.variance = _explained(self.factor, values)
        self.fitted = values - math.exp(self.theta[-1]) * self.alpha

    def forget(self, kept: int) -> None:
        """Drop all rows but the first; ``condition`` must follow."""
        self.rows = self.rows[:kept]
        self.factor = np.asfortranarray(self.factor[:kept, :kept])

    def predict(self, rows: Floats) -> tuple[Floats, Floats]:
        """Return means and deviations (m,) of the noiseless function."""
        correlation, _ = self._cross(rows)
        half = lapack.dtrtrs(self.factor, correlation.T, trans=1)[0]
        left = 1.0 - np.einsum("ij,ij->j", half, half)
        mean = self.constant + correlation @ self.alpha
        return mean, np.sqrt(self.variance * np.maximum(left, _SMALLEST))

    def posterior(self, rows: Floats) -> Posterior:
        """Return means and deviations with their gradients by the numbers of each row."""
        correlation, slope = self._cross(rows)
        solved = lapack.dpotrs(self.factor, correlation.T)[0].T
        left = np.maximum(1.0 - np.einsum("ij,ij->i", correlation, solved), _SMALLEST)
        deviation = np.sqrt(self.variance * left)
        by_variance = self._pulled(rows, solved * slope) * (-2.0 * self.variance)
        return Posterior(
            self.constant + correlation @ self.alpha,
            deviation,
            self._pulled(rows, self.alpha * slope),
            by_variance / (2.0 * deviation[:, None]),
        )

    def _pulled(self, rows: Floats, given: Floats) -> Floats:
        """Σ_i given (m, n) times the derivative (m, numbers) of the correlation with row i."""
        k = self.columns.numbers
        weights = self.columns.weights(self.theta)[:k]
        towards = given @ self.rows[:, :k] - given.sum(axis=1)[:, None] * rows[:, :k]
        return np.asarray(weights * towards)

    def _cross(self, rows: Floats) -> tuple[Floats, Floats]:
        """The correlations (m, n) with what is known, and their slopes."""
        correlation = np.empty((len(rows), len(self.rows)))
        slope = np.empty_like(correlation)
        weights = self.columns.weights(self.theta)
        kernels.cross(rows, self.rows, weights, self.columns.numbers, correlation, slope)
        return correlation, slope

    def _factor_all(self, rows: Floats) -> None:
        correlation, slope = np.zeros((len(rows), len(rows))), np.zeros((len(rows), len(rows)))
        weights, numbers = self.columns.weights(self.theta), self.columns.numbers
        kernels.within(rows, weights, numbers, correlation, slope)
        correlation[np.diag_indices(len(rows))] += math.exp(self.theta[-1])
        self.factor = _factored(correlation)

    def _extend(self, rows: Floats) -> None:
        """One more column of the Cholesky factor."""
        n = len(rows) - 1
        self.rows = rows[:n]
        correlation, _ = self._cross(rows[n:])
        column = lapack.dtrtrs(self.factor, correlation.T, trans=1)[0][:, 0]
        noise = math.exp(self.theta[-1])
        grown = np.zeros((n + 1, n + 1), order="F")
        grown[:n, :n] = self.factor
        grown[:n, n] = column
        grown[n, n] = math.sqrt(max(1.0 + noise - float(column @ column), 0.5 * noise))
        self.factor = grown
        self.rows = rows


def _factored(correlation: Floats) -> Floats:
    """The upper Cholesky factor of a symmetric matrix given by its lower triangle."""
    # LAPACK reads a transpose without a copy, and finds the lower triangle as the upper. It cannot
    # fail: the least noise is far above rounding.
    return np.asarray(lapack.dpotrf(correlation.T, overwrite_a=1)[0])


def _explained(factor: Floats, values: Floats) -> tuple[Floats, float, float]:
    """alpha = K⁻¹ (y - constant), the constant by least squares, the variance by its posterior."""
    both = np.column_stack([values, np.ones(len(values))])
    solved = lapack.dpotrs(factor, both)[0]
    constant = float(solved[:, 0].sum() / solved[:, 1].sum())
    alpha = solved[:, 0] - constant * solved[:, 1]
    explained = float((values - constant) @ alpha)
    variance = (max(explained, 0.0) + _VARIANCE_COUNT) / (len(values) + _VARIANCE_COUNT)
    return alpha, constant, variance
