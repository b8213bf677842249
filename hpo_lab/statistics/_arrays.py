"""What the arrays of these files are called."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Words = npt.NDArray[np.str_]

SAME = 1e-12  # two values of a landscape closer than this (relative above 1) are one value
