"""The analysts' store: an append-only SQLite file with all their actions, in order."""

from __future__ import annotations

import os
import sqlite3
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from analyst.actions import (
    COLUMNS,
    Action,
    Kind,
    RowKey,
    Via,
    check,
    checked_types,
    from_line,
    to_line,
)
from analyst.published import triage_of
from analyst.suppressions import check_suppression
from spot_oa.dates import parse_date
from spot_oa.errors import ConfigError, StoreError, UsageError, printable
from spot_oa.pipelines import Pipeline, load_pipelines
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
"""Seconds to wait for other writers: SQLite does not queue them, and a busy machine is slow."""

Decide = Callable[[Sequence[Action]], Action | None]
"""Takes the current actions of the day, or those without a day; returns the action to append."""


class LabelStore(Protocol):
    """The interface of a store."""

    @property
    def store_id(self) -> str | None:
        """The id of the store; None if the store does not exist yet."""
        ...

    def append(self, pipeline: str, day: str | None, decide: Decide) -> Action | None:
        """Append the action that `decide` returns, within one transaction.

        Raises:
            StoreError: The action could not be written; nothing is stored.
        """
        ...

    def actions(self, pipeline: str, day: str) -> list[Action]:
        """Return the actions of a day in order, with their rows."""
        ...

    def undated(self, pipeline: str) -> list[Action]:
        """Return the actions of a pipeline without a day, in order: its suppressions."""
        ...

    def last_seq(self, pipeline: str, day: str) -> int:
        """Return the number of a day's last action; 0 if there is none."""
        ...

    def find(self, action_id: str) -> Action:
        """Return the action whose id begins with this text.

        Raises:
            UsageError: No action or several actions match.
        """
        ...


class SqliteStore:
    """The store in a local file, which is created when the first action is written."""

    def __init__(self, path: Path, journal: str = "wal", pipelines_dir: Path | None = None) -> None:
        self._path = path
        self._journal = journal
        self._pipelines_dir = pipelines_dir

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
        """Return the number of the last action of each day that has any."""
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
                several = "matches several actions" if found else "does not match any action"
                raise UsageError(
                    f"{printable(action_id)!r} {several}: `spot-oa labels show --history` lists ids"
                )
            (seq, pipeline, day) = found[0]
            return next(a for a in _actions(connection, pipeline, day) if a.seq == seq)

    def export(self, pipeline: str | None = None, day: str | None = None) -> Iterator[str]:
        """Yield the actions as lines of JSON, in order; of one pipeline and day if given."""
        with self._reading() as connection:
            actions = [] if connection is None else _all(connection)
        for action in actions:
            if pipeline in (None, action.pipeline) and day in (None, action.day):
                yield to_line(action)

    def import_lines(self, lines: Sequence[str], source: str) -> tuple[int, int]:
        """Append exported actions that the store lacks, in their order; all or none of them.

        Args:
            lines: The lines from `export`.
            source: The name of the file, for messages.

        Returns:
            How many were appended, and how many were already stored.

        Raises:
            UsageError: A line is not an action on rows of a pipeline, or its id belongs to another
                action.
        """
        read, pipelines = [], load_pipelines(self._pipelines_dir)
        for number, line in enumerate(lines, 1):
            try:
                read.append(_checked(from_line(line), pipelines))
            except (ValueError, TypeError, RecursionError) as error:
                raise UsageError(
                    f"{source}, line {number} is not an exported action ({printable(error)}); "
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
                        f"{source}, line {number}: action {action.short_id} is stored with other "
                        "content; nothing was imported"
                    )
        return added, len(read) - added

    def count(self) -> int:
        """Return the number of actions, of all days."""
        with self._reading() as connection:
            if not connection:
                return 0
            return int(connection.execute("select count(*) from actions").fetchone()[0])

    def check_place(self) -> None:
        """Check that the store is on a file system on which SQLite is safe.

        Raises:
            ConfigError: It is on a network file system, with a journal that needs one host.
        """
        kind = file_system(self._path.parent)
        if self._journal == "wal" and kind.startswith(_OVER_A_NETWORK):
            raise ConfigError(
                f"SPOT_OA_ANALYST_DB={self._path} is on a network file system ({kind}), where "
                "SQLite's write-ahead log loses data: use a local folder, or set "
                "SPOT_OA_ANALYST_JOURNAL=delete if its locks work"
            )

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        """Open a read-only connection; yield None if no action was ever written."""
        try:
            there = self._path.exists()
        except OSError as error:
            raise self._failed(error) from error
        if not there:
            yield None
            return
        self.check_place()
        with self._connected("ro") as connection:
            # One snapshot for all queries: an action with its rows, or neither.
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
                # After a full disk the transaction has ended already: show that first error.
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
            f"store {self._path}: {printable(error)}; free space or fix the permissions of its "
            "folder, or correct SPOT_OA_ANALYST_DB",
            transient="locked" in str(error),
        )


def open_store(settings: Settings) -> SqliteStore:
    """Return the configured store; its file is opened on first use."""
    return SqliteStore(settings.analyst_db, settings.analyst_journal, settings.pipelines_dir)


def file_system(folder: Path, mounts: Path = Path("/proc/self/mounts")) -> str:
    """Return the type of the file system of an existing or future folder; empty if unknown."""
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
    """Return a value of `meta`; None if the store is still being created."""
    known = connection.execute("select 1 from sqlite_master where name = 'meta'").fetchone()
    row = known and connection.execute("select value from meta where key = ?", [key]).fetchone()
    return row[0] if row else None


def _checked(action: Action, pipelines: Mapping[str, Pipeline]) -> Action:
    """Return an imported action, if commands could have written it.

    Raises:
        UsageError: Its pipeline, day, via, targets or suppression is invalid.
    """
    pipeline = pipelines.get(action.pipeline)
    if pipeline is None:
        known = ", ".join(pipelines)
        raise UsageError(f"pipeline {printable(action.pipeline)!r} is unknown: use one of {known}")
    undated = action.kind in (Kind.SUPPRESS, Kind.UNSUPPRESS)
    if undated != (action.day is None):
        raise UsageError(f"{action.kind} {'cannot have' if undated else 'needs'} a day")
    if action.day is not None and parse_date(action.day).isoformat() != action.day:
        raise UsageError(f"day {action.day!r} is not written as 2016-07-08")
    if action.via not in (None, *Via):
        raise UsageError(f"via {printable(action.via)!r} is unknown: use {' or '.join(Via)}")
    targets = triage_of(pipeline).targets
    if unknown := {target for _, target in action.rows} - set(targets):
        raise UsageError(
            f"target {printable(min(unknown))!r} is unknown: use one of {', '.join(targets)}"
        )
    if action.kind == Kind.SUPPRESS:
        check_suppression(pipeline, action)
    return action


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
            f"action {seq} of the analysts' store is invalid ({printable(error)}): restore the "
            "file from a backup, or correct SPOT_OA_ANALYST_DB"
        ) from None
