"""Logs of Optuna: its SQLite storage, read with the standard library alone.

The file is opened as one that never changes: nothing is written into it or beside it, no lock is
taken, and whatever its schema defines besides plain tables is not run. Versions 2.10 to 5 store
a trial's parameters in the same tables (schema 12), each value with its distribution as JSON.

Source of the format: Akiba et al. 2019, "Optuna", KDD; its ``optuna/storages/_rdb/models.py``.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import numpy as np

from hpo_lab.configspace import Flat, stepped
from hpo_lab.errors import InputError, nearest
from hpo_lab.logs import VALUE, Column, Log, from_columns, quoted
from hpo_lab.space import (
    FAMILY,
    Axis,
    Bools,
    Choice,
    Family,
    Floats,
    Integer,
    Ints,
    Option,
    Real,
    Record,
    Space,
)

FINISHED = ("COMPLETE", "PRUNED", "FAIL")  # states of trials that were made; others may come yet
LONGEST = 2_000_000  # bytes of one text or row in the file
MOST_PARAMETERS = 2_000
MOST_FAMILIES = 1_000
PATIENCE = 100_000  # thousands of SQLite's steps, besides one for every 20 bytes of the file

Distribution = Real | Integer | Choice


class _Parameter(NamedTuple):
    """A parameter: its axis (the union of its distributions), and its values (n,), nan or None."""

    axis: Axis
    column: Column


@dataclass(frozen=True, eq=False)
class _Trials:
    """The finished trials of one study, in order."""

    parameters: Mapping[str, _Parameter]
    values: Floats  # (n,) of what completed; nan elsewhere
    completed: Bools  # (n,) or was pruned: all parameters were asked for
    maximize: bool
    complete: bool
    notes: tuple[str, ...]


def read_optuna(path: str | Path, *, study: str | None = None, flat: Flat | None = None) -> Log:
    """Return the log of a study in an Optuna SQLite file.

    Trials that failed or were pruned count as visits without a value; those that run or wait do
    not count. The space is ``flat``, else the union of the distributions of each parameter; a
    parameter that is there in some trials only must follow from the options of categorical ones,
    which then make the families. Raises InputError, one sentence, where that is not so, where
    several studies are there and none was named, and where the file is damaged or not Optuna's.
    """
    path = Path(path)
    try:
        with _opened(path) as file:
            trials = _trials(file, *_study(file, study))
    except (sqlite3.Error, UnicodeError, RecursionError, OverflowError, MemoryError) as error:
        what = f" ({quoted(error)})" if isinstance(error, sqlite3.Error) else ""
        raise InputError(f"{path} is not an Optuna storage, or it is damaged{what}") from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    try:
        flat = flat or _flattened(trials)
        columns: dict[str, Column] = {name: p.column for name, p in trials.parameters.items()}
        if (named := columns.get(_axis_name(FAMILY))) is not None:
            columns[FAMILY] = named
        log = from_columns(
            {**columns, VALUE: trials.values},
            flat.space,
            settings=flat.settings,
            maximize=trials.maximize,
            complete=trials.complete,
        )
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    families_from = {name for one in flat.settings for name in one}
    used = families_from | {*flat.space.columns, FAMILY, _axis_name(FAMILY)}
    ignored = [name for name in columns if name not in used]
    return replace(log, notes=(*trials.notes, *(log.notes if ignored else ())))


# --- the file ----------------------------------------------------------------------------------


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """The file, read-only; only reading its tables is allowed, and not for ever."""
    for ending in ("-wal", "-journal"):
        beside = path.with_name(path.name + ending)
        if beside.exists() and beside.stat().st_size:
            raise InputError(
                f"its last changes are still in {beside.name}; finish or close the study, or copy "
                "it with sqlite3's .backup"
            )
    _check_length(path)
    uri = f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1"
    with closing(sqlite3.connect(uri, uri=True)) as file:
        file.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST)
        file.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        file.text_factory = lambda raw: raw.decode(errors="replace")
        steps = iter(range(PATIENCE + path.stat().st_size // 20))
        file.set_progress_handler(lambda: next(steps, None) is None, 1000)
        file.execute("PRAGMA trusted_schema = OFF")
        file.execute("PRAGMA cell_size_check = ON")
        tables = {name for (name,) in file.execute(_TABLES)}
        if not {"studies", "study_directions", "trials", "trial_params", "trial_values"} <= tables:
            raise InputError("this SQLite file is not an Optuna storage of version 2.10 or later")
        if file.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise InputError("the file is damaged; restore it from a copy")
        file.set_authorizer(_reading)
        yield file


def _check_length(path: Path) -> None:
    """Refuse a file that is shorter than its header says: SQLite itself lets the last page go."""
    with path.open("rb") as file:
        head = file.read(100)
    page, pages = int.from_bytes(head[16:18]), int.from_bytes(head[28:32])
    if path.stat().st_size < (65_536 if page == 1 else page) * pages:
        raise InputError("the file was cut off; copy it again")


_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE 'CREATE TABLE%'"


def _reading(action: int, _: str | None, name: str | None, *__: str | None) -> int:
    reads = action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ)
    counts = action == sqlite3.SQLITE_FUNCTION and name == "min"
    return sqlite3.SQLITE_OK if reads or counts else sqlite3.SQLITE_DENY


def _study(file: sqlite3.Connection, wanted: str | None) -> tuple[int, str]:
    """The id and name of the study that is wanted, or of the only one."""
    known = {
        str(name): int(key)
        for key, name in file.execute(
            "SELECT study_id, study_name FROM studies ORDER BY study_id LIMIT 10000"
        )
    }
    if not known:
        raise InputError("there is no study in it")
    if wanted is not None:
        if wanted not in known:
            raise InputError(f"there is no study {nearest(wanted, known)}")
        return known[wanted], wanted
    if len(known) > 1:
        names = ", ".join(list(known)[:12]) + (", …" if len(known) > 12 else "")
        raise InputError(f"there are {len(known)} studies in it; name one with --study: {names}")
    return next((key, name) for name, key in known.items())


def _trials(file: sqlite3.Connection, study: int, name: str) -> _Trials:
    """The finished trials of a study, by number."""
    rows = file.execute(
        "SELECT trial_id, number, state FROM trials WHERE study_id = ? ORDER BY number, trial_id",
        (study,),
    ).fetchall()
    finished = [row for row in rows if row[2] in FINISHED]
    if not finished:
        raise InputError(f"the study {quoted(name)} has no finished trial")
    ids = np.array([row[0] for row in finished], dtype=np.int64)
    state = np.array([row[2] for row in finished])
    numbers = [row[1] for row in rows]
    directions = file.execute(
        "SELECT direction FROM study_directions WHERE study_id = ? ORDER BY objective", (study,)
    ).fetchall()
    values, notes = np.full(len(ids), np.nan), []
    if len(directions) == 1:
        values[state == "COMPLETE"] = _values(file, study, ids)[state == "COMPLETE"]
    else:
        notes.append(f"{len(directions)} objectives: no value is the best, so no edge is looked at")
    if len(finished) < len(rows):
        notes.append(f"trials that run or wait, not counted: {len(rows) - len(finished)}")
    return _Trials(
        _parameters(file, study, ids),
        values,
        np.isin(state, ("COMPLETE", "PRUNED")),
        directions == [("MAXIMIZE",)],
        numbers == list(range(len(numbers))),
        tuple(notes),
    )


def _values(file: sqlite3.Connection, study: int, ids: Ints) -> Floats:
    """What each trial observed (n,), nan where nothing or nothing finite."""
    found = file.execute(
        "SELECT v.trial_id, v.value FROM trial_values v JOIN trials t ON t.trial_id = v.trial_id "
        "WHERE t.study_id = ? AND v.objective = 0 AND v.value IS NOT NULL",
        (study,),
    )
    values = _placed(found, ids)
    return np.where(np.isfinite(values), values, np.nan)


def _placed(found: sqlite3.Cursor, ids: Ints) -> Floats:
    """Values (n,) in the order of the trials, from rows of trial and value."""
    pairs = np.fromiter(found, dtype=[("trial", np.int64), ("value", np.float64)])
    order = np.argsort(ids)
    place = np.searchsorted(ids, pairs["trial"], sorter=order)
    place = order[np.minimum(place, len(ids) - 1)]
    ours = ids[place] == pairs["trial"]
    values = np.full(len(ids), np.nan)
    values[place[ours]] = pairs["value"][ours]
    return values


def _parameters(file: sqlite3.Connection, study: int, ids: Ints) -> dict[str, _Parameter]:
    """Every parameter of the study by name, in the order of their first use."""
    kinds = file.execute(
        "SELECT p.param_name, p.distribution_json FROM trial_params p "
        "JOIN trials t ON t.trial_id = p.trial_id WHERE t.study_id = ? "
        "GROUP BY p.param_name, p.distribution_json ORDER BY min(p.param_id) LIMIT ?",
        (study, MOST_PARAMETERS + 1),
    ).fetchall()
    if len(kinds) > MOST_PARAMETERS:
        raise InputError(f"its trials have more than {MOST_PARAMETERS:,} distributions")
    parts: dict[str, list[_Parameter]] = {}
    for name, text in kinds:
        axis = distribution(_axis_name(str(name)), text)
        found = file.execute(
            "SELECT p.trial_id, p.param_value FROM trial_params p "
            "JOIN trials t ON t.trial_id = p.trial_id "
            "WHERE t.study_id = ? AND p.param_name = ? AND p.distribution_json = ? "
            "AND p.param_value IS NOT NULL",
            (study, name, text),
        )
        column = _placed(found, ids)
        parts.setdefault(axis.name, []).append(_Parameter(axis, _native(axis, column)))
    return {name: reduce(_joined, several) for name, several in parts.items()}


def _axis_name(name: str) -> str:
    """The parameter's name, unless it means something else in a log."""
    return f"{name}_" if name in (FAMILY, VALUE) else name


def _native(axis: Axis, column: Floats) -> Column:
    """Options for their indices; a number whose axis is a list of steps is one already."""
    if not isinstance(axis, Choice) or axis.ordered:
        return column
    options = np.array([*axis.options, None], dtype=object)
    known = (column >= 0) & (column < len(axis.options))
    return np.asarray(options[np.where(known, column, len(axis.options)).astype(np.int64)])


# --- distributions -----------------------------------------------------------------------------


def distribution(name: str, text: str) -> Axis:
    """Return the axis that a distribution's JSON describes; InputError where it does not.

    >>> distribution("lr", '{"name": "FloatDistribution", "attributes": '
    ...                    '{"low": 1e-05, "high": 0.1, "log": true, "step": null}}')
    Real(name='lr', low=1e-05, high=0.1, log=True)
    """
    try:
        given = json.loads(text)
        return _axis(name, str(given["name"]), dict(given["attributes"]))
    except InputError as error:
        raise InputError(f"the parameter {quoted(name)} is damaged: {error}") from None
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError):
        raise InputError(f"the distribution of {quoted(name)} is damaged") from None


def _axis(name: str, kind: str, of: Record) -> Axis:
    if kind == "CategoricalDistribution":
        return Choice(name, tuple(map(_named, of["choices"])))
    if kind not in _KINDS:
        raise InputError(f"distributions of the kind {quoted(kind)} are not known")
    whole = kind.startswith("Int")
    log = bool(of.get("log", "Log" in kind))
    step = of.get("step", of.get("q"))
    axis: Real | Integer = (
        Integer(name, int(of["low"]), int(of["high"]), log)
        if whole
        else Real(name, float(of["low"]), float(of["high"]), log)
    )
    return stepped(axis, None if step is None else float(step))


def _named(option: Any) -> Option:
    """An option as it is; what our options cannot be, such as null, by its name."""
    fits = isinstance(option, str | bool | int) or (isinstance(option, float) and option == option)
    return option if fits else str(option)


_KINDS = (  # the last five are those of versions before 3
    *("FloatDistribution", "IntDistribution"),
    *("UniformDistribution", "LogUniformDistribution", "DiscreteUniformDistribution"),
    *("IntUniformDistribution", "IntLogUniformDistribution"),
)


def _joined(a: _Parameter, b: _Parameter) -> _Parameter:
    """A parameter whose distribution changed: the union of both, and the values of both."""
    kind = object if object in (a.column.dtype, b.column.dtype) else np.float64
    column = np.where(_there(a.column), a.column.astype(kind), b.column.astype(kind))
    return _Parameter(_union(a.axis, b.axis), column)


def _there(column: Column) -> Bools:
    """Which trials (n,) have a value."""
    import pandas as pd

    return np.asarray(pd.notna(column), dtype=bool)


def _union(a: Axis, b: Axis) -> Axis:
    if a == b:
        return a
    if isinstance(a, Choice) and isinstance(b, Choice) and a.ordered == b.ordered:
        options = tuple(dict.fromkeys(a.options + b.options))
        return Choice(a.name, tuple(sorted(options)) if a.ordered else options, a.ordered)
    if isinstance(a, Real) and isinstance(b, Real) and a.log == b.log:
        return Real(a.name, min(a.low, b.low), max(a.high, b.high), a.log)
    if isinstance(a, Integer) and isinstance(b, Integer) and a.log == b.log:
        return Integer(a.name, min(a.low, b.low), max(a.high, b.high), a.log)
    raise InputError(
        f"the parameter {quoted(a.name)} changed its kind or scale from trial to trial; give the "
        "space with --space"
    )


# --- conditional parameters --------------------------------------------------------------------


def _flattened(trials: _Trials) -> Flat:
    """The space of a study: families by the options that decide which parameters there are."""
    if not trials.parameters:
        raise InputError("its trials have no parameters")
    there = {name: _there(p.column) for name, p in trials.parameters.items()}
    # a trial that failed may have failed before it asked for all parameters
    rows = trials.completed if trials.completed.any() else np.ones_like(trials.completed)
    leaves: list[tuple[Record, tuple[str, ...], float]] = []
    _branch(trials, there, rows, list(there), {}, 1.0, leaves)
    families = []
    for settings, names, weight in leaves:
        axes = tuple(trials.parameters[name].axis for name in names if name not in settings)
        families.append(Family("/".join(map(str, settings.values())), axes, weight))
    several = tuple(settings for settings, _, _ in leaves) if len(leaves) > 1 else ()
    return Flat(Space(tuple(families)), several)


def _branch(
    trials: _Trials,
    there: Mapping[str, Bools],
    rows: Bools,
    names: Sequence[str],
    settings: Record,
    weight: float,
    leaves: list[tuple[Record, tuple[str, ...], float]],
) -> None:
    """Split the trials by a categorical parameter until all of a part have the same parameters."""
    present = [name for name in names if there[name][rows].any() or not rows.any()]
    mixed = [name for name in present if not there[name][rows].all()]
    if not mixed:
        leaves.append((settings, tuple(present) if rows.any() else (), weight))
        if len(leaves) > MOST_FAMILIES:
            raise InputError(
                f"its conditional parameters make more than {MOST_FAMILIES:,} families; give the "
                "space with --space"
            )
        return
    parent = _parent(trials, there, rows, present, mixed, settings)
    options = _options(trials.parameters[parent].axis)
    always = [name for name in present if name not in mixed]
    for option in options:
        mine = rows & (trials.parameters[parent].column == option)
        decided = {**settings, parent: option}
        if mine.any():
            _branch(trials, there, mine, present, decided, weight / len(options), leaves)
        else:  # never tried: what it would have besides is not known
            leaves.append((decided, tuple(always), weight / len(options)))


def _options(axis: Axis) -> tuple[Option, ...]:
    return axis.options if isinstance(axis, Choice) else ()


def _parent(
    trials: _Trials,
    there: Mapping[str, Bools],
    rows: Bools,
    present: Sequence[str],
    mixed: Sequence[str],
    settings: Record,
) -> str:
    """The categorical parameter whose options leave the fewest parameters there in some trials."""
    best, fewest = "", math.inf
    for name in present:
        if name in mixed or name in settings or not _options(trials.parameters[name].axis):
            continue
        column = trials.parameters[name].column
        parts = [rows & (column == option) for option in _options(trials.parameters[name].axis)]
        left = [
            sum(there[one][part].any() and not there[one][part].all() for part in parts)
            for one in mixed
        ]
        if 0 in left and sum(left) < fewest:
            best, fewest = name, sum(left)
    if not best:
        raise InputError(
            f"the parameter {quoted(mixed[0])} is there in some trials and follows from no "
            "categorical one; give the space with --space"
        )
    return best
