"""How much of a universe something covers: a number, its standard error, and how it was found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Share:
    """A share of the reference measure; ``error`` is its standard error, 0 where it is exact.

    >>> Share(0.25, 0.0, "closed form").exact
    True
    """

    value: float
    error: float
    how: str

    @property
    def exact(self) -> bool:
        """Whether nothing but rounding stands between the value and the truth."""
        return self.error == 0.0

    def interval(self, errors: float = 2.0) -> tuple[float, float]:
        """Return so many standard errors to either side, within [0, 1].

        >>> Share(0.1, 0.03, "an estimate").interval(4)
        (0.0, 0.22)
        """
        low, high = self.value - errors * self.error, self.value + errors * self.error
        return max(low, 0.0), min(high, 1.0)
