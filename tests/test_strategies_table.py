"""A report says what each strategy was: every setting, and the versions its runs were made with."""

from __future__ import annotations

import ast
import dataclasses
import json
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import hpo_lab
from hpo_lab import discovery
from hpo_lab import store as module
from hpo_lab.measure import Results, tabulate
from hpo_lab.optimizers.random import Random
from hpo_lab.report.views import views
from hpo_lab.study import Study
from hpo_lab.testing.spaces import KINDS_OF_SPACE
from hpo_lab.testing.strategy import check_settings
from tests.small_studies import Inline, write
from tests.test_architecture import imports
from tests.test_determinism import usable
from tests.test_report_page import Page

HERE = module.provenance()
OPTIMIZERS = Path(hpo_lab.__file__).parent / "optimizers"
DISTRIBUTIONS = packages_distributions()
TINY = """
schema = 1
name = "tiny"
[[landscapes]]
use = "nk"
n = 2
k = 1
[runs]
budget = 24
repetitions = 2
"""
LATE = ("import_module", "needed", "library")  # calls that import what they are told
STUDY = """
schema = 1
name = "versions"
[[landscapes]]
use = "families"
[[strategies]]
use = "random"
[[strategies]]
use = "sobol"
[[strategies]]
use = "evolution"
name = "small steps"
sigma = 0.01
[runs]
budget = 8
repetitions = 3
"""


def packages(*changes: tuple[str, str]) -> dict[str, Any]:
    """This machine's provenance, with other versions of some packages; an empty one for none."""
    other = dict(changes)
    kept = [one for one in HERE["packages"] if one.split("==")[0] not in other]
    return HERE | {"packages": kept + [f"{name}=={v}" for name, v in changes if v]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of three repetitions, each made with another scipy; the last without deap."""
    folder = tmp_path_factory.mktemp("versions")
    made = (
        (("scipy", "1.0"), ("deap", "1.4")),
        (("scipy", "1.10"), ("deap", "1.4")),
        (("deap", ""),),
    )
    with pytest.MonkeyPatch.context() as patch:
        for repetitions, changes in enumerate(made, 1):
            now = packages(("numpy", "2.9"), *changes)
            patch.setattr(module, "provenance", lambda now=now: now)
            text = STUDY.replace("repetitions = 3", f"repetitions = {repetitions}")
            hpo_lab.run(write(folder / "study.toml", text), folder / "out", executor=Inline())
    return folder


@pytest.fixture(scope="module")
def table(folder: Path) -> pd.DataFrame:
    results = Results.load(Study.read(folder / "study.toml"), folder / "out")
    return tabulate(results, ["strategies"])["strategies"]


def libraries(table: pd.DataFrame, strategy: str) -> list[tuple[str, str, int]]:
    own = table[(table["strategy"] == strategy) & (table["kind"] == "library")]
    return list(own[["name", "value", "runs"]].itertuples(index=False, name=None))


def test_versions_are_those_of_the_runs(table: pd.DataFrame) -> None:
    now = dict(one.split("==") for one in HERE["packages"])
    everyone = [("hpo-lab", now["hpo-lab"], 3), ("numpy", "2.9", 3)]
    assert libraries(table, "random") == everyone
    several = [("scipy", "1.0", 1), ("scipy", "1.10", 1), ("scipy", now["scipy"], 1)]
    assert libraries(table, "sobol") == [*several, *everyone]
    assert libraries(table, "small steps") == [("deap", "", 1), ("deap", "1.4", 2), *everyone]


def test_every_resolved_setting_is_there(table: pd.DataFrame) -> None:
    own = table[(table["strategy"] == "small steps") & (table["kind"] == "setting")]
    made = discovery.make("strategies", "evolution", {"sigma": 0.01})
    wanted = {name: str(value) for name, value in dataclasses.asdict(made).items()}
    assert dict(zip(own["name"], own["value"], strict=True)) == wanted
    assert set(own["recipe"]) == {f"evolution@{made.version}"}
    assert set(own["runs"]) == {3}


def test_the_page_and_the_exports_show_them(folder: Path) -> None:
    # hpo_lab.report is the verb still, though the package of that name was imported above
    said = hpo_lab.report(folder / "study.toml", folder / "out")
    text = Page((folder / "out" / "report.html").read_text(encoding="utf-8")).text
    assert "deap of no known version (1 run) and 1.4 (2 runs), hpo-lab" in text
    assert "scipy 1.0 (1 run), 1.10 (1 run) and " in text
    assert "sigma 0.01" in text
    assert "Strategy “sobol”" not in text  # the table has taken the place of the list
    kept = pd.read_csv(folder / "out" / "tables" / "strategies.csv", dtype=str)
    assert len(kept) == len(said["strategies"])
    assert "small steps" in (folder / "out" / "tables" / "strategies.tex").read_text()
    json.dumps(said["strategies"], allow_nan=False)


def test_without_runs_settings_are_all_there_is(folder: Path) -> None:
    empty = Results.empty(Study.read(folder / "study.toml"))
    table = tabulate(empty, ["strategies"])["strategies"]
    assert set(table["kind"]) == {"setting"}
    view = views({"strategies": table})["strategies"]
    assert [row[-1] for row in view.cells] == ["–"] * len(view.cells)


def test_repeats_on_a_space_smaller_than_the_budget_are_counted(tmp_path: Path) -> None:
    names = [n for n in discovery.names("strategies") if usable(n, KINDS_OF_SPACE["two points"])]
    parts = "".join(f'[[strategies]]\nuse = "{name}"\n' for name in names)
    text = TINY + parts
    results = hpo_lab.Study.read(write(tmp_path / "study.toml", text))
    hpo_lab.run(results, tmp_path / "out", executor=Inline())
    tables = tabulate(Results.load(results, tmp_path / "out"), ["coverage"])
    rows = tables["coverage"].set_index("strategy")
    assert set(rows.index) == set(names)
    assert (rows["distinct"] <= 4).all()
    spent = rows["distinct"] + rows["repeats"]
    assert (spent <= 24).all()
    assert (spent == 24)[[n for n in names if n not in ("grid", "smac")]].all()  # these stop
    assert rows.loc["random", "repeats"] == 20
    view = views(tables)["coverage"]
    assert dict(zip(view.head, view.cells[names.index("random")], strict=True))["Repeats"] == "20.0"


# --- what a strategy says that it stands on -----------------------------------------------------


def private(path: Path) -> Iterator[Path]:
    """A strategy's file and the private ones that it is made of."""
    left, seen = [path], set()
    while left:
        one = left.pop()
        if one not in seen:
            seen.add(one)
            yield one
            names = (name.split(".") for name in imports(one))
            ours = (n for n in names if n[:2] == ["hpo_lab", "optimizers"] and len(n) > 2)
            paths = (OPTIMIZERS / f"{part}.py" for n in ours for part in n[2:])
            left += [p for p in paths if p.name.startswith("_") and p.is_file()]


def third_party(path: Path) -> set[str]:
    """The packages that a file imports, by statement or by a call with the name in quotes."""
    found = {name.split(".")[0] for name in imports(path)} - set(sys.stdlib_module_names)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in LATE:
            said = {a.value for a in node.args if isinstance(a, ast.Constant)}
            names = {str(one).split(".")[0] for one in said}
            found |= names & set(DISTRIBUTIONS)
    # threadpoolctl counts threads and computes nothing
    return found - {"hpo_lab", "numpy", "threadpoolctl"}


@pytest.mark.parametrize("name", discovery.names("strategies"))
def test_a_strategy_names_every_library_that_it_imports(name: str) -> None:
    declared = set(discovery.find("strategies", name).libraries)
    for path in private(OPTIMIZERS / f"{name}.py"):
        for package in third_party(path):
            distributions = DISTRIBUTIONS.get(package, [package])
            assert declared & set(distributions), f"{path.name} imports {package}"


def test_imports_are_found_however_they_are_made() -> None:
    found = {
        name: set().union(*map(third_party, private(OPTIMIZERS / f"{name}.py")))
        for name in ("random", "evolution", "gp_fast", "optuna_tpe")
    }
    assert found["random"] == set()
    assert found["evolution"] == {"deap"}
    assert found["gp_fast"] == {"scipy", "numba"}
    assert "optuna" in found["optuna_tpe"]


@pytest.mark.parametrize("libraries", ["scipy", ["scipy"], ("",), (1,)])
def test_libraries_that_are_no_tuple_of_names_are_noticed(libraries: Any) -> None:
    @dataclasses.dataclass(frozen=True)
    class Careless(Random):
        pass

    check_settings(Careless())
    Careless.libraries = libraries
    with pytest.raises(AssertionError, match="tuple of names"):
        check_settings(Careless())
