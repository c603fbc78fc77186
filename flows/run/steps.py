"""The steps of a run, as plain functions over a `Run`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import pyarrow as pa

import python_enrichers
from analyst import report as reporting
from flows.run import dbt_runner
from flows.run.dbt_runner import Built, OnNode
from flows.run.summary import Enriched, Summary, versions
from flows.run.tables import python_tables
from python_enrichers.base import Enricher, Enrichment, Indicators
from spot_oa import landing
from spot_oa import publish as publishing
from spot_oa.dates import Slice
from spot_oa.errors import EnrichmentError, SpotOaError, printable
from spot_oa.ingest.status import ended_early, taken_of
from spot_oa.ingest.store import Store, telemetry_root
from spot_oa.landing import Landed
from spot_oa.pipelines import IndicatorType, Pipeline, load_pipelines
from spot_oa.pipelines import Published as PublishedTable
from spot_oa.publish import Published
from spot_oa.settings import Settings
from spot_oa.warehouse import Warehouse
from spot_oa.warehouse.tables import Table, results_table


@dataclass(frozen=True, slots=True)
class Run:
    """The arguments of every step."""

    settings: Settings
    pipeline: Pipeline
    part: Slice
    limit: int
    warehouse: Warehouse
    force_enrich: bool = False
    """Query enrichment services again, ignoring cached answers."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """The enrichers of the pipeline with their sources read, and warnings for the operator."""

    enrichers: Mapping[str, Enricher]
    warnings: Sequence[str]
    has_telemetry: bool
    telemetry: Mapping[str, Any] | None = None
    """What ingest has written of it (spot_oa/ingest/status.py)."""


def prepare(run: Run) -> Prepared:
    """Open everything that the run needs before it replaces anything.

    Raises:
        SpotOaError: A context file, a geo database, the telemetry or the warehouse is unusable.
    """
    if run.settings.target == "duckdb":
        # Finish the renames of an ingest that died before the files are listed.
        Store(telemetry_root(run.settings)).recover()
    enrichers = {
        step: python_enrichers.load_enricher(step, run.settings, fresh=run.force_enrich)
        for step in run.pipeline.enrich
    }
    run.warehouse.prepare(python_tables(load_pipelines(run.settings.pipelines_dir)))
    exposed = run.warehouse.expose_telemetry(run.pipeline, [run.part.date])
    warnings = [
        *(
            f"no telemetry for {date}: tables made from raw events are empty"
            for date in exposed.without
        ),
        *exposed.warnings,
    ]
    telemetry = None
    if run.settings.target == "duckdb":
        telemetry = taken_of(run.settings, run.pipeline.name, run.part.date)
        warnings += [
            f"{ended}, before the day does: is its ingest running?"
            for ended in ended_early(run.settings, run.pipeline.name, run.part.date)
        ]
    context = run.settings.context_dir
    if not context.is_dir() and context != run.settings.home / "context":
        warnings.append(
            f"SPOT_OA_CONTEXT_DIR={context}: no such folder, nothing is looked up there"
        )
    return Prepared(enrichers, warnings, not exposed.without, telemetry)


def land(run: Run, progress: Callable[[str], None]) -> Landed:
    """Replace the landed results of the slice.

    Raises:
        LandingError: The results file is missing or unreadable.
    """
    return landing.land(
        run.pipeline,
        run.part,
        run.settings.ml_uri,
        run.limit,
        run.warehouse,
        progress=progress,
    )


def enrich(run: Run, step: str, enricher: Enricher) -> Enriched:
    """Look up the distinct indicators of the slice and replace it in the step's lookups.

    Raises:
        EnrichmentError: A local source is unusable, or an indicator has two rows.
        WarehouseError: The lookups could not be written; the slice has not changed.
    """
    enrichment = enricher.enrich(_indicators(run, step))
    tables = python_enrichers.lookup_tables(step)
    for table in tables:
        _check_key(step, table, enrichment)
    with run.warehouse.replacing(run.part, *tables) as writer:
        for table in tables:
            frame = enrichment.tables[table.name]
            schema = pa.schema([table.arrow_schema.field(name) for name in frame.columns])
            writer.append(table, pa.Table.from_pandas(frame, schema, preserve_index=False))
    rows = {name: len(frame) for name, frame in enrichment.tables.items()}
    return Enriched(rows, enrichment.outcomes)


def _check_key(step: str, table: Table, enrichment: Enrichment) -> None:
    """Check that keys are unique: marts join on them, and a second row would double theirs."""
    keys = enrichment.tables[table.name][list(table.key)]
    for row in keys[keys.duplicated()].to_dict("records"):
        key = ", ".join(f"{name}={printable(value)}" for name, value in row.items())
        raise EnrichmentError(f"enrichment step {step}: two rows of {key} for {table}; return one")


def build(run: Run, on_node: OnNode, *, triage: bool = True) -> Built:
    """Build and test the marts of the slice, and its triage.

    Args:
        run: The slice.
        on_node: Receives a line for each model and test that finishes.
        triage: Build the triage too, if the pipeline has one.

    Raises:
        BuildError: A model or a test failed.
    """
    name, dates = run.pipeline.name, [run.part.date]
    parts = ("marts", "triage") if triage and has_triage(run.pipeline) else ("marts",)
    command = dbt_runner.build_command(name, dates, parts)
    return dbt_runner.build(run.settings, name, dates, on_node, command)


def build_triage(run: Run, on_node: OnNode) -> Built:
    """Build and test the triage of the slice on the existing marts.

    Raises:
        BuildError: A model or a test failed.
    """
    name, dates = run.pipeline.name, [run.part.date]
    command = dbt_runner.triage_command(name, dates)
    return dbt_runner.build(run.settings, name, dates, on_node, command)


def has_triage(pipeline: Pipeline) -> bool:
    """Whether the pipeline's rows can be labelled and its triage has tables."""
    return pipeline.triage is not None and bool(pipeline.triage.tables)


def publish(run: Run, summary: Summary) -> Published:
    """Publish the day.

    Args:
        run: The run.
        summary: The summary of the run so far, for manifest.json.

    Raises:
        PublishError: Publishing failed; the old day remains.
    """
    landed = summary.landed
    meta = {
        "pipeline": run.pipeline.name,
        "date": run.part.date.isoformat(),
        "limit": str(run.limit),
        "source_sha256": landed.source_sha256 if landed else "",
    }

    def manifest(published: Published) -> Mapping[str, object]:
        return {
            "pipeline": run.pipeline.name,
            "date": run.part.date.isoformat(),
            "run_id": summary.run_id,
            "fingerprint": summary.fingerprint,
            "target": summary.target,
            "limit": run.limit,
            "started": summary.started.isoformat(timespec="seconds"),
            "finished": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            "input": asdict(landed) if landed else None,
            "telemetry": summary.telemetry,
            "tables": {
                name: {"file": f"{name}.parquet", "rows": count}
                for name, count in published.rows.items()
            },
            "sources": [
                asdict(outcome) | {"step": step}
                for step, enriched in summary.enriched.items()
                for outcome in enriched.outcomes
            ],
            "warnings": replace(summary, published=published).warnings,
            "versions": versions(summary.target),
        }

    # Only days of the built-in scorer have a table of reasons.
    more = (
        {run.pipeline.reasons_table: PublishedTable(order_by=("rank",))} if summary.reasons else {}
    )
    return publishing.publish(
        run.pipeline,
        run.part,
        run.settings.data_dir,
        run.warehouse,
        meta=meta,
        manifest=manifest,
        more=more,
    )


def report(run: Run, summary: Summary) -> str:
    """Write the report of the day, over all pipelines published so far.

    The day is published already: an error of its page is only a warning of the run.

    Returns:
        The outcome in a few words.
    """
    try:
        summary.report = reporting.write(run.settings, run.part.date)
    except Exception as error:  # noqa: BLE001 - see above
        named = "" if isinstance(error, SpotOaError) else f"{type(error).__name__}: "
        summary.unreported = f"no report: {named}{printable(error)}"
        return summary.unreported
    return f"to {summary.report}"


def notebooks(run: Run, summary: Summary) -> str:
    """Make the missing notebooks of the day; errors are warnings, as in `report`.

    Returns:
        The outcome in a few words.
    """
    try:
        # Imported here: nothing else in a run needs it, and it takes half a second.
        from analyst.notebooks.copies import render  # noqa: PLC0415

        rendered = render(run.settings, run.part)
    except Exception as error:  # noqa: BLE001 - see above
        named = "" if isinstance(error, SpotOaError) else f"{type(error).__name__}: "
        summary.of_notebooks = [f"no notebooks: {named}{printable(error)}"]
        return summary.of_notebooks[0]
    summary.of_notebooks = rendered.notes
    return str(rendered)


def _indicators(run: Run, step: str) -> Indicators:
    """Return the distinct indicators of the step by kind; those of the results come first."""
    found: dict[IndicatorType, dict[str, None]] = {}
    table = results_table(run.pipeline)
    for column, kind in run.pipeline.enrich[step].items():
        found.setdefault(kind, {}).update(
            dict.fromkeys(run.warehouse.distinct(table, column, run.part))
        )
    related = run.pipeline.related.get(step)
    if related:
        values = run.warehouse.related(run.pipeline, related, run.part)
        found.setdefault(related.kind, {}).update(dict.fromkeys(values))
    return {kind: list(values) for kind, values in found.items()}
