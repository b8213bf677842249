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
    ours = tables.Kept(Study.read(HERE / "study.toml"), given.ours).runs().assign(study="ours")
    peers = tables.Kept(Study.read(HERE / "peers.toml"), given.peers).runs().assign(study="peers")
    keep(pd.concat([ours, peers], ignore_index=True), HERE / "summary")
    page.renew(HERE / "summary")


def keep(runs: pd.DataFrame, folder: Path) -> None:
    """Write the runs, and the tables that are made of them, into a folder."""
    folder.mkdir(exist_ok=True)
    runs.to_parquet(folder / "runs.parquet", index=False, compression="zstd")
    for name, table in made(runs).items():
        table.to_csv(folder / f"{name}.csv", index=False, float_format="%.6g")


def made(runs: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the kept tables, by name, of the runs of both studies."""
    ours, peers = (runs[runs["study"] == name] for name in ("ours", "peers"))
    few = runs.merge(peers[tables.SEED].drop_duplicates())  # the cells that the peers have, too
    return {
        "regret": tables.regret(runs),
        "ranks": tables.mean_ranks(ours, list(ours["strategy"].unique())),
        "peers": tables.mean_ranks(few, list(few["strategy"].unique())),
        "non_inferiority": tables.non_inferiority(runs),
    }


if __name__ == "__main__":
    main()
