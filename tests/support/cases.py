"""Reference cases: written as a home for a run, and compared with the run's output."""

from __future__ import annotations

import csv
import json
import math
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from spot_oa.pipelines import Pipeline, get_pipeline
from spot_oa.warehouse.tables import ARROW_TYPES
from tests.support.project import PROJECT

REFERENCE = Path(os.environ.get("SPOT_OA_REFERENCE_DIR", PROJECT.parent / "shared")).resolve()
FOLDERS = sorted(path.parent for path in (REFERENCE / "cases").glob("*/*/run.json"))
"""The cases; empty without the reference folder."""


@dataclass(frozen=True)
class Table:
    """Sort rows, as (text of all other columns, sum of the score columns)."""

    header: tuple[str, ...]
    rows: list[tuple[tuple[str | None, ...], float]]


@dataclass(frozen=True)
class Case:
    """One folder under cases/."""

    folder: Path
    run: dict[str, Any]

    @classmethod
    def read(cls, folder: Path) -> Case:
        return cls(folder, json.loads((folder / "run.json").read_text("utf-8")))

    @property
    def pipeline(self) -> Pipeline:
        return get_pipeline(self.run["pipeline"])

    @property
    def date(self) -> str:
        return self.run["date"]

    def lay_out(self, home: Path, reference: Path) -> None:
        """Write telemetry, results and context below `home`, where a run reads them."""
        name = self.pipeline.name
        scores = home / "ml" / name / "scored_results" / self.date / "scores"
        scores.mkdir(parents=True)
        shutil.copy(self.folder / f"{name}_results.csv", scores)
        raw = self.folder / f"raw_{name}.csv"
        if raw.exists():
            write_telemetry(home / "raw", self.pipeline, raw)
        else:
            (home / "raw").mkdir()
            (home / "raw" / name).symlink_to(reference / "real" / "raw" / name)
        context = home / "context"
        (context / "reputation").mkdir(parents=True)
        for file in ("iploc.csv", "ipranges.csv", "networkcontext.csv"):
            if (self.folder / file).exists():
                shutil.copy(self.folder / file, context)
        for service, answers in self.run["reputation"].items():
            table = json.loads((self.folder / answers["table"]).read_text("utf-8"))
            with (context / "reputation" / f"{service}.csv").open("w", newline="") as out:
                for indicator, verdict in table.items():
                    _, label, severity = verdict.rsplit(":", 2)
                    csv.writer(out).writerow([indicator, label, severity])

    def intended(self) -> dict[str, Table]:
        """Return the expected tables of the case."""
        return {
            file.stem: table_of(*read_csv(file))
            for file in sorted((self.folder / "intended").glob("*.csv"))
        }


def read_csv(file: Path) -> tuple[list[str], list[list[str | None]]]:
    with file.open(encoding="utf-8", newline="") as source:
        header, *rows = csv.reader(source)
    return header, [[None if field == "\\N" else field for field in row] for row in rows]


def published(folder: Path) -> dict[str, Table]:
    """Return every published table, comparable with `Case.intended`."""
    tables = {}
    for file in sorted(folder.glob("*.parquet")):
        table = pq.ParquetFile(file).read()
        rows = zip(*(column.to_pylist() for column in table.columns), strict=True)
        tables[file.stem] = table_of(table.column_names, rows)
    return tables


def assert_same(made: Table, intended: Table, what: str) -> None:
    """Compare rows as a multiset; scores have the precision of a 32-bit float."""
    assert made.header == intended.header, what
    assert Counter(row for row, _ in made.rows) == Counter(row for row, _ in intended.rows), what
    for (row, score), (_, wanted) in zip(made.rows, intended.rows, strict=True):
        assert math.isclose(score, wanted, rel_tol=1e-6), (what, row)


def table_of(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    scores = [name in {"score", "ml_score"} for name in header]
    split = [
        (
            tuple(
                None if cell is None else str(cell)
                for cell, score in zip(row, scores, strict=True)
                if not score
            ),
            sum(float(cell) for cell, score in zip(row, scores, strict=True) if score),
        )
        for row in rows
    ]
    return Table(tuple(header), sorted(split, key=lambda pair: (repr(pair[0]), pair[1])))


def write_telemetry(root: Path, pipeline: Pipeline, raw: Path) -> None:
    """Write telemetry rows (CSV with y, m, d, h at the end) as the Parquet tree of a pipeline."""
    header, rows = read_csv(raw)
    by_hour: dict[tuple[str | None, ...], list[list[str | None]]] = {}
    for row in rows:
        by_hour.setdefault(tuple(row[-4:]), []).append(row)
    for (y, m, d, h), hour in by_hour.items():
        folder = root / pipeline.name / f"y={y}" / f"m={m}" / f"d={d}" / f"h={h}"
        folder.mkdir(parents=True)
        columns = {
            name: pa.array([row[header.index(name)] for row in hour], pa.string()).cast(
                ARROW_TYPES[kind]
            )
            for name, kind in pipeline.telemetry.columns.items()
        }
        pq.write_table(pa.table(columns), folder / "part-0.parquet")
