"""The table of all strategies in hpo_lab/optimizers: python -m experiments.paths.table.

Everything in it comes from the strategies themselves: from their fields and docstrings, and from
starting and asking them. A strategy whose package is missing keeps the row that it had.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np

import hpo_lab
from experiments import markdown
from experiments.paths.walks import lacking
from experiments.paths.words import citation
from hpo_lab import discovery
from hpo_lab.errors import InputError
from hpo_lab.figure import publish
from hpo_lab.space import Real, Space
from hpo_lab.testing.spaces import KINDS_OF_SPACE

README = Path(hpo_lab.__file__).parent / "optimizers" / "README.md"
HEAD = ("strategy", "what it is", "spaces", "settings", "batch", "requests", "libraries", "source")
ASKED = 45  # evaluations of the run that shows the sizes of batches


def row(name: str) -> list[str]:
    """Return a strategy's row; InputError where its package is missing."""
    kind = discovery.find("strategies", name)
    return [
        f"[`{name}`]({name}.py)",
        discovery.about("strategies", name).replace("``", "`").removesuffix("."),
        _spaces(name),
        _settings(kind),
        _batches(name),
        _repeats(kind),
        ", ".join(f"`{one}`" for one in kind.libraries) or "–",
        citation(name),
    ]


def _spaces(name: str) -> str:
    strategy, refused = discovery.make("strategies", name, {}), []
    for kind, space in KINDS_OF_SPACE.items():
        try:
            strategy.start(space, ASKED, np.random.default_rng(0))
        except InputError:
            refused.append(kind)
    return f"not {', '.join(refused)}" if refused else "all"


def _settings(kind: type) -> str:
    given = dataclasses.fields(kind)
    words = [f"`{one.name} = {_toml(one.default)}`" for one in given if one.init]
    return ", ".join(words) or "–"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return repr(round(value, 6))
    return f'"{value}"' if isinstance(value, str) else str(value)


def _batches(name: str) -> str:
    """The sizes of the batches of one run, the last aside, which is cut to the budget."""
    space = Space.box(*[Real(f"x{i}", -5.0, 5.0) for i in range(1, 6)])
    recipe = discovery.make("strategies", name, {})
    search, rng = recipe.start(space, ASKED, np.random.default_rng(1)), np.random.default_rng(2)
    sizes: list[int] = []
    while sum(sizes) < ASKED and len(asked := search.ask()):
        sizes.append(len(asked))
        search.tell(asked, rng.random(len(asked)))
    if len(sizes) == 1:
        return "all"
    later = sorted(set(sizes[1:-1]))
    span = f"{later[0]}–{later[-1]}" if len(later) > 1 else str(later[0])
    return span if later == [sizes[0]] else f"{sizes[0]}, then {span}"


def _repeats(kind: type) -> str:
    """What its flags promise: the same points for all seeds, or a prefix for less budget."""
    found = ["deterministic"] * kind.deterministic  # type: ignore[attr-defined]
    found += ["anytime"] if kind.anytime else ["plans ahead"]  # type: ignore[attr-defined]
    return ", ".join(found)


def kept(readme: str) -> dict[str, list[str]]:
    """Return the rows of the README's table by strategy."""
    rows = [line.strip("| ").split(" | ") for line in readme.splitlines() if line.startswith("| [")]
    return {re.sub(r"\W*(\w+).*", r"\1", cells[0]): cells for cells in rows}


def shown(readme: str) -> str:
    """Return the README with the table made anew."""
    old = kept(readme)
    rows = [
        old[name] if lacking(name) and name in old else row(name)
        for name in discovery.names("strategies")
    ]
    return markdown.filled(readme, {"strategies": markdown.table(HEAD, rows, len(HEAD))})


if __name__ == "__main__":
    publish(README, shown(README.read_text()).encode())
    print(README)
