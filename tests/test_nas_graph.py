"""NAS-Bench-Graph: our reader, numbering, prices and basins against independent ones."""

from __future__ import annotations

import itertools
import os
import pickle  # noqa: S403  to make tables that must be refused
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nas_bench_graph import Arch, light_read
from nas_bench_graph.architecture import gnn_list, link_list

import landscapes
from hpo_lab.assumption import assume
from hpo_lab.assumptions.tied import Tied
from hpo_lab.assumptions.without import Without
from hpo_lab.errors import InputError
from hpo_lab.landscape import Bounds, Landscape, Optimum, enumeration, identity
from hpo_lab.region import Among, Box, contains, whole
from landscapes import _pickled
from landscapes.nas_graph import DATASETS, NasGraph, read_bench

PROTEINS = ("gcn", "sage", "arma", "fc", "skip")


def _every(operations: tuple[str, ...]) -> Iterator[tuple[list[int], list[str]]]:
    for link in link_list:
        for ops in itertools.product(operations, repeat=4):
            yield list(link), list(ops)


def _theirs(dataset: str, column: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The errors of every point, by the package's own reader and hash."""
    table = light_read(dataset)
    operations = PROTEINS if dataset == "proteins" else tuple(gnn_list)
    hashes = [Arch(link, ops).valid_hash() for link, ops in _every(operations)]
    accuracy = [table[h][column] if h in table else np.nan for h in hashes]
    return 100.0 * (1.0 - np.array(accuracy, dtype=float))


def test_every_architecture_has_the_number_that_the_package_gives_it() -> None:
    for dataset, operations in (("cora", tuple(gnn_list)), ("proteins", PROTEINS)):
        f = NasGraph(dataset)
        ours = f.same(f.universe.enumerate())
        theirs = [Arch(link, ops).valid_hash() for link, ops in _every(operations)]
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("dataset", DATASETS)
def test_the_values_are_the_package_s(dataset: str) -> None:
    f = landscapes.make("nas_graph", dataset=dataset)
    points = f.universe.enumerate()
    truth, observed = f.evaluate(points), f.observe(points)
    assert np.array_equal(truth, _theirs(dataset, "perf"), equal_nan=True)
    assert np.array_equal(observed, _theirs(dataset, "valid_perf"), equal_nan=True)
    trained = ~np.isnan(truth)
    assert int((~trained).sum()) == 9  # all skip, in nine wirings
    distinct = len(np.unique(f.same(points)[trained]))  # type: ignore[index]
    assert distinct == (2021 if dataset == "proteins" else 26206)


def test_the_price_of_leaving_out_attention_on_cora() -> None:
    f = NasGraph("cora")
    without = assume(f.universe, [Without(axis=("op1", "op2", "op3", "op4"), option="gat")])
    best, left = f.optimum(), f.optimum(without)
    assert isinstance(best, Optimum)
    assert isinstance(left, Optimum)
    truth = _theirs("cora", "perf")
    has_gat = np.array(["gat" in ops for _, ops in _every(tuple(gnn_list))])
    price = np.nanmin(truth[~has_gat]) - np.nanmin(truth)
    assert abs((left.value - best.value) - price) < 1e-9
    assert abs(price - 0.8667) < 1e-4
    better = np.unique(f.same(f.universe.enumerate())[truth < left.value - 1e-9])
    assert len(better) == 8
    by_validation = NasGraph("cora", truth="valid")
    a, b = by_validation.optimum(), by_validation.optimum(without)
    assert isinstance(a, Optimum)
    assert isinstance(b, Optimum)
    assert abs((b.value - a.value) - 0.267) < 1e-3


def test_validation_would_choose_between_two_networks_that_differ_in_the_last_bit() -> None:
    """Both have attention; without it validation chooses one architecture, in two drawings."""
    f = NasGraph("cora")
    points = f.universe.enumerate()
    observed, truth = f.observe(points), f.evaluate(points)
    gat = f.universe.families[0].axis("op1").column("gat")
    has_gat = (points.values[:, 1:] == gat).any(axis=1)
    chosen = np.round(observed, 9) == np.round(np.nanmin(observed), 9)
    assert 0 < np.ptp(observed[chosen]) < 1e-13  # a tie that rounding makes one
    assert has_gat[chosen].all()
    assert sorted(np.round(100 - truth[chosen], 2).tolist()) == [80.80, 82.63]
    left = np.round(np.where(has_gat, np.nan, observed), 9)
    rows = np.flatnonzero(left == np.nanmin(left))
    assert len(set(f.same(points)[rows].tolist())) == 1
    assert set(np.round(100 - truth[rows], 2).tolist()) == {81.03}


def test_the_optimum_of_a_region_is_that_of_the_enumeration() -> None:
    f, rng = NasGraph("photo"), np.random.default_rng(0)
    table = enumeration(f)
    assert table is not None
    for _ in range(20):
        sets = tuple(
            (axis.name, Among(tuple(np.flatnonzero(rng.random(9) < 0.4).astype(float).tolist())))
            for axis in f.universe.families[0].axes
        )
        region = (Box("", sets, ties=(("op1", "op3"),) if rng.random() < 0.5 else ()),)
        ours, by_default = f.lowest(region), Landscape.lowest(f, region)
        if isinstance(by_default, Bounds):
            assert ours == by_default
            continue
        assert isinstance(ours, Optimum)
        assert ours.value == by_default.value
        assert np.array_equal(ours.point.values, by_default.point.values)
    tied = assume(f.universe, [Tied(("op1", "op2", "op3", "op4"))])
    assert int(contains(f.universe, tied.image, table.points).sum()) == 81
    assert isinstance(f.optimum(tied), Optimum)


def test_a_region_without_a_trained_network_has_no_optimum() -> None:
    f = NasGraph("cora")
    skips = tuple((f"op{i}", Among((8.0,))) for i in range(1, 5))
    assert f.lowest((Box("", skips),)) == Bounds(
        np.inf, np.inf, "no point of the region has a value"
    )
    assert np.isinf(f.minima().lowest((Box("", skips),))).all()


def test_basins_by_descending_from_every_architecture() -> None:
    """The stated neighbourhood and tie rule, in plain loops, on the smallest data set."""
    f = NasGraph("proteins")
    points = f.universe.enumerate()
    truth, number = f.evaluate(points), f.same(points)
    value = {n: (round(v, 9), n) for n, v in zip(number.tolist(), truth.tolist(), strict=True)}
    place = {tuple(row): i for i, row in enumerate(points.values.astype(int).tolist())}
    neighbours: dict[int, set[int]] = {n: set() for n in value}
    for row, i in place.items():
        for axis, options in enumerate((9, 5, 5, 5, 5)):
            beside = (place[(*row[:axis], k, *row[axis + 1 :])] for k in range(options))
            neighbours[int(number[i])] |= {int(number[j]) for j in beside}

    def end(n: int) -> int:
        best = min((m for m in neighbours[n] if not np.isnan(value[m][0])), key=value.__getitem__)
        return n if value[best] >= value[n] else end(best)

    minima = f.minima()
    label = minima.labels(points)
    own = f.same(minima.points)
    alive = ~np.isnan(truth)
    assert (label[~alive] == -1).all()
    ends = {n: end(n) for n in set(number[alive].tolist())}
    assert [ends[n] for n in number[alive].tolist()] == own[label[alive]].tolist()
    assert len(set(ends.values())) == len(minima.values)
    assert minima.masses is not None
    assert np.array_equal(minima.masses, np.bincount(label[alive]) / len(points))
    assert np.allclose(minima.lowest(whole(f.universe)), minima.values, atol=1e-9)


def test_the_study_s_names_are_the_arguments() -> None:
    f = landscapes.make("nas_graph", dataset="cs", observe="test", truth="valid")
    assert identity(f)["arguments"] == {"dataset": "cs", "observe": "test", "truth": "valid"}
    points = f.universe.enumerate()[:1000]
    swapped = landscapes.make("nas_graph", dataset="cs", observe="valid", truth="test")
    assert np.array_equal(f.observe(points), swapped.evaluate(points), equal_nan=True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"dataset": "coraa"}, 'did you mean "cora"'),
        ({"observe": "vaild"}, 'did you mean "valid"'),
        ({"truth": "latency"}, 'no column "latency"'),
        ({"observed_column": "valid"}, "no argument"),
    ],
)
def test_a_bad_argument_gets_one_sentence(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        landscapes.make("nas_graph", **arguments)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_pickled, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install nas_bench_graph"):
        NasGraph("cora")


def test_loading_imports_nothing_of_the_package() -> None:
    code = (
        "import sys, landscapes; f = landscapes.make('nas_graph'); f.optimum();"
        "sys.exit('nas_bench_graph' in sys.modules or 'numba' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)  # S603 is off: the code is above


# ---- tables that somebody has tampered with


class _Calls:
    """Pickles as a call: what an attacker writes."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


MALICIOUS = {
    "os.system": _Calls(os.system, "touch pwned"),
    "eval": _Calls(eval, "open('pwned', 'w')"),  # noqa: S307
    "getattr": _Calls(getattr, os, "system"),
    "import": _Calls(__import__, "os"),
    "open": _Calls(open, "pwned", "w"),
    "numpy.load": _Calls(np.load, "pwned"),
    "subprocess": _Calls(subprocess.Popen, ["touch", "pwned"]),
    "an array": np.arange(3),
    "a class": Path("pwned"),
}


@pytest.mark.parametrize("what", sorted(MALICIOUS))
@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_malicious_table_runs_nothing(
    what: str, protocol: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if what == "getattr":  # modules cannot be pickled: written by hand
        data = b"cbuiltins\ngetattr\n(cos\nsystem\nS'__name__'\ntR."
    else:
        data = pickle.dumps({0: {"perf": MALICIOUS[what], "valid_perf": 0.5}}, protocol)
    (tmp_path / "bad.bench").write_bytes(data)
    with pytest.raises(InputError, match="it names ") as raised:
        read_bench(tmp_path / "bad.bench")
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a pickle at all",
        pickle.dumps({0: {"perf": 0.5, "valid_perf": 0.5}})[:-7],
        pickle.dumps([1, 2, 3]),
        pickle.dumps({0: {"perf": 0.5}}),
        pickle.dumps({0: 0.5}),
        pickle.dumps({"0": {"perf": 0.5, "valid_perf": 0.5}}),
        pickle.dumps({-1: {"perf": 0.5, "valid_perf": 0.5}}),
        b"Pan outside object\n.",  # a persistent id
        b"cnumpy\ndtype.__class__\n.",
        b"\x80\x04\x8c\x05numpy\x8c\x0fdtype.__class__\x93.",
    ],
)
def test_a_damaged_table_is_named(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "bad.bench").write_bytes(data)
    with pytest.raises(InputError, match=r"bad\.bench.*install it again") as raised:
        read_bench(tmp_path / "bad.bench")
    assert "\n" not in str(raised.value)


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        read_bench(tmp_path / "none.bench")


def test_numpy_s_scalars_are_read_under_both_of_its_names(tmp_path: Path) -> None:
    table = {7: {"perf": np.float64(0.25), "valid_perf": 0.5}}
    data = pickle.dumps(table, 3)  # names its classes in plain text
    for module in (b"numpy.core.multiarray", b"numpy._core.multiarray"):
        text = data.replace(b"numpy._core.multiarray", module)
        (tmp_path / "good.bench").write_bytes(text)
        assert read_bench(tmp_path / "good.bench") == {7: {"perf": 0.25, "valid_perf": 0.5}}
