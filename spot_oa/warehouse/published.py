"""Read published files."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq


def read_rows(path: Path) -> list[dict[str, object]]:
    """Return the rows of a published Parquet file, in file order, as column -> value.

    Raises:
        OSError: The file is missing or not readable.
    """
    try:
        rows: list[dict[str, object]] = pq.ParquetFile(path).read().to_pylist()
    except pa.ArrowInvalid as error:
        raise OSError(f"{path} is not a Parquet file ({error})") from error
    return rows


def read_frame(path: Path) -> pd.DataFrame:
    """Return the rows of a published Parquet file as plain Python values, None for NULL.

    Raises:
        OSError: The file is missing or not readable.
    """
    try:
        columns = pq.ParquetFile(path).read().to_pydict()
    except pa.ArrowInvalid as error:
        raise OSError(f"{path} is not a Parquet file ({error})") from error
    # dtype=object: with a missing value pandas would turn integers into floats.
    return pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in columns.items()})
