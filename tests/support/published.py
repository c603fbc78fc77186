"""Compare published files."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

Files = dict[str, tuple[Any, ...]]


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every Parquet file of a published day."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.glob("*.parquet"))
    }


def content(folder: Path) -> Files:
    """Return columns, types, metadata and ordered rows of every Parquet file of a published day."""
    files = {}
    for path in sorted(folder.glob("*.parquet")):
        table = pq.ParquetFile(path).read()
        columns = [(field.name, str(field.type)) for field in table.schema]
        files[path.name] = (columns, table.schema.metadata, table.to_pylist())
    return files
