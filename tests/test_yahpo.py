"""YAHPO Gym's surrogates: our reader of spaces and networks against the published package."""

from __future__ import annotations

import json
import pickle  # noqa: S403  a round trip of a landscape
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import landscapes
from hpo_lab.configspace import read_space
from hpo_lab.errors import InputError
from hpo_lab.landscape import UNKNOWN, identity
from hpo_lab.space import Choice, Integer, Real
from hpo_lab.testing.landscape import check_landscape
from landscapes import yahpo
from landscapes.yahpo import SCENARIOS, Yahpo

DATA = Path(__file__).parent.parent.parent / "shared" / "data" / "yahpo"
PUBLISHED = Path(__file__).parent / "goldens" / "yahpo_gym.json"

needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason=f"YAHPO Gym's surrogates (slds-lmu/yahpo_data) are not at {DATA}"
)


def _make(scenario: str, task: str, target: str, **more: Any) -> Yahpo:
    folder = more.pop("folder", DATA)
    f = landscapes.make(
        "yahpo", folder=str(folder), scenario=scenario, task=task, target=target, **more
    )
    assert isinstance(f, Yahpo)
    return f


@needs_data
@pytest.mark.parametrize("scenario", sorted(SCENARIOS))
def test_values_are_those_of_the_published_package(scenario: str) -> None:
    """Twenty configurations with every target, by yahpo_gym one point at a time.

    Its blocks have one point and ours sixteen, and onnxruntime's 32-bit arithmetic differs between
    them: on these points by 1e-5 relative, or 1e-7 where a score is all but zero.
    """
    about = SCENARIOS[scenario]
    for row in json.loads(PUBLISHED.read_text())["scenarios"][scenario]:
        point = dict(row["configuration"])
        task, fidelity = point.pop(about.task), point.pop(about.fidelity)
        assert point.pop("repl", 10) == 10
        if "booster" in point:
            point["family"] = point.pop("booster")
        for target, lower_is_better in zip(about.targets, about.minimised, strict=True):
            f = _make(scenario, task, target, fidelity=fidelity)
            expected = row["values"][target] * (1 if lower_is_better else -1)
            assert f(point) == pytest.approx(expected, rel=3e-5, abs=1e-6), target


@needs_data
@pytest.mark.parametrize(
    ("scenario", "task", "target"),
    [("rbv2_xgboost", "16", "auc"), ("rbv2_rpart", "1040", "logloss"), ("lcbench", "3945", "time")],
)
def test_surrogates_keep_the_contract(scenario: str, task: str, target: str) -> None:
    f = _make(scenario, task, target)
    check_landscape(f)
    assert f.optimum() == UNKNOWN
    assert f.minima() is None
    assert not f.stochastic


@needs_data
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 15, 16, 17, 33])
def test_a_point_has_one_value_in_every_batch(size: int) -> None:
    f = _make("rbv2_rpart", "1040", "acc")
    points = f.universe.sample(66, np.random.default_rng(1))
    parts = [f.evaluate(points[i : i + size]) for i in range(0, len(points), size)]
    assert np.array_equal(np.concatenate(parts), f.evaluate(points))


@needs_data
def test_a_booster_is_a_family_with_its_own_parameters() -> None:
    space = _make("rbv2_xgboost", "16", "auc").universe
    assert [family.name for family in space.families] == ["gblinear", "gbtree", "dart"]
    assert np.allclose(space.weights, 1 / 3)
    linear, tree, dart = ({axis.name for axis in family.axes} for family in space.families)
    assert "task_id" not in linear | tree | dart
    assert {"trainsize", "repl", "booster"}.isdisjoint(linear | tree | dart)
    assert tree - linear == {
        "colsample_bylevel",
        "colsample_bytree",
        "eta",
        "gamma",
        "max_depth",
        "min_child_weight",
    }
    assert dart - tree == {"rate_drop", "skip_drop"}
    assert linear == {"alpha", "lambda", "nrounds", "num.impute.selected.cpo", "subsample"}


@needs_data
def test_the_fidelity_is_the_largest_unless_given() -> None:
    point = _make("lcbench", "3945", "val_accuracy").universe.sample(1, np.random.default_rng(0))
    whole = _make("lcbench", "3945", "val_accuracy").evaluate(point)
    assert _make("lcbench", "3945", "val_accuracy", fidelity=52).evaluate(point) == whole
    assert _make("lcbench", "3945", "val_accuracy", fidelity=1).evaluate(point) > whole


@needs_data
def test_the_identity_is_that_of_the_files_wherever_they_lie(tmp_path: Path) -> None:
    shutil.copytree(DATA / "lcbench", tmp_path / "lcbench")
    here, there = (_make("lcbench", "3945", "time", folder=d) for d in (DATA, tmp_path))
    assert identity(here) == identity(there)
    assert str(DATA) not in json.dumps(identity(here))
    assert pickle.loads(pickle.dumps(here)) == here  # noqa: S301
    assert here == there
    encoding = tmp_path / "lcbench" / "encoding.json"
    encoding.chmod(0o644)
    codes = json.loads(encoding.read_text())
    codes["OpenML_task_id"]["3945"] = 1
    changed = tmp_path / "changed"
    shutil.copytree(tmp_path / "lcbench", changed / "lcbench")
    (changed / "lcbench" / "encoding.json").write_text(json.dumps(codes))
    before = _make("lcbench", "3945", "time", folder=changed)
    assert identity(before) != identity(here)
    shutil.copyfile(DATA / "lcbench" / "encoding.json", changed / "lcbench" / "encoding.json")
    assert identity(_make("lcbench", "3945", "time", folder=changed)) == identity(here)
    yahpo._files.cache_clear()  # as in another process
    yahpo._fixed.cache_clear()
    with pytest.raises(InputError, match="have changed; make it again"):
        before.evaluate(before.universe.sample(1, np.random.default_rng(0)))


# ---- spaces


def _written(path: Path, hyperparameters: list[Any], conditions: list[Any], **more: Any) -> Path:
    table = {"hyperparameters": hyperparameters, "conditions": conditions, "forbiddens": []}
    path.write_text(json.dumps({**table, **more}))
    return path


def _choice(name: str, *options: str) -> dict[str, Any]:
    return {"name": name, "type": "categorical", "choices": list(options)}


def _number(name: str, kind: str, low: float, high: float, log: bool = False) -> dict[str, Any]:
    return {"name": name, "type": f"uniform_{kind}", "lower": low, "upper": high, "log": log}


def _equal(child: str, parent: str, value: str) -> dict[str, Any]:
    return {"child": child, "parent": parent, "type": "EQ", "value": value}


def test_nested_conditions_become_families(tmp_path: Path) -> None:
    degree = [_equal("degree", "kernel", "poly"), _equal("degree", "learner", "svm")]
    path = _written(
        tmp_path / "space.json",
        [
            _number("degree", "int", 2, 5),
            _choice("kernel", "linear", "rbf", "poly"),
            _choice("learner", "svm", "knn"),
            _number("k", "int", 1, 50, log=True),
            _number("gamma", "float", 0.001, 10.0, log=True),
            _choice("scale", "yes", "no"),
            {"name": "seed", "type": "constant", "value": 7},
            {"name": "size", "type": "ordinal", "sequence": ["s", "m", "l"]},
        ],
        [
            _equal("kernel", "learner", "svm"),
            {"child": "gamma", "parent": "kernel", "type": "IN", "values": ["rbf", "poly"]},
            {"child": "degree", "type": "AND", "conditions": degree},
            _equal("k", "learner", "knn"),
        ],
    )
    space, settings = read_space(path)
    names = [family.name for family in space.families]
    assert names == ["svm/linear", "svm/rbf", "svm/poly", "knn"]
    assert np.allclose(space.weights, [1 / 6, 1 / 6, 1 / 6, 1 / 2])
    common = (Choice("scale", ("yes", "no")), Choice("seed", (7,)))
    size = Choice("size", ("s", "m", "l"), ordered=True)
    gamma = Real("gamma", 0.001, 10.0, log=True)
    assert [family.axes for family in space.families] == [
        (*common, size),
        (gamma, *common, size),
        (Integer("degree", 2, 5), gamma, *common, size),
        (Integer("k", 1, 50, log=True), *common, size),
    ]
    assert settings[2] == {"learner": "svm", "kernel": "poly"}
    fixed = read_space(path, {"learner": "svm", "scale": "no"})
    assert [family.name for family in fixed.space.families] == ["linear", "rbf", "poly"]
    assert fixed.settings[1] == {"learner": "svm", "scale": "no", "kernel": "rbf"}
    assert "scale" not in fixed.space.columns


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not a JSON file"),
        ("[" * 100_000, "is not a JSON file"),
        ("[1]", "must hold a JSON object"),
        ("{}", "is not a space"),
        ('{"hyperparameters": [{"name": 3}], "conditions": []}', "is not a space"),
        ('{"hyperparameters": [], "conditions": [], "forbiddens": [{}]}', "forbidden clauses"),
        (
            json.dumps({"hyperparameters": [_choice("a", "x", "x")], "conditions": []}),
            "names an option twice",
        ),
        (
            json.dumps(
                {"hyperparameters": [{"name": "a", "type": "normal_float"}], "conditions": []}
            ),
            "type normal_float",
        ),
        (
            json.dumps(
                {
                    "hyperparameters": [_choice("a", "x"), _number("b", "int", 1, 2)],
                    "conditions": [{"child": "b", "parent": "a", "type": "NEQ", "value": "x"}],
                }
            ),
            "type NEQ",
        ),
        (
            json.dumps(
                {
                    "hyperparameters": [_choice("a", "x"), _number("b", "int", 1, 2)],
                    "conditions": [_equal("a", "b", "1")],
                }
            ),
            'are not supported: "b"|"b" has dependants but no options',
        ),
        (
            json.dumps(
                {
                    "hyperparameters": [_choice("a", "x"), _choice("b", "x")],
                    "conditions": [_equal("a", "b", "x"), _equal("b", "a", "x")],
                }
            ),
            "is not a space",
        ),
    ],
)
def test_a_bad_space_gets_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "space.json"
    path.write_text(text)
    with pytest.raises(InputError, match=said) as raised:
        read_space(path)
    assert "\n" not in str(raised.value)
    with pytest.raises(InputError, match="cannot read"):
        read_space(tmp_path / "none.json")


# ---- arguments and files


@needs_data
def test_files_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    shutil.copytree(DATA / "lcbench", tmp_path / "lcbench", copy_function=shutil.copyfile)
    space = tmp_path / "lcbench" / "config_space.json"
    table = json.loads(space.read_text())
    for changed, said in (
        ([*table["hyperparameters"], _number("more", "int", 1, 2)], "not the space of lcbench"),
        (table["hyperparameters"][:-1], "not the space of lcbench"),
        ([_choice("OpenML_task_id", "3945", "7")], "not the space of lcbench"),
    ):
        _written(space, changed, [])
        with pytest.raises(InputError, match=said) as raised:
            _make("lcbench", "3945", "time", folder=tmp_path)
        assert "\n" not in str(raised.value)
    shutil.copyfile(DATA / "lcbench" / "config_space.json", space)
    (tmp_path / "lcbench" / "encoding.json").write_text('{"OpenML_task_id": {"#na#": 0}}')
    with pytest.raises(InputError, match='no code for "3945"'):
        _make("lcbench", "3945", "time", folder=tmp_path)


@needs_data
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("lcbenchh", "3945", "time"), 'did you mean "lcbench"'),
        (("lcbench", "3945", "val_acc"), 'did you mean "val_accuracy"'),
        (("lcbench", "39455", "time"), 'did you mean "3945"'),
        (("lcbench", "167083", "time"), "no task"),  # has a code, but the space does not name it
    ],
)
def test_a_bad_argument_gets_one_sentence(arguments: tuple[str, str, str], said: str) -> None:
    with pytest.raises(InputError, match=said) as raised:
        _make(*arguments)
    assert "\n" not in str(raised.value)


@needs_data
@pytest.mark.parametrize("fidelity", [0.0, 53.0, 1.5, float("nan")])
def test_a_fidelity_that_is_none_gets_one_sentence(fidelity: float) -> None:
    with pytest.raises(InputError, match=r"epoch must be in \[1, 52\]") as raised:
        _make("lcbench", "3945", "time", fidelity=fidelity)
    assert "\n" not in str(raised.value)


NAMES_A_FILE = bytes.fromhex(  # y = x + w, where w lies in a file "secret.bin" of the folder
    "08083a720a0e0a01780a017712017922034164641201672a3b080210014201776a160a086c6f636174696f6e"
    "120a7365637265742e62696e6a0b0a066f66667365741201306a0b0a066c656e67746812013870015a0f0a01"
    "78120a0a08080112040a020802620f0a0179120a0a08080112040a02080242040a00100d"
)


@needs_data
def test_another_file_in_the_place_of_a_network_is_refused(tmp_path: Path) -> None:
    for name, content, said in (
        ("text", b"not a network", "is not an ONNX model"),
        ("empty", b"", "is not an ONNX model"),
        ("cut", (DATA / "lcbench" / "model.onnx").read_bytes()[:5000], "is not an ONNX model"),
        ("pointer", NAMES_A_FILE, "is not an ONNX model"),
        ("other", (DATA / "rbv2_rpart" / "model.onnx").read_bytes(), "not the surrogate of"),
    ):
        folder = tmp_path / name / "lcbench"
        folder.mkdir(parents=True)
        for file in ("config_space.json", "encoding.json"):
            (folder / file).write_bytes((DATA / "lcbench" / file).read_bytes())
        (folder / "model.onnx").write_bytes(content)
        (folder / "secret.bin").write_bytes(bytes(8))
        with pytest.raises(InputError, match=said) as raised:
            _make("lcbench", "3945", "time", folder=tmp_path / name)
        assert "\n" not in str(raised.value)


def test_a_missing_or_damaged_folder_gets_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no folder"):
        _make("lcbench", "3945", "time", folder=tmp_path)
    (tmp_path / "lcbench").mkdir()
    with pytest.raises(InputError, match=r"cannot read .*encoding\.json"):
        _make("lcbench", "3945", "time", folder=tmp_path)
    (tmp_path / "lcbench" / "encoding.json").write_text('{"OpenML_task_id": {"3945": 1}}')
    _written(tmp_path / "lcbench" / "config_space.json", [_choice("OpenML_task_id", "3945")], [])
    with pytest.raises(InputError, match='no codes for "OpenML_task_id"'):
        _make("lcbench", "3945", "time", folder=tmp_path)
    codes = {"OpenML_task_id": {"#na#": 0, "3945": 1}}
    (tmp_path / "lcbench" / "encoding.json").write_text(json.dumps(codes))
    with pytest.raises(InputError, match=r"cannot read .*model\.onnx"):
        _make("lcbench", "3945", "time", folder=tmp_path)


@needs_data
def test_without_onnxruntime_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    yahpo._session.cache_clear()
    monkeypatch.setattr(yahpo, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install \"hpo-lab\[yahpo\]\""):
        _make("lcbench", "3945", "time")
