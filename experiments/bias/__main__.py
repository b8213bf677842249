"""The f0 self-test of every strategy, as cards: python -m experiments.bias [STRATEGY …].

Runs what is missing (results/bias; run again is resume), writes the rows of each strategy into
``summary`` as soon as they are there, and rewrites the pictures and the README's cards. With names
only the rows of those strategies change.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from experiments.bias import page
from experiments.bias.cards import Card, cards, measured, missing
from hpo_lab import discovery
from hpo_lab.errors import InputError, nearest
from hpo_lab.figure import publish


def chosen(names: Sequence[str]) -> list[Card]:
    """Return the cards of the strategies named, all without names; InputError for a wrong one."""
    known = discovery.names("strategies")
    for name in names:
        if name not in known:
            raise InputError(f"there is no strategy {nearest(name, known)}")
    return [card for card in cards() if not names or card.strategy in names]


def keep(card: Card, bias: pd.DataFrame, density: pd.DataFrame, folder: Path) -> None:
    """Put a card's rows into the kept tables, in place of those that it had."""
    order = {one.title: place for place, one in enumerate(cards())}
    for name, own in (("bias", bias), ("density", density)):
        path = folder / f"{name}.csv"
        kept = [] if not path.is_file() else [page.table(path)]
        kept = [one[(one["card"] != card.title) & one["card"].isin(list(order))] for one in kept]
        frame = pd.concat([*(one for one in kept if len(one)), own], ignore_index=True)
        frame["order"] = frame["card"].map(order)
        frame = frame.sort_values("order", kind="stable").drop(columns="order")
        publish(path, written(frame).encode())


def written(frame: pd.DataFrame) -> str:
    """Return a table as it is kept."""
    return str(frame.to_csv(index=False, float_format="%.6g", na_rep="nan"))


def main(arguments: list[str]) -> int:
    """Run, keep, show."""
    from hpo_lab.harness import progress_bar

    parser = argparse.ArgumentParser(prog="python -m experiments.bias")
    parser.add_argument("strategies", nargs="*", metavar="STRATEGY")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args(arguments)
    try:
        wanted = chosen(given.strategies)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    page.SUMMARY.mkdir(exist_ok=True)
    for card in wanted:
        if lacking := missing(card):
            print(f"{card.title}: left out, {lacking}", flush=True)
            continue
        begun = time.monotonic()
        with progress_bar() as progress:
            bias, density = measured(card, workers=given.workers, progress=progress)
        keep(card, bias, density, page.SUMMARY)
        page.renew()
        print(f"{card.title}: {_verdicts(bias)} ({time.monotonic() - begun:.0f} s)", flush=True)
    return 0


def _verdicts(bias: pd.DataFrame) -> str:
    if not bias["tests"].any():
        return "one sample, not tested"
    found = bias[bias["biased"] > 0]
    parts = [f"{t} in {d}" for t, d in zip(found["towards"], found["dimension"], strict=True)]
    return "; ".join(parts) or "no bias found"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
