"""Keeps what both studies of strategies found, in the project: python -m experiments.strategies.

Reads results/strategies and results/strategy_peers (or ``--ours`` and ``--peers``), writes the
tables and the figure into ``summary`` and what the README shows of them between its marks.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from experiments.strategies import page, tables
from hpo_lab import discovery
from hpo_lab.study import Study

HERE = Path(__file__).parent


def main() -> None:
    """Write the tables, the figure and the README."""
    parser = argparse.ArgumentParser(prog="python -m experiments.strategies")
    parser.add_argument("--ours", type=Path, default=Path("results/strategies"))
    parser.add_argument("--peers", type=Path, default=Path("results/strategy_peers"))
    given = parser.parse_args()
    for plugin in sorted((HERE / "peers").glob("*.py")):
        discovery.load_plugin(plugin)
    ours = tables.Kept(Study.read(HERE / "study.toml"), given.ours).runs()
    peers = tables.Kept(Study.read(HERE / "peers.toml"), given.peers).runs()
    keep(ours, peers, HERE / "summary")
    page.renew(HERE / "summary")


def keep(ours: pd.DataFrame, peers: pd.DataFrame, folder: Path) -> None:
    """Write the tables into a folder."""
    folder.mkdir(exist_ok=True)
    both = pd.concat([ours, peers], ignore_index=True)
    few = both.merge(peers[tables.SEED].drop_duplicates())  # the cells that the peers have, too
    kept = {
        "regret": tables.regret(both),
        "ranks": tables.mean_ranks(ours, list(ours["strategy"].unique())),
        "peers": tables.mean_ranks(few, list(few["strategy"].unique())),
        "non_inferiority": tables.non_inferiority(both),
    }
    for name, table in kept.items():
        table.to_csv(folder / f"{name}.csv", index=False, float_format="%.6g")


if __name__ == "__main__":
    main()
