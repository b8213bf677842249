"""Shares of a price: games against permutations and known values, optima against enumeration."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import hpo_lab
from hpo_lab.assumption import assume
from hpo_lab.errors import InputError
from hpo_lab.figures.attribution import Attribution as Waterfall
from hpo_lab.landscape import Bounds, Optimum, Problem
from hpo_lab.measure import Results, tabulate
from hpo_lab.measures._subsets import Sets, _asked, _optima, anchored, in_words
from hpo_lab.measures.attribution import _price_rows, masking
from hpo_lab.region import Box, Interval, masses
from hpo_lab.space import Choice, Family, Integer, Real, Space
from hpo_lab.statistics import (
    dual,
    first_in,
    last_out,
    members,
    minimal_sets,
    moebius,
    monotone_bounds,
    shapley,
    shapley_bounds,
    subset_minima,
)
from hpo_lab.study import Part, Study
from tests.small_studies import Inline, write
from tests.test_figures import texts

Game = np.ndarray[Any, np.dtype[np.float64]]

# --- games on subsets ---------------------------------------------------------------------------


def by_permutations(game: Game) -> Game:
    """The definition: contributions averaged over every order of the players."""
    players = len(game).bit_length() - 1
    total = np.zeros(players)
    for order in itertools.permutations(range(players)):
        coalition = 0
        for player in order:
            total[player] += game[coalition | 1 << player] - game[coalition]
            coalition |= 1 << player
    return total / math.factorial(players)


@pytest.mark.parametrize("players", range(1, 8))
def test_shapley_values_against_all_orders(players: int) -> None:
    game = np.random.default_rng(players).normal(size=2**players)
    assert shapley(game) == pytest.approx(by_permutations(game), abs=1e-12)
    assert shapley(game).sum() == pytest.approx(game[-1] - game[0], abs=1e-12)


def test_gloves() -> None:
    """One left glove, two right ones: 2/3, 1/6, 1/6."""
    game = [float(bool(c & 1) and c > 1) for c in range(8)]
    assert shapley(game) == pytest.approx([2 / 3, 1 / 6, 1 / 6])


def test_the_airport_game() -> None:
    """Littlechild and Owen 1973: every segment of a runway is shared by those who need it.

    It is the price of assumptions of which the costliest alone decides.
    """
    costs = np.sort(np.random.default_rng(5).uniform(size=12))
    game = np.array([max((costs[i] for i in members(c)), default=0.0) for c in range(2**12)])
    segments = np.diff(costs, prepend=0.0) / np.arange(12, 0, -1)
    assert shapley(game) == pytest.approx(np.cumsum(segments), abs=1e-12)


def test_the_security_council() -> None:
    """Shapley and Shubik 1954: 421/2145 a permanent member, 4/2145 each of the others."""
    every = np.arange(2**15)
    veto = (every & 31) == 31
    game = (veto & (np.bitwise_count(every >> 5) >= 4)).astype(float)
    assert shapley(game) == pytest.approx([421 / 2145] * 5 + [4 / 2145] * 10, abs=1e-12)


@pytest.mark.parametrize("players", [1, 3, 6])
def test_interactions_by_inclusion_and_exclusion(players: int) -> None:
    game = np.random.default_rng(players).normal(size=2**players)
    found = moebius(game)
    for c in range(2**players):
        signs = [
            (-1) ** (c.bit_count() - d.bit_count()) * game[d] for d in range(c + 1) if d & c == d
        ]
        assert found[c] == pytest.approx(sum(signs) if c else 0.0, abs=1e-12)
    share = sum(found[c] / c.bit_count() for c in range(1, 2**players) if c & 1)
    assert shapley(game)[0] == pytest.approx(share)  # Harsanyi: dividends are shared equally


def test_first_in_last_out_and_the_dual() -> None:
    game = np.random.default_rng(1).normal(size=16)
    assert first_in(game) == pytest.approx([game[1 << i] - game[0] for i in range(4)])
    assert last_out(game) == pytest.approx([game[15] - game[15 ^ 1 << i] for i in range(4)])
    assert shapley(dual(game)) == pytest.approx(shapley(game))  # a game and its dual agree


@pytest.mark.parametrize("players", [2, 5, 8])
def test_minimal_sets_against_every_subset(players: int) -> None:
    rng = np.random.default_rng(players)
    seeds = rng.integers(1, 2**players, 3)
    game = np.array([sum((c & s) == s for s in seeds) for c in range(2**players)], dtype=float)
    expected = {
        c
        for c in range(2**players)
        if game[c] > 0 and not any(game[d] > 0 for d in range(c) if d & c == d)
    }
    found = minimal_sets(game)
    assert set(found) == expected
    assert [c.bit_count() for c in found] == sorted(c.bit_count() for c in found)


def test_bounds_hold_for_every_game_inside_them() -> None:
    rng = np.random.default_rng(3)
    low = rng.normal(size=32)
    high = low + rng.exponential(size=32)
    lower, upper = shapley_bounds(low, high)
    for _ in range(200):
        inside = shapley(low + (high - low) * rng.integers(0, 2, 32))
        assert (inside >= lower - 1e-12).all()
        assert (inside <= upper + 1e-12).all()
    signs = np.array([c & 1 for c in range(32)], dtype=bool)
    assert shapley(np.where(signs, low, high))[0] == pytest.approx(lower[0])  # attained


def test_bounds_of_monotone_games() -> None:
    rng = np.random.default_rng(4)
    truth = subset_minima(rng.normal(size=50), rng.random((50, 5)) < 0.3)
    low, high = truth - rng.exponential(0.2, 32), truth + rng.exponential(0.2, 32)
    tight = monotone_bounds(low, high)
    assert (tight[0] <= truth).all()
    assert (truth <= tight[1]).all()
    assert (tight[1] - tight[0]).sum() < (high - low).sum()
    lower, upper = shapley_bounds(*tight, monotone=True)
    assert (lower <= shapley(truth) + 1e-12).all()
    assert (shapley(truth) <= upper + 1e-12).all()
    assert (lower >= shapley_bounds(*tight)[0]).all()


def test_subset_minima_against_a_loop() -> None:
    rng = np.random.default_rng(6)
    values = np.where(rng.random(40) < 0.1, np.nan, rng.normal(size=40))
    broken = rng.random((40, 4)) < 0.5
    found = subset_minima(values, broken)
    for c in range(16):
        left = values[~broken[:, list(members(c))].any(axis=1)]
        assert found[c] == (np.nanmin(left) if np.isfinite(left).any() else np.inf)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: shapley([1.0, 2.0, 3.0]), "2\\^n values"),
        (lambda: moebius([[0.0, 1.0]]), "2\\^n values"),
        (lambda: first_in([0.0, math.nan]), "without all of its values"),
        (lambda: shapley_bounds([0.0, 2.0], [0.0, 1.0]), "low nowhere above high"),
        (lambda: subset_minima([1.0], [True]), "one row a value"),
    ],
)
def test_wrong_arrays_are_told(call: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        call()


# --- assumptions anchored to the universe -------------------------------------------------------


def part(use: str, **arguments: Any) -> Part:
    return Part("assumptions", use, tuple(arguments.items()), use)


MIXED = Space(
    (
        Family("conv", (Real("lr", 1e-5, 1.0, log=True), Integer("k", 1, 9), Integer("m", 3, 12))),
        Family("attn", (Real("lr", 1e-5, 1.0, log=True), Choice("op", ("a", "b", "c")))),
    )
)


@pytest.mark.parametrize(
    "chain",
    [
        [part("narrowed", axis="lr", high=0.1), part("without", axis="op", option="a")],
        [part("tied", axis=("k", "m")), part("narrowed", axis="k", low=4)],
        [part("narrowed", axis="m", high=8), part("tied", axis=("k", "m"))],
        [part("rescaled", axis="lr", scale="linear"), part("only", family="conv")],
        [part("narrowed", axis="k", high=5), part("coarsened", axis="k", values=(1, 3, 5))],
        [part("narrowed", axis="lr", high=0.1), part("narrowed", axis="lr", low=1e-3)],
    ],
)
def test_chains_that_do_not_depend_on_their_order(chain: list[Part]) -> None:
    assert len(anchored(MIXED, chain)) == 2


@pytest.mark.parametrize(
    ("chain", "said"),
    [
        (
            [part("narrowed", axis="k", high=5), part("coarsened", axis="k", levels=3)],
            '"coarsened levels 3 in k" depends on what was declared before it',
        ),
        (
            [part("rescaled", axis="lr", scale="linear"), part("coarsened", axis="lr", levels=3)],
            "another order",
        ),
        (
            [
                part("without", axis="op", option="c"),
                part("only", axis="op", option=("a", "b")),
                part("narrowed", axis="m", high=9),
                part("coarsened", axis="m", levels=2),
            ],
            '"coarsened levels 2 in m"',
        ),
    ],
)
def test_chains_that_depend_on_their_order_are_refused(chain: list[Part], said: str) -> None:
    with pytest.raises(InputError, match=said) as error:
        anchored(MIXED, chain)
    assert "\n" not in str(error.value)


def test_an_assumption_that_rests_on_another_is_refused() -> None:
    space = Space.box(Choice("a", ("x", "y", "z")), Choice("b", ("x", "y")))
    chain = [part("without", axis="a", option="z"), part("tied", axis=("a", "b"))]
    with pytest.raises(InputError, match=r'"tied a, b" rests on the assumptions before it'):
        anchored(space, chain)


# --- optima of all subsets ----------------------------------------------------------------------

CSV_AXES = {"a": (0, 1), "b": (0, 1), "c": ("u", "v", "w"), "d": (1, 2, 3, 4)}


def sweep(folder: Path, seeds: int = 1, planted: bool = False) -> Path:
    """A table of all combinations: random values, or the best behind two locks, a and b."""
    rng = np.random.default_rng(8)
    lines = [",".join([*CSV_AXES, "seed", "error"])]
    for point in itertools.product(*CSV_AXES.values()):
        value = 5.0 + rng.random()
        if planted:
            value = 1.0 if point[:2] == (1, 1) else 1.8
        for seed in range(seeds):
            told = value + (0.3 * rng.normal() if seeds > 1 else 0.0)
            lines.append(",".join(map(str, [*point, seed, told])))
    return write(folder / "sweep.csv", "\n".join(lines))


STUDY = """
schema = 1
name = "shares"
[[landscapes]]
use = "table"
path = "sweep.csv"
value = "error"
ignore = ["seed"]
[spaces.universe]
[spaces.declared]
assume = [
  {{ use = "fixed", axis = "a", value = 0 }},
  {{ use = "fixed", axis = "b", value = 0 }},
  {{ use = "without", axis = "c", option = "w" }},
  {more}
]
{spaces}
[[strategies]]
use = "random"
[[strategies]]
use = "evolution"
population = 4
[runs]
budget = 8
repetitions = 30
entropy = 1
"""


def study(folder: Path, more: str = "", spaces: str = "", **table: Any) -> Study:
    sweep(folder, **table)
    return Study.read(write(folder / "study.toml", STUDY.format(more=more, spaces=spaces)))


def measured(read: Study, *names: str) -> list[pd.DataFrame]:
    return list(tabulate(Results.empty(read), names).values())


def test_shares_of_a_table_against_permutations_of_enumerated_optima(tmp_path: Path) -> None:
    more = """{ use = "narrowed", axis = "d", low = 2, high = 3 },
              { use = "rescaled", axis = "d", scale = "log" }"""
    read = study(tmp_path, more)
    table, interactions = measured(read, "attribution", "interactions")
    price = table[table["game"] == "price"]
    assert list(price["assumption"]) == [
        "fixed 0 in a",
        "fixed 0 in b",
        "without w in c",
        "narrowed low 2 high 3 in d",
    ]
    chain = read.spaces[1].assumptions[:4]
    landscape = read.landscapes[0].make()
    game = np.empty(16)
    for c in range(16):
        view = assume(landscape.universe, [chain[i].make() for i in members(c)])
        game[c] = landscape.evaluate(view.lift(view.declared.enumerate())).min()
    assert list(price["shapley"]) == pytest.approx(by_permutations(game), abs=1e-12)
    assert list(price["first_in"]) == pytest.approx([game[1 << i] - game[0] for i in range(4)])
    assert list(price["last_out"]) == pytest.approx(
        [game[15] - game[15 ^ 1 << i] for i in range(4)]
    )
    assert list(price["total"]) == pytest.approx([game[15] - game[0]] * 4)
    assert (price["status"] == "exact").all()
    worth, listed = moebius(game), set()
    for row in interactions.to_dict("records"):
        c = sum(
            1 << list(price["assumption"]).index(name) for name in row["assumptions"].split(" + ")
        )
        listed.add(c)
        assert row["interaction"] == pytest.approx(worth[c], abs=1e-12)
        assert row["cost"] == pytest.approx(game[c] - game[0], abs=1e-12)
        assert row["gain"] == pytest.approx(game[15] - game[15 ^ c], abs=1e-12)
    assert listed == {c for c in range(16) if c.bit_count() > 1 and abs(worth[c]) > 1e-9}


def test_a_planted_pair_of_locks_is_masked_and_said_so(tmp_path: Path) -> None:
    """One at a time both look harmless; together they cost 0.8."""
    table, interactions = measured(study(tmp_path, planted=True), "attribution", "interactions")
    price = table[table["game"] == "price"].set_index("assumption")
    locks = ["fixed 0 in a", "fixed 0 in b"]
    assert list(price.loc[locks, "last_out"]) == [0.0, 0.0]
    assert list(price.loc[locks, "shapley"]) == pytest.approx([0.4, 0.4])
    assert price.loc["without w in c", "shapley"] == 0.0
    assert price["words"].iloc[0] == (
        'giving up "fixed 0 in a" or "fixed 0 in b" alone gains nothing, giving up both gains 0.8'
    )
    assert list(interactions["assumptions"]) == ["fixed 0 in a + fixed 0 in b"]
    assert interactions["masked"].all()
    drawing = Waterfall()({"attribution": table})
    assert drawing is not None
    shown = " ".join(text.get_text() for text in texts(drawing))
    assert "masked" in shown
    assert "0.800" in shown
    assert "giving up both gains 0.8" in Waterfall().caption({"attribution": table})


def test_what_costs_only_together_is_said_so() -> None:
    """Two optima, each behind one assumption: neither costs anything alone."""
    players = (part("fixed", axis="a", value=0), part("fixed", axis="b", value=0))
    game = np.array([1.0, 1.0, 1.0, 1.5])
    words = masking(Sets(players, (), game, game), "points")
    assert words == (
        '"fixed 0 in a" and "fixed 0 in b" cost 0.5 points together, and nothing without one of '
        "them"
    )
    three = np.array([0.0] + [0.8] * 7)
    names = (*players, part("fixed", axis="c", value=0))
    assert "gains 0.8, and nothing as long as one of them stays" in masking(
        Sets(names, (), three, three)
    )


@pytest.mark.parametrize("instance", [1, 2, 3])
def test_optima_of_an_infinite_universe_against_its_views(instance: int) -> None:
    import landscapes

    f = landscapes.make("peaks", dimension=3, peaks=20, instance=instance)
    chain = [
        part("narrowed", axis="x1", high=0.5),
        part("narrowed", axis="x2", low=-1.0),
        part("fixed", axis="x3", value=0.5),
        part("narrowed", axis="x1", low=-0.5),
    ]
    low, high = _optima(f, anchored(f.universe, chain))
    for c in range(16):
        view = assume(f.universe, [chain[i].make() for i in members(c)])
        found = Problem(f, view).optimum
        assert low[c] == high[c] == pytest.approx(found.value, abs=1e-12)  # type: ignore[union-attr]


def test_an_optimum_that_is_spared_is_not_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import landscapes

    f = landscapes.make("peaks", dimension=2, peaks=5, instance=1)
    optimum = f.optimum()
    assert isinstance(optimum, Optimum)
    best = optimum.point.values[0, 0]
    calls = []
    original = type(f).lowest

    def counted(self: Any, region: Any) -> Any:
        calls.append(region)
        return original(self, region)

    region = (Box("", (("x1", Interval(best - 0.1, best + 0.1)),)),)
    monkeypatch.setattr(type(f), "lowest", counted)
    low, _ = _asked(f, [region] * 6)
    assert (low == low[0]).all()
    assert len(calls) <= 1


def test_bounds_give_intervals_and_infinite_ones_unknown() -> None:
    players = (part("fixed", axis="a", value=0), part("fixed", axis="b", value=0))
    low, high = np.array([0.0, 1.0, 0.0, 2.0]), np.array([0.1, 1.5, 0.1, 2.0])
    rows = _price_rows(Sets(players, (), low, high), "")
    assert [row["status"] for row in rows] == ["bounds", "bounds"]
    assert rows[0]["first_in_low"] == pytest.approx(0.9)
    assert rows[0]["first_in_high"] == pytest.approx(1.5)
    assert rows[1]["last_out_low"] == pytest.approx(0.5)
    assert rows[0]["shapley_low"] <= 1.4 <= rows[0]["shapley_high"]
    high = np.array([0.1, math.inf, 0.1, math.inf])
    rows = _price_rows(Sets(players, (), low, high), "")
    assert all(row["status"].startswith("unknown") for row in rows)
    table = pd.DataFrame(
        [
            {**row, "landscape": "f", "space": "s", "unit": "", "game": "price", "total": np.nan}
            for row in _price_rows(Sets(players, (), low, np.maximum(low, 2.0)), "")
        ]
    )
    drawing = Waterfall()(
        {"attribution": table.assign(shapley=np.nan, first_in=np.nan, last_out=np.nan)}
    )
    assert drawing is not None
    assert any("≤" in text.get_text() for text in texts(drawing))


def test_bounds_of_a_landscape_are_tightened_by_its_other_subsets() -> None:
    import landscapes

    f = landscapes.make("peaks", dimension=2, peaks=5, instance=1)

    class Vague(type(f)):  # type: ignore[misc]
        def lowest(self, region: Any) -> Bounds:
            found = super().lowest(region)
            wide = 1.0 if len(region[0].sets) < 2 else 0.1
            return Bounds(found.value - wide, found.value + wide, "test")

    g = Vague(dimension=2, peaks=5, instance=1)
    regions = [(Box("", ((axis, Interval(-1.0, 1.0)),)),) for axis in ("x1", "x2")]
    low, high = _optima(g, regions)
    exact = _optima(f, regions)[0]
    assert (low <= exact).all()
    assert (exact <= high).all()
    assert (np.diff(high[[0, 1, 3]]) >= 0).all()


# --- the regret at a budget ---------------------------------------------------------------------


def test_a_scale_has_no_price_and_a_share_of_random_searchs_regret(tmp_path: Path) -> None:
    text = """
schema = 1
name = "scales"
[[landscapes]]
use = "table"
path = "sweep.csv"
value = "error"
log = ["d"]
ignore = ["seed", "a", "b", "c"]
[spaces.universe]
[spaces.declared]
assume = [
  { use = "rescaled", axis = "d", scale = "linear" },
  { use = "narrowed", axis = "d", high = 3 },
]
[[strategies]]
use = "random"
[runs]
budget = [2, 5]
"""
    lines = ["a,b,c,d,seed,error", *(f"0,0,u,{d},0,{e}" for d, e in enumerate((4, 1, 3, 2, 0), 1))]
    write(tmp_path / "sweep.csv", "\n".join(lines))
    (table,) = measured(Study.read(write(tmp_path / "study.toml", text)), "attribution")
    assert list(table.loc[table["game"] == "price", "assumption"]) == ["narrowed high 3 in d"]
    assert table.loc[table["game"] == "price", "shapley"].item() == 1.0
    for budget in (2, 5):
        rows = table[table["budget"] == budget]
        game = np.array([expected_best(scale, high, budget) for high in (5, 3) for scale in (1, 0)])
        assert list(rows["shapley"]) == pytest.approx(by_permutations(game), abs=1e-12)
        assert list(rows["first_in"]) == pytest.approx([game[1] - game[0], game[2] - game[0]])
        assert rows["total"].iloc[0] == pytest.approx(game[3] - game[0])


def expected_best(log: int, high: int, budget: int) -> float:
    """The expected least of so many draws, by all that they can be."""
    space = Space.box(Integer("d", 1, high, log=bool(log)))
    mass, values = masses(space.enumerate()), np.array([4.0, 1.0, 3.0, 2.0, 0.0])[:high]
    draws: list[Sequence[int]] = list(itertools.product(range(high), repeat=budget))
    return float(sum(np.prod(mass[list(d)]) * values[list(d)].min() for d in draws))


def test_shares_of_the_regret_of_runs(tmp_path: Path) -> None:
    """Where the study has all subsets as spaces: means of runs, and intervals of the shares."""
    text = STUDY.replace('  {{ use = "without", axis = "c", option = "w" }},\n', "")
    spaces = """
[spaces.first]
assume = [{ use = "fixed", axis = "a", value = 0 }]
[spaces.second]
assume = [{ use = "fixed", axis = "b", value = 0 }]
"""
    sweep(tmp_path)
    read = Study.read(write(tmp_path / "study.toml", text.format(more="", spaces=spaces)))
    hpo_lab.run(read, tmp_path / "out", executor=Inline())
    found = tabulate(Results.load(read, tmp_path / "out"), ["attribution", "regret"])
    for strategy in ("random", "evolution"):
        rows = found["attribution"][found["attribution"]["game"] == strategy]
        regret = found["regret"][found["regret"]["strategy"] == strategy]
        means = regret.groupby("space")["total"].mean()
        game = means[["universe", "first", "second", "declared"]].to_numpy(float)
        assert list(rows["shapley"]) == pytest.approx(by_permutations(game), abs=1e-12)
        assert (rows["status"] == "mean of 30 paired runs").all()
        assert (rows["shapley_low"] < rows["shapley"]).all()
        assert (rows["shapley"] < rows["shapley_high"]).all()
    exact = found["attribution"][found["attribution"]["game"] == "random, exact"]
    mine = found["attribution"][found["attribution"]["game"] == "random"]
    inside = (mine["shapley_low"].to_numpy() < exact["shapley"].to_numpy()) & (
        exact["shapley"].to_numpy() < mine["shapley_high"].to_numpy()
    )
    assert inside.all()


def test_a_chain_that_depends_on_its_order_is_refused_in_the_table(tmp_path: Path) -> None:
    more = """{ use = "narrowed", axis = "d", high = 3 },
              { use = "coarsened", axis = "d", levels = 2 }"""
    read = study(tmp_path, more)
    table, interactions = measured(read, "attribution", "interactions")
    assert len(table) == 5
    assert table["status"].str.startswith("refused: the assumptions mean something else").all()
    assert interactions.empty
    assert Waterfall()({"attribution": table}) is None
    assert "Not shared on table (declared), refused" in Waterfall().caption({"attribution": table})


def test_the_price_verb_carries_the_shares(tmp_path: Path) -> None:
    found = hpo_lab.price(study(tmp_path, planted=True))["landscapes"][0]["spaces"]
    assert found[0]["attribution"] == []
    game = found[1]["attribution"][0]
    assert game["game"] == "price"
    assert game["budget"] is None
    assert game["total"] == pytest.approx(0.8)
    assert "giving up both gains 0.8" in game["masking"]
    assert [one["shapley"] for one in game["assumptions"]] == pytest.approx([0.4, 0.4, 0.0])
    assert game["assumptions"][0]["bounds"]["shapley"] == pytest.approx([0.4, 0.4])
    random = found[1]["attribution"][1]
    assert (random["game"], random["budget"]) == ("random, exact", 8)


def test_assumptions_in_words() -> None:
    assert (
        in_words(part("narrowed", axis="lr", high=0.1, reason="habit")) == "narrowed high 0.1 in lr"
    )
    assert in_words(part("fixed", axis="k", value=3, reason="r"), reason=True) == "fixed 3 in k: r"


def test_the_command_line_says_what_is_masked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from hpo_lab.cli import main

    study(tmp_path, planted=True)
    assert main(["price", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "table, declared: 0.8 = 0.4 fixed 0 in a + 0.4 fixed 0 in b + 0 without w in c" in shown
    assert 'giving up "fixed 0 in a" or "fixed 0 in b" alone gains nothing' in shown
