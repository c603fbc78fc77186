"""The pipelines' SQL compared with plain scans of the columns that it needs, by rows and by N."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.bench import DATE, LIMIT, LINES, Bench, Timed, seconds, size, spot_oa_run
from flows.run.dbt_runner import build_command, dbt_arguments, environment
from spot_oa.settings import Settings, load_settings

OTHERS_UP_TO = 10_000_000
"""Maximum rows per day for which proxy and dns are measured too."""

# The columns that an output needs, including those for its order.
_FLOW_PAIR = "sip dip ibyt ipkt"
_DNS = (
    "frame_time unix_tstamp frame_len ip_dst ip_src dns_qry_name dns_qry_class dns_qry_type"
    " dns_qry_rcode dns_a"
)
NEEDED: Mapping[str, Mapping[str, str]] = {
    "flow": {
        "flow_edge": "treceived sip dip sport dport proto flag stos ibyt ipkt input output rip"
        " obyt opkt trminute h",
        "flow_chords": _FLOW_PAIR,
        "flow_ingest_summary": "unix_tstamp sip sport dip dport ibyt ipkt tryear trmonth trday"
        " trhour trminute trsec treceived",
    },
    "proxy": {
        "proxy_edge": "p_date p_time clientip host reqmethod useragent resconttype duration"
        " username authgroup exceptionid filterresult webcat referer respcode action urischeme"
        " uriport uripath uriquery uriextension serverip scbytes csbytes virusid bcappname"
        " bcappoper fulluri h",
        "proxy_ingest_summary": "p_date p_time clientip host fulluri",
    },
    "dns": {
        "dns_edge": _DNS,
        "dns_dendro": _DNS,
        "dns_ingest_summary": "unix_tstamp frame_time frame_len dns_qry_name ip_src"
        " dns_qry_class dns_qry_type dns_qry_rcode",
    },
}


def measure(bench: Bench) -> Iterator[dict[str, str]]:
    for pipeline in NEEDED:
        marts: dict[tuple[int, int], float] = {}
        fewer = 0
        for rows in bench.sizes:
            if pipeline != "flow" and rows > OTHERS_UP_TO:
                continue
            lower = 0
            for limit in (500, LIMIT, LINES):
                found, made = bare(bench, pipeline, rows, limit)
                marts[rows, limit] = found.seconds("marts")
                yield {
                    "pipeline": pipeline,
                    "raw rows": size(rows),
                    "N": size(limit),
                    "scans": seconds(found.seconds("scans")),
                    "marts": seconds(found.seconds("marts")),
                    "ratio": found.ratio("marts", "scans"),
                    "in CPU time": found.ratio("marts", "scans", cpu=True),
                    "rows made": f"{made:,}",
                    "copying them": seconds(found.seconds("copies")),
                    "ratio to both": found.ratio("marts", "scans", "copies"),
                    "exponent by rows": _slope(marts, (fewer, limit), (rows, limit)),
                    "by N": _slope(marts, (rows, lower), (rows, limit)),
                }
                lower = limit
            fewer = rows


def _slope(
    took: dict[tuple[int, int], float], before: tuple[int, int], now: tuple[int, int]
) -> str:
    """Return the exponent of growth from one case to the next; 1 means proportional growth."""
    if before not in took:
        return ""
    growth = math.prod(now) / math.prod(before)
    return f"{math.log(took[now] / took[before]) / math.log(growth):.2f}"


def bare(bench: Bench, pipeline: str, rows: int, limit: int) -> tuple[Timed, int]:
    """Time the marts' statements and the unavoidable work on a day of N landed results.

    Returns:
        Times of `scans`, `marts` and `copies` (of the resulting rows), and the number of the rows.
    """
    settings = bench.home(pipeline, rows)
    spot_oa_run(settings, pipeline, limit)
    models = _compiled(settings.home, pipeline)
    marts = [model.relation for model in models if model.materialized == "incremental"]
    config = {"temp_directory": str(settings.spill_dir)}
    with duckdb.connect(str(settings.warehouse), config=config) as connection:
        found = bench.in_turns(
            {
                "scans": partial(_scan, connection, settings, pipeline),
                "marts": partial(_run_all, connection, models),
                "copies": partial(_copy, connection, marts),
            }
        )
        counts = " + ".join(f"(select count(*) from {mart})" for mart in marts)
        made = connection.execute(f"select {counts}").fetchall()[0][0]
        connection.execute("drop table copied")
        return found, int(made)


@dataclass(frozen=True, slots=True)
class Model:
    """A dbt model, compiled for the day."""

    relation: str
    materialized: str
    select: str

    def statements(self) -> Iterator[str]:
        """Yield dbt's statements that build the model, without its metadata queries."""
        match self.materialized:
            case "view":
                yield f"create or replace view {self.relation} as {self.select}"
            case "table":
                yield f"create or replace table {self.relation} as {self.select}"
            case "incremental":
                yield f"create or replace temporary view bare_rows as {self.select}"
                yield "begin"
                yield (
                    f"delete from {self.relation} where y = {DATE.year} and m = {DATE.month} "
                    f"and d = {DATE.day}"
                )
                yield f"insert into {self.relation} by name select * from bare_rows"
                yield "commit"


@cache
def _compiled(home: Path, pipeline: str) -> list[Model]:
    """Return the models that a run of the pipeline builds, each after those that it reads."""
    from dbt.cli.main import dbtRunner  # noqa: PLC0415 - takes seconds

    settings = load_settings(home=home)
    command = build_command(pipeline, [DATE])
    command = ["compile", *command[1 : command.index("--exclude-resource-type")]]
    with environment(settings):
        done: Any = dbtRunner().invoke(dbt_arguments(settings, command))
    assert done.success, done.exception or [r.message for r in done.result.results]
    # dbt compiles a node after those that it reads.
    nodes = [r.node for r in done.result.results if r.node.resource_type == "model"]
    return [
        Model(node.relation_name, str(node.config.materialized), node.compiled_code)
        for node in nodes
    ]


def _run_all(connection: duckdb.DuckDBPyConnection, models: Sequence[Model]) -> None:
    for model in models:
        for statement in model.statements():
            connection.execute(statement)


def _scan(connection: duckdb.DuckDBPyConnection, settings: Settings, pipeline: str) -> None:
    """Count the columns that each output needs, one plain scan of the day's files per output."""
    # Otherwise columns without NULL would be counted from the files' statistics, without reading.
    connection.execute("set disabled_optimizers = 'statistics_propagation'")
    for columns in NEEDED[pipeline].values():
        counts = ", ".join(f"count({column})" for column in columns.split())
        connection.execute(
            f"select {counts} from read_parquet('{settings.raw_uri}/{pipeline}/*/*/*/*/*.parquet',"
            " hive_partitioning = true)"
        ).fetchall()
    connection.execute("reset disabled_optimizers")


def _copy(connection: duckdb.DuckDBPyConnection, tables: Sequence[str]) -> None:
    """Copy the tables, to measure the time of writing alone."""
    for table in tables:
        connection.execute(f"create or replace table copied as from {table}")
