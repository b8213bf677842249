"""The paper's figure: the price of leaving attention out, beside the price of chance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from hpo_lab.figures.price_chance import PriceChance

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Drawing


def draw(tables: Mapping[str, pd.DataFrame]) -> Drawing | None:
    """Return the picture at the width of a column; None without a declared space."""
    return PriceChance()(tables)
