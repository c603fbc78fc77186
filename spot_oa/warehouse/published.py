"""Published files, read back as rows."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def read_rows(path: Path) -> list[dict[str, object]]:
    """The rows of a published Parquet file, in its order, by column.

    Raises:
        OSError: It is not there, or not readable.
    """
    try:
        rows: list[dict[str, object]] = pq.ParquetFile(path).read().to_pylist()
    except pa.ArrowInvalid as error:
        raise OSError(f"{path} is no Parquet file ({error})") from error
    return rows
