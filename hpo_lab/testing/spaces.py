"""One space of every kind, for the cross product of strategies and assumptions with spaces."""

from __future__ import annotations

from hpo_lab.space import Choice, Family, Integer, Real, Space

_LR = Real("lr", 1e-5, 1e-1, log=True)

KINDS_OF_SPACE: dict[str, Space] = {
    "continuous": Space.box(Real("x1", -5, 5), Real("x2", -5, 5)),
    "log": Space.box(_LR, Real("decay", 1e-6, 1e-2, log=True)),
    "integer": Space.box(Integer("depth", 1, 12), Integer("width", 8, 1024, log=True)),
    "categorical": Space.box(*[Choice(f"op{i}", ("gat", "gcn", "skip")) for i in range(1, 5)]),
    "ordered": Space.box(Choice("size", (1, 2, 4, 8), ordered=True), Real("x", 0, 1)),
    "mixed": Space.box(_LR, Integer("depth", 1, 8), Choice("act", ("relu", "gelu", "tanh"))),
    "conditional": Space(
        (
            Family("conv", (_LR, Integer("kernel", 1, 7))),
            Family("attention", (_LR, Integer("heads", 1, 16, log=True), Real("drop", 0, 0.5))),
            Family("mlp", (_LR,), weight=2.0),
            Family("linear"),  # no axes of its own
        )
    ),
    "many families": Space(tuple(Family(f"f{i}", (Real(f"x{i}", 0, 1),)) for i in range(40))),
    "one point": Space.box(Real("x", 2, 2), Integer("k", 3, 3), Choice("c", ("only",))),
    "two points": Space.box(Choice("c", ("a", "b"))),
    "three points in two families": Space((Family("a", (Choice("c", ("x", "y")),)), Family("b"))),
    "one family without axes": Space((Family("linear"),)),
    "a thousand options": Space.box(Choice("c", tuple(range(1000)))),
    "wide": Space.box(*[Real(f"x{i}", 0, 1) for i in range(100)]),
}
