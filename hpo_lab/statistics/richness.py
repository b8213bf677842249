"""Reachable but unseen: how many more regions or optima would more runs find?

Runs are the sampling units, because the evaluations of one run depend on each other. What counts
is in how many runs each region was seen (its incidence), above all how many regions were seen in
one run only (Q1) and in two (Q2).

Sources: Chao 1987, Biometrics 43, 783-791 (Chao2); Colwell, Estimating statistical and biotic
diversity (EstimateS), appendix B (the bias-corrected form and the variances); Good 1953 and Chao
and Jost 2012, Ecology 93, 2533-2547, eq. 4a for incidences (coverage); Boender and Rinnooy Kan
1987, Mathematical Programming 37, 59-80 (optima).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Richness:
    """An estimate of the number of reachable regions, from the incidence in runs.

    ``estimate`` is a lower bound in expectation, with a 95 % interval; ``coverage`` is the share
    of the incidences of one more run that lie in regions already seen. nan where a single run
    leaves nothing to compare.
    """

    observed: int
    once: int
    twice: int
    estimate: float
    error: float
    low: float
    high: float
    coverage: float


def chao2(incidence: npt.ArrayLike) -> Richness:
    """Chao's lower bound of the number of regions that runs can reach, seen or not.

    ``incidence`` (runs, regions) says which run came to which region. With m runs, A = (m − 1) / m,

        estimate = observed + A Q1 (Q1 − 1) / (2 (Q2 + 1)),

    the bias-corrected form, which needs no Q2. The interval is log-normal, so it never reaches
    below what was observed (Chao 1987). Raises ValueError for an array that is not (runs, regions).

    >>> found = chao2([[1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 1]])
    >>> found.observed, found.once, found.estimate, round(found.coverage, 3)
    (4, 3, 6.0, 0.667)
    """
    seen = np.asarray(incidence, dtype=bool)
    if seen.ndim != 2 or not len(seen):
        raise ValueError(f"incidence must be (runs, regions) with a run, not {seen.shape}")
    times = seen.sum(axis=0)
    observed, once, twice = (int((times == k).sum()) for k in (0, 1, 2))
    observed = seen.shape[1] - observed
    if len(seen) == 1:
        return Richness(observed, once, twice, *[math.nan] * 5)
    share = 1 - 1 / len(seen)
    unseen = share * once * (once - 1) / (2 * (twice + 1))
    error = math.sqrt(_variance(share, once, twice, observed + unseen))
    low, high = _log_normal(observed, unseen, error)
    coverage = _coverage(len(seen), int(times.sum()), once, twice)
    return Richness(observed, once, twice, observed + unseen, error, low, high, coverage)


def _variance(share: float, once: int, twice: int, estimate: float) -> float:
    """Of the bias-corrected estimate: EstimateS's eq. 6 with Q2, eq. 7 without."""
    a, q1, q2 = share, float(once), float(twice)
    variance = a * q1 * (q1 - 1) / (2 * (q2 + 1))
    variance += a**2 * q1 * (2 * q1 - 1) ** 2 / (4 * (q2 + 1) ** 2)
    if twice:
        variance += a**2 * q1**2 * q2 * (q1 - 1) ** 2 / (4 * (q2 + 1) ** 4)
    elif estimate > 0:
        variance -= a**2 * q1**4 / (4 * estimate)
    return max(variance, 0.0)


def _log_normal(observed: int, unseen: float, error: float) -> tuple[float, float]:
    """The interval whose distance to what was observed is log-normal."""
    if unseen == 0:
        return float(observed), float(observed)
    factor = math.exp(1.959964 * math.sqrt(math.log1p((error / unseen) ** 2)))
    return observed + unseen / factor, observed + unseen * factor


def _coverage(runs: int, incidences: int, once: int, twice: int) -> float:
    """Good and Turing's: one minus the share of incidences that were single ones."""
    if not incidences:
        return math.nan
    if not once:
        return 1.0
    if not twice:  # the bias-corrected form that Chao and Jost give for Q2 = 0
        tail = (runs - 1) * (once - 1) / ((runs - 1) * (once - 1) + 2) if once > 1 else 1.0
    else:
        tail = (runs - 1) * once / ((runs - 1) * once + 2 * twice)
    return 1 - once / incidences * tail


@dataclass(frozen=True, slots=True)
class Optima:
    """The number of optima after independent local searches, and what is still unseen.

    ``estimate`` and ``error`` are mean and standard deviation of the posterior, inf or nan where
    there are too few searches for a finite one; ``unseen_share`` is the expected share of the
    starting points that lead to optima not yet found.
    """

    found: int
    searches: int
    estimate: float
    error: float
    unseen_share: float


def unseen_optima(found: int, searches: int) -> Optima:
    """Boender and Rinnooy Kan's Bayesian estimate of the number of optima.

    ``found`` (w) different optima came out of ``searches`` (n) independent local searches. With
    all numbers of optima equally likely beforehand, and all sizes of their basins,

        E[optima] = w (n − 1) / (n − w − 2),   E[share unseen] = w (w + 1) / (n (n − 1)),

    the first finite for n ≥ w + 3, and E[optima (optima + 1)] = w (w + 1) (n − 1) (n − 2) /
    ((n − w − 2) (n − w − 3)). Raises ValueError unless 1 ≤ found ≤ searches.

    Source: Boender and Rinnooy Kan 1987; the moments follow from their posterior, in which w of n
    searches in k basins of any sizes are C(k, w) C(n − 1, w − 1) / C(n + k − 1, n) likely.

    >>> unseen_optima(5, 30).estimate.__round__(3)
    6.304
    """
    w, n = found, searches
    if not 1 <= w <= n:
        raise ValueError("found must lie between 1 and the number of searches")
    spare = n - w - 2
    estimate = w * (n - 1) / spare if spare > 0 else math.inf
    error = math.nan
    if spare > 1:
        second = w * (w + 1) * (n - 1) * (n - 2) / (spare * (spare - 1))
        error = math.sqrt(max(second - estimate - estimate**2, 0.0))
    unseen = min(w * (w + 1) / (n * (n - 1)), 1.0) if n > 1 else math.nan
    return Optima(w, n, estimate, error, unseen)
