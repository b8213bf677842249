"""How many local minima NK landscapes have, beside published counts of optima.

``python -m tests.published.nk_optima`` prints the table that is kept in nk_optima.txt, in about
half a minute. Published: Ochoa, Tomassini, Vérel & Darabos 2008, "A study of NK landscapes' basins
and local optima networks", GECCO: means over 30 landscapes, as handed down, not read in the paper.
Before: an array program of ours, another 30. With k = n − 1 the expected count is 2^n/(n + 1),
13797.1 and 1092.3 (Kauffman & Levin 1987).
"""

from __future__ import annotations

import math

import numpy as np

from landscapes.nk import NK

INSTANCES = 100
PUBLISHED = 30  # landscapes behind a published mean
# (n, neighbourhood) -> k -> (published, before)
COUNTS: dict[tuple[int, str], dict[int, tuple[int, int]]] = {
    (18, "adjacent"): {
        2: (50, 54),
        4: (330, 345),
        6: (994, 1038),
        8: (2093, 2143),
        10: (3619, 3627),
        12: (5657, 5686),
        14: (8352, 8366),
        16: (11797, 11780),
        17: (13795, 13769),
    },
    (14, "random"): {
        4: (70, 73),
        6: (184, 178),
        8: (350, 350),
        10: (585, 590),
        12: (896, 908),
        13: (1085, 1087),
    },
}


def counts(n: int, k: int, neighbourhood: str, instances: int = INSTANCES) -> list[int]:
    """The number of minima of each of the first instances."""
    found = [NK(n, k, neighbourhood, instance).minima() for instance in range(1, instances + 1)]
    return [len(minima.values) for minima in found if minima is not None]


def main() -> None:
    print(f"means over {INSTANCES} instances; z = (published − mean) / standard error of that")
    print("   n  neighbourhood   k      mean  ± 3 SE   published     z    before")
    for (n, neighbourhood), rows in COUNTS.items():
        for k, (published, before) in rows.items():
            found = counts(n, k, neighbourhood)
            mean, spread = np.mean(found), np.std(found, ddof=1)
            z = (published - mean) / (spread * math.sqrt(1 / len(found) + 1 / PUBLISHED))
            print(
                f"{n:4d}  {neighbourhood:13s} {k:3d}  {mean:8.1f}"
                f"  {3 * spread / math.sqrt(len(found)):6.1f}  {published:10d}  {z:+4.1f}"
                f"  {before:8d}"
            )


if __name__ == "__main__":
    main()
