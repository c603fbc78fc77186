"""Telemetry in folders: find the Parquet files of a day, and convert their columns to SQL types."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb

from spot_oa.errors import ConfigError, WarehouseError, printable
from spot_oa.pipelines import Pipeline, Type
from spot_oa.warehouse.duckdb.parquet import SQL_TYPES, reason, text

_SHOWN = 3
"""Maximum number of files that a warning names."""
_SHOWN_COLUMNS = 60
_FILE = "spot_oa_file"
"""The column that DuckDB adds: the file that a row comes from."""

# --------------------------------------------------------------------------- folders


@dataclass(frozen=True, slots=True)
class Day:
    """The files below the folders of a day, without hidden files."""

    files: Sequence[Path]
    """Files inside an hour's folder, at any depth."""
    left_out: Sequence[Path]
    """Files outside the hour folders."""


def days(root: Path) -> Iterator[dt.date]:
    """Return the days that have a folder, newest first."""
    found = set()
    with readable():
        for year in _partitions(root, "y"):
            for month in _partitions(year, "m"):
                for day in _partitions(month, "d"):
                    numbers = (int(part.name[2:]) for part in (year, month, day))
                    with suppress(ValueError):  # Not a day of the calendar.
                        found.add(dt.date(*numbers))
    yield from sorted(found, reverse=True)


def files_of(root: Path, date: dt.date) -> Day:
    """Return the files of a day; partition values compare as integers, keys ignore case.

    Raises:
        ConfigError: A folder cannot be listed.
    """
    folders = [root]
    files: list[Path] = []
    left_out: list[Path] = []
    with readable():
        for key, value in (("y", date.year), ("m", date.month), ("d", date.day)):
            folders = [
                child
                for folder in folders
                for child in _partitions(folder, key)
                if int(child.name[2:]) == value
            ]
        for folder in folders:
            hours = set(_partitions(folder, "h"))
            for child in _visible(folder):
                (files if child in hours else left_out).extend(_below(child))
    return Day(files, left_out)


def _partitions(folder: Path, key: str) -> list[Path]:
    pattern = re.compile(rf"{key}=\d{{1,9}}", re.ASCII | re.IGNORECASE)
    return [path for path in _visible(folder) if pattern.fullmatch(path.name) and path.is_dir()]


def _visible(folder: Path) -> list[Path]:
    """List a folder without the hidden files that Hive, Impala and Spark skip."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith((".", "_")))


def _below(path: Path) -> Iterator[Path]:
    if path.is_dir():
        for child in _visible(path):
            yield from _below(child)
    else:
        yield path


@contextmanager
def readable() -> Iterator[None]:
    """Raise an error for an unreadable folder; skipped, it would look like a day without data."""
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"telemetry {printable(error.filename)} cannot be read ({error.strerror}); "
            "let this user read it, or correct SPOT_OA_RAW_URI"
        ) from error


# --------------------------------------------------------------------------- columns


@dataclass(frozen=True, slots=True)
class _Alike:
    """Files whose described columns have the same types."""

    types: Mapping[str, str]
    """Described column -> its DuckDB type in the files."""
    names: Sequence[str]
    """All columns of one of the files."""
    files: list[str] = field(default_factory=list)
    bytes_are_text: bool = False

    def scan(self) -> str:
        # DuckDB takes the columns from the first file; it reads other footers only with their rows.
        listed = ", ".join(text(_plain(file)) for file in self.files)
        return (
            f"read_parquet([{listed}], hive_partitioning = false, filename = '{_FILE}', "
            f"binary_as_string = {str(self.bytes_are_text).lower()})"
        )


def found_columns(
    connection: duckdb.DuckDBPyConnection, pipeline: Pipeline, file: Path
) -> Sequence[str]:
    """Return the described columns that a file has.

    Raises:
        SpotOaError: The file is not readable Parquet, or has a column twice.
    """
    (alike,) = _schemas(connection, pipeline, [file])
    return list(alike.types)


def query(
    connection: duckdb.DuckDBPyConnection, pipeline: Pipeline, root: Path, files: Sequence[Path]
) -> tuple[str, Sequence[str]]:
    """Build a query for the described columns and y, m, d, h in their types, and warnings.

    The query lists the files by name, so rows of files added later are not read.

    Args:
        connection: Used to inspect the files.
        pipeline: The pipeline, with the description of its columns.
        root: The folder of the pipeline's telemetry.
        files: The files to read, below folders of y, m, d and h.

    Raises:
        ConfigError: No file has a column that the pipeline needs, or a file has a column twice.
        WarehouseError: A file is not readable Parquet.
    """
    if not files:
        return _no_rows(pipeline), ()
    schemas = _schemas(connection, pipeline, files)
    warnings = list(_missing(pipeline, schemas))
    schemas = [_with_text(connection, alike) for alike in schemas]
    for alike in schemas:
        warnings += _unfit(connection, pipeline, alike)
    selects = (_select(pipeline, root, alike) for alike in schemas)
    return " union all ".join(selects), warnings


def _schemas(
    connection: duckdb.DuckDBPyConnection, pipeline: Pipeline, files: Sequence[Path]
) -> list[_Alike]:
    listed = ", ".join(text(_plain(str(file))) for file in files)
    try:
        found = connection.execute(
            "select list(file_name order by file_name), columns from (select file_name, "  # noqa: S608
            "list((name, duckdb_type, num_children) order by column_id) as columns "
            f"from parquet_schema([{listed}]) group by file_name) group by columns"
        ).fetchall()
    except (duckdb.Error, UnicodeDecodeError) as error:
        raise _unreadable(connection, pipeline, files, error) from error
    groups: dict[tuple[tuple[str, str], ...], _Alike] = {}
    for of_files, columns in sorted(found):
        own = _top_level(columns)
        types: dict[str, str] = {}
        for name, kind in own:
            described = name.lower()
            if described in types:
                twice = ", ".join(printable(one) for one, _ in own if one.lower() == described)
                raise ConfigError(
                    f"telemetry {of_files[0]} has the column {described} twice ({twice}): names "
                    "compare without case; rename one"
                )
            if described in pipeline.telemetry.columns:
                types[described] = kind
        types = {name: types[name] for name in pipeline.telemetry.columns if name in types}
        alike = groups.setdefault(tuple(types.items()), _Alike(types, [name for name, _ in own]))
        alike.files.extend(of_files)
    return list(groups.values())


def _top_level(columns: Sequence[tuple[str, str, int | None]]) -> list[tuple[str, str]]:
    """Return the top-level columns of a Parquet schema, which lists its root, then depth first."""
    own = []
    inside = 0
    for name, kind, children in columns[1:]:
        if inside:
            inside -= 1
        else:
            own.append((name, kind))
        inside += children or 0
    return own


def _unreadable(
    connection: duckdb.DuckDBPyConnection,
    pipeline: Pipeline,
    files: Sequence[Path],
    error: Exception,
) -> WarehouseError:
    """Return the error of the first file that cannot be read."""
    for file in files:
        try:
            connection.execute("select * from parquet_schema(?)", [_plain(str(file))]).fetchall()
        except (duckdb.Error, UnicodeDecodeError) as own:
            return WarehouseError(
                f"telemetry {printable(file)} is not readable Parquet ({reason(own)}); "
                "replace the file, or move it out of the folder"
            )
    return WarehouseError(
        f"telemetry of {pipeline.name} is not readable Parquet ({reason(error)}); replace the file"
    )


def _missing(pipeline: Pipeline, schemas: Sequence[_Alike]) -> Iterator[str]:
    """Warn of columns that files lack; raise if no file has a needed column."""
    described = pipeline.telemetry
    nowhere = [
        name for name in described.columns if not any(name in alike.types for alike in schemas)
    ]
    if needed := [name for name in nowhere if name in described.needed]:
        names = [printable(name) for name in schemas[0].names]
        more = ", ..." if len(names) > _SHOWN_COLUMNS else ""
        raise ConfigError(
            f"telemetry of {pipeline.name} lacks the columns {', '.join(needed)}: "
            f"{printable(schemas[0].files[0])} has {', '.join(names[:_SHOWN_COLUMNS])}{more}; "
            "write them under the names of the description, or correct SPOT_OA_RAW_URI"
        )
    if shown := [name for name in nowhere if name not in described.unused]:
        yield f"telemetry of {pipeline.name} lacks the columns {', '.join(shown)}: they are NULL"
    for name in described.needed:
        lacking = sorted(file for one in schemas if name not in one.types for file in one.files)
        if lacking:
            yield (
                f"telemetry of {pipeline.name} lacks the column {name} in {_files(lacking)}: "
                "rows without it match nothing"
            )


def _with_text(connection: duckdb.DuckDBPyConnection, alike: _Alike) -> _Alike:
    """Have DuckDB read BLOB columns as text if all their bytes are UTF-8.

    This costs nothing, but fails on bytes that are not UTF-8; `_utf8` reads them, ten times slower.
    """
    marked = {name: kind for name, kind in alike.types.items() if kind != "BLOB"}
    if len(marked) == len(alike.types):
        return alike
    tried = replace(
        alike, types={**dict.fromkeys(alike.types, "VARCHAR"), **marked}, bytes_are_text=True
    )
    # A hash, so that DuckDB reads every byte.
    hashes = ", ".join(f'bit_xor(hash("{name}"))' for name in alike.types if name not in marked)
    try:
        connection.execute(f"select {hashes} from {tried.scan()}").fetchall()  # noqa: S608
    except duckdb.Error:
        return alike
    return tried


def _unfit(
    connection: duckdb.DuckDBPyConnection, pipeline: Pipeline, alike: _Alike
) -> Iterator[str]:
    """Warn of values that do not fit their column; check only columns where that can happen."""
    unsure = {
        name: read
        for name, kind in alike.types.items()
        if name not in pipeline.telemetry.unused
        and not (read := _read(name, kind, pipeline.telemetry.columns[name])).sure
    }
    if not unsure:
        return
    counts = ", ".join(
        f'count("{name}") - count({read.value}), '
        f'min(case when "{name}" is not null and {read.value} is null then {read.text} end)'
        for name, read in unsure.items()
    )
    try:
        rows = connection.execute(
            f"select {_FILE}, {counts} from {alike.scan()} group by {_FILE} order by {_FILE}"  # noqa: S608
        ).fetchall()
    except duckdb.Error as error:
        raise _broken(pipeline, error) from error
    for at, name in enumerate(unsure):
        bad = [(row[0], row[1 + 2 * at], row[2 + 2 * at]) for row in rows if row[1 + 2 * at]]
        if bad:
            total = sum(count for _, count, _ in bad)
            shown = ", ".join(
                f"{count} in {printable(file)} ({printable(value)[:60]!r})"
                for file, count, value in bad[:_SHOWN]
            )
            more = f", and {len(bad) - _SHOWN} more files" if len(bad) > _SHOWN else ""
            values = "1 value" if total == 1 else f"{total} values"
            yield (
                f"telemetry of {pipeline.name}: {values} of {name} cannot be "
                f"{pipeline.telemetry.columns[name]}, NULL instead: {shown}{more}"
            )


def _broken(pipeline: Pipeline, error: Exception) -> WarehouseError:
    """Return the error of a failed read; `reason` drops the query that DuckDB quotes."""
    return WarehouseError(
        f"telemetry of {pipeline.name} is not readable Parquet ({reason(error)}); replace the file"
    )


def _select(pipeline: Pipeline, root: Path, alike: _Alike) -> str:
    columns = []
    for name, kind in pipeline.telemetry.columns.items():
        value = (
            _read(name, alike.types[name], kind).value
            if name in alike.types
            else f"cast(null as {SQL_TYPES[kind]})"
        )
        # Leave a column without conversion bare, so that DuckDB can prune by its statistics.
        columns.append(value if value == f'"{name}"' else f'{value} as "{name}"')
    # DuckDB's own partition columns would come from any folder x=y of the path, and would override
    # columns of the files. The path is constant per file, so this costs nothing per row, and
    # conditions on the keys still prune files.
    below = f"substr({_FILE}, {len(str(root)) + 2})"
    pattern = text("(?i)^y=([0-9]+)/m=([0-9]+)/d=([0-9]+)/h=([0-9]+)/")
    columns += [
        f"cast(regexp_extract({below}, {pattern}, {group}) as integer) as {key}"
        for group, key in enumerate("ymdh", 1)
    ]
    return f"select {', '.join(columns)} from {alike.scan()}"  # noqa: S608


def _no_rows(pipeline: Pipeline) -> str:
    keys: Mapping[str, Type] = dict.fromkeys("ymdh", "int")
    columns = {**pipeline.telemetry.columns, **keys}.items()
    nulls = ", ".join(f'cast(null as {SQL_TYPES[kind]}) as "{name}"' for name, kind in columns)
    return f"select {nulls} where false"


def _plain(path: str) -> str:
    """Escape DuckDB's glob characters in a path."""
    return re.sub(r"([*?\[])", r"[\1]", path)


def left_out(day: Day) -> Iterator[str]:
    """Warn of files that are not read, if there are any."""
    if day.left_out:
        yield (
            f"telemetry in {_files(day.left_out)} is not read: it is outside the hour folders "
            "(h=5); move it into one"
        )


def _files(files: Iterable[object]) -> str:
    """Format the number of files and the first one."""
    first, *others = files
    if not others:
        return f"1 file, {printable(first)},"
    return f"{len(others) + 1} files (the first is {printable(first)})"


# --------------------------------------------------------------------------- values


@dataclass(frozen=True, slots=True)
class _Read:
    """How to read a column: SQL for its value, SQL for its text, and whether every value fits."""

    value: str
    text: str
    sure: bool


_SMALL = {"BOOLEAN", "TINYINT", "SMALLINT", "UTINYINT", "USMALLINT", '"NULL"'}
_WHOLE = {*_SMALL, "INTEGER", "BIGINT", "UINTEGER", "UBIGINT", "HUGEINT", "UHUGEINT"}
_FRACTIONAL = {"FLOAT", "DOUBLE"}
_MOMENTS = {"DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"}
_ZONED = {"TIMESTAMP WITH TIME ZONE", "TIMESTAMP_NS WITH TIME ZONE"}
_FITS: Mapping[Type, set[str]] = {
    "string": set(),
    "int": _SMALL,
    "bigint": {*_SMALL, "INTEGER", "UINTEGER"},
    "float": _WHOLE,
    "double": {*_WHOLE, "FLOAT"},
    "timestamp": {*_MOMENTS, '"NULL"'},
}
"""Wanted type -> the types whose values all fit it."""
# The same as in spot_oa/numbers.py.
_NUMBER = r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*"
_DIGITS = r"\s*[+-]?\d{1,38}(\.\d*)?\s*"
_SAFE = "1e15"
"""Below this limit a double represents every integer exactly."""


def _read(name: str, found: str, wanted: Type) -> _Read:
    column = f'"{name}"'
    spelled = _text(column, found)
    sql = SQL_TYPES[wanted]
    if found.lower() == sql:
        return _Read(column, spelled, sure=True)
    if wanted == "string":
        return _Read(spelled, spelled, sure=True)
    if found in _FITS[wanted]:
        return _Read(f"cast({column} as {sql})", spelled, sure=True)
    if wanted == "timestamp":
        value = f"make_timestamp(epoch_us({column}))" if found in _ZONED else spelled
        return _Read(f"try_cast({value} as {sql})", spelled, sure=found in _ZONED)
    whole = wanted in ("int", "bigint")
    decimal = found.startswith("DECIMAL")
    if found in _MOMENTS | _ZONED and wanted == "bigint":
        value = f"try(epoch_us({column}) // 1000000)"
    elif found in _WHOLE or (not whole and (decimal or found in _FRACTIONAL)):
        value = f"try_cast({column} as {sql})"
    elif decimal or found in _FRACTIONAL:
        value = f"try_cast(trunc({column}) as {sql})"
    else:
        value = _number(spelled, sql, whole=whole)
    return _Read(value, spelled, sure=False)


def _number(spelled: str, sql: str, *, whole: bool) -> str:
    double = f"try_cast({spelled} as double)"
    if not whole:
        return (
            f"case when regexp_full_match({spelled}, {text(_NUMBER)}) and isfinite({double}) "
            f"then try_cast({double} as {sql}) end"
        )
    # Avoid a double where possible: it has only 53 bits.
    return (
        f"case when regexp_full_match({spelled}, {text(_DIGITS)}) "
        rf"then try_cast(regexp_extract({spelled}, '[+-]?\d+') as {sql}) "
        f"when regexp_full_match({spelled}, {text(_NUMBER)}) "
        f"then try_cast(trunc({double}) as {sql}) end"
    )


def _text(column: str, found: str) -> str:
    """Return SQL for a column as text, independent of the time zone and the writer."""
    if found == "VARCHAR":
        return column
    if found == "BLOB":
        return _utf8(column)
    if found in _ZONED:
        return f"cast(make_timestamp(epoch_us({column})) as varchar)"
    if found in _FRACTIONAL or found.startswith("DECIMAL"):
        # A writer without NULL in integers stores them as doubles: code 200.0 is 200.
        return (
            f"case when {column} = trunc({column}) and abs({column}) < {_SAFE} "
            f"then cast(cast({column} as bigint) as varchar) else cast({column} as varchar) end"
        )
    return f"cast({column} as varchar)"


_HEX = "[0-9A-F]"
_NEXT = f"[89AB]{_HEX}"
_CHARACTER = "|".join(
    (
        f"[0-7]{_HEX}",
        f"(?:C[2-9A-F]|D{_HEX}){_NEXT}",
        f"E0[AB]{_HEX}{_NEXT}",
        f"E[1-9A-CEF](?:{_NEXT}){{2}}",
        f"ED[89]{_HEX}{_NEXT}",
        f"F0[9AB]{_HEX}(?:{_NEXT}){{2}}",
        f"F[1-3](?:{_NEXT}){{3}}",
        f"F48{_HEX}(?:{_NEXT}){{2}}",
    )
)
"""Pattern of one UTF-8 character in hexadecimal digits (Unicode 15, table 3-7)."""


def _utf8(column: str) -> str:
    r"""Return SQL for bytes as text; invalid UTF-8 becomes `\xNN`, as in results files."""
    escaped = (
        f"list_transform(regexp_extract_all(hex({column}), '(?:{_CHARACTER})|..'), "
        f"lambda one: case when regexp_full_match(one, '{_CHARACTER}') then one "
        r"else hex('\x' || lower(one)) end)"
    )
    decoded = f"try(decode({column}))"
    # DuckDB evaluates all arguments of coalesce(), but only the chosen branch of a case.
    return (
        f"case when {decoded} is not null then {decoded} "
        f"else decode(unhex(array_to_string({escaped}, ''))) end"
    )
