"""Map fields of log lines to rows of telemetry with an in-memory DuckDB.

The SQL comes only from a source's description. Text from logs is passed as data in Arrow tables,
and the connection has no external access.
"""

from __future__ import annotations

import csv
import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spot_oa.errors import ConfigError, IngestError, printable
from spot_oa.pipelines import Pipeline, Type
from spot_oa.sources import MACROS, TIMES, FieldType, Log, Source
from spot_oa.warehouse.duckdb.parquet import interrupts, reason, text
from spot_oa.warehouse.tables import ARROW_TYPES

FIELD_TYPES: Mapping[FieldType, pa.DataType] = {
    "text": pa.string(),
    "instant": pa.timestamp("us"),
    "local": pa.timestamp("us"),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "list": pa.list_(pa.string()),
}
OLDEST = dt.datetime(1980, 1, 1)  # noqa: DTZ001 - a column without a zone, in UTC
AHEAD = dt.timedelta(days=1)
IMPLAUSIBLE = "time is not plausible"
_DECIMAL = pa.decimal128(28, 9)
_MILLISECONDS = 9_200_000_000_000_000_000
"""Nanoseconds that the lower word of a decimal holds; larger values may be epoch milliseconds."""
_CODES = {"dns_type": "dns_types.csv", "dns_rcode": "dns_rcodes.csv"}
_FORBIDDEN = re.compile(
    r"\bselect\b|\bfrom\s+\w+\s*\(|;|--|/\*"
    r"|\b(read_\w+|parquet_\w+|pragma_\w+|duckdb_\w+|sniff_csv|query|query_table|glob|getenv)\s*\(",
    re.IGNORECASE,
)
_KINDS: Mapping[Type, tuple[str, ...]] = {
    "string": ("varchar",),
    "int": ("tinyint", "smallint", "integer", "bigint", "hugeint"),
    "bigint": ("tinyint", "smallint", "integer", "bigint", "hugeint"),
    "float": ("tinyint", "smallint", "integer", "bigint", "float", "double", "decimal"),
    "double": ("tinyint", "smallint", "integer", "bigint", "float", "double", "decimal"),
    "timestamp": ("timestamp",),
}

WITHOUT_QUERY = {
    "uriquery": "'-'",
    "fulluri": "regexp_replace({}, '[?].*', '', 's')",
    "referer": "regexp_replace({}, '[?].*', '', 's')",
}
"""Column -> SQL that removes the query from its URI."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The checked SQL that maps the lines of a log, and the columns of its result."""

    log: Log
    pipeline: Pipeline
    sql: str

    @property
    def schema(self) -> pa.Schema:
        """Return the columns of the telemetry."""
        columns = self.pipeline.telemetry.columns.items()
        return pa.schema([(name, ARROW_TYPES[kind]) for name, kind in columns])


@dataclass(frozen=True, slots=True)
class Mapped:
    """The result of mapping lines.

    Attributes:
        rows: The telemetry, in the order of the lines.
        line_no: The line of each row.
        when: The start of each row's event, microseconds since 1970 (UTC).
        skipped: Per line, why it was skipped, or NULL.
        refused: Per line, why it was refused, or NULL.
        unfit: Column -> number of values that did not fit its type and became NULL.
    """

    rows: pa.Table
    line_no: pa.Array
    when: pa.Array
    skipped: pa.Array
    refused: pa.Array
    unfit: Mapping[str, int]


class Mapper:
    """The connection with the macros that descriptions may use. One per process and thread."""

    def __init__(self, seeds: Path, threads: int = 1, memory_limit: str = "80%") -> None:
        with interrupts():
            self._connection = duckdb.connect(
                ":memory:",
                config={
                    "threads": threads,
                    "memory_limit": memory_limit,
                    "enable_external_access": False,
                },
            )
            for statement in [
                "set TimeZone = 'UTC'",
                MACROS.read_text("utf-8"),
                *_code_macros(seeds),
            ]:
                self._connection.execute(statement)
            self._connection.execute("set lock_configuration = true")

    def plan(
        self, source: Source, name: str, path: Path, pipelines: Mapping[str, Pipeline]
    ) -> Plan:
        """Check a log of a description, and build its SQL.

        Args:
            source: The description.
            name: The log.
            path: The description's file, for messages.
            pipelines: All pipelines by name.

        Raises:
            ConfigError: An entry is not usable; the message names the entry.
        """
        log = source.logs[name]
        where = f"source description {path}: logs.{name}"
        if log.pipeline not in pipelines:
            raise ConfigError(f"{where}.pipeline: there is no pipeline {log.pipeline!r}")
        pipeline = pipelines[log.pipeline]
        wanted = pipeline.telemetry.columns
        for column in log.columns:
            if column not in wanted:
                raise ConfigError(
                    f"{where}.columns.{column}: the telemetry of {pipeline.name} has no such column"
                )
        reserved = self._reserved()
        for field in (*log.fields, *log.let):
            if field in reserved or field in ("line_no", "when_"):
                raise ConfigError(f"{where}: the name {field!r} is reserved; use another")
        columns = {name: log.columns.get(name, TIMES.get(name)) for name in wanted}
        given = {name: sql for name, sql in columns.items() if sql is not None}
        if source.drop_query:
            given |= {
                name: without.format(given[name])
                for name, without in WITHOUT_QUERY.items()
                if name in given
            }
        entries = [
            *((f"let.{key}", sql) for key, sql in log.let.items()),
            ("when", log.when),
            *((f"where.{key}", sql) for key, sql in log.where.items()),
            *((f"required.{key}", sql) for key, sql in log.required.items()),
            *((f"columns.{key}", sql) for key, sql in given.items()),
        ]
        for entry, sql in entries:
            if _FORBIDDEN.search(re.sub(r"'(?:[^']|'')*'", "''", sql)):
                raise ConfigError(
                    f"{where}.{entry}: {printable(sql)} is not allowed; write an expression over "
                    "the fields, without queries and without files"
                )
        block = pa.table({name: pa.nulls(0, kind) for name, kind in self._fields(log).items()})
        self._connection.register("block", block)
        kinds = self._check(log, where, entries)
        if not kinds["when"].startswith("timestamp"):
            raise ConfigError(
                f"{where}.when: {printable(log.when)} is {kinds['when']}, not a timestamp"
            )
        for column, sql in given.items():
            kind = kinds[f"columns.{column}"].partition("(")[0]
            if kind not in (*_KINDS[wanted[column]], '"null"'):
                raise ConfigError(
                    f"{where}.columns.{column}: {printable(sql)} is {kind}, the column "
                    f"is {wanted[column]}"
                )
        # An expression that fails for a row, for example by an overflow, returns NULL there.
        outputs = ", ".join(f'try({sql}) as "out_{name}"' for name, sql in given.items())
        sql = (
            f"{_prologue(log)} select line_no, when_, {_skipping(log)} as skipped_, "  # noqa: S608
            f"{_refusal(log, kinds)} as refused_, {outputs} from timed_"
        )
        return Plan(log, pipeline, sql)

    @staticmethod
    def _fields(log: Log) -> dict[str, pa.DataType]:
        types = {name: FIELD_TYPES[field.type] for name, field in log.fields.items()}
        return {"line_no": pa.int64(), **types}

    def _reserved(self) -> set[str]:
        found = self._connection.execute(
            "select keyword_name from duckdb_keywords() where keyword_category = 'reserved'"
        )
        return {row[0] for row in found.fetchall()}

    def _check(self, log: Log, where: str, entries: Sequence[tuple[str, str]]) -> Mapping[str, str]:
        """Return the type of every entry; report the first entry that does not bind."""
        names = [entry for entry, _ in entries]
        listed = ", ".join(f'({sql}) as "{place}"' for place, (_, sql) in enumerate(entries))
        try:
            described = self._connection.execute(
                f"describe {_prologue(log)} select {listed} from timed_"  # noqa: S608
            ).fetchall()
        except duckdb.Error:
            self._blame(log, where, entries)
            raise
        return dict(zip(names, (row[1].lower() for row in described), strict=True))

    def _blame(self, log: Log, where: str, entries: Sequence[tuple[str, str]]) -> None:
        lets: dict[str, str] = {}
        for entry, sql in entries:
            part, _, name = entry.partition(".")
            if part == "when":
                tried = f"{_let(lets)} select cast(({sql}) as timestamp) from lets_"  # noqa: S608
            elif part == "let":
                tried = f"{_let(lets | {name: sql})} select * from lets_"  # noqa: S608
                lets[name] = sql
            else:
                tried = f"{_prologue(log)} select ({sql}) from timed_"  # noqa: S608
            try:
                self._connection.execute(f"describe {tried}")
            except duckdb.Error as error:
                raise ConfigError(f"{where}.{entry}: {reason(error)}") from error

    def instants(self, column: pa.Array) -> pa.Array:
        """Parse times as `instant()` does, without SQL in most cases; NULL if not a time."""
        try:
            decimal = pc.cast(column, _DECIMAL)
        except pa.ArrowInvalid:
            pass  # Not an epoch time, or an unusual one.
        else:
            words = np.frombuffer(decimal.buffers()[1], np.int64).reshape(-1, 2)
            low, high = words[decimal.offset : decimal.offset + len(decimal)].T
            there = decimal.is_valid().to_numpy(zero_copy_only=False)
            if (((high == 0) & (low >= 0) & (low < _MILLISECONDS)) | ~there).all():
                return pa.array(low // 1000, pa.timestamp("us"), mask=~there)
        found = self._run(
            pa.table({"x": column}), "select cast(instant(x) as timestamp) as x from block"
        )
        return found["x"].combine_chunks()

    def json(self, lines: pa.Array, by: Sequence[str]) -> tuple[pa.Array, pa.Array]:
        """Check that lines are JSON objects, and find the log of each.

        Args:
            lines: The lines.
            by: The keys whose value names the log.

        Returns:
            Per line, why it is not a JSON object, or NULL; and the text of the first key that it
            has, or NULL.
        """
        paths = ", ".join(text(json_path(key)) for key in by) or "'$'"
        firsts = ", ".join(f"found[{n + 1}]" for n in range(len(by))) or "null"
        # Invalid JSON is an error; DuckDB then retries line by line, and returns NULL for it.
        found = self._run(
            pa.table({"line": lines}),
            f"with parsed as (select line, try(json_extract_string(line, [{paths}])) as found "  # noqa: S608
            "from block) select case when found is null then 'not JSON' when not "
            "starts_with(ltrim(line, concat(' ', chr(9))), '{') then 'not a JSON object' end "
            f"as wrong, cast(coalesce({firsts}, null) as varchar) as by from parsed",
        )
        return found["wrong"].combine_chunks(), found["by"].combine_chunks()

    def json_fields(
        self, lines: pa.Array, plan: Plan, block: bytes, by: Sequence[str] = (), log: str = ""
    ) -> Mapping[str, pa.Array] | None:
        """Return the fields of JSON objects, as texts and lists of texts.

        Args:
            lines: The lines.
            plan: The log with the fields to look for.
            block: The bytes of the lines; keys that do not occur in it are skipped.
            by: The keys whose value names the log of a line, if the log is not certain.
            log: The log that all lines should belong to.

        Returns:
            None if a line is not an object, or does not name the log as its own.
        """
        paths: list[str] = [json_path(key) for key in by]
        lists: dict[str, str] = {}
        places: dict[str, list[int]] = {}
        found_in: dict[bytes, bool] = {}
        escaped = b"\\u00" in block  # May be an escaped letter of a key.
        for name, field in plan.log.fields.items():
            there = [json_path(place) for place in field.places]
            if len(there) > 1:
                # Searching for a few bytes is faster than looking up a key in every line.
                heads = [_head(place) for place in field.places]
                for head in set(heads) - set(found_in):
                    found_in[head] = escaped or head in block
                there = [path for path, head in zip(there, heads, strict=True) if found_in[head]]
            if field.type == "list":
                found = [text(path if "[*]" in path else f"{path}[*]") for path in there]
                # A missing path returns an empty list.
                each = [f"nullif(try(json_extract_string(line, {path})), [])" for path in found]
                lists[name] = f"coalesce({', '.join(each)})" if each else "cast(null as varchar[])"
            else:
                places[name] = list(range(len(paths), len(paths) + len(there)))
                paths += there
        listed = ", ".join(text(path) for path in paths) or "'$'"
        named = "".join(f', {sql} as "{name}"' for name, sql in lists.items())
        table = self._run(
            pa.table({"line": lines}),
            f"select try(json_extract_string(line, [{listed}])) as found{named} from block",  # noqa: S608
        )
        if by and table["found"].null_count:
            return None
        flat, width = table["found"].combine_chunks().flatten(), max(len(paths), 1)
        firsts = np.arange(0, len(flat), width)
        columns = [flat.take(pa.array(firsts + place)) for place in range(width)]
        if by:
            named_log = pc.coalesce(*columns[: len(by)])
            # A line with such a key is a JSON object; other JSON values have no keys.
            if not pc.all(pc.fill_null(pc.equal(named_log, log), False)).as_py():  # noqa: FBT003
                return None
        fields = {name: table[name].combine_chunks() for name in lists}
        for name, which in places.items():
            if which:
                fields[name] = pc.coalesce(*(columns[place] for place in which))
            else:
                fields[name] = pa.nulls(len(lines), pa.string())
            if plan.log.fields[name].type in ("instant", "local"):
                fields[name] = _as_written(fields[name], plan.log.fields[name].places, lines, block)
        return fields

    def map(
        self, plan: Plan, fields: pa.Table, latest: dt.datetime | None, oldest: dt.datetime | None
    ) -> Mapped:
        """Map fields to telemetry.

        Args:
            plan: The plan of the log.
            fields: `line_no`, and the log's fields in their types.
            latest: Latest plausible time; None for no limit.
            oldest: Earliest plausible time; None for no limit.
        """
        found = self._run(fields, plan.sql)
        when, skipped, refused = found["when_"], found["skipped_"], found["refused_"]
        for bound, wrong in ((oldest, pc.less), (latest, pc.greater)):
            if bound is not None:
                odd = wrong(when, pa.scalar(bound, when.type))
                if pc.any(odd).as_py():
                    odd = pc.and_kleene(odd, refused.is_null())
                    refused = pc.if_else(pc.fill_null(odd, False), IMPLAUSIBLE, refused)  # noqa: FBT003
        refused = pc.if_else(skipped.is_null(), refused, None)
        if skipped.null_count < len(skipped) or refused.null_count < len(refused):
            taken = found.filter(pc.and_(skipped.is_null(), refused.is_null()))
        else:
            taken = found
        arrays, unfit = [], {}
        for name, kind in plan.pipeline.telemetry.columns.items():
            wanted = ARROW_TYPES[kind]
            if f"out_{name}" not in taken.column_names:
                arrays.append(pa.nulls(taken.num_rows, wanted))
                continue
            column = taken[f"out_{name}"]
            column, bad = _fit(column, wanted)
            if bad:
                unfit[name] = bad
            arrays.append(column)
        return Mapped(
            pa.table(arrays, plan.schema),
            taken["line_no"].combine_chunks(),
            pc.cast(taken["when_"].combine_chunks(), pa.int64()),
            skipped,
            refused,
            unfit,
        )

    def _run(self, block: pa.Table, sql: str) -> pa.Table:
        with interrupts():
            self._connection.register("block", block)
            try:
                return self._connection.sql(sql).to_arrow_table()
            except duckdb.Error as error:
                raise IngestError(
                    f"lines cannot be mapped ({reason(error)}); correct the expressions in the "
                    "source's description, or report this as a bug"
                ) from error
            finally:
                self._connection.unregister("block")


def json_path(place: str) -> str:
    """Convert a place to a path of DuckDB's JSON functions."""
    if place.startswith("$"):
        return place
    escaped = place.replace("\\", "\\\\").replace('"', '\\"')
    return f'$."{escaped}"'


def _as_written(times: pa.Array, places: Sequence[str], lines: pa.Array, block: bytes) -> pa.Array:
    """Restore all digits of epoch times: as a double, x.9999999 may round to the next second."""
    for place in places:
        key = re.escape(place.rpartition(".")[2])
        pattern = rf'"{key}"\s*:\s*(?P<time>\d+\.\d{{7,}})'
        if re.search(pattern.encode(), block):
            raw = pc.struct_field(pc.extract_regex(lines, pattern), ["time"])
            # The match may be the same key of another object.
            as_read = pc.if_else(raw.is_valid(), times, None)
            same = pc.equal(
                pc.cast(raw, pa.float64()),
                pc.cast(
                    pc.if_else(pc.match_substring_regex(as_read, r"^[0-9.]+$"), as_read, None),
                    pa.float64(),
                ),
            )
            times = pc.if_else(pc.fill_null(same, False), raw, times)  # noqa: FBT003
    return times


def _head(place: str) -> bytes:
    """Return bytes that occur in the JSON text if the place exists."""
    key = place.removeprefix("$").removeprefix(".")
    first = re.split(r"[.\[]", key)[0] + '"' if place.startswith("$") else key[:3]
    return f'"{first}'.encode()


def _let(lets: Mapping[str, str]) -> str:
    named = "".join(f', try({sql}) as "{name}"' for name, sql in lets.items())
    return f"with lets_ as (select *{named} from block)"  # noqa: S608


def _prologue(log: Log) -> str:
    return (
        f"{_let(log.let)}, timed_ as "  # noqa: S608
        f"(select *, try(cast(({log.when}) as timestamp)) as when_ from lets_)"
    )


def _skipping(log: Log) -> str:
    whens = "".join(f" when ({sql}) then {text(name)}" for name, sql in log.where.items())
    return f"case{whens} end" if whens else "cast(null as varchar)"


def _refusal(log: Log, kinds: Mapping[str, str]) -> str:
    whens = ""
    for name, sql in log.required.items():
        empty = f" or ({sql}) = ''" if kinds[f"required.{name}"] == "varchar" else ""
        whens += f" when ({sql}) is null{empty} then {text(f'{name} is missing or unusable')}"
    return f"case{whens} when when_ is null then 'time is missing or unusable' end"


def _fit(column: pa.ChunkedArray, wanted: pa.DataType) -> tuple[pa.ChunkedArray, int]:
    """Cast values to the column's type; values that do not fit become NULL and are counted."""
    if column.type == wanted:
        return column, 0
    if pa.types.is_floating(wanted):
        found = pc.cast(column, wanted, safe=False)
        fitting = pc.if_else(pc.is_finite(found), found, None)
        return fitting, fitting.null_count - column.null_count
    if not pa.types.is_integer(wanted):
        return pc.cast(column, wanted), 0
    try:
        return pc.cast(column, wanted), 0
    except pa.ArrowInvalid:
        largest = 2 ** (wanted.bit_width - 1) - 1
        fits = pc.and_kleene(pc.less_equal(column, largest), pc.greater_equal(column, -largest - 1))
        fitting = pc.if_else(fits, column, None)
        return pc.cast(fitting, wanted), fitting.null_count - column.null_count


def _code_macros(seeds: Path) -> list[str]:
    """Return the SQL of `dns_type`, `dns_rcode` and `protocol`, made from the code lists."""
    made = []
    try:
        for macro, file in _CODES.items():
            rows = _seed(seeds / file)
            names = ", ".join(text(name.upper()) for _, name in rows)
            codes = ", ".join(code for code, _ in rows)
            made.append(
                f"create macro {macro}(x) as coalesce("
                f"[{codes}][list_position([{names}], upper(x))], "
                "case when regexp_full_match(upper(x), '(TYPE|RCODE)?[0-9]{1,5}') "
                "then cast(regexp_extract(x, '[0-9]+') as integer) end)"
            )
        rows = _seed(seeds / "ip_protocols.csv")
        codes = ", ".join(code for code, _ in rows)
        names = ", ".join(
            text("ICMP6" if name == "IPv6-ICMP" else name.upper()) for _, name in rows
        )
        made.append(
            "create macro protocol(x) as case when regexp_full_match(x, '[0-9]{1,3}') then "
            f"coalesce([{names}][list_position([{codes}], cast(x as integer))], x) "
            "when upper(x) = 'IPV6-ICMP' then 'ICMP6' else upper(x) end"
        )
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"code lists {seeds}: {printable(error)}; SPOT_OA_PROJECT_DIR must be the dbt project"
        ) from error
    return made


def _seed(path: Path) -> list[tuple[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        rows: list[dict[str, Any]] = list(csv.DictReader(file))
    return [(str(int(row["code"])), row["name"]) for row in rows if int(row["code"]) >= 0]
