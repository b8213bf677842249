"""Compiled kernels: never paid by an import, announced when one waits, the same in threads."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pytest

import landscapes
from hpo_lab.errors import InputError
from landscapes import _compiled
from landscapes._compiled import announced, compiled, shared


def test_naming_and_making_landscapes_compiles_nothing() -> None:
    code = (
        "import sys, landscapes; from hpo_lab import discovery\n"
        "for name in landscapes.names(): discovery.about('landscapes', name)\n"
        "for name in ('bbob', 'nk', 'peaks', 'gnbg', 'needle', 'families', 'response'):\n"
        "    landscapes.make(name).universe\n"
        "print('numba' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_wait_is_announced_and_a_short_one_is_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(_compiled, "PATIENCE", 0.05)
    with announced("waiting for the test"):
        time.sleep(0.3)
    assert capsys.readouterr().err == "hpo_lab: waiting for the test …\n"
    with announced("nothing"):
        pass
    time.sleep(0.1)
    assert capsys.readouterr().err == ""


def test_a_first_call_says_that_it_compiles(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(_compiled, "PATIENCE", 0.0)

    @compiled
    def doubled(x: float) -> float:
        return 2.0 * x

    assert doubled(2.0) == 4.0
    said = capsys.readouterr().err
    assert said.startswith("hpo_lab: compiling doubled")
    assert doubled(3.0) == 6.0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("n", [0, 1, 1000, 4097])
def test_shares_cover_the_range_once(n: int) -> None:
    seen = np.zeros(n, dtype=int)

    def work(start: int, stop: int) -> None:
        seen[start:stop] += 1

    with landscapes.threads(3):
        shared(n, work)
    assert (seen == 1).all()


def test_what_a_thread_raises_is_raised() -> None:
    def work(start: int, stop: int) -> None:
        if start:
            raise ValueError("in a thread")

    with landscapes.threads(2), pytest.raises(ValueError, match="in a thread"):
        shared(10_000, work)


def test_threads_below_one_are_refused() -> None:
    with pytest.raises(InputError, match="threads must be at least 1"), landscapes.threads(0):
        pass
