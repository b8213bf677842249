"""Values as models are told them: failures as the worst success, and all on one scale."""

from __future__ import annotations

import numpy as np

from hpo_lab.space import Floats

LARGEST = 1e100  # a told value beyond this would overflow when it is squared
_TAIL = 3.0  # robust standard deviations from which on values are drawn in


def successes(values: Floats) -> Floats:
    """Return values (n,) with failures as the worst success, in a range that can be squared."""
    finite = np.isfinite(values)
    clipped = np.clip(values, -LARGEST, LARGEST)
    return np.where(finite, clipped, clipped[finite].max())


def standardized(values: Floats) -> Floats:
    """Return values (n,) of mean 0 and deviation 1, in the same order, far tails drawn in."""
    largest = np.abs(values).max()
    values = values / largest if largest > 0 else values  # tiny numbers must not underflow
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    scaled = (values - middle) / ((high - low) / 1.349 or np.std(values) or 1.0)
    tails = np.maximum(np.abs(scaled) - _TAIL, 0.0)
    drawn = np.sign(scaled) * (np.minimum(np.abs(scaled), _TAIL) + np.log1p(tails))
    centred = drawn - drawn.mean()
    return np.asarray(centred / (np.std(centred) or 1.0))
