"""Landing results files against plain columnar reads of the same files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
from spot_oa.warehouse.duckdb import SQL_TYPES
from spot_oa.warehouse.tables import ARROW_TYPES, python_tables

FIRST = 3000
LINES = {1_000_000: 0, 10_000_000: 10_000_001}
"""Lines of a results file, and from which size of day on it is measured."""


def measure(bench: Bench) -> Table:
    head = (
        "lines",
        "taken",
        "landing",
        "pyarrow",
        "DuckDB",
        "landing to the better",
        "in CPU time",
    )
    return filled(head, _rows(bench))


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
            "pyarrow": lambda plain=plain: _pyarrow(plain, pipeline),  # type: ignore[misc]
            "DuckDB": lambda plain=plain: _duckdb(plain, pipeline),  # type: ignore[misc]
        }
        found = in_turns(bench.runs, cases)
        better = min("pyarrow", "DuckDB", key=found.seconds)
        reads = [seconds(found.seconds("pyarrow")), seconds(found.seconds("DuckDB"))]
        ratios = times(found.ratio("all", better)), times(found.cpu_ratio("all", better))
        yield [size(lines), "all", seconds(found.seconds("all")), *reads, *ratios]
        yield [size(lines), size(FIRST), seconds(found.seconds("first")), *[""] * 4]


def _pyarrow(file: Path, pipeline: Pipeline) -> None:
    """Read into memory."""
    fields = pipeline.results.fields
    pyarrow.csv.read_csv(
        file,
        pyarrow.csv.ReadOptions(column_names=list(fields)),
        pyarrow.csv.ParseOptions(delimiter="\t", quote_char=False),
        pyarrow.csv.ConvertOptions(
            column_types={name: _arrow(spec.type) for name, spec in fields.items()},
            null_values=["null", "-"],
        ),
    )


def _arrow(kind: str) -> pa.DataType:
    return {str(name): arrow for name, arrow in ARROW_TYPES.items()}[kind]


def _duckdb(file: Path, pipeline: Pipeline) -> None:
    """Read into a table in memory."""
    columns = {name: SQL_TYPES[spec.type] for name, spec in pipeline.results.fields.items()}
    with duckdb.connect() as connection:
        connection.execute(
            f"create table landed as from read_csv('{file}', delim = '\\t', quote = '', "
            f"escape = '', header = false, auto_detect = false, nullstr = ['null', '-'], "
            f"columns = {columns})"
        )


def _without_broken_lines(file: Path, plain: Path, width: int) -> None:
    """What plain readers can read: the lines with all their fields."""
    with file.open("rb") as lines, plain.open("wb") as kept:
        kept.writelines(line for line in lines if line.count(b"\t") == width - 1)
