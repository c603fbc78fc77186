"""Run statements on an embedded DuckDB, with a catalogue like Impala's."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import duckdb

from tests.support.impala.language import (
    TYPES,
    ImpalaError,
    check_assignable,
    take_literals,
    to_duckdb,
)

_MACROS = """
create macro conv(digits, base, other) as cast(cast('0x' || digits as bigint) as varchar);
create macro unix_micros_to_utc_timestamp(micros) as make_timestamp(cast(micros as bigint));
create macro datediff(later, earlier) as
    date_diff('day', cast(earlier as date), cast(later as date));
create macro fnv_hash(value) as cast(hash(value) >> 1 as bigint);
create macro utc_timestamp() as timezone('UTC', now());
create macro from_timestamp(moment, pattern) as strftime(moment, replace(replace(replace(replace(
    replace(pattern, 'yyyy', '%Y'), 'MM', '%m'), 'dd', '%d'), 'HH', '%H'), 'mm', '%M'));
"""
_COMMENT_LENGTH = 256
_NAME = r"(?:`?\w+`?\.)?`?\w+`?"


@dataclass
class Result:
    """Columns as (name, Impala's type); `modified` counts the rows that a DML statement wrote."""

    columns: Sequence[tuple[str, str]] = ()
    rows: Sequence[Sequence[Any]] = ()
    modified: int | None = None


@dataclass
class _Table:
    kind: str
    partitioned_by: Sequence[str] = ()
    comment: str = ""
    comments: dict[str, str] = field(default_factory=dict)
    added: set[str] = field(default_factory=set)
    """Partitions added by a statement, as folders below the table's folder."""


class Engine:
    """One catalogue for all sessions; statements run one at a time."""

    def __init__(self) -> None:
        self.statements: list[str] = []
        self._folders: dict[str, str] = {}
        self._lock = threading.RLock()
        self._tables: dict[str, _Table] = {}
        self._db = duckdb.connect(":memory:")
        self._db.execute(_MACROS)
        self._literals: list[str] = []

    def execute(self, statement: str) -> Result:
        """Run one statement.

        Raises:
            ImpalaError: Impala would refuse it, in Impala's words.
        """
        with self._lock:
            self.statements.append(statement)
            text, self._literals = take_literals(statement)
            text = text.strip()
            if ";" in text.rstrip(";"):
                raise ImpalaError("ParseException: Syntax error: encountered ;")
            try:
                for pattern, carry_out in _STATEMENTS:
                    match = pattern.fullmatch(text.rstrip("; \n"))
                    if match:
                        return carry_out(self, **match.groupdict())
                return self._query(text)
            except duckdb.Error as error:
                raise ImpalaError(f"AnalysisException: {error}") from error

    def load(self, table: str, query: str) -> None:
        """Write rows to a table without Impala, in DuckDB's SQL."""
        with self._lock:
            self._db.execute(f"insert into {table} by name {query}")

    def clear(self) -> None:
        """Drop all tables and statements."""
        with self._lock:
            for schema, _ in self._show_databases().rows:
                self._db.execute(f"drop schema if exists {schema} cascade")
            self._tables.clear()
            self._folders.clear()
            self.statements.clear()

    def close(self) -> None:
        """Close the engine."""
        with self._lock:
            self._db.close()

    # -- queries and DML

    def _query(self, text: str) -> Result:
        if not re.match(r"(?is)\(*\s*(select|with|values)\b", text):
            raise ImpalaError(f"ParseException: Syntax error in line 1: {text[:60]}")
        found = self._run(to_duckdb(text, self._literals))
        columns = [(column[0], _type(column[1])) for column in found.description or ()]
        return Result(columns, found.fetchall())

    def _run(self, sql: str) -> duckdb.DuckDBPyConnection:
        try:
            return self._db.execute(sql)
        except duckdb.CatalogException as error:
            missing = re.search(r"Table with name (\S+) does not exist", str(error))
            if missing:
                raise ImpalaError(
                    f"AnalysisException: Could not resolve table reference: '{missing[1]}'"
                ) from error
            raise

    def _insert(
        self, how: str, table: str, columns: str | None, partition: str | None, query: str
    ) -> Result:
        name = _plain(table)
        own = self._columns(name)
        keys = self._tables[name].partitioned_by
        fixed: dict[str, str] = {}
        for part in partition.split(",") if partition else ():
            key, _, value = (word.strip().strip("`") for word in part.partition("="))
            if key not in keys:
                raise ImpalaError(f"AnalysisException: Unknown partition column '{key}'")
            if value:
                fixed[key] = self._value(value)
        dynamic = [key for key in keys if key not in fixed]
        if partition is None and keys and not columns:
            raise ImpalaError(f"AnalysisException: Not enough partition columns for '{name}'")
        listed = _words(columns) if columns else [c for c in own if c not in keys] + dynamic
        sql = to_duckdb(query, self._literals)
        given = {
            f"{place}: {row[0]}": _type(row[1])
            for place, row in enumerate(self._run(f"describe {sql}").fetchall())
        }
        check_assignable(name, {column: own[column] for column in listed}, given)
        self._db.begin()
        try:
            names = ", ".join(f'"{column}"' for column in listed)
            self._db.execute(
                f"create or replace temp table written as select * from ({sql}) as q({names})"
            )
            if how.lower() == "overwrite":
                same = [f'"{key}" = {value}' for key, value in fixed.items()]
                if dynamic:
                    found = ", ".join(f'"{key}"' for key in dynamic)
                    same.append(f"({found}) in (select ({found}) from written)")
                where = f" where {' and '.join(same)}" if same else ""
                self._db.execute(f"delete from {name}{where}")
            extra = "".join(f', {value} as "{key}"' for key, value in fixed.items())
            self._db.execute(f"insert into {name} by name select *{extra} from written")
            (count,) = self._db.execute("select count(*) from written").fetchone() or (0,)
            self._db.commit()
        except BaseException:
            self._db.rollback()
            raise
        return Result(modified=count)

    def _value(self, word: str) -> str:
        if word.startswith("'"):
            return "'" + self._literals[int(word.strip("'"))].replace("'", "''") + "'"
        return str(int(word))

    def _truncate(self, table: str) -> Result:
        self._db.execute(f"delete from {_plain(table)}")
        return Result()

    # -- DDL

    def _create_schema(self, schema: str) -> Result:
        self._db.execute(f"create schema if not exists {_plain(schema)}")
        return Result()

    def _create_table(
        self, table: str, exists: str | None, columns: str, keys: str | None, place: str | None
    ) -> Result:
        name = _plain(table)
        if name in self._tables:
            return self._there_is(name, exists)
        partitions = _words(re.sub(r"(?i)\s\w+\s*(?=,|$)", "", keys or ""))
        # Check it like a query: an identifier must not be a reserved word.
        both = f"{columns}, {keys}" if keys else columns
        described = dict(part.split()[:2] for part in both.split(","))
        to_duckdb(f"select {', '.join(described)}", ())
        listed = ", ".join(f'"{c.strip("`")}" {_duckdb(t)}' for c, t in described.items())
        self._db.execute(f"create table {name} ({listed})")
        self._tables[name] = _Table("TABLE", partitions)
        if place:
            self._folders[name] = self._literals[int(place)]
        return Result()

    def _create_table_as(
        self, table: str, exists: str | None, keys: str | None, place: str | None, query: str
    ) -> Result:
        name = _plain(table)
        if name in self._tables:
            return self._there_is(name, exists)
        sql = to_duckdb(query, self._literals)
        partitions = _words(keys or "")
        described = self._run(f"describe {sql}").fetchall()
        found = [row[0] for row in described]
        if partitions and found[-len(partitions) :] != partitions:
            raise ImpalaError(
                "AnalysisException: Partition column name mismatch: "
                f"{partitions} != {found[-len(partitions) :]}"
            )
        for column, kind in (row[:2] for row in described):
            if _type(kind) == "NULL":
                raise ImpalaError(
                    "AnalysisException: Unable to infer the column type for column "
                    f"'{column}'. Use cast() to explicitly specify the column type."
                )
        self._db.execute(f"create table {name} as {sql}")
        self._tables[name] = _Table("TABLE", partitions)
        (count,) = self._db.execute(f"select count(*) from {name}").fetchone() or (0,)
        return Result(modified=count)

    def _create_view(self, view: str, exists: str | None, query: str) -> Result:
        name = _plain(view)
        if name in self._tables:
            return self._there_is(name, exists)
        self._run(f"create view {name} as {to_duckdb(query, self._literals)}")
        self._tables[name] = _Table("VIEW")
        return Result()

    def _alter_view(self, view: str, query: str) -> Result:
        name = self._known(view)
        self._run(f"create or replace view {name} as {to_duckdb(query, self._literals)}")
        return Result()

    def _rename(self, kind: str, table: str, new: str) -> Result:
        name, target = self._known(table), _plain(new)
        if target in self._tables:
            self._there_is(target, None)
        schema, _, base = target.partition(".")
        if schema != name.partition(".")[0]:
            raise ImpalaError("the stand-in renames within a database only")
        self._db.execute(f"alter {kind} {name} rename to {base}")
        self._tables[target] = self._tables.pop(name)
        return Result()

    def _drop(self, kind: str, table: str, exists: str | None) -> Result:
        name = _plain(table)
        found = self._tables.get(name)
        if found is None or found.kind != kind.upper():
            if exists:
                return Result()
            raise ImpalaError(f"AnalysisException: {kind.upper()} does not exist: {name}")
        self._db.execute(f"drop {kind} {name}")
        del self._tables[name]
        return Result()

    def _there_is(self, name: str, exists: str | None) -> Result:
        if not exists:
            raise ImpalaError(f"AnalysisException: Table already exists: {name}")
        return Result()

    def _comment(self, kind: str, target: str, text: str) -> Result:
        comment = self._literals[int(text)]
        if len(comment) > _COMMENT_LENGTH:
            raise ImpalaError(
                "AnalysisException: Comment of column/table exceeds maximum length of "
                f"{_COMMENT_LENGTH} characters"
            )
        if kind.lower() == "column":
            table, _, column = target.rpartition(".")
            self._tables[self._known(table)].comments[column.strip("`")] = comment
        else:
            self._tables[self._known(target)].comment = comment
        return Result()

    # -- the catalogue

    def _known(self, table: str) -> str:
        name = _plain(table)
        if name not in self._tables:
            raise ImpalaError(f"AnalysisException: Could not resolve path: '{name}'")
        return name

    def _columns(self, name: str) -> dict[str, str]:
        rows = self._db.execute(f"describe {self._known(name)}").fetchall()
        return {row[0]: _type(row[1]) for row in rows}

    def _show_databases(self) -> Result:
        rows = self._db.execute(
            "select distinct schema_name from duckdb_schemas() "
            "where database_name = 'memory' and not internal and schema_name <> 'main'"
        ).fetchall()
        return Result([("name", "STRING"), ("comment", "STRING")], [(n, "") for (n,) in rows])

    def _show(self, what: str, schema: str, pattern: str | None) -> Result:
        names = {row[0] for row in self._show_databases().rows}
        if _plain(schema) not in names:
            raise ImpalaError(f"AnalysisException: Database does not exist: {schema}")
        like = self._literals[int(pattern)] if pattern else "*"
        found = []
        for name, table in sorted(self._tables.items()):
            database, _, base = name.partition(".")
            wanted = what.lower() == "tables" or table.kind == "VIEW"
            if database == _plain(schema) and wanted and fnmatchcase(base, like):
                found.append((base,))
        return Result([("name", "STRING")], found)

    def _describe(self, how: str | None, table: str) -> Result:
        name = self._known(table)
        found = self._tables[name]
        columns = [
            (column, kind.lower(), found.comments.get(column, ""))
            for column, kind in self._columns(name).items()
        ]
        header = [("name", "STRING"), ("type", "STRING"), ("comment", "STRING")]
        if not how:
            return Result(header, columns)
        kind = "VIRTUAL_VIEW" if found.kind == "VIEW" else "MANAGED_TABLE"
        blank = ("", None, None)
        rows: list[tuple[str, str | None, str | None]] = [
            ("# col_name", "data_type", "comment"), blank, *columns, blank,
            ("# Detailed Table Information", None, None),
            ("Database:", name.partition(".")[0], None),
            ("Owner:", "impala", None),
            ("Table Type:", kind, None),
            ("Table Parameters:", None, None),
            ("", "comment", found.comment),
        ]  # fmt: skip
        return Result(header, rows)

    def _partition_rows(self, table: str) -> tuple[str, list[str], list[tuple[Any, ...]]]:
        name = self._known(table)
        keys = list(self._tables[name].partitioned_by)
        if not keys:
            raise ImpalaError(f"AnalysisException: Table is not partitioned: {name}")
        listed = ", ".join(keys)
        rows = self._db.execute(
            f"select {listed}, count(*), md5(string_agg(t::varchar, '' order by t::varchar)) "
            f"from {name} as t group by {listed} order by {listed}"
        ).fetchall()
        return name, keys, rows

    def _show_files(self, table: str, condition: str | None) -> Result:
        name, keys, rows = self._partition_rows(table)
        if condition:
            query = to_duckdb(f"select * from {name} where {condition}", self._literals)
            wanted = set(
                self._db.execute(f"select distinct {', '.join(keys)} from ({query})").fetchall()
            )
            rows = [row for row in rows if row[:-2] in wanted]
        shown = []
        for row in rows:
            place = "/".join(f"{key}={value}" for key, value in zip(keys, row, strict=False))
            shown.append(
                (f"hdfs://stand-in/{name}/{place}/{row[-1]}.parq", f"{row[-2]}B", place, "")
            )
        header = ["Path", "Size", "Partition", "EC Policy"]
        return Result([(title, "STRING") for title in header], shown)

    def _accepted(self, table: str | None = None) -> Result:
        if table:
            self._known(table)
        return Result()

    def _partition(self, name: str, spec: str) -> dict[str, str]:
        """Return key -> value, checked against the table's keys."""
        keys, own = self._tables[name].partitioned_by, self._columns(name)
        given: dict[str, str] = {}
        for part in spec.split(","):
            key, _, value = (word.strip().strip("`") for word in part.partition("="))
            if value.startswith("'") != (own.get(key, "").lower() == "string"):
                raise ImpalaError(
                    f"AnalysisException: Value of partition spec '{key}' is of another type"
                )
            given[key] = self._value(value).strip("'")
        if list(given) != list(keys):
            raise ImpalaError(
                f"AnalysisException: Partition spec {list(given)} is not {list(keys)}"
            )
        return given

    def _add_partition(self, table: str, exists: str | None, spec: str) -> Result:
        name = self._known(table)
        given = self._partition(name, spec)
        folder = "/".join(f"{key}={value}" for key, value in given.items())
        if folder in self._tables[name].added and not exists:
            raise ImpalaError(f"AnalysisException: Partition spec already exists: {folder}")
        self._tables[name].added.add(folder)
        return Result()

    def _refresh_partition(self, table: str, spec: str) -> Result:
        """Refresh an added partition: read the current files in its folder."""
        name = self._known(table)
        given = self._partition(name, spec)
        folder = "/".join(f"{key}={value}" for key, value in given.items())
        if folder not in self._tables[name].added or name not in self._folders:
            return Result()
        same = " and ".join(f"\"{key}\" = '{value}'" for key, value in given.items())
        self._db.execute(f"delete from {name} where {same}")
        place = Path(self._folders[name], folder)
        if files := [str(file) for file in sorted(place.glob("*.parquet"))]:
            fixed = ", ".join(f"'{value}' as \"{key}\"" for key, value in given.items())
            self._db.execute(
                f"insert into {name} by name select *, {fixed} "
                f"from read_parquet({files}, hive_partitioning = false)"
            )
        return Result()

    def _refresh(self, table: str) -> Result:
        """Refresh an external table: read the current files in its folder, column by column."""
        name = self._known(table)
        if self._tables[name].kind == "VIEW":
            raise ImpalaError(f"AnalysisException: REFRESH not allowed on a view: {name}")
        if name in self._folders and not self._tables[name].partitioned_by:
            self._db.execute(f"delete from {name}")
            files = [str(file) for file in sorted(Path(self._folders[name]).glob("*.parquet"))]
            if files:
                self._db.execute(f"insert into {name} select * from read_parquet({files})")
        return Result()

    def _version(self) -> Result:
        return Result([("version()", "STRING")], [("impalad version 4.5.0-RELEASE stand-in",)])


def _plain(name: str) -> str:
    return name.replace("`", "").strip().lower()


def _words(listed: str) -> list[str]:
    return [_plain(word) for word in listed.split(",") if word.strip()]


def _type(duckdb_type: Any) -> str:
    return TYPES[str(duckdb_type).lower().partition("(")[0]]


def _duckdb(impala_type: str) -> str:
    return {"string": "varchar"}.get(impala_type.lower(), impala_type)


_PARTITIONED = r"(?:\s+partitioned\s+by\s*\((?P<keys>[^()]*)\))?"
_STORED = r"(?:\s+(?:comment\s+'\d+'|stored\s+as\s+\w+|location\s+'(?P<place>\d+)'))*"
_STATEMENTS: Sequence[tuple[re.Pattern[str], Callable[..., Result]]] = [
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), carry_out)
    for pattern, carry_out in [
        (r"select\s+version\(\)", Engine._version),
        (r"(?:use\s+\w+|set\s+.*|invalidate\s+metadata)", Engine._accepted),
        (rf"refresh\s+(?P<table>{_NAME})", Engine._refresh),
        (rf"refresh\s+(?P<table>{_NAME})\s+partition\s*\((?P<spec>[^()]*)\)",
         Engine._refresh_partition),
        (rf"alter\s+table\s+(?P<table>{_NAME})\s+add\s+(?P<exists>if\s+not\s+exists\s+)?partition"
         r"\s*\((?P<spec>[^()]*)\)", Engine._add_partition),
        (rf"(?:invalidate\s+metadata|compute\s+(?:incremental\s+)?stats)\s+(?P<table>{_NAME})"
         , Engine._accepted),
        (r"show\s+(?:databases|schemas)", Engine._show_databases),
        (r"show\s+(?P<what>tables|views)\s+in\s+(?P<schema>\S+)(?:\s+like\s+'(?P<pattern>\d+)')?",
         Engine._show),
        (rf"show\s+files\s+in\s+(?P<table>{_NAME})(?:\s+partition\s*\((?P<condition>.*)\))?",
         Engine._show_files),
        (rf"describe\s+(?:(?P<how>extended|formatted)\s+)?(?P<table>{_NAME})", Engine._describe),
        (r"create\s+(?:schema|database)\s+if\s+not\s+exists\s+(?P<schema>\S+)",
         Engine._create_schema),
        (rf"create\s+(?:external\s+)?table\s+(?P<exists>if\s+not\s+exists\s+)?(?P<table>{_NAME})"
         rf"\s*\((?P<columns>[^()]*)\){_PARTITIONED}{_STORED}", Engine._create_table),
        (rf"create\s+(?:external\s+)?table\s+(?P<exists>if\s+not\s+exists\s+)?(?P<table>{_NAME})"
         rf"{_PARTITIONED}{_STORED}\s+as\s+(?P<query>.*)", Engine._create_table_as),
        (rf"create\s+view\s+(?P<exists>if\s+not\s+exists\s+)?(?P<view>{_NAME})\s+as\s+(?P<query>.*)",
         Engine._create_view),
        (rf"alter\s+view\s+(?P<view>{_NAME})\s+as\s+(?P<query>.*)", Engine._alter_view),
        (rf"alter\s+(?P<kind>table|view)\s+(?P<table>{_NAME})\s+rename\s+to\s+(?P<new>{_NAME})",
         Engine._rename),
        (rf"drop\s+(?P<kind>table|view)\s+(?P<exists>if\s+exists\s+)?(?P<table>{_NAME})(?:\s+purge)?",
         Engine._drop),
        (rf"truncate\s+(?:table\s+)?(?:if\s+exists\s+)?(?P<table>{_NAME})", Engine._truncate),
        (r"comment\s+on\s+(?P<kind>table|view|column)\s+(?P<target>\S+)\s+is\s+'(?P<text>\d+)'",
         Engine._comment),
        (rf"insert\s+(?P<how>into|overwrite)\s+(?:table\s+)?(?P<table>{_NAME})"
         r"(?:\s*\((?P<columns>[\w`,\s]*)\))?(?:\s+partition\s*\((?P<partition>[^()]*)\))?"
         r"\s*(?P<query>(?:\(*\s*select|with|values)\b.*)", Engine._insert),
    ]
]  # fmt: skip
