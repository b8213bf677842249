"""Whole-process figures: start-up times, and the unique memory of the quick study.

    python tests/benchmarks/figures.py

prints the median wall time of `hpo-lab --help` and of `import hpo_lab` (seven fresh processes
each), and the peak over time of the unique memory (USS), summed over the process and its
children, of a fresh run and report of experiments/no_attention/quick.toml.
"""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).parent.parent.parent
PROGRAM = str(Path(sys.executable).parent / "hpo-lab")
STUDY = str(ROOT / "experiments" / "no_attention" / "quick.toml")


def wall(command: list[str], times: int = 7) -> float:
    """Return the median wall time of a command in seconds."""
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def peak_unique(command: list[str]) -> float:
    """Return the largest sum of USS over a command's processes, in MB, sampled every 0.2 s."""
    process = psutil.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        total = 0
        with contextlib.suppress(psutil.Error):
            for one in [process, *process.children(recursive=True)]:
                with contextlib.suppress(psutil.Error):
                    total += one.memory_full_info().uss
        peak = max(peak, total)
        time.sleep(0.2)
    return peak / 1e6


if __name__ == "__main__":
    print(f"hpo-lab --help   {wall([PROGRAM, '--help']):.3f} s")
    print(f"import hpo_lab   {wall([sys.executable, '-c', 'import hpo_lab']):.3f} s")
    with tempfile.TemporaryDirectory() as folder:
        for verb in ("run", "report"):
            start = time.perf_counter()
            peak = peak_unique([PROGRAM, verb, STUDY, "--out", folder])
            print(f"{verb:<16} {time.perf_counter() - start:.0f} s, peak USS {peak:.0f} MB")
