"""The plan of the house, read from the imports: who may import whom, and what stays cheap."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted([*ROOT.glob("hpo_lab/**/*.py"), *ROOT.glob("landscapes/**/*.py")])

# each room and the rooms of ours that it may import; errors and statistics are open to all
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "statistics": set(),
    "space": set(),
    "configspace": {"space"},
    "region": {"space"},
    "assumption": {"space", "region"},
    "assumptions": {"space", "assumption"},
    "landscape": {"space", "region", "assumption"},
    "lattice": {"space", "region", "landscape"},
    "basins": {"space", "region", "assumption", "landscape"},
    "rules": {"space", "region"},
    "descriptors": {"space"},
    "sensitivity": {"space", "region"},
    "optimizer": {"space"},
    "optimizers": {"space", "optimizer", "optimizers"},  # blind: nothing else, ever
    "discovery": set(),
    "study_file": {
        *("space", "region", "assumption", "landscape", "discovery", "controls", "study"),
    },
    "study": {
        *("space", "region", "assumption", "landscape", "optimizer", "discovery", "controls"),
        "study_file",
    },
    "controls": {"space", "region", "landscape", "discovery"},
    "store": {"space"},
    "logs": {"space", "configspace", "study_file"},
    "optuna_log": {"space", "configspace", "logs"},
    "auditing": {"space", "region", "logs"},
    "harness": {"space", "landscape", "optimizer", "discovery", "study", "store"},
    "measure": {
        *("space", "region", "assumption", "landscape", "basins", "discovery", "study", "store")
    },
    "measures": {
        *("space", "region", "assumption", "landscape", "basins", "rules", "study", "controls"),
        *("measure", "measures"),
    },
    "figure": set(),
    "figures": {"figure", "figures"},
    "show": {
        *("space", "region", "landscape", "lattice", "descriptors", "sensitivity"),
        *("figure", "figures", "show"),
    },
    "report": {"figure", "figures", "report", "discovery"},
    "landscapes": {
        *("space", "region", "assumption", "landscape", "lattice", "discovery", "landscapes"),
        "configspace",
    },
}
ON_TOP = {"verbs", "answers", "cli", "testing", "__init__"}
OPEN = {"errors", "statistics"}
HEAVY = {
    "dask",
    "deap",
    "jinja2",
    "matplotlib",
    "numba",
    "optuna",
    "pandas",
    "pyarrow",
    "pydantic",
    "scipy",
    "seaborn",
    "skopt",
    "sklearn",
    "smac",
    "torch",
    "tqdm",
}


def room(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return "landscapes" if parts[0] == "landscapes" else parts[1]


def imports(path: Path) -> set[str]:
    """The modules that a file imports anywhere, typing-only imports aside."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            node.body = [ast.Pass()]
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_room_imports_only_what_it_may(path: Path) -> None:
    own = room(path)
    if own in ON_TOP:
        return
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "landscapes":
            assert own == "landscapes", f"{path}: hpo_lab finds landscapes by name"
        elif parts[0] == "hpo_lab":
            other = parts[1]
            assert other in MAY_IMPORT[own] | OPEN | {own}, f"{own} may not import {other}"


def test_every_room_is_on_the_plan() -> None:
    rooms = {room(path) for path in FILES}
    assert rooms <= set(MAY_IMPORT) | ON_TOP
    assert set(MAY_IMPORT) <= rooms | {"landscapes"}


def test_heavy_libraries_wait_until_they_are_used() -> None:
    code = "import sys, hpo_lab, hpo_lab.cli; print(' '.join(m.split('.')[0] for m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.split())


def test_a_strategy_is_blind() -> None:
    """No strategy names a landscape, a problem, a view or an assumption."""
    for path in ROOT.glob("hpo_lab/optimizers/*.py"):
        words = {
            node.id for node in ast.walk(ast.parse(path.read_text())) if type(node) is ast.Name
        }
        assert not words & {"Landscape", "Problem", "View", "Assumption", "Optimum"}, path
