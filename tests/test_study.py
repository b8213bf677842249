"""What a study file may say, what follows from it, and what it is told when it is wrong."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hpo_lab
from hpo_lab import InputError, Results, Study, discovery, tabulate
from hpo_lab.store import Store
from hpo_lab.study import Part, Run
from hpo_lab.study_file import LARGEST_FILE
from tests.small_studies import Inline, study_file

Change = tuple[str, str]

BASE = """
schema = 1
name = "base"
question = "What if?"
[[landscapes]]
use = "peaks"
peaks = 5
[spaces.universe]
[spaces.left]
assume = [{ use = "narrowed", axis = "x1", high = 0.0, reason = "habit" }]
[[strategies]]
use = "random"
[[strategies]]
use = "evolution"
population = 4
[runs]
budget = 12
repetitions = 3
entropy = 5
"""

OWN_UNIVERSE = """
schema = 1
[[landscapes]]
use = "families"
[[strategies]]
use = "random"
[universe.shared]
lr = { real = [1e-5, 1e-1], log = true }
[universe.families.conv]
kernel = { integer = [1, 7] }
[universe.families.mlp]
"""


def study(folder: Path, *changes: Change, text: str = BASE) -> Study:
    return Study.read(study_file(folder, *changes, text=text))


def said_of(folder: Path, *changes: Change, text: str = BASE) -> str:
    """The one line that a bad study file gets."""
    path = study_file(folder, *changes, text=text)
    with pytest.raises(InputError) as refused:
        Study.read(path)
    said = str(refused.value)
    assert said.startswith(f"{path}: ")
    assert "\n" not in said
    assert len(said) < len(str(path)) + 550
    return said.removeprefix(f"{path}: ")


# --- what is wrong with it ---------------------------------------------------------------------

TOP, PEAKS, RUNS = "schema = 1", "peaks = 5", "[runs]"
ASSUMED = '{ use = "narrowed", axis = "x1", high = 0.0, reason = "habit" }'
LANDSCAPE = '[[landscapes]]\nuse = "peaks"\npeaks = 5'
KERNEL = "{ integer = [1, 7] }"

BAD: list[tuple[str, str, str]] = [
    # the top
    (TOP, "", "schema: the key is missing; begin the file with schema = 1"),
    (TOP, "schema = 2", "schema: this version reads schema 1, not 2"),
    (TOP, "schema = true", "schema: this version reads schema 1, not True"),
    (TOP, "schema = 1\nnmae = 1", 'unknown key "nmae" (did you mean "name"?)'),
    (RUNS, "[run]", 'unknown key "run" (did you mean "runs"?)'),
    (RUNS, "[[hypotheses]]\n[runs]", "hypotheses: hypothesis 1.compare: name two strategies or"),
    (
        RUNS,
        "[hypotheses]\n[runs]",
        "hypotheses: expected tables headed [[hypotheses]], got a table",
    ),
    (RUNS, "[controls]\n[runs]", "controls.use: name at least one of flat, relabelled, shifted"),
    (RUNS, "[controls]\nuse = ['flut']\n[runs]", "controls.use: unknown value"),
    (RUNS, "[controls]\nuse = 3\n[runs]", "controls.use: expected a list, got a whole number"),
    (RUNS, "[regions]\nbins = 1\n[runs]", "regions.bins: must be at least 2, not 1"),
    (RUNS, "[regions]\ncells = 0\n[runs]", "regions.cells: must be at least 1, not 0"),
    (RUNS, "[regions]\nepsilon = 'x'\n[runs]", "regions.epsilon: expected a number, got a string"),
    (RUNS, "[regions]\nepsilon = 1\n[runs]", "regions.epsilon: a share of the landscape's spread"),
    (RUNS, "[noise]\nx = 1\n[runs]", "noise: not built yet; leave this table out"),
    ('"base"', "3", "name: expected a string, got a whole number"),
    ('"base"', '"../x"', "name: '../x' cannot name a folder; use letters, digits, - and _"),
    ('"base"', '"/abs"', "name: '/abs' cannot name a folder; use letters, digits, - and _"),
    ('"base"', '".."', "name: '..' cannot name a folder; use letters, digits, - and _"),
    ('"base"', '""', "name: '' cannot name a folder; use letters, digits, - and _"),
    ('"base"', f'"{"x" * 300}"', "name: a name has at most 100 bytes, not 300"),
    ('"What if?"', "[1]", "question: expected a string, got a list"),
    ('"What if?"', "1979-05-27", "question: dates and times mean nothing here; put it in quotes"),
    ('"What if?"', '"\\u001b[2J"', "question: the text has control characters; remove them"),
    # landscapes
    (LANDSCAPE, "", "landscapes: there is none; add a [[landscapes]] table"),
    (LANDSCAPE, "landscapes = []", "landscapes: there is none; add a [[landscapes]] table"),
    ("[[landscapes]]", "[landscapes]", "landscapes: expected tables headed [[landscapes]], got"),
    ('"peaks"', '"peeks"', 'landscapes.use: there is no landscape "peeks" (did you mean "peaks"?)'),
    ('"peaks"', "3", "landscapes.use: expected a string, got a whole number"),
    ('use = "peaks"', "", 'landscapes: the key "use" is missing; it names what to use'),
    (PEAKS, "peeks = 5", 'landscapes: peaks: unknown key "peeks" (did you mean "peaks"?)'),
    (PEAKS, "peaks = 0", "landscapes: peaks: peaks must be at least 1, not 0"),
    (PEAKS, 'peaks = "5"', "landscapes: peaks: peaks: input should be a valid integer, got '5'"),
    (PEAKS, "peaks = 5.0", "landscapes: peaks: peaks: input should be a valid integer, got 5.0"),
    (PEAKS, "peaks = []", "landscapes: peaks: the list of values is empty"),
    (PEAKS, "peaks = [3, 3]", 'landscapes: 2 are called "peaks peaks=3"; give each a name of its'),
    (PEAKS, "noise = nan", "landscapes.noise: nan is no value"),
    (PEAKS, "noise = inf", "landscapes: peaks: noise must be a standard deviation from 0 on"),
    (
        PEAKS,
        f"peaks = [{', '.join(map(str, range(1, 1003)))}]",
        "landscapes: peaks: the lists make",
    ),
    (PEAKS, 'name = ""', "landscapes.name: a name is one line of at most 200 characters"),
    (
        '"peaks"\npeaks = 5',
        '"nas_graph"\ndataset = "koora"',
        'landscapes: nas_graph: there is no dataset "koora" (did you mean "cora"?)',
    ),
    # strategies
    ('"random"', '"randm"', 'strategies.use: there is no strategy "randm" (did you mean "rand'),
    (
        '"random"',
        '"evolution"',
        'strategies: 2 are called "evolution"; give each a name of its own',
    ),
    ("population = 4", "populace = 4", 'strategies: evolution: unknown key "populace" (did you'),
    ("population = 4", "population = 0", "strategies: evolution: population must be at least 2"),
    # spaces
    ("[spaces.universe]", "[spaces]\nuniverse = 3", "spaces.universe: expected a table, got a who"),
    ("assume", "asume", 'spaces.left: unknown key "asume" (did you mean "assume"?)'),
    ('"narrowed"', '"narowed"', 'spaces.left.assume.use: there is no assumption "narowed" (did'),
    ('"x1"', '"x"', 'spaces.left: the space has no axis "x" (did you mean "x'),
    ("axis", "axes", 'spaces.left.assume: narrowed: unknown key "axes" (did you mean "axis"?)'),
    ("high = 0.0", "high = -9.0", 'spaces.left: axis "x1": the range [-5.0, -9.0] is empty'),
    ("high = 0.0", "high = 9.0", 'spaces.left: axis "x1": [-5.0, 9.0] is not inside [-5.0, 5.0]'),
    ("high = 0.0", "high = nan", "spaces.left.assume.high: nan is no value"),
    ("[spaces.left]", '[spaces.left]\nname = "universe"', 'spaces: 2 are called "universe"; give'),
    ("[spaces.left]", "[spaces.left]\nlandscapes = []", "spaces.left.landscapes: the list is emp"),
    (
        "[spaces.left]",
        '[spaces.left]\nlandscapes = ["peeks"]',
        'spaces.left.landscapes: unknown value "peeks" (did you mean "peaks"?)',
    ),
    # runs
    ("budget", "bugdet", 'runs: unknown key "bugdet" (did you mean "budget"?)'),
    ("budget = 12", "budget = 0", "runs.budget: must be at least 1, not 0"),
    ("budget = 12", "budget = -1", "runs.budget: must be at least 1, not -1"),
    ("budget = 12", "budget = 1.5", "runs.budget: expected a whole number, got a number"),
    ("budget = 12", "budget = true", "runs.budget: expected a whole number, got true or false"),
    ("budget = 12", "budget = []", "runs.budget: the list is empty; name at least one budget"),
    (
        "budget = 12",
        "budget = 100000000",
        "runs.budget: must be at most 10,000,000, not 100,000,00",
    ),
    ("budget = 12", f"budget = {10**30}", "runs.budget: the number is too large"),
    ("budget = 12", f"budget = 0x{'f' * 5000}", "runs.budget: the number is too large"),
    ("budget = 12", f"budget = {'9' * 5000}", "this is not TOML: a number has thousands of digits"),
    ("budget = 12", "instances = 0", "runs.instances: must be at least 1, not 0"),
    ("entropy = 5", "entropy = -1", "runs.entropy: must be at least 0, not -1"),
    ("repetitions = 3", "repetitions = 1000000", "runs: that would be 4,000,000 runs, more than 1"),
    # the rest
    (RUNS, '[reference]\nweight = "famly"\n[runs]', 'reference.weight: unknown value "famly" (did'),
    (RUNS, '[regions]\nsystems = ["pair"]\n[runs]', 'regions.systems: unknown value "pair" (did y'),
    (RUNS, "[regions]\nsystems = []\n[runs]", "regions.systems: the list is empty; leave the key"),
    (RUNS, "[universe.families.a]\n[runs]", "universe: no landscape of this study takes a univer"),
]


@pytest.mark.parametrize(("old", "new", "said"), BAD)
def test_a_bad_study_gets_one_line_that_names_the_key(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    assert said_of(tmp_path, (old, new)).startswith(said)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (KERNEL, "{ real = [1, 0] }", 'axis "kernel": low 1.0 is above high 0.0'),
        (KERNEL, "{ reel = [0, 1] }", 'axis "kernel": unknown key "reel" (did you mean "real"?)'),
        (KERNEL, "3", 'axis "kernel" must be a table such as { real = [0, 1] }'),
        (
            KERNEL,
            "{ real = [0, 1], log = true }",
            'axis "kernel": a logarithmic axis needs low > 0',
        ),
        (KERNEL, "{ real = [-1e308, 1e308] }", 'axis "kernel": the range is too wide'),
        (KERNEL, f"{{ integer = [0, {2**62}] }}", 'axis "kernel": whole numbers beyond'),
        (KERNEL, "{ choice = [] }", 'axis "kernel" has no options; give it at least one'),
        (KERNEL, '{ choice = ["a", "a"] }', 'axis "kernel" names an option twice'),
        ("kernel", "lr", 'family "conv" names an axis twice; rename one of them'),
        ("kernel", "family", '"family" cannot be the name of an axis; choose another'),
        (f"kernel = {KERNEL}", "axes = [3]", 'family "conv": axes must be a list of tables'),
    ],
)
def test_a_bad_universe_gets_one_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert said_of(tmp_path, (old, new), text=OWN_UNIVERSE).startswith(f"universe: {said}")


def test_an_instance_is_chosen_in_one_place(tmp_path: Path) -> None:
    both = (PEAKS, "instance = 7"), ("budget = 12", "instances = 2")
    assert "either instance here or runs.instances" in said_of(tmp_path, *both)
    assert len(study(tmp_path, both[0]).runs) == 12


BAD_FILES: dict[str, tuple[bytes, str]] = {
    "not TOML": (b"=", "this is not TOML: Invalid statement (at line 1, column 1)"),
    "twice": (b"schema = 1\nschema = 1", "this is not TOML: Cannot overwrite a value (at"),
    "a bomb": (b"a" + b".a" * 90_000 + b" = 1", "a key has more than 50 parts"),
    "a quoted bomb": (b'"a,"' + b'."a,"' * 30_000 + b" = 1", "a key has more than 50 parts"),
    "deep lists": (b"a = " + b"[" * 9000 + b"]" * 9000, "the file is nested too deeply"),
    "deep tables": (
        b"a = " + b"{a = " * 9000 + b"1" + b"}" * 9000,
        "the file is nested too deeply",
    ),
    "too large": (b"#" * (LARGEST_FILE + 1), "the file is larger than 200,000 bytes"),
    "not text": (b'name = "\xff"', "the file is not text in UTF-8 (byte 8)"),
    "zeros": (bytes(100), "this is not TOML: "),
    "empty": (b"", "schema: the key is missing; begin the file with schema = 1"),
}


@pytest.mark.parametrize("kind", BAD_FILES)
def test_what_is_no_study_file_gets_one_line_at_once(tmp_path: Path, kind: str) -> None:
    contents, said = BAD_FILES[kind]
    (tmp_path / "study.toml").write_bytes(contents)
    start = time.process_time()
    with pytest.raises(InputError) as refused:
        Study.read(tmp_path)
    assert time.process_time() - start < 1
    assert str(refused.value).startswith(f"{tmp_path / 'study.toml'}: {said}")


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    for name, said in [
        ("nowhere.toml", "there is no such study file"),
        (".", "there is no such study file"),
        ("pipe", "this is not a file"),
        ("file/study.toml", "cannot be read: Not a directory"),
    ]:
        with pytest.raises(InputError, match=said):
            Study.read(tmp_path / name)


WITHOUT_DATA = """
import importlib.util, sys
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name == "nas_bench_graph" else find(name)
from hpo_lab.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("verb", ["run", "price"])
def test_a_landscape_whose_package_is_missing_says_what_to_install(
    tmp_path: Path, verb: str
) -> None:
    changes = ('"peaks"\npeaks = 5', '"nas_graph"\ndataset = "cora"'), (ASSUMED, "")
    path = study_file(tmp_path, *changes, text=BASE)
    call = [sys.executable, "-c", WITHOUT_DATA, verb, str(path), "--out", str(tmp_path)]
    said = subprocess.run(call, capture_output=True, text=True, check=False)
    assert said.returncode == 2, said.stderr
    assert "pip install nas_bench_graph" in said.stderr
    assert said.stderr.count("\n") == 1


def test_a_mark_at_the_beginning_of_the_file_is_passed_over(tmp_path: Path) -> None:
    assert study(tmp_path, text="\ufeff" + BASE).name == "base"


TOKENS = [
    *("[", "]", "[[", "]]", "{", "}", "=", ",", ".", '"', "'", "#", "\n", "\\", " "),
    *("0", "-1", "1e999", "nan", "inf", "true", "1979-05-27", "0xff", "99", '"x"', "[]", "{}"),
    *("use", "name", "axis", "option", "family", "space", "instance", "assume", "landscapes"),
    *(
        "spaces",
        "strategies",
        "runs",
        "budget",
        "regions",
        "systems",
        "universe",
        "noise",
        "weight",
    ),
    *(
        '"gp"',
        '"grid"',
        '"families"',
        '"without"',
        '"tied"',
        '"fixed"',
        '"coarsened"',
        "\u2028",
        "é",
    ),
]


def mutated(text: str, rng: random.Random) -> str:
    """A study file with a few pieces cut out, doubled, exchanged or put in."""
    for _ in range(rng.randint(1, 4)):
        lines = text.split("\n")
        i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
        at, to = sorted(rng.randrange(len(text) + 1) for _ in range(2))
        match rng.randrange(6):
            case 0:
                text = text[:at] + rng.choice(TOKENS) + text[at:]
            case 1:
                text = text[:at] + text[min(to, at + 8) :]
            case 2:
                lines[i], lines[j] = lines[j], lines[i]
                text = "\n".join(lines)
            case 3:
                text = "\n".join([*lines[:i], lines[j], *lines[i:]])
            case 4:
                text = "\n".join([*lines[:i], *lines[i + 1 :]])
            case 5 if "=" in lines[i]:
                key = lines[i].split("=")[0]
                text = "\n".join([*lines[:i], f"{key} = {rng.choice(TOKENS)}", *lines[i + 1 :]])
    return text


def reads_or_refuses(path: Path, contents: bytes) -> None:
    path.write_bytes(contents)
    start, said = time.process_time(), f"{path}: "
    try:
        Study.read(path)
    except InputError as error:
        said = str(error)
    assert time.process_time() - start < 1
    assert said.startswith(f"{path}: ")
    assert "\n" not in said


def some_mutations(folder: Path, count: int) -> None:
    study(folder, text=BASE), study(folder, text=OWN_UNIVERSE)  # what is imported late is there
    rng = random.Random(0)  # noqa: S311
    for _ in range(count):
        text = mutated(rng.choice([BASE, OWN_UNIVERSE]), rng)
        reads_or_refuses(folder / "study.toml", text.encode())


def test_a_mutated_study_is_read_or_gets_one_line(tmp_path: Path) -> None:
    some_mutations(tmp_path, 500)


@pytest.mark.slow
def test_many_mutated_studies_are_read_or_get_one_line(tmp_path: Path) -> None:
    some_mutations(tmp_path, 70_000)


VALUES = st.recursive(
    st.none().map(lambda _: "nan")
    | st.integers(-(2**70), 2**70).map(str)
    | st.floats().map(repr)
    | st.booleans().map(lambda value: str(value).lower())
    | st.text(st.characters(codec="utf-8", exclude_characters="'\n\r"), max_size=8).map(repr)
    | st.sampled_from(['"gp"', '"x1"', '"peaks"', '"lr"', "1979-05-27", "07:32:00"]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda values: f"[{', '.join(values)}]")
        | st.dictionaries(
            st.sampled_from(["use", "axis", "real", "name", "a"]), inner, max_size=3
        ).map(
            lambda table: "{" + ", ".join(f"{key} = {value}" for key, value in table.items()) + "}"
        )
    ),
    max_leaves=6,
)


def examples(count: int) -> settings:
    mild = [HealthCheck.function_scoped_fixture]
    return settings(max_examples=count, deadline=None, suppress_health_check=mild, database=None)


def with_value(folder: Path, place: int, value: str) -> None:
    lines = (BASE + OWN_UNIVERSE.replace("schema = 1", "").replace('"random"', '"gp"')).split("\n")
    places = [i for i, line in enumerate(lines) if "=" in line]
    chosen = places[place % len(places)]
    if lines[chosen].startswith("peaks") and value.lstrip("+-").isdecimal():
        value = value[:3]  # a landscape of so many peaks takes its time
    lines[chosen] = f"{lines[chosen].split('=')[0]} = {value}"
    reads_or_refuses(folder / "study.toml", "\n".join(lines).encode())


@examples(150)
@given(place=st.integers(0, 30), value=VALUES)
def test_any_value_of_any_key_is_read_or_gets_one_line(
    tmp_path: Path, place: int, value: str
) -> None:
    with_value(tmp_path, place, value)


@pytest.mark.slow
@examples(30_000)
@given(place=st.integers(0, 30), value=VALUES)
def test_very_many_values_are_read_or_get_one_line(tmp_path: Path, place: int, value: str) -> None:
    with_value(tmp_path, place, value)


@examples(100)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_get_one_line(tmp_path: Path, contents: bytes) -> None:
    reads_or_refuses(tmp_path / "study.toml", contents)


# --- what follows from it ----------------------------------------------------------------------


def labels(study: Study) -> list[str]:
    return [part.label for part in study.landscapes]


@pytest.mark.parametrize(
    ("landscape", "expected"),
    [
        ('use = "peaks"', ["peaks"]),
        ('use = "peaks"\nname = "hills"', ["hills"]),
        ('use = "peaks"\npeaks = [3, 4]', ["peaks peaks=3", "peaks peaks=4"]),
        ('use = "peaks"\npeaks = [3, 4]\nname = "hills"', ["hills peaks=3", "hills peaks=4"]),
        (
            'use = "peaks"\npeaks = [3, 4]\nnoise = [0.0, 0.5]',
            [f"peaks peaks={p} noise={n}" for p in (3, 4) for n in (0.0, 0.5)],
        ),
        ('use = "nas_graph"\ndataset = ["cora", "arxiv"]', ["cora", "arxiv"]),
        ('use = "nas_graph"\ndataset = "cora"', ["nas_graph"]),
        ('use = "families"\nfamilies = ["conv", "mlp"]', ["families"]),
        ('use = "families"\noptima = [1, 2]', ["families optima=1", "families optima=2"]),
    ],
)
def test_a_list_of_values_makes_one_landscape_each(
    tmp_path: Path, landscape: str, expected: list[str]
) -> None:
    text = f'schema = 1\n[[landscapes]]\n{landscape}\n[[strategies]]\nuse = "random"\n'
    assert labels(study(tmp_path, text=text)) == expected


def test_any_table_may_have_a_name(tmp_path: Path) -> None:
    named = study(
        tmp_path,
        (PEAKS, 'peaks = 5\nname = "hills"'),
        ("population = 4", 'population = 4\nname = "small"'),
        ("[spaces.left]", '[spaces.left]\nname = "the left"'),
        ("reason", 'name = "half", reason'),
    )
    assert labels(named) == ["hills"]
    assert [part.label for part in named.strategies] == ["random", "small"]
    assert [space.label for space in named.spaces] == ["universe", "the left"]
    assert named.spaces[1].assumptions[0].label == "half"
    assert "hills, the left, small, budget 12, instance 1, repetition 3" in {
        run.title for run in named.runs.values()
    }


def test_a_space_may_be_for_some_landscapes(tmp_path: Path) -> None:
    for chosen, expected in [
        ('"peaks peaks=3"', {"peaks peaks=3"}),
        ('"peaks"', {"peaks peaks=3", "peaks peaks=4"}),
        ('"flat"', {"flat"}),
    ]:
        restricted = study(
            tmp_path,
            (PEAKS, 'peaks = [3, 4]\n[[landscapes]]\nuse = "peaks"\npeaks = 1\nname = "flat"'),
            ("[spaces.left]", f"[spaces.left]\nlandscapes = [{chosen}]"),
        )
        if chosen == '"peaks"':
            expected = expected | {"flat"}
        left = {arm.landscape.label for arm in restricted.arms if arm.space.label == "left"}
        assert left == expected
        assert len(restricted.arms) == 6 + 2 * len(expected)


def test_an_axis_is_looked_for_only_where_the_space_is_used(tmp_path: Path) -> None:
    two = (PEAKS, 'peaks = 5\n[[landscapes]]\nuse = "families"')
    assert said_of(tmp_path, two).startswith('spaces.left: the space has no axis "x1"')
    study(tmp_path, two, ("[spaces.left]", '[spaces.left]\nlandscapes = ["peaks"]'))


def test_a_universe_goes_to_the_landscapes_that_take_one(tmp_path: Path) -> None:
    text = OWN_UNIVERSE.replace("[[strategies]]", '[[landscapes]]\nuse = "peaks"\n[[strategies]]')
    own, other = study(tmp_path, text=text).arms
    assert own.problem(1).view.universe.columns == ("lr", "kernel")
    assert [f.name for f in own.problem(1).view.universe.families] == ["conv", "mlp"]
    assert other.problem(1).view.universe.columns == ("x1", "x2")


@pytest.mark.parametrize(("weight", "expected"), [("family", [0.5, 0.5]), ("parameters", [2, 1])])
def test_the_reference_measure_weighs_families(
    tmp_path: Path, weight: str, expected: list[float]
) -> None:
    text = OWN_UNIVERSE + f'[reference]\nweight = "{weight}"\n'
    view = study(tmp_path, text=text).arms[0].problem(1).view
    assert view.declared.weights == pytest.approx(np.array(expected) / sum(expected))


def test_instances_and_repetitions_are_counted_apart(tmp_path: Path) -> None:
    paired = study(tmp_path, ("budget = 12", "budget = 12\ninstances = 3"))
    assert len(paired.runs) == 2 * 2 * 3 * 3
    assert {(r.instance, r.repetition) for r in paired.runs.values()} == {
        (i, r) for i in (1, 2, 3) for r in (1, 2, 3)
    }
    problems = [paired.arms[0].problem(i) for i in (1, 2, 3)]
    assert len({problem.optimum_universe.point.values.tobytes() for problem in problems}) == 3  # type: ignore[union-attr]
    table = study(
        tmp_path,
        ('"peaks"\npeaks = 5', '"nas_graph"\ndataset = "cora"'),
        ("budget = 12", "budget = 12\ninstances = 3"),
        (ASSUMED, ""),
    )
    assert {run.instance for run in table.runs.values()} == {1}


def budgets(study: Study, use: str) -> set[tuple[int, int]]:
    return {(arm.budget, arm.spent) for arm in study.arms if arm.strategy.use == use}


def test_a_shorter_budget_is_a_prefix_only_where_the_strategy_is_anytime(tmp_path: Path) -> None:
    several = ("budget = 12", "budget = [12, 5, 5]")
    both = study(
        tmp_path, several, ("population = 4", "population = 4\n[[strategies]]\nuse = 'grid'")
    )
    for use in ("random", "evolution", "grid"):
        anytime = discovery.find("strategies", use).anytime
        assert budgets(both, use) == {(5, 12 if anytime else 5), (12, 12)}
    assert discovery.find("strategies", "random").anytime
    assert not discovery.find("strategies", "grid").anytime


def test_a_shorter_budget_counts_the_beginning_of_the_longer_run(tmp_path: Path) -> None:
    path = study_file(tmp_path, ("budget = 12", "budget = [5, 12]"), text=BASE)
    several = Study.read(path)
    hpo_lab.run(several, tmp_path / "out", executor=Inline())
    results = Results.load(several, tmp_path / "out")
    of = {
        (arm.arm.space.label, arm.arm.strategy.use, arm.arm.budget): arm.cells[0]
        for arm in results.arms
    }
    short, long = of["left", "random", 5], of["left", "random", 12]
    assert short.observed.shape == (3, 5)
    assert (short.observed == long.observed[:, :5]).all()
    alone = study(tmp_path)
    assert set(alone.runs) <= set(several.runs), "what was run with one budget is there already"


# --- identities --------------------------------------------------------------------------------


def first(study: Study) -> Run:
    """The first run of evolution in the space "left", whatever these are called."""
    return study.runs_of(study.arms[-1])[0]


SAME: dict[str, Change] = {
    "the name": ('"base"', '"another"'),
    "the question": ('"What if?"', '"Why?"'),
    "a reason": ('"habit"', '"haste"'),
    "a landscape's name": (PEAKS, 'peaks = 5\nname = "hills"'),
    "a strategy's name": ("population = 4", 'population = 4\nname = "small"'),
    "a space's name": ("[spaces.left]", "[spaces.half]"),
    "an assumption's name": ("reason =", 'name = "n", reason ='),
    "repetitions": ("repetitions = 3", "repetitions = 9"),
    "instances": ("repetitions = 3", "repetitions = 3\ninstances = 2"),
    "regions": (RUNS, '[regions]\nsystems = ["pairs"]\n[runs]'),
    "a default that is spelled out": (PEAKS, "peaks = 5\nconditioning = 1.0\nnoise = 0"),
    "another strategy": ('"random"', '"grid"'),
    "the order": (LANDSCAPE, f'[[landscapes]]\nuse = "peaks"\npeaks = 9\nname = "x"\n{LANDSCAPE}'),
    "an assumption said otherwise": ("high = 0.0", "low = -5.0, high = 0"),
}
DIFFERENT: dict[str, Change] = {
    "a setting": ("population = 4", "population = 5"),
    "the strategy": ('"evolution"\npopulation = 4', '"grid"'),
    "the budget": ("budget = 12", "budget = 13"),
    "the entropy": ("entropy = 5", "entropy = 6"),
    "a landscape's argument": (PEAKS, "peaks = 6"),
    "another argument": (PEAKS, "peaks = 5\nnoise = 0.1"),
    "the instance": (PEAKS, "peaks = 5\ninstance = 2"),
    "an assumption": ("high = 0.0", "high = 0.1"),
    "one assumption more": (" }]", ' }, { use = "fixed", axis = "x2", value = 0 }]'),
    "no assumption": (ASSUMED, ""),
    "the measure alone": (
        '"narrowed", axis = "x1", high = 0.0',
        '"tied", axis = ["x1", "x2"]',
    ),
}


@pytest.mark.parametrize("what", SAME)
def test_an_identity_does_not_depend_on(tmp_path: Path, what: str) -> None:
    before = first(study(tmp_path)).identity
    (tmp_path / "elsewhere").mkdir()
    assert first(study(tmp_path / "elsewhere", SAME[what])).identity == before


@pytest.mark.parametrize("what", DIFFERENT)
def test_an_identity_depends_on(tmp_path: Path, what: str) -> None:
    before = first(study(tmp_path)).identity
    assert first(study(tmp_path, DIFFERENT[what])).identity != before


def test_an_identity_depends_on_the_weights_of_families(tmp_path: Path) -> None:
    runs = [
        set(study(tmp_path, text=OWN_UNIVERSE + f'[reference]\nweight = "{weight}"\n').runs)
        for weight in ("family", "parameters")
    ]
    assert not runs[0] & runs[1]


def test_every_instance_and_repetition_has_its_own_identity_and_stream(tmp_path: Path) -> None:
    runs = study(tmp_path, ("budget = 12", "budget = 12\ninstances = 3")).runs
    assert len(runs) == 36
    assert len({run.generator().random() for run in runs.values()}) == 36
    assert all(len(identity) == 32 for identity in runs)


def test_every_default_of_a_plugin_is_the_value_that_spells_it_out(tmp_path: Path) -> None:
    from dataclasses import MISSING, fields

    for kind in ("landscapes", "strategies"):
        for name in discovery.names(kind):
            known = {
                f.metadata.get("argument", f.name): f for f in fields(discovery.find(kind, name))
            }
            if any(f.default is MISSING for f in known.values()):
                continue  # not to be had without a person's own files
            spelled = {k: f.default for k, f in known.items() if f.default is not None}
            plain = Part(kind, name, ()).make()
            full = discovery.make(kind, name, spelled)
            assert repr(plain) == repr(full), "1 and 1.0 would be two identities"


def test_one_and_true_are_two_values(tmp_path: Path) -> None:
    text = OWN_UNIVERSE.replace(KERNEL, "{ choice = [1, true, 2] }") + (
        '[spaces.one]\nassume = [{ use = "without", axis = "kernel", option = 1 }]\n'
        '[spaces.yes]\nassume = [{ use = "without", axis = "kernel", option = true }]\n'
    )
    one, yes = (
        arm.problem(1).view.declared.family("conv") for arm in study(tmp_path, text=text).arms
    )
    assert [repr(one.axis("kernel").options), repr(yes.axis("kernel").options)] == [  # type: ignore[union-attr]
        "(True, 2)",
        "(1, 2)",
    ]


def test_a_wrong_type_is_refused_also_after_an_equal_right_one(tmp_path: Path) -> None:
    study(tmp_path, (PEAKS, "peaks = 1"))
    assert "valid integer, got 1.0" in said_of(tmp_path, (PEAKS, "peaks = 1.0"))
    assert "valid integer, got True" in said_of(tmp_path, (PEAKS, "peaks = true"))


def test_identities_are_the_same_in_every_process(tmp_path: Path) -> None:
    path = study_file(tmp_path, text=BASE)
    script = f"import hpo_lab; print(*hpo_lab.Study.read({str(path)!r}).runs)"
    for seed in ("0", "7"):
        said = subprocess.run(
            [sys.executable, "-c", script],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert said.stdout.split() == list(Study.read(path).runs)


def test_two_names_of_one_space_share_their_runs(tmp_path: Path) -> None:
    twice = study(tmp_path, ("[spaces.left]", "[spaces.again]\n[spaces.left]"))
    assert len(twice.arms) == 6
    assert len(twice.runs) == 12
    hpo_lab.run(twice, tmp_path / "out", executor=Inline())
    assert len(Store(tmp_path / "out").identities()) == 12
    regret = tabulate(Results.load(twice, tmp_path / "out"), ["regret"])["regret"]
    assert len(regret) == 18
