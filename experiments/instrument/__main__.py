"""Scores the instrument: `make score`, or python -m experiments.instrument.

Simulates every study anew, writes the tables into ``summary`` (or ``--out``) and, there, rewrites
what the README shows of them. Says how far it is, and about how long it will still take.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pandas as pd

from experiments.instrument import false_alarms, intervals, page, power, recovery, simulated

SUMMARY = Path(__file__).parent / "summary"


@dataclass(frozen=True)
class Task:
    """One call whose result goes into one table."""

    table: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...]


def tasks(share: float = 1.0) -> list[Task]:
    """Return all calls; with a share of the studies only."""

    def scaled(studies: int) -> int:
        return max(2, round(share * studies))

    kinds: dict[str, tuple[Callable[..., Any], Iterator[tuple[Any, ...]]]] = {
        "false_alarms": (
            false_alarms.simulate,
            false_alarms.jobs(scaled(false_alarms.STUDIES)),
        ),
        "again": (false_alarms.again, false_alarms.again_jobs(scaled(false_alarms.AGAIN_STUDIES))),
        "surface": (power.surface, power.surface_jobs(scaled(power.STUDIES))),
        "planted": (power.planted, power.planted_jobs(scaled(power.STUDIES))),
        "hidden": (power.hidden, power.hidden_jobs(scaled(power.HIDDEN_STUDIES))),
        "rules": (recovery.recover, recovery.jobs(scaled(recovery.STUDIES))),
        "rules_alarms": (recovery.clean, recovery.clean_jobs(scaled(recovery.CLEAN_STUDIES))),
        "coverage": (intervals.coverage, intervals.coverage_jobs(scaled(intervals.STUDIES))),
        "crossings": (intervals.crossing, intervals.crossing_jobs(scaled(intervals.STUDIES))),
    }
    found = [Task(name, f, a) for name, (f, jobs) in kinds.items() for a in jobs]
    # long and short ones mixed, so that the time left can be judged by what is done
    order = simulated.generator("order").permutation(len(found))
    return [found[i] for i in order]


def table(name: str, results: list[Any]) -> pd.DataFrame:
    """Return the table of one kind of tasks, its rows in the order of their settings."""
    if name == "false_alarms":
        frame = false_alarms.table(results)
    else:
        rows = [row for one in results for row in (one if isinstance(one, list) else [one])]
        frame = pd.DataFrame(rows)
    return frame.sort_values(page.KEYS[name], kind="stable", ignore_index=True)


def computed(given: list[Task], workers: int) -> dict[str, pd.DataFrame]:
    """Run all tasks on so many processes; return their tables by name."""
    results: dict[str, list[Any]] = defaultdict(list)
    begun = shown = time.monotonic()
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        running = {pool.submit(task.function, *task.arguments): task for task in given}
        for done, future in enumerate(as_completed(running), start=1):
            results[running[future].table].append(future.result())
            now = time.monotonic()
            if now - shown > 10 or done == len(given):
                left = (now - begun) / done * (len(given) - done)
                print(f"{done} of {len(given)}, {_words(now - begun)}; {_words(left)} left")
                sys.stdout.flush()
                shown = now
    return {name: table(name, found) for name, found in results.items()}


def _words(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def main(arguments: list[str]) -> None:
    """Score, write, show."""
    parser = argparse.ArgumentParser(prog="python -m experiments.instrument")
    parser.add_argument("--out", type=Path, default=SUMMARY, help="folder for the tables")
    parser.add_argument("--share", type=float, default=1.0, help="of the studies, for a trial")
    parser.add_argument("--only", nargs="*", default=None, help="names of tables")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args(arguments)
    # set before the workers import numpy: parallelism is across tasks, not inside one
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    chosen = [t for t in tasks(given.share) if given.only is None or t.table in given.only]
    given.out.mkdir(parents=True, exist_ok=True)
    for name, frame in computed(chosen, given.workers).items():
        frame.to_csv(given.out / f"{name}.csv", index=False, float_format="%.6g")
    if given.out == SUMMARY:
        page.renew(SUMMARY)


if __name__ == "__main__":
    main(sys.argv[1:])
