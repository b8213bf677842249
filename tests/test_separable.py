"""Landscapes that are the lowest of separable components, by brute force."""

from __future__ import annotations

import numpy as np

from landscapes._separable import Valleys


def test_a_valley_with_ripples_is_lowest_where_a_fine_grid_says() -> None:
    rng = np.random.default_rng(4)
    for _ in range(40):
        a, b, c, p = rng.uniform([0.1, 0.0, 0.0, 0.0], [5.0, 2.0, 1.0, 1.0], (2, 4)).T
        term = Valleys(a, c, b, p, waves=float(rng.uniform(1, 12)))
        low, high = np.sort(rng.uniform(-0.5, 1.5, 2)).tolist()
        grid = np.linspace(low, high, 20_001)
        found = np.diag(term(term.argmin(low, high)))
        assert (found <= term(grid).min(axis=0) + 1e-12).all()
        twice = term.plus(Valleys(a[::-1], p, b, c, term.waves))
        assert twice is not None
        total = term(grid) + Valleys(a[::-1], p, b, c, term.waves)(grid)
        at = twice.argmin(low, high)
        both = np.diag(term(at) + Valleys(a[::-1], p, b, c, term.waves)(at))
        assert (both <= total.min(axis=0) + 1e-9).all()
