"""Draws where each strategy looks: python -m experiments.paths [STRATEGY …].

Runs every strategy that is found on two landscapes, writes results/paths/index.html (or into
``--out``), one page that opens offline, and its pictures beside it. ``--keep`` also keeps the
numbers in ``summary`` and shows them in the README.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from experiments import markdown
from experiments.paths import page, walks
from experiments.paths.words import teaching
from hpo_lab import discovery
from hpo_lab.errors import InputError, nearest
from hpo_lab.figure import publish

HERE = Path(__file__).parent
README, KEPT = HERE / "README.md", HERE / "summary" / "paths.csv"


def chosen(names: Sequence[str]) -> list[str]:
    """Return the strategies named, all without names, random search first; InputError if wrong."""
    known = discovery.names("strategies")
    for name in names:
        if name not in known:
            raise InputError(f"there is no strategy {nearest(name, known)}")
    return sorted(names or known, key=lambda name: (name != "random", name))


def silent(name: str) -> str | None:
    """Return the sentence that says what a strategy's docstring leaves out, None if nothing."""
    try:
        teaching(name)
    except InputError as error:
        return str(error)
    return None


def main(arguments: list[str]) -> int:
    """Run, draw, write."""
    parser = argparse.ArgumentParser(prog="python -m experiments.paths")
    parser.add_argument("strategies", nargs="*", metavar="STRATEGY")
    parser.add_argument("--out", type=Path, default=Path("results") / "paths")
    parser.add_argument("--keep", action="store_true", help="keep the numbers in the project")
    given = parser.parse_args(arguments)
    try:
        names = chosen(given.strategies)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    taken, rows, left_out = {}, [], []
    for place, name in enumerate(names, start=1):
        begun = time.monotonic()
        if lacking := walks.lacking(name) or silent(name):
            left_out.append(lacking)
            print(f"{place} of {len(names)}: {name} is left out: {lacking}", flush=True)
            continue
        taken[name] = {scene.name: walks.walk(name, scene) for scene in walks.SCENES}
        rows.append(page.row(name, taken[name]))
        spent = time.monotonic() - begun
        print(f"{place} of {len(names)}: {name}, {spent:.1f} s", flush=True)
    table = pd.DataFrame(rows)
    print("drawing …", flush=True)
    print(f"page: {page.write(given.out, taken, table, left_out)}")
    if given.keep:
        keep(table)
    return 0


def keep(table: pd.DataFrame) -> None:
    """Keep the rows in place of those that these strategies had, and show them in the README."""
    known = chosen(())
    old = [pd.read_csv(KEPT)] if KEPT.is_file() else []
    old = [
        one[~one["strategy"].isin(table["strategy"]) & one["strategy"].isin(known)] for one in old
    ]
    every = pd.concat([*(one for one in old if len(one)), table])
    every = every.sort_values("strategy", key=lambda names: names.map(known.index))
    KEPT.parent.mkdir(exist_ok=True)
    publish(KEPT, every.to_csv(index=False, float_format="%.6g").encode())
    publish(README, shown(README.read_text(), pd.read_csv(KEPT)).encode())


def shown(readme: str, table: pd.DataFrame) -> str:
    """Return the README with the numbers between its marks."""
    blocks = []
    for scene in walks.SCENES:
        columns = page.columns(table, scene)
        rows = zip(*columns.values(), strict=True)
        blocks.append(f"{page.compared(table, scene)}\n\n{markdown.table(list(columns), rows)}")
    block = "\n\n".join([*blocks, page.NOTE])
    return markdown.filled(readme, {"numbers": block})


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
