"""What the tables say, in plain sentences: the price first, then chance, then the benefit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hpo_lab.figures._style import longest
from hpo_lab.figures._words import counted, decimals, in_unit, listed, number, plain

if TYPE_CHECKING:
    import pandas as pd

LEVEL = 0.05
FLOOR = "Where a space has a price, no strategy and no budget can do better in it than that price."
SPACES = 3  # declared spaces with a sentence of their own


def lead(
    tables: Mapping[str, pd.DataFrame], spaces: Mapping[str, Sequence[str]] | None = None
) -> list[str]:
    """Return the first sentences of a report, the most important first.

    ``spaces`` gives each space's assumptions in words. Every landscape of the study is counted:
    the one with the highest price never stands alone.
    """
    from hpo_lab.figures.price_chance import declared

    price = tables.get("price")
    if price is None or price.empty:
        return ["Nothing is known yet about what the declared spaces cost."]
    rows = declared(price)
    names = list(dict.fromkeys(rows["space"]))
    if not names:
        return ["The whole universe was searched: no assumption was made, so none has a price."]
    text = []
    for name in names[:SPACES]:
        mine = rows[rows["space"] == name]
        text += [_price(str(name), mine, (spaces or {}).get(str(name), ())), _chance(mine)]
        text.append(_benefit(tables.get("benefit"), str(name), tables.get("arms")))
    if (rows["price"] > 0).any():
        text.append(FLOOR)
    if len(names) > SPACES:
        rest = listed(f'"{plain(name)}"' for name in names[SPACES:])
        text.append(f"The other declared spaces, {rest}, are in the table of prices.")
    return [sentence for sentence in text if sentence]


def _price(space: str, rows: pd.DataFrame, assumptions: Sequence[str]) -> str:
    """What the space costs: the range and median over landscapes, each by name."""
    known = rows[rows["price"].notna()].sort_values("price", ascending=False, kind="stable")
    what = f'The space "{plain(space)}"'
    if assumptions:
        what += f" ({'; '.join(plain(text).rstrip('.') for text in assumptions)})"
    if known.empty:
        return f"What {what[0].lower() + what[1:]} costs is {_unknown(rows)}."
    units = set(known["unit"].fillna(""))
    if len(rows) == 1:
        cost = in_unit(number(known["price"].iloc[0], decimals(known["price"])), units.pop())
        return f"{what} costs {cost} on {plain(rows['landscape'].iloc[0])}, the only landscape."
    return f"{what} costs {_range(known, units)}: {_each(known, len(units) == 1)}{_rest(rows)}."


def _range(known: pd.DataFrame, units: set[str]) -> str:
    places = decimals(known["price"])
    on = f"on {counted(len(known), 'landscape')}"
    if len(units) > 1:
        return f"as follows {on}, each in its own unit"
    low, high = float(known["price"].min()), float(known["price"].max())
    if low == high:
        return "nothing " + on if high == 0 else f"{in_unit(number(high, places), *units)} {on}"
    span = f"between {number(low, places)} and {in_unit(number(high, places), *units)} {on}"
    return f"{span} (median {number(float(known['price'].median()), places)})"


def _each(known: pd.DataFrame, same_unit: bool) -> str:
    """Every landscape with its price, up to eight; the free ones together at the end."""
    places = decimals(known["price"])
    paid = known[known["price"] > 0]
    parts = [
        f"{number(row['price'], places) if same_unit else _with_unit(row)}"
        f" on {plain(row['landscape'])}"
        for _, row in paid.head(8).iterrows()
    ]
    if len(paid) > 8:
        parts.append(f"less on {len(paid) - 8} more")
    free = known[known["price"] == 0]
    if len(free):
        everywhere = len(free) == len(known)
        parts.append("free everywhere" if everywhere else f"nothing on {listed(free['landscape'])}")
    return ", ".join(parts)


def _with_unit(row: pd.Series[Any]) -> str:
    return in_unit(number(row["price"], decimals([row["price"]])), row["unit"])


def _rest(rows: pd.DataFrame) -> str:
    """What is to be said of the landscapes without an exact price."""
    missing = rows[rows["price"].isna()]
    return f"; {_unknown(missing)}" if len(missing) else ""


def _unknown(rows: pd.DataFrame) -> str:
    bounded = rows[rows["high"].lt(float("inf")) & rows["low"].gt(-float("inf"))]
    open_ended = rows.drop(bounded.index)
    parts = []
    for _, row in bounded.head(8).iterrows():
        places = decimals([row["low"], row["high"]])
        span = (
            f"{number(row['low'], places)} and {in_unit(number(row['high'], places), row['unit'])}"
        )
        parts.append(f"between {span} on {plain(row['landscape'])}")
    if len(bounded) > 8:
        parts.append(f"bounded on {len(bounded) - 8} more")
    if len(open_ended):
        parts.append(f"unknown on {listed(open_ended['landscape'])}")
    return ", ".join(parts)


def _chance(rows: pd.DataFrame) -> str:
    """For how many landscapes the price is more than chance explains, and how many are expected."""
    tested = rows[rows["chance_p"].notna()]
    if tested.empty:
        return ""
    beyond = tested[(tested["chance_p"] <= LEVEL) & (tested["price"] > 0)]
    if len(tested) == 1:
        more = "more" if len(beyond) else "no more"
        return f"That is {more} than leaving out as many points at random would explain, at 5 %."
    names = f" ({listed(beyond['landscape'])})" if len(beyond) else ""
    return (
        f"On {len(beyond)} of {len(tested)} landscapes{names} that is more than leaving out as "
        "many points at random would explain, each tested alone at 5 %; with pure chance one "
        f"would expect up to {LEVEL * len(tested):.2g}."
    )


def _benefit(benefit: pd.DataFrame | None, space: str, arms: pd.DataFrame | None) -> str:
    """Whether the smaller space gave lower regret at this budget nevertheless."""
    if benefit is None or arms is None or benefit.empty:
        return ""
    benefit, _ = longest(benefit)
    rows = benefit[(benefit["space"] == space) & benefit["net"].notna()]
    if rows.empty:
        return ""
    sure = rows[rows["low"].notna() & rows["high"].notna()]
    single = rows.drop(sure.index)
    parts = []
    if len(sure):
        lower, higher = int((sure["low"] > 0).sum()), int((sure["high"] < 0).sum())
        parts.append(
            f"lower in {lower}, higher in {higher} and not told apart in "
            f"{len(sure) - lower - higher} of {counted(len(sure), 'comparison')} "
            "with a 95 % interval"
        )
    if len(single):
        better = int((single["net"] > 0).sum())
        what = "" if len(sure) else f"{'comparison' if len(single) == 1 else 'comparisons'}, "
        parts.append(f"lower in {better} of {len(single)} {what}without an interval")
    budget = counted(int(arms["budget"].max()), "evaluation")
    return (
        f"At {budget} regret in it, its price included, was {' and '.join(parts)} "
        "(against the universe; one comparison a landscape and strategy)."
    )
