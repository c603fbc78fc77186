from __future__ import annotations

import datetime as dt
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spot_oa.dates import Slice
from spot_oa.fingerprint import WITHOUT_EFFECT, fingerprint, published_unchanged
from spot_oa.pipelines import get_pipeline
from spot_oa.settings import Settings, load_settings
from spot_oa.warehouse import open_warehouse
from tests.support.project import PROJECT
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


def test_every_setting_changes_it_but_a_few(home: Path) -> None:
    before = taken(settings_of(home))
    changes: dict[str, object] = {
        "dns_budget": 1,
        "service_seconds": 7,
        "ttl_harmless": 1,
        "internal_domains": ("example.org",),
        "services": {"misp": {"url": "https://misp.example.org", "key": "one"}},
    }
    found = {name: taken(settings_of(home, **{name: value})) for name, value in changes.items()}
    assert len({before, *found.values()}) == 1 + len(changes)
    other = {"misp": {"url": "https://misp.example.org", "key": "another"}}
    assert taken(settings_of(home, services=other)) not in {before, found["services"]}
    for name in ("threads", "http_attempts", "limit"):
        assert taken(settings_of(home, **{name: 9})) == before
    assert set(Settings.model_fields) >= WITHOUT_EFFECT


def test_no_secret_is_hashed_as_it_stands(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts: list[str] = []

    def watched(value: object, **how: Any) -> str:
        texts.append(dumps(value, **how))
        return texts[-1]

    dumps = json.dumps
    monkeypatch.setattr("spot_oa.fingerprint.json.dumps", watched)
    taken(settings_of(home, services={"misp": {"key": "MARKER"}}, proxy="http://u:MARKER@p:1"))
    assert "misp" in texts[0]
    assert "MARKER" not in texts[0]


@pytest.mark.parametrize(
    "file", ["python_enrichers/geo/enricher.py", "flows/run/steps.py", "spot_oa/pipelines/dns.yml"]
)
def test_the_python_changes_it_by_its_content(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    code = tmp_path / "code"
    for name in ("flows", "python_enrichers", "spot_oa"):
        shutil.copytree(PROJECT / name, code / name)
    monkeypatch.setattr("spot_oa.fingerprint.CODE", code)
    before = taken(settings_of(home))
    touch(code / file)
    (code / "flows" / "__pycache__" / "made_anew.pyc").parent.mkdir(exist_ok=True)
    (code / "flows" / "__pycache__" / "made_anew.pyc").write_text("")
    assert taken(settings_of(home)) == before
    with (code / file).open("a") as source:
        source.write("# mended\n")
    mended = taken(settings_of(home))
    assert mended != before
    (code / file).rename(code / file.replace(".", "_."))
    assert taken(settings_of(home)) not in {before, mended}


def test_the_dbt_project_changes_it_by_content_and_not_by_its_place(
    home: Path, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    for name in ("macros", "models", "profiles", "seeds", "tests/dbt"):
        shutil.copytree(PROJECT / name, project / name)
    shutil.copy(PROJECT / "dbt_project.yml", project)
    before = taken(settings_of(home))
    assert taken(settings_of(home, project_dir=project)) == before
    for file in ("models/marts/flow/flow_edge.sql", "tests/dbt/generic/grain.sql"):
        with (project / file).open("a") as source:
            source.write("-- mended\n")
        assert taken(settings_of(home, project_dir=project)) != before
        before = taken(settings_of(home, project_dir=project))


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
