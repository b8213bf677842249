"""A sweep: columns of parameters and values as a lattice with replicates, holes and families."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpo_lab.errors import InputError, nearest
from hpo_lab.space import ENUMERABLE, Axis, Bools, Choice, Family, Floats, Integer, Ints, Space
from landscapes._columns import Column
from landscapes._tabulated import Replicates

MOST_CELLS = 10 * ENUMERABLE  # points × replicates that are held in memory
Order = tuple[tuple[str, tuple[str | int | float | bool, ...]], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Kinds:
    """What a person says about columns where it is not to be inferred."""

    categorical: tuple[str, ...] = ()
    order: Order = ()
    log: tuple[str, ...] = ()


def lattice_of(columns: list[Column], family: Column | None, kinds: Kinds) -> tuple[Space, Ints]:
    """Return the product of the values that occur, family by family, and each row's place (R,).

    Raises InputError where a parameter is there in some rows of a family alone, what is said about
    the columns does not fit them, or the product has too many points.
    """
    _check(columns, kinds)
    groups = _groups(columns, family)
    stepped = {c.name for c in columns if _stepped(c, groups, kinds)}
    _check_log(stepped, columns, kinds)
    families, digits = [], []
    for name, rows in groups:
        active = [column for column in columns if _exists(column, rows, name)]
        axes = [_axis(column, rows, stepped, kinds) for column in active]
        families.append(Family(name, tuple(axis for axis, _ in axes)))
        digits.append(tuple(digit for _, digit in axes))
    space = Space(tuple(families))
    _check_size(space)
    places, start = np.zeros(len(groups[0][1]), dtype=np.int64), 0
    for (_, rows), one, own in zip(groups, families, digits, strict=True):
        shape = tuple(int(axis.size) for axis in one.axes)
        places[rows] = start + (np.ravel_multi_index(own, shape) if shape else 0)
        start += math.prod(shape)
    return space, places


def _check(columns: list[Column], kinds: Kinds) -> None:
    known = [column.name for column in columns]
    said = (("categorical", kinds.categorical), ("log", kinds.log))
    for key, names in (*said, ("order", tuple(name for name, _ in kinds.order))):
        for name in names:
            if name not in known:
                raise InputError(f"{key}: there is no parameter {nearest(name, known)}")
    for column in columns:
        if column.kind == "number" and not np.isfinite(column.levels).all():
            raise InputError(f'the parameter "{column.name}" is infinite somewhere; leave it out')


def _groups(columns: list[Column], family: Column | None) -> list[tuple[str, Bools]]:
    """The families by name, with the rows (R,) of each."""
    if family is None:
        return [("", np.ones(len(columns[0].codes), dtype=bool))]
    if (family.codes < 0).any():
        row = int(np.argmax(family.codes < 0)) + 1
        raise InputError(f'the family "{family.name}" is empty in row {row}; fill it in')
    return [(str(name), family.codes == code) for code, name in enumerate(family.natives)]


def _exists(column: Column, rows: Bools, family: str) -> bool:
    """Whether a family has the parameter; InputError where only some of its rows do."""
    missing = (column.codes < 0) & rows
    if missing.any() and not (column.codes[rows] < 0).all():
        row = int(np.argmax(missing)) + 1
        where = f'row {row} of the family "{family}", but not in all' if family else f"row {row}"
        raise InputError(
            f'the parameter "{column.name}" is empty in {where}; fill it in, name the column that '
            "says where it exists as family, or add it to ignore"
        )
    return not missing.any()


def _occurring(column: Column, rows: Bools) -> Ints:
    """The codes, increasing, of the levels that occur in some rows."""
    codes = column.codes[rows]
    return np.flatnonzero(np.bincount(codes[codes >= 0], minlength=len(column.levels)))


def _stepped(column: Column, groups: list[tuple[str, Bools]], kinds: Kinds) -> bool:
    """Whether every family that has the column has all whole numbers of a range, at least three."""
    if not column.whole or column.name in kinds.categorical:
        return False
    found = [column.levels[_occurring(column, rows)] for _, rows in groups]
    return all(len(v) > 2 and v[-1] - v[0] == len(v) - 1 for v in found if len(v))


def _check_log(stepped: set[str], columns: list[Column], kinds: Kinds) -> None:
    for column in columns:
        if column.name not in kinds.log:
            continue
        if column.name not in stepped:
            raise InputError(
                f'log: "{column.name}" is a list of values, one step each, and so has the '
                "table's own spacing; log is for whole numbers without a gap"
            )
        if column.levels[0] <= 0:
            raise InputError(f'log: "{column.name}" has a value that is not positive; leave it out')


def _axis(column: Column, rows: Bools, stepped: set[str], kinds: Kinds) -> tuple[Axis, Ints]:
    """The axis of the values that occur in some rows, and the place on it of each of the rows."""
    found = _occurring(column, rows)
    natives = column.natives
    if column.name in stepped:
        low, high = int(column.levels[found[0]]), int(column.levels[found[-1]])
        axis: Axis = Integer(column.name, low, high, log=column.name in kinds.log)
    else:
        order = dict(kinds.order).get(column.name)
        if order is not None:
            found = _in_order(column, found, [str(option) for option in order])
        numeric = column.kind == "number" and column.name not in kinds.categorical
        ordered = order is not None or numeric
        axis = Choice(column.name, tuple(natives[code] for code in found), ordered)
    place = np.zeros(len(column.levels), dtype=np.int64)
    place[found] = np.arange(len(found))
    return axis, place[column.codes[rows]]


def _in_order(column: Column, found: Ints, order: list[str]) -> Ints:
    """The codes that occur in the order that a person gives."""
    if column.kind == "number":
        raise InputError(f'order: "{column.name}" holds numbers, which have theirs; leave it out')
    known = [str(native) for native in column.natives]
    for option in order:
        if option not in known:
            raise InputError(f'order: "{column.name}" has no value {nearest(option, known)}')
    for option in known:
        if order.count(option) != 1:
            raise InputError(f'order: give the value "{option}" of "{column.name}" once')
    place = {option: number for number, option in enumerate(order)}
    return np.array(sorted(found.tolist(), key=lambda code: place[known[code]]), dtype=np.int64)


def _check_size(space: Space) -> None:
    if space.size > ENUMERABLE:
        longest = max((axis for f in space.families for axis in f.axes), key=lambda a: a.size)
        raise InputError(
            f"the product of all values that occur has {space.size:.3g} points, more than "
            f'{ENUMERABLE:,}; leave out what is no parameter ("{longest.name}" has '
            f"{int(longest.size):,} values): name parameters, or add it to ignore"
        )


def numbers(column: Column, key: str) -> Floats:
    """Return a column of results (R,), nan where a trial failed; InputError where it holds words.

    Empty and infinite values are failures.
    """
    if column.kind != "number":
        some = f', such as "{column.levels[0]}"' if len(column.levels) else ""
        raise InputError(
            f'{key}: the column "{column.name}" does not hold numbers{some}; leave failed trials '
            "empty"
        )
    finite = np.where(np.isfinite(column.levels), column.levels, np.nan)
    return np.append(finite, np.nan)[column.codes]


def replicates(places: Ints, size: int, truth: Floats, told: Floats) -> Replicates:
    """Return the table of a lattice: rows (R,) of one place are replicates, nan ones are dropped.

    Raises InputError where no row has a value, or the replicates are too many for memory.
    """
    if np.isnan(truth).all():
        raise InputError("no row has a value; there is nothing to search")
    dense = _dense(places, size, truth)
    return Replicates(dense, dense if told is truth else _dense(places, size, told))


def _dense(places: Ints, size: int, values: Floats) -> NDArray[np.float64]:
    """The values (size, r) of each place, in the order of the rows, and then nan."""
    kept = np.flatnonzero(~np.isnan(values))
    kept = kept[np.argsort(places[kept], kind="stable")]
    at = places[kept]
    count = np.bincount(at, minlength=size)
    most = max(int(count.max()), 1)
    if size * most > MOST_CELLS:
        raise InputError(
            f"{size:,} points with up to {most:,} replicates are too many to hold; leave out a "
            "parameter or replicates"
        )
    dense = np.full((size, most), np.nan)
    dense[at, np.arange(len(at)) - (np.cumsum(count) - count)[at]] = values[kept]
    return dense
