"""What a point promises, and its gradient: (log) expected improvement and the confidence bound.

Source: D. R. Jones, M. Schonlau and W. J. Welch (1998), "Efficient global optimization of expensive
black-box functions", Journal of Global Optimization 13, eq. 15; the logarithm without underflow is
after S. Ament et al. (2023), "Unexpected improvements to expected improvement for Bayesian
optimization", NeurIPS 36, eq. 9; the bound is that of N. Srinivas et al. (2010), ICML.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import erfcx, ndtr

from hpo_lab.space import Floats

_ROOT_HALF_PI = math.sqrt(math.pi / 2.0)
_LOG_ROOT_TWO_PI = 0.5 * math.log(2.0 * math.pi)
_NEAR, _FAR = -1.0, -50.0  # where the three forms of log h meet


class Acquisition:
    """How much is hoped for of a prediction, more is better; ``best`` is the mean to improve on."""

    def __init__(self, name: str, kappa: float) -> None:
        self.name, self.kappa = name, kappa

    def __call__(self, mean: Floats, deviation: Floats, best: float) -> Floats:
        """Return the values (m,) of predictions (m,)."""
        return self.slopes(mean, deviation, best)[0]

    def slopes(self, mean: Floats, deviation: Floats, best: float) -> tuple[Floats, Floats, Floats]:
        """Return the values (m,) and their derivatives by mean and by deviation (m,)."""
        if self.name == "LCB":
            ones = np.ones_like(mean)
            return self.kappa * deviation - mean, -ones, self.kappa * ones
        z = (best - mean) / deviation
        log_h, ratio = log_improvement(z)
        value = np.log(deviation) + log_h
        by_mean, by_deviation = -ratio / deviation, (1.0 - z * ratio) / deviation
        if self.name == "EI":
            value = np.exp(value)
            by_mean, by_deviation = value * by_mean, value * by_deviation
        return value, by_mean, by_deviation


def log_improvement(z: Floats) -> tuple[Floats, Floats]:
    """Return log h and h' / h (m,) of h(z) = φ(z) + z Φ(z), for which h' = Φ."""
    value, ratio = np.empty_like(z), np.empty_like(z)
    near, far = z > _NEAR, z < _FAR
    x = z[near]
    h = np.exp(-0.5 * x * x - _LOG_ROOT_TWO_PI) + x * ndtr(x)
    value[near], ratio[near] = np.log(h), ndtr(x) / h
    # Below, h = φ (1 - |z| m) with Mills' ratio m = Φ(z) / φ(z); far out 1 - |z| m cancels, and
    # its asymptotic series takes over (M. Abramowitz and I. A. Stegun (1964), eq. 26.2.12).
    x = -z[~near]
    mills = _ROOT_HALF_PI * erfcx(x / math.sqrt(2.0))
    square = 1.0 / np.square(x)
    series = square * (1.0 - square * (3.0 - square * (15.0 - 105.0 * square)))
    left = np.where(far[~near], series, 1.0 - x * mills)
    value[~near] = np.log(left) - 0.5 * x * x - _LOG_ROOT_TWO_PI
    ratio[~near] = mills / left
    return value, ratio
