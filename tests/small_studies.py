"""Small studies and ways to run them, for the tests of the study, the store and the harness."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hpo_lab import discovery

STUDY = """
schema = 1
name = "small"
[[landscapes]]
use = "own"
[spaces.universe]
[spaces.left]
assume = [{ use = "narrowed", axis = "x", high = 0.5, reason = "habit" }]
[[strategies]]
use = "random"
[[strategies]]
use = "grid"
[[strategies]]
use = "evolution"
population = 4
[runs]
budget = 12
repetitions = 3
entropy = 3
"""

# A landscape on [0, 1] with one line of code for what becomes of `points` in a `repetition`.
LANDSCAPE = """
from __future__ import annotations
import errno, math, os, sys, time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
import numpy as np
from hpo_lab import Landscape, Real, Space

@dataclass(frozen=True)
class Own(Landscape):
    "A landscape of a test."
    folder: str = ""
    name: ClassVar[str] = "own"

    @property
    def universe(self):
        return Space.box(Real("x", 0, 1))

    def evaluate(self, points):
        return points.values[:, 0] + 1.0

    def observe(self, points, repetition=0, replicate=None):
        x = points.values[:, 0]
        {line}
        return x + 1.0
"""

OWN_STUDY = """
schema = 1
name = "own"
[[landscapes]]
use = "own"
[[strategies]]
use = "random"
[runs]
budget = 4
repetitions = 6
"""


def write(path: Path, text: str) -> Path:
    """Write a file and return its path."""
    path.write_text(text, encoding="utf-8")
    return path


def study_file(folder: Path, *changes: tuple[str, str], text: str = STUDY) -> Path:
    """Write a study file, with some of its text replaced, and return its path."""
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return write(folder / "study.toml", text)


def plugin(folder: Path, line: str = "pass") -> Path:
    """Write a plug-in file with the landscape ``own``, whose ``observe`` executes the line."""
    return write(folder / "own_plugin.py", LANDSCAPE.replace("{line}", line))


@contextmanager
def own_landscape(folder: Path, line: str = "pass") -> Iterator[Path]:
    """Load that plug-in, and forget it at the end."""
    known = discovery._PLUGINS["landscapes"]
    before = dict(known)
    file = plugin(folder, line)
    discovery.load_plugin(file)
    yield file
    known.clear()
    known.update(before)


class Inline(Executor):
    """An executor that does everything at once, in this process."""

    def submit(self, function: Any, /, *given: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(function(*given, **named))
        except BaseException as error:
            future.set_exception(error)
        return future


def command(*arguments: object) -> list[str]:
    """The command line of ``hpo-lab`` with these arguments, in a process of its own."""
    return [sys.executable, "-m", "hpo_lab.cli", *map(str, arguments)]


def hpo_lab_says(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run ``hpo-lab`` and return what it said."""
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, timeout=300, check=False, **options
    )


def told(*arguments: object) -> dict[str, Any]:
    """Run ``hpo-lab … --json`` and return what it printed."""
    said = hpo_lab_says(*arguments, "--json")
    assert said.returncode == 0, said.stderr
    found: dict[str, Any] = json.loads(said.stdout)
    return found
