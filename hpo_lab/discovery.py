"""Finding plug-ins by name: modules of a package, entry points, and files named by the user.

One file adds one thing. A module ``nas_graph`` of a plug-in package holds one public class whose
``name`` is ``"nas_graph"``; files that begin with an underscore are private.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from functools import cache
from pathlib import Path
from typing import Any

from hpo_lab.errors import InputError, nearest

KINDS: Mapping[str, tuple[str, str]] = {  # kind -> (package, the protocol its classes name)
    "landscapes": ("landscapes", "Landscape"),
    "strategies": ("hpo_lab.optimizers", "Strategy"),
    "assumptions": ("hpo_lab.assumptions", "Assumption"),
    "measures": ("hpo_lab.measures", "Measure"),
    "figures": ("hpo_lab.figures", "Figure"),
}
_PLUGINS: dict[str, dict[str, type]] = {kind: {} for kind in KINDS}
_LOADED: list[Path] = []


def names(kind: str) -> list[str]:
    """Return the names of all plug-ins of a kind (a key of KINDS), sorted."""
    return sorted({*_modules(kind), *_entry_points(kind), *_PLUGINS[kind]})


def find(kind: str, name: str) -> Any:
    """Return the class of a plug-in; InputError with the nearest name if there is none."""
    if name in _PLUGINS[kind]:
        return _PLUGINS[kind][name]
    if name in _modules(kind):
        module = importlib.import_module(f"{KINDS[kind][0]}.{name}")
        return _classes(module, kind)[name]
    if name in _entry_points(kind):
        try:
            return _entry_points(kind)[name].load()
        except (ImportError, AttributeError) as error:
            where = _entry_points(kind)[name].value
            raise InputError(
                f'the {_singular(kind)} "{name}" of {where} cannot be loaded: {error}'
            ) from error
    raise InputError(f"there is no {_singular(kind)} {nearest(name, names(kind))}")


def _singular(kind: str) -> str:
    return {"strategies": "strategy"}.get(kind, kind[:-1])


def about(kind: str, name: str) -> str:
    """Return the first line of a plug-in's docstring."""
    return (find(kind, name).__doc__ or "").strip().split("\n")[0]


def make(kind: str, name: str, given: Mapping[str, Any]) -> Any:
    """Return a plug-in with the given arguments, checked against its fields.

    Raises InputError, one sentence, for an unknown argument or a value of the wrong type.
    """
    cls = find(kind, name)
    known = arguments(cls)
    for key in given:
        if key not in known:
            raise InputError(f'"{name}" has no argument {nearest(key, known)}')
    for key, field in _fields(cls).items():
        if field.default is MISSING and key not in given:
            raise InputError(f'"{name}" needs the argument "{key}"')
    names = {key: field.name for key, field in _fields(cls).items()}
    return cls(**{names[k]: _checked(k, known[k], value) for k, value in given.items()})


def arguments(cls: Any) -> dict[str, Any]:
    """Return the arguments of a plug-in class with their types.

    An argument has the name of its field, or what the field's metadata say:
    ``field(metadata={"argument": "observe"})``, where a method has that name already.
    """
    import typing

    types = typing.get_type_hints(cls)
    return {key: types[field.name] for key, field in _fields(cls).items()}


def _fields(cls: Any) -> dict[str, Field[Any]]:
    given = (field for field in fields(cls) if field.init)
    return {field.metadata.get("argument", field.name): field for field in given}


def places(cls: Any) -> set[str]:
    """Return the arguments of a plug-in class that are paths: what they hold is their identity."""
    found = _fields(cls).items()
    return {key for key, field in found if field.metadata.get("identity") == "content"}


def _checked(key: str, annotation: Any, value: Any) -> Any:
    """The value as its annotation says, lists as tuples; InputError where the type is another."""
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(annotation).validate_python(frozen(value), strict=True)
    except ValidationError as error:
        said = error.errors()[0]["msg"]
        raise InputError(f"{key}: {said[:1].lower() + said[1:]}, got {_shown(value)}") from None


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) < 80 else text[:77] + "…"


def frozen(value: Any) -> Any:
    """Return lists as tuples and tables as tuples of pairs, so that a plug-in is hashable."""
    if isinstance(value, dict):
        return tuple((key, frozen(one)) for key, one in value.items())
    return tuple(frozen(one) for one in value) if isinstance(value, list | tuple) else value


def load_plugin(path: str | Path) -> None:
    """Add every plug-in class that a person's own Python file defines; the file is executed.

    Raises InputError where the file is missing, cannot be executed, defines none, or takes a name
    that is in use.
    """
    path = Path(path).resolve()
    if not path.is_file():
        raise InputError(f"there is no plug-in file {path}")
    module_name = f"hpo_lab_plugin_{path.stem}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise InputError(f"{path} is not a Python file; a plug-in's name ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise InputError(f"the plug-in {_place(path, error)}: {_said(error)}") from error
    found = {kind: _classes(module, kind) for kind in KINDS}
    if not any(found.values()):
        raise InputError(f"{path} defines no landscape, strategy, assumption, measure or figure")
    for kind, classes in found.items():
        for name in classes:
            if name in _modules(kind) or name in _entry_points(kind):
                raise InputError(
                    f'{path}: there is a {_singular(kind)} "{name}" already; rename it'
                )
    for kind, classes in found.items():
        _PLUGINS[kind].update(classes)
    _LOADED.append(path)


def loaded() -> int:
    """Return how many plug-in files were loaded; what was made before the last may be outdated."""
    return len(_LOADED)


def _place(path: Path, error: Exception) -> str:
    """The file, with the line of it that raised."""
    import traceback

    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
    return f"{path}, line {line}" if line else str(path)


def _said(error: Exception) -> str:
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return " ".join(f"{type(error).__name__}: {text}".split())


@cache
def _modules(kind: str) -> tuple[str, ...]:
    package = importlib.import_module(KINDS[kind][0])
    found = (module.name for module in pkgutil.iter_modules(package.__path__))
    return tuple(sorted(name for name in found if not name.startswith("_")))


@cache
def _entry_points(kind: str) -> dict[str, Any]:
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=f"hpo_lab.{kind}")}


def _classes(module: Any, kind: str) -> dict[str, type]:
    """The plug-in classes that a module itself defines, by their ``name``."""
    protocol = KINDS[kind][1]
    return {
        cls.name: cls  # type: ignore[attr-defined]
        for cls in vars(module).values()
        if isinstance(cls, type)
        and cls.__module__ == module.__name__
        and protocol in {base.__name__ for base in cls.__mro__[1:]}
        and isinstance(getattr(cls, "name", None), str)
        and not cls.__name__.startswith("_")
    }
