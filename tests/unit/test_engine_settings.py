"""What the embedded engine is told, by the steps and by dbt alike."""

from __future__ import annotations

from pathlib import Path

import yaml

from spot_oa.settings import load_settings
from spot_oa.warehouse.duckdb.warehouse import DuckDBWarehouse
from tests.support.project import PROJECT


def test_memory_is_limited_and_spilled_below_the_home(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, memory_limit="512MiB", warehouse=tmp_path / "w.duckdb")
    with DuckDBWarehouse(settings)._connect() as connection:
        told = connection.execute(
            "select current_setting('memory_limit'), current_setting('temp_directory'), "
            "current_setting('TimeZone')"
        ).fetchone()
    assert told == ("512.0 MiB", str(tmp_path / "spill"), "UTC")


def test_dbt_tells_it_the_same(tmp_path: Path) -> None:
    profile = yaml.safe_load((PROJECT / "profiles" / "profiles.yml").read_text("utf-8"))
    told = profile["spot_oa"]["outputs"]["duckdb"]["settings"]
    config = DuckDBWarehouse(load_settings(home=tmp_path)).config
    assert told.keys() == {*config, "TimeZone"}
    assert told["TimeZone"] == "UTC"
    assert "SPOT_OA_MEMORY_LIMIT" in told["memory_limit"]
    assert "SPOT_OA_HOME" in told["temp_directory"]
