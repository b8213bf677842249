"""Goldens: a landscape of one name@version has the same values for ever.

``python -m tests.golden NAME '{"dimension": 3}'`` writes the values of 1,000 random points as
hexadecimal floats to tests/goldens/NAME@VERSION-K.json, with the next free K.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

import landscapes

GOLDENS = Path(__file__).parent / "goldens"


def golden_values(name: str, arguments: dict[str, Any], points: int) -> list[str]:
    """The truth of a landscape at its first random points, as hexadecimal floats."""
    f = landscapes.make(name, **arguments)
    given = f.universe.sample(points, np.random.default_rng(2026))
    return [float(value).hex() for value in f.evaluate(given)]


def write_golden(name: str, arguments: dict[str, Any], points: int = 1000) -> Path:
    """Write the values of a landscape at its present version; never over another file."""
    start = f"{name}@{landscapes.make(name, **arguments).version}-"
    number = 0
    while (path := GOLDENS / f"{start}{number}.json").exists():
        number += 1
    values = golden_values(name, arguments, points)
    path.write_text(json.dumps({"name": name, "arguments": arguments, "values": values}) + "\n")
    return path


if __name__ == "__main__":
    print(write_golden(sys.argv[1], json.loads(sys.argv[2]) if len(sys.argv) > 2 else {}))
