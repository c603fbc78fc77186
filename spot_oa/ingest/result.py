"""The result of ingesting a file: every line is counted by what became of it."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from spot_oa.errors import IngestError
from spot_oa.ingest.readers import Refused

KEPT = 4096
"""Maximum number of characters stored of a refused line."""


@dataclass(slots=True)
class Ingested:
    """The result of ingesting a file.

    Attributes:
        path: The file.
        status: `taken`, `known` (nothing new in it), `unused` (no log of interest) or `failed`.
        error: Why it failed.
        transient: Whether a retry may succeed.
        lines: Lines read.
        rows: Pipeline -> rows of telemetry.
        refused: Refused lines.
        examples: The first refused lines: line number, reason, line.
        skipped: Reason -> skipped lines.
        blank: Blank lines.
        comments: Headers, comments and summaries.
        bad_values: Column -> values that became NULL.
        ambiguous: Times in an hour that the zone repeats.
        hours: Pipeline -> hour, counted from 1970 (UTC) -> rows.
        late: (Pipeline, day) -> rows of days that are already published.
        newest: Pipeline -> the newest event (UTC).
        seconds: Duration in seconds.
    """

    path: str
    status: str = "taken"
    error: str = ""
    transient: bool = False
    lines: int = 0
    rows: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    examples: list[Refused] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    blank: int = 0
    comments: int = 0
    bad_values: Counter[str] = field(default_factory=Counter)
    ambiguous: int = 0
    hours: dict[str, Counter[int]] = field(default_factory=dict)
    late: dict[tuple[str, dt.date], int] = field(default_factory=dict)
    newest: dict[str, dt.datetime] = field(default_factory=dict)
    seconds: float = 0.0

    def check(self) -> None:
        """Check that every line is counted exactly once.

        Raises:
            IngestError: The counts differ, which is a bug in spot-oa.
        """
        accounted = (
            self.rows.total() + self.refused + self.skipped.total() + self.blank + self.comments
        )
        if accounted != self.lines:
            raise IngestError(
                f"{self.path}: {self.lines} lines were read, but {accounted} are accounted for; "
                "the file was not ingested, report this as a bug"
            )

    def counts(self) -> dict[str, Any]:
        """Return the counts that the manifest stores."""
        return {
            "rows": dict(self.rows),
            "refused": self.refused,
            "skipped": dict(self.skipped),
            "blank": self.blank,
            "comments": self.comments,
            "bad_values": dict(self.bad_values),
            "ambiguous": self.ambiguous,
            "hours": {
                pipeline: {hour_text(hour): rows for hour, rows in sorted(hours.items())}
                for pipeline, hours in self.hours.items()
            },
            "newest": {name: when.isoformat() for name, when in self.newest.items()},
        }

    def as_json(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        return {
            "path": self.path,
            "status": self.status,
            "error": self.error,
            "lines": self.lines,
            **self.counts(),
            "examples": [
                {"line_no": found.line_no, "reason": found.reason, "line": found.line[:KEPT]}
                for found in self.examples
            ],
            "late": [
                {"pipeline": pipeline, "date": date.isoformat(), "rows": rows}
                for (pipeline, date), rows in sorted(self.late.items())
            ],
            "seconds": round(self.seconds, 3),
        }


def hour_text(hour: int) -> str:
    """Format an hour counted from 1970 as `2024-04-20 05`."""
    return (dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(hours=hour)).strftime(
        "%Y-%m-%d %H"
    )
