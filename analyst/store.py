"""The store: an append-only SQLite file with all that analysts did, in order."""

from __future__ import annotations

import os
import sqlite3
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from analyst.actions import COLUMNS, Action, RowKey, check, checked_types, from_line, to_line
from spot_oa.errors import ConfigError, StoreError, UsageError, printable
from spot_oa.settings import Settings

SCHEMA = 1

_TABLES = """
create table if not exists meta (key text primary key, value text not null);
create table if not exists actions (
    seq integer primary key autoincrement,
    action_id text not null unique,
    recorded_at text not null,
    author text not null,
    made_with text not null,
    pipeline text not null,
    day text,
    kind text not null,
    severity integer,
    via text,
    rule_id text,
    match_kind text,
    selector text,
    note text,
    refers_to text,
    payload text,
    seen_run_id text,
    seen_seq integer,
    row_count integer not null
);
create index if not exists actions_of_a_day on actions (pipeline, day, seq);
create table if not exists action_rows (
    seq integer not null references actions (seq),
    row_key text not null,
    target text not null,
    primary key (seq, row_key, target)
) without rowid;
create trigger if not exists actions_never_change before update on actions
begin select raise(abort, 'append only'); end;
create trigger if not exists actions_never_go before delete on actions
begin select raise(abort, 'append only'); end;
create trigger if not exists actions_are_never_replaced before insert on actions
when exists (select 1 from actions where seq = new.seq or action_id = new.action_id)
begin select raise(abort, 'append only'); end;
create trigger if not exists rows_never_change before update on action_rows
begin select raise(abort, 'append only'); end;
create trigger if not exists rows_never_go before delete on action_rows
begin select raise(abort, 'append only'); end;
create trigger if not exists rows_are_never_replaced before insert on action_rows
when exists (
    select 1 from action_rows
    where seq = new.seq and row_key = new.row_key and target = new.target
)
begin select raise(abort, 'append only'); end;
"""

_OVER_A_NETWORK = ("nfs", "cifs", "smb", "afs", "9p", "ceph", "gluster", "lustre", "fuse.")
_MODE = 0o660
_PATIENCE = 60
"""Seconds to wait for others who write: SQLite does not queue them, and a busy machine is slow."""

Decide = Callable[[Sequence[Action]], Action | None]
"""Given the actions of the day, or of no day, at this very moment: what to append, if anything."""


class LabelStore(Protocol):
    """What the rest needs of a store."""

    @property
    def store_id(self) -> str | None:
        """Which store it is; None if there is none yet."""
        ...

    def append(self, pipeline: str, day: str | None, decide: Decide) -> Action | None:
        """Append one action, decided on the state that nobody else can change meanwhile.

        Raises:
            StoreError: It could not be written; nothing of it is there.
        """
        ...

    def actions(self, pipeline: str, day: str) -> list[Action]:
        """The actions of a day in order, with their rows."""
        ...

    def undated(self, pipeline: str) -> list[Action]:
        """The actions of a pipeline that are of no day, in order: its suppressions."""
        ...

    def last_seq(self, pipeline: str, day: str) -> int:
        """The last action of a day; 0 if there is none."""
        ...

    def find(self, action_id: str) -> Action:
        """The action whose id begins so.

        Raises:
            UsageError: There is none, or there are several.
        """
        ...


class SqliteStore:
    """The store in a file of this host. Nothing is made before the first action is written."""

    def __init__(self, path: Path, journal: str = "wal") -> None:
        self._path = path
        self._journal = journal

    @property
    def store_id(self) -> str | None:
        """See `LabelStore.store_id`."""
        with self._reading() as connection:
            return _meta(connection, "store_id") if connection else None

    def append(self, pipeline: str, day: str | None, decide: Decide) -> Action | None:
        """See `LabelStore.append`; one transaction."""
        with self._writing() as connection:
            action = decide(_actions(connection, pipeline, day))
            return None if action is None else _insert(connection, action)

    def actions(self, pipeline: str, day: str) -> list[Action]:
        """See `LabelStore.actions`."""
        with self._reading() as connection:
            return _actions(connection, pipeline, day) if connection else []

    def undated(self, pipeline: str) -> list[Action]:
        """See `LabelStore.undated`."""
        with self._reading() as connection:
            return _actions(connection, pipeline, None) if connection else []

    def last_seq(self, pipeline: str, day: str) -> int:
        """See `LabelStore.last_seq`."""
        return self.last_seqs(pipeline).get(day, 0)

    def last_seqs(self, pipeline: str) -> dict[str, int]:
        """The last action of each day that has any."""
        with self._reading() as connection:
            if not connection:
                return {}
            rows = connection.execute(
                "select day, max(seq) from actions where pipeline = ? and day is not null "
                "group by day order by day",
                [pipeline],
            )
            return dict(rows.fetchall())

    def find(self, action_id: str) -> Action:
        """See `LabelStore.find`."""
        with self._reading() as connection:
            found = (
                connection.execute(
                    "select seq, pipeline, day from actions where substr(action_id, 1, ?) = ?",
                    [len(action_id), action_id],
                ).fetchmany(2)
                if connection and action_id
                else []
            )
            if len(found) != 1 or connection is None:
                several = "is not the beginning of one action only" if found else "is no action"
                raise UsageError(
                    f"{printable(action_id)!r} {several}: `spot-oa labels show --history` lists ids"
                )
            (seq, pipeline, day) = found[0]
            return next(a for a in _actions(connection, pipeline, day) if a.seq == seq)

    def export(self, pipeline: str | None = None, day: str | None = None) -> Iterator[str]:
        """The actions as lines of JSON, in order; of one pipeline and day if they are given."""
        with self._reading() as connection:
            actions = [] if connection is None else _all(connection)
        for action in actions:
            if pipeline in (None, action.pipeline) and day in (None, action.day):
                yield to_line(action)

    def import_lines(self, lines: Sequence[str], source: str) -> tuple[int, int]:
        """Append exported actions that are not here yet, in their order; all or none of them.

        Args:
            lines: What `export` gave.
            source: Where they come from, for messages.

        Returns:
            How many were appended, and how many were known.

        Raises:
            UsageError: A line is no action, or another action bears its id.
        """
        read = []
        for number, line in enumerate(lines, 1):
            try:
                read.append(from_line(line))
            except (ValueError, TypeError, RecursionError) as error:
                raise UsageError(
                    f"{source}, line {number} is no exported action ({printable(error)}); "
                    "nothing was imported"
                ) from None
        added = 0
        with self._writing() as connection:
            known = {action.action_id: action for action in _all(connection)}
            for number, action in enumerate(read, 1):
                old = known.get(action.action_id)
                if old is None:
                    known[action.action_id] = action
                    _insert(connection, replace(action, made_with="import"))
                    added += 1
                elif not old.same_as(action):
                    raise UsageError(
                        f"{source}, line {number}: action {action.short_id} is known with other "
                        "content; nothing was imported"
                    )
        return added, len(read) - added

    def count(self) -> int:
        """How many actions there are, of all days."""
        with self._reading() as connection:
            if not connection:
                return 0
            return int(connection.execute("select count(*) from actions").fetchone()[0])

    def check_place(self) -> None:
        """See that the store is where SQLite keeps its promises.

        Raises:
            ConfigError: It is on a network file system, with a journal that needs one host.
        """
        kind = file_system(self._path.parent)
        if self._journal == "wal" and kind.startswith(_OVER_A_NETWORK):
            raise ConfigError(
                f"SPOT_OA_ANALYST_DB={self._path} is on a network file system ({kind}), where "
                "SQLite's write-ahead log loses data: take a local folder, or set "
                "SPOT_OA_ANALYST_JOURNAL=delete if its locks work"
            )

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        """A connection that cannot write; None where no action was ever written."""
        try:
            there = self._path.exists()
        except OSError as error:
            raise self._failed(error) from error
        if not there:
            yield None
            return
        with self._connected("ro") as connection:
            # One state, however many queries: an action and its rows, or neither.
            connection.execute("begin")
            yield connection if _meta(connection, "schema") else None

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        self.check_place()
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT, _MODE)
            try:
                if os.fstat(handle).st_size == 0:
                    os.fchmod(handle, _MODE)
            finally:
                os.close(handle)
        except OSError as error:
            raise self._failed(error) from error
        with self._connected("rw") as connection:
            self._prepare(connection)
            connection.execute("begin immediate")
            try:
                yield connection
                connection.execute("commit")
            except BaseException:
                # A full disk has ended the transaction already: that is the error to show.
                with suppress(sqlite3.Error):
                    connection.execute("rollback")
                raise

    @contextmanager
    def _connected(self, mode: str) -> Iterator[sqlite3.Connection]:
        try:
            connection = sqlite3.connect(
                f"{self._path.absolute().as_uri()}?mode={mode}",
                uri=True,
                timeout=_PATIENCE,
                isolation_level=None,
            )
            try:
                connection.execute("pragma foreign_keys = on")
                self._check_schema(connection)
                yield connection
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute(f"pragma journal_mode = {self._journal}")
        connection.execute("pragma synchronous = full")
        if _meta(connection, "schema") is not None:
            return
        connection.execute("begin immediate")
        # One statement at a time: executescript would commit in between.
        statement = ""
        for line in _TABLES.splitlines():
            statement += line + "\n"
            if sqlite3.complete_statement(statement):
                connection.execute(statement)
                statement = ""
        for key, value in {"store_id": str(uuid.uuid4()), "schema": str(SCHEMA)}.items():
            connection.execute("insert or ignore into meta values (?, ?)", [key, value])
        connection.execute("commit")

    def _check_schema(self, connection: sqlite3.Connection) -> None:
        schema = _meta(connection, "schema")
        if schema is not None and schema != str(SCHEMA):
            raise StoreError(
                f"store {self._path} has schema {printable(schema)}, this version reads {SCHEMA}: "
                "use the spot-oa that wrote it"
            )

    def _failed(self, error: Exception) -> StoreError:
        return StoreError(
            f"store {self._path}: {printable(error)}; free or allow its folder, or correct "
            "SPOT_OA_ANALYST_DB",
            transient="locked" in str(error),
        )


def open_store(settings: Settings) -> SqliteStore:
    """The configured store; nothing is opened before it is used."""
    return SqliteStore(settings.analyst_db, settings.analyst_journal)


def file_system(folder: Path, mounts: Path = Path("/proc/self/mounts")) -> str:
    """The type of the file system that a folder is on or would be on; empty if nobody says."""
    try:
        lines = mounts.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return ""
    found = {}
    for line in lines:
        _, point, kind, *_ = line.split(" ")
        # Blanks in a mount point are written \040.
        found[Path(point.encode("latin-1", "replace").decode("unicode_escape"))] = kind
    place = folder.absolute().resolve()
    return next((found[p] for p in (place, *place.parents) if p in found), "")


def _meta(connection: sqlite3.Connection, key: str) -> str | None:
    """A value of `meta`; None where a store is only being made."""
    known = connection.execute("select 1 from sqlite_master where name = 'meta'").fetchone()
    row = known and connection.execute("select value from meta where key = ?", [key]).fetchone()
    return row[0] if row else None


def _insert(connection: sqlite3.Connection, action: Action) -> Action:
    check(action)
    marks = ", ".join("?" * len(COLUMNS))
    cursor = connection.execute(
        f"insert into actions ({', '.join(COLUMNS)}) values ({marks})",  # noqa: S608
        [getattr(action, name) for name in COLUMNS],
    )
    written = replace(action, seq=cursor.lastrowid or 0)
    connection.executemany(
        "insert into action_rows values (?, ?, ?)",
        [(written.seq, key, target) for key, target in sorted(action.rows)],
    )
    return written


def _actions(connection: sqlite3.Connection, pipeline: str, day: str | None) -> list[Action]:
    return _read(connection, "where pipeline = ? and day is ?", [pipeline, day])


def _all(connection: sqlite3.Connection) -> list[Action]:
    return _read(connection, "", [])


def _read(connection: sqlite3.Connection, where: str, values: list[object]) -> list[Action]:
    rows: dict[int, list[tuple[str, str]]] = {}
    for seq, key, target in connection.execute(
        "select r.seq, r.row_key, r.target from action_rows as r "  # noqa: S608
        f"where r.seq in (select seq from actions {where})",
        values,
    ):
        rows.setdefault(seq, []).append((key, target))
    found = connection.execute(
        f"select seq, {', '.join(COLUMNS)} from actions {where} order by seq",  # noqa: S608
        values,
    ).fetchall()
    return [
        _action(seq, dict(zip(COLUMNS, rest, strict=True)), rows.get(seq, ()))
        for seq, *rest in found
    ]


def _action(seq: int, values: dict[str, Any], rows: Iterable[RowKey]) -> Action:
    try:
        return checked_types(Action(seq=seq, rows=frozenset(rows), **values))
    except ValueError as error:
        raise StoreError(
            f"action {seq} of the analysts' store is none of ours ({printable(error)}): take the "
            "file from a backup, or correct SPOT_OA_ANALYST_DB"
        ) from None
