"""Our BBOB functions against the public archive of 2009: what DIRECT was told, and its runtimes.

``python tests/published/bbob_archive.py FOLDER`` where FOLDER holds the unpacked file
bbob/2009/DIRECT_posik_noiseless.tgz of the public repository numbbo/data-archive (Pošík 2009, "BBOB
benchmarking the DIRECT global optimization algorithm"). Its first evaluation is the middle of
the box, so every instance has the value at 0 on file, to ten digits. What it printed last is kept
in bbob_archive.txt beside it; nothing of the archive is part of the project.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hpo_lab.statistics import expected_running_time
from landscapes.bbob import Bbob

DIMENSIONS = (2, 3, 5, 10, 20)
TOLERANCE = 1e-7  # the archive prints ten digits of f − f_opt and thirteen of f_opt
TOTALS = [429, 415, 381, 433, 495]  # evaluations of DIRECT on f1 in 2-D until it stopped at 1e-8


def header(folder: Path, function: int, dimension: int) -> list[tuple[int, int]]:
    """The instance and the evaluations in all of each run, as the index of the archive has them."""
    text = (folder / f"bbobexp_f{function}.info").read_text()
    line = next(part for part in text.splitlines() if f"_DIM{dimension}.dat" in part)
    return [(int(i), int(n)) for i, n in re.findall(r"(\d+):(\d+)\|", line)]


def runs(folder: Path, function: int, dimension: int) -> Iterator[tuple[int, np.ndarray]]:
    """The instance and the rows (evaluation, f − f_opt, best f − f_opt, f, best f) of each run."""
    data = folder / f"data_f{function}" / f"bbobexp_f{function}_DIM{dimension}.dat"
    blocks = re.split(r"^%.*$", data.read_text(), flags=re.M)[1:]
    for (instance, _), block in zip(header(folder, function, dimension), blocks, strict=True):
        yield instance, np.array([row.split()[:5] for row in block.split("\n") if row], dtype=float)


def main(folder: Path) -> int:
    """Print the comparisons; the exit status says whether they hold."""
    worst, agreeing, compared = 0.0, 0, 0
    for function in range(1, 25):
        for dimension in DIMENSIONS:
            for instance, rows in runs(folder, function, dimension):
                f = Bbob(function=function, dimension=dimension, instance=instance)
                ours, theirs = f([0.0] * dimension), float(rows[0, 3])
                gap = abs(ours - theirs) / max(1.0, abs(theirs))
                worst, compared = max(worst, gap), compared + 1
                agreeing += gap <= TOLERANCE
    print(f"values at 0: {agreeing} of {compared} agree to {TOLERANCE:g}, worst {worst:.1e}")
    totals = [n for _, n in header(folder, 1, 2)]
    first = [int(rows[rows[:, 2] <= 1e-8][0, 0]) for _, rows in runs(folder, 1, 2)]
    for what, evaluations in (("when it stopped", totals), ("when it reached 1e-8", first)):
        mean = expected_running_time(evaluations, [True] * len(evaluations))
        print(f"DIRECT on f1 in 2-D, {what}: {evaluations}, expected running time {mean:.1f}")
    return int(agreeing < compared or totals != TOTALS)


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
