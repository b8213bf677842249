"""The README and the experiments' pages, executed."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import landscapes
from experiments import keep
from hpo_lab.errors import InputError

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
LANDSCAPES = (ROOT / "landscapes" / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README + LANDSCAPES, re.S)
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("experiments/*/README.md"))]


def shell(command: str, folder: Path) -> str:
    scripts = str(Path(sys.executable).parent)
    path = scripts + os.pathsep + os.environ["PATH"]
    command = command.replace(".venv/bin/", "")
    done = subprocess.run(  # noqa: S602  (the project's own pages)
        command,
        shell=True,
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_python_examples_run(block: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", block],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_there_are_python_examples() -> None:
    assert len(BLOCKS) == 3


def test_every_landscape_has_its_row() -> None:
    rows = re.findall(r"^\| `make\(\"(\w+)\"", LANDSCAPES, re.M)
    assert set(rows) == set(landscapes.names())


@pytest.mark.parametrize("call", re.findall(r"^\| `(make\(.*?\))` \|", LANDSCAPES, re.M))
def test_what_a_row_makes_can_be_made(call: str) -> None:
    made = ast.parse(call, mode="eval").body
    assert isinstance(made, ast.Call)
    name = ast.literal_eval(made.args[0])
    given = {str(word.arg): ast.literal_eval(word.value) for word in made.keywords}
    if {"path", "folder"} & set(given):
        with pytest.raises(
            InputError, match=re.escape(str(given.get("path", given.get("folder"))))
        ):
            landscapes.make(name, **given)
        return
    assert landscapes.make(name, **given).name == name


def commands() -> list[tuple[str, str, list[str]]]:
    """(page, command, lines that it is said to print) of every console block."""
    found = []
    for page in PAGES:
        for block in re.findall(r"```console\n(.*?)```", page.read_text(), re.S):
            for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
                command, *lines = part.strip().splitlines()
                found.append((page.parent.name, command, lines))
    return found


@pytest.mark.parametrize(("page", "command", "lines"), commands())
def test_console_examples_print_what_is_shown(page: str, command: str, lines: list[str]) -> None:
    if " run " in command or command.startswith("make"):
        pytest.skip("runs the full study; the quick one is run by `make study`")
    printed = shell(command, ROOT).splitlines()
    for line in lines:
        if line.strip() not in ("...", "…"):
            assert line.rstrip() in printed


def test_the_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"make ([a-z][a-z-]*)", README):
        assert re.search(rf"^{target}:", makefile, re.M), target


def test_the_readme_shows_the_kept_summary() -> None:
    block = keep.summary(ROOT / "experiments" / "no_attention" / "summary")
    assert keep.shown(README, block) == README
