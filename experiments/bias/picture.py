"""A card's picture: an SVG of a few kilobytes, the same file for the same numbers."""

from __future__ import annotations

from typing import Any

import pandas as pd

WIDE, HIGH, GAP, LEFT, TOP = 150, 78, 22, 24, 20  # of a panel, in the picture's units
MOST = 3.0  # times uniform that a panel reaches; what is higher is cut and written
BLUE, ORANGE, INK, SOFT = "#0072B2", "#D55E00", "#1c2126", "#5a646e"


def drawn(density: pd.DataFrame) -> str:
    """Return the picture of one card's density rows, a panel a dimension."""
    panels = list(density.groupby("dimension"))
    width = LEFT + len(panels) * (WIDE + GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {TOP + HIGH + 22}" '
        f'width="{width}" font-family="sans-serif" font-size="9" fill="{INK}">',
        f'<rect width="{width}" height="{TOP + HIGH + 22}" fill="white"/>',
    ]
    for place, (dimension, own) in enumerate(panels):
        parts.append(f'<g transform="translate({LEFT + place * (WIDE + GAP)} {TOP})">')
        parts += _panel(int(str(dimension)), own.to_dict("records"))
        parts.append("</g>")
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(dimension: int, bins: list[Any]) -> list[str]:
    each = WIDE / len(bins)
    parts = [f'<text x="0" y="-6">{dimension} dimensions</text>']
    for i, one in enumerate(bins):
        colour = ORANGE if _differs(one) else BLUE
        low, high = _at(one["low"]), _at(one["high"])
        x, y, base = i * each, _at(one["density"]), _at(1.0)
        parts.append(
            f'<rect x="{x + 1:.1f}" y="{min(y, base):.1f}" width="{each - 2:.1f}" '
            f'height="{max(abs(y - base), 0.6):.1f}" fill="{colour}"/>'
        )
        if one["high"] > one["low"]:
            parts.append(f'<path d="M{x + each / 2:.1f} {low:.1f}V{high:.1f}" stroke="{INK}"/>')
        if one["density"] > MOST:
            parts.append(f'<text x="{x + each + 1:.1f}" y="7">{one["density"]:.2g} ×</text>')
    base = _at(1.0)
    parts += [
        f'<path d="M0 0V{HIGH}H{WIDE}M0 {base:.1f}H{WIDE}" stroke="{SOFT}" fill="none" '
        'stroke-width=".6"/>',
        *(
            f'<text x="-4" y="{_at(tick) + 3:.1f}" text-anchor="end">{tick:.0f}</text>'
            for tick in (0.0, 1.0, 2.0, 3.0)
        ),
        f'<text x="0" y="{HIGH + 12}" fill="{SOFT}">bounds</text>',
        f'<text x="{WIDE}" y="{HIGH + 12}" text-anchor="end" fill="{SOFT}">centre</text>',
    ]
    return parts


def _at(density: float) -> float:
    """Where a density stands, from the top of a panel."""
    return HIGH * (1.0 - min(max(density, 0.0), MOST) / MOST)


def _differs(one: Any) -> bool:
    """The interval leaves uniform search out."""
    return bool(one["low"] > 1.0 or one["high"] < 1.0)
