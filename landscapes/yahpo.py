"""YAHPO Gym's surrogates: neural networks fitted to millions of real tuning results.

    f(x) = ± network(encode(x))[target],

minus where the target is maximised. The network is a scenario's ``model.onnx``; its inputs are the
options' codes (encoding.json), then the numbers as they are (the network transforms them itself),
in the order of the scenario's definition; what is inactive is coded 0, as it was in training.

Source: Pfisterer, Schneider, Moosbauer, Binder & Bischl 2022, "YAHPO Gym: an efficient
multi-objective multi-fidelity benchmark for hyperparameter optimization", AutoML-Conf; the files
are those of the public repository slds-lmu/yahpo_data. rbv2: Binder, Pfisterer & Bischl 2020,
"Collecting empirical data about hyperparameters for data driven AutoML". lcbench: Zimmer, Lindauer
& Hutter 2021, "Auto-PyTorch Tabular", IEEE TPAMI 43(9).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from hpo_lab.configspace import Flat, read_json, read_space
from hpo_lab.errors import InputError, nearest
from hpo_lab.landscape import UNKNOWN, Bounds, Landscape, Optimum
from hpo_lab.region import Region
from hpo_lab.space import Axis, Choice, Floats, Ints, Points, Record, Space

BLOCK = 16  # points that the network is given at once: always as many, see _predicted
LARGEST = 200_000_000  # bytes of a network: the published ones have at most 15 million
MISSING = "#na#"  # in an encoding: an option that is not there


class _Scenario(NamedTuple):
    """What YAHPO Gym's own code says about a scenario and its files do not."""

    task: str  # the hyperparameter that says what was trained on
    fidelity: str
    fixed: Record  # further hyperparameters that are none
    categorical: tuple[str, ...]
    continuous: tuple[str, ...]
    minimised: tuple[bool, ...]
    targets: tuple[str, ...]


def _rbv2(categorical: tuple[str, ...], continuous: tuple[str, ...]) -> _Scenario:
    targets = "acc bac auc brier f1 logloss timetrain timepredict memory"
    return _Scenario(
        "task_id",
        "trainsize",
        {"repl": 10},  # the most repetitions of resampling
        ("task_id", *categorical, "num.impute.selected.cpo"),
        (*continuous, "trainsize", "repl"),
        (False, False, False, True, False, True, True, True, True),
        tuple(targets.split()),
    )


SCENARIOS = {
    "rbv2_xgboost": _rbv2(
        ("booster",),
        (
            "nrounds",
            "eta",
            "gamma",
            "lambda",
            "alpha",
            "subsample",
            "max_depth",
            "min_child_weight",
            "colsample_bytree",
            "colsample_bylevel",
            "rate_drop",
            "skip_drop",
        ),
    ),
    "rbv2_rpart": _rbv2((), ("cp", "maxdepth", "minbucket", "minsplit")),
    "lcbench": _Scenario(
        "OpenML_task_id",
        "epoch",
        {},
        ("OpenML_task_id",),
        (
            "epoch",
            "batch_size",
            "learning_rate",
            "momentum",
            "weight_decay",
            "num_layers",
            "max_units",
            "max_dropout",
        ),
        (True, False, True, False, True, False),
        (
            "time",
            "val_accuracy",
            "val_cross_entropy",
            "val_balanced_accuracy",
            "test_cross_entropy",
            "test_balanced_accuracy",
        ),
    ),
}


@dataclass(frozen=True)
class Yahpo(Landscape):
    """A surrogate of YAHPO Gym: XGBoost, a decision tree or a neural network on real tasks.

    ``folder`` holds a folder of each ``scenario`` (``"rbv2_xgboost"``, ``"rbv2_rpart"`` or
    ``"lcbench"``) with its config_space.json, encoding.json and model.onnx; ``task`` is an OpenML
    identifier that the space names, ``target`` one of the scenario's outputs. A target that is
    maximised is negated (accuracies, ``auc`` and ``f1``; YAHPO Gym's own table has ``f1`` among
    the minimised ones; it is near zero on tasks of more than two classes, where it has no
    meaning). ``fidelity`` is the ``trainsize`` of rbv2 (0.03 to 1) or the ``epoch`` of lcbench
    (1 to 52), the largest unless given; repetitions are fixed at the largest.

    Raises InputError where files are missing, damaged or do not belong together, and for an
    unknown scenario, task, target or fidelity.

    Nested conditions are families: rbv2_xgboost has one for each booster. Needs onnxruntime
    (``pip install "hpo-lab[yahpo]"``), which runs the network with one thread in blocks of a
    fixed size, so that a point has one value whatever its batch; values are 32-bit floats. The
    optimum is not known, and nothing is claimed about it.

    Example: ``make("yahpo", folder="yahpo_data", scenario="lcbench", task="3945",
    target="val_cross_entropy")``.
    """

    folder: str = field(compare=False, metadata={"identity": "content"})
    scenario: str
    task: str
    target: str
    fidelity: float | None = None
    content: str = field(init=False, repr=False)  # a hash of the scenario's three files
    name: ClassVar[str] = "yahpo"
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if self.scenario not in SCENARIOS:
            raise InputError(f"there is no scenario {nearest(self.scenario, SCENARIOS)}")
        known = SCENARIOS[self.scenario].targets
        if self.target not in known:
            raise InputError(f"{self.scenario} has no target {nearest(self.target, known)}")
        object.__setattr__(self, "content", _read(self.folder, self.scenario).digest)
        self.evaluate(self.universe.sample(0, np.random.default_rng(0)))  # all files fit together

    @property
    def universe(self) -> Space:
        """The space of config_space.json without the task and the fidelities."""
        return self._flat.space

    @property
    def _flat(self) -> Flat:
        return _fixed(self._source, self.task, self.fidelity)

    @property
    def _source(self) -> _Source:
        return _Source(self.folder, self.scenario, self.content)

    def evaluate(self, points: Points) -> Floats:
        """Return the surrogate's prediction (n,), negated where the target is maximised."""
        scenario = SCENARIOS[self.scenario]
        codes, numbers = _encoded(points, self._flat, _files(self._source), scenario)
        place = scenario.targets.index(self.target)
        predicted = _predicted(_session(self._source), codes, numbers)[:, place]
        return predicted if scenario.minimised[place] else -predicted

    def lowest(self, region: Region) -> Optimum | Bounds:
        """Unknown: nobody has bounded these networks."""
        return UNKNOWN


class _Files(NamedTuple):
    space: Path
    encoding: dict[str, dict[str, int]]
    model: bytes
    digest: str


class _Source(NamedTuple):
    """Where the files are, and the hash of what they held when the landscape was made."""

    folder: str
    scenario: str
    content: str


@lru_cache(maxsize=8)
def _files(source: _Source) -> _Files:
    """What a source holds; InputError where it is not what it was."""
    files = _read(source.folder, source.scenario)
    if files.digest != source.content:
        raise InputError(f'the files of "{files.space.parent}" have changed; make it again')
    return files


def _read(folder: str, scenario: str) -> _Files:
    """What a scenario's folder holds; InputError where a file is missing or damaged."""
    place = Path(folder) / scenario
    if not place.is_dir():
        raise InputError(f'there is no folder "{place}"; it comes from slds-lmu/yahpo_data')
    encoding = read_json(place / "encoding.json")
    space = read_json(place / "config_space.json")
    for name in SCENARIOS[scenario].categorical:
        codes = encoding.get(name)
        if not isinstance(codes, dict) or codes.get(MISSING) != 0:
            raise InputError(f'{place / "encoding.json"} has no codes for "{name}"')
    model = _bytes(place / "model.onnx")
    digest = hashlib.sha256(json.dumps([encoding, space], sort_keys=True).encode() + model)
    return _Files(place / "config_space.json", encoding, model, digest.hexdigest())


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > LARGEST:
            raise InputError(f"{path} is too large to be one of YAHPO Gym's surrogates")
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None


@lru_cache(maxsize=256)
def _fixed(source: _Source, task: str, fidelity: float | None) -> Flat:
    """The space of a scenario with task and fidelities fixed; InputError where they do not fit."""
    scenario, path = source.scenario, _files(source).space
    about = SCENARIOS[scenario]
    whole = read_space(path)
    named = {*whole.space.columns, *(name for one in whole.settings for name in one)}
    if named != {*about.categorical, *about.continuous}:
        raise InputError(f"{path} is not the space of {scenario}")
    tasks = whole.space.families[0].axis(about.task)
    range_ = whole.space.families[0].axis(about.fidelity)
    if not isinstance(tasks, Choice) or task not in tasks.options:
        known = [str(o) for o in tasks.options] if isinstance(tasks, Choice) else []
        raise InputError(f"{scenario} has no task {nearest(task, known)}")
    if isinstance(range_, Choice):
        raise InputError(f"{path}: {about.fidelity} must be a number")
    chosen = range_.high if fidelity is None else fidelity
    if not range_.contains(np.array([float(chosen)]))[0]:
        low, high = range_.low, range_.high
        raise InputError(f"fidelity: {about.fidelity} must be in [{low}, {high}], not {chosen}")
    given = {about.task: task, about.fidelity: float(chosen), **about.fixed}
    return read_space(path, given)


def _encoded(points: Points, flat: Flat, files: _Files, scenario: _Scenario) -> tuple[Any, Any]:
    """The network's inputs: codes (n, k) as int32 and numbers (n, m) as float32."""
    codes = np.zeros((len(points), len(scenario.categorical)), dtype=np.int32)
    numbers = np.zeros((len(points), len(scenario.continuous)), dtype=np.float32)
    for family, settings in enumerate(flat.settings):
        rows = np.flatnonzero(points.family == family)
        axes = {axis.name: (column, axis) for column, axis in flat.space.places(family)}
        for k, name in enumerate(scenario.categorical):
            if name in settings:
                codes[rows, k] = _codes(files, name, Choice(name, (settings[name],)))
            elif name in axes:
                column, axis = axes[name]
                codes[rows, k] = _codes(files, name, axis)[points.values[rows, column].astype(int)]
        for k, name in enumerate(scenario.continuous):
            if name in settings:
                numbers[rows, k] = settings[name]
            elif name in axes:
                numbers[rows, k] = points.values[rows, axes[name][0]]
    return codes, numbers


def _codes(files: _Files, name: str, axis: Axis) -> Ints:
    """The code (k,) of each option; InputError where there is none."""
    known = files.encoding[name]
    options = axis.options if isinstance(axis, Choice) else ()
    for option in options:
        if not isinstance(known.get(str(option)), int):
            raise InputError(f'encoding.json beside {files.space} has no code for "{option}"')
    return np.array([known[str(option)] for option in options], dtype=np.int64)


@lru_cache(maxsize=8)
def _session(source: _Source) -> Any:
    """The network, ready to run; InputError where the file is no network of this scenario.

    It is given to onnxruntime as bytes: then a network that names other files is refused.
    """
    if find_spec("onnxruntime") is None:
        raise InputError('the landscape "yahpo" needs onnxruntime: pip install "hpo-lab[yahpo]"')
    import onnxruntime

    about, files = SCENARIOS[source.scenario], _files(source)
    path = files.space.with_name("model.onnx")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what is wrong is raised, and said in one sentence
    try:
        session = onnxruntime.InferenceSession(
            files.model, options, providers=["CPUExecutionProvider"]
        )
    except Exception:  # onnxruntime's own exceptions have no common ancestor
        raise InputError(f"{path} is not an ONNX model that onnxruntime can load") from None
    inputs = {one.name: (one.type, one.shape[1:]) for one in session.get_inputs()}
    expected = {
        "x_cat": ("tensor(int32)", [len(about.categorical)]),
        "x_cont": ("tensor(float)", [len(about.continuous)]),
    }
    outputs = [one.shape[1:] for one in session.get_outputs()]
    if inputs != expected or outputs != [[len(about.targets)]]:
        raise InputError(f"{path} is an ONNX model, but not the surrogate of {source.scenario}")
    return session


def _predicted(session: Any, codes: Any, numbers: Any) -> Floats:
    """The network's outputs (n, targets).

    onnxruntime's arithmetic depends on how many points come at once (three and four differ by up
    to a fifth near zero), so they come in blocks of one size, the last filled with its own end.
    """
    n = len(codes)
    rows = np.minimum(np.arange(-(-n // BLOCK) * BLOCK), n - 1).reshape(-1, BLOCK)
    blocks = [session.run(None, {"x_cat": codes[r], "x_cont": numbers[r]})[0] for r in rows]
    if not blocks:
        return np.empty((0, session.get_outputs()[0].shape[1]))
    return np.concatenate(blocks)[:n].astype(np.float64)
