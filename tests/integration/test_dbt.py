"""The dbt project by itself: unit tests, dates, ranges, --empty, contracts, plans."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from pathlib import Path

import duckdb
import pytest
import yaml

from flows.run.tables import python_tables
from spot_oa.demo import DEMO_DATES
from spot_oa.pipelines import load_pipelines
from spot_oa.settings import Settings, load_settings
from spot_oa.warehouse import open_warehouse
from tests.support.dbt import dbt, dbt_in_a_run
from tests.support.project import PROJECT

FIRST, SECOND = DEMO_DATES
PIPELINES = load_pipelines()
DATES = f"{{date_from: {FIRST}, date_to: {SECOND}}}"

SPOT_1_0: dict[str, dict[str, str]] = {
    "flow_scores": {"score": "ml_score", "destip_internal": "dstip_internal"},
    "flow_edge": {"md": "mn"},
    "dns_scores": {"score": "ml_score"},
}
"""Columns that Spot 1.0 called otherwise."""
TOLD = ("int_flow__story_traffic", "int_dns__story_answers", "int_proxy__story_requests")
"""What reads the telemetry for stories; however many there are, once."""
SINCE = {"flow_addresses"}
"""Marts that Spot 1.0 has not."""
WRITTEN = {
    f"{pipeline}_{name}"
    for pipeline, names in {
        "flow": ("threat_investigation", "storyboard", "timeline"),
        "dns": ("threat_investigation", "storyboard", "threat_dendro"),
        "proxy": ("threat_investigation", "storyboard", "timeline"),
    }.items()
    for name in names
}
"""What Spot 1.0 has of what its users write."""


@pytest.fixture
def settings(built: Settings) -> Settings:
    """A home in which every pipeline has run on both demo dates."""
    return built


def rows(settings: Settings, table: str) -> Counter[tuple[object, ...]]:
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        return Counter(connection.execute(f"from oa.{table}").fetchall())


def marts() -> list[str]:
    return [table for pipeline in PIPELINES.values() for table in pipeline.tables]


def published() -> list[str]:
    """The marts, and what analysts made of them."""
    triage = [p.triage for p in PIPELINES.values() if p.triage]
    return [*marts(), *(table for each in triage for table in each.all_tables)]


def test_unit_tests_pass(settings: Settings) -> None:
    code, output = dbt_in_a_run(settings, "test", "--select", "test_type:unit", "--vars", DATES)
    assert code == 0, output
    assert int(re.findall(r"PASS=(\d+)", output)[0]) >= 2 * len(published())


def test_every_mart_has_two_unit_tests() -> None:
    tested: Counter[str] = Counter()
    for file in (PROJECT / "models").rglob("*__unit_tests.yml"):
        for test in yaml.safe_load(file.read_text("utf-8"))["unit_tests"]:
            tested[test["model"]] += 1
    assert [mart for mart in published() if tested[mart] < 2] == []


def test_every_data_test_of_a_mart_can_fail(built: Settings, tmp_path: Path) -> None:
    """On marts with a row too often, one of NULLs, one of nonsense, and a result landed twice."""
    copy = built.model_copy(update={"warehouse": tmp_path / "warehouse.duckdb"})
    shutil.copy(built.warehouse, copy.warehouse)
    with duckdb.connect(str(copy.warehouse)) as connection:
        for mart in published():
            of_date = f"oa.{mart} where y = {FIRST.year} and m = {FIRST.month} and d = {FIRST.day}"
            connection.execute(
                f"insert into oa.{mart} select one.* "
                f"from (select * from {of_date} limit 1) as one, range(300)"
            )
            types = connection.execute(f"describe oa.{mart}").fetchall()
            slices = {"y": FIRST.year, "m": FIRST.month, "d": FIRST.day}
            for text, number in (("null", "null"), ("'x'", "-2")):
                values = [
                    str(slices.get(name, text if kind == "VARCHAR" else number))
                    for name, kind, *_ in types
                ]
                connection.execute(f"insert into oa.{mart} values ({', '.join(values)})")
        connection.execute("update oa.flow_scores set sport = 65536 where sport = -2")
        connection.execute("update oa.flow_addresses set latitude = 91 where longitude = -2")
        connection.execute("update lookups.reputation set severity = 4")
        for pipeline in PIPELINES.values():
            landed = f"raw.{pipeline.results_table}"
            connection.execute(f"insert into {landed} select * from {landed} where rank = 0")
    for pipeline in PIPELINES.values():
        open_warehouse(copy).expose_telemetry(pipeline, [FIRST])
    dated = ("--vars", f"{{date: {FIRST}}}", "--exclude", "test_type:unit")
    _, output = dbt_in_a_run(copy, "test", *dated)
    passed = re.findall(r"\d PASS (\w+)", output)
    # Volume reads the history, and tests of its own break it; the audit and the scorer's rows are
    # no marts.
    others = re.compile(r".*_volume|run_audit_.*|score_.*")
    assert [name for name in passed if not others.fullmatch(name)] == [], output


@pytest.mark.long
def test_a_range_gives_what_its_dates_give(settings: Settings) -> None:
    before = {table: rows(settings, table) for table in published()}
    for pipeline in PIPELINES.values():
        open_warehouse(settings).expose_telemetry(pipeline, DEMO_DATES)
    code, output = dbt_in_a_run(
        settings, "build", "--exclude-resource-type", "unit_test", "--vars", DATES
    )
    assert code == 0, output
    assert {table: rows(settings, table) for table in published()} == before


@pytest.mark.long
def test_an_empty_build_and_a_full_refresh_clear_nothing(settings: Settings) -> None:
    before = {table: rows(settings, table) for table in published()}
    dated = ("--vars", "{date: 20160708}")
    for options in ((), dated):
        code, output = dbt_in_a_run(settings, "run", "--empty", *options)
        assert code == 0, output
        assert {table: rows(settings, table) for table in published()} == before
    for pipeline in PIPELINES.values():
        open_warehouse(settings).expose_telemetry(pipeline, [FIRST])
    code, output = dbt_in_a_run(settings, "run", "--full-refresh", *dated)
    assert code == 0, output
    assert {table: rows(settings, table) for table in published()} == before


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ((), "no date given: pass --vars"),
        (("--vars", "{date: 2016-7}"), "is not a valid date; use"),
        (("--vars", "{date: '1) or (1=1'}"), "is not a valid date; use"),
        (("--vars", "{date_from: 2016-07-09, date_to: 2016-07-08}"), "swap them"),
    ],
)
def test_a_build_without_a_usable_date_is_an_error(
    settings: Settings, given: tuple[str, ...], says: str
) -> None:
    code, output = dbt_in_a_run(settings, "run", "--select", "flow_scores", *given)
    assert code != 0
    assert says in output


def test_only_filters_and_summaries_scan_telemetry_and_once(settings: Settings) -> None:
    """The plan of each model: at most one Parquet scan, none where rows are derived."""
    parts = ("intermediate", "marts", "triage", "investigation")
    select = ("--select", *(f"path:models/{part}" for part in parts))
    code, output = dbt_in_a_run(settings, "compile", *select, "--vars", f"{{date: {FIRST}}}")
    assert code == 0, output
    for pipeline in PIPELINES.values():
        open_warehouse(settings).expose_telemetry(pipeline, [FIRST])
    compiled = settings.target_dir / "target" / "compiled" / "spot_oa" / "models"
    scans = {}
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        for file in (
            f
            for part in parts
            for g in ("*", "*/story")
            for f in compiled.glob(f"{part}/{g}/*.sql")
        ):
            plan = connection.execute("explain " + file.read_text("utf-8")).fetchall()
            scans[file.stem] = str(plan).count("READ_PARQUET")
    assert scans.keys() >= set(published())
    filters = {name for name, found in scans.items() if found}
    assert all(found <= 1 for found in scans.values()), scans
    assert len(filters) >= len(marts()) / 2
    readers = ("_filtered", "_cutoffs", "_ingest_summary", *TOLD)
    assert all(name.endswith(readers) for name in filters), scans


@pytest.mark.long
def test_views_of_spot_1_0_are_made_only_if_asked_for(settings: Settings) -> None:
    code, output = dbt(settings, "build", "--select", "path:models/compat")
    assert code == 0, output
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        schemas = connection.execute("select schema_name from information_schema.schemata")
        assert ("oa_compat",) not in schemas.fetchall()
    code, output = dbt(
        settings, "build", "--select", "path:models/compat", "--vars", "{compat: true}"
    )
    assert code == 0, output
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        for mart in set(marts()) - SINCE:
            made = connection.sql(f"from oa_compat.{mart}")
            given = connection.sql(f"from oa.{mart}")
            renamed = SPOT_1_0.get(mart, {})
            names = [renamed.get(name, name) for name in given.columns]
            # Columns that came to the mart later are not Spot 1.0's.
            assert made.columns == [name for name in names if name in made.columns], mart
            assert len(made) == len(given) > 0, mart
        for name in WRITTEN:
            made, given = (
                connection.sql(f"from {schema}.{name}") for schema in ("oa_compat", "oa")
            )
            assert (made.columns, len(made)) == (given.columns, len(given)), name


def test_contracts_are_the_published_contract(reference: Path) -> None:
    contract = yaml.safe_load((reference / "contract" / "tables.yml").read_text("utf-8"))
    described = {}
    for file in (PROJECT / "models" / "marts").rglob("_*__models.yml"):
        for model in yaml.safe_load(file.read_text("utf-8"))["models"]:
            described[model["name"]] = {c["name"]: c["data_type"] for c in model["columns"]}
    for name, table in contract["tables"].items():
        assert list(described[name].items()) == list(table["columns"].items()), name
        assert name in PIPELINES[table["pipeline"]].tables
    for name, pipeline in PIPELINES.items():
        assert dict(pipeline.telemetry.columns) == contract["telemetry"][name]["columns"]


def test_views_of_spot_1_0_are_its_tables(reference: Path) -> None:
    tables = yaml.safe_load((reference / "contract" / "spot_1_0_tables.yml").read_text("utf-8"))
    file = PROJECT / "models" / "compat" / "_compat__models.yml"
    models = yaml.safe_load(file.read_text("utf-8"))["models"]
    assert {model["config"]["alias"] for model in models} == set(marts()) - SINCE | WRITTEN
    for model in models:
        table = tables[model["config"]["alias"]]
        made = {column["name"]: column["data_type"] for column in model["columns"]}
        wanted = {**table["columns"], **table["partitions"]}
        # Counts stay bigint: docs/decisions.md.
        wider = {name: "bigint" for name in wanted if made.get(name) == "bigint"}
        assert made == {**wanted, **wider}, model["name"]
        assert {wanted[name] for name in wider} <= {"int", "bigint"}, model["name"]


def test_a_warehouse_of_another_shape_is_refused(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path)
    warehouse = open_warehouse(settings)
    warehouse.prepare(python_tables(PIPELINES))
    with duckdb.connect(str(settings.warehouse)) as connection:
        connection.execute("alter table raw.flow_results add column surplus int")
    with pytest.raises(Exception, match=r"raw\.flow_results has other columns .*\(surplus\)"):
        warehouse.prepare(python_tables(PIPELINES))
