from __future__ import annotations

from pathlib import Path

import pytest

from spot_oa.errors import ConfigError
from spot_oa.settings import load_settings


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
