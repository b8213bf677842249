"""The columns of somebody's CSV or Parquet file, as typed arrays; nothing in a file is executed."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hpo_lab.errors import InputError, nearest
from hpo_lab.space import ENUMERABLE, WHOLE, Ints

MOST_ROWS = 10 * ENUMERABLE  # rows: more are refused before a Parquet file is unpacked
LONGEST = 200  # characters of a name or an option
SEPARATORS = (",", ";", "\t")


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One column: its values ``levels`` (k,), increasing, and which one each row has.

    ``codes`` (R,) are indices into the levels, -1 where a row is empty.
    """

    name: str
    kind: Literal["number", "flag", "word"]
    levels: NDArray[Any]
    codes: Ints

    @property
    def whole(self) -> bool:
        """Whether it holds whole numbers alone."""
        return self.kind == "number" and not (self.levels % 1).any()

    @property
    def natives(self) -> list[str | bool | int | float]:
        """The levels as plain values (k,); whole numbers as such, if all are."""
        plain = self.levels.astype(np.int64) if self.whole else self.levels
        return [str(v) if self.kind == "word" else v for v in plain.tolist()]


def digest(path: Path) -> str:
    """Return the SHA-256 of a file's content; InputError where it cannot be read."""
    try:
        about = path.stat()
        return _digest(path, about.st_mtime_ns, about.st_size)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None


@lru_cache(maxsize=64)
def _digest(path: Path, changed: int, size: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read(
    path: Path,
    content: str,
    special: Sequence[str],
    parameters: Sequence[str],
    ignored: Sequence[str],
) -> dict[str, Column]:
    """Return {name: Column}: the special columns, then the parameters (all others, if none).

    Raises InputError, one sentence, where the file is not a table, is not the one whose SHA-256 is
    ``content``, or lacks a column.
    """
    import pyarrow as pa

    try:
        return _columns(path, _table(path, content), special, parameters, ignored)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no CSV or Parquet table ({_short(error)})") from None
    except OSError as error:
        why = error.strerror or f"it is damaged: {_short(error)}"
        raise InputError(f"cannot read {path}: {why}") from None


def _columns(
    path: Path,
    table: Any,
    special: Sequence[str],
    parameters: Sequence[str],
    ignored: Sequence[str],
) -> dict[str, Column]:
    known = [name.strip() for name in table.column_names]
    for name, count in Counter(known).items():
        _check_text(path, "the name of a column", name)
        if count > 1:
            raise InputError(f'{path} has two columns "{name}"; rename one of them')
    for name in [*special, *parameters, *ignored]:
        if name not in known:
            raise InputError(f"{path} has no column {nearest(name, known)}")
    if not table.num_rows:
        raise InputError(f"{path} has no rows")
    set_aside = {*special, *ignored, *(name for name in known if _numbers_rows(name))}
    wanted = [*special, *(parameters or (name for name in known if name not in set_aside))]
    return {name: _column(path, name, table.column(known.index(name))) for name in wanted}


def _check_text(path: Path, what: str, text: str) -> None:
    """Names and options are printed, so they may neither steer a terminal nor fill a page."""
    if _CONTROL.search(text):
        raise InputError(f"{path}: {what} has control characters; remove them")
    if len(text) > LONGEST:
        raise InputError(f"{path}: {what} has more than {LONGEST} characters: {text[:40]!r}…")


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def _numbers_rows(name: str) -> bool:
    """Whether a column is one that pandas writes without being asked: the index."""
    return not name or name.startswith("__index_level_")


def _table(path: Path, content: str) -> Any:
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != content:
        raise InputError(f"{path} has changed since the landscape was made; make it again")
    return _parquet(path, data) if data[:4] == b"PAR1" else _csv(data)


def _short(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 200 else text[:199] + "…"


def _parquet(path: Path, data: bytes) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = pq.ParquetFile(pa.BufferReader(data))
    if file.metadata.num_rows > MOST_ROWS:
        raise InputError(f"{path} has {file.metadata.num_rows:,} rows, more than {MOST_ROWS:,}")
    return file.read()


def _csv(data: bytes) -> Any:
    import pyarrow as pa
    import pyarrow.csv as csv

    data.decode("utf-8")  # or it is no text: pyarrow would make bytes of it
    header = data[:100_000].split(b"\n", 1)[0].decode("utf-8", "replace")
    separator = max(SEPARATORS, key=header.count)  # the first of equals: a comma
    return csv.read_csv(pa.BufferReader(data), parse_options=csv.ParseOptions(delimiter=separator))


def _column(path: Path, name: str, given: Any) -> Column:
    import pyarrow as pa

    array = given.combine_chunks() if given.num_chunks != 1 else given.chunk(0)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    kind = array.type
    if pa.types.is_boolean(kind):
        return _encoded(name, "flag", array)
    numeric = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_null)
    if any(test(kind) for test in numeric):
        return _encoded(name, "number", _numbers(path, name, array))
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        raise InputError(f'{path}: column "{name}" holds neither numbers nor words; leave it out')
    words = _encoded(name, "word", _words(array))
    for word in words.levels:
        _check_text(path, f'a value of the column "{name}"', word)
    return words


def _numbers(path: Path, name: str, array: Any) -> Any:
    """As 64-bit floats, null where nan."""
    import pyarrow as pa

    whole = pa.types.is_integer(array.type)
    if pa.types.is_float16(array.type) or pa.types.is_float32(array.type):  # 0.1, as it was meant
        array = array.cast(pa.float32()).cast(pa.string())
    floats = np.asarray(array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)) + 0.0
    if whole and (np.abs(floats[~np.isnan(floats)]) > WHOLE).any():
        raise InputError(f'{path}: column "{name}" has whole numbers beyond ±{WHOLE:,}')
    return pa.array(floats, from_pandas=True)


def _words(array: Any) -> Any:
    """As words without blanks around them, null where nothing is left."""
    import pyarrow as pa
    import pyarrow.compute as pc

    words = pc.utf8_trim_whitespace(array.cast(pa.string()))
    return pc.if_else(pc.equal(words, ""), pa.scalar(None, pa.string()), words)


def _encoded(name: str, kind: Literal["number", "flag", "word"], array: Any) -> Column:
    encoded = array.dictionary_encode()
    levels = np.asarray(encoded.dictionary.to_numpy(zero_copy_only=False))
    order = np.argsort(levels, kind="stable")
    rank = np.empty(len(levels) + 1, dtype=np.int64)
    rank[order], rank[-1] = np.arange(len(levels)), -1
    codes = np.asarray(encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False))
    return Column(name, kind, levels[order], rank[codes])
