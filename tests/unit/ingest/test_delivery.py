"""Telemetry goes to a cluster's folder: whole files, once, and away again with their logs."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fsspec
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from spot_oa.errors import IngestError, WarehouseError
from spot_oa.ingest import Ingest, Options
from spot_oa.ingest.delivery import STAGE, deliver
from spot_oa.ingest.forgetting import forget
from spot_oa.pipelines import Pipeline
from spot_oa.settings import Settings, load_settings
from spot_oa.warehouse import Hour
from spot_oa.warehouse.duckdb.warehouse import DuckDBWarehouse
from tests.support.ingested import CONN, HTTP, zeek

FLOW = [f"{1713571200 + n * 1800} C{n} 10.0.0.{n} {n} 192.0.2.1 443 tcp ssl 1 1 1 SF S 1 1 1 1"
        for n in range(6)]  # fmt: skip
PROXY = ["1713589200.1 H 10.0.0.5 5 192.0.2.80 80 GET h.example / - ua 0 0 200 - -"]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Sequence[Hour]]]:
    """What the engine was told."""
    told: list[tuple[str, Sequence[Hour]]] = []

    def add_hours(_: DuckDBWarehouse, pipeline: Pipeline, hours: Sequence[Hour]) -> None:
        told.append((pipeline.name, hours))

    monkeypatch.setattr(DuckDBWarehouse, "add_hours", add_hours)
    return told


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    # The memory file system is one for all tests.
    return load_settings(home=tmp_path, ingest_uri=f"memory://{uuid.uuid4().hex}/spot")


def take(settings: Settings, *paths: Path, again: bool = False) -> None:
    options = Options(again=again)
    found = list(Ingest(settings, "zeek", options).take_all([str(path) for path in paths]))
    assert not [told.error for told in found if told.error]


def there(settings: Settings) -> dict[str, int]:
    """File -> rows below the folder of the cluster."""
    system, root = fsspec.core.url_to_fs(settings.ingest_uri)
    found = {}
    for path in system.find(root):
        with system.open(path) as file:
            found[path.removeprefix(f"{root}/")] = pq.read_metadata(file).num_rows
    return found


def local(settings: Settings) -> list[Path]:
    return list(Path(settings.raw_uri).glob("*/y=*/**/*.parquet"))


def log(path: Path, rows: Sequence[str] = FLOW, *, name: str = "conn", fields: str = CONN) -> Path:
    path.write_bytes(zeek(name, fields, *rows).replace(b"#close\t-\n", b""))
    return path


def test_files_are_brought_once_and_the_engine_is_told(
    settings: Settings, told: list[Any], tmp_path: Path
) -> None:
    take(settings, log(tmp_path / "conn.log"))
    take(settings, log(tmp_path / "http.log", PROXY, name="http", fields=HTTP))
    done = deliver(settings)
    assert done is not None
    assert done.files == {"flow": 3, "proxy": 1}
    assert told == [
        ("flow", [Hour(2024, 4, 20, 0), Hour(2024, 4, 20, 1), Hour(2024, 4, 20, 2)]),
        ("proxy", [Hour(2024, 4, 20, 5)]),
    ]
    found = there(settings)
    folders = Counter(name.rpartition("/")[0] for name in found)
    assert folders == {
        **{f"flow/y=2024/m=4/d=20/h={hour}": 1 for hour in range(3)},
        "proxy/y=2024/m=04/d=20/h=05": 1,
    }
    assert sum(found.values()) == len(FLOW) + len(PROXY)
    assert local(settings) == []
    told.clear()
    take(settings, tmp_path / "conn.log")
    done = deliver(settings)
    assert done is not None
    assert not done.files
    assert (there(settings), told) == (found, [])


def test_files_are_packed_for_every_impala(settings: Settings, tmp_path: Path) -> None:
    take(settings, log(tmp_path / "conn.log"))
    (file, *_) = local(settings)
    assert pq.read_metadata(file).row_group(0).column(0).compression == "SNAPPY"


def test_what_a_log_has_more_is_brought(
    settings: Settings, told: list[Any], tmp_path: Path
) -> None:
    take(settings, log(tmp_path / "conn.log", FLOW[:2]))
    deliver(settings)
    take(settings, log(tmp_path / "conn.log"))
    told.clear()
    deliver(settings)
    assert told == [("flow", [Hour(2024, 4, 20, 1), Hour(2024, 4, 20, 2)])]
    assert sum(there(settings).values()) == len(FLOW)


def test_again_replaces_and_forget_removes(
    settings: Settings, told: list[Any], tmp_path: Path
) -> None:
    path = log(tmp_path / "conn.log")
    take(settings, log(tmp_path / "http.log", PROXY, name="http", fields=HTTP), path)
    deliver(settings)
    before = there(settings)
    take(settings, path, again=True)
    done = deliver(settings)
    assert done is not None
    assert done.files == {"flow": 3}
    assert there(settings) == before
    told.clear()
    forget(settings, str(path))
    done = deliver(settings)
    assert done is not None
    assert done.removed == {"flow": 3}
    assert [pipeline for pipeline, _ in told] == ["flow"]
    assert list(there(settings)) == [file for file in before if file.startswith("proxy/")]


def test_a_reader_sees_whole_files_under_their_names(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As often as anything is written, what has a name below y= is a whole file."""
    take(settings, log(tmp_path / "conn.log"))
    looks = 0

    def watched(name: str) -> None:
        do = getattr(MemoryFileSystem, name)

        def wrapper(self: MemoryFileSystem, *given: Any, **more: Any) -> Any:
            nonlocal looks
            answer = do(self, *given, **more)
            for file in self.find(root):
                if "/y=" in file:
                    with self.open(file) as opened:
                        assert pq.read_table(opened).num_rows == 2
                    looks += 1
            return answer

        monkeypatch.setattr(MemoryFileSystem, name, wrapper)

    _, root = fsspec.core.url_to_fs(settings.ingest_uri)
    for name in ("put_file", "cp_file", "rm_file"):
        watched(name)
    deliver(settings)
    assert looks > 3
    assert not [file for file in there(settings) if STAGE in file]


@pytest.mark.parametrize("call", ["put_file", "cp_file"])
@pytest.mark.parametrize("moment", [1, 2, 3])
def test_a_delivery_that_died_is_repeated(
    call: str, moment: int, settings: Settings, told: list[Any], tmp_path: Path
) -> None:
    take(settings, log(tmp_path / "conn.log"))
    calls = 0
    with pytest.MonkeyPatch.context() as patched:
        do = getattr(MemoryFileSystem, call)

        def failing(self: MemoryFileSystem, *given: Any, **more: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == moment:
                raise OSError("the network is away")
            return do(self, *given, **more)

        patched.setattr(MemoryFileSystem, call, failing)
        with pytest.raises(IngestError, match="the network is away") as caught:
            deliver(settings)
    assert caught.value.transient
    assert "SPOT_OA_INGEST_URI=memory://" in str(caught.value)
    assert len(local(settings)) == 3
    assert told == []
    deliver(settings)
    assert sum(there(settings).values()) == len(FLOW)
    assert len(told) == 1
    assert local(settings) == []


def test_an_engine_that_refuses_is_told_again(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(settings, log(tmp_path / "conn.log"))

    def refusing(*_: object) -> None:
        raise WarehouseError("no")

    with monkeypatch.context() as patched:
        patched.setattr(DuckDBWarehouse, "add_hours", refusing)
        with pytest.raises(WarehouseError):
            deliver(settings)
    told = []
    monkeypatch.setattr(DuckDBWarehouse, "add_hours", lambda *given: told.append(given))
    deliver(settings)
    assert len(told) == 1
    assert sum(there(settings).values()) == len(FLOW)


def test_a_file_that_is_lost_is_an_error(settings: Settings, tmp_path: Path) -> None:
    take(settings, log(tmp_path / "conn.log"))
    local(settings)[0].unlink()
    with pytest.raises(IngestError, match="was not delivered: ingest its log with --again"):
        deliver(settings)


def test_a_place_that_is_none_is_an_error(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, ingest_uri="gopher://user:secret@host/x")
    take(settings, log(tmp_path / "conn.log"))
    with pytest.raises(IngestError, match="SPOT_OA_INGEST_URI=gopher://host/x: ") as caught:
        deliver(settings)
    assert "secret" not in str(caught.value)


def test_without_a_place_telemetry_stays(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path)
    take(settings, log(tmp_path / "conn.log"))
    assert deliver(settings) is None
    assert len(local(settings)) == 3
    assert not [path for path in (tmp_path / "raw/.ingest").iterdir() if "deliver" in path.name]


def test_what_is_delivered_stays_known(settings: Settings, tmp_path: Path) -> None:
    path = log(tmp_path / "conn.log")
    take(settings, path)
    deliver(settings)
    moved = path.rename(tmp_path / "conn.old.log")
    (again,) = Ingest(settings, "zeek").take_all([str(moved)])
    assert again.status == "known"
    (entry,) = (tmp_path / "raw/.ingest/files").iterdir()
    assert json.loads(entry.read_text("utf-8"))["rows"] == {"flow": len(FLOW)}
