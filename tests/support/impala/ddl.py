"""The statements that set up a new cluster: `make impala-sql` prints them.

The tables of Python are those that the warehouse would create, the marts those of their contracts.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator, Mapping

import yaml

from flows.run.tables import python_tables
from spot_oa.pipelines import load_pipelines
from spot_oa.settings import load_settings
from spot_oa.warehouse.hiveserver2.warehouse import create_table
from tests.support.impala.telemetry import KEYS
from tests.support.project import PROJECT

DATABASES = ("raw", "lookups", "reference", "oa_staging", "oa_intermediate", "oa")
HEAD = """\
-- The databases and tables of spot-oa on Impala 4, for clusters where its user may not create any.
-- (Where it may, nothing here is needed but the telemetry: a run creates what is missing.)
-- With SPOT_OA_SCHEMA_PREFIX, put the prefix before every database. Seeds, staging views and
-- intermediate tables are made by `dbt build`.
"""


def statements() -> Iterator[str]:
    """Return every statement, without its semicolon."""
    settings, pipelines = load_settings(target="impala"), load_pipelines()
    for database in DATABASES:
        yield f"create database if not exists {database}"
    for name, pipeline in pipelines.items():
        yield _table(settings.telemetry_table(name), pipeline.telemetry.columns, KEYS[name])
    for table in python_tables(pipelines):
        yield create_table(settings, table)
    for mart, columns in marts().items():
        own = {name: kind for name, kind in columns.items() if name not in {"y", "m", "d"}}
        yield _table(f"oa.{mart}", own, dict.fromkeys("ymd", "int"))


def marts() -> dict[str, dict[str, str]]:
    """Return column -> type of every published table, in order."""
    return {
        model["name"]: {column["name"]: column["data_type"] for column in model["columns"]}
        for folder in ("marts", "triage", "investigation")
        for file in sorted((PROJECT / "models" / folder).rglob("_*__models.yml"))
        for model in yaml.safe_load(file.read_text("utf-8"))["models"]
    }


def text() -> str:
    """Return the complete file."""
    filled = (
        textwrap.fill(statement + ";", 100, subsequent_indent="    ", break_on_hyphens=False)
        for statement in statements()
    )
    return HEAD + "".join(f"\n{statement}\n" for statement in filled)


def _table(name: str, columns: Mapping[str, str], keys: Mapping[str, str]) -> str:
    own, partitions = (
        ", ".join(f"`{column}` {kind}" for column, kind in part.items()) for part in (columns, keys)
    )
    return (
        f"create table if not exists {name} ({own}) partitioned by ({partitions}) stored as parquet"
    )


if __name__ == "__main__":
    sys.stdout.write(text())
