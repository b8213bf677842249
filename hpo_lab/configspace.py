"""Reading a space from ConfigSpace's JSON (format 0.2 of its versions 0.4 to 0.6, 0.4 since then).

Nested conditions are flattened: a hyperparameter that others depend on is no axis, its options
(those of all such hyperparameters that are active together) make the families. A family has the
hyperparameters that are active in it as axes, and the mass that sampling all options uniformly
gives it. Source of the format: Lindauer et al. 2019, "BOAH", arXiv:1908.06756.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hpo_lab.errors import InputError
from hpo_lab.space import Axis, Choice, Family, Integer, Option, Real, Record, Space

LARGEST = 10_000_000  # bytes: no space that anybody wrote is larger


class Flat(NamedTuple):
    """A flattened space; ``settings`` are the values that each family stands for, by name."""

    space: Space
    settings: tuple[Record, ...]


def read_json(path: Path) -> Record:
    """Return a JSON file's object; InputError where it is missing, damaged or something else."""
    try:
        if path.stat().st_size > LARGEST:
            raise InputError(f"{path} is too large to be read")
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise InputError(f"{path} is not a JSON file, or it is damaged") from None
    if not isinstance(found, dict):
        raise InputError(f"{path} must hold a JSON object")
    return found


def read_space(path: Path, given: Mapping[str, Any] | None = None) -> Flat:
    """Return the space of a file, with some hyperparameters fixed at ``given`` values.

    Raises InputError, one sentence, for a file that is no such space, and for what a sum of
    products cannot say: forbidden clauses, and conditions on anything but options.
    """
    return flat_space(path, read_json(path), given)


def flat_space(path: Path, table: Record, given: Mapping[str, Any] | None = None) -> Flat:
    """Return the space of a file's JSON object; see ``read_space``."""
    if table.get("forbiddens"):
        raise InputError(f"{path}: forbidden clauses are not supported")
    try:
        return _flattened(table, dict(given or {}))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        if isinstance(error, InputError):
            raise InputError(f"{path}: {error}") from None
        raise InputError(f"{path} is not a space as ConfigSpace writes it") from None


def _flattened(table: Record, given: Record) -> Flat:
    known = {h["name"]: h for h in table["hyperparameters"]}
    conditions: dict[str, list[tuple[str, list[Option]]]] = {name: [] for name in known}
    for condition in table["conditions"]:
        for child, parent, values in _simple(condition):
            conditions[child].append((parent, values))
    parents = _in_order({p: conditions[p] for c in conditions.values() for p, _ in c})
    states = [dict(given)]
    for parent in parents:
        states = [
            new for s in states for new in _decided(s, known[parent], conditions[parent], given)
        ]
    named = [p for p in parents if p not in given]
    families = [_family(state, known, conditions, named) for state in states]
    return Flat(Space(tuple(families)), tuple(states))


def _simple(condition: Record) -> list[tuple[str, str, list[Option]]]:
    """A condition as (child, parent, values), several where all must hold."""
    if condition["type"] == "AND":
        return [one for part in condition["conditions"] for one in _simple(part)]
    if condition["type"] not in ("EQ", "IN"):
        raise InputError(f"conditions of type {condition['type']} are not supported")
    values = [condition["value"]] if condition["type"] == "EQ" else list(condition["values"])
    return [(condition["child"], condition["parent"], values)]


def _in_order(conditions: Mapping[str, Sequence[tuple[str, list[Option]]]]) -> list[str]:
    """The names so that each comes after what it depends on."""

    def depth(name: str) -> int:
        return 1 + max((depth(parent) for parent, _ in conditions[name]), default=0)

    return sorted(conditions, key=depth)


def _active(state: Record, conditions: Sequence[tuple[str, list[Option]]]) -> bool:
    return all(parent in state and state[parent] in values for parent, values in conditions)


def _decided(
    state: Record,
    parent: Record,
    conditions: Sequence[tuple[str, list[Option]]],
    given: Record,
) -> list[Record]:
    """The states that follow from one when a hyperparameter others depend on takes its values."""
    if parent["name"] in given or not _active(state, conditions):
        return [state]
    if parent["type"] != "categorical":
        raise InputError(f'"{parent["name"]}" has dependants but no options')
    return [{**state, parent["name"]: option} for option in parent["choices"]]


def _family(
    state: Record,
    known: Mapping[str, Record],
    conditions: Mapping[str, Sequence[tuple[str, list[Option]]]],
    parents: Sequence[str],
) -> Family:
    decided = [name for name in parents if name in state]
    weight = math.prod(1.0 / len(known[name]["choices"]) for name in decided)
    axes = tuple(
        _axis(one)
        for name, one in known.items()
        if name not in state and name not in parents and _active(state, conditions[name])
    )
    return Family("/".join(str(state[name]) for name in decided), axes, weight)


def _axis(one: Record) -> Axis:
    kind, name = one["type"], one["name"]
    if kind in ("uniform_float", "uniform_int"):
        made: Real | Integer = (
            Real(name, float(one["lower"]), float(one["upper"]), bool(one["log"]))
            if kind == "uniform_float"
            else Integer(name, int(one["lower"]), int(one["upper"]), bool(one["log"]))
        )
        return stepped(made, one.get("q"))
    if kind == "categorical":
        return Choice(name, tuple(one["choices"]))
    if kind == "ordinal":
        return Choice(name, tuple(one["sequence"]), ordered=True)
    if kind == "constant":
        return Choice(name, (one["value"],))
    raise InputError(f'"{name}" is of type {kind}, which is not supported')


STEPS = 16  # values up to which a range with a step is a list


def stepped(axis: Real | Integer, step: float | None) -> Axis:
    """Return the axis that takes only every ``step``-th value from its low end on.

    Few values become a list, in order. With many, the whole range stands for them: a part of it
    then holds a share that is wrong by less than one value in so many.

    >>> stepped(Real("momentum", 0.0, 1.0), 0.25)
    Choice(name='momentum', options=(0.0, 0.25, 0.5, 0.75, 1.0), ordered=True)
    """
    if not step or (isinstance(axis, Integer) and step == 1) or axis.low == axis.high:
        return axis
    if not (math.isfinite(step) and step > 0):
        raise InputError(f'"{axis.name}" has the step {step}: it must be above 0')
    count = math.floor((axis.high - axis.low) / step * (1 + 1e-12)) + 1
    if count > STEPS or axis.log:
        return axis
    kind = int if isinstance(axis, Integer) else float
    values = (axis.low + i * step for i in range(count))
    return Choice(axis.name, tuple(kind(float(f"{v:.12g}")) for v in values), ordered=True)
