"""Points of a mixed, conditional space as vectors in a cube, for methods that move vectors.

One coordinate picks the family, where there are several (cells in proportion to the weights), and
every column of the space has one of its own, used where it is active: what is not active drifts
freely and changes nothing. A choice or an integer is the cell that its coordinate lies in.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from hpo_lab.errors import InputError
from hpo_lab.optimizers._moves import reflected
from hpo_lab.optimizers._quasi import placed, width
from hpo_lab.space import Floats, Points, Space

Rule = Literal["reflect", "saturate", "resample", "wrap"]


def check_rule(rule: str) -> None:
    """Raise InputError unless it is the name of a rule for coordinates outside the cube."""
    if rule not in get_args(Rule):
        raise InputError(f"bounds must be one of {', '.join(get_args(Rule))}, not {rule!r}")


def inside(unit: Floats, rule: Rule, rng: np.random.Generator) -> Floats:
    """Return coordinates in [0, 1]: folded back, set to the bound, drawn anew, or wrapped around.

    >>> inside(np.array([-0.2, 0.5, 1.3]), "saturate", np.random.default_rng(0)).tolist()
    [0.0, 0.5, 1.0]
    """
    if rule == "reflect":
        return reflected(unit)
    if rule == "saturate":
        return np.clip(unit, 0.0, 1.0)
    if rule == "wrap":
        return np.asarray(unit % 1.0)
    return np.where((unit < 0.0) | (unit > 1.0), rng.random(unit.shape), unit)


def vectors(space: Space, n: int, rng: np.random.Generator) -> Floats:
    """Return n vectors (n, d), uniform in the cube: their points follow the reference measure."""
    return rng.random((n, width(space)))


def decoded(space: Space, unit: Floats) -> Points:
    """Return the points (n,) of vectors (n, d)."""
    return placed(space, np.clip(unit, 0.0, 1.0))
