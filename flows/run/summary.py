"""What a run did: gathered by the runner, shown by the CLI and Prefect, kept in the manifest."""

from __future__ import annotations

import datetime as dt
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from flows.run.dbt_runner import Built
from python_enrichers.base import Outcome, Status
from spot_oa.dates import Slice
from spot_oa.errors import printable
from spot_oa.landing import Landed
from spot_oa.publish import Published


@dataclass(frozen=True, slots=True)
class Enriched:
    """One enrichment step: rows written by lookup table, and how its sources fared."""

    rows: Mapping[str, int]
    outcomes: Sequence[Outcome]


@dataclass(frozen=True, slots=True)
class Scored:
    """What scoring a date gave."""

    rows: int
    uri: str
    days: int
    """Days of the memory that the date was compared with."""
    warnings: Sequence[str] = ()


@dataclass(slots=True)
class Summary:
    """The run of a slice; fields are filled in as the steps end."""

    part: Slice
    run_id: str
    limit: int
    target: str
    started: dt.datetime
    fingerprint: str = ""
    prepared: Sequence[str] = ()
    """Warnings of the first step."""
    has_telemetry: bool = True
    telemetry: Mapping[str, Any] | None = None
    """What of it ingest has taken, if ingest has."""
    scored: Scored | None = None
    """What the built-in scorer did, if it was asked."""
    landed: Landed | None = None
    reasons: int = 0
    """Landed results that have the built-in scorer's reasons."""
    enriched: dict[str, Enriched] = field(default_factory=dict)
    built: Built | None = None
    published: Published | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    begun: list[str] = field(default_factory=list)
    """Steps, in the order in which they began."""
    report: Path | None = None
    """The day's page, if it was written."""
    unreported: str = ""
    """Why it was not."""
    of_notebooks: Sequence[str] = ()
    """What is wrong with the day's notebooks or their templates."""
    unaudited: str = ""
    """Why the run could not be written to oa.run_audit."""
    unlabelled: str = ""
    """Why the labels were not landed, built or published; then the triage is that of before."""
    undelivered: str = ""
    """Why the scorer was not handed what analysts judged."""
    triage_folder: Path | None = None
    refreshed: bool = False
    """Only the triage was made anew: the day's results are as they were."""
    unchanged: bool = False
    """The published day was left alone: its inputs and settings are what they were."""

    @property
    def folder(self) -> Path | None:
        """Where the day is published, if it is."""
        return self.published.folder if self.published else None

    @property
    def tables(self) -> Mapping[str, int]:
        """Published rows by table."""
        return self.published.rows if self.published else {}

    @property
    def ended(self) -> str:
        """How a run ended that went well, in one word."""
        if self.refreshed:
            return "refreshed"
        if self.scored and not self.landed:
            return "scored"
        return "unchanged" if self.unchanged else "done"

    @property
    def headline(self) -> str:
        """The run in a few words."""
        if self.refreshed:
            return f"triage refreshed, {len(self.warnings)} warnings"
        if self.unchanged:
            return "unchanged, left as published"
        if self.scored and not self.landed:
            return f"{self.scored.rows} results written, {len(self.warnings)} warnings"
        rows = self.landed.rows if self.landed else 0
        return f"{rows} results, {len(self.warnings)} warnings"

    @property
    def unfinished(self) -> list[str]:
        """Steps that have begun and not ended well."""
        # A step that is tried again begins again.
        return [step for step in dict.fromkeys(self.begun) if step not in self.seconds]

    @property
    def of_labels(self) -> list[str]:
        """Why the triage or the scorer's feedback is not of this run."""
        told = {
            "THE TRIAGE IS AS IT WAS": self.unlabelled,
            "the scorer has not got the feedback": self.undelivered,
        }
        return [f"{what}: {why}" for what, why in told.items() if why]

    @property
    def warnings(self) -> list[str]:
        """What an operator should look at, one line each."""
        return list(self._warnings())

    def _warnings(self) -> Iterator[str]:
        # First of all: what analysts see is not of this run.
        yield from self.of_labels
        yield from self.prepared
        of_scorer = self.scored.warnings if self.scored else ()
        yield from (f"scorer: {warning}" for warning in of_scorer)
        if self.landed:
            if self.landed.rejected:
                yield f"{self.landed.rejected} lines rejected, see raw.results_rejects"
            for column, count in self.landed.bad_values.items():
                yield f"{count} bad values in {column} became NULL"
            if self.landed.invalid_utf8:
                yield f"{self.landed.invalid_utf8} lines with bytes that are not UTF-8"
            if self.landed.falls_at:
                yield (
                    f"scores do not ascend: that of line {self.landed.falls_at} is lower than the "
                    "one before; results are taken and ranked in the order of the file, so have "
                    "the scorer sort it"
                )
            yield from (
                f"{printable(name)} is beside the ML results and not read"
                for name in self.landed.left_out
            )
        for step, enriched in self.enriched.items():
            for outcome in enriched.outcomes:
                if outcome.status is not Status.OK:
                    yield f"{step}: {outcome.source}: {outcome.status} {outcome.detail}".rstrip()
                if outcome.skipped:
                    text = f"{step}: {outcome.skipped} unusable lines in {outcome.source}"
                    first = outcome.first_skipped
                    yield f"{text}, more than a tenth: correct them; {first}" if first else text
        if self.built:
            yield from (f"test {node.name}: {node.message}" for node in self.built.tests_warned)
        yield from self._without_edges()
        yield from self._without_events()
        if self.unreported:
            yield self.unreported
        yield from self.of_notebooks
        if self.unaudited:
            yield self.unaudited

    def _without_edges(self) -> Iterator[str]:
        """Suspicious events without a single raw event behind them: they come from raw events."""
        scores, edge = f"{self.part.pipeline}_scores", f"{self.part.pipeline}_edge"
        found = self.tables.get(scores)
        if found and self.tables.get(edge) == 0 and self.has_telemetry:
            yield (
                f"{edge} is empty, {scores} has {found} rows: no raw event matches a suspicious "
                "one; check that results and telemetry are of the same day in UTC, that the "
                "partition h is the event's hour, and that no column is NULL that edges are "
                'matched by: README, "When edges are empty"'
            )

    def _without_events(self) -> Iterator[str]:
        """Telemetry of which not a single event is counted: it lacks what time they have."""
        events = f"{self.part.pipeline}_ingest_summary"
        if self.tables.get(events) == 0 and self.has_telemetry:
            yield (
                f"{events} is empty although there is telemetry: its files have no rows, or no row "
                "has the columns that events are counted by; look at its times: README, "
                '"Telemetry"'
            )


def versions(target: str) -> Mapping[str, str]:
    """What a run on the target is made with; of the engine it is the client."""
    clients = {"impala": ["impyla"], "spark": ["impyla", "dbt-spark"]}
    names = ["spot-oa", "dbt-core", "duckdb", *clients.get(target, [])]
    return {"python": platform.python_version(), **{name: version(name) for name in names}}
