from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from spot_oa.errors import ConfigError
from spot_oa.settings import STAGES, Settings, load_settings
from spot_oa.settings.table import descriptions, page
from spot_oa.warehouse.hiveserver2.spark import Spark
from tests.support.project import PROJECT


def test_names_on_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "TARGET": "impala",
        "SCHEMA_PREFIX": "soc_",
        "TELEMETRY_TABLES__FLOW": "netflow",
        "IMPALA_OPTIONS__REQUEST_POOL": "root.oa",
        "IMPALA_OPTIONS__SYNC_DDL": "on",
    }.items():
        monkeypatch.setenv(f"SPOT_OA_{name}", value)
    settings = load_settings()
    assert settings.database("raw") == "soc_raw"
    assert settings.telemetry_table("flow") == "soc_raw.netflow"
    assert settings.telemetry_table("dns") == "soc_raw.dns"
    assert settings.impala_options == {"request_pool": "root.oa", "sync_ddl": "on"}
    monkeypatch.setenv("SPOT_OA_TELEMETRY_SCHEMA", "spot")
    assert load_settings().telemetry_table("flow") == "spot.netflow"


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("SCHEMA_PREFIX", "soc-", "SPOT_OA_SCHEMA_PREFIX=soc-: String should match"),
        ("TELEMETRY_SCHEMA", "raw; drop", "SPOT_OA_TELEMETRY_SCHEMA=raw; drop: String should"),
        ("TELEMETRY_TABLES__FLOW", "a.b", "SPOT_OA_TELEMETRY_TABLES=a.b: String should match"),
        ("IMPALA_AUTH", "ldap", "SPOT_OA_IMPALA_AUTH=ldap: set SPOT_OA_IMPALA_USER"),
        ("SPARK_AUTH", "ldap", "SPOT_OA_SPARK_AUTH=ldap: set SPOT_OA_SPARK_USER and"),
        ("IMPALA_PORT", "0", "SPOT_OA_IMPALA_PORT=0: Input should be greater"),
        ("IMPALA_CA", "/nosuch", "SPOT_OA_IMPALA_CA=/nosuch: Path does not point to a file"),
    ],
)
def test_settings_of_a_cluster_that_cannot_be(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, says: str
) -> None:
    monkeypatch.setenv("SPOT_OA_TARGET", "impala")
    monkeypatch.setenv(f"SPOT_OA_{variable}", value)
    with pytest.raises(ConfigError, match=says):
        load_settings()


def test_properties_of_spark_keep_their_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPOT_OA_SPARK_OPTIONS", '{"spark.sql.autoBroadcastJoinThreshold": "-1"}')
    options = load_settings().spark_options
    assert options == {"spark.sql.autoBroadcastJoinThreshold": "-1"}
    session = Spark(load_settings()).server.options
    assert session["set:hiveconf:spark.sql.autoBroadcastJoinThreshold"] == "-1"
    assert session["set:hiveconf:spark.sql.session.timeZone"] == "UTC"


def test_dbt_by_itself_gives_sessions_the_same_properties() -> None:
    profile = yaml.safe_load((PROJECT / "profiles" / "profiles.yml").read_text("utf-8"))
    sessions = profile["spot_oa"]["outputs"]["spark"]["server_side_parameters"]
    assert sessions == dict(Spark(load_settings()).server.options)


def test_the_page_of_spark_names_every_setting() -> None:
    page = (PROJECT / "docs" / "spark.md").read_text("utf-8")
    for field in Settings.model_fields:
        if field.startswith("spark_"):
            assert f"`SPOT_OA_{field.upper()}`" in page, field


def test_names_on_duckdb_are_fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPOT_OA_SCHEMA_PREFIX", "soc_")
    with pytest.raises(ConfigError, match="SPOT_OA_SCHEMA_PREFIX: on duckdb"):
        load_settings()


def test_everything_lies_below_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SPOT_OA_HOME", str(tmp_path / "here"))
    settings = load_settings()
    assert settings.raw_uri == str(tmp_path / "here" / "raw")
    assert settings.ml_uri == str(tmp_path / "here" / "ml")
    assert settings.context_dir == tmp_path / "here" / "context"
    assert settings.data_dir == tmp_path / "here" / "data"
    assert settings.warehouse == tmp_path / "here" / "warehouse.duckdb"
    assert (settings.target, settings.limit, settings.geo_db) == ("duckdb", 500, ())


def test_each_part_can_be_set_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPOT_OA_ML_URI", "webhdfs://namenode:9870/user/spot")
    monkeypatch.setenv("SPOT_OA_GEO_DB", "/geo/city.mmdb, /geo/asn.mmdb")
    monkeypatch.setenv("SPOT_OA_LIMIT", "7")
    settings = load_settings()
    assert settings.ml_uri == "webhdfs://namenode:9870/user/spot"
    assert settings.geo_db == (Path("/geo/city.mmdb"), Path("/geo/asn.mmdb"))
    assert settings.limit == 7


def test_a_dotenv_file_is_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SPOT_OA_LIMIT=9\nUNRELATED=1\n")
    assert load_settings().limit == 9


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SPOT_OA_LIMIT", "-1"),
        ("SPOT_OA_LIMIT", "many"),
        ("SPOT_OA_TARGET", "oracle"),
        ("SPOT_OA_LOCK_TIMEOUT", "-5"),
        ("SPOT_OA_MEMORY_LIMIT", "much"),
        ("SPOT_OA_WAREHOUSE", "/data/raw.duckdb"),
    ],
)
def test_a_bad_value_is_named_in_one_line(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as caught:
        load_settings()
    message = str(caught.value)
    assert f"{name}={value}" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("SPOT_OA_LIMTI", "SPOT_OA_LIMIT?"),
        ("spot_oa_datadir", "SPOT_OA_DATA_DIR?"),
        ("SPOT_OA_GEODB", "SPOT_OA_GEO_DB?"),
        ("SPOT_OA_SERVICES_OTX_KEY", "SPOT_OA_SERVICES__OTX_KEY?"),
        ("SPOT_OA_SERVCES__OTX__KEY", "SPOT_OA_SERVICES__OTX__KEY?"),
        ("SPOT_OA_LIMIT__FLOW", "SPOT_OA_LIMIT?"),
        ("SPOT_OA_QQQ", "see docs/settings.md for all"),
    ],
)
@pytest.mark.parametrize("in_file", [False, True])
def test_a_misspelt_variable_is_named_with_the_nearest_setting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, near: str, in_file: bool
) -> None:
    if in_file:
        (tmp_path / ".env").write_text(f"{name}=secret\n")
    else:
        monkeypatch.setenv(name, "secret")
    (line,) = load_settings().misspelt
    assert line.startswith(f"{name.upper()} is not a setting and has no effect; ")
    assert line.endswith(near)
    assert "secret" not in line


def test_what_is_no_mistake_is_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        *("LIMIT", "SERVICES__OTX__KEY", "SERVICES__FEEDS__MINE__PATH", "REFERENCE_DIR"),
        *("IMPALA_OPTIONS__REQUEST_POOL", "SPARK_HOST", "BIN"),
    ):
        monkeypatch.setenv(f"SPOT_OA_{name}", "7")
    monkeypatch.setenv("SPOT_OA_SERVICES__URLHAUS", "on")
    monkeypatch.setenv("SPOT_OA_LIMTI", "")
    monkeypatch.setenv("SPOTTED_OA_LIMTI", "1")
    assert load_settings().misspelt == ()


def test_the_page_of_settings_is_the_classes() -> None:
    written = (PROJECT / "docs" / "settings.md").read_text("utf-8")
    assert written == "\n".join(page()), "python -m spot_oa.settings.table > docs/settings.md"
    listed = [name for stage in STAGES for name in descriptions(stage)]
    assert sorted(listed) == sorted(Settings.model_fields)
