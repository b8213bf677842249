"""The only reader and writer of results: one checksummed Parquet file a run, published atomically.

A results folder is the database: ``runs/<identity>.parquet`` and nothing else that is read. A run
that is there is done. Nothing in a result file is ever executed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import re
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from hpo_lab.errors import InputError
from hpo_lab.space import Floats, Ints, Record

FORMAT = 1  # of the files; a newer one is refused by name
STALE = 3600.0  # seconds after which a draft is nobody's; writing one takes far less
OF_ONE_RUN = ("run", "seconds", "cpu_seconds")  # of the provenance; the rest may be shared
_KEY = b"hpo_lab"  # the entry of the Parquet metadata that holds ours
_IDENTITY = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True, slots=True, eq=False)
class Trials:
    """What one run evaluated, in order; n trials in a declared space of some width.

    ``family`` (n,) and ``values`` (n, width) are the declared points (inactive nan), ``batch``
    (n,) numbers the requests, ``observed`` and ``truth`` (n,) are nan where ``state`` (n,), an
    index into ``landscape.STATES``, is not ok. ``messages`` says what was raised.
    """

    family: Ints
    values: Floats
    batch: Ints
    observed: Floats
    truth: Floats
    state: Ints
    messages: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.family)

    def content(self) -> str:
        """Return a hash of what happened; equal whenever the trials are.

        The messages are left out: what a landscape says when it raises may hold an address or a
        time, which differ from one execution to the next.
        """
        digest = hashlib.sha256()
        for array in (self.family, self.batch, self.state):
            digest.update(np.ascontiguousarray(array, dtype="<i8").tobytes())
        for floats in (self.values, self.observed, self.truth):
            plain = np.ascontiguousarray(floats, dtype="<f8") + 0.0
            plain[np.isnan(plain)] = np.nan  # one bit pattern
            digest.update(repr(plain.shape).encode() + plain.tobytes())
        return digest.hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """A run as it was read back."""

    identity: str
    trials: Trials
    content: str
    provenance: Record


class Damaged(Exception):
    """A result file whose contents are not what was written."""


class Newer(InputError):
    """A result file of a later format than this version reads."""


@lru_cache(maxsize=1)
def provenance() -> Record:
    """Return what a result depends on besides its identity: versions, BLAS, processor flags."""
    from importlib.metadata import distributions

    numpy_build = np.show_config(mode="dicts")
    blas = numpy_build.get("Build Dependencies", {}).get("blas", {})
    packages = sorted({f"{d.metadata['Name']}=={d.version}" for d in distributions()})
    return {
        "python": sys.version.split()[0],
        "machine": platform.machine(),
        "system": platform.system(),
        "blas": f"{blas.get('name', '?')} {blas.get('version', '?')}",
        "simd": ",".join(numpy_build.get("SIMD Extensions", {}).get("found", [])),
        "packages": packages,
    }


@dataclass(frozen=True, slots=True)
class Store:
    """A results folder."""

    folder: Path

    @property
    def runs(self) -> Path:
        return self.folder / "runs"

    def path(self, identity: str) -> Path:
        """Return where the run of that identity is kept."""
        return self.runs / f"{identity}.parquet"

    def has(self, identity: str) -> bool:
        """Return whether the run is there (unread)."""
        return self.path(identity).is_file()

    def identities(self) -> list[str]:
        """Return the identities of all runs in the folder, sorted."""
        names = (path.stem for path in self.runs.glob("*.parquet"))
        return sorted(name for name in names if _IDENTITY.fullmatch(name))

    def write(self, identity: str, trials: Trials, about: Record) -> None:
        """Publish a run: all of it or nothing, whatever happens in between.

        ``about`` is what a person may want to know of the run; it identifies nothing.
        """
        self.runs.mkdir(parents=True, exist_ok=True)
        draft = self.runs / f".{identity}.{_host()}.{os.getpid()}.tmp"
        try:
            with draft.open("wb") as file:
                file.write(_encoded(identity, trials, about))
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.path(identity))
        finally:
            draft.unlink(missing_ok=True)

    def read(self, identity: str) -> Stored:
        """Return a run; Damaged where it does not match its checksum, Newer for a later format.

        An OSError is not the file's fault (no permission, too many open files) and is passed on.
        """
        return _decoded(self.path(identity), identity)

    def read_all(self, identities: Iterable[str]) -> Iterator[Stored | Path]:
        """Yield the runs that are there; for a damaged one the path that it was set aside to."""
        for identity in identities:
            if self.has(identity):
                try:
                    yield self.read(identity)
                except Damaged:
                    yield self.set_aside(identity)
                except FileNotFoundError:
                    continue  # another process has just set it aside

    def set_aside(self, identity: str) -> Path:
        """Move a damaged run out of the way, so that it is run again, and return where to."""
        aside = self.folder / "damaged"
        aside.mkdir(exist_ok=True)
        target = aside / self.path(identity).name
        with contextlib.suppress(FileNotFoundError):  # another process has done it already
            self.path(identity).replace(target)
        return target

    def sweep(self) -> None:
        """Remove the drafts that dead processes left behind, and no living one's."""
        for draft in self.runs.glob(".*.tmp"):
            with contextlib.suppress(FileNotFoundError):
                if _abandoned(draft):
                    draft.unlink()


def _host() -> str:
    """The machine's name as part of a draft's: process numbers mean nothing on another one."""
    return re.sub("[^A-Za-z0-9-]", "-", platform.node()) or "-"


def _abandoned(draft: Path) -> bool:
    """Whether the process that began a draft is dead, or has had far more time than it needs."""
    *_, host, pid, _ = draft.name.split(".")
    dead = host == _host() and pid.isdigit() and not _alive(int(pid))
    return dead or time.time() - draft.lstat().st_mtime > STALE


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _encoded(identity: str, trials: Trials, about: Record) -> bytes:
    """A run as the bytes of its file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {
        "family": pa.array(trials.family, pa.int32()),
        "batch": pa.array(trials.batch, pa.int32()),
        "state": pa.array(trials.state, pa.int8()),
        "observed": pa.array(trials.observed, pa.float64()),
        "truth": pa.array(trials.truth, pa.float64()),
    }
    columns |= {f"x{i}": pa.array(trials.values[:, i]) for i in range(trials.values.shape[1])}
    head = {
        "format": FORMAT,
        "identity": identity,
        "messages": list(trials.messages),
        "provenance": provenance() | about,
        "content": trials.content(),
    }
    table = pa.table(columns).replace_schema_metadata({_KEY: json.dumps(head)})
    file = pa.BufferOutputStream()
    pq.write_table(
        table,
        file,
        compression="none",  # so that no file is larger in memory than it is on the disk
        use_dictionary=False,
        write_statistics=False,
    )
    return _sealed(file.getvalue().to_pybytes())


def _footer(data: bytes) -> int:
    """Where the footer of a Parquet file begins."""
    return len(data) - 8 - int.from_bytes(data[-8:-4], "little")


def _sealed(data: bytes) -> bytes:
    """A Parquet file with a checksum of all of it before its footer, where readers pass it over."""
    footer = _footer(data)
    return data[:footer] + hashlib.sha256(data).digest() + data[footer:]


def _check_seal(data: bytes) -> None:
    """Raise ValueError where a byte is not what was written; so it will be in every format.

    Broken Parquet can be read as other data, and can end the process that reads it.
    """
    footer = _footer(data)
    seal = data[max(footer - 32, 0) : max(footer, 0)]
    if seal != hashlib.sha256(data[: footer - 32] + data[footer:]).digest():
        raise ValueError("the file does not match its checksum")


def _decoded(path: Path, identity: str) -> Stored:
    data = path.read_bytes()
    try:
        _check_seal(data)
        return _parsed(path, data, identity)
    except Newer:
        raise
    except Exception as error:  # whatever a broken file makes the reader say
        raise Damaged(f"{path}: {error}") from error


def _parsed(path: Path, data: bytes, identity: str) -> Stored:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(pa.BufferReader(data)) as file:
        head = json.loads(file.metadata.metadata[_KEY])
        if head["format"] > FORMAT:
            raise Newer(
                f"{path} has format {head['format']} and this version reads up to {FORMAT}; "
                "install a newer hpo_lab"
            )
        if head["identity"] != identity:
            raise ValueError("the file holds another run than its name says")
        _check_size(file.metadata, len(data))
        table = file.read(use_threads=False)  # small files: a pool would cost more than it saves
    arrays = {name: table.column(name).to_numpy() for name in table.column_names}
    places = [arrays[name] for name in table.column_names if name.startswith("x")]
    trials = Trials(
        family=arrays["family"].astype(np.int64),
        values=np.stack(places, axis=1) if places else np.empty((len(table), 0)),
        batch=arrays["batch"].astype(np.int64),
        observed=arrays["observed"],
        truth=arrays["truth"],
        state=arrays["state"].astype(np.int64),
        messages=tuple(str(message) for message in head["messages"]),
    )
    if trials.content() != head["content"]:
        raise ValueError("the trials do not match their checksum")
    return Stored(identity, trials, head["content"], dict(head["provenance"]))


def _check_size(metadata: Any, size: int) -> None:
    """Refuse, before it is read, a stranger's file that takes far more memory than its size."""
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    chunks = [group.column(i) for group in groups for i in range(group.num_columns)]
    if {chunk.compression for chunk in chunks} - {"UNCOMPRESSED"}:
        raise ValueError("the file is compressed, which results never are")
    if {code for chunk in chunks for code in chunk.encodings} - {"PLAIN", "RLE"}:
        raise ValueError("the file is encoded as results never are")
    claimed = [group.num_columns * group.num_rows for group in groups]
    if sum(claimed) != sum(chunk.num_values for chunk in chunks) or sum(claimed) > size:
        raise ValueError("the file claims more values than it has room for")


def results_hash(contents: dict[str, str]) -> str:
    """Return one hash of many runs from their contents by identity; equal whenever they are."""
    text = json.dumps(sorted(contents.items()))
    return hashlib.sha256(text.encode()).hexdigest()
