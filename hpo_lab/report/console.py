"""The summary that a terminal shows after a run."""

from __future__ import annotations

import math
import textwrap
import unicodedata
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hpo_lab.figures._words import MISSING, decimals, number, plain, shortened
from hpo_lab.report.summary import lead

if TYPE_CHECKING:
    import pandas as pd

WIDTH = 100


def console_table(
    tables: Mapping[str, pd.DataFrame], spaces: Mapping[str, Sequence[str]] | None = None
) -> str:
    """Return the prices and total regrets of a study as plain text at most 100 columns wide.

    Rows are landscapes × spaces, columns strategies; sentences above say what was found. With
    several budgets the table is for the largest. ``spaces`` are the assumptions in words.
    """
    text = [textwrap.fill(sentence, WIDTH) for sentence in lead(tables, spaces)]
    arms = tables.get("arms")
    if arms is None or arms.empty:
        return "\n".join(text) + "\n"
    arms = arms[arms["budget"] == arms["budget"].max()]
    text += ["", *(_clipped(line) for line in _header(arms)), ""]
    return "\n".join(text + _blocks(arms, tables.get("price"))) + "\n"


def _header(arms: pd.DataFrame) -> list[str]:
    units = {plain(unit) if isinstance(unit, str) else "" for unit in arms["unit"]}
    unit = units.pop() if len(units) == 1 else "each landscape in its own unit"
    budget = f"{arms['budget'].max():,} evaluations"
    lines = [f"Total regret after {budget}{f', {unit}' if unit else ''}; mean over runs"]
    notes = []
    if arms["total_low"].notna().any():
        notes.append("(95 % interval)")
    alone = arms["total_low"].isna()
    if (alone & (arms["samples"] > 1)).any():
        notes.append("no interval where runs are too few or nothing varies")
    elif alone.any():
        notes.append("no interval where nothing varies, n = 1")
    if (arms["statistic"] == "median").any():
        notes.append("~ median, some runs had no success")
    return [*lines, "; ".join(notes)] if notes else lines


def _blocks(arms: pd.DataFrame, price: pd.DataFrame | None) -> list[str]:
    """The table; strategies that do not fit side by side follow in another block."""
    keys = list(dict.fromkeys(zip(arms["landscape"], arms["space"], strict=True)))
    cells = _cells(arms)
    left = _names(keys, price)
    room = WIDTH - _length(left[0])
    columns = []
    for strategy in dict.fromkeys(arms["strategy"]):
        body = [cells.get((*key, strategy), MISSING) for key in keys]
        wide = max(map(_length, body), default=0)
        columns.append(_column([_fit(plain(strategy), max(wide, 12)), *body], right=True))
    lines: list[str] = []
    while columns:
        taken, used = 0, 0
        while taken < len(columns) and (not taken or used + _length(columns[taken][0]) + 2 <= room):
            used += _length(columns[taken][0]) + 2
            taken += 1
        block = ["  ".join(row).rstrip() for row in zip(left, *columns[:taken], strict=True)]
        lines += ["", *block] if lines else block
        columns = columns[taken:]
    return lines


def _names(keys: Sequence[tuple[str, str]], price: pd.DataFrame | None) -> list[str]:
    """The left part: landscape (where it changes), space, price."""
    shown, last = ["landscape"], None
    for landscape, _ in keys:
        shown.append("" if landscape == last else _fit(plain(landscape), 24))
        last = landscape
    spaces = ["space", *(_fit(plain(space), 14) for _, space in keys)]
    prices = ["price", *_prices(keys, price)]
    parts = [_column(shown), _column(spaces), _column(prices, right=True)]
    return ["  ".join(row) for row in zip(*parts, strict=True)]


def _prices(keys: Sequence[tuple[str, str]], price: pd.DataFrame | None) -> list[str]:
    if price is None or price.empty:
        return ["unknown"] * len(keys)
    known = {(row["landscape"], row["space"]): float(row["price"]) for _, row in price.iterrows()}
    places = min(decimals(known.values()), 3)
    values = [known.get(key, math.nan) for key in keys]
    return ["unknown" if math.isnan(value) else number(value, places) for value in values]


def _cells(arms: pd.DataFrame) -> dict[tuple[str, str, str], str]:
    """What stands in each cell; the numbers of a landscape have the same decimals."""
    places = {name: decimals(rows["total"]) for name, rows in arms.groupby("landscape")}
    return {
        (row["landscape"], row["space"], row["strategy"]): _cell(row, places[row["landscape"]])
        for _, row in arms.iterrows()
    }


def _cell(row: pd.Series[Any], places: int) -> str:
    total, low, high = (float(row[name]) for name in ("total", "total_low", "total_high"))
    text = number(total, places) if not math.isnan(total) else "unknown"
    if row["statistic"] == "median":
        text = "~" + text
    if math.isnan(low) or math.isnan(high):
        return text
    return f"{text} ({number(low, places)}–{number(high, places)})"


def fixed_width(rows: Sequence[Sequence[str]], numeric: Sequence[bool]) -> list[str]:
    """Return rows of cells as lines whose columns stand under one another."""
    columns = [
        _column(list(cells), right)
        for cells, right in zip(zip(*rows, strict=True), numeric, strict=True)
    ]
    return [_clipped("  ".join(row).rstrip()) for row in zip(*columns, strict=True)]


def _column(cells: Sequence[str], right: bool = False) -> list[str]:
    wide = max(map(_length, cells))
    pads = [" " * (wide - _length(cell)) for cell in cells]
    return [pad + cell if right else cell + pad for pad, cell in zip(pads, cells, strict=True)]


def _length(text: str) -> int:
    """How many columns of a terminal the text takes."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def _fit(text: str, width: int) -> str:
    length = width
    while _length(shortened(text, length)) > width:
        length -= 1
    return shortened(text, length)


def _clipped(line: str) -> str:
    return _fit(line, WIDTH)
