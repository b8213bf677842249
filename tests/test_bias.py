"""Structural bias on f0: known biases are found, random search is not accused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import beta, kstest

from hpo_lab.cli import main
from hpo_lab.errors import InputError
from hpo_lab.statistics import holm, structural_bias
from hpo_lab.statistics.bias import centre_pull
from hpo_lab.verbs import bias


def test_the_distance_is_kolmogorov_and_smirnovs() -> None:
    rng = np.random.default_rng(1)
    x = rng.beta(2.0, 1.5, (120, 3))
    found = structural_bias(x)
    for j in range(3):
        place, centre, bounds = np.flatnonzero(found.axis == j)
        assert found.p[place] == pytest.approx(kstest(x[:, j], "uniform", method="exact").pvalue)
        distance = 2.0 * np.abs(x[:, j] - 0.5)
        assert found.p[centre] == pytest.approx(kstest(distance, "uniform", method="exact").pvalue)
        assert found.p[bounds] == 1.0
    assert np.array_equal(found.adjusted, holm(found.p))


def test_random_search_is_not_accused() -> None:
    """500 times 100 runs: the false-alarm rate's 99 % lower bound is at most 5 %.

    As the measure tests: a visit and an incumbent of each run, which is uniform too, and the runs'
    mean distances, in five dimensions; the visits of a run are 20 uniform points.
    """
    rng = np.random.default_rng(2)
    alarms, repetitions = 0, 500
    for _ in range(repetitions):
        visits = rng.random((100, 20, 5))
        p = [
            structural_bias(visits[:, 7]).p,
            structural_bias(visits[:, 16]).p,
            np.array([centre_pull(2.0 * np.abs(visits - 0.5).mean(axis=(1, 2)))[1]]),
        ]
        alarms += holm(np.concatenate(p)).min() <= 0.05
    lower = beta.ppf(0.01, alarms, repetitions - alarms + 1) if alarms else 0.0
    assert lower <= 0.05
    assert alarms > 0  # so that a test that can never alarm would be noticed


@pytest.mark.parametrize(
    ("strategy", "settings", "towards"),
    [
        ("evolution", {"operator": "blend", "alpha": 0.0, "mutation": 0.2}, "the centre"),
        ("differential_evolution", {"bounds": "saturate"}, "the bounds"),
        ("random", {}, None),
        ("sobol", {}, None),
    ],
)
def test_known_biases_are_found_and_no_others(
    tmp_path: Path, strategy: str, settings: dict[str, object], towards: str | None
) -> None:
    found = bias(strategy, settings, tmp_path, dimensions=(5,), workers=1)
    tests = found["tests"]
    assert len(tests) == 2 * 5 * 3 + 1
    significant = [one for one in tests if one["biased"]]
    if towards is None:
        assert not significant
        assert "no structural bias found" in found["lines"][0]
        return
    pull = [one for one in significant if one["sample"] == "run"]
    assert pull[0]["towards"] == towards
    assert "biased towards" in found["lines"][0]
    atoms = [row["atoms"] for row in found["density"]]
    assert (atoms[0] > 0.1) == (towards == "the bounds")
    assert [Path(path).suffix for path in found["pictures"]] == [".pdf", ".svg", ".png"]
    assert all(Path(path).stat().st_size > 1000 for path in found["pictures"])


def test_a_deterministic_strategy_is_one_sample(tmp_path: Path) -> None:
    found = bias("grid", {}, tmp_path, dimensions=(2,), budget=20, workers=1)
    assert found["tests"] == []
    assert "one sample" in found["lines"][0]


def test_the_command_line_prints_lines_or_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["bias", "evolution", "operator=blend", "alpha=0.0", "--dimensions", "2"]
    words += ["--budget", "20", "--workers", "1", "--out", str(tmp_path)]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("flat dimension=2: ")
    assert str(tmp_path / "bias.png") in printed
    assert main([*words, "--json"]) == 0  # the same command goes on: nothing is run again
    found = json.loads(capsys.readouterr().out)
    assert found["settings"] == {"operator": "blend", "alpha": 0.0}
    assert len(found["density"]) == 10


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["evolutoin"], 'did you mean "evolution"'),
        (["random", "gp"], "one strategy at a time"),
        (["random", "--runs", "20"], "at least 100 runs"),
        (["evolution", "sigma=-1.0"], "sigma must be positive"),
        (["evolution", "sigme=1.0"], 'did you mean "sigma"'),
        (["operator=blend"], "comes first"),
    ],
)
def test_mistakes_get_one_sentence(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bias", *words, "--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_places_outside_the_cube_are_refused() -> None:
    with pytest.raises(ValueError, match="unit coordinates"):
        structural_bias([[0.5], [1.5]])
    with pytest.raises(ValueError, match="at least two"):
        structural_bias([[0.5]])
    with pytest.raises(InputError, match="at least 100"):
        bias("random", runs=50)
