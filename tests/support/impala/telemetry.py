"""The telemetry tables of Spot's ingest on a cluster, filled from Parquet folders."""

from __future__ import annotations

from pathlib import Path

from spot_oa.pipelines import load_pipelines
from spot_oa.settings import Settings
from tests.support.impala.engine import Engine

KEYS = {
    "flow": {"y": "smallint", "m": "tinyint", "d": "tinyint", "h": "tinyint"},
    "proxy": {"y": "string", "m": "string", "d": "string", "h": "string"},
    "dns": {"y": "smallint", "m": "tinyint", "d": "tinyint", "h": "tinyint"},
}
"""Spot's own partition keys: proxy's are text."""


def create_telemetry(engine: Engine, settings: Settings, root: Path | None = None) -> None:
    """Create the three tables without rows, in folders below `root` if it is given."""
    for name, pipeline in load_pipelines().items():
        table = settings.telemetry_table(name)
        columns = ", ".join(f"`{c}` {kind}" for c, kind in pipeline.telemetry.columns.items())
        keys = ", ".join(f"{key} {kind}" for key, kind in KEYS[name].items())
        engine.execute(f"create database if not exists {table.partition('.')[0]}")
        place = f" location '{root / name}'" if root else ""
        engine.execute(
            f"create external table if not exists {table} ({columns}) "
            f"partitioned by ({keys}) stored as parquet{place}"
        )


def load_telemetry(engine: Engine, settings: Settings, root: Path) -> None:
    """Load all days below `root`, in `<pipeline>/y=/m=/d=/h=/*.parquet`."""
    create_telemetry(engine, settings)
    for name in load_pipelines():
        table, folder = settings.telemetry_table(name), (root / name).resolve()
        engine.execute(f"truncate table {table}")
        if any(folder.rglob("*.parquet")):
            engine.load(
                table,
                f"select * from read_parquet('{folder}/**/*.parquet', union_by_name = true, "
                "hive_partitioning = true, hive_types_autocast = false)",
            )
