from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from spot_oa.dates import Slice
from spot_oa.fingerprint import fingerprint, published_unchanged
from spot_oa.pipelines import get_pipeline
from spot_oa.settings import Settings, load_settings
from spot_oa.warehouse import open_warehouse
from tests.support.webhdfs import webhdfs

FLOW = get_pipeline("flow")
PART = Slice("flow", dt.date(2016, 7, 8))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    results = Path(FLOW.results_uri(str(home / "ml"), PART))
    hour = home / "raw" / "flow" / "y=2016" / "m=07" / "d=8" / "h=5"
    for file in (results, hour / "part-0.parquet", home / "context" / "iploc.csv"):
        file.parent.mkdir(parents=True)
        file.write_text("content")
    return home


def settings_of(home: Path, **changes: object) -> Settings:
    return load_settings(home=home, **changes)


def taken(settings: Settings, limit: int = 10) -> str:
    return fingerprint(settings, FLOW, PART, limit, open_warehouse(settings))


def touch(file: Path) -> None:
    os.utime(file, ns=(1, 1))


@pytest.mark.parametrize(
    "change",
    [
        lambda home: touch(Path(FLOW.results_uri(str(home / "ml"), PART))),
        lambda home: touch(home / "context" / "iploc.csv"),
        lambda home: (home / "context" / "ipranges.csv").write_text(""),
        lambda home: touch(next((home / "raw").rglob("*.parquet"))),
        lambda home: (home / "raw/flow/y=2016/m=07/d=8/h=5/part-1.parquet").write_text(""),
    ],
)
def test_a_changed_input_changes_it(home: Path, change: Callable[[Path], object]) -> None:
    before = taken(settings_of(home))
    assert taken(settings_of(home)) == before != ""
    change(home)
    assert taken(settings_of(home)) not in {before, ""}


def test_part_files_and_compressed_results_change_it(home: Path) -> None:
    file = Path(FLOW.results_uri(str(home / "ml"), PART))
    file.rename(file.with_name(f"{file.name}.gz"))
    packed = taken(settings_of(home))
    file.mkdir()
    (file / "_SUCCESS").touch()
    empty = taken(settings_of(home))
    (file / "part-00000").write_text("content")
    one = taken(settings_of(home))
    (file / "part-00001").write_text("content")
    two = taken(settings_of(home))
    assert taken(settings_of(home)) == two
    touch(file / "part-00000")
    assert len({"", packed, empty, one, two, taken(settings_of(home))}) == 6


def test_settings_and_limit_change_it_and_the_lock_does_not(home: Path) -> None:
    before = taken(settings_of(home))
    assert taken(settings_of(home), limit=11) != before
    assert taken(settings_of(home, data_dir=home / "elsewhere")) != before
    assert taken(settings_of(home, lock_timeout=1)) == before


def test_other_days_do_not(home: Path) -> None:
    before = taken(settings_of(home))
    other = home / "raw" / "flow" / "y=2016" / "m=07" / "d=9" / "h=5"
    other.mkdir(parents=True)
    (other / "part-0.parquet").write_text("")
    assert taken(settings_of(home)) == before


def test_reading_over_webhdfs_does_not_change_it_and_writing_does(home: Path) -> None:
    with webhdfs(home / "ml") as server:
        settings = settings_of(home, ml_uri=server.url)
        before = taken(settings)
        assert taken(settings) == before != ""
        touch(Path(FLOW.results_uri(str(home / "ml"), PART)))
        assert taken(settings) != before
        server.broken = (503, "")
        assert taken(settings) == ""


def test_a_day_is_unchanged_only_if_it_is_whole_and_its_inputs_are_known(tmp_path: Path) -> None:
    manifest = {"fingerprint": "abc", "tables": {"t": {"file": "t.parquet", "rows": 1}}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert published_unchanged(tmp_path, "abc") is None
    (tmp_path / "t.parquet").write_text("")
    assert published_unchanged(tmp_path, "abc") == manifest
    assert published_unchanged(tmp_path, "other") is None
    (tmp_path / "manifest.json").write_text(json.dumps({**manifest, "fingerprint": ""}))
    assert published_unchanged(tmp_path, "") is None
    (tmp_path / "manifest.json").write_text("[]")
    assert published_unchanged(tmp_path, "abc") is None
