"""The only reader and writer of results: one checksummed Parquet file a run, published atomically.

A results folder is the database: ``runs/<identity>.parquet`` and nothing else that is read. A run
that is there is done. Nothing in a result file is ever executed.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from hpo_lab.errors import InputError
from hpo_lab.space import Floats, Ints, Record

FORMAT = 1  # of the files; a newer one is refused by name
_KEY = b"hpo_lab"  # the entry of the Parquet metadata that holds ours


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
        """Return a hash of what happened; equal whenever the trials are."""
        digest = hashlib.sha256()
        for array in (self.family, self.batch, self.state):
            digest.update(np.ascontiguousarray(array, dtype="<i8").tobytes())
        for floats in (self.values, self.observed, self.truth):
            plain = np.ascontiguousarray(floats, dtype="<f8") + 0.0
            plain[np.isnan(plain)] = np.nan  # one bit pattern
            digest.update(repr(plain.shape).encode() + plain.tobytes())
        digest.update(json.dumps(self.messages).encode())
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
        return sorted(path.stem for path in self.runs.glob("*.parquet"))

    def write(self, identity: str, trials: Trials, about: Record) -> None:
        """Publish a run: all of it or nothing, whatever happens in between.

        ``about`` is what a person may want to know of the run; it identifies nothing.
        """
        self.runs.mkdir(parents=True, exist_ok=True)
        draft = self.runs / f".{identity}.{os.getpid()}.tmp"
        try:
            with draft.open("wb") as file:
                _write_parquet(file, identity, trials, about)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.path(identity))
        finally:
            draft.unlink(missing_ok=True)

    def read(self, identity: str) -> Stored:
        """Return a run; Damaged where it does not match its checksum, Newer for a later format."""
        return _read_parquet(self.path(identity), identity)

    def read_all(self, identities: Iterable[str]) -> Iterator[Stored | Path]:
        """Yield the runs that are there; for a damaged one the path that it was set aside to."""
        for identity in identities:
            if self.has(identity):
                try:
                    yield self.read(identity)
                except Damaged:
                    yield self.set_aside(identity)

    def set_aside(self, identity: str) -> Path:
        """Move a damaged run out of the way, so that it is run again, and return where to."""
        aside = self.folder / "damaged"
        aside.mkdir(exist_ok=True)
        target = aside / self.path(identity).name
        self.path(identity).replace(target)
        return target

    def sweep(self) -> None:
        """Remove the drafts that dead processes left behind."""
        for draft in self.runs.glob(".*.tmp"):
            pid = draft.name.split(".")[-2]
            if not (pid.isdigit() and _alive(int(pid))):
                draft.unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _write_parquet(file: Any, identity: str, trials: Trials, about: Record) -> None:
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
    table = pa.table(columns).replace_schema_metadata({_KEY: json.dumps(_sealed(head))})
    pq.write_table(
        table,
        file,
        compression="zstd",
        use_dictionary=False,
        write_statistics=False,
        write_page_checksum=True,
    )


def _sealed(head: Record) -> Record:
    """The head with a checksum over itself (and, through ``content``, over the trials)."""
    text = json.dumps({k: v for k, v in head.items() if k != "seal"}, sort_keys=True)
    return head | {"seal": hashlib.sha256(text.encode()).hexdigest()}


def _read_parquet(path: Path, identity: str) -> Stored:
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            head = json.loads(file.metadata.metadata[_KEY])
            _check_head(path, head, identity)
            table = file.read()
            names = [n for n in table.column_names if n.startswith("x")]
            arrays = {n: table.column(n).to_numpy() for n in table.column_names}
    except Newer:
        raise
    except Exception as error:  # whatever a broken file makes the reader say
        raise Damaged(f"{path}: {error}") from error
    trials = Trials(
        family=arrays["family"].astype(np.int64),
        values=np.stack([arrays[n] for n in names], axis=1) if names else np.empty((len(table), 0)),
        batch=arrays["batch"].astype(np.int64),
        observed=arrays["observed"],
        truth=arrays["truth"],
        state=arrays["state"].astype(np.int64),
        messages=tuple(head["messages"]),
    )
    if trials.content() != head["content"]:
        raise Damaged(f"{path}: the trials do not match their checksum")
    return Stored(identity, trials, head["content"], head["provenance"])


def _check_head(path: Path, head: Record, identity: str) -> None:
    if isinstance(head.get("format"), int) and head["format"] > FORMAT:
        raise Newer(
            f"{path} has format {head['format']} and this version reads up to {FORMAT}; "
            "install a newer hpo_lab"
        )
    if head != _sealed(head):
        raise ValueError("the head does not match its seal")
    if head["identity"] != identity:
        raise ValueError("the file holds another run than its name says")


def results_hash(contents: dict[str, str]) -> str:
    """Return one hash of many runs from their contents by identity; equal whenever they are."""
    text = json.dumps(sorted(contents.items()))
    return hashlib.sha256(text.encode()).hexdigest()
