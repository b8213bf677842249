"""The critical-difference diagram joins exactly what Nemenyi's test does not tell apart."""

from __future__ import annotations

import pandas as pd
import pytest

from hpo_lab.figures.rank_diagram import RankDiagram, _cliques


@pytest.mark.parametrize(
    ("ranks", "difference", "joined"),
    [
        ([1.0, 2.0, 3.0], 0.5, []),
        ([1.0, 2.0, 3.0], 1.0, [(0, 1), (1, 2)]),
        ([1.0, 2.0, 3.0], 2.0, [(0, 2)]),
        ([1.0, 1.1, 1.2, 3.0, 3.1], 0.5, [(0, 2), (3, 4)]),
        ([1.5], 9.0, []),
    ],
)
def test_bars_are_the_longest_stretches(
    ranks: list[float], difference: float, joined: list[tuple[int, int]]
) -> None:
    assert _cliques(ranks, difference) == joined


def _table(problems: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "space": ["universe"] * 3,
            "strategy": ["gp", "random <b>$x$", "grid"],
            "budget": [50] * 3,
            "problems": [problems] * 3,
            "rank_of_median": [1.25, 2.0, 2.75] if problems > 1 else [float("nan")] * 3,
            "friedman_p": [0.01 if problems > 1 else float("nan")] * 3,
            "critical_difference": [1.2 if problems > 1 else float("nan")] * 3,
        }
    )


def test_it_names_every_strategy_with_its_rank() -> None:
    drawing = RankDiagram()({"ranks": _table(8)})
    assert drawing is not None
    said = [text.get_text() for axes in drawing.axes for text in axes.texts]
    assert [text.split()[-1] for text in said] == ["1.25", "2.00", "2.75"]
    assert r"random <b>\$x\$" in said[1]
    assert "8 problems" in drawing.axes[0].get_title("left")
    bars = [line for line in drawing.axes[0].get_lines() if len(line.get_xdata()) == 2]  # type: ignore[arg-type]
    assert len(bars) == 2


def test_one_problem_has_no_test_and_no_picture() -> None:
    assert RankDiagram()({"ranks": _table(1)}) is None
    assert RankDiagram()({"ranks": pd.DataFrame()}) is None
    assert "Nemenyi" in RankDiagram().caption({"ranks": pd.DataFrame()})
