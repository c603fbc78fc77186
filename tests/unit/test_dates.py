from __future__ import annotations

import datetime as dt

import pytest

from spot_oa.dates import Slice, parse_date
from spot_oa.errors import UsageError


@pytest.mark.parametrize("text", ["2016-07-08", "20160708", 20160708, dt.date(2016, 7, 8)])
def test_both_spellings_are_the_day(text: object) -> None:
    assert parse_date(text) == dt.date(2016, 7, 8)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2016-7-8",
        "2016-0708",
        "201607-08",
        "2016-02-30",
        "20161301",
        "0000-01-01",
        "yesterday",
        "2016-07-08T00:00",
        "2016/07/08",
        "٢٠١٦٠٧٠٨",
        "2016-07-08\n",
        "' or 1=1",
        2016,
        None,
    ],
)
def test_anything_else_is_refused_by_name(text: object) -> None:
    with pytest.raises(
        UsageError, match="is not a valid date; use 2016-07-08 or 20160708"
    ) as caught:
        parse_date(text)
    assert "\n" not in str(caught.value)


def test_a_slice_spells_its_day() -> None:
    part = Slice("flow", dt.date(2016, 7, 8))
    assert str(part) == "flow 2016-07-08"
    assert part.compact == "20160708"
    assert part.ymd == {"y": 2016, "m": 7, "d": 8}
