"""Tables as they are read: what a view is, and the columns that it is made of."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pandas as pd

from hpo_lab.figures._words import MISSING, number, plain

Tables = Mapping[str, pd.DataFrame]

ROWS = 80


@dataclass(frozen=True)
class View:
    """A table ready to be shown: ``cells`` are text, ``numeric`` columns stand to the right."""

    name: str
    title: str
    head: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]
    numeric: tuple[bool, ...]
    note: str = ""
    source: str = ""  # the CSV file that holds all of it
    hidden: int = 0
    kind: ClassVar[str] = "table"

    @property
    def cut(self) -> str:
        """What was left out, and where it is; empty where nothing was."""
        if not self.hidden:
            return ""
        return f"{self.hidden:,} more rows are not shown; all are in tables/{self.source}.csv."


def view_of(
    name: str,
    title: str,
    columns: Mapping[str, Sequence[str]],
    note: str,
    source: str = "",
    limit: int = ROWS,
) -> View:
    """A view of columns; a head that ends in " #" is a column of numbers."""
    rows = list(zip(*columns.values(), strict=True))
    return View(
        name=name,
        title=title,
        head=tuple(head.removesuffix(" #") for head in columns),
        cells=tuple(rows[:limit]),
        numeric=tuple(head.endswith(" #") for head in columns),
        note=note,
        source=source or name,
        hidden=max(len(rows) - limit, 0),
    )


def table_of(tables: Tables, name: str) -> pd.DataFrame | None:
    """Return a table that has rows, None otherwise."""
    rows = tables.get(name)
    return None if rows is None or rows.empty else rows


def units(rows: pd.DataFrame) -> dict[str, list[str]]:
    """A column of units where they differ; a common one stands in the title."""
    return {"Unit": texts(rows["unit"])} if rows["unit"].nunique(dropna=False) > 1 else {}


def common_unit(rows: pd.DataFrame) -> str:
    """Return the unit that all rows have, as the end of a title; empty where they differ."""
    unit = rows["unit"].iloc[0]
    return f", in {plain(unit)}" if not units(rows) and isinstance(unit, str) and unit else ""


def texts(values: pd.Series[Any]) -> list[str]:
    """Return plain text, marked where there is none."""
    return [plain(value) if isinstance(value, str) else MISSING for value in values]


def fixed(values: pd.Series[Any], places: int) -> list[str]:
    """Return numbers as text with so many decimals."""
    return [number(float(value), places) for value in values]


def counts(values: pd.Series[Any]) -> list[str]:
    """Return whole numbers as text."""
    return [f"{int(v):,}" if math.isfinite(float(v)) else MISSING for v in values]


def varying(rows: pd.DataFrame) -> dict[str, list[str]]:
    """Columns for budget and instance, where there are several."""
    names = [n for n in ("budget", "instance") if n in rows and rows[n].nunique() > 1]
    return {f"{name.capitalize()} #": counts(rows[name]) for name in names}


def arm_columns(rows: pd.DataFrame) -> dict[str, list[str]]:
    """Return the columns that say which arm a row speaks of."""
    return {
        "Landscape": texts(rows["landscape"]),
        "Space": texts(rows["space"]),
        "Strategy": texts(rows["strategy"]),
        **varying(rows),
    }
