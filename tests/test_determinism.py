"""A seed says it all: the same requests in any process, with any threads, hashes and workers."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import hpo_lab
from hpo_lab import discovery
from hpo_lab.errors import InputError
from hpo_lab.harness import ONE_THREAD
from hpo_lab.space import Choice, Real, Space
from hpo_lab.testing.spaces import KINDS_OF_SPACE
from hpo_lab.testing.strategy import rugged, trace
from tests.small_studies import Inline, command, write

ROOT = Path(__file__).parent.parent
WIDE = Space.box(
    *[Real(f"x{i}", 0, 1) for i in range(16)], *[Choice(f"c{i}", ("a", "b", "c")) for i in "wxyz"]
)
KINDS = ("mixed", "conditional", "wide")
COSTLY = ("smac",)  # a step costs seconds
WORK: dict[str, list[tuple[Space, int]]] = {  # spaces and budgets
    # 60 observations in 20 dimensions: the products of models are large enough to be split
    "ordinary": [*((KINDS_OF_SPACE[kind], 14) for kind in KINDS), (WIDE, 60)],
    "long": [(WIDE, 160)],
    "short": [(WIDE, 5)],
}


def usable(name: str, space: Space) -> bool:
    """Whether the packages are there, and the library knows such spaces."""
    try:
        discovery.make("strategies", name, {}).start(space, 9, np.random.default_rng(0))
    except InputError:
        return False
    return True


def digests(work: str, names: list[str]) -> dict[str, str]:
    """A hash of the requests of each strategy."""
    found = {}
    for name in names:
        strategy, digest = discovery.make("strategies", name, {}), hashlib.sha256()
        for space, budget in WORK[work]:
            if usable(name, space):
                digest.update(trace(strategy, space, budget, 3, rugged).keys().tobytes())
        found[name] = digest.hexdigest()
    return found


def main(work: str, threads: str, names: str, *plugins: str) -> None:
    """Print the hashes as JSON, made with so many BLAS threads, even beyond the processors."""
    import scipy.linalg  # noqa: F401  (loads its BLAS)
    from threadpoolctl import threadpool_info, threadpool_limits

    for plugin in plugins:
        discovery.load_plugin(plugin)
    with threadpool_limits(int(threads), user_api="blas"):
        counts = {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}
        assert counts == {int(threads)}
        print(json.dumps(digests(work, names.split(","))))


def elsewhere(
    work: str, names: list[str], threads: int, hash_seed: int, *plugins: Path
) -> dict[str, str]:
    """The hashes as a fresh process finds them."""
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "tests.test_determinism"),
            *(work, str(threads), ",".join(names), *map(str, plugins)),
        ],
        cwd=ROOT,
        env={
            **os.environ,
            **dict.fromkeys(ONE_THREAD, str(threads)),
            "PYTHONHASHSEED": str(hash_seed),
        },
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, str] = json.loads(ran.stdout)
    return found


@pytest.mark.parametrize(
    ("work", "costly"),
    [
        ("ordinary", False),
        pytest.param("ordinary", True, marks=pytest.mark.slow),
        pytest.param("long", False, marks=pytest.mark.slow),
    ],
)
def test_same_requests_in_fresh_processes(work: str, costly: bool) -> None:
    names = [name for name in discovery.names("strategies") if (name in COSTLY) == costly]
    here = digests(work, names)
    for threads, hash_seed in ((1, 0), (2, 7), (4, 0)):
        assert elsewhere(work, names, threads, hash_seed) == here, (threads, hash_seed)


# Random search that starts from something that no seed says.
FAULTY = """
import os
from dataclasses import dataclass
from typing import ClassVar
import numpy as np
from hpo_lab.optimizer import Strategy
from hpo_lab.optimizers.random import Random

class ByHash(Random, Strategy):
    name: ClassVar[str] = "by_hash"
    def start(self, space, budget, rng):
        return super().start(space, budget, np.random.default_rng(abs(hash("seed"))))

class ByThreads(Random, Strategy):
    name: ClassVar[str] = "by_threads"
    def start(self, space, budget, rng):
        from threadpoolctl import threadpool_info
        threads = max(one["num_threads"] for one in threadpool_info())
        return super().start(space, budget, np.random.default_rng(threads))
"""


def test_what_depends_on_hashes_or_threads_is_noticed(tmp_path: Path) -> None:
    names = ["random", "by_hash", "by_threads"]
    plugin = write(tmp_path / "faulty.py", FAULTY)
    first, hashed, threaded = (
        elsewhere("short", names, *how, plugin) for how in ((1, 0), (1, 7), (2, 0))
    )
    assert [name for name in first if first[name] != hashed[name]] == ["by_hash"]
    assert [name for name in first if first[name] != threaded[name]] == ["by_threads"]


STUDY = """
schema = 1
name = "all"
[[landscapes]]
use = "open_book"
[runs]
budget = 14
repetitions = 1
"""

LANDSCAPE = """
from __future__ import annotations
from dataclasses import dataclass
from typing import ClassVar
from hpo_lab import Landscape
from hpo_lab.testing.spaces import KINDS_OF_SPACE
from hpo_lab.testing.strategy import rugged

@dataclass(frozen=True)
class OpenBook(Landscape):
    "The bumps of the contract on a mixed space."
    name: ClassVar[str] = "open_book"

    @property
    def universe(self):
        return KINDS_OF_SPACE["mixed"]

    def evaluate(self, points):
        return rugged(points)
"""


def test_same_results_with_any_number_of_workers(tmp_path: Path) -> None:
    plugin = write(tmp_path / "open_book_plugin.py", LANDSCAPE)
    names = [n for n in discovery.names("strategies") if usable(n, KINDS_OF_SPACE["mixed"])]
    parts = "".join(f'[[strategies]]\nuse = "{name}"\n' for name in names)
    study = write(tmp_path / "study.toml", STUDY + parts)
    before = dict(discovery._PLUGINS["landscapes"])
    try:
        hpo_lab.run(study, tmp_path / "inline", executor=Inline(), plugins=[str(plugin)])
        for workers in ("1", "2"):
            given = [study, "--out", tmp_path / workers, "--workers", workers, "--plugin", plugin]
            subprocess.run(command("run", *given), check=True, capture_output=True)
        found = [hpo_lab.status(study, tmp_path / out) for out in ("inline", "1", "2")]
    finally:
        discovery._PLUGINS["landscapes"].clear()
        discovery._PLUGINS["landscapes"].update(before)
    assert [one["done"] for one in found] == [len(names)] * 3
    assert len({one["hash"] for one in found}) == 1


if __name__ == "__main__":
    main(*sys.argv[1:])
