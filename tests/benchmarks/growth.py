"""gp_fast to 1,000 observations: its slowest step and the memory of its process.

``python tests/benchmarks/growth.py``, in about two minutes. A step is an ask and a tell on one
thread, in CPU seconds; memory is the largest resident set of the whole process.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

from hpo_lab.optimizers.gp_fast import GPFast
from hpo_lab.space import Real, Space

OBSERVATIONS = 1000
DIMENSIONS = 5
SECONDS, MEGABYTES = 1.0, 300.0  # to stay below


def steps() -> list[float]:
    """Return the CPU seconds of every step of one search of bumps on a bowl."""
    space = Space.box(*[Real(f"x{i}", 0.0, 1.0) for i in range(DIMENSIONS)])
    search = GPFast().start(space, OBSERVATIONS, np.random.default_rng(0))
    taken, told = [], 0
    while told < OBSERVATIONS:
        start = time.process_time()
        asked = search.ask()
        bowl = np.square(asked.values - 0.3).sum(axis=1)
        bumps = 0.1 * np.sin(9.0 * asked.values + np.arange(DIMENSIONS)).sum(axis=1)
        search.tell(asked, bowl + bumps)
        taken.append(time.process_time() - start)
        told += len(asked)
    return taken


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--keep", metavar="CSV", help="write the figures into this file, too")
    keep = parser.parse_args().keep
    taken = steps()[1:]  # the first one imports and compiles
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # MB on Linux
    found = {
        "observations": OBSERVATIONS,
        "d": DIMENSIONS,
        "slowest_s": round(max(taken), 3),
        "median_ms": round(1e3 * float(np.median(taken)), 1),
        "total_s": round(sum(taken), 1),
        "memory_mb": round(memory),
    }
    print(found, f"to stay below {SECONDS} s a step and {MEGABYTES:.0f} MB")
    if keep:
        import pandas as pd  # not before: it would be counted

        pd.DataFrame([found]).to_csv(keep, index=False)
