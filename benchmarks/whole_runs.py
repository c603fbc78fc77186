"""Complete runs: the time of each part, memory, a year of history, a deployment."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb

from benchmarks.bench import DATE, LIMIT, LINES, Bench, seconds, size, spot_oa_run, times
from benchmarks.marts import bare
from flows.orchestration.local_server import prefect_environment, register, server, worker
from spot_oa.demo import demo_settings, generate
from spot_oa.settings import Settings, load_settings
from tests.support.prefect_api import Api

DEMO = 20_000
DAYS = 365
PORT = 4290
ENRICH = ("geo", "network_context", "reputation")


def measure(bench: Bench) -> Iterator[dict[str, str]]:
    """Measure one column per size."""
    columns = {f"{size(rows)} rows": _parts(bench, rows) for rows in (DEMO, *bench.sizes)}
    for part in next(iter(columns.values())):
        yield {"part": part, **{name: column[part] for name, column in columns.items()}}


def _parts(bench: Bench, rows: int) -> dict[str, str]:
    settings = bench.home("flow", rows)
    took = bench.median(lambda: spot_oa_run(settings, "flow", LIMIT))
    enrich = max(took[step] for step in ENRICH)
    sql = bare(bench, "flow", rows, LIMIT)[0].seconds("marts")
    steps = {name: took[name] for name in ("prepare", "land")} | {"enrich, side by side": enrich}
    steps |= {"dbt build": took["dbt build"], "publish": took["publish"]}
    parts = {"start and end": took["whole"] - sum(steps.values()), **steps}
    parts |= {
        "of dbt build the SQL, run as bare statements": sql,
        "**whole command**": took["whole"],
    }
    parts |= {"whole without SQL, land, enrich": took["whole"] - took["land"] - enrich - sql}
    return {name: seconds(value) for name, value in parts.items()} | {
        "whole to SQL": times(took["whole"] / sql),
        "processor time of the command": seconds(took["cpu"]),
        "peak memory, MB": f"{took['memory']:.0f}",
    }


def measure_memory(bench: Bench) -> Iterator[dict[str, str]]:
    """Measure the largest day with the default memory limit and with a small one."""
    rows = max(bench.sizes)
    settings = bench.home("flow", rows)
    for limit in (LIMIT, LINES):
        for memory in ("80%", "1GB"):
            took = spot_oa_run(settings, "flow", limit, SPOT_OA_MEMORY_LIMIT=memory)
            yield {
                "raw rows": size(rows),
                "N": size(limit),
                "limit": memory,
                "seconds": seconds(took["whole"]),
                "CPU time": seconds(took["cpu"]),
                "peak memory, MB": f"{took['memory']:.0f}",
            }


def measure_history(bench: Bench) -> Iterator[dict[str, str]]:
    """Measure a run on a warehouse with only its date, and on one with a year before it."""
    alone = bench.home("flow", DEMO)
    year = _year(bench, alone)
    one = bench.median(lambda: spot_oa_run(alone, "flow", LIMIT))
    other = bench.median(lambda: spot_oa_run(year, "flow", LIMIT))
    for step in ("prepare", "land", *ENRICH, "dbt build", "publish", "whole", "cpu"):
        yield {
            "step": step,
            "one day": seconds(one[step]),
            f"{DAYS + 1} days": seconds(other[step]),
            "ratio": times(other[step] / one[step]),
        }


def _year(bench: Bench, alone: Settings) -> Settings:
    """Return a home with a year before the day: the day's telemetry and rows under each date."""
    home = bench.folder / "flow-year"
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(alone.home, home)
    settings = load_settings(home=home)
    spot_oa_run(settings, "flow", LIMIT)
    dates = [DATE - dt.timedelta(days=n) for n in range(1, DAYS + 1)]
    raw = Path(settings.raw_uri) / "flow"
    for date in dates:
        for file in raw.glob(f"y={DATE.year}/m={DATE.month}/d={DATE.day}/*/*.parquet"):
            folder = raw / f"y={date.year}/m={date.month}/d={date.day}" / file.parent.name
            folder.mkdir(parents=True)
            os.link(file, folder / file.name)
    with duckdb.connect(str(settings.warehouse)) as connection:
        tables = connection.execute(
            "select table_schema || '.' || table_name from information_schema.columns "
            "join information_schema.tables using (table_schema, table_name) "
            "where table_schema in ('oa', 'raw', 'lookups') and table_type = 'BASE TABLE' "
            "group by all having count_if(column_name in ('y', 'm', 'd')) = 3"
        ).fetchall()
        for (table,) in tables:
            connection.execute(
                f"insert into {table} by name select t.* replace (year(day) as y, month(day) as m, "
                f"day(day) as d) from {table} as t cross join (select unnest(?) as day)",
                [dates],
            )
    return settings


def measure_deployment(bench: Bench) -> Iterator[dict[str, str]]:
    """Measure flow-oa/daily on the demo's first day, with a separate server and worker."""
    with tempfile.TemporaryDirectory() as folder:
        settings = demo_settings(Path(folder))
        generate(settings.home, pipelines=("flow",), suspicious=200)
        environment = prefect_environment(settings, PORT)
        api = Api(environment["PREFECT_API_URL"])
        with server(environment, PORT):
            register(settings, environment)
            with (Path(folder) / "worker.log").open("w") as log, worker(environment, log):
                for part, took in bench.median(lambda: _flow_run(api)).items():
                    yield {"part": part, "seconds": seconds(took)}


def _flow_run(api: Api) -> dict[str, float]:
    created = time.time()
    run_id = api.start("flow-oa/daily", date=DATE.isoformat())
    found = api.final(run_id)
    assert found["state_type"] == "COMPLETED", found["state"]
    tasks = api.task_runs(run_id)
    steps = {task["name"]: task["total_run_time"] for task in tasks}
    over = _unix(found["state"]["timestamp"])
    return {
        "created to first step": min(_unix(t["start_time"]) for t in tasks) - created,
        "prepare": steps["prepare"],
        "land": steps["land"],
        "enrich (three side by side)": max(steps[name] for name in ENRICH),
        "dbt build (import, parse, run)": steps["dbt build"],
        "publish": steps["publish"],
        "artifacts": over - max(_unix(t["end_time"]) for t in tasks),
        "created to completed": over - created,
    }


def _unix(text: str) -> float:
    return dt.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
