"""DEAP's operators over a generator of the search's own.

DEAP draws from Python's global generator. Its functions are taken with their code and in a
namespace in which ``random`` is another one, so that the global generator is neither read nor
moved, by any thread, and nothing has to be swapped and restored (which took half of the time).
"""

from __future__ import annotations

import random
from functools import lru_cache
from types import CodeType, FunctionType, ModuleType, SimpleNamespace
from typing import Any


def operators(own: random.Random) -> SimpleNamespace:
    """Return the operators of DEAP that our genetic algorithm uses, drawing from ``own``.

    >>> before = random.getstate()
    >>> genes = [0.5, 0.5]
    >>> operators(random.Random(1)).gaussian(genes, 0.0, 0.1, 1.0) == (genes,), genes[0] == 0.5
    (True, False)
    >>> random.getstate() == before
    True
    """
    from deap.tools import crossover, mutation, selection

    select, cross, mutate = (_over(module, own) for module in (selection, crossover, mutation))
    return SimpleNamespace(
        tournament=select["selTournament"],
        uniform=cross["cxUniform"],
        blend=cross["cxBlend"],
        gaussian=mutate["mutGaussian"],
        uniform_int=mutate["mutUniformInt"],
    )


def _over(module: ModuleType, own: random.Random) -> dict[str, Any]:
    """The names of a module, its functions drawing from ``own``, each other's calls included."""
    names = {**vars(module), "random": own}
    for name, code, defaults in _functions(module):
        names[name] = FunctionType(code, names, name, defaults)
    return names


@lru_cache(maxsize=8)
def _functions(module: ModuleType) -> list[tuple[str, CodeType, tuple[Any, ...] | None]]:
    """The functions that a module itself defines, with nothing wrapped around them."""
    return [
        (name, one.__code__, one.__defaults__)
        for name, one in vars(module).items()
        if isinstance(one, FunctionType)
        and one.__module__ == module.__name__
        and one.__closure__ is None
    ]
