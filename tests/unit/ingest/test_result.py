"""What became of the lines of a log."""

from __future__ import annotations

from collections import Counter

import pytest

from spot_oa.errors import IngestError
from spot_oa.ingest import Ingested
from spot_oa.ingest.result import hour_text


def test_every_line_is_counted_once() -> None:
    result = Ingested("conn.log", lines=10, refused=1, blank=2, comments=3)
    result.rows["flow"], result.skipped["path dns"] = 3, 1
    result.check()


@pytest.mark.parametrize("rows", [2, 4])
def test_a_line_that_is_lost_or_counted_twice_fails_the_file(rows: int) -> None:
    result = Ingested("conn.log", lines=3, rows=Counter(flow=rows))
    with pytest.raises(IngestError, match=f"3 lines were read, but {rows} are accounted for"):
        result.check()


def test_an_hour_is_told_in_utc() -> None:
    assert hour_text(475997) == "2024-04-20 05"
