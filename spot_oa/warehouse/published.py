"""Published files, read back as rows."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
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


def read_frame(path: Path) -> pd.DataFrame:
    """The same as a frame of plain Python values, None where there is none.

    Raises:
        OSError: It is not there, or not readable.
    """
    try:
        columns = pq.ParquetFile(path).read().to_pydict()
    except pa.ArrowInvalid as error:
        raise OSError(f"{path} is no Parquet file ({error})") from error
    # As they are: a missing integer would make floats of the others.
    return pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in columns.items()})
