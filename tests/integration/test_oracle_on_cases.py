"""The slow statement of the rules gives the intended tables of every reference case.

It is what generated days are compared with (tests/faults/test_generated_days.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from spot_oa.dates import parse_date
from spot_oa.pipelines import Pipeline
from tests.integration.test_reference_cases import FOLDERS
from tests.support.cases import Case, assert_same, read_csv, table_of
from tests.support.oracle import Day, expected

pytestmark = pytest.mark.reference


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_case(folder: Path, reference: Path, tmp_path: Path) -> None:
    case = Case.read(folder)
    case.lay_out(tmp_path, reference)
    context = tmp_path / "context"
    name = case.pipeline.name
    day = Day(
        name,
        parse_date(case.date),
        case.run["limit"],
        (folder / f"{name}_results.csv").read_bytes(),
        telemetry(case, tmp_path),
        {str(f.relative_to(context)): f.read_bytes() for f in context.rglob("*") if f.is_file()},
    )
    made = expected(day)
    intended = case.intended()
    assert made.keys() == intended.keys()
    for table, wanted in intended.items():
        assert_same(table_of(wanted.header, made[table]), wanted, table)


def telemetry(case: Case, home: Path) -> list[dict[str, Any]]:
    pipeline = case.pipeline
    raw = case.folder / f"raw_{pipeline.name}.csv"
    if raw.exists():
        header, rows = read_csv(raw)
        return [typed(pipeline, dict(zip(header, row, strict=True))) for row in rows]
    date = parse_date(case.date)
    found = []
    for file in (home / "raw" / pipeline.name).glob(f"y={date.year}/m=*/d=*/h=*/*.parquet"):
        parts = {key: int(value) for key, value in (p.split("=") for p in file.parts if "=" in p)}
        if (parts["m"], parts["d"]) == (date.month, date.day):
            rows = pyarrow.parquet.ParquetFile(file).read().to_pylist()
            found += [{**row, **parts} for row in rows]
    return found


def typed(pipeline: Pipeline, row: dict[str, Any]) -> dict[str, Any]:
    kinds = {**pipeline.telemetry.columns, **dict.fromkeys("ymdh", "int")}
    return {
        name: int(value) if value is not None and kinds[name] in ("int", "bigint") else value
        for name, value in row.items()
    }
