"""The models behind ``gp``: imported only when a search starts, as it imports scikit-optimize."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.linalg import cho_solve
from scipy.spatial.distance import cdist
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.gaussian_process import GaussianProcessRegressor as Exact
from sklearn.gaussian_process.kernels import Kernel
from skopt.learning import GaussianProcessRegressor

from hpo_lab.space import Bools, Floats

AMPLITUDE_BOUNDS = (0.01, 1000.0)
LENGTH_BOUNDS = (0.01, 100.0)
NOISE_BOUNDS = (1e-6, 10.0)
ENOUGH = 5  # observations of a family from which on its hyperparameters are fitted
LENGTH = 0.5  # of a family's axes until then


class GroupedMatern(Kernel):  # type: ignore[misc]  # scikit-learn comes without types
    """A Matérn kernel plus noise, with one length scale a group of columns.

    The squared distance in a group is the sum of squared differences over its columns; two names
    that differ are at squared distance 2, as in a one-hot code. ``form`` is the smoothness 1/2,
    3/2, 5/2 or infinity ("rbf"). Source: C. E. Rasmussen and C. K. I. Williams (2006), "Gaussian
    Processes for Machine Learning", eqs. 4.9 and 4.14 to 4.17.
    """

    def __init__(
        self,
        nominal: tuple[bool, ...],
        groups: tuple[int, ...],
        amplitude: float,
        lengths: tuple[float, ...],
        noise: float,
        form: str = "matern52",
    ) -> None:
        self.nominal, self.groups = nominal, groups
        self.amplitude, self.lengths, self.noise = amplitude, lengths, noise
        self.form = form

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
            return self.amplitude * FORMS[self.form](self._squared(X, Y))[0]
        parts = self._parts(X)
        squared = np.tensordot(1 / np.square(self.lengths), parts, axes=1)
        correlation, slope = FORMS[self.form](squared)
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

    def gradient_x(self, x: Floats, Y: Floats) -> Floats:
        """The derivatives (m, width) of k(x, Y) by the columns of x; zero where they hold names."""
        lengths, nominal = np.array([*self.lengths, np.inf])[list(self.groups)], self.nominal
        slope = self.amplitude * FORMS[self.form](self._squared(x[None], Y))[1][0]
        return np.where(nominal, 0.0, -slope[:, None] * (x - Y) / lengths**2)

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


def _matern52(squared: Floats) -> tuple[Floats, Floats]:
    """The correlation at a squared distance r², and -2 times its derivative by r²."""
    root = np.sqrt(5.0 * squared)
    decay = np.exp(-root)
    return (1.0 + root + root**2 / 3.0) * decay, 5.0 / 3.0 * (1.0 + root) * decay


def _matern32(squared: Floats) -> tuple[Floats, Floats]:
    root = np.sqrt(3.0 * squared)
    decay = np.exp(-root)
    return (1.0 + root) * decay, 3.0 * decay


def _matern12(squared: Floats) -> tuple[Floats, Floats]:
    root = np.sqrt(squared)
    decay = np.exp(-root)
    slope = np.zeros_like(root)  # infinite at 0, where it is only ever multiplied by 0
    return decay, np.divide(decay, root, out=slope, where=root > 0.0)


def _rbf(squared: Floats) -> tuple[Floats, Floats]:
    correlation = np.exp(-0.5 * squared)
    return correlation, correlation


FORMS: dict[str, Callable[[Floats], tuple[Floats, Floats]]] = {
    "matern52": _matern52,
    "matern32": _matern32,
    "matern12": _matern12,
    "rbf": _rbf,
}


class ClimbableRegressor(Exact):  # type: ignore[misc]  # likewise
    """scikit-learn's regressor with the gradients that scikit-optimize climbs.

    They vanish but in the columns (F, width) that a row's family (column 0) is ``climbable`` along.
    """

    def __init__(self, kernel: Any = None, climbable: Bools | None = None) -> None:
        self.climbable = climbable
        super().__init__(kernel=kernel, copy_X_train=False)

    def predict(self, X: Floats, return_std: bool = False, **gradients: bool) -> Any:
        """Mean (n,) and deviation (n,); for a single row also their gradients (width,) each."""
        answer = super().predict(X, return_std=return_std)
        if not gradients.get("return_mean_grad") or self.climbable is None:
            return answer
        mean, deviation = answer
        slopes = self.kernel_.gradient_x(X[0], self.X_train_) * self.climbable[int(X[0, 0])]
        weights = cho_solve((self.L_, True), self.kernel_(X, self.X_train_)[0])
        by_deviation = -(slopes.T @ weights) / max(deviation[0], 1e-12)
        return mean, deviation, slopes.T @ self.alpha_, by_deviation


class SeparateRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # likewise
    """One Gaussian process a family (column 0), each on its own columns.

    Values are expected to be standardized over all families. A family's prior mean is the mean of
    its n values and one more value of 0, so a family without observations is what all of them
    are: 0 ± 1. The hyperparameters of a family with fewer than ``ENOUGH`` observations are not
    fitted: amplitude 1, length scales ``LENGTH``, noise 0.01.
    """

    def __init__(
        self,
        nominal: tuple[bool, ...],
        groups: tuple[tuple[int, ...], ...],
        form: str,
        climbable: Bools,
    ) -> None:
        self.nominal, self.groups, self.form, self.climbable = nominal, groups, form, climbable

    def fit(self, X: Floats, y: Floats) -> SeparateRegressor:
        """Fit each family to its own rows."""
        X, y = np.asarray(X), np.asarray(y)
        self.means_ = np.zeros(len(self.groups))
        self.models_: list[ClimbableRegressor | None] = [None] * len(self.groups)
        families = X[:, 0].astype(np.int64)
        for family in np.unique(families).tolist():
            rows = families == family
            self.means_[family] = y[rows].sum() / (rows.sum() + 1)
            model = ClimbableRegressor(self._kernel(family), self.climbable)
            if rows.sum() < ENOUGH:
                model.optimizer = None
            self.models_[family] = model.fit(X[rows], y[rows] - self.means_[family])
        return self

    def predict(self, X: Floats, return_std: bool = False, **gradients: bool) -> Any:
        """Predict each row by its family's model."""
        X = np.asarray(X)
        if gradients.get("return_mean_grad"):
            return self._climbed(X)
        mean, deviation = np.zeros(len(X)), np.ones(len(X))
        families = X[:, 0].astype(np.int64)
        for family in np.unique(families).tolist():
            model, rows = self.models_[family], families == family
            if model is not None:
                mean[rows], deviation[rows] = model.predict(X[rows], return_std=True)
                mean[rows] += self.means_[family]
        return (mean, deviation) if return_std else mean

    def _climbed(self, X: Floats) -> Any:
        family = int(X[0, 0])
        model = self.models_[family]
        if model is None:  # flat: nothing is known
            return np.zeros(1), np.ones(1), np.zeros(X.shape[1]), np.zeros(X.shape[1])
        mean, *others = model.predict(X, return_std=True, return_mean_grad=True)
        return (mean + self.means_[family], *others)

    def _kernel(self, family: int) -> GroupedMatern:
        groups = self.groups[family]
        lengths = (LENGTH,) * (1 + max(groups))
        return GroupedMatern(self.nominal, groups, 1.0, lengths, 0.01, self.form)


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
        super().fit(np.where(missing(X, self.lacks), self.centre, X), y)
        return self

    def predict(self, X: Floats, **wanted: bool) -> Any:
        """Predict likewise; gradients (last in the answer) vanish in inactive columns."""
        X = np.asarray(X)
        lacking = missing(X, self.lacks)
        answer = super().predict(np.where(lacking, self.centre, X), **wanted)
        if not wanted.get("return_mean_grad"):
            return answer
        first = 2 if wanted.get("return_std") else 1
        gradients = [np.where(lacking[0], 0.0, gradient) for gradient in answer[first:]]
        return (*answer[:first], *gradients)


def missing(X: Floats, lacks: Bools) -> Bools:
    """Return which columns (n, width) each row's family lacks, of ``lacks`` (F, width).

    The first F columns of X are the one-hot code of the family, one column if there are two.
    """
    families = len(lacks)
    if families == 2:
        family = (np.asarray(X)[:, 0] > 0.5).astype(np.int64)
    else:
        family = np.argmax(np.asarray(X)[:, :families], axis=1)
    return np.asarray(lacks[family])
