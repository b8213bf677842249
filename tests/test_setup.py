"""What a fresh machine installs is pinned, hashed, complete, and named without any address."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PIN = re.compile(
    r"(?P<pin>[a-z0-9.-]+==[a-z0-9.]+( ; [^/:\\]+)?)"
    r"( \\\n    --hash=sha256:[0-9a-f]{64})+\n"
)


LOCKS = ["constraints.txt", "bootstrap.txt", "experiments/strategies/peers.txt"]


@pytest.mark.parametrize("name", LOCKS)
def test_pins_hold_names_versions_markers_and_hashes_alone(name: str) -> None:
    assert PIN.sub("", (ROOT / name).read_text()) == ""


def test_every_requirement_is_pinned_within_its_range() -> None:
    pins = [Requirement(pin["pin"]) for pin in PIN.finditer((ROOT / "constraints.txt").read_text())]
    torch = re.search(r"^TORCH := (.*)$", (ROOT / "Makefile").read_text(), re.M)
    assert torch is not None  # its file depends on the machine, so it has no hash
    pins.append(Requirement(torch.group(1)))
    pinned = {
        canonicalize_name(pin.name): next(iter(pin.specifier)).version
        for pin in pins
        if pin.marker is None or pin.marker.evaluate()
    }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [
        Requirement(line)
        for lines in (project["dependencies"], *project["optional-dependencies"].values())
        for line in lines
    ]
    outside = [
        str(requirement)
        for requirement in wanted
        if requirement.name != project["name"]
        and pinned.get(canonicalize_name(requirement.name), "") not in requirement.specifier
    ]
    assert outside == [], "make lock pins these anew"


def test_a_wheel_carries_every_file_of_the_packages(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    for package in ("hpo_lab", "landscapes"):
        ignored = shutil.ignore_patterns("__pycache__", ".*")
        shutil.copytree(ROOT / package, tree / package, ignore=ignored)
    kept = {
        path.relative_to(tree).as_posix()
        for package in ("hpo_lab", "landscapes")
        for path in (tree / package).rglob("*")
        if path.is_file()
    }
    build = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path)]
    subprocess.run([sys.executable, "-m", "pip", *build, str(tree)], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    assert kept <= set(zipfile.ZipFile(wheel).namelist())
