"""The tables of a report as they are read: words and rounded numbers, limited, costly first."""

from __future__ import annotations

from hpo_lab.report.arm_views import arms, comparisons, hypotheses, ranks
from hpo_lab.report.coverage_views import basins, coverage, edges, emptiest, fates, marginals
from hpo_lab.report.search_views import (
    abandonment,
    blind_spots,
    causes,
    excluded,
    richness,
    verdicts,
)
from hpo_lab.report.space_views import attribution, benefit, break_even, price, selection
from hpo_lab.report.strategy_views import strategies
from hpo_lab.report.view import Tables, View

MAKERS = (
    *(price, attribution, break_even, benefit),
    *(arms, excluded, blind_spots, causes, verdicts, richness, abandonment),
    *(marginals, emptiest, coverage, edges, basins, fates),
    *(hypotheses, comparisons, ranks, selection, strategies),
)


def views(tables: Tables) -> dict[str, View]:
    """Return the tables that can be shown, by name; a table without rows makes none."""
    made = (maker(tables) for maker in MAKERS)
    return {view.name: view for view in made if view is not None}
