"""Published files, compared."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

Files = dict[str, tuple[Any, ...]]


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every Parquet file of a published day."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.glob("*.parquet"))
    }


def content(folder: Path) -> Files:
    """Columns with types, metadata, and rows in order, of every Parquet file of a published day."""
    files = {}
    for path in sorted(folder.glob("*.parquet")):
        table = pq.ParquetFile(path).read()
        columns = [(field.name, str(field.type)) for field in table.schema]
        files[path.name] = (columns, table.schema.metadata, table.to_pylist())
    return files
