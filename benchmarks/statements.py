"""The SQL of a pipeline as dbt compiles it, run as bare statements; and the scans under it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.bench import DATE, ran
from flows.run import steps
from flows.run.dbt_runner import build_command, dbt_arguments, environment
from flows.run.steps import Run
from spot_oa.dates import Slice
from spot_oa.pipelines import get_pipeline
from spot_oa.settings import Settings
from spot_oa.warehouse import open_warehouse

# The columns that an output is made of, those that decide about its order included.
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


@dataclass(frozen=True, slots=True)
class Model:
    """A model of the project, compiled for the day."""

    name: str
    relation: str
    materialized: str
    select: str

    def statements(self) -> Iterator[str]:
        """What dbt sends to make it, without what dbt asks before and after."""
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


def ready(settings: Settings, pipeline: str, limit: int) -> list[Model]:
    """Land and enrich the first `limit` results of the day; the models that come next."""
    home = settings.home
    if home not in _COMPILED:
        # Makes the tables and loads the code lists, which are no part of a day's work.
        ran(settings, pipeline, limit)
        _COMPILED[home] = compiled(settings, pipeline)
    run = Run(
        settings,
        get_pipeline(pipeline),
        Slice(pipeline, DATE),
        limit,
        open_warehouse(settings),
    )
    enrichers = steps.prepare(run).enrichers
    steps.land(run, lambda _: None)
    for step, enricher in enrichers.items():
        steps.enrich(run, step, enricher)
    return _COMPILED[home]


_COMPILED: dict[Path, list[Model]] = {}


def compiled(settings: Settings, pipeline: str) -> list[Model]:
    """The models that a run of the pipeline builds, each after those that it reads."""
    from dbt.cli.main import dbtRunner  # noqa: PLC0415 - costs seconds

    command = build_command(pipeline, [DATE])
    command = ["compile", *command[1 : command.index("--exclude-resource-type")]]
    with environment(settings):
        done: Any = dbtRunner().invoke(dbt_arguments(settings, command))
    assert done.success, done.exception or [r.message for r in done.result.results]
    nodes = [r.node for r in done.result.results if r.node.resource_type == "model"]
    models = {
        node.unique_id: Model(
            node.name,
            node.relation_name,
            str(node.config.materialized),
            node.compiled_code,
        )
        for node in nodes
    }
    ordered: dict[str, Model] = {}
    needs = {node.unique_id: set(node.depends_on.nodes) & models.keys() for node in nodes}
    while needs.keys() - ordered.keys():
        ordered |= {
            name: models[name]
            for name, before in needs.items()
            if name not in ordered and before <= ordered.keys()
        }
    return list(ordered.values())


def warehouse(settings: Settings) -> duckdb.DuckDBPyConnection:
    """A connection with the settings of a run's."""
    return duckdb.connect(
        str(settings.warehouse), config={"temp_directory": str(settings.spill_dir)}
    )


def run_all(connection: duckdb.DuckDBPyConnection, models: Sequence[Model]) -> None:
    """Run the statements of all models, one after the other."""
    for model in models:
        for statement in model.statements():
            connection.execute(statement)


def scan(connection: duckdb.DuckDBPyConnection, settings: Settings, pipeline: str) -> None:
    """Count the columns that each output needs, one plain scan of the day's files per output."""
    # Or columns without NULL would be counted from the files' statistics, and not be read.
    connection.execute("set disabled_optimizers = 'statistics_propagation'")
    for columns in NEEDED[pipeline].values():
        counts = ", ".join(f"count({column})" for column in columns.split())
        connection.execute(
            f"select {counts} from read_parquet('{settings.raw_uri}/{pipeline}/*/*/*/*/*.parquet',"
            " hive_partitioning = true)"
        ).fetchall()
    connection.execute("reset disabled_optimizers")


def rows_of(connection: duckdb.DuckDBPyConnection, models: Sequence[Model]) -> int:
    """How many rows the marts have."""
    tables = [model.relation for model in models if model.materialized == "incremental"]
    counts = " + ".join(f"(select count(*) from {table})" for table in tables)
    return int(connection.execute(f"select {counts}").fetchall()[0][0])


def copy(connection: duckdb.DuckDBPyConnection, models: Sequence[Model]) -> None:
    """Write what the marts hold into tables once more, which says what writing alone takes."""
    for model in models:
        if model.materialized == "incremental":
            connection.execute(f"create or replace table copied as from {model.relation}")
