"""Logs: somebody's trials as points of a space, from a table, a CSV file, or what else has one.

A log is a stranger's file. It is read, never run, and what is wrong with it is one sentence.
"""

from __future__ import annotations

import csv
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hpo_lab.configspace import Flat, flat_space, read_json
from hpo_lab.errors import InputError, nearest
from hpo_lab.space import FAMILY, Axis, Bools, Choice, Floats, Ints, Option, Points, Space, levels
from hpo_lab.study_file import contents

if TYPE_CHECKING:
    import pandas as pd

VALUE = "value"  # the column of what was observed
SAME = 1e-9  # relative: a number that far outside a range was only rounded when it was written
LARGEST = 2_000_000_000  # bytes of a log
SHOWN = 60  # characters of somebody's text in a sentence of ours

Column = NDArray[Any]  # (n,) numbers, nan where there is none, or objects, None or "" likewise


@dataclass(frozen=True, eq=False)
class Log:
    """Trials in the order in which they were made.

    ``points`` (n,) lie in their space; ``values`` (n,) are what was observed, nan where a trial
    failed or was stopped. ``complete`` says whether the log is known to hold every trial.
    ``outside`` says of each trial that was left out why, as a reason with a count.
    """

    points: Points
    values: Floats
    maximize: bool = False
    complete: bool = False
    outside: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def space(self) -> Space:
        return self.points.space


def quoted(text: object) -> str:
    """Return somebody's text for a sentence: in quotes, on one line, not too long.

    >>> quoted("two\\nlines")
    "'two\\\\nlines'"
    """
    shown = str(text)
    return repr(shown if len(shown) <= SHOWN else shown[: SHOWN - 1] + "…")


# --- spaces from files -------------------------------------------------------------------------


def space_file(path: str | Path) -> Flat:
    """Return the space of a file: a study's ``[universe]``, such a table alone, or ConfigSpace's.

    A file that ends in ``.json`` holds ConfigSpace's JSON or what ``Space.to_dict`` returns, any
    other is TOML. Raises InputError, one sentence, for anything else.
    """
    path = Path(path)
    if path.is_dir():
        path = path / "study.toml"
    if not path.is_file():
        raise InputError(f"{path}: there is no such file to read a space from")
    if path.suffix.casefold() == ".json":
        table = read_json(path)
        if "hyperparameters" in table:
            return flat_space(path, table)
    else:
        table = _toml(path)
    return Flat(_declared(path, table.get("universe", table)), ())


def _toml(path: Path) -> dict[str, Any]:
    try:
        return contents(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except RecursionError:
        raise InputError(f"{path}: the file is nested too deeply") from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _declared(path: Path, table: Any) -> Space:
    if not isinstance(table, dict) or not {"shared", "families"} & set(table):
        raise InputError(
            f"{path}: there is no space in it; give a file with a [universe] table, with the "
            "tables [shared] and [families], or ConfigSpace's JSON"
        )
    named = table.get("families", {})
    parts = [table.get("shared", {}), named, *(named.values() if isinstance(named, dict) else ())]
    if not all(isinstance(part, dict) for part in parts):
        raise InputError(f"{path}: shared and every family must be tables of axes")
    try:
        return Space.from_dict(table)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{path}: this is not a space as a study's [universe] declares") from None


# --- tables ------------------------------------------------------------------------------------


def from_columns(
    columns: Mapping[str, Column],
    space: Space,
    *,
    settings: Sequence[Mapping[str, Option]] = (),
    maximize: bool = False,
    complete: bool = False,
) -> Log:
    """Return the log that the columns of a table hold, one row a trial, in order.

    There is a column for each axis, ``family`` where there are several (or a column for each of
    the ``settings`` that a family stands for), and ``value``. Others are named in ``notes``.
    What an inactive column holds is ignored. A trial outside the space is left out and counted.
    Raises InputError where a column is missing, or where no trial lies in the space.
    """
    if VALUE not in columns:
        raise InputError(f"the log has no column {nearest(VALUE, columns)}")
    if VALUE in space.columns:
        raise InputError(f'the axis "{VALUE}" has the name of what was observed; rename it')
    values = _numbers(columns[VALUE])
    values[~np.isfinite(values)] = np.nan
    used = {VALUE, FAMILY, *space.columns, *(name for one in settings for name in one)}
    family = _families(columns, space, settings, len(values))
    points = Points(space, family, np.full((len(values), space.width), np.nan))
    inside, outside = _fill(points, columns)
    if not inside.any():
        why = f": {next(iter(outside))}" if outside else ""
        raise InputError(f"none of the {len(values):,} trials lies in the space{why}")
    ignored = [str(name) for name in columns if name not in used]
    notes = (f"columns that were not used: {_few(ignored)}",) if ignored else ()
    kept = points[inside]
    return Log(kept, values[inside], maximize, complete, outside, notes)


def from_frame(frame: pd.DataFrame, space: Space, *, maximize: bool = False) -> Log:
    """Return the log that a data frame holds; see ``from_columns``.

    >>> import pandas as pd
    >>> from hpo_lab import Choice
    >>> frame = pd.DataFrame({"op": ["gat", "gcn", "mlp"], "value": [0.3, None, 0.2]})
    >>> log = from_frame(frame, Space.box(Choice("op", ("gcn", "gat"))))
    >>> log.points.records(), log.values.tolist(), list(log.outside.values())
    ([{'op': 'gat'}, {'op': 'gcn'}], [0.3, nan], [1])
    """
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise InputError(f"the log has two columns {quoted(twice)}; rename one of them")
    columns = {str(name): frame[name].to_numpy() for name in frame.columns}
    return from_columns(columns, space, maximize=maximize)


def read_csv(path: str | Path, flat: Flat, *, maximize: bool = False) -> Log:
    """Return the log that a CSV file holds, its first line the names; see ``from_columns``."""
    table = _csv_table(Path(path))
    head = [str(name).strip() for name in table.iloc[0]]
    if len(set(head)) < len(head):
        twice = next(name for name in head if head.count(name) > 1)
        raise InputError(f"{path}: two columns have the name {quoted(twice)}; rename one of them")
    if len(table) < 2:
        raise InputError(f"{path}: there are no trials in it")
    columns = {name: table[i].to_numpy(dtype=object)[1:] for i, name in enumerate(head)}
    try:
        return from_columns(columns, flat.space, settings=flat.settings, maximize=maximize)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _csv_table(path: Path) -> pd.DataFrame:
    """All cells as text; a line that is too short has nan in the end."""
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                return pd.read_csv(file, header=None, dtype=str, na_filter=False)
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror}") from None
        except pd.errors.EmptyDataError:
            raise InputError(f"{path}: there are no trials in it") from None
        except UnicodeDecodeError:
            raise InputError(f"{path}: this is not a CSV file, or it is not in UTF-8") from None
        except (ValueError, csv.Error, pd.errors.ParserWarning, MemoryError) as error:
            why = " ".join(str(error).split()).removeprefix("Error tokenizing data. C error: ")
            raise InputError(f"{path}: this is not a CSV file: {why[:200]}") from None


def _families(
    columns: Mapping[str, Column],
    space: Space,
    settings: Sequence[Mapping[str, Option]],
    rows: int,
) -> Ints:
    """The index of each trial's family (n,), -1 where the space has no such family."""
    if FAMILY in columns and (len(space.families) > 1 or not settings):
        names = tuple(family.name for family in space.families)
        if names == ("",):
            return np.zeros(rows, dtype=np.int64)
        return _options(Choice("families", names), columns[FAMILY])
    if len(space.families) == 1:
        return np.zeros(rows, dtype=np.int64)
    if not settings:
        raise InputError(
            f'the log has no column "{FAMILY}", and the space has {len(space.families)} families'
        )
    return _settled(columns, settings, rows)


def _settled(
    columns: Mapping[str, Column], settings: Sequence[Mapping[str, Option]], rows: int
) -> Ints:
    """The family (n,) whose settings a trial has: the values of what its axes depend on."""
    family = np.full(rows, -1, dtype=np.int64)
    known: dict[str, dict[Option, None]] = {}
    for setting in settings:
        for name, option in setting.items():
            known.setdefault(name, {})[option] = None
    codes: dict[str, tuple[tuple[Option, ...], Ints]] = {}
    for name, options in known.items():
        if name not in columns:
            raise InputError(f"the log has no column {nearest(name, columns)}")
        codes[name] = tuple(options), _options(Choice(name, tuple(options)), columns[name])
    for index, setting in enumerate(settings):
        same = np.ones(rows, dtype=bool)
        for name, option in setting.items():
            listed, code = codes[name]
            same &= code == listed.index(option)
        family[same] = index
    return family


def _fill(points: Points, columns: Mapping[str, Column]) -> tuple[Bools, dict[str, int]]:
    """Write the values of all active axes; return which trials lie inside, and why not."""
    space = points.space
    inside = points.family >= 0
    outside: dict[str, int] = {}
    if not inside.all():
        outside[f"a family that the space does not have, as in {_row(~inside)}"] = int(
            (~inside).sum()
        )
    read: dict[Axis, Floats] = {}
    for index in range(len(space.families)):
        rows = np.flatnonzero(points.family == index)
        # of a family that was never tried there may be no columns
        for column, axis in space.places(index) if len(rows) else ():
            if axis not in read:
                read[axis] = _axis_values(axis, columns, len(points))
            values = read[axis][rows]
            points.values[rows, column] = values
            bad = np.isnan(values) & inside[rows]
            if bad.any():
                lost = rows[bad]
                given = quoted(columns[axis.name][lost[0]])
                outside[f"{axis.name} = {given}, as in trial {lost[0] + 1}"] = len(lost)
                inside[lost] = False
    return inside, outside


def _row(which: Bools) -> str:
    return f"trial {int(np.flatnonzero(which)[0]) + 1}"


def _axis_values(axis: Axis, columns: Mapping[str, Column], rows: int) -> Floats:
    """The values (n,) of the axis's column, nan where they do not lie on the axis."""
    if axis.name not in columns:
        if axis.size == 1:  # what cannot vary need not be logged
            return np.full(rows, levels(axis)[0])
        raise InputError(f"the log has no column {nearest(axis.name, columns)}")
    column = columns[axis.name]
    if isinstance(axis, Choice):
        codes = _options(axis, column).astype(float)
        codes[codes < 0] = np.nan
        return codes
    values = _numbers(column)
    clipped = np.clip(values, axis.low, axis.high)
    width = 0.0 if axis.log else float(axis.high) - axis.low
    rounded = np.abs(values - clipped) <= SAME * np.maximum(np.abs(clipped), width)
    return np.where(rounded & axis.contains(clipped), clipped, np.nan)


def _numbers(column: Column) -> Floats:
    """The column as numbers (n,), nan where it holds something else."""
    if column.dtype.kind in "iuf":
        return column.astype(np.float64)
    import pandas as pd

    kept = pd.Series(column, dtype=object)
    kept = kept.where(~_is_bool(kept))
    return pd.to_numeric(kept, errors="coerce").to_numpy(dtype=np.float64, copy=True)


def _options(axis: Choice, column: Column) -> Ints:
    """The index (n,) of each value among the options: the same, or written the same; else -1."""
    import pandas as pd

    given = pd.Series(column, dtype=object)
    codes, _ = pd.factorize(given, use_na_sentinel=False)
    codes = 2 * codes + _is_bool(given)  # or true would be 1
    _, first, codes = np.unique(codes, return_index=True, return_inverse=True)
    places = np.array([_option(axis, given.iloc[row]) for row in first], dtype=np.int64)
    return places[codes] if len(places) else np.zeros(0, dtype=np.int64)


def _is_bool(given: pd.Series[Any]) -> Bools:
    return given.map(lambda one: isinstance(one, bool | np.bool_)).to_numpy(dtype=bool)


def _option(axis: Choice, value: Any) -> int:
    """The index of the option that a value is, or is the text of; -1 where there is none."""
    value = value.item() if isinstance(value, np.generic) else value
    for index, option in enumerate(axis.options):
        if type(option) is type(value) and option == value:
            return index
    texts = [str(option) for option in axis.options]
    text = str(value).strip()
    if text in texts:
        return texts.index(text)
    if text.casefold() in ("true", "false") and text.capitalize() in texts:
        return texts.index(text.capitalize())
    try:
        number = float(text)
    except ValueError:
        return -1
    same = (
        index
        for index, option in enumerate(axis.options)
        if isinstance(option, int | float)
        and not isinstance(option, bool)
        and abs(option - number) <= SAME * abs(option)
    )
    return next(same, -1)


def _few(names: Sequence[str]) -> str:
    shown = [quoted(name).strip("'\"") for name in names[:8]]
    return ", ".join(shown) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def is_sqlite(path: str | Path) -> bool:
    """Return whether a file begins as an SQLite file does; InputError where it cannot be read."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: there is no such log")
    try:
        if path.stat().st_size > LARGEST:
            raise InputError(f"{path}: the log is larger than {LARGEST:,} bytes")
        with path.open("rb") as file:
            return file.read(16) == b"SQLite format 3\0"
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
