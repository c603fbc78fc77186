"""The store: append only, whole actions, several processes at once."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from analyst import state
from analyst.actions import Action, Kind, Via, to_line
from analyst.store import SqliteStore, file_system
from spot_oa.errors import ConfigError, StoreError, UsageError

DAY = "2016-07-08"


def label(severity: int = 1, *keys: str) -> Action:
    rows = frozenset((key, "row") for key in keys)
    return Action(
        "ann", "cli", "flow", DAY, Kind.LABEL, severity, Via.HAND, rows=rows, row_count=len(keys)
    )


def append(store: SqliteStore, action: Action) -> Action:
    written = store.append("flow", DAY, lambda _: action)
    assert written is not None
    return written


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    return SqliteStore(tmp_path / "sub" / "analyst.sqlite")


def test_nothing_is_made_by_reading(store: SqliteStore, tmp_path: Path) -> None:
    assert store.actions("flow", DAY) == []
    assert (store.store_id, store.last_seq("flow", DAY)) == (None, 0)
    assert list(tmp_path.iterdir()) == []


def test_actions_come_back_as_they_were(store: SqliteStore, tmp_path: Path) -> None:
    first, second = append(store, label(1, "a", "b")), append(store, label(3, "b"))
    assert store.actions("flow", DAY) == [first, second]
    assert (first.seq, second.seq) == (1, 2)
    assert store.actions("flow", "2016-07-09") == store.actions("dns", DAY) == []
    assert store.find(first.short_id) == first
    assert stat.S_IMODE((tmp_path / "sub" / "analyst.sqlite").stat().st_mode) == 0o660


@pytest.mark.parametrize(
    "statement",
    [
        "update actions set severity = 3",
        "delete from actions",
        "insert or replace into actions select * from actions",
        "replace into actions (action_id, recorded_at, author, made_with, pipeline, kind, "
        "row_count) select action_id, '', '', '', '', '', 0 from actions",
        "update action_rows set row_key = 'z'",
        "delete from action_rows",
        "insert or replace into action_rows select * from action_rows",
        "insert into actions select * from actions where true "
        "on conflict do update set severity = 3",
    ],
)
def test_nothing_that_is_there_changes(store: SqliteStore, tmp_path: Path, statement: str) -> None:
    written = append(store, label(1, "a"))
    other = sqlite3.connect(tmp_path / "sub" / "analyst.sqlite")
    with pytest.raises(sqlite3.IntegrityError, match="append only"), other:
        other.execute(statement)
    other.close()
    assert store.actions("flow", DAY) == [written]


_WRITER = """
import sys
from pathlib import Path
from analyst.actions import Action, Kind, Via
from analyst.store import SqliteStore
store = SqliteStore(Path(sys.argv[1]))
for n in range(int(sys.argv[3])):
    rows = frozenset((f"{7 * n % 60 + row:032}", "row") for row in range(40))
    action = Action(sys.argv[2], "cli", "flow", "2016-07-08", Kind.LABEL, n % 3 + 1, Via.HAND,
                    rows=rows, row_count=40)
    store.append("flow", "2016-07-08", lambda _: action)
    print(n, flush=True)
"""


def writer(path: Path, author: str, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(path), author, str(count)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).resolve().parents[3],
    )


def test_two_processes_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "analyst.sqlite"
    both = [writer(path, author, 200) for author in ("ann", "bob")]
    ended = [(*each.communicate(timeout=120), each.returncode) for each in both]
    assert [(errors, code) for _, errors, code in ended] == [("", 0)] * 2
    actions = SqliteStore(path).actions("flow", DAY)
    assert [each.seq for each in actions] == list(range(1, 401))
    assert [sum(a.author == name for a in actions) for name in ("ann", "bob")] == [200, 200]
    assert {len(each.rows) for each in actions} == {40}
    with closing(sqlite3.connect(path)) as connection:
        replayed = {
            (key, target): (seq, severity)
            for seq, severity, key, target in connection.execute(
                "select seq, severity, row_key, target from actions "
                "join action_rows using (seq) order by seq"
            )
        }
    live = state.marks(actions)
    assert {row: (each.seq, each.severity) for row, each in live.items()} == replayed
    # Rows that the last action covers, and rows that older ones hold.
    assert len({each.seq for each in live.values()}) > 1
    assert len(live) == 60 + 39


@pytest.mark.parametrize("moment", [0.0, 0.01, 0.03, 0.07])
def test_a_kill_leaves_whole_actions(tmp_path: Path, moment: float) -> None:
    path = tmp_path / "analyst.sqlite"
    with writer(path, "ann", 1000) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
        told = 1 + len(process.stdout.readlines())
    store = SqliteStore(path)
    actions = store.actions("flow", DAY)
    assert len(actions) in (told, told + 1)
    assert {len(each.rows) for each in actions} == {40}
    assert append(store, label(1, "a")).seq == len(actions) + 1


def test_an_error_while_deciding_leaves_nothing(store: SqliteStore) -> None:
    append(store, label(1, "a"))

    def refuse(actions: object) -> Action:
        raise UsageError("no")

    with pytest.raises(UsageError):
        store.append("flow", DAY, refuse)
    assert store.append("flow", DAY, lambda _: None) is None
    assert len(store.actions("flow", DAY)) == 1


def test_a_newer_schema_is_not_opened(store: SqliteStore, tmp_path: Path) -> None:
    append(store, label())
    with sqlite3.connect(tmp_path / "sub" / "analyst.sqlite") as other:
        other.execute("update meta set value = '2' where key = 'schema'")
    other.close()
    for use in (lambda: store.actions("flow", DAY), lambda: append(store, label())):
        with pytest.raises(StoreError, match="has schema 2, this version reads 1"):
            use()


def test_what_is_no_store_says_so(tmp_path: Path) -> None:
    path = tmp_path / "analyst.sqlite"
    path.write_text("not a database, but long enough to be taken for one" * 20)
    with pytest.raises(StoreError, match="file is not a database; free space or fix"):
        SqliteStore(path).actions("flow", DAY)
    with pytest.raises(
        StoreError, match=r"the permissions of its folder, or correct SPOT_OA_ANALYST"
    ):
        append(SqliteStore(tmp_path / "analyst.sqlite" / "below"), label())


def test_network_file_systems_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mounts"
    share = str(tmp_path / "a share").replace(" ", r"\040")
    mounts.write_text(f"/dev/sda / ext4 rw 0 0\nserver:/x {share} nfs4 rw 0 0\n")
    assert file_system(tmp_path / "a share" / "deep", mounts) == "nfs4"
    assert file_system(tmp_path, mounts) == "ext4"
    assert file_system(tmp_path, tmp_path / "nosuch") == ""
    monkeypatch.setattr("analyst.store.file_system", lambda folder: "nfs4")
    refused, told = SqliteStore(tmp_path / "analyst.sqlite"), r"network file system \(nfs4\)"
    with pytest.raises(ConfigError, match=told):
        append(refused, label())
    append(SqliteStore(tmp_path / "analyst.sqlite", "delete"), label())
    # A reader would see another host's log late or not at all.
    with pytest.raises(ConfigError, match=told):
        refused.actions("flow", DAY)
    assert [path.name for path in tmp_path.glob("analyst*")] == ["analyst.sqlite"]


def test_import_takes_all_or_nothing(store: SqliteStore, tmp_path: Path) -> None:
    append(store, label(1, "a"))
    lines = list(store.export())
    changed = json.loads(lines[0]) | {"severity": 2}
    with pytest.raises(UsageError, match=r"line 2: action .* is stored with other content"):
        store.import_lines([lines[0], json.dumps(changed)], "f")
    other = SqliteStore(tmp_path / "other.sqlite")
    for bad in ("", "[]", "{}", "\x1b", json.dumps(changed | {"severity": 7}), "[" * 100_000,
                json.dumps(changed | {"author": 7}), json.dumps(changed | {"rows": [["a"]]}),
                json.dumps(changed | {"kind": "drop"})):  # fmt: skip
        with pytest.raises(UsageError, match="line 2 is not an exported action"):
            other.import_lines([lines[0], bad], "f")
    assert other.actions("flow", DAY) == []


KEPT = {
    "column": "srcip",
    "match": "exact",
    "value": "10.0.0.1",
    "first": "2016-07-08",
    "last": "2016-07-09",
}


def suppressing(**changes: object) -> dict[str, object]:
    """What makes a line a suppression, with changes to what it keeps."""
    return {"kind": "suppress", "day": None, "severity": None, "via": None, "note": "why",
            "rows": [], "payload": json.dumps(KEPT | changes)}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"pipeline": "mail"}, "pipeline 'mail' is unknown: use one of"),
        ({"day": "yesterday"}, "'yesterday' is not a valid date"),
        ({"day": "20160709"}, "day '20160709' is not written as 2016-07-08"),
        ({"day": None}, "label needs a day"),
        ({"via": "robot"}, "via 'robot' is unknown: use hand or rule"),
        ({"rows": [["a", "query"]]}, "target 'query' is unknown: use one of row"),
        ({"selector": "\ud800"}, r"'.+ud800' is not UTF-8"),
        ({"rows": [["\ud800", "row"]]}, r"'.+ud800' is not UTF-8"),
        ({"seq": 2**63}, "seq 9223372036854775808 is not within"),
        ({"seen_seq": 2**63}, "seen_seq 9223372036854775808 is not within"),
        ({"row_count": -1}, "row_count -1 is not within"),
        (suppressing() | {"day": DAY}, "suppress cannot have a day"),
        (suppressing() | {"note": None}, "needs a reason"),
        (suppressing() | {"payload": '{"column":"host"}'}, '"host".+ is not a suppression'),
        (suppressing() | {"payload": None}, "payload None is not a suppression"),
        (suppressing(first="soon"), "'soon' is not a valid date"),
        (suppressing(first="20160708"), "is not a suppression"),
        (suppressing(last="2026-07-08"), "is not within 0 to 365 days"),
        (suppressing(match="like"), "is not a suppression"),
        (suppressing(value=7), "is not a suppression"),
        (suppressing(column="score"), "cannot be suppressed by 'score'"),
    ],
)
def test_an_import_that_would_stop_a_pipeline_is_refused(
    store: SqliteStore, change: dict[str, object], says: str
) -> None:
    good = json.loads(to_line(label(1, "a")))
    lines = [json.dumps(good), json.dumps(good | {"action_id": "f" * 32} | change)]
    with pytest.raises(UsageError, match=f"^f, line 2 is not an exported action .*{says}") as told:
        store.import_lines(lines, "f")
    assert str(told.value).isprintable()
    assert str(told.value).endswith("; nothing was imported")
    assert store.count() == 0
    lines[1] = json.dumps(good | {"action_id": "f" * 32} | suppressing())
    assert store.import_lines(lines, "f") == (2, 0)


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    """A file that may not grow is what a full disk is to SQLite."""
    path = tmp_path / "analyst.sqlite"
    first = append(SqliteStore(path), label(1, "a"))
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "from pathlib import Path; from tests.unit.analyst.test_store import *;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (40960, 40960));"
        "rows = [f'{n:032}' for n in range(5000)];"
        "append(SqliteStore(Path(sys.argv[1])), label(2, *rows))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        check=False,
        capture_output=True,
        text=True,
        cwd=Path(__file__).resolve().parents[3],
        env=os.environ,
    )
    assert "StoreError: store " in done.stderr.splitlines()[-1], done.stderr
    assert SqliteStore(path).actions("flow", DAY) == [first]
    assert append(SqliteStore(path), label(3, "a")).seq == 2
