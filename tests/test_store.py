"""Results are written whole or not at all, and damage is never silently used."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import pickle  # noqa: S403  (to show that it is not read)
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hpo_lab import store as module
from hpo_lab.errors import InputError
from hpo_lab.store import Damaged, Newer, Store, Trials, results_hash

IDENTITY = "0123456789abcdef" * 2
OTHER = "f" * 32


def some_trials(n: int = 5, width: int = 2) -> Trials:
    rng = np.random.default_rng(0)
    values = rng.random((n, width))
    values[::3] = np.nan
    observed = rng.random(n)
    observed[::4] = np.nan
    state = np.where(np.isnan(observed), 2, 0)
    return Trials(np.zeros(n, np.int64), values, np.arange(n), observed, observed, state, ("why",))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results")


@pytest.fixture
def small_head(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short provenance, so that a file has few bytes to damage."""
    monkeypatch.setattr(module, "provenance", lambda: {"python": "3"})


@pytest.fixture
def allocated() -> Iterator[Callable[[], int]]:
    """The most bytes that Arrow has held since the test began."""
    usual = pa.default_memory_pool()
    counting = pa.proxy_memory_pool(usual)
    pa.set_memory_pool(counting)
    yield lambda: counting.max_memory() or 0
    pa.set_memory_pool(usual)


@pytest.mark.parametrize(("n", "width"), [(5, 2), (1, 0), (0, 3), (300, 12)])
def test_what_is_read_is_what_was_written(store: Store, n: int, width: int) -> None:
    trials = some_trials(n, width)
    store.write(IDENTITY, trials, {"run": "a run"})
    back = store.read(IDENTITY)
    assert back.content == back.trials.content() == trials.content()
    assert back.trials.values.shape == trials.values.shape
    assert back.trials.messages == ("why",)
    assert back.provenance["run"] == "a run"
    assert [path.name for path in store.runs.iterdir()] == [f"{IDENTITY}.parquet"]


def test_the_content_changes_with_every_number_and_not_with_words(store: Store) -> None:
    trials = some_trials()
    contents = {trials.content()}
    for name in ("family", "values", "batch", "observed", "truth", "state"):
        array = getattr(trials, name).copy()
        array[1] += 1
        contents.add(dataclasses.replace(trials, **{name: array}).content())
    assert len(contents) == 7
    spoken = dataclasses.replace(trials, messages=("<object at 0x7f12>",))
    assert spoken.content() == trials.content()


def test_the_hash_of_results_does_not_depend_on_their_order() -> None:
    forth, back = {"a": "1", "b": "2"}, {"b": "2", "a": "1"}
    assert results_hash(forth) == results_hash(back) != results_hash({"a": "2", "b": "1"})


# --- damage ------------------------------------------------------------------------------------


def used_silently(store: Store, content: str) -> str:
    """How a file was read: "refused", "same", or "wrong"."""
    try:
        back = store.read(IDENTITY)
    except Damaged:
        return "refused"
    same = back.content == content and back.trials.content() == content
    return "same" if same and back.trials.messages == ("why",) else "wrong"


@pytest.mark.usefixtures("small_head")
def test_a_file_cut_short_at_any_byte_is_refused(store: Store) -> None:
    store.write(IDENTITY, some_trials(), {})
    whole = store.path(IDENTITY).read_bytes()
    read = set()
    for length in range(len(whole)):
        store.path(IDENTITY).write_bytes(whole[:length])
        read.add(used_silently(store, ""))
    assert read == {"refused"}


def flipped(store: Store, bits: np.ndarray, content: str) -> set[str]:
    whole = store.path(IDENTITY).read_bytes()
    read = set()
    for bit in bits.tolist():
        broken = bytearray(whole)
        broken[bit // 8] ^= 1 << bit % 8
        store.path(IDENTITY).write_bytes(broken)
        read.add(used_silently(store, content))
    return read


@pytest.mark.usefixtures("small_head")
def test_a_file_with_a_flipped_bit_is_refused(store: Store) -> None:
    trials = some_trials()
    store.write(IDENTITY, trials, {})
    bits = np.random.default_rng(1).choice(store.path(IDENTITY).stat().st_size * 8, 2000, False)
    assert flipped(store, bits, trials.content()) == {"refused"}


@pytest.mark.slow
@pytest.mark.usefixtures("small_head")
def test_a_file_with_any_flipped_bit_is_refused(store: Store) -> None:
    trials = some_trials(40, 5)
    store.write(IDENTITY, trials, {})
    bits = np.arange(store.path(IDENTITY).stat().st_size * 8)
    assert len(bits) > 10_000
    assert flipped(store, bits, trials.content()) == {"refused"}


def test_a_run_under_another_name_is_refused(store: Store) -> None:
    store.write(IDENTITY, some_trials(), {})
    store.path(IDENTITY).rename(store.path(OTHER))
    with pytest.raises(Damaged, match="another run"):
        store.read(OTHER)


def write_sealed(path: Path, table: pa.Table, head: dict[str, Any], **how: Any) -> None:
    """Write a table with a head of one's own, sealed as ours are."""
    file = pa.BufferOutputStream()
    how = {"compression": "none", "use_dictionary": False, "write_statistics": False} | how
    pq.write_table(table.replace_schema_metadata({b"hpo_lab": json.dumps(head)}), file, **how)
    path.write_bytes(module._sealed(file.getvalue().to_pybytes()))


def with_head(path: Path, **changes: Any) -> None:
    """Write a file again with another head."""
    table = pq.read_table(path)
    write_sealed(path, table, json.loads(table.schema.metadata[b"hpo_lab"]) | changes)


def test_a_newer_format_is_refused_by_its_name_in_one_sentence(store: Store) -> None:
    store.write(IDENTITY, some_trials(), {})
    with_head(store.path(IDENTITY), format=module.FORMAT + 1)
    with pytest.raises(Newer) as refused:
        store.read(IDENTITY)
    assert isinstance(refused.value, InputError)
    said = str(refused.value)
    assert f"format {module.FORMAT + 1}" in said
    assert str(store.path(IDENTITY)) in said
    assert "\n" not in said


@pytest.mark.usefixtures("small_head")
def test_a_damaged_format_is_not_a_newer_one(store: Store) -> None:
    store.write(IDENTITY, some_trials(), {})
    whole = store.path(IDENTITY).read_bytes()
    assert whole.count(b'"format": 1') == 1
    store.path(IDENTITY).write_bytes(whole.replace(b'"format": 1', b'"format": 9'))
    with pytest.raises(Damaged):
        store.read(IDENTITY)


@pytest.mark.parametrize(
    "changes",
    [{"messages": 3}, {"content": None}, {"provenance": 3}, {"format": "1"}, {"identity": OTHER}],
)
def test_a_sealed_head_of_the_wrong_kind_is_refused(store: Store, changes: dict[str, Any]) -> None:
    store.write(IDENTITY, some_trials(), {})
    with_head(store.path(IDENTITY), **changes)
    with pytest.raises(Damaged):
        store.read(IDENTITY)


def test_a_damaged_run_is_set_aside_and_the_others_are_read(store: Store) -> None:
    store.write(IDENTITY, some_trials(), {})
    store.write(OTHER, some_trials(), {})
    store.path(IDENTITY).write_bytes(b"PAR1")
    aside, stored = store.read_all([IDENTITY, OTHER, "a" * 32])
    assert aside == store.folder / "damaged" / f"{IDENTITY}.parquet"
    assert aside.read_bytes() == b"PAR1"
    assert not store.has(IDENTITY)
    assert not isinstance(stored, Path)
    assert stored.identity == OTHER
    assert store.set_aside(IDENTITY) == aside, "another process may have been faster"


@pytest.mark.parametrize("error", [errno.EMFILE, errno.EACCES, errno.EIO])
def test_trouble_of_the_system_is_not_damage(
    store: Store, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    store.write(IDENTITY, some_trials(), {})

    def refuse(*_: Any, **__: Any) -> Any:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(OSError, match=os.strerror(error)):
        store.read(IDENTITY)


# --- results of a stranger ---------------------------------------------------------------------


class Mischief:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (os.mkdir, (str(self.path),))


def test_a_pickle_is_not_executed(store: Store, tmp_path: Path) -> None:
    store.runs.mkdir(parents=True)
    store.path(IDENTITY).write_bytes(pickle.dumps(Mischief(tmp_path / "executed")))
    (aside,) = store.read_all([IDENTITY])
    assert isinstance(aside, Path)
    assert not (tmp_path / "executed").exists()


def test_a_link_is_set_aside_and_what_it_points_to_is_left_alone(
    store: Store, tmp_path: Path
) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine")
    store.runs.mkdir(parents=True)
    store.path(IDENTITY).symlink_to(precious)
    list(store.read_all([IDENTITY]))
    store.write(IDENTITY, some_trials(), {})
    assert precious.read_text() == "mine"
    assert store.read(IDENTITY).content == some_trials().content()


def test_names_that_are_no_identities_are_not_listed(store: Store) -> None:
    store.write(IDENTITY, some_trials(), {})
    for name in ("\x1b[2J", "notes", "0" * 31, "A" * 32):
        (store.runs / f"{name}.parquet").touch()
    assert store.identities() == [IDENTITY]


ROWS = 2_000_000
BOMBS: dict[str, tuple[Any, dict[str, Any]]] = {
    "compressed": (lambda: pa.array(np.zeros(ROWS)), {"compression": "zstd"}),
    "encoded": (lambda: pa.array(np.zeros(ROWS, np.int8)), {"use_dictionary": True}),
    "claims more": (lambda: pa.nulls(ROWS, pa.float64()), {}),
}


@pytest.mark.parametrize("reason", BOMBS)
def test_a_small_file_does_not_fill_the_memory(
    store: Store, reason: str, allocated: Callable[[], int]
) -> None:
    make, how = BOMBS[reason]
    head = {"format": 1, "identity": IDENTITY, "messages": [], "provenance": {}, "content": ""}
    store.runs.mkdir(parents=True)
    write_sealed(store.path(IDENTITY), pa.table({"truth": make()}), head, **how)
    assert store.path(IDENTITY).stat().st_size < 1e6
    assert allocated() > 1e6
    pa.set_memory_pool(counting := pa.proxy_memory_pool(pa.default_memory_pool()))
    with pytest.raises(Damaged, match=reason):
        store.read(IDENTITY)
    assert (counting.max_memory() or 0) < 2e6


# --- drafts ------------------------------------------------------------------------------------


def test_drafts_of_the_dead_are_swept_and_those_of_the_living_are_not(store: Store) -> None:
    store.write(IDENTITY, some_trials(), {})
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        dead.wait()
    host = module._host()
    drafts = {
        f".{OTHER}.{host}.{dead.pid}.tmp": False,
        f".{OTHER}.{host}.{os.getpid()}.tmp": True,
        f".{OTHER}.elsewhere.{dead.pid}.tmp": True,
    }
    for draft in drafts:
        (store.runs / draft).touch()
    old = store.runs / f".{IDENTITY}.elsewhere.1.tmp"
    old.touch()
    os.utime(old, (time.time() - 2 * module.STALE,) * 2)
    store.sweep()
    there = {path.name for path in store.runs.iterdir()}
    assert there == {f"{IDENTITY}.parquet"} | {name for name, kept in drafts.items() if kept}


@pytest.mark.parametrize("step", ["open", "write", "fsync", "replace"])
def test_a_disk_that_is_full_at_any_step_leaves_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def refuse(*_: Any) -> Any:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    store.runs.mkdir(parents=True)
    with monkeypatch.context() as patch:
        if step == "write":
            opened = Path.open
            patch.setattr(Path, "open", lambda *given: Full(opened(*given)))
        else:
            patch.setattr(os if step == "fsync" else Path, step, refuse)
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            store.write(IDENTITY, some_trials(), {})
    assert list(store.runs.iterdir()) == []
    store.write(IDENTITY, some_trials(), {})
    assert store.read(IDENTITY).content == some_trials().content()


class Full:
    """A file whose disk takes the first half of what is written."""

    def __init__(self, file: Any) -> None:
        self.file = file

    def __enter__(self) -> Full:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def write(self, data: bytes) -> None:
        self.file.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
