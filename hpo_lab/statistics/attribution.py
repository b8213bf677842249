"""Games on subsets: what each of several players, and each set of them, contributes.

A game of n players is an array (2^n,): entry C is the value of the set of players whose bits are
set in C. Only differences count, so the empty set may have any value. For the price of assumptions
the players are the assumptions and the value is the optimum of the space that makes those in C.

Sources: Shapley 1953 (value); Harsanyi 1963 (dividends, the Moebius transform); Grabisch and
Roubens 1999 (interactions among players).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from hpo_lab.statistics._arrays import SAME, Floats, Ints


def first_in(game: npt.ArrayLike) -> Floats:
    """Return v({i}) - v(nobody) for each player (n,): the cost of an assumption made alone.

    >>> first_in([0.0, 1.0, 2.0, 5.0])
    array([1., 2.])
    """
    value, players = _checked(game)
    return np.asarray(value[1 << np.arange(players)] - value[0])


def last_out(game: npt.ArrayLike) -> Floats:
    """Return v(all) - v(all but i) for each player (n,): the gain from giving up i alone.

    >>> last_out([0.0, 1.0, 2.0, 5.0])
    array([3., 4.])
    """
    return first_in(dual(game))


def dual(game: npt.ArrayLike) -> Floats:
    """Return w (2^n,), w(D) = v(all) - v(all but D): what giving up all of D gains.

    >>> dual([0.0, 1.0, 1.0, 1.0])  # either of two assumptions costs all of it
    array([0., 0., 0., 1.])
    """
    value, _ = _checked(game)
    return np.asarray(value[-1] - value[::-1])  # the complement of D is 2^n - 1 - D


def moebius(game: npt.ArrayLike) -> Floats:
    """Return the dividends m (2^n,): v(C) - v(nobody) is the sum of m over the subsets of C.

    m(C) is what C does together beyond all that its subsets do: for a pair v(ab) - v(a) - v(b),
    negative where the two cost the same thing twice. m(nobody) is 0. In n 2^(n-1) steps.

    >>> moebius([0.0, 1.0, 1.0, 1.0])
    array([ 0.,  1.,  1., -1.])
    """
    value, players = _checked(game)
    dividends: Floats = value - value[0]
    for player in range(players):
        halves = dividends.reshape(-1, 2, 1 << player)
        halves[:, 1] -= halves[:, 0]
    return dividends


def shapley(game: npt.ArrayLike) -> Floats:
    """Return the Shapley value of each player (n,); they sum to v(all) - v(nobody).

    phi_i = sum over C without i of |C|! (n - |C| - 1)! / n! [v(C and i) - v(C)], the mean
    contribution of i over all orders in which players can come.

    >>> shapley([0.0, 0.8, 0.8, 0.8])
    array([0.4, 0.4])
    """
    value, players = _checked(game)
    return np.array([_mean_margin(value, value, i, players) for i in range(players)])


def shapley_bounds(
    low: npt.ArrayLike, high: npt.ArrayLike, *, monotone: bool = False
) -> tuple[Floats, Floats]:
    """Return bounds (n,), (n,) on Shapley values where each entry of the game is only bounded.

    The value is linear with fixed signs, so the bounds are attained if the entries are free of
    each other. In a ``monotone`` game no contribution is negative, which raises the lower bound.
    Raises ValueError where some low exceeds its high.

    >>> shapley_bounds([0.0, 0.5], [0.0, 0.8])
    (array([0.5]), array([0.8]))
    """
    below, players = _checked(low)
    above, _ = _checked(high)
    if below.shape != above.shape or (below > above).any():
        raise ValueError("low and high must be of one shape, low nowhere above high")
    least = -math.inf if not monotone else 0.0
    lower = [_mean_margin(below, above, i, players, least) for i in range(players)]
    upper = [_mean_margin(above, below, i, players) for i in range(players)]
    return np.array(lower), np.array(upper)


def monotone_bounds(low: npt.ArrayLike, high: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return bounds (2^n,) of a game that no player can lower, tightened by one another.

    A set has at least the low of each subset and at most the high of each superset.

    >>> monotone_bounds([1.0, 0.0], [3.0, 2.0])
    (array([1., 1.]), array([2., 2.]))
    """
    below, players = _checked(low)
    above, _ = _checked(high)
    below, above = below.copy(), above.copy()
    for player in range(players):
        lows, highs = (a.reshape(-1, 2, 1 << player) for a in (below, above))
        np.maximum(lows[:, 1], lows[:, 0], out=lows[:, 1])
        np.minimum(highs[:, 0], highs[:, 1], out=highs[:, 0])
    return below, above


def minimal_sets(game: npt.ArrayLike, tolerance: float = SAME) -> list[int]:
    """Return the sets C that have a value above v(nobody) and no smaller set within them has.

    For games that no player can lower. Of a price they are what does harm only together; of its
    `dual` what has to be given up together to gain anything: a set of two or more there is masked,
    because giving up its members one at a time makes each look harmless. In the order of size.

    >>> minimal_sets(dual([0.0, 0.8, 0.8, 0.8]))  # bits 0 and 1
    [3]
    """
    value, players = _checked(game)
    positive = value - value[0] > tolerance * max(1.0, float(np.abs(value[[0, -1]]).max()))
    minimal = positive.copy()
    for player in range(players):
        halves, kept = (a.reshape(-1, 2, 1 << player) for a in (positive, minimal))
        kept[:, 1] &= ~halves[:, 0]
    found = np.flatnonzero(minimal)
    return [int(c) for c in found[np.argsort(np.bitwise_count(found), kind="stable")]]


def members(subset: int) -> tuple[int, ...]:
    """Return the players of a set, in increasing order.

    >>> members(0b1101)
    (0, 2, 3)
    """
    return tuple(i for i in range(subset.bit_length()) if subset >> i & 1)


def subset_minima(values: npt.ArrayLike, violated: npt.ArrayLike) -> Floats:
    """Return the least value (2^n,) of the points that violate nothing of each set.

    ``values`` (points,), nan where a point has none; ``violated`` (points, n) says which
    constraints each point breaks. inf where no point is left. One pass over the points and
    n 2^(n-1) steps, however many of the 2^n spaces are asked for.

    >>> subset_minima([1.0, 2.0, 3.0], [[True, True], [True, False], [False, False]])
    array([1., 3., 2., 3.])
    """
    value, broken = np.asarray(values, dtype=np.float64), np.asarray(violated, dtype=np.bool_)
    if broken.ndim != 2 or value.shape != broken.shape[:1]:
        raise ValueError("violated needs one row a value and one column a constraint")
    players = broken.shape[1]
    code = broken @ (1 << np.arange(players))
    best = np.full(1 << players, np.inf)
    known = ~np.isnan(value)
    np.minimum.at(best, code[known], value[known])
    for player in range(players):  # the least over all that breaks a subset of the code
        halves = best.reshape(-1, 2, 1 << player)
        np.minimum(halves[:, 1], halves[:, 0], out=halves[:, 1])
    return np.asarray(best[::-1])  # what breaks nothing of C breaks a subset of the rest


def _checked(game: npt.ArrayLike) -> tuple[Floats, int]:
    value = np.asarray(game, dtype=np.float64)
    players = max(value.size.bit_length() - 1, 0)
    if value.ndim != 1 or value.size != 1 << players:
        raise ValueError(f"a game has 2^n values, one a set of players, not {value.shape}")
    if np.isnan(value).any():
        raise ValueError("a game without all of its values has none of these; bound them instead")
    return value, players


def _mean_margin(
    joined: Floats, alone: Floats, player: int, players: int, least: float = -math.inf
) -> float:
    """The weighted mean over C of joined(C and the player) - alone(C), each at least ``least``."""
    margin = joined.reshape(-1, 2, 1 << player)[:, 1] - alone.reshape(-1, 2, 1 << player)[:, 0]
    margin = np.maximum(margin.ravel(), least)
    return float(_weights(players) @ margin)


def _weights(players: int) -> Floats:
    """|C|! (n - |C| - 1)! / n! for each C of the others (2^(n-1),), in the order of bits."""
    sizes: Ints = np.bitwise_count(np.arange(1 << (players - 1))).astype(np.int64)
    each = np.array([1 / (players * math.comb(players - 1, k)) for k in range(players)])
    return np.asarray(each[sizes])
