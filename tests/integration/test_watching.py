"""What watches over the days: dbt's source freshness, the volume test, and what doctor sees."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flows.cli.doctor import examine
from flows.run.dbt_runner import invoke
from flows.run.tables import python_tables
from spot_oa.dates import Slice
from spot_oa.pipelines import get_pipeline, load_pipelines
from spot_oa.settings import Settings, load_settings
from spot_oa.warehouse import open_warehouse
from spot_oa.warehouse.tables import RUN_AUDIT, results_table
from tests.support.impala import StandIn
from tests.support.impala.telemetry import create_telemetry

MONDAY = dt.date(2016, 2, 8)
"""Eight weeks before it is another year."""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """One home, so that dbt parses the project once."""
    return load_settings(home=tmp_path_factory.mktemp("watching"))


def is_there(settings: Settings) -> None:
    """Results of flow are of yesterday, of proxy 3 and of dns 10 days old; no run for 30 hours."""
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    warehouse = open_warehouse(settings)
    warehouse.prepare(python_tables(load_pipelines()))
    for name, ages in {"flow": [1, 20], "proxy": [3], "dns": [10]}.items():
        table = results_table(get_pipeline(name))
        for age in ages:
            part = Slice(name, now.date() - dt.timedelta(days=age))
            with warehouse.replacing(part, table) as writer:
                # A rerun of an old day does not make it new.
                landed_at = pa.array([now], pa.timestamp("us"))
                writer.append(table, pa.table({"landed_at": landed_at}))
    ended = pa.array([now - dt.timedelta(hours=30)], pa.timestamp("us"))
    warehouse.add(RUN_AUDIT, pa.table({"finished_at": ended}))


def freshness(settings: Settings) -> dict[str, str]:
    """What `dbt source freshness` says of each source that it looks at."""
    found = invoke(settings, ["source", "freshness"]).result.results
    return {f"{one.node.source_name}.{one.node.name}": str(one.status) for one in found}


FRESHNESS = {
    "landed.flow_results": "pass",
    "landed.proxy_results": "warn",
    "landed.dns_results": "error",
    "audit.run_audit": "warn",
}


def test_freshness_is_that_of_the_newest_day_and_of_the_last_run(shared: Settings) -> None:
    is_there(shared)
    assert freshness(shared) == FRESHNESS


def test_freshness_on_impala_is_that_of_telemetry_too(tmp_path: Path) -> None:
    with StandIn() as server:
        settings = load_settings(
            home=tmp_path, target="impala", impala_host="127.0.0.1", impala_port=server.port
        )
        create_telemetry(server.engine, settings)
        day = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=3)
        keys = f"'{day.year}' as y, '{day.month:02}' as m, '{day.day:02}' as d, '00' as h"
        server.engine.load("raw.proxy", f"select {keys}")
        is_there(settings)
        telemetry = {"telemetry.flow": "error", "telemetry.dns": "error", "telemetry.proxy": "warn"}
        assert freshness(settings) == FRESHNESS | telemetry
        newest = open_warehouse(settings).newest_telemetry
        assert [newest(get_pipeline(name)) for name in ("proxy", "flow")] == [day, None]


def summary_of(settings: Settings, totals: Mapping[dt.date, list[int]]) -> None:
    """An ingest summary with these totals, a row for each."""
    rows = [
        (f"{day} 00:{n:02}", total, day.year, day.month, day.day)
        for day, minutes in totals.items()
        for n, total in enumerate(minutes)
    ]
    with duckdb.connect(str(settings.warehouse)) as connection:
        connection.execute("create schema if not exists oa")
        columns = "tdate varchar, total bigint, y integer, m integer, d integer"
        connection.execute(f"create table oa.flow_ingest_summary ({columns})")
        connection.executemany("insert into oa.flow_ingest_summary values (?, ?, ?, ?, ?)", rows)


def test_a_day_far_below_its_weekday_is_named(shared: Settings) -> None:
    """Each day of one week is a case of its own: only its own weekday counts."""
    usual, quiet = [400, 600], [6]
    week: dict[int, tuple[list[int], Mapping[int, list[int]]]] = {
        # day of the week: its minutes, and those of so many weeks before
        0: ([101], dict.fromkeys(range(1, 9), usual)),  # 89.9 % less
        1: ([40, 60], dict.fromkeys(range(1, 9), usual)),  # 90 % less, exactly
        2: ([], dict.fromkeys(range(1, 9), usual)),  # no rows at all
        3: ([1], dict.fromkeys((1, 8, 9, 10), usual)),  # two days known, the others are too old
        4: ([51], {1: [400], 2: [600], 3: [1], 8: [9000]}),  # the two in the middle are 400 and 600
        5: ([5], dict.fromkeys(range(1, 9), quiet)),  # quiet as every Saturday
        6: ([50], {1: [10], 5: [500], 8: [9000]}),  # three days known
    }
    totals = {
        MONDAY + dt.timedelta(days=day, weeks=-weeks): minutes
        for day, (of_day, before) in week.items()
        for weeks, minutes in {0: of_day, **before}.items()
    }
    summary_of(shared, totals)
    sunday = MONDAY + dt.timedelta(days=6)
    dates = f"{{date_from: {MONDAY}, date_to: {sunday}}}"
    shown = invoke(shared, ["show", "--select", "flow_volume", "--limit", "9", "--vars", dates])
    (result,) = shown.result.results
    assert sorted(result.agate_table.columns["message"].values()) == [
        "2016-02-09 has 100 events, where 1000 are usual for a Tuesday (median of 8)",
        "2016-02-10 has 0 events, where 1000 are usual for a Wednesday (median of 8)",
        "2016-02-14 has 50 events, where 500 are usual for a Sunday (median of 3)",
    ]


def test_doctor_names_the_newest_days(settings: Settings) -> None:
    for year, month, day in [(2015, "12", "31"), (2016, "07", "8"), (2016, "7", "09")]:
        hour = settings.home / f"raw/flow/y={year}/m={month}/d={day}/h=0"
        hour.mkdir(parents=True)
        pq.write_table(pa.table({"SIP": ["a"], "dip": ["b"]}), hour / "part.parquet")
    (settings.home / "raw/flow/y=2016/m=13/d=1/h=0").mkdir(parents=True)
    (settings.home / "raw/flow/y=2017/m=1/d=1/h=0").mkdir(parents=True)  # holds no file
    for day in ("20160707", "20160708"):
        (settings.home / "ml/flow/scored_results" / day / "scores").mkdir(parents=True)
    results: Path = settings.home / "ml/flow/scored_results/20160707/scores/flow_results.csv"
    results.touch()
    (settings.data_dir / "flow/20160706").mkdir(parents=True)
    (settings.data_dir / "flow/20160706/manifest.json").touch()
    (settings.data_dir / "flow/.20160708.new").mkdir()
    found = "\n".join(line for _, line in examine(settings))
    age = (dt.datetime.now(dt.UTC).date() - dt.date(2016, 7, 9)).days
    telemetry = f"telemetry of flow below {settings.raw_uri}: newest 2016-07-09, {age} days ago"
    assert f"{telemetry}, columns 2 of 28, missing treceived, " in found
    assert f"ML results of flow below {settings.ml_uri}: newest 2016-07-07, {age + 2} days" in found
    assert f"published days of flow below {settings.data_dir}: newest 2016-07-06, " in found
    assert f"published days of dns below {settings.data_dir}: none yet" in found
