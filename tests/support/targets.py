"""Engines to compare: set up, run and read each. Another engine needs another class."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from pathlib import Path

import duckdb

from flows.run.dbt_runner import dbt_arguments, environment
from flows.run.runner import run_day
from flows.run.summary import Summary
from spot_oa.dates import Slice
from spot_oa.pipelines import load_pipelines
from spot_oa.settings import Settings, load_settings
from spot_oa.warehouse import open_warehouse
from tests.support.impala import StandIn
from tests.support.impala.telemetry import load_telemetry
from tests.support.report import Told
from tests.support.spark import HOST, Cluster

Rows = Counter[tuple[object, ...]]
SESSION_NOT_CLOSED = "LlapSigner"
"""In the error of a session that Spark could not close, of one in thousands (docs/spark.md)."""
MARTS = [
    table
    for pipeline in load_pipelines().values()
    for tables in (pipeline.tables, pipeline.triage.all_tables if pipeline.triage else ())
    for table in tables
]


class Dbt:
    """dbt by itself, in a process of its own."""

    def __init__(self, arguments: Sequence[str], variables: Mapping[str, str]) -> None:
        self._called = [Path(sys.executable).with_name("dbt"), *arguments]
        self._variables = variables
        self._process = self._started()

    def _started(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self._called,
            env=self._variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def succeeds(self) -> None:
        """Wait for its end, which must be a success."""
        output, _ = self._process.communicate(timeout=800)
        if self._process.returncode and SESSION_NOT_CLOSED in output:
            self._process = self._started()
            output, _ = self._process.communicate(timeout=800)
        assert self._process.returncode == 0, output


class Target(ABC):
    """An engine, and a home that its runs work on."""

    name: str
    settings: Settings

    @abstractmethod
    def open(self, home: Path) -> None:
        """Reset: an empty warehouse, and the telemetry below `home`."""

    @abstractmethod
    def read(self, query: str) -> Rows:
        """Return the rows of a query."""

    def read_table(self, table: str) -> Rows:
        """Return all rows of a published table, of every date."""
        return self.read(f"select * from oa.{table}")

    def load_telemetry(self) -> None:
        """Load the changed telemetry below the home."""
        return

    def show_telemetry(self, dates: Sequence[dt.date]) -> None:
        """Do the steps of a run before dbt reads telemetry."""
        for pipeline in load_pipelines().values():
            open_warehouse(self.settings).expose_telemetry(pipeline, dates)

    def close(self) -> None:
        """Release all resources."""
        return

    def run(self, part: Slice, limit: int | None = None, **options: bool) -> Summary:
        """Run from landing to publishing."""
        return run_day(self.settings, part.pipeline, part.date, Told(), limit=limit, **options)

    def dbt(self, *command: str, work: Path | None = None) -> Dbt:
        """Start dbt in a separate process, with a folder for its artifacts."""
        arguments = [part for part in dbt_arguments(self.settings, command) if part != "none"]
        arguments.remove("--log-level")
        if work:
            _keep_parsed(self.settings.target_dir, work)
            arguments[arguments.index("--target-path") + 1] = str(work / "target")
        with environment(self.settings):
            return Dbt(arguments, dict(os.environ))

    def tables(self) -> dict[str, Rows]:
        """Return all rows of every published table."""
        return {table: self.read_table(table) for table in MARTS}


class DuckDB(Target):
    """DuckDB, with which the others are compared."""

    name = "duckdb"

    def open(self, home: Path) -> None:
        self.settings = load_settings(home=home)

    def read(self, query: str) -> Rows:
        with duckdb.connect(str(self.settings.warehouse), read_only=True) as connection:
            return Counter(connection.execute(query).fetchall())


class Impala(Target):
    """The stand-in, through dbt-impala and impyla."""

    name = "impala"

    def __init__(self) -> None:
        self.stand_in = StandIn()
        self.stand_in.__enter__()

    def open(self, home: Path) -> None:
        self.stand_in.engine.clear()
        if hasattr(self, "settings"):
            _keep_parsed(self.settings.target_dir, home / "dbt")
        self.settings = load_settings(
            home=home, target="impala", impala_host="127.0.0.1", impala_port=self.stand_in.port
        )
        self.load_telemetry()

    def load_telemetry(self) -> None:
        load_telemetry(self.stand_in.engine, self.settings, Path(self.settings.raw_uri))

    def read(self, query: str) -> Rows:
        return Counter(self.stand_in.engine.execute(query).rows)

    def close(self) -> None:
        self.stand_in.__exit__()


class Spark(Target):
    """A standalone cluster on loopback, through dbt-spark and impyla.

    Args:
        cluster: It; each home has databases of its own there.
    """

    name = "spark"
    _homes = count(1)

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def open(self, home: Path) -> None:
        if hasattr(self, "settings"):
            _keep_parsed(self.settings.target_dir, home / "dbt")
        self.settings = load_settings(
            home=home,
            target="spark",
            spark_host=HOST,
            spark_port=self.cluster.port,
            schema_prefix=f"home{next(self._homes)}_",
        )

    def read(self, query: str) -> Rows:
        return Counter(self.cluster.rows(query))

    def read_table(self, table: str) -> Rows:
        return self.read(f"select * from {self.settings.database('oa')}.{table}")


def _keep_parsed(old: Path, new: Path) -> None:
    """Copy dbt's stored parse to another home, because parsing takes seconds."""
    (new / "target").mkdir(parents=True, exist_ok=True)
    shutil.copy(old / "target" / "partial_parse.msgpack", new / "target")


def differing(made: dict[str, Rows], wanted: dict[str, Rows]) -> Iterable[str]:
    """Return the tables whose rows differ, with the first difference of each."""
    for table, rows in wanted.items():
        found = made[table]
        if found != rows:
            lacking, surplus = rows - found, found - rows
            yield f"{table}: lacks {list(lacking)[:1]}, has {list(surplus)[:1]}"
