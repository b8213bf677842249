"""Logarithm, exponential, power, sine and cosine that run in vector registers; imports numba.

Branch-free polynomials, so that a loop over them becomes vector code. The largest errors met in
20,000 arguments each, against 40 digits: 0.52 units in the last place for the logarithm, 0.60 for
exponential and power, 0.75 and 0.80 for sine and cosine. Reductions: Cody & Waite 1980 with fused
multiply-adds; leading parts are carried in two numbers (Dekker 1971). The polynomials are Chebyshev
interpolants of the remainders, computed with 60 digits. No value depends on how a loop is cut:
fused operations are asked for by name, never left to the compiler.

Arguments must be *ordinary* as each function says; callers leave others to the C library. (Who
changes this file or ``_bbob_math.py`` touches ``_bbob_kernels.py`` as well: numba keeps compiled
kernels by the date of their own file only.)
"""

from __future__ import annotations

from typing import Any

import numba
from llvmlite import ir  # type: ignore[import-untyped, unused-ignore]
from numba.core import types
from numba.extending import intrinsic

inner = numba.njit(cache=True, nogil=True, error_model="numpy")  # what only kernels call

ROUND = 6755399441055744.0  # 1.5 · 2^52: adding it rounds to a whole number, kept in the low bits
HALF_PI = (1.5707963267948966, 6.123233995736766e-17)
TWO_OVER_PI = 0.6366197723675814
LOG_2 = (0.693147180559663, 2.8235290563031577e-13)  # the first has 41 bits
LOG_2_E = 1.4426950408889634
ONE = 0x3FF0000000000000  # the bits of 1.0
ROOT_HALF = 4604544271217802189  # the bits of √½


def _fused(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """Return a b + c, rounded once."""

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.fma(*given)

    return types.float64(types.float64, types.float64, types.float64), code


def _bits(typing: Any, x: Any) -> Any:
    """Return the bits of a float as an integer."""

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.bitcast(given[0], ir.IntType(64))

    return types.int64(types.float64), code


def _number(typing: Any, i: Any) -> Any:
    """Return the float that has these bits."""

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.bitcast(given[0], ir.DoubleType())

    return types.float64(types.int64), code


fused: Any = intrinsic(_fused)
bits: Any = intrinsic(_bits)
number: Any = intrinsic(_number)


@inner
def logarithm(x: float) -> tuple[float, float]:
    """Return log x as a sum of two numbers, x ordinary: positive and normal."""
    whole = (bits(x) - ROOT_HALF) >> 52
    m = number(bits(x) - (whole << 52))  # in [√½, √2)
    k = float(whole)
    below, above = m - 1.0, m + 1.0
    rest = m - (above - 1.0)
    s = below / above
    tail = (fused(-s, above, below) - s * rest) / above
    u = s * s
    p = 0.1188214271262732
    p = fused(p, u, 0.11688107586595922)
    p = fused(p, u, 0.1333563938635947)
    p = fused(p, u, 0.1538457511576662)
    p = fused(p, u, 0.181818185938676)
    p = fused(p, u, 0.22222222219857288)
    p = fused(p, u, 0.28571428571435364)
    p = fused(p, u, 0.3999999999999999)
    p = fused(p, u, 0.6666666666666666)
    large = k * LOG_2[0]
    high = large + 2.0 * s
    low = (2.0 * s - (high - large)) + fused(k, LOG_2[1], fused(u * s, p, 2.0 * tail))
    total = high + low
    return total, low - (total - high)


@inner
def exponential(high: float, low: float) -> float:
    """Return exp(high + low), |high| ordinary: at most 700; low is small beside it."""
    rounded = fused(high, LOG_2_E, ROUND)
    k = rounded - ROUND
    left = fused(-k, LOG_2[0], high)
    more = fused(-k, LOG_2[1], low)
    r = left + more
    tail = more - (r - left)
    p = 2.0911236630261545e-09
    p = fused(p, r, 2.510038549551032e-08)
    p = fused(p, r, 2.755728296954995e-07)
    p = fused(p, r, 2.7557268459997064e-06)
    p = fused(p, r, 2.4801587317144498e-05)
    p = fused(p, r, 0.00019841269863053618)
    p = fused(p, r, 0.0013888888888886552)
    p = fused(p, r, 0.008333333333330062)
    p = fused(p, r, 0.041666666666666664)
    p = fused(p, r, 0.16666666666666669)
    curve = fused(r * r, fused(p, r, 0.5), tail)
    grown = r + curve
    lost = curve - (grown - r)
    one = 1.0 + grown
    value = one + ((grown - (one - 1.0)) + lost)
    scaled: float = value * number((bits(rounded) << 52) + ONE)
    return scaled


@inner
def power(x: float, exponent: float) -> float:
    """Return x^exponent, x positive and normal and the result too."""
    high, low = logarithm(x)
    product = exponent * high
    return exponential(product, fused(exponent, high, -product) + exponent * low)


@inner
def turned(x: float, quarters: int) -> float:
    """Return sin(x + quarters π/2), |x| ordinary: at most 10⁹."""
    rounded = fused(x, TWO_OVER_PI, ROUND)
    k = rounded - ROUND
    left = fused(-k, HALF_PI[0], x)
    r = fused(-k, HALF_PI[1], left)
    tail = fused(-k, HALF_PI[1], left - r)
    u = r * r
    p = -7.586691094197958e-13
    p = fused(p, u, 1.6058531516797758e-10)
    p = fused(p, u, -2.5052106231802837e-08)
    p = fused(p, u, 2.7557319219337312e-06)
    p = fused(p, u, -0.00019841269841265063)
    p = fused(p, u, 0.008333333333333331)
    p = fused(p, u, -0.16666666666666666)
    sine = r + fused(u * r, p, tail)
    q = 4.7458685530816656e-14
    q = fused(q, u, -1.1470460830795304e-11)
    q = fused(q, u, 2.0876755790721963e-09)
    q = fused(q, u, -2.755731922140179e-07)
    q = fused(q, u, 2.4801587301584645e-05)
    q = fused(q, u, -0.0013888888888888887)
    q = fused(q, u, 0.041666666666666664)
    half = 0.5 * u
    cap = 1.0 - half
    cosine = cap + (((1.0 - cap) - half) + fused(u * u, q, -r * tail))
    turns = bits(rounded) + quarters
    value = cosine if turns & 1 else sine
    signed: float = number(bits(value) ^ ((turns & 2) << 62))
    return signed


@inner
def sine(x: float) -> float:
    """Return sin x, |x| at most 10⁹."""
    return turned(x, 0)


@inner
def cosine(x: float) -> float:
    """Return cos x, |x| at most 10⁹."""
    return turned(x, 1)
