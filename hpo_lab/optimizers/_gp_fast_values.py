"""Values as ``gp_fast`` models them: of one scale, and as near to normal as a power makes them.

Source: I.-K. Yeo and R. A. Johnson (2000), "A new family of power transformations to improve
normality or symmetry", Biometrika 87, eqs. 2.1 and 3.1; for Bayesian optimization A. Cowen-Rivers
et al. (2022), "HEBO", Journal of Artificial Intelligence Research 74. Imported late: scipy.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import minimize_scalar

from hpo_lab.space import Floats

_POWERS = (-2.0, 4.0)  # 1 leaves values as they are, 1 is the middle


def warped(values: Floats) -> Floats:
    """Return standardized values (n,) in the same order, their distribution drawn to the normal.

    The power is that of the highest likelihood; equal values stay equal.

    >>> skewed = np.exp(np.linspace(-1.0, 1.0, 9))
    >>> flat = warped((skewed - skewed.mean()) / skewed.std())
    >>> bool(abs(np.median(flat)) < abs(np.median(skewed) - skewed.mean()) / skewed.std())
    True
    """
    if np.ptp(values) == 0.0:
        return values
    logarithms = float(np.sum(np.sign(values) * np.log1p(np.abs(values))))

    def loss(power: float) -> float:
        spread = float(np.var(powered(values, power)))
        return 0.5 * len(values) * math.log(max(spread, 1e-300)) - (power - 1.0) * logarithms

    found = minimize_scalar(loss, bounds=_POWERS, method="bounded", options={"xatol": 1e-3})
    moved = powered(values, float(found.x))
    spread = float(np.std(moved))
    return np.asarray((moved - moved.mean()) / spread) if spread > 0.0 else values


def powered(values: Floats, power: float) -> Floats:
    """Return the Yeo-Johnson transform (n,): increasing, the identity for power 1."""
    up, down = np.log1p(np.maximum(values, 0.0)), np.log1p(np.maximum(-values, 0.0))
    return np.asarray(_growth(up, power) - _growth(down, 2.0 - power))


def _growth(logarithms: Floats, power: float) -> Floats:
    """((1 + |y|)^p - 1) / p of log(1 + |y|), continuous at p = 0."""
    return np.expm1(power * logarithms) / power if abs(power) > 1e-9 else logarithms
