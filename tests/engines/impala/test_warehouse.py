"""The warehouse on Impala, through the real impyla."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pytest

from flows.run.tables import python_tables
from python_enrichers.geo.tables import IP_GEO
from spot_oa.dates import Slice
from spot_oa.errors import ConfigError, WarehouseError
from spot_oa.pipelines import load_pipelines
from spot_oa.settings import Settings, load_settings
from spot_oa.warehouse import open_warehouse
from spot_oa.warehouse.hiveserver2.impala import Impala
from spot_oa.warehouse.hiveserver2.staging import BATCH_ROWS, Files, literal
from spot_oa.warehouse.hiveserver2.warehouse import record_batch
from spot_oa.warehouse.tables import (
    REJECTS,
    Table,
    results_table,
)
from tests.support.hostile import IN_SQL as HOSTILE
from tests.support.impala import StandIn

PIPELINES = load_pipelines()
FLOW = PIPELINES["flow"]
DAY = dt.date(2016, 7, 8)
PART = Slice("flow", DAY)
NEXT = Slice("flow", dt.date(2016, 7, 9))


@pytest.fixture(params=["statements", "files"])
def carried(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> Settings:
    """Settings for each way that rows get into staging tables."""
    files = {"impala_staging_uri": (tmp_path / "staging").as_uri()}
    return settings.model_copy(update=files if request.param == "files" else {})


@pytest.fixture(autouse=True)
def _prepared(settings: Settings) -> None:
    open_warehouse(settings).prepare(python_tables(PIPELINES))


def rejects(lines: list[str | None]) -> pa.Table:
    numbers = pa.array(range(len(lines)), pa.int64())
    return pa.table({"line_no": numbers, "reason": ["x"] * len(lines), "line": pa.array(lines)})


def replace(settings: Settings, part: Slice, table: Table, rows: pa.Table) -> None:
    with open_warehouse(settings).replacing(part, table) as writer:
        writer.append(table, rows)


def read(stand_in: StandIn, query: str) -> list[tuple[object, ...]]:
    return [tuple(row) for row in stand_in.engine.execute(query).rows]


LINES = "select line from raw.results_rejects order by d, line_no"


def test_text_from_traffic_stays_text(carried: Settings, stand_in: StandIn) -> None:
    replace(carried, PART, REJECTS, rejects([*HOSTILE, None]))
    assert [line for (line,) in read(stand_in, LINES)] == [*HOSTILE, None]


def test_no_text_ends_its_statement(settings: Settings, stand_in: StandIn) -> None:
    stand_in.statements.clear()
    replace(settings, PART, REJECTS, rejects(HOSTILE))
    assert [statement.split()[0] for statement in stand_in.statements] == [
        *("drop", "create", "insert", "insert", "drop")
    ]


def test_a_literal_stands_by_itself() -> None:
    assert literal(None) == "NULL"
    assert literal("a'b\\c\0" + "1") == r"'a\'b\\c\u00001'"
    assert literal(1.2e-7) == "'1.2e-07'"
    assert literal(dt.datetime(2016, 7, 8, 1, 2, 3, 4)) == "'2016-07-08 01:02:03.000004'"  # noqa: DTZ001


def test_every_type_comes_back_as_it_was(carried: Settings, stand_in: StandIn) -> None:
    table = IP_GEO
    built = dt.datetime(2016, 7, 8, 1, 2, 3, 456789)  # noqa: DTZ001 - UTC, as stored
    rows = pa.table(
        {
            "ip": ["a", "b"],
            "latitude": pa.array([0.1 + 0.2, None]),
            "longitude": pa.array([-1.7976931348623157e308, 5e-324]),
            "asn": pa.array([2**63 - 1, None], pa.int64()),
            "source_built_at": pa.array([built, None], pa.timestamp("us")),
        }
    )
    replace(carried, PART, table, rows)
    found = read(
        stand_in,
        "select ip, latitude, longitude, asn, source_built_at, geoloc, pipeline, y, m, d "
        "from lookups.ip_geo order by ip",
    )
    assert found == [
        ("a", 0.1 + 0.2, -1.7976931348623157e308, 2**63 - 1, built, None, "flow", 2016, 7, 8),
        ("b", None, 5e-324, None, None, None, "flow", 2016, 7, 8),
    ]


def test_a_slice_is_replaced_and_no_other(carried: Settings, stand_in: StandIn) -> None:
    replace(carried, PART, REJECTS, rejects(["old"]))
    replace(carried, NEXT, REJECTS, rejects(["next day"]))
    replace(carried, Slice("dns", DAY), REJECTS, rejects(["dns"]))
    replace(carried, PART, REJECTS, rejects(["new", "newer"]))
    assert sorted(read(stand_in, LINES)) == [("dns",), ("new",), ("newer",), ("next day",)]
    replace(carried, PART, REJECTS, rejects([]))
    assert sorted(read(stand_in, LINES)) == [("dns",), ("next day",)]


def test_rows_go_in_bounded_batches(settings: Settings, stand_in: StandIn) -> None:
    many = [str(number) for number in range(2 * BATCH_ROWS + 1)]
    stand_in.statements.clear()
    replace(settings, PART, REJECTS, rejects(many))
    inserts = [s for s in stand_in.statements if s.startswith("insert into")]
    assert len(inserts) == 3
    assert [line for (line,) in read(stand_in, LINES)] == many


def test_a_failure_leaves_the_slice_and_no_staging_table(
    carried: Settings, stand_in: StandIn
) -> None:
    replace(carried, PART, REJECTS, rejects(["old"]))

    def fail() -> None:
        with open_warehouse(carried).replacing(PART, REJECTS) as writer:
            writer.append(REJECTS, rejects(["new"]))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert read(stand_in, LINES) == [("old",)]
    staged = read(stand_in, "show tables in raw like 'results_rejects*'")
    assert staged == [("results_rejects",)]


def test_what_a_dead_run_left_is_replaced(carried: Settings, stand_in: StandIn) -> None:
    stage = "raw.results_rejects__flow_20160708"
    stand_in.engine.execute(f"create table {stage} (line string)")
    stand_in.engine.execute(f"insert into {stage} values ('left behind')")
    replace(carried, PART, REJECTS, rejects(["new"]))
    assert read(stand_in, LINES) == [("new",)]


def test_a_staging_folder_is_left_empty(settings: Settings, tmp_path: Path) -> None:
    for place in (tmp_path / "staging", tmp_path / "file"):
        files = settings.model_copy(update={"impala_staging_uri": str(place)})
        if place.name == "file":
            place.write_text("in the way")
            with pytest.raises(
                WarehouseError, match="SPOT_OA_IMPALA_STAGING_URI: the folder cannot be written"
            ):
                replace(files, PART, REJECTS, rejects(["x"]))
        else:
            replace(files, PART, REJECTS, rejects(["x"]))
            assert list(place.iterdir()) == []


@pytest.mark.parametrize(
    ("uri", "location"),
    [
        ("webhdfs://namenode:9870/staging", "/staging"),
        ("hdfs://nameservice/staging/", "/staging"),
        ("s3://bucket/staging", "s3a://bucket/staging"),
        ("abfs://container@account.dfs.core.windows.net/x",) * 2,
        ("/mnt/staging", "/mnt/staging"),
    ],
)
def test_a_folder_as_impala_names_it(uri: str, location: str) -> None:
    settings = load_settings(target="impala", impala_staging_uri=uri)
    other = settings.model_copy(update={"impala_staging_location": "hdfs://other/x"})
    for given, wanted in ((settings, location), (other, "hdfs://other/x")):
        assert Files(None, Impala(given)).location == wanted  # type: ignore[arg-type]


def test_text_that_is_not_utf8_stays_readable() -> None:
    schema = pa.schema([("host", pa.string()), ("total", pa.int64())])
    batch = record_batch([(b"caf\xe9.example", 1), ("ok", None)], schema)
    assert batch.to_pydict() == {"host": ["caf\\xe9.example", "ok"], "total": [1, None]}


def test_a_date_without_telemetry_is_told(settings: Settings, stand_in: StandIn) -> None:
    for pipeline, keys in (
        ("flow", "y=2016, m=7, d=8, h=3"),
        ("proxy", "y='2016', m='07', d='8', h='0'"),
    ):
        column = "sip" if pipeline == "flow" else "host"
        stand_in.engine.execute(
            f"insert into raw.{pipeline} ({column}) partition ({keys}) values ('x')"
        )
        warehouse = open_warehouse(settings)
        exposed = warehouse.expose_telemetry(PIPELINES[pipeline], [DAY, NEXT.date])
        assert list(exposed.without) == [NEXT.date]
    assert "refresh raw.flow" in stand_in.statements


def test_new_telemetry_is_seen(settings: Settings, stand_in: StandIn) -> None:
    warehouse = open_warehouse(settings)
    put = "insert into raw.flow (sip) partition (y=2016, m=7, d={day}, h=3) values ('x')"
    stand_in.engine.execute(put.format(day=8))
    before = warehouse.telemetry_state(FLOW, DAY)
    stand_in.engine.execute(put.format(day=9))
    assert warehouse.telemetry_state(FLOW, DAY) == before
    stand_in.engine.execute(put.format(day=8))
    assert warehouse.telemetry_state(FLOW, DAY) not in (before, None)


def test_telemetry_that_shows_no_files_counts_as_changed(
    settings: Settings, stand_in: StandIn
) -> None:
    stand_in.engine.execute("create view raw.seen as select * from raw.flow")
    renamed = settings.model_copy(update={"telemetry_tables": {"flow": "seen"}})
    assert open_warehouse(renamed).telemetry_state(FLOW, DAY) is None
    with pytest.raises(WarehouseError, match="set SPOT_OA_TELEMETRY_REFRESH=false"):
        open_warehouse(renamed).expose_telemetry(FLOW, [DAY])
    unrefreshed = renamed.model_copy(update={"telemetry_refresh": False})
    assert open_warehouse(unrefreshed).expose_telemetry(FLOW, [DAY]).without == [DAY]


def test_the_newest_day_of_telemetry(settings: Settings, stand_in: StandIn) -> None:
    warehouse = open_warehouse(settings)
    assert warehouse.newest_telemetry(PIPELINES["proxy"]) is None
    for keys in ("y='2016', m='7', d='09', h='3'", "y='2016', m='10', d='1', h='x'"):
        stand_in.engine.execute(f"insert into raw.proxy (host) partition ({keys}) values ('x')")
    assert warehouse.newest_telemetry(PIPELINES["proxy"]) == dt.date(2016, 10, 1)


@pytest.mark.parametrize(
    ("tables", "says"),
    [
        ({"flow": "nosuch"}, r"no telemetry table raw\.nosuch; correct SPOT_OA_TELEMETRY_SCHEMA"),
        (
            {"flow": "dns"},
            r"telemetry table raw\.dns lacks das, dip, dir.*: it has .*dns_qry_name, ",
        ),
    ],
)
def test_telemetry_of_another_shape_is_refused(
    settings: Settings, tables: dict[str, str], says: str
) -> None:
    other = settings.model_copy(update={"telemetry_tables": tables})
    with pytest.raises(ConfigError, match=says):
        open_warehouse(other).newest_telemetry(FLOW)


def test_a_warehouse_of_another_shape_is_refused(settings: Settings, stand_in: StandIn) -> None:
    stand_in.engine.execute("drop table raw.results_rejects")
    stand_in.engine.execute("create table raw.results_rejects (line string, surplus int)")
    with pytest.raises(WarehouseError, match=r"raw\.results_rejects has other columns .*surplus"):
        open_warehouse(settings).prepare(python_tables(PIPELINES))


def test_what_is_there_is_not_created_again(settings: Settings, stand_in: StandIn) -> None:
    """A user may be allowed to write tables and not to create databases."""
    stand_in.statements.clear()
    open_warehouse(settings).prepare(python_tables(PIPELINES))
    assert not [s for s in stand_in.statements if s.startswith("create")]
    assert open_warehouse(settings).exists()
    elsewhere = settings.model_copy(update={"schema_prefix": "other_"})
    assert not open_warehouse(elsewhere).exists()


def test_an_error_names_the_daemon_and_what_it_said(settings: Settings, stand_in: StandIn) -> None:
    stand_in.engine.execute("drop table raw.flow_results")
    with pytest.raises(WarehouseError) as raised:
        open_warehouse(settings).distinct(results_table(FLOW), "sip", PART)
    assert f"Impala at 127.0.0.1:{stand_in.port}: AnalysisException" in str(raised.value)
    assert "create that table" in str(raised.value)
    assert not raised.value.transient
