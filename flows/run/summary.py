"""The summary of a run: filled by the runner, shown by the CLI and Prefect, and published."""

from __future__ import annotations

import datetime as dt
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from flows.run.dbt_runner import Built
from python_enrichers.base import Outcome, Status
from spot_oa.dates import Slice
from spot_oa.errors import printable
from spot_oa.landing import Landed
from spot_oa.publish import Published
from spot_oa.warehouse import without_spark


@dataclass(frozen=True, slots=True)
class Enriched:
    """One enrichment step: rows written per lookup table, and the outcome of each source."""

    rows: Mapping[str, int]
    outcomes: Sequence[Outcome]


@dataclass(frozen=True, slots=True)
class Scored:
    """The result of scoring a date."""

    rows: int
    uri: str
    days: int
    """Number of earlier days that the date was compared with."""
    unscored: int = 0
    """Number of events without a client or a peer."""
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
    """What ingest has written of the telemetry, if it has."""
    scored: Scored | None = None
    """The result of the built-in scorer, if it was used."""
    landed: Landed | None = None
    reasons: int = 0
    """Number of landed results with the built-in scorer's reasons."""
    enriched: dict[str, Enriched] = field(default_factory=dict)
    built: Built | None = None
    published: Published | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    begun: list[str] = field(default_factory=list)
    """The steps, in the order in which they began."""
    report: Path | None = None
    """The day's report, if it was written."""
    unreported: str = ""
    """Why the report was not written."""
    of_notebooks: Sequence[str] = ()
    """Problems of the day's notebooks or their templates."""
    unaudited: str = ""
    """Why the run could not be written to oa.run_audit."""
    unlabelled: str = ""
    """Why the labels were not landed, built or published; the previous triage remains."""
    of_stories: str = ""
    """Why the tables of the day's stories were not rebuilt."""
    undelivered: str = ""
    """Why the feedback was not delivered to the scorer."""
    triage_folder: Path | None = None
    refreshed: bool = False
    """Only the triage was rebuilt; the day's results have not changed."""
    unchanged: bool = False
    """The published day was skipped: its inputs and settings have not changed."""

    @property
    def folder(self) -> Path | None:
        """The folder of the published day, if it is published."""
        return self.published.folder if self.published else None

    @property
    def tables(self) -> Mapping[str, int]:
        """Published rows by table."""
        return self.published.rows if self.published else {}

    @property
    def ended(self) -> str:
        """The outcome of a successful run, in one word."""
        if self.refreshed:
            return "refreshed"
        if self.scored and not self.landed:
            return "scored"
        return "unchanged" if self.unchanged else "done"

    @property
    def headline(self) -> str:
        """The outcome of the run in a few words."""
        if self.refreshed:
            return f"triage refreshed, {len(self.warnings)} warnings"
        if self.unchanged:
            return "unchanged, skipped"
        if self.scored and not self.landed:
            return f"{self.scored.rows} results written, {len(self.warnings)} warnings"
        rows = self.landed.rows if self.landed else 0
        return f"{rows} results, {len(self.warnings)} warnings"

    @property
    def unfinished(self) -> list[str]:
        """The steps that have begun but not succeeded."""
        # A retried step begins again.
        return [step for step in dict.fromkeys(self.begun) if step not in self.seconds]

    @property
    def of_labels(self) -> list[str]:
        """Why the triage or the scorer's feedback was not updated by this run."""
        reasons = {
            "THE TRIAGE WAS NOT UPDATED": self.unlabelled,
            "the stories' tables were not updated": self.of_stories,
            "the feedback was not delivered to the scorer": self.undelivered,
        }
        return [f"{what}: {why}" for what, why in reasons.items() if why]

    @property
    def warnings(self) -> list[str]:
        """The warnings for the operator, one line each."""
        return list(self._warnings())

    def _warnings(self) -> Iterator[str]:
        # First: analysts do not see this run's results.
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
                    "one before; results are read and ranked in the order of the file, so the "
                    "scorer must sort it"
                )
            yield from (
                f"{printable(name)} is in the folder of the ML results but is not read"
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
        """Warn if no suspicious event has a raw event behind it, although all come from some."""
        scores, edge = f"{self.part.pipeline}_scores", f"{self.part.pipeline}_edge"
        found = self.tables.get(scores)
        if found and self.tables.get(edge) == 0 and self.has_telemetry:
            yield (
                f"{edge} is empty, {scores} has {found} rows: no raw event matches a suspicious "
                "one; check that results and telemetry are from the same day in UTC, that the "
                "partition h is the event's hour, and that the columns that edges are matched by "
                'are not NULL: README, "When edges are empty"'
            )

    def _without_events(self) -> Iterator[str]:
        """Warn if there is telemetry but no event is counted, probably for lack of times."""
        events = f"{self.part.pipeline}_ingest_summary"
        if self.tables.get(events) == 0 and self.has_telemetry:
            yield (
                f"{events} is empty although there is telemetry: its files have no rows, or no row "
                "has the columns that events are counted by; check its times: README, "
                '"Telemetry"'
            )


def versions(target: str) -> Mapping[str, str]:
    """Return the versions that a run uses; for the engine, the version of its client.

    Raises:
        ConfigError: Spark's packages, an extra, are not installed.
    """
    clients = {"impala": ["impyla"], "spark": ["impyla", "dbt-spark"]}
    names = ["spot-oa", "dbt-core", "duckdb", *clients.get(target, [])]
    try:
        return {"python": platform.python_version(), **{name: version(name) for name in names}}
    except PackageNotFoundError as error:
        if target != "spark":
            raise
        raise without_spark(error.name) from error
