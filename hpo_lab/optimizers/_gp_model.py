"""The models behind ``gp``: imported only when a search starts, as it imports scikit-optimize."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.gaussian_process.kernels import Kernel
from skopt.learning import GaussianProcessRegressor

from hpo_lab.space import Bools, Floats

AMPLITUDE_BOUNDS = (0.01, 1000.0)
LENGTH_BOUNDS = (0.01, 100.0)
NOISE_BOUNDS = (1e-6, 10.0)


class GroupedMatern(Kernel):  # type: ignore[misc]  # scikit-learn comes without types
    """Matérn 5/2 plus noise, with one length scale a group of columns.

    The squared distance in a group is the sum of squared differences over its columns; two names
    that differ are at squared distance 2, as in a one-hot code. Source: C. E. Rasmussen and
    C. K. I. Williams (2006), "Gaussian Processes for Machine Learning", eq. 4.17.
    """

    def __init__(
        self,
        nominal: tuple[bool, ...],
        groups: tuple[int, ...],
        amplitude: float,
        lengths: tuple[float, ...],
        noise: float,
    ) -> None:
        self.nominal, self.groups = nominal, groups
        self.amplitude, self.lengths, self.noise = amplitude, lengths, noise

    @property
    def theta(self) -> Floats:
        """The logarithms of amplitude, length scales and noise."""
        return np.array([math.log(v) for v in (self.amplitude, *self.lengths, self.noise)])

    @theta.setter
    def theta(self, theta: Floats) -> None:
        amplitude, *lengths, noise = np.exp(theta).tolist()
        self.amplitude, self.lengths, self.noise = amplitude, tuple(lengths), noise

    @property
    def n_dims(self) -> int:
        """How many hyperparameters are fitted."""
        return len(self.lengths) + 2

    @property
    def bounds(self) -> Floats:
        """The bounds (n_dims, 2) of ``theta``."""
        limits = [AMPLITUDE_BOUNDS, *[LENGTH_BOUNDS] * len(self.lengths), NOISE_BOUNDS]
        return np.asarray(np.log(limits))

    def _check_bounds_params(self) -> None:
        pass  # a length scale at its bound is an axis without influence, not a failure

    def __call__(self, X: Floats, Y: Floats | None = None, eval_gradient: bool = False) -> Any:
        """The covariances (n, m); with ``eval_gradient`` also their derivatives (n, n, n_dims)."""
        if Y is not None:
            return self.amplitude * _matern(self._squared(X, Y))[0]
        parts = self._parts(X)
        correlation, slope = _matern(np.tensordot(1 / np.square(self.lengths), parts, axes=1))
        covariance = self.amplitude * correlation
        noise = self.noise * np.eye(len(X))
        if not eval_gradient:
            return covariance + noise
        by_length = self.amplitude * slope * parts / np.square(self.lengths)[:, None, None]
        gradient = np.concatenate([covariance[None], by_length, noise[None]])
        return covariance + noise, np.moveaxis(gradient, 0, -1)

    def diag(self, X: Floats) -> Floats:
        """The prior variances (n,) of the noiseless function."""
        return np.full(len(X), self.amplitude)

    def is_stationary(self) -> bool:
        """Return True: it depends on differences alone."""
        return True

    def _parts(self, X: Floats) -> Floats:
        """The squared distances (G, n, n) in each group; they outlive a change of theta."""
        known: tuple[Floats, Floats] | None = getattr(self, "_known", None)
        if known is None or known[0] is not X:
            known = self._known = (X, self._measured(X))
        return known[1]

    def _measured(self, X: Floats) -> Floats:
        parts = np.zeros((len(self.lengths), len(X), len(X)))
        for column, (name, group) in enumerate(zip(self.nominal, self.groups, strict=True)):
            if group >= 0:
                parts[group] += _column_distance(X[:, column], X[:, column], name)
        return parts

    def _squared(self, X: Floats, Y: Floats) -> Floats:
        """The scaled squared distances (n, m) over all groups."""
        groups, nominal = np.array(self.groups), np.array(self.nominal)
        scales = 1 / np.array([*self.lengths, np.inf])[groups]  # group -1 has no influence
        number = ~nominal & (groups >= 0)
        total = cdist(X[:, number] * scales[number], Y[:, number] * scales[number], "sqeuclidean")
        for column in np.flatnonzero(nominal & (groups >= 0)):
            total += scales[column] ** 2 * _column_distance(X[:, column], Y[:, column], True)
        return np.asarray(total)


def _column_distance(x: Floats, y: Floats, nominal: bool) -> Floats:
    if nominal:
        return np.asarray(2.0 * (x[:, None] != y))
    return np.asarray((x[:, None] - y) ** 2)


def _matern(squared: Floats) -> tuple[Floats, Floats]:
    """Matérn 5/2 of a squared distance r², and -2 times its derivative by r²."""
    root = np.sqrt(5.0 * squared)
    decay = np.exp(-root)
    return (1.0 + root + root**2 / 3.0) * decay, 5.0 / 3.0 * (1.0 + root) * decay


class MaskedRegressor(GaussianProcessRegressor):  # type: ignore[misc]  # likewise
    """scikit-optimize's regressor, blind to the columns that a row's family lacks.

    ``families`` columns at the front hold the one-hot code of the family (one column for two
    families); in a row of family f the columns with ``lacks[f]`` are replaced by ``centre``.
    """

    def __init__(
        self,
        lacks: Bools,
        centre: Floats,
        kernel: Any = None,
        random_state: Any = None,
    ) -> None:
        self.lacks, self.centre = lacks, centre
        super().__init__(
            kernel=kernel,
            random_state=random_state,
            normalize_y=True,
            noise="gaussian",
            n_restarts_optimizer=2,
        )

    def fit(self, X: Floats, y: Floats) -> MaskedRegressor:
        """Fit to the rows with their inactive columns at the centre."""
        super().fit(np.where(self._lacking(X), self.centre, X), y)
        return self

    def predict(self, X: Floats, **wanted: bool) -> Any:
        """Predict likewise; gradients (last in the answer) vanish in inactive columns."""
        X = np.asarray(X)
        lacking = self._lacking(X)
        answer = super().predict(np.where(lacking, self.centre, X), **wanted)
        if not wanted.get("return_mean_grad"):
            return answer
        first = 2 if wanted.get("return_std") else 1
        gradients = [np.where(lacking[0], 0.0, gradient) for gradient in answer[first:]]
        return (*answer[:first], *gradients)

    def _lacking(self, X: Floats) -> Bools:
        families = len(self.lacks)
        if families == 2:
            family = (np.asarray(X)[:, 0] > 0.5).astype(np.int64)
        else:
            family = np.argmax(np.asarray(X)[:, :families], axis=1)
        return np.asarray(self.lacks[family])
