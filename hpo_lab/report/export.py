"""Tables for others: CSV that a spreadsheet does not run, LaTeX that TeX does not run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpo_lab.figures._words import plain

if TYPE_CHECKING:
    import pandas as pd

    from hpo_lab.report.view import View

_RISKY = ("=", "+", "-", "@", "\t", "\r")
_TEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
    "-": "-{}",  # two in a row would become a dash
    "[": "{[}",  # after a line's end TeX would read it as an optional argument
    "]": "{]}",
    "*": "{*}",
    "−": "$-$",
    "∞": r"$\infty$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "×": r"$\times$",
    "–": "--",
    "…": r"\ldots{}",
    "“": "``",
    "”": "''",
    "’": "'",
    "·": r"\textperiodcentered{}",
}


def csv(table: pd.DataFrame) -> str:
    """Return a table as CSV at full precision; text that a spreadsheet would run gets a ``'``.

    >>> import pandas as pd
    >>> print(csv(pd.DataFrame({"name": ["=1+1", "gat"], "price": [-0.5, 1.0]})), end="")
    name,price
    '=1+1,-0.5
    gat,1.0
    """
    import pandas as pd

    safe = {
        column: values.map(_harmless) if not pd.api.types.is_numeric_dtype(values) else values
        for column, values in table.items()
    }
    frame = pd.DataFrame(safe, index=table.index)
    frame.columns = pd.Index([_harmless(str(column)) for column in table.columns])
    text: str = frame.to_csv(index=False, lineterminator="\n")
    return text


def _harmless(value: object) -> object:
    if not isinstance(value, str):
        return value
    return "'" + value if value.lstrip(" ").startswith(_RISKY) else value


def tex(view: View) -> str:
    """Return a table as LaTeX (booktabs), every name escaped; compile with LuaLaTeX or XeLaTeX
    where names need more than Latin letters."""
    columns = "".join("r" if numeric else "l" for numeric in view.numeric)
    lines = [
        f"% {tex_text(view.title)}; needs \\usepackage{{booktabs}} and \\usepackage[T1]{{fontenc}}",
        f"\\begin{{tabular}}{{{columns}}}",
        "\\toprule",
        _tex_row(view.head),
        "\\midrule",
        *(_tex_row(row) for row in view.cells),
        "\\bottomrule",
        "\\end{tabular}",
    ]
    if view.hidden:
        lines.append(f"% {view.hidden} more rows: {tex_text(view.source)}.csv")
    return "\n".join(lines) + "\n"


def tex_text(text: object) -> str:
    r"""Return text that TeX sets as it is and never runs.

    >>> print(tex_text(r"50% of $x_1$ & \input{a}"))
    50\% of \$x\_1\$ \& \textbackslash{}input\{a\}
    """
    return "".join(_TEX.get(character, character) for character in plain(text))


def _tex_row(cells: tuple[str, ...]) -> str:
    return " & ".join(map(tex_text, cells)) + r" \\"
