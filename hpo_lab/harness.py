"""Running studies: ``execute`` is the only loop, ``campaign`` spreads runs over processes."""

from __future__ import annotations

import contextlib
import errno
import itertools
import math
import os
import sys
import time
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from hpo_lab import discovery
from hpo_lab.errors import InputError
from hpo_lab.landscape import OK, STATES, Problem
from hpo_lab.optimizer import Strategy
from hpo_lab.space import Ints, Points
from hpo_lab.store import Damaged, Store, Trials
from hpo_lab.study import Run, Study

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

ATTEMPTS = 3  # how often a run is tried when the process that runs it dies
MESSAGES = 20  # different ones that are kept of a run
ONE_THREAD = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)


class StrategyError(RuntimeError):
    """A strategy broke its contract: a bug of the strategy, so never hidden."""


def execute(
    problem: Problem,
    strategy: Strategy,
    budget: int,
    rng: np.random.Generator,
    repetition: int = 0,
) -> Trials:
    """Run one search and return its trials; the search sees the declared space and nothing else.

    Raises StrategyError where the strategy asks for more than is left or for points elsewhere.
    """
    space = problem.view.declared
    search = strategy.start(space, budget, rng)
    counts = _Replicates() if problem.landscape.stochastic else None
    asked: list[Points] = []
    answers = []
    left = budget
    while left > 0:
        points = search.ask()
        if len(points) == 0:
            break
        if len(points) > left or not space.contains(points).all():
            raise StrategyError(f'strategy "{strategy.name}" asked for points it may not have')
        kept = Points(space, points.family.copy(), points.values.copy())
        replicate = counts.next(kept) if counts else None
        answer = problem.answer(kept, repetition, replicate)
        search.tell(points, answer.observed.copy())  # what is recorded is out of its reach
        asked.append(kept)
        answers.append(answer)
        left -= len(points)
    if not asked:
        nothing = np.empty(0)
        none = np.empty(0, dtype=np.int64)
        return Trials(none, np.empty((0, space.width)), none, nothing, nothing, none)
    points = Points.concatenate(asked)
    return Trials(
        family=points.family,
        values=points.values,
        batch=np.repeat(np.arange(len(asked)), [len(batch) for batch in asked]),
        observed=np.concatenate([answer.observed for answer in answers]),
        truth=np.concatenate([answer.truth for answer in answers]),
        state=np.concatenate([answer.state for answer in answers]),
        messages=_first(dict.fromkeys(m for answer in answers for m in answer.messages)),
    )


def _first(messages: Iterable[str]) -> tuple[str, ...]:
    """The first few: a message that names its point would be as many as there are trials."""
    return tuple(itertools.islice(messages, MESSAGES))


class _Replicates:
    """Numbers the visits of each point within a run, so that a second look meets new noise."""

    def __init__(self) -> None:
        self._seen: dict[bytes, int] = {}

    def next(self, points: Points) -> Ints:
        numbers = []
        for key in points.keys():  # noqa: SIM118  (an array of keys, not a dictionary)
            number = self._seen.get(key.tobytes(), 0)
            self._seen[key.tobytes()] = number + 1
            numbers.append(number)
        return np.array(numbers, dtype=np.int64)


# --- campaigns ---------------------------------------------------------------------------------


@dataclass
class Outcome:
    """What a campaign came to."""

    done: int = 0  # runs that were there already
    ran: int = 0
    failures: int = 0  # failed trials among those that ran
    damaged: list[Path] = field(default_factory=list)  # set aside and run again
    foreign: list[str] = field(default_factory=list)  # runs of the folder that are not the study's
    lost: list[str] = field(default_factory=list)  # runs whose process died every time
    seconds: float = 0.0


class Progress(Protocol):
    """What is told how a campaign gets on."""

    def __call__(self, done: int, total: int, seconds: float | None, /) -> None: ...


@dataclass(frozen=True, slots=True)
class Done:
    """A run that was stored: how many of its trials failed and how long it took."""

    identity: str
    failures: int = 0
    seconds: float = math.nan


class _Clock:
    """Estimates the time left from the mean time of each strategy's runs."""

    def __init__(self, missing: Sequence[Run], workers: int) -> None:
        self._workers = workers
        self._left = Counter(run.arm.strategy.label for run in missing)
        self._spent: dict[str, list[float]] = {label: [] for label in self._left}

    def count(self, run: Run, seconds: float) -> None:
        label = run.arm.strategy.label
        self._left[label] -= 1
        if not math.isnan(seconds):
            self._spent[label].append(seconds)

    def left(self) -> float | None:
        """Seconds left; None while a strategy with runs to do has not finished one."""
        total = 0.0
        for label, count in self._left.items():
            spent = self._spent[label]
            if count and not spent:
                return None
            total += count * sum(spent) / max(len(spent), 1)
        return total / self._workers


NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


class DiskFull(OSError):
    """There is no room for results; what is there stays good, and the campaign can go on later."""


def campaign(
    study: Study,
    folder: Path,
    *,
    workers: int = 1,
    progress: Progress | None = None,
    executor: Executor | None = None,
    plugins: Sequence[str] = (),
) -> Outcome:
    """Run what is missing of a study into a results folder; run again is resume.

    ``progress(done, total, seconds)`` is called as runs finish, with an estimate of the seconds
    left, None until every strategy has finished a run. ``executor`` is any concurrent.futures
    executor (a dask client's, say); by default ``workers`` local processes, each with one BLAS
    thread. Raises DiskFull where there is no room left.
    """
    store = Store(folder)
    outcome = Outcome()
    start = time.monotonic()
    plugins = [str(Path(plugin).resolve()) for plugin in plugins]
    report = progress or (lambda done, total, seconds: None)
    try:
        _made(store)
        missing = _survey(study, store, outcome)
        total = len(missing)
        report(0, total, None)
        clock = _Clock(missing, workers)
        steps = _completed(missing, store, workers, executor, plugins, outcome)
        with contextlib.closing(steps):
            for done in steps:
                outcome.ran += 1
                outcome.failures += done.failures
                clock.count(study.runs[done.identity], done.seconds)
                report(outcome.ran + len(outcome.lost), total, clock.left())
        if outcome.lost:
            report(total, total, 0.0)
    except OSError as error:
        if error.errno in NO_ROOM:
            raise DiskFull(error.errno, f"no room for results in {folder}") from error
        raise
    finally:
        store.sweep()  # workers that were stopped leave drafts, like killed ones
    outcome.seconds = time.monotonic() - start
    return outcome


def _made(store: Store) -> None:
    """Make the results folder and clear it of what dead processes left."""
    try:
        store.runs.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if error.errno in NO_ROOM:
            raise
        raise InputError(f"no results can be written to {store.runs}: {error.strerror}") from None
    store.sweep()


def _survey(study: Study, store: Store, outcome: Outcome) -> list[Run]:
    """The runs that are missing: one of each strategy first, for the estimate, then mixed."""
    missing: list[Run] = []
    for identity, run in sorted(study.runs.items()):
        if store.has(identity):
            try:
                store.read(identity)
                outcome.done += 1
                continue
            except Damaged:
                outcome.damaged.append(store.set_aside(identity))
        missing.append(run)
    outcome.foreign = [i for i in store.identities() if i not in study.runs]
    pilots = {run.arm.strategy.label: run for run in reversed(missing)}.values()
    return [*pilots, *(run for run in missing if run not in pilots)]


def _completed(
    missing: list[Run],
    store: Store,
    workers: int,
    executor: Executor | None,
    plugins: Sequence[str],
    outcome: Outcome,
) -> Generator[Done]:
    """Yield each run as it is stored, whatever dies meanwhile."""
    if executor is not None:
        yield from _spread(executor, missing, store, workers, plugins, cancel=True)
        return
    left = {run.identity: run for run in missing}
    while left:
        try:
            with _processes(min(workers, len(left))) as pool:
                for done in _spread(pool, list(left.values()), store, workers, plugins):
                    del left[done.identity]
                    yield done
        except BrokenProcessPool:
            # The first unfinished chunks were in the hands of the pool; its death says not whose
            # fault it was, so these go one by one, until it is known.
            suspects = list(left)[: _chunk(len(left), workers) * (workers + 2)]
            yield from _one_by_one([left.pop(one) for one in suspects], store, plugins, outcome)


_NO_START = (
    "the worker processes die as they start; a script has to call this under "
    'if __name__ == "__main__":, and memory must not be short'
)


def _one_by_one(
    suspects: list[Run], store: Store, plugins: Sequence[str], outcome: Outcome
) -> Iterator[Done]:
    """Yield runs as one process finishes them; the first that is left when it dies is guilty."""
    attempts = Counter(run.identity for run in suspects)  # each may have been tried already
    while suspects:
        try:
            with _processes(1) as pool:
                with _deaf():
                    hello = pool.submit(os.getpid)
                for run in list(suspects):
                    yield from _spread(pool, [run], store, 1, plugins)
                    suspects.remove(run)
        except BrokenProcessPool:
            if hello.exception() is not None:
                raise InputError(_NO_START) from None
            guilty = suspects[0]
            attempts[guilty.identity] += 1
            if attempts[guilty.identity] >= ATTEMPTS:
                outcome.lost.append(guilty.title)
                suspects.remove(guilty)


def _spread(
    executor: Executor,
    runs: Sequence[Run],
    store: Store,
    workers: int,
    plugins: Sequence[str],
    cancel: bool = False,
) -> Iterator[Done]:
    """Submit runs in chunks: large enough to pay for the trip, small enough to show progress.

    ``cancel`` what is left when this ends early. A pool of ours cancels its own futures; it would
    trip over one that is cancelled while it breaks.
    """
    size = _chunk(len(runs), workers)
    chunks = [runs[i : i + size] for i in range(0, len(runs), size)]
    with _deaf():
        futures: list[Future[list[Done]]] = [
            executor.submit(_work, chunk, store, tuple(plugins)) for chunk in chunks
        ]
    try:
        for future in as_completed(futures):
            yield from future.result()
    finally:
        for future in futures if cancel else ():
            future.cancel()


def _chunk(runs: int, workers: int) -> int:
    return min(max(runs // (workers * 50), 1), 25)


def _work(runs: Sequence[Run], store: Store, plugins: tuple[str, ...]) -> list[Done]:
    """What a worker does: execute runs and publish each as it is finished."""
    for plugin in plugins:
        _plugged(plugin)
    done = []
    for run in runs:
        if store.has(run.identity):  # by another process, or by one that died a moment later
            done.append(Done(run.identity))
            continue
        strategy: Strategy = run.arm.strategy.make()
        start, cpu_start = time.monotonic(), time.process_time()
        trials = execute(
            run.problem,
            strategy,
            run.arm.spent,
            run.generator(),
            run.repetition,
        )
        seconds = time.monotonic() - start
        cpu_seconds = time.process_time() - cpu_start  # what others do meanwhile is not in it
        took = {"seconds": round(seconds, 6), "cpu_seconds": round(cpu_seconds, 6)}
        store.write(run.identity, trials, {"run": run.title, **took})
        failures = int((trials.state != STATES.index(OK)).sum())
        done.append(Done(run.identity, failures, seconds))
    return done


@cache
def _plugged(plugin: str) -> None:
    discovery.load_plugin(plugin)


@contextlib.contextmanager
def _processes(workers: int) -> Iterator[ProcessPoolExecutor]:
    """A pool of fresh processes with one BLAS thread each, that end when this process does.

    They hold one end of a pipe. Its other end closes when this process ends, however it ends, and
    when it stops early: then they leave at once, whatever they are at.
    """
    import multiprocessing

    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    pool = ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(theirs,))
    saved = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    try:
        yield pool
    except BaseException:
        ours.close()
        raise
    finally:
        for name, value in saved.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
        pool.shutdown(wait=True, cancel_futures=True)
        ours.close()
        theirs.close()


def _begin(lifeline: Connection) -> None:
    """What a worker does first: print where it spoils nothing, and watch for the end."""
    import signal
    import threading

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    os.dup2(2, 1)  # a landscape's prints may not mix with what the command prints

    def watch() -> None:
        with contextlib.suppress(OSError):
            lifeline.poll(None)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """Hold back Ctrl-C while processes are started: it would hit them half-way, and loudly."""
    import signal
    from multiprocessing import resource_tracker

    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # it starts with the first process and hears everything
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def progress_bar() -> Iterator[Progress]:
    """A progress callback that draws a bar with an estimate on standard error."""
    from tqdm import tqdm

    bar: tqdm[Any] | None = None

    def report(done: int, total: int, seconds: float | None) -> None:
        nonlocal bar
        if bar is None and total:
            quiet = not sys.stderr.isatty()
            bar = tqdm(
                total=total,
                file=sys.stderr,
                mininterval=5.0 if quiet else 0.1,
                ascii=quiet,
                bar_format="{percentage:3.0f}% |{bar:24}| {n}/{total} runs, {elapsed}{postfix}",
            )
        if bar is not None:
            left = "estimating" if seconds is None else f"about {in_words(seconds)} left"
            bar.set_postfix_str(left, refresh=False)
            bar.update(done - bar.n)

    try:
        yield report
    finally:
        if bar is not None:
            bar.close()


def in_words(seconds: float) -> str:
    """Return a duration in words.

    >>> in_words(42.3), in_words(600), in_words(9000)
    ('42 s', '10 min', '2.5 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
