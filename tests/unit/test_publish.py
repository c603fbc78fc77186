from __future__ import annotations

import datetime as dt
import errno
import json
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from spot_oa import publish as publishing
from spot_oa.dates import Slice
from spot_oa.errors import PublishError, WarehouseError
from spot_oa.pipelines import get_pipeline

PART = Slice("flow", dt.date(2016, 7, 8))
FLOW = get_pipeline("flow")


class Exporter:
    """Stands where the warehouse stands: publishing only needs somebody who writes files."""

    def __init__(self, content: str, fail_at: str = "") -> None:
        self.content = content
        self.fail_at = fail_at

    def export(
        self, table: str, part: Slice, order_by: Sequence[str], path: Path, meta: Mapping[str, str]
    ) -> int:
        if table == self.fail_at:
            raise WarehouseError("gone")
        path.write_text(self.content)
        return len(self.content)


def publish(data: Path, content: str, fail_at: str = "") -> Path:
    return publishing.publish(
        FLOW,
        PART,
        data,
        Exporter(content, fail_at),  # type: ignore[arg-type]
        meta={},
        manifest=lambda published: {"content": content, "rows": dict(published.rows)},
    ).folder


def test_the_folder_is_made_and_holds_tables_and_manifest(tmp_path: Path) -> None:
    folder = publish(tmp_path / "not" / "there", "new")
    assert folder == tmp_path / "not" / "there" / "flow" / "20160708"
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [*(f"{table}.parquet" for table in FLOW.tables), "manifest.json"]
    )
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["rows"] == dict.fromkeys(FLOW.tables, 3)


def test_a_failing_table_leaves_the_old_day_and_no_rest(tmp_path: Path) -> None:
    folder = publish(tmp_path, "old")
    with pytest.raises(WarehouseError):
        publish(tmp_path, "new", fail_at="flow_chords")
    assert {path.read_text() for path in folder.glob("*.parquet")} == {"old"}
    assert [path.name for path in folder.parent.iterdir()] == ["20160708"]


def test_what_a_dead_run_left_is_cleared(tmp_path: Path) -> None:
    stale = tmp_path / "flow" / ".20160708.new"
    stale.mkdir(parents=True)
    (stale / "flow_scores.parquet").write_text("half")
    folder = publish(tmp_path, "new")
    assert [path.name for path in folder.parent.iterdir()] == ["20160708"]


@pytest.mark.parametrize("fail_at", ["", "flow_chords"])
def test_a_day_put_aside_by_a_dead_run_comes_back(tmp_path: Path, fail_at: str) -> None:
    folder = publish(tmp_path, "old")
    folder.rename(folder.with_name(".20160708.old"))
    with pytest.raises(WarehouseError) if fail_at else nullcontext():
        publish(tmp_path, "new", fail_at)
    contents = {path.read_text() for path in folder.glob("*.parquet")}
    assert contents == {"old" if fail_at else "new"}
    assert [path.name for path in folder.parent.iterdir()] == ["20160708"]


def test_a_folder_that_cannot_be_written_is_an_error_of_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(PublishError, match="cannot publish to") as caught:
        publish(tmp_path / "data", "new")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("exchange", [True, False])
def test_a_reader_never_sees_a_mixture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchange: bool
) -> None:
    if not exchange:
        monkeypatch.setattr(publishing, "_exchange", _unsupported)
    publish(tmp_path, "0")
    done = threading.Event()
    seen: set[frozenset[str]] = set()

    def read() -> None:
        day = tmp_path / "flow" / "20160708"
        while not done.is_set():
            try:
                # A reader that opens the folder once stays with the set that it opened.
                with opened(day) as folder:
                    seen.add(frozenset(p.read_text() for p in folder.glob("*.parquet")))
            except FileNotFoundError:
                continue

    reader = threading.Thread(target=read)
    reader.start()
    for n in range(1, 60):
        publish(tmp_path, str(n))
    done.set()
    reader.join()
    assert max(len(contents) for contents in seen) == 1
    assert len(seen) > 5


@contextmanager
def opened(folder: Path) -> Iterator[Path]:
    handle = os.open(folder, os.O_RDONLY)
    try:
        yield Path(f"/proc/self/fd/{handle}")
    finally:
        os.close(handle)


def _unsupported(one: Path, other: Path) -> None:
    raise OSError(errno.EINVAL, "not here")
