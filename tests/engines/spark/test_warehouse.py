"""The warehouse on Spark: rows, slices, telemetry, errors."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from impala.error import Error

from python_enrichers.geo.tables import IP_GEO
from spot_oa.dates import Slice
from spot_oa.demo import DEMO_DATES, generate
from spot_oa.errors import ConfigError, WarehouseError
from spot_oa.ingest import Ingest
from spot_oa.ingest.delivery import deliver
from spot_oa.pipelines import load_pipelines
from spot_oa.settings import Settings, load_settings
from spot_oa.warehouse import open_warehouse
from spot_oa.warehouse.tables import REJECTS, RUN_AUDIT, Table, results_table
from tests.support.hostile import IN_SQL
from tests.support.ingested import SAMPLES
from tests.support.spark import HOST, Cluster

FLOW = load_pipelines()["flow"]
RESULTS = results_table(FLOW)
BUILT = dt.datetime(2016, 7, 8, 1, 2, 3, 456789)  # noqa: DTZ001 - UTC, as stored


def of(day: int, pipeline: str = "flow") -> Slice:
    """A slice; tests take days of their own, and share the tables."""
    return Slice(pipeline, dt.date(2016, 7, day))


@pytest.fixture(scope="module")
def settings(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = load_settings(
        home=tmp_path_factory.mktemp("home"),
        target="spark",
        spark_host=HOST,
        spark_port=cluster.port,
        schema_prefix="tables_",
    )
    warehouse = open_warehouse(settings)
    assert not warehouse.exists()
    warehouse.prepare([REJECTS, IP_GEO, RUN_AUDIT, RESULTS])
    assert warehouse.exists()
    return settings


@pytest.fixture(params=["views", "files"])
def carried(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> Settings:
    """Settings for each way that rows get into staging tables."""
    files = {
        "spark_staging_uri": (tmp_path / "staging").as_uri(),
        "spark_staging_location": (tmp_path / "staging").as_uri(),
    }
    return settings.model_copy(update=files if request.param == "files" else {})


def rejects(lines: list[str | None]) -> pa.Table:
    numbers = pa.array(range(len(lines)), pa.int64())
    return pa.table({"line_no": numbers, "reason": ["x"] * len(lines), "line": pa.array(lines)})


def replace(settings: Settings, part: Slice, table: Table, rows: pa.Table) -> None:
    with open_warehouse(settings).replacing(part, table) as writer:
        writer.append(table, rows)


def lines(cluster: Cluster, *parts: Slice) -> list[str | None]:
    """The lines of rejects in these slices, in their order."""
    of_parts = " or ".join(
        f"(pipeline = '{part.pipeline}' and d = {part.date.day})" for part in parts
    )
    query = f"select line from tables_raw.results_rejects where {of_parts} order by d, line_no"
    return [line for (line,) in cluster.rows(query)]


def test_text_from_traffic_stays_text(carried: Settings, cluster: Cluster) -> None:
    replace(carried, of(1), REJECTS, rejects([*IN_SQL, None]))
    assert lines(cluster, of(1)) == [*IN_SQL, None]


def test_every_type_comes_back_as_it_was(carried: Settings, cluster: Cluster) -> None:
    rows = pa.table(
        {
            "ip": ["a", "b"],
            "latitude": pa.array([0.1 + 0.2, None]),
            "longitude": pa.array([-1.7976931348623157e308, 5e-324]),
            "asn": pa.array([2**63 - 1, None], pa.int64()),
            "source_built_at": pa.array([BUILT, None], pa.timestamp("us")),
        }
    )
    replace(carried, of(2), IP_GEO, rows)
    assert cluster.rows(
        "select ip, latitude, longitude, asn, source_built_at, geoloc, pipeline, y, m, d "
        "from tables_lookups.ip_geo where d = 2 order by ip"
    ) == [
        ("a", 0.1 + 0.2, -1.7976931348623157e308, 2**63 - 1, BUILT, None, "flow", 2016, 7, 2),
        ("b", None, 5e-324, None, None, None, "flow", 2016, 7, 2),
    ]


def test_a_slice_is_replaced_and_no_other(carried: Settings, cluster: Cluster) -> None:
    slices = (of(3), of(4), of(3, "dns"))
    replace(carried, of(3), REJECTS, rejects(["old"]))
    replace(carried, of(4), REJECTS, rejects(["next day"]))
    replace(carried, of(3, "dns"), REJECTS, rejects(["dns"]))
    replace(carried, of(3), REJECTS, rejects(["new", "newer"]))
    assert sorted(lines(cluster, *slices)) == ["dns", "new", "newer", "next day"]
    replace(carried, of(3), REJECTS, rejects([]))
    assert sorted(lines(cluster, *slices)) == ["dns", "next day"]


def test_a_failure_leaves_the_slice_and_nothing_beside_it(
    carried: Settings, cluster: Cluster, tmp_path: Path
) -> None:
    replace(carried, of(5), REJECTS, rejects(["old"]))

    def fail() -> None:
        with open_warehouse(carried).replacing(of(5), REJECTS) as writer:
            writer.append(REJECTS, rejects(["new"]))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert lines(cluster, of(5)) == ["old"]
    there = {name for _, name, _ in cluster.rows("show tables in tables_raw")}
    assert there == {"results_rejects", "flow_results"}
    if carried.spark_staging_uri:
        assert list((tmp_path / "staging").iterdir()) == []


def test_many_rows_keep_their_order(settings: Settings, cluster: Cluster) -> None:
    many = [str(number) for number in range(1001)]
    replace(settings, of(6), REJECTS, rejects(many))
    assert lines(cluster, of(6)) == many


def test_fill_sets_columns_of_all_rows(carried: Settings, cluster: Cluster) -> None:
    with open_warehouse(carried).replacing(of(7), RESULTS) as writer:
        writer.append(RESULTS, pa.table({"sip": ["a", "b"], "rank": pa.array([0, 1], pa.int32())}))
        writer.fill(RESULTS, source_uri="it's", landed_at=BUILT)
    query = "select sip, source_uri, landed_at from tables_raw.flow_results where d = 7 order by 1"
    assert cluster.rows(query) == [("a", "it's", BUILT), ("b", "it's", BUILT)]


def test_distinct_goes_by_rank(settings: Settings) -> None:
    rank = pa.array([0, 1, 2, 3], pa.int32())
    replace(settings, of(8), RESULTS, pa.table({"sip": ["z", "a", "z", None], "rank": rank}))
    assert open_warehouse(settings).distinct(RESULTS, "sip", of(8)) == ["z", "a"]


def test_rows_are_added_for_good(settings: Settings) -> None:
    warehouse = open_warehouse(settings)
    for run, finished in (("a", BUILT), ("b", BUILT + dt.timedelta(seconds=1))):
        values = {
            "run_id": run,
            "status": "done",
            "finished_at": finished,
            "pipeline": "flow",
            "y": 2016,
            "m": 7,
            "d": 8,
        }
        rows = pa.table({name: [value] for name, value in values.items()})
        warehouse.add(RUN_AUDIT, rows)
    newest, older = warehouse.latest(RUN_AUDIT, "finished_at", 5, pipeline="flow")
    assert (newest["run_id"], newest["finished_at"]) == ("b", BUILT + dt.timedelta(seconds=1))
    assert older["run_id"] == "a"
    assert warehouse.latest(RUN_AUDIT, "finished_at", 5, pipeline="dns") == []


def test_a_table_with_other_columns_is_refused(settings: Settings, cluster: Cluster) -> None:
    cluster.run(
        "create database other_raw",
        "create table other_raw.results_rejects (line string) stored as parquet",
    )
    other = settings.model_copy(update={"schema_prefix": "other_"})
    with pytest.raises(WarehouseError, match=r"other_raw\.results_rejects has other columns"):
        open_warehouse(other).prepare([REJECTS])


def test_an_error_is_one_line_of_sparks_own_words(settings: Settings) -> None:
    with pytest.raises(WarehouseError) as raised:
        open_warehouse(settings).distinct(IP_GEO, "nix", of(1))
    assert not raised.value.transient
    assert str(raised.value).startswith(
        f"Spark at {HOST}:{settings.spark_port}: [UNRESOLVED_COLUMN"
    )
    assert "`nix` cannot be resolved" in str(raised.value)
    assert "org.apache" not in str(raised.value)
    gone = settings.model_copy(update={"spark_port": 1})
    with pytest.raises(WarehouseError, match=r"cannot be reached .* SPOT_OA_SPARK_HOST") as lost:
        open_warehouse(gone).exists()
    assert lost.value.transient


# --------------------------------------------------------------------------- telemetry


@pytest.fixture
def with_telemetry(settings: Settings, tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    """Settings with a day of flows below a folder of their own, and databases of their own."""
    generate(tmp_path, pipelines=("flow",), rows_per_day=200, suspicious=10)
    prefix = f"{request.node.name.removeprefix('test_')[:40]}_"
    return settings.model_copy(
        update={"home": tmp_path, "raw_uri": str(tmp_path / "raw"), "schema_prefix": prefix}
    )


def count(cluster: Cluster, settings: Settings, where: str = "true") -> int:
    ((found,),) = cluster.rows(
        f"select count(*) from {settings.telemetry_table('flow')} where {where}"
    )
    return int(found)


def test_folders_are_shown_in_place(with_telemetry: Settings, cluster: Cluster) -> None:
    """Whichever way months are written, and what others add later."""
    settings, warehouse = with_telemetry, open_warehouse(with_telemetry)
    first, second = DEMO_DATES
    shown = warehouse.expose_telemetry(FLOW, [first, dt.date(2016, 7, 10)])
    assert shown.without == [dt.date(2016, 7, 10)]
    assert shown.warnings == []
    rows = count(cluster, settings)
    assert rows >= 200
    assert warehouse.newest_telemetry(FLOW) == second
    assert warehouse.telemetry_columns(FLOW, second) == list(FLOW.telemetry.columns)

    before = warehouse.telemetry_state(FLOW, first)
    assert warehouse.telemetry_state(FLOW, first) == before
    (hour, *_) = sorted(Path(settings.raw_uri, "flow", "y=2016").glob("m=*7/d=*8/h=*"))
    padded = Path(settings.raw_uri, "flow", "y=2016", "m=007", "d=08", hour.name)
    shutil.copytree(hour, padded)
    (padded / "deeper").mkdir()
    assert warehouse.telemetry_state(FLOW, first) != before
    more = sum(pq.read_metadata(file).num_rows for file in hour.glob("*.parquet"))
    shown = warehouse.expose_telemetry(FLOW, [first])
    assert count(cluster, settings) == rows + more
    assert len(shown.warnings) == 1
    assert "deeper" in shown.warnings[0]

    moved = Path(settings.raw_uri).rename(Path(settings.raw_uri).with_name("moved"))
    elsewhere = settings.model_copy(update={"raw_uri": str(moved)})
    with pytest.raises(ConfigError, match=r"_raw\.flow is over .*/raw/flow, not .*/moved/flow"):
        open_warehouse(elsewhere).expose_telemetry(FLOW, [first])


def test_a_lacking_column_is_an_error(with_telemetry: Settings) -> None:
    for file in Path(with_telemetry.raw_uri).rglob("*.parquet"):
        pq.write_table(pq.ParquetFile(file).read().drop_columns(["sip"]), file)
    with pytest.raises(ConfigError, match="lacks the columns sip: "):
        open_warehouse(with_telemetry).expose_telemetry(FLOW, [DEMO_DATES[0]])
    nowhere = with_telemetry.model_copy(update={"raw_uri": "/nosuch", "schema_prefix": "none_"})
    with pytest.raises(ConfigError, match="telemetry folder /nosuch/flow does not exist"):
        open_warehouse(nowhere).expose_telemetry(FLOW, [DEMO_DATES[0]])


def test_a_column_of_another_type_is_never_read_as_nothing(
    with_telemetry: Settings, cluster: Cluster
) -> None:
    for file in Path(with_telemetry.raw_uri).rglob("*.parquet"):
        table = pq.ParquetFile(file).read()
        place = table.schema.get_field_index("dport")
        text = table["dport"].cast(pa.string())
        pq.write_table(table.set_column(place, "dport", text), file)
    open_warehouse(with_telemetry).expose_telemetry(FLOW, [DEMO_DATES[0]])
    with pytest.raises(Error, match="FAILED_READ_FILE"):
        cluster.rows(f"select sum(dport) from {with_telemetry.telemetry_table('flow')}")


def test_an_existing_table_is_read_where_it_is(with_telemetry: Settings, cluster: Cluster) -> None:
    """One of a metastore, with Spot's own partition keys; its files are its state."""
    columns = ", ".join(f"`{name}` {kind}" for name, kind in FLOW.telemetry.columns.items())
    cluster.run(
        "create database spot",
        f"create external table spot.netflow ({columns}) partitioned by "
        "(y smallint, m tinyint, d tinyint, h tinyint) stored as parquet "
        f"location 'file://{with_telemetry.raw_uri}/flow'",
        "msck repair table spot.netflow",
    )
    settings = with_telemetry.model_copy(
        update={
            "telemetry_schema": "spot",
            "telemetry_tables": {"flow": "netflow"},
            "raw_uri": "/nosuch",
        }
    )
    warehouse = open_warehouse(settings)
    first, second = DEMO_DATES
    absent = dt.date(2016, 7, 10)
    assert warehouse.expose_telemetry(FLOW, [first, absent]).without == [absent]
    assert warehouse.newest_telemetry(FLOW) == second
    before = warehouse.telemetry_state(FLOW, first)
    assert before
    assert warehouse.telemetry_state(FLOW, first) == before
    (file, *_) = sorted(Path(with_telemetry.raw_uri, "flow").glob("y=*/m=*7/d=*8/h=*/*.parquet"))
    table = pq.ParquetFile(file).read()
    pq.write_table(table, file, compression="none")
    assert warehouse.telemetry_state(FLOW, first) != before
    with pytest.raises(ConfigError, match=r"there is no telemetry table spot\.flow"):
        open_warehouse(settings.model_copy(update={"telemetry_tables": {}})).newest_telemetry(FLOW)


def test_what_an_ingest_delivers_is_there(
    settings: Settings, cluster: Cluster, tmp_path: Path
) -> None:
    place = tmp_path / "shared"
    settings = settings.model_copy(
        update={
            "home": tmp_path,
            "raw_uri": str(tmp_path / "raw"),
            "ingest_uri": place.as_uri(),
            "schema_prefix": "delivered_",
        }
    )
    source, name, data, _ = SAMPLES["conn"]
    (tmp_path / name).write_bytes(data)
    (taken,) = Ingest(settings, source).take_all([str(tmp_path / name)])
    assert deliver(settings) is not None
    assert count(cluster, settings) == taken.rows["flow"] > 0
    warehouse = open_warehouse(settings)
    assert not warehouse.expose_telemetry(FLOW, [dt.date(2024, 4, 20)]).without
