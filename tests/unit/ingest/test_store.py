"""What is known is not taken again; what dies half way is finished, or as if it had never been."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spot_oa.errors import UsageError
from spot_oa.ingest import Ingest, store
from spot_oa.ingest.forgetting import forget
from spot_oa.ingest.status import sensors
from spot_oa.ingest.store import Store
from spot_oa.settings import load_settings
from tests.support.ingested import CONN, SAMPLES, landed, take, tree, zeek
from tests.support.project import PROJECT

HOURS = 20
READS = 200
"""Number of reads by others while a log is taken."""


def log(rows: int = 200, *, hours: int = HOURS, first: int = 0, sensor: str = "C") -> bytes:
    """Rows over so many hours, one after the other."""
    made = (
        f"{1713571200 + n * 3600 * hours // rows}.{n % 1000:03} {sensor}{n} 10.0.0.{n % 250} "
        f"{n} 192.0.2.10 443 tcp ssl 1 {n} 1 SF ShAD 1 {n} 1 {n}"
        for n in range(first, first + rows)
    )
    return zeek("conn", CONN, *made).replace(b"#close\t-\n", b"")


@pytest.fixture
def conn(tmp_path: Path) -> Path:
    path = tmp_path / "conn.log"
    path.write_bytes(log())
    return path


def raw(home: Path) -> list[tuple[str, int, int]]:
    return [file for file in tree(home / "raw") if not file[0].startswith(".ingest")]


COMPRESSED: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "zst": lambda data: pa.compress(data, "zstd", asbytes=True),
}


def test_what_is_known_is_left_alone(conn: Path, tmp_path: Path) -> None:
    data = conn.read_bytes()
    take(tmp_path, "zeek", conn)
    before = raw(tmp_path)
    assert len(before) == HOURS
    same = [conn, conn.rename(tmp_path / "conn.2024-04-20.log")]
    for name, packed in COMPRESSED.items():
        same.append(tmp_path / f"conn.05:00:00-06:00:00.log.{name}")
        same[-1].write_bytes(packed(data))
    for path in same[1:]:
        for _ in range(2):
            (taken,) = take(tmp_path, "zeek", path)
            assert taken.status == "known"
            assert raw(tmp_path) == before


def test_another_sensor_is_another_log(conn: Path, tmp_path: Path) -> None:
    take(tmp_path, "zeek", conn, sensor="a")
    one = landed(tmp_path)
    take(tmp_path, "zeek", conn, sensor="b")
    assert landed(tmp_path) == one + one


@pytest.mark.parametrize("growing", [True, None])
def test_a_log_that_grows_is_taken_from_where_it_stopped(
    growing: bool | None, tmp_path: Path
) -> None:
    data = log(7260)
    path = tmp_path / "conn.log"
    cuts = [len(data) // 5 + 7, len(data) // 3 + 1, 2 * len(data) // 3 + 5, len(data)]
    rows = 0
    for cut in cuts:
        path.write_bytes(data[:cut])
        (taken,) = take(tmp_path, "zeek", path, growing=growing)
        assert taken.status == "taken"
        rows += taken.rows.total()
    if growing:
        assert rows == 7260
    whole = landed(tmp_path)
    assert whole.total() == 7260
    (tmp_path / "reference.log").write_bytes(data)
    take(tmp_path / "other", "zeek", tmp_path / "reference.log", log="conn")
    assert whole == landed(tmp_path / "other")
    path.unlink()
    packed = tmp_path / "conn.2024-04-20-00-00-00.log.gz"
    packed.write_bytes(gzip.compress(data))
    (taken,) = take(tmp_path, "zeek", packed)
    assert taken.status == "known"
    assert landed(tmp_path) == whole


def test_half_a_line_of_a_growing_log_waits(tmp_path: Path) -> None:
    folder = tmp_path / "current"
    folder.mkdir()
    data = log(10)
    (folder / "conn.log").write_bytes(data[:-5])
    (taken,) = take(tmp_path, "zeek", folder / "conn.log")
    assert taken.rows == {"flow": 9}
    (folder / "conn.log").write_bytes(data)
    (taken,) = take(tmp_path, "zeek", folder / "conn.log")
    assert taken.rows == {"flow": 1}
    assert taken.comments == 0


def test_again_gives_the_same_rows_in_place(conn: Path, tmp_path: Path) -> None:
    take(tmp_path, "zeek", conn)
    rows, names = landed(tmp_path), [file[0] for file in raw(tmp_path)]
    (taken,) = take(tmp_path, "zeek", conn, again=True)
    assert taken.rows.total() == 200
    assert landed(tmp_path) == rows
    assert [file[0] for file in raw(tmp_path)] == names


def test_again_replaces_what_came_in_steps(tmp_path: Path) -> None:
    data, path = log(), tmp_path / "conn.log"
    for cut in (3000, 9000, len(data)):
        path.write_bytes(data[:cut])
        take(tmp_path, "zeek", path, growing=True)
    rows = landed(tmp_path)
    take(tmp_path, "zeek", path, again=True)
    assert landed(tmp_path) == rows
    assert len(Store(tmp_path / "raw").all_entries()) == 1


def test_forget_removes_what_a_file_brought(conn: Path, tmp_path: Path) -> None:
    dns = tmp_path / "dns.log"
    dns.write_bytes(SAMPLES["dns"][2])
    take(tmp_path, "zeek", dns)
    only_dns = landed(tmp_path)
    take(tmp_path, "zeek", conn)
    settings = load_settings(home=tmp_path)
    assert forget(settings, str(conn)) == 200
    assert landed(tmp_path) == only_dns
    with pytest.raises(UsageError, match="no file of this name was ingested"):
        forget(settings, str(conn))
    (taken,) = take(tmp_path, "zeek", conn)
    assert taken.rows.total() == 200


ROW = "17135892{:02}.1 C 10.0.0.5 {} 192.0.2.10 443 tcp ssl 60.5 400 900 SF ShADadFf 10 15 12 90"


def twins(home: Path) -> list[Path]:
    """Write two logs of the same size and the same first line."""
    made = []
    for name, port in (("a.log", 51001), ("b.log", 51002)):
        made.append(home / name)
        made[-1].write_bytes(zeek("conn", CONN, ROW.format(0, 1), ROW.format(5, port)))
    return made


def test_logs_of_equal_size_and_first_line_are_two_logs(tmp_path: Path) -> None:
    for path in twins(tmp_path):
        (taken,) = take(tmp_path, "zeek", path)
        assert taken.rows == {"flow": 2}
    for path in twins(tmp_path):
        path.touch()
        (taken,) = take(tmp_path, "zeek", path)
        assert taken.status == "known"
    assert len(Store(tmp_path / "raw").all_entries()) == 2


@pytest.mark.parametrize("again", [False, True])
def test_entries_with_their_earlier_names_are_used(again: bool, conn: Path, tmp_path: Path) -> None:
    take(tmp_path, "zeek", conn)
    (entry,) = (tmp_path / "raw/.ingest/files").iterdir()
    key, size, _, _ = entry.name.split(".")
    entry.rename(entry.with_name(f"{key}.{size}.json"))
    renamed = conn.rename(tmp_path / "conn.2024.log")
    (taken,) = take(tmp_path, "zeek", renamed, again=again)
    assert taken.status == ("taken" if again else "known")
    assert len(list(entry.parent.iterdir())) == 1
    assert forget(load_settings(home=tmp_path), str(renamed if again else conn)) == 200
    assert not list(entry.parent.iterdir())
    assert not landed(tmp_path)


def test_forget_leaves_logs_of_the_same_first_line(tmp_path: Path) -> None:
    one, other = twins(tmp_path)
    take(tmp_path, "zeek", other)
    left = landed(tmp_path)
    take(tmp_path, "zeek", one)
    assert forget(load_settings(home=tmp_path), str(one)) == 2
    assert landed(tmp_path) == left


def test_forget_knows_files_by_their_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in ("20", "21"):
        (tmp_path / day).mkdir()
        monkeypatch.chdir(tmp_path / day)
        Path("conn.log").write_bytes(zeek("conn", CONN, ROW.format(int(day), 1)))
        take(tmp_path, "zeek", "conn.log")
    settings = load_settings(home=tmp_path)
    assert forget(settings, "conn.log") == 1
    with pytest.raises(UsageError, match="no file of this name was ingested"):
        forget(settings, "conn.log")
    assert forget(settings, str(tmp_path / "20/conn.log")) == 1


def test_forget_finds_files_that_earlier_versions_recorded_as_typed(
    conn: Path, tmp_path: Path
) -> None:
    take(tmp_path, "zeek", conn)
    (file,) = (tmp_path / "raw/.ingest/files").iterdir()
    entry = json.loads(file.read_text())
    del entry["after"]
    file.write_text(json.dumps(entry | {"path": "conn.log"}))
    assert forget(load_settings(home=tmp_path), "conn.log") == 200


def test_forget_removes_all_parts_of_a_log_but_not_of_another(tmp_path: Path) -> None:
    """Both logs have grown from the same beginning, which stays as long as one of them does."""
    data, path, other = log(100), tmp_path / "conn.log", tmp_path / "conn.other.log"
    for cut in (3000, 5000):
        path.write_bytes(data[:cut])
        take(tmp_path, "zeek", path, growing=True)
    path = path.rename(tmp_path / "conn.2024.log")
    path.write_bytes(data)
    take(tmp_path, "zeek", path)
    other.write_bytes(data[: data.rindex(b"\n", 0, 5000) + 1] + log(3, sensor="D").split(b"\n")[-2])
    take(tmp_path, "zeek", other)
    assert landed(tmp_path).total() == 101
    settings = load_settings(home=tmp_path)
    forget(settings, str(other))
    assert landed(tmp_path).total() == 100
    assert forget(settings, str(path)) == 100
    assert not landed(tmp_path)


def test_forget_of_standard_input_leaves_other_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = []
    for n in (1, 2):
        data = zeek("conn", CONN, *[ROW.format(10 * n + row, n) for row in range(n)])
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
        (taken,) = take(tmp_path, "zeek", "-")
        assert taken.path.startswith("stdin-")
        names.append(taken.path)
    settings = load_settings(home=tmp_path)
    with pytest.raises(UsageError, match="no file of this name was ingested"):
        forget(settings, "stdin")
    assert forget(settings, names[0]) == 1
    assert landed(tmp_path).total() == 2
    assert forget(settings, names[1]) == 2


def test_a_pipe_is_named_by_its_content(conn: Path, tmp_path: Path) -> None:
    """As of `<(zcat conn.log.gz)`: its own name, /dev/fd/63, is of no use later."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    found = []
    for _ in range(2):
        writer = threading.Thread(target=pipe.write_bytes, args=[conn.read_bytes()])
        writer.start()
        found += take(tmp_path / "home", "zeek", pipe)
        writer.join()
    first, again = found
    assert (first.status, again.status) == ("taken", "known")
    assert first.path.startswith("stdin-")
    assert forget(load_settings(home=tmp_path / "home"), first.path) == first.rows.total()


def test_a_log_that_grew_is_one_file(tmp_path: Path) -> None:
    data, path = log(), tmp_path / "conn.log"
    for cut in (3000, 9000, len(data)):
        path.write_bytes(data[:cut])
        take(tmp_path, "zeek", path, growing=True)
    twins(tmp_path)
    take(tmp_path, "zeek", tmp_path / "a.log")
    (sensor,) = sensors(load_settings(home=tmp_path))
    assert (sensor.files, sensor.rows) == (2, 202)


def test_a_dry_run_writes_nothing_and_tells_the_truth(tmp_path: Path) -> None:
    source, name, data, _ = SAMPLES["conn"]
    (tmp_path / name).write_bytes(data)
    before = tree(tmp_path)
    (dry,) = take(tmp_path, source, tmp_path / name, dry_run=True)
    assert tree(tmp_path) == before
    (real,) = take(tmp_path, source, tmp_path / name)
    assert dry.counts() == real.counts()


KILLER = """
import os, signal, sys
from pathlib import Path
from spot_oa.ingest import Ingest
from spot_oa.settings import load_settings

home, log, moment, call = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
calls = 0

def counted(do):
    def wrapper(*args, **kwargs):
        global calls
        calls += 1
        if calls == moment:
            os.kill(os.getpid(), signal.SIGKILL)
        return do(*args, **kwargs)
    return wrapper

if call == "replace":
    Path.replace = counted(Path.replace)
else:
    os.fsync = counted(os.fsync)
print([told.status for told in Ingest(load_settings(home=home), "zeek").take_all([log])], calls)
"""


def killed(home: Path, path: Path, moment: int, call: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", KILLER, str(home), str(path), str(moment), call],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


# Renames: 1 the journal, 2 to 21 the hours, 22 the entry, 23 what was seen. Of the syncs those
# of the stage come first, those of the journal, the folders and the entry last.
MOMENTS = [("replace", n) for n in range(1, 24)] + [("sync", n) for n in (1, 10, 21, 22, 24, 30)]


@pytest.mark.parametrize(("call", "moment"), MOMENTS)
def test_killed_at_any_moment(call: str, moment: int, tmp_path: Path) -> None:
    path = tmp_path / "conn.log"
    path.write_bytes(log(60))
    took = killed(tmp_path, path, moment, call)
    assert took.returncode == -signal.SIGKILL, took.stderr
    Store(tmp_path / "raw").recover()  # As a run does it.
    left = {p.name for p in (tmp_path / "raw/.ingest").iterdir()}
    assert left <= {"files", "lock", "seen"}
    assert landed(tmp_path).total() in (0, 60)
    take(tmp_path, "zeek", path)
    take(tmp_path / "reference", "zeek", path)
    assert landed(tmp_path) == landed(tmp_path / "reference")
    left = [p.name for p in (tmp_path / "raw/.ingest").iterdir()]
    assert sorted(left) == ["files", "lock", "seen"]


def test_three_at_once_and_readers_meanwhile(conn: Path, tmp_path: Path) -> None:
    conn.write_bytes(log(20_000, hours=24))
    (tmp_path / "raw").mkdir()
    unreadable: list[str] = []
    seen: Counter[int] = Counter()
    done = threading.Event()

    def read() -> None:
        connection = duckdb.connect()
        while not done.is_set() or seen.total() < READS:
            files = [str(f) for f in (tmp_path / "raw").glob("flow/y=*/**/*.parquet")]
            if files:
                try:
                    found = connection.execute(
                        "select count(*) from read_parquet(?)", [files]
                    ).fetchall()
                    seen[found[0][0]] += 1
                except duckdb.Error as error:
                    unreadable.append(str(error))

    reader = threading.Thread(target=read)
    reader.start()
    command = [sys.executable, "-c", KILLER, str(tmp_path), str(conn), "-1", "replace"]
    running = [
        subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    told = [process.communicate(timeout=120)[0] for process in running]
    done.set()
    reader.join()
    assert not unreadable
    assert seen.total() >= READS
    assert max(seen) == 20_000
    assert sorted(line.split("]")[0] for line in told) == ["['known'", "['known'", "['taken'"]
    assert landed(tmp_path).total() == 20_000


def test_a_log_that_grows_while_it_is_taken_is_taken_once(
    conn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process takes the shorter log just before this one commits the longer."""
    whole = conn.read_bytes()
    finish = store.Stage.finish
    calls = []

    def slow(self: store.Stage, name: str) -> dict[str, str]:
        if not calls:
            calls.append(name)
            short = tmp_path / "short.log"
            short.write_bytes(whole[:9000])
            take(tmp_path, "zeek", short, log="conn", growing=True)
        return finish(self, name)

    monkeypatch.setattr(store.Stage, "finish", slow)
    take(tmp_path, "zeek", conn)
    assert landed(tmp_path).total() == 200
    assert max(landed(tmp_path).values()) == 1


@pytest.mark.parametrize("left", [0, 1, HOURS - 1])
def test_a_full_disk_leaves_nothing(
    conn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: int
) -> None:
    """Whatever was there stays, and there is nothing new; the next try takes the log."""
    other = tmp_path / "other.conn.log"
    other.write_bytes(log(20, sensor="O"))
    take(tmp_path, "zeek", other)
    before = raw(tmp_path)
    writes = pq.ParquetWriter.write_table
    written: list[pq.ParquetWriter] = []

    def full(self: pq.ParquetWriter, *given: Any, **named: Any) -> None:
        if len(written) >= left:
            raise OSError(28, "No space left on device", "/raw/stage")
        written.append(self)
        writes(self, *given, **named)

    with monkeypatch.context() as patch:
        patch.setattr(pq.ParquetWriter, "write_table", full)
        (taken,) = take(tmp_path, "zeek", conn)
    assert taken.status == "failed"
    assert "No space left on device" in taken.error
    assert "\n" not in taken.error
    assert raw(tmp_path) == before
    (taken,) = take(tmp_path, "zeek", conn)
    assert taken.rows.total() == 200
    assert len(raw(tmp_path)) == len(before) + HOURS


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_is_read_only(conn: Path, tmp_path: Path) -> None:
    folder = tmp_path / "raw"
    folder.mkdir(mode=0o500)
    try:
        (taken,) = take(tmp_path, "zeek", conn)
        assert taken.status == "failed"
        assert not raw(tmp_path)
    finally:
        folder.chmod(0o700)
    (taken,) = take(tmp_path, "zeek", conn)
    assert taken.rows.total() == 200


@pytest.mark.parametrize("place", ["raw", "raw/.ingest", "raw/flow", "raw/flow/y=2024/m=4"])
def test_a_place_where_nothing_can_be_written(place: str, conn: Path, tmp_path: Path) -> None:
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("a file")
    (taken,) = take(tmp_path, "zeek", conn)
    assert taken.status == "failed"
    assert "\n" not in taken.error
    assert not list(tmp_path.rglob("*.parquet"))
    path.unlink()
    (taken,) = take(tmp_path, "zeek", conn)
    assert taken.rows.total() == 200
    assert landed(tmp_path).total() == 200


@pytest.mark.parametrize("name", COMPRESSED)
def test_a_file_that_is_damaged(name: str, tmp_path: Path) -> None:
    packed = COMPRESSED[name](log(2000))
    middle = len(packed) // 2
    path = tmp_path / f"conn.log.{name}"
    path.write_bytes(packed[:middle] + bytes(8) + packed[middle + 8 :])
    (taken,) = take(tmp_path, "zeek", path)
    assert taken.status == "failed"
    assert taken.error.startswith(f"{path}: ")
    assert taken.error.endswith("; it is cut off or damaged: fetch it again")
    assert not raw(tmp_path)


def test_gzip_of_several_parts_padded_with_zeros(tmp_path: Path) -> None:
    """As pigz, `cat` of rotated logs, and tapes leave it."""
    data = log(200)
    cut = len(data) // 3
    path = tmp_path / "conn.log.gz"
    path.write_bytes(gzip.compress(data[:cut]) + gzip.compress(data[cut:]) + bytes(512))
    (taken,) = take(tmp_path, "zeek", path)
    assert taken.status == "taken"
    assert taken.rows.total() == 200


@pytest.mark.parametrize("name", COMPRESSED)
def test_a_file_that_breaks_off(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"conn.log.{name}"
    packed = COMPRESSED[name](log())
    path.write_bytes(packed[:-12])
    (taken,) = take(tmp_path, "zeek", path)
    assert taken.status == "failed"
    assert "cut off or damaged" in taken.error
    assert not raw(tmp_path)
    path.write_bytes(packed)
    (taken,) = take(tmp_path, "zeek", path)
    assert taken.rows.total() == 200


def test_random_hours_make_few_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = (
        f"{1713571200 + n * 7919 % 168 * 3600} C{n} 10.0.0.1 1 192.0.2.10 443 tcp "
        "- 1 1 1 SF S 1 1 1 1"
        for n in range(20_000)
    )
    path = tmp_path / "conn.log"
    path.write_bytes(zeek("conn", CONN, *rows))
    monkeypatch.setattr(store, "BUFFERED", 1 << 20)
    take(tmp_path, "zeek", path, block=1 << 16)
    files = Counter(str(Path(file[0]).parent) for file in raw(tmp_path))
    assert len(files) == 168
    assert max(files.values()) == 1
    monkeypatch.setattr(store, "OPEN_FILES", 100)
    take(tmp_path, "zeek", path, again=True, block=1 << 16)
    assert landed(tmp_path).total() == 20_000


def test_a_stage_that_somebody_cleared_is_rolled_back(conn: Path, tmp_path: Path) -> None:
    keeper = Store(tmp_path / "raw")
    journal = {
        "stage": "stage-gone",
        "moves": {"a.parquet": "flow/y=2024/m=4/d=20/h=0/zeek-main-0-0-0.parquet"},
        "remove": [],
        "entry": {"key": "k", "bytes": 1, "sha256": "0" * 64},
        "forget": [],
    }
    keeper.folder.mkdir(parents=True)
    (keeper.folder / "journal-1.json").write_text(json.dumps(journal))
    keeper.recover()
    assert not keeper.all_entries()
    assert not list(keeper.folder.glob("journal-*"))


def test_a_living_owner_keeps_its_stage(tmp_path: Path) -> None:
    keeper = Store(tmp_path / "raw")
    stage = keeper.stage()
    other = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from pathlib import Path; from spot_oa.ingest.store import Store; "
            "Store(Path(sys.argv[1])).recover()",
            str(tmp_path / "raw"),
        ],
        cwd=PROJECT,
        check=True,
        timeout=60,
    )
    assert other.returncode == 0
    assert stage.folder.is_dir()
    stage.drop()
    assert not stage.folder.exists()


def test_nothing_of_a_known_log_is_mapped(tmp_path: Path) -> None:
    path = tmp_path / "conn.log"
    path.write_bytes(log(2000))
    take(tmp_path, "zeek", path)
    ingest = Ingest(load_settings(home=tmp_path), "zeek")
    (taken,) = ingest.take_all([str(path.rename(tmp_path / "conn.old.log"))])
    assert taken.status == "known"
    # Neither DuckDB nor the plans: an hour without anything new costs nothing.
    assert ingest.__dict__.keys().isdisjoint({"_mapper", "_plans"})
