"""Names and numbers as people read them: literal, rounded, and never more exact than known."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Sequence

MISSING = "–"
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def plain(text: object) -> str:
    """Return text on one line in which nothing is invisible or acts on what shows it.

    Control characters, direction marks and unassigned code points are written as escapes.

    >>> plain("two\\nlines \\x1b[31m")
    'two\\\\nlines \\\\x1b[31m'
    >>> plain("é & 図 <b>")
    'é & 図 <b>'
    """
    return "".join(
        c.encode("unicode_escape").decode() if unicodedata.category(c) in _INVISIBLE else c
        for c in str(text)
    )


def shortened(text: str, length: int) -> str:
    """Return text of at most ``length`` characters, the middle left out.

    >>> shortened("a_very_long_name", 9)
    'a_ve…name'
    """
    if len(text) <= length:
        return text
    tail = max(length - 1, 0) // 2
    return text[: length - 1 - tail] + "…" + (text[-tail:] if tail else "")


def listed(names: Iterable[object], limit: int = 8) -> str:
    """Return names as a list in a sentence; beyond the limit the rest are counted.

    >>> listed(["cora", "cs", "photo"])
    'cora, cs and photo'
    >>> listed("abcdef", limit=3)
    'a, b, c and 3 more'
    """
    shown = [plain(name) for name in names]
    if len(shown) > limit:
        shown = [*shown[:limit], f"{len(shown) - limit} more"]
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def counted(count: int, noun: str) -> str:
    """Return a count with its noun, as in "1 run" and "2 runs"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def decimals(values: Iterable[float], significant: int = 3) -> int:
    """Return how many decimals show the largest of some values with that many digits.

    >>> decimals([0.867, 0.02]), decimals([12.34, 1.0]), decimals([5321.0])
    (3, 1, 0)
    """
    sizes = [abs(v) for v in values if math.isfinite(v) and v]
    if not sizes:
        return 0
    return min(max(significant - 1 - math.floor(math.log10(max(sizes))), 0), 12)


def number(value: float, places: int = 3) -> str:
    """Return a number with fixed decimals; exactly zero is "0", and nothing else looks like it.

    >>> [number(v) for v in (0.8667, 0.0, 0.0002, -0.0002, math.inf, math.nan)]
    ['0.867', '0', '<0.001', '>−0.001', '∞', '–']
    """
    if math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    text = f"{abs(value):,.{places}f}"
    if float(text.replace(",", "")) == 0:
        step = f"{10.0**-places:.{places}f}"
        return f"<{step}" if value > 0 else f">−{step}"
    return text if value > 0 else "−" + text


def numbers(values: Sequence[float], significant: int = 3) -> list[str]:
    """Return a column of numbers, all with the decimals that its largest asks for.

    >>> numbers([0.8667, 0.2, 0.0])
    ['0.867', '0.200', '0']
    """
    places = decimals(values, significant)
    return [number(value, places) for value in values]


def interval(low: float, high: float, places: int) -> str:
    """Return "[low, high]", or nothing where there is no interval."""
    if math.isnan(low) or math.isnan(high):
        return ""
    return f"[{number(low, places)}, {number(high, places)}]"


def p_value(p: float) -> str:
    """Return a p-value with two significant digits.

    >>> [p_value(p) for p in (0.00061, 0.16, 1.0, 1e-9, math.nan)]
    ['0.00061', '0.16', '1', '<0.0001', '–']
    """
    if math.isnan(p):
        return MISSING
    if p < 1e-4:
        return "<0.0001"
    if p > 0.995:
        return "1"
    return f"{p:.2g}"


def percent(share: float) -> str:
    """Return a share as a percentage that says 0 % and 100 % only where they are exact.

    >>> [percent(s) for s in (0, 0.0004, 0.254, 0.9999, 1)]
    ['0 %', '<0.1 %', '25.4 %', '>99.9 %', '100 %']
    """
    if math.isnan(share):
        return MISSING
    if share in (0, 1):
        return f"{100 * share:.0f} %"
    if share < 0.001:
        return "<0.1 %"
    return ">99.9 %" if share > 0.999 else f"{100 * share:.1f} %"


def in_unit(text: str, unit: object) -> str:
    """Return a number's text followed by its unit, where there is one."""
    shown = plain(unit) if isinstance(unit, str) else ""
    return f"{text} {shown}".strip()
