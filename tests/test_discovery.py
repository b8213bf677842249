"""Plug-ins are found by name, made from plain values, and refused in one sentence."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Any

import pytest

import hpo_lab
from hpo_lab import discovery
from hpo_lab.errors import InputError, nearest
from tests.small_studies import own_landscape, plugin, write

STRATEGY = """
from dataclasses import dataclass
from typing import ClassVar
from hpo_lab import Strategy

@dataclass(frozen=True)
class One(Strategy):
    "The first line.\\n\\n    The second."
    name: ClassVar[str] = "{name}"
"""


@pytest.mark.parametrize("kind", discovery.KINDS)
def test_every_module_holds_a_plugin_of_its_name_with_a_line_about_it(kind: str) -> None:
    names = discovery.names(kind)
    assert names == sorted(names)
    assert [discovery.find(kind, name).name for name in names] == names
    assert all(discovery.about(kind, name) for name in names)


def test_a_file_adds_what_it_defines_and_nothing_that_it_imports(tmp_path: Path) -> None:
    with own_landscape(tmp_path):
        assert discovery.names("landscapes") == sorted({"own", *discovery.names("landscapes")})
        assert discovery.about("landscapes", "own") == "A landscape of a test."
        assert not discovery._PLUGINS["strategies"]
        assert discovery.make("landscapes", "own", {"folder": "here"}).folder == "here"
    assert "own" not in discovery.names("landscapes")


def test_a_file_that_was_changed_and_loaded_again_counts(tmp_path: Path) -> None:
    study = write(
        tmp_path / "study.toml",
        'schema = 1\nlandscapes = [{ use = "own" }]\nstrategies = [{ use = "random" }]',
    )
    seen = []
    for line in ("return x + 2.0", "return x + 3.0"):
        with own_landscape(tmp_path, line):
            arm = hpo_lab.Study.read(study).arms[0]
            problem = arm.problem(1)
            point = problem.view.declared.points([{"x": 0.0}])
            seen.append(problem.answer(point).observed[0])
    assert seen == [2.0, 3.0]


BAD_FILES = {
    "def broken(:": "plugin.py, line 1: SyntaxError: ",
    "\nimport no_such_package": "plugin.py, line 2: ModuleNotFoundError: No module named",
    "\n\ndef f(): return 1 / 0\nf()": "plugin.py, line 3: ZeroDivisionError: ",
    "x = 1": "plugin.py defines no landscape, strategy, assumption, measure or figure",
    STRATEGY.replace("{name}", "random"): 'there is a strategy "random" already; rename it',
}


@pytest.mark.parametrize("text", BAD_FILES)
def test_a_bad_file_is_one_sentence_with_its_place(tmp_path: Path, text: str) -> None:
    file = write(tmp_path / "plugin.py", text)
    before = {kind: dict(known) for kind, known in discovery._PLUGINS.items()}
    with pytest.raises(InputError) as refused:
        discovery.load_plugin(file)
    assert BAD_FILES[text] in str(refused.value)
    assert str(file) in str(refused.value)
    assert before == discovery._PLUGINS


@pytest.mark.parametrize(
    ("name", "said"), [("missing.py", "there is no plug-in file"), ("own.txt", "ends in .py")]
)
def test_what_is_no_python_file_is_refused(tmp_path: Path, name: str, said: str) -> None:
    plugin(tmp_path).rename(tmp_path / "own.txt")
    with pytest.raises(InputError, match=said):
        discovery.load_plugin(tmp_path / name)


def test_an_entry_point_is_found_and_a_broken_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [
        importlib.metadata.EntryPoint("good", "hpo_lab.optimizers.random:Random", "any"),
        importlib.metadata.EntryPoint("bad", "no_such_package:Bad", "any"),
    ]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: points)
    discovery._entry_points.cache_clear()
    try:
        assert discovery.find("strategies", "good").__name__ == "Random"
        with pytest.raises(InputError, match=r'"bad" of no_such_package:Bad cannot be loaded: No'):
            discovery.find("strategies", "bad")
    finally:
        discovery._entry_points.cache_clear()


@pytest.mark.parametrize(
    ("kind", "name", "given", "said"),
    [
        ("landscapes", "peeks", {}, 'there is no landscape "peeks" (did you mean "peaks"?)'),
        ("strategies", "GP", {}, 'there is no strategy "GP" (did you mean "gp"?)'),
        ("landscapes", "peaks", {"peeks": 3}, 'no argument "peeks" (did you mean "peaks"?)'),
        ("landscapes", "peaks", {"peaks": 3.5}, "peaks: input should be a valid integer, got 3.5"),
        ("landscapes", "peaks", {"peaks": True}, "peaks: input should be a valid integer, got Tr"),
        ("landscapes", "peaks", {"peaks": "x" * 999}, "…"),
        ("assumptions", "narrowed", {}, '"narrowed" needs the argument "axis"'),
        ("assumptions", "rescaled", {"axis": "x", "scale": "lag"}, "scale: input should be 'log'"),
        ("landscapes", "", {}, 'there is no landscape "" (known: '),
    ],
)
def test_wrong_names_and_values_are_one_sentence(
    kind: str, name: str, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError) as refused:
        discovery.make(kind, name, given)
    assert said in str(refused.value)
    assert len(str(refused.value)) < 300


def test_the_nearest_name_is_near_whatever_its_case_and_dashes() -> None:
    known = ["no_attention", "gp", "Random"]
    assert nearest("No-Attention", known) == '"No-Attention" (did you mean "no_attention"?)'
    assert nearest("GP", known) == '"GP" (did you mean "gp"?)'
    assert nearest("randum", known) == '"randum" (did you mean "Random"?)'
    assert nearest("x", []) == '"x" (known: none)'
    assert len(nearest("x" * 10**6, known)) < 200
