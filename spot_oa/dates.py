"""Parse dates, and define the slice of the tables that a run replaces."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

from spot_oa.errors import UsageError, printable

_MONTH, _DAY = "(0[1-9]|1[0-2])", "(0[1-9]|[12][0-9]|3[01])"
DATE_PATTERN = f"^[0-9]{{4}}(-{_MONTH}-{_DAY}|{_MONTH}{_DAY})$"
"""Pattern of both spellings of a date, for checks that only support patterns."""
_DATE = re.compile(r"(\d{4})(-?)(\d{2})\2(\d{2})", re.ASCII)


def parse_date(text: object) -> dt.date:
    """Read `2016-07-08` or `20160708`.

    Args:
        text: A date, or a text or number that spells one.

    Returns:
        The day.

    Raises:
        UsageError: The text has neither form, or is not a calendar day.
    """
    if isinstance(text, dt.date) and not isinstance(text, dt.datetime):
        return text
    match = _DATE.fullmatch(str(text))
    if match:
        try:
            return dt.date(int(match[1]), int(match[3]), int(match[4]))
        except ValueError:
            pass
    raise UsageError(f"{printable(text)!r} is not a valid date; use 2016-07-08 or 20160708")


def date_range(first: dt.date, last: dt.date) -> list[dt.date]:
    """Return all days from the first to the last, both included.

    Raises:
        UsageError: The last is before the first.
    """
    if last < first:
        raise UsageError(f"the last date {last} is before the first, {first}: swap them")
    return [first + dt.timedelta(days=n) for n in range((last - first).days + 1)]


@dataclass(frozen=True, slots=True)
class Slice:
    """The rows of one pipeline and one day in every table, which one run replaces."""

    pipeline: str
    date: dt.date

    @property
    def ymd(self) -> dict[str, int]:
        """Return the values of the partition columns."""
        return {"y": self.date.year, "m": self.date.month, "d": self.date.day}

    @property
    def compact(self) -> str:
        """Return the day as `20160708`, as in paths."""
        return self.date.strftime("%Y%m%d")

    def __str__(self) -> str:
        return f"{self.pipeline} {self.date.isoformat()}"
