"""Make the table of sklearn_table: every configuration, every data set, every repeat.

``python -m landscapes._make_sklearn_table [FOLDER]`` fits for about an hour on one core. Each
result is a line of FOLDER/fits.jsonl (results/sklearn_table unless given) as soon as it is there,
and what is there is not fitted again, so *run again* is *resume*. It goes repeat by repeat; when
it is through, or with ``--pack`` at any time, the complete repeats become
landscapes/data/sklearn_table.parquet with their provenance.
"""

from __future__ import annotations

import hashlib
import json
import platform
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hpo_lab.errors import InputError
from hpo_lab.space import FAMILY, Record
from landscapes import _learners
from landscapes._learners import DATASETS, REPEATS, cross_validate, lattice

TABLE = Path(__file__).parent / "data" / "sklearn_table.parquet"
FOLDER = Path("results/sklearn_table")
Task = tuple[int, str, int]  # repeat, data set, place of the configuration in the lattice


def tasks() -> Iterator[Task]:
    """Yield everything to be fitted, repeat by repeat."""
    for repeat in range(REPEATS):
        for dataset in DATASETS:
            for place in range(int(lattice().size)):
                yield repeat, dataset, place


def provenance() -> Record:
    """Return what the values depend on, and when and where they were made."""
    learners = Path(_learners.__file__).read_bytes()
    return {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("numpy", "scipy", "scikit-learn")},
        },
        "machine": platform.platform(),
        "cpu": _cpu(),
        "learners_sha256": hashlib.sha256(learners).hexdigest(),
        "threads": 1,
    }


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor()


def read(path: Path) -> tuple[list[Record], dict[Task, list[Any]]]:
    """Return the sessions so far and their results; a line that was cut short is left out."""
    sessions, done = [], {}
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(entry, dict):
            sessions.append(entry)
        else:
            repeat, dataset, place, *outcome = entry
            done[repeat, dataset, place] = outcome
    return sessions, done


def fit(path: Path) -> None:
    """Fit what is missing, one line a result, and say now and then how long it will take."""
    sessions, done = read(path)
    own = provenance()
    if any(s[key] != own[key] for s in sessions for key in ("learners_sha256", "versions")):
        raise InputError(f"{path} was begun with other learners or versions; name another folder")
    left = [task for task in tasks() if task not in done]
    records, start = lattice().enumerate().records(), time.perf_counter()
    with path.open("a") as file:
        file.write("\n" + json.dumps(own) + "\n")  # after whatever was cut short
        for count, (repeat, dataset, place) in enumerate(left, 1):
            outcome = cross_validate(dataset, records[place], repeat)
            file.write(json.dumps([repeat, dataset, place, *outcome]) + "\n")
            file.flush()
            if count % 100 == 0 or count == len(left):
                spent = time.perf_counter() - start
                rest = spent / count * (len(left) - count)
                print(
                    f"repeat {repeat}: {count} of {len(left)}, {spent / 60:.1f} min, "
                    f"about {rest / 60:.0f} min left",
                    flush=True,
                )


def pack(path: Path, table: Path = TABLE) -> None:
    """Write the complete repeats as one Parquet file, its provenance in the schema's metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sessions, done = read(path)
    size = len(DATASETS) * int(lattice().size)
    counts = [sum(task[0] == repeat for task in done) for repeat in range(REPEATS)]
    complete = (*[count == size for count in counts], False).index(False)
    if not complete:
        raise InputError(f"{path} has no complete repeat yet; run again without --pack")
    kept = sorted(
        (task for task in done if task[0] < complete),
        key=lambda task: (DATASETS.index(task[1]), task[2], task[0]),
    )
    records = lattice().enumerate().records()
    columns: dict[str, list[Any]] = {"dataset": [t[1] for t in kept]}
    for name in (FAMILY, *lattice().columns):
        columns[name] = [records[place].get(name) for _, _, place in kept]
    columns["repeat"] = [t[0] for t in kept]
    for k, name in enumerate(("valid", "test", "unconverged")):
        columns[name] = [done[t][k] for t in kept]
    columns["seconds"] = [round(done[t][3], 4) for t in kept]
    about = {**sessions[-1], "seconds": round(sum(columns["seconds"])), "repeats": complete}
    made = pa.table(columns).replace_schema_metadata({"provenance": json.dumps(about)})
    pq.write_table(made, table, compression="zstd", compression_level=19)


def main(arguments: list[str]) -> None:
    """Fit what is missing and pack the table; leave with a sentence where that is not possible."""
    folder = Path(next((a for a in arguments if not a.startswith("-")), FOLDER))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        if "--pack" not in arguments:
            fit(folder / "fits.jsonl")
        pack(folder / "fits.jsonl")
    except InputError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
