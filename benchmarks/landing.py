"""Landing compared with plain columnar reads of the same files into a new database."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import duckdb
import pyarrow.csv

from benchmarks.bench import DATE, LIMIT, Bench, seconds, size
from flows.run.tables import python_tables
from spot_oa.dates import Slice
from spot_oa.landing import land
from spot_oa.pipelines import Pipeline, get_pipeline
from spot_oa.warehouse import open_warehouse
from spot_oa.warehouse.duckdb.warehouse import SQL_TYPES
from spot_oa.warehouse.tables import ARROW_TYPES

LINES = {1_000_000: 0, 10_000_000: 10_000_001}
"""Lines of a results file -> minimum size of day for which it is measured."""


def measure(bench: Bench) -> Iterator[dict[str, str]]:
    pipeline, part = get_pipeline("flow"), Slice("flow", DATE)
    for lines, least in LINES.items():
        if max(bench.sizes) < least:
            continue
        settings = bench.home("flow", lines, lines=lines)
        file = Path(pipeline.results_uri(settings.ml_uri, part))
        plain = file.with_name("whole_lines.csv")
        _without_broken_lines(file, plain, pipeline.results.width)
        warehouse = open_warehouse(settings)
        warehouse.prepare(python_tables({"flow": pipeline}))
        found = bench.in_turns(
            {
                "all": partial(land, pipeline, part, settings.ml_uri, lines, warehouse),
                "first": partial(land, pipeline, part, settings.ml_uri, LIMIT, warehouse),
                "pyarrow": partial(_pyarrow, plain, pipeline),
                "DuckDB": partial(_duckdb, plain, pipeline),
            }
        )
        better = min("pyarrow", "DuckDB", key=found.seconds)
        yield {
            "lines": size(lines),
            "landing": seconds(found.seconds("all")),
            f"landing the first {size(LIMIT)}": seconds(found.seconds("first")),
            "pyarrow, to disk": seconds(found.seconds("pyarrow")),
            "DuckDB, to disk": seconds(found.seconds("DuckDB")),
            "landing to the better": found.ratio("all", better),
            "in CPU time": found.ratio("all", better, cpu=True),
        }


def _new(file: Path) -> duckdb.DuckDBPyConnection:
    path = file.with_name("plain.duckdb")
    path.unlink(missing_ok=True)
    return duckdb.connect(str(path))


def _pyarrow(file: Path, pipeline: Pipeline) -> None:
    fields = pipeline.results.fields
    table = pyarrow.csv.read_csv(
        file,
        pyarrow.csv.ReadOptions(column_names=list(fields)),
        pyarrow.csv.ParseOptions(delimiter="\t", quote_char=False),
        pyarrow.csv.ConvertOptions(
            column_types={name: ARROW_TYPES[spec.type] for name, spec in fields.items()},
            null_values=["null", "-"],
        ),
    )
    with _new(file) as connection:
        connection.register("rows", table)
        connection.execute("create table landed as from rows")


def _duckdb(file: Path, pipeline: Pipeline) -> None:
    columns = {name: SQL_TYPES[spec.type] for name, spec in pipeline.results.fields.items()}
    with _new(file) as connection:
        connection.execute(
            f"create table landed as from read_csv('{file}', delim = '\\t', quote = '', "
            f"escape = '', header = false, auto_detect = false, nullstr = ['null', '-'], "
            f"columns = {columns})"
        )


def _without_broken_lines(file: Path, plain: Path, width: int) -> None:
    """Copy the lines with all fields, which plain readers can read."""
    with file.open("rb") as lines, plain.open("wb") as copied:
        copied.writelines(line for line in lines if line.count(b"\t") == width - 1)
