"""A run for one date on a warehouse that holds that date alone, and on one that holds a year."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import statistics
import time
from pathlib import Path

import duckdb

from benchmarks.bench import DATE, Bench, ran
from benchmarks.tables import Table, seconds, times
from spot_oa.settings import Settings, load_settings

ROWS = 20_000
LIMIT = 3000
DAYS = 365


def measure(bench: Bench) -> Table:
    """By step; the runs of both take turns."""
    alone = bench.home("flow", ROWS)
    year = _year(bench, alone)
    rounds = [(_run(alone), _run(year)) for _ in range(bench.runs + 1)][1:]
    rows = []
    for step in rounds[0][0]:
        one = statistics.median(pair[0][step] for pair in rounds)
        other = statistics.median(pair[1][step] for pair in rounds)
        rows.append([step, seconds(one), seconds(other), times(other / one)])
    return Table(("step", "one day", f"{DAYS + 1} days", "ratio"), rows)


def _run(settings: Settings) -> dict[str, float]:
    """Seconds by step, and at last in all."""
    cpu, begin = time.process_time(), time.perf_counter()
    found = dict(ran(settings, "flow", LIMIT).seconds)
    found["**whole run**"] = time.perf_counter() - begin
    return found | {"its processor time": time.process_time() - cpu}


def _year(bench: Bench, alone: Settings) -> Settings:
    """A home with a year before the day: its telemetry and all its rows, under each date."""
    home = bench.folder / "flow-year"
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(alone.home, home)
    settings = load_settings(home=home)
    ran(settings, "flow", LIMIT)
    dates = [DATE - dt.timedelta(days=n) for n in range(1, DAYS + 1)]
    raw = Path(settings.raw_uri) / "flow"
    for date in dates:
        for file in raw.glob(f"y={DATE.year}/m={DATE.month}/d={DATE.day}/*/*.parquet"):
            folder = raw / f"y={date.year}/m={date.month}/d={date.day}" / file.parent.name
            folder.mkdir(parents=True)
            os.link(file, folder / file.name)
    with duckdb.connect(str(settings.warehouse)) as connection:
        connection.execute(
            "create temp table days as select distinct year(day) as y, month(day) as m, "
            "day(day) as d from (select unnest(?) as day)",
            [dates],
        )
        tables = connection.execute(
            "select table_schema || '.' || table_name from information_schema.tables "
            "where table_schema in ('oa', 'raw', 'lookups') and table_type = 'BASE TABLE'"
        ).fetchall()
        for (table,) in tables:
            columns = {row[0] for row in connection.execute(f"describe {table}").fetchall()}
            if columns >= {"y", "m", "d"}:
                connection.execute(
                    f"insert into {table} by name select t.* replace (days.y as y, days.m as m, "
                    f"days.d as d) from {table} as t cross join days"
                )
    return settings
