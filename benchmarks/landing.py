"""Landing results files against plain columnar reads of the same files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.csv

from benchmarks.bench import DATE, Bench, size
from benchmarks.measure import in_turns
from benchmarks.tables import Table, filled, seconds, times
from spot_oa.dates import Slice
from spot_oa.landing import land
from spot_oa.pipelines import Pipeline, get_pipeline
from spot_oa.settings import Settings
from spot_oa.warehouse import open_warehouse
from spot_oa.warehouse.duckdb.warehouse import SQL_TYPES
from spot_oa.warehouse.tables import ARROW_TYPES, python_tables

FIRST = 3000
LINES = {1_000_000: 0, 10_000_000: 10_000_001}
"""Lines of a results file, and from which size of day on it is measured."""


def measure(bench: Bench) -> Table:
    plain = ("pyarrow", "pyarrow, to disk", "DuckDB", "DuckDB, to disk")
    ratios = ("landing to the better to disk", "in CPU time")
    return filled(("lines", "taken", "landing", *plain, *ratios), _rows(bench))


def _rows(bench: Bench) -> Iterator[list[str]]:
    pipeline, part = get_pipeline("flow"), Slice("flow", DATE)
    for lines, least in LINES.items():
        if max(bench.sizes) < least:
            continue
        settings = bench.home("flow", lines, lines=lines)
        file = Path(pipeline.results_uri(settings.ml_uri, part))
        plain = file.with_name("whole_lines.csv")
        if not plain.exists():
            _without_broken_lines(file, plain, pipeline.results.width)
        warehouse = open_warehouse(settings)
        warehouse.prepare(python_tables({"flow": pipeline}))

        def landed(limit: int, settings: Settings = settings) -> None:
            land(pipeline, part, settings.ml_uri, limit, open_warehouse(settings))

        cases: dict[str, Callable[[], object]] = {
            "all": lambda lines=lines: landed(lines),  # type: ignore[misc]
            "first": lambda: landed(FIRST),
        }
        for name, read in (("pyarrow", _pyarrow), ("DuckDB", _duckdb)):
            for where, to in (("", None), (", to disk", file.with_name("plain.duckdb"))):
                cases[name + where] = partial(_fresh, read, plain, pipeline, to)
        found = in_turns(bench.runs, cases)
        better = min("pyarrow, to disk", "DuckDB, to disk", key=found.seconds)
        reads = [seconds(found.seconds(name)) for name in list(cases)[2:]]
        ratios = times(found.ratio("all", better)), times(found.cpu_ratio("all", better))
        yield [size(lines), "all", seconds(found.seconds("all")), *reads, *ratios]
        yield [size(lines), size(FIRST), seconds(found.seconds("first")), *[""] * 6]


Read = Callable[[duckdb.DuckDBPyConnection, Path, Pipeline], None]


def _fresh(read: Read, file: Path, pipeline: Pipeline, to: Path | None) -> None:
    """Read into a table of a new database, or into memory."""
    if to is not None:
        to.unlink(missing_ok=True)
    with duckdb.connect(to or ":memory:") as connection:
        read(connection, file, pipeline)


def _pyarrow(connection: duckdb.DuckDBPyConnection, file: Path, pipeline: Pipeline) -> None:
    fields = pipeline.results.fields
    table = pyarrow.csv.read_csv(
        file,
        pyarrow.csv.ReadOptions(column_names=list(fields)),
        pyarrow.csv.ParseOptions(delimiter="\t", quote_char=False),
        pyarrow.csv.ConvertOptions(
            column_types={name: _arrow(spec.type) for name, spec in fields.items()},
            null_values=["null", "-"],
        ),
    )
    if connection.execute("select path from duckdb_databases() where path is not null").fetchall():
        connection.register("rows", table)
        connection.execute("create table landed as from rows")


def _arrow(kind: str) -> pa.DataType:
    return {str(name): arrow for name, arrow in ARROW_TYPES.items()}[kind]


def _duckdb(connection: duckdb.DuckDBPyConnection, file: Path, pipeline: Pipeline) -> None:
    columns = {name: SQL_TYPES[spec.type] for name, spec in pipeline.results.fields.items()}
    connection.execute(
        f"create table landed as from read_csv('{file}', delim = '\\t', quote = '', "
        f"escape = '', header = false, auto_detect = false, nullstr = ['null', '-'], "
        f"columns = {columns})"
    )


def _without_broken_lines(file: Path, plain: Path, width: int) -> None:
    """What plain readers can read: the lines with all their fields."""
    with file.open("rb") as lines, plain.open("wb") as kept:
        kept.writelines(line for line in lines if line.count(b"\t") == width - 1)
