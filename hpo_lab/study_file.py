"""A study file, from its text to a study: every mistake becomes one sentence with file and key.

A study file is TOML and holds no code.
"""

from __future__ import annotations

import itertools
import math
import re
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from hpo_lab import discovery
from hpo_lab.assumption import View, assume
from hpo_lab.controls import CONTROLS
from hpo_lab.errors import InputError, nearest
from hpo_lab.landscape import Landscape
from hpo_lab.region import SYSTEMS, USUAL, Resolution
from hpo_lab.space import Record, Space
from hpo_lab.study import Hypothesis, Part, SpaceSpec, Study, takes

SCHEMA = 1
RESERVED = ("noise",)
LARGEST_FILE = 200_000  # bytes of a study file that are read at all
DEEPEST_KEY = 50  # parts of a dotted key: reading one takes time and memory of the square
MOST_EVALUATIONS = 10_000_000  # in one run
MOST_RUNS = 1_000_000  # in one study
MOST_LANDSCAPES = 1_000  # in one study


def read(path: Path) -> Study:
    """Return the study of a file, or of the study.toml in a folder.

    Raises InputError, one sentence with file and key, for whatever is wrong with it.
    """
    if path.is_dir():
        path = path / "study.toml"
    try:
        return _study(path, contents(path))
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such study file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except RecursionError:
        raise InputError(f"{path}: the file is nested too deeply") from None
    except InputError as error:
        raise InputError(f"{path}: {_one_line(error)}") from None


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 500 else text[:499] + "…"


# --- from a file to its tables -----------------------------------------------------------------

# Comments and strings, which may hold any number of dots.
_TEXT = re.compile(
    r'''"""(?:[^\\]|\\.)*?"""|"(?:[^"\\\n]|\\.)*"|#[^\n]*''' r"""|'''.*?'''|'[^'\n]*'""", re.DOTALL
)


def contents(path: Path) -> Record:
    """The tables of a study file; InputError where it is not TOML, or takes too long to read."""
    if path.exists() and not path.is_file():
        raise InputError("this is not a file")
    with path.open("rb") as file:
        given = file.read(LARGEST_FILE + 1)
    if len(given) > LARGEST_FILE:
        raise InputError(f"the file is larger than {LARGEST_FILE:,} bytes")
    try:
        text = given.decode("utf-8-sig")
        keys = re.split(r"[,=\[\]{}\n]", _TEXT.sub("", text))
        if any(key.count(".") >= DEEPEST_KEY for key in keys):
            raise InputError(f"a key has more than {DEEPEST_KEY} parts")
        table = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise InputError(f"the file is not text in UTF-8 (byte {error.start})") from None
    except InputError:
        raise
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"this is not TOML: {error}") from None
    except ValueError:
        raise InputError("this is not TOML: a number has thousands of digits") from None
    _plain_values("", table)
    return table


def _plain_values(where: str, value: Any) -> None:
    """Refuse what no key of a study takes, so that nothing has to reckon with it later."""
    if isinstance(value, dict):
        for key, one in value.items():
            _plain_values(f"{where}.{key}" if where else key, one)
            if _CONTROL.search(key):
                raise InputError(
                    f"{where or 'the file'}: a key has control characters; remove them"
                )
    elif isinstance(value, list):
        for one in value:
            _plain_values(where, one)
    elif isinstance(value, str):
        if _CONTROL.search(value):
            raise InputError(f"{where}: the text has control characters; remove them")
    elif not isinstance(value, bool | int | float):
        raise InputError(f"{where}: dates and times mean nothing here; put it in quotes")
    elif value != value:
        raise InputError(f"{where}: nan is no value")
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise InputError(f"{where}: the number is too large")


_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


# --- from the tables of a file to a study ------------------------------------------------------


def _study(path: Path, table: Record) -> Study:
    _known("", table, _TOP, RESERVED)
    for key in RESERVED:
        if key in table:
            raise InputError(f"{key}: not built yet; leave this table out")
    if "schema" not in table:
        raise InputError(f"schema: the key is missing; begin the file with schema = {SCHEMA}")
    if table["schema"] is True or table["schema"] != SCHEMA:
        raise InputError(f"schema: this version reads schema {SCHEMA}, not {table['schema']!r}")
    runs = _table("runs", table.get("runs", {}), _RUNS)
    reference = _table("reference", table.get("reference", {}), ("weight",))
    regions = _table("regions", table.get("regions", {}), _REGIONS)
    universe = _universe(table)
    landscapes = _landscapes(table, universe, path.absolute().parent)
    study = Study(
        path=path,
        name=_name("name", table.get("name", path.stem)),
        question=_text("question", table.get("question", "")),
        landscapes=landscapes,
        spaces=_spaces(table, landscapes),
        strategies=_strategies(table),
        budgets=_budgets(runs.get("budget", 50)),
        instances=_count("runs.instances", runs.get("instances", 1), most=MOST_RUNS),
        repetitions=_count("runs.repetitions", runs.get("repetitions", 1), most=MOST_RUNS),
        entropy=_count("runs.entropy", runs.get("entropy", 0), least=0),
        weight=_one_of("reference.weight", reference.get("weight", "family"), _WEIGHTS),
        systems=_systems(regions.get("systems", list(USUAL))),
        resolution=_resolution(regions),
        controls=_controls(table),
    )
    return replace(_checked(study), hypotheses=_hypotheses(table, study))


_TOP = (
    "schema",
    "name",
    "question",
    "landscapes",
    "universe",
    "spaces",
    "strategies",
    "runs",
    "reference",
    "regions",
    "controls",
    "hypotheses",
)
_RUNS = ("budget", "instances", "repetitions", "entropy")
_REGIONS = ("systems", "bins", "cells", "epsilon")
_WEIGHTS = ("family", "parameters")


def _checked(study: Study) -> Study:
    """Refuse what only building the problems can show: spaces that are empty, wrong names."""
    each = len(study.strategies) * len(study.budgets) * study.repetitions
    places = sum(
        len(study.instances_of(landscape))
        for space, landscape in itertools.product(study.spaces, study.landscapes)
        if landscape.label in space.landscapes
    )
    if (total := each * places * (1 + len(study.controls))) > MOST_RUNS:
        raise InputError(
            f"runs: that would be {total:,} runs, more than {MOST_RUNS:,}; "
            "make several studies of it"
        )
    for landscape in study.landscapes:
        _within(f"landscapes: {landscape.label}", landscape.make)
        if study.instances > 1 and "instance" in dict(landscape.arguments):
            raise InputError(
                f"landscapes: {landscape.label}: give either instance here or runs.instances"
            )
    for strategy in study.strategies:
        _within(f"strategies: {strategy.label}", strategy.make)
    for space, landscape in itertools.product(study.spaces, study.landscapes):
        if landscape.label in space.landscapes:
            _within(f"spaces.{space.label}", lambda s=space, f=landscape: _view(f, s))
    return study


def _view(landscape: Part, space: SpaceSpec) -> View:
    made: Landscape = landscape.make()
    return assume(made.universe, [part.make() for part in space.assumptions])


def _within(where: str, action: Any) -> None:
    """Run an action; an InputError gets the place in the file in front."""
    try:
        action()
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def _known(where: str, table: Mapping[str, Any], *known: Sequence[str]) -> None:
    names = [name for group in known for name in group]
    for key in table:
        if key not in names:
            place = f"{where}: " if where else ""
            raise InputError(f"{place}unknown key {nearest(key, names)}")


def _table(where: str, value: Any, known: Sequence[str]) -> Record:
    if not isinstance(value, dict):
        raise InputError(f"{where}: expected a table, got {_kind(value)}")
    _known(where, value, known)
    return value


def _kind(value: Any) -> str:
    names = {"str": "a string", "int": "a whole number", "float": "a number", "list": "a list"}
    return {**names, "bool": "true or false", "dict": "a table"}.get(type(value).__name__, "a date")


def _text(where: str, value: Any) -> str:
    if not isinstance(value, str):
        raise InputError(f"{where}: expected a string, got {_kind(value)}")
    return value


_NO_NAME = set('/\\:*?"<>|\n\t')


def _name(where: str, value: Any) -> str:
    """A name becomes part of a path, so it may not leave its folder."""
    name = _text(where, value)
    if len(name.encode()) > 100:
        raise InputError(f"{where}: a name has at most 100 bytes, not {len(name.encode())}")
    if not name or name != name.strip(". ") or set(name) & _NO_NAME:
        raise InputError(f"{where}: {name!r} cannot name a folder; use letters, digits, - and _")
    return name


def _count(where: str, value: Any, least: int = 1, most: int = 10**18) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputError(f"{where}: expected a whole number, got {_kind(value)}")
    if value < least:
        raise InputError(f"{where}: must be at least {least}, not {value}")
    if value > most:
        raise InputError(f"{where}: must be at most {most:,}, not {value:,}")
    return value


def _budgets(value: Any) -> tuple[int, ...]:
    given = value if isinstance(value, list) else [value]
    if not given:
        raise InputError("runs.budget: the list is empty; name at least one budget")
    return tuple(sorted({_count("runs.budget", one, most=MOST_EVALUATIONS) for one in given}))


def _one_of(where: str, value: Any, known: Sequence[str]) -> Any:
    if _text(where, value) not in known:
        raise InputError(f"{where}: unknown value {nearest(value, known)}")
    return value


def _systems(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise InputError(f"regions.systems: expected a list, got {_kind(value)}")
    if not value:
        raise InputError("regions.systems: the list is empty; leave the key out to use all")
    return tuple(dict.fromkeys(_one_of("regions.systems", one, list(SYSTEMS)) for one in value))


def _controls(table: Record) -> tuple[str, ...]:
    if "controls" not in table:
        return ()
    used = _table("controls", table["controls"], ("use",)).get("use", [])
    if not isinstance(used, list):
        raise InputError(f"controls.use: expected a list, got {_kind(used)}")
    if not used:
        raise InputError(f"controls.use: name at least one of {', '.join(CONTROLS)}")
    return tuple(dict.fromkeys(_one_of("controls.use", one, list(CONTROLS)) for one in used))


def _resolution(regions: Record) -> Resolution:
    usual = Resolution()
    epsilon = regions.get("epsilon", usual.epsilon)
    if isinstance(epsilon, bool) or not isinstance(epsilon, int | float):
        raise InputError(f"regions.epsilon: expected a number, got {_kind(epsilon)}")
    if not 0 <= epsilon < 1:
        raise InputError(
            f"regions.epsilon: a share of the landscape's spread, at least 0 and below 1, "
            f"not {epsilon}"
        )
    return Resolution(
        bins=_count("regions.bins", regions.get("bins", usual.bins), least=2, most=1000),
        cells=_count("regions.cells", regions.get("cells", usual.cells), most=1_000_000),
        epsilon=float(epsilon),
    )


def _universe(table: Record) -> Space | None:
    if "universe" not in table:
        return None
    given = _table("universe", table["universe"], ("shared", "families"))
    for key, value in given.items():
        if not isinstance(value, dict):
            raise InputError(f"universe.{key}: expected a table, got {_kind(value)}")
    for key, value in given.get("families", {}).items():
        if not isinstance(value, dict):
            raise InputError(f"universe.families.{key}: expected a table, got {_kind(value)}")
    spaces: list[Space] = []
    _within("universe", lambda: spaces.append(Space.from_dict(given)))
    return spaces[0]


def _tables(where: str, value: Any) -> list[Record]:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise InputError(f"{where}: expected tables headed [[{where}]], got {_kind(value)}")
    if not value:
        raise InputError(f"{where}: there is none; add a [[{where}]] table")
    return value


def _part(kind: str, where: str, table: Record) -> Part:
    if "use" not in table:
        raise InputError(f'{where}: the key "use" is missing; it names what to use')
    use = _text(f"{where}.use", table["use"])
    _within(f"{where}.use", lambda: discovery.find(kind, use))
    label = _label(where, table.get("name", use))
    rest = {key: value for key, value in table.items() if key not in ("use", "name")}
    known = discovery.arguments(discovery.find(kind, use))
    _known(f"{where}: {label}", rest, list(known))
    return Part(kind, use, tuple((k, discovery.frozen(v)) for k, v in rest.items()), label)


def _label(where: str, value: Any) -> str:
    text = _text(f"{where}.name", value)
    if not text.strip() or "\n" in text or "\t" in text or len(text) > 200:
        raise InputError(f"{where}.name: a name is one line of at most 200 characters")
    return text


def _unique(where: str, labels: Sequence[str]) -> None:
    for label, count in Counter(labels).items():
        if count > 1:
            raise InputError(f'{where}: {count} are called "{label}"; give each a name of its own')


def _landscapes(table: Record, universe: Space | None, folder: Path) -> tuple[Part, ...]:
    given = _tables("landscapes", table.get("landscapes", []))
    parts = [_part("landscapes", "landscapes", one) for one in given]
    if universe is not None:
        if not any(takes(part, "space") for part in parts):
            raise InputError("universe: no landscape of this study takes a universe; leave it out")
        for part in parts:
            if takes(part, "space") and "space" in dict(part.arguments):
                raise InputError(f"landscapes: {part.label}: give either space here or [universe]")
        more = (("space", universe),)
        parts = [
            replace(p, arguments=p.arguments + more) if takes(p, "space") else p for p in parts
        ]
    expanded = [_placed(one, folder) for part in parts for one in _expanded(part)]
    _unique("landscapes", [part.label for part in expanded])
    return tuple(expanded)


def _placed(part: Part, folder: Path) -> Part:
    """Paths in a study file are relative to its folder."""
    places = discovery.places(discovery.find(part.kind, part.use))
    arguments = tuple(
        (k, str(folder / v) if k in places and isinstance(v, str) else v) for k, v in part.arguments
    )
    return replace(part, arguments=arguments)


def _expanded(part: Part) -> list[Part]:
    """A list of values where the landscape takes one value makes one landscape each."""
    types = discovery.arguments(discovery.find(part.kind, part.use))
    lists = {
        key: value
        for key, value in part.arguments
        if isinstance(value, tuple) and "tuple" not in str(types[key])
    }
    if not lists:
        return [part]
    if not all(lists.values()):
        raise InputError(f"landscapes: {part.label}: the list of values is empty")
    if math.prod(len(values) for values in lists.values()) > MOST_LANDSCAPES:
        raise InputError(
            f"landscapes: {part.label}: the lists make more than {MOST_LANDSCAPES:,} landscapes"
        )
    expanded = []
    for values in itertools.product(*lists.values()):
        chosen = dict(zip(lists, values, strict=True))
        arguments = tuple((k, chosen.get(k, v)) for k, v in part.arguments)
        words = [v if isinstance(v, str) else f"{k}={v}" for k, v in chosen.items()]
        named = part.label != part.use or not all(isinstance(v, str) for v in values)
        label = " ".join([part.label, *words] if named else words)
        expanded.append(Part(part.kind, part.use, arguments, label))
    return expanded


def _strategies(table: Record) -> tuple[Part, ...]:
    given = _tables("strategies", table.get("strategies", []))
    parts = tuple(_part("strategies", "strategies", one) for one in given)
    _unique("strategies", [part.label for part in parts])
    return parts


def _spaces(table: Record, landscapes: Sequence[Part]) -> tuple[SpaceSpec, ...]:
    given = table.get("spaces", {"universe": {}})
    if not isinstance(given, dict) or not given:
        raise InputError("spaces: expected tables such as [spaces.universe]")
    specs = tuple(_space(key, value, landscapes) for key, value in given.items())
    _unique("spaces", [spec.label for spec in specs])
    return specs


def _space(key: str, value: Any, landscapes: Sequence[Part]) -> SpaceSpec:
    where = f"spaces.{key}"
    given = _table(where, value, ("assume", "landscapes", "name"))
    chain = given.get("assume", [])
    if not isinstance(chain, list) or not all(isinstance(one, dict) for one in chain):
        raise InputError(f"{where}.assume: expected a list of tables {{ use = … }}")
    parts = tuple(_part("assumptions", f"{where}.assume", one) for one in chain)
    labels = [part.label for part in landscapes]
    named = given.get("landscapes", labels)
    if not isinstance(named, list):
        raise InputError(f"{where}.landscapes: expected a list, got {_kind(named)}")
    if not named:
        raise InputError(f"{where}.landscapes: the list is empty; leave the key out to use all")
    known = [*labels, *dict.fromkeys(part.use for part in landscapes)]
    for one in named:
        _one_of(f"{where}.landscapes", one, known)
    wanted = set(named)
    chosen = tuple(part.label for part in landscapes if {part.label, part.use} & wanted)
    return SpaceSpec(_label(where, given.get("name", key)), parts, chosen)


# --- hypotheses --------------------------------------------------------------------------------

_HYPOTHESIS = (
    *("name", "compare", "measure", "landscape", "space", "strategy", "budget"),
    *("direction", "rope", "expectation"),
)
MEASURED = ("total", "best", "observed")
DIRECTIONS = ("less", "greater", "two-sided")


def _hypotheses(table: Record, study: Study) -> tuple[Hypothesis, ...]:
    if "hypotheses" not in table:
        return ()
    given = _tables("hypotheses", table["hypotheses"])
    found = tuple(_hypothesis(number, one, study) for number, one in enumerate(given, 1))
    _unique("hypotheses", [one.name for one in found])
    return found


def _hypothesis(number: int, table: Record, study: Study) -> Hypothesis:
    name = _label("hypotheses", table.get("name", f"hypothesis {number}"))
    where = f"hypotheses: {name}"
    _known(where, table, _HYPOTHESIS)
    compared, first, second = _compared(where, table, study)
    if compared == "strategy":
        space, strategy = _held(f"{where}.space", table.get("space"), study.spaces), ""
    else:
        space, strategy = "", _held(f"{where}.strategy", table.get("strategy"), study.strategies)
    return Hypothesis(
        name=name,
        compared=compared,
        first=first,
        second=second,
        landscape=_place(where, table, study, (space,) if space else (first, second)),
        space=space,
        strategy=strategy,
        budget=_budget(where, table.get("budget", max(study.budgets)), study.budgets),
        measure=_one_of(f"{where}.measure", table.get("measure", "total"), MEASURED),
        direction=_one_of(f"{where}.direction", table.get("direction", "two-sided"), DIRECTIONS),
        rope=_rope(where, table.get("rope")),
        expectation=_text(f"{where}.expectation", table.get("expectation", "")),
    )


def _compared(
    where: str, table: Record, study: Study
) -> tuple[Literal["strategy", "space"], str, str]:
    """Spaces where a strategy is held the same, or where both names are of spaces only."""
    pair = table.get("compare")
    if not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(x, str) for x in pair)):
        raise InputError(f'{where}.compare: name two strategies or two spaces, as in ["a", "b"]')
    if pair[0] == pair[1]:
        raise InputError(f'{where}.compare: both are "{pair[0]}"; name two different ones')
    spaces = [one.label for one in study.spaces]
    strategies = [one.label for one in study.strategies]
    either = "strategy" not in table and "space" not in table
    among_spaces = "strategy" in table or (either and bool({*pair} & ({*spaces} - {*strategies})))
    if among_spaces and "space" in table:
        raise InputError(f"{where}.space: give either a strategy or a space; the other is compared")
    for one in pair:
        _one_of(f"{where}.compare", one, spaces if among_spaces else strategies)
    return ("space" if among_spaces else "strategy"), pair[0], pair[1]


def _held(where: str, value: Any, parts: Sequence[Part] | Sequence[SpaceSpec]) -> str:
    """The label that is given, or the only one that there is."""
    labels = [part.label for part in parts]
    if value is None and len(labels) > 1:
        raise InputError(f"{where}: the key is missing; name one of {', '.join(labels)}")
    return labels[0] if value is None else str(_one_of(where, value, labels))


def _place(where: str, table: Record, study: Study, spaces: Sequence[str]) -> str:
    """The landscape that is given, or the only one with these spaces; empty: all that have them."""
    used = [space for space in study.spaces if space.label in spaces]
    labels = [part.label for part in study.landscapes]
    places = [label for label in labels if all(label in space.landscapes for space in used)]
    if not places:
        raise InputError(f"{where}: no landscape has both spaces; see their key landscapes")
    if "landscape" in table:
        return str(_one_of(f"{where}.landscape", table["landscape"], places))
    return places[0] if len(places) == 1 else ""


def _budget(where: str, value: Any, budgets: Sequence[int]) -> int:
    budget = _count(f"{where}.budget", value)
    if budget not in budgets:
        known = ", ".join(map(str, budgets))
        raise InputError(f"{where}.budget: {budget} is not in runs.budget ({known})")
    return budget


def _rope(where: str, value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{where}.rope: expected a number, got {_kind(value)}")
    if not 0 <= value < math.inf:
        raise InputError(f"{where}.rope: must be at least 0 and finite, not {value}")
    return float(value)
