"""`python -m flows.run.tables > models/staging/_sources.yml`: the tables as dbt's sources."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping

from python_enrichers import lookup_tables, peers, scoring
from spot_oa.pipelines import Pipeline, load_pipelines
from spot_oa.scoring.files import labels_table, reasons_table
from spot_oa.settings import load_settings
from spot_oa.warehouse.tables import (
    REJECTS,
    RUN_AUDIT,
    Table,
    results_table,
    telemetry_table,
    triage_tables,
)

WIDTH = 100

HEAD = """\
# Generated from spot_oa/pipelines/*.yml and the tables declared in Python:
# python -m flows.run.tables > models/staging/_sources.yml
sources:"""

TELEMETRY = """\
  # Raw events; runs only read them. On duckdb a run creates these views over the Parquet of its
  # dates; on other engines they are existing tables, whose names are settings.
  - name: telemetry
    schema: >-
      {{ env_var('SPOT_OA_TELEMETRY_SCHEMA', '')
      or env_var('SPOT_OA_SCHEMA_PREFIX', '') ~ 'raw' }}
    description: The day's raw network events, as Spot's ingest stores them.
    config:
      # As for landed results. On duckdb the views show only the days of the last run, so there is
      # no check: `spot-oa doctor` looks at the folders instead.
      loaded_at_field: >-
        cast(concat(cast(y as string), '-', lpad(cast(m as string), 2, '0'), '-',
        lpad(cast(d as string), 2, '0')) as timestamp)
      freshness:
        warn_after:
          count: "{{ (none if target.type == 'duckdb' else 60) | as_native }}"
          period: hour
        error_after:
          count: "{{ (none if target.type == 'duckdb' else 108) | as_native }}"
          period: hour
    tables:"""

LANDED = """\
  # Written by the landing step: the scorer's results, typed, and the rejected lines.
  - name: landed
    schema: "{{ env_var('SPOT_OA_SCHEMA_PREFIX', '') }}raw"
    description: Results of the scorer, landed by spot-oa.
    config:
      # The start of the newest day. A day is run at 02:00 of the next day, so the newest day is 50
      # hours old just before the next run.
      loaded_at_field: >-
        cast(concat(cast(y as string), '-', lpad(cast(m as string), 2, '0'), '-',
        lpad(cast(d as string), 2, '0')) as timestamp)
      freshness:
        warn_after: {count: 60, period: hour}
        error_after: {count: 108, period: hour}
    tables:"""

LOOKUPS = """\
  # Written by the enrichers: one slice per pipeline and date.
  - name: lookups
    schema: "{{ env_var('SPOT_OA_SCHEMA_PREFIX', '') }}lookups"
    description: What python_enrichers has found out about the slice's addresses, names and URIs.
    tables:"""

AUDIT = """\
  # Written by every run when it ends. No run deletes rows.
  - name: audit
    schema: "{{ env_var('SPOT_OA_SCHEMA_PREFIX', '') }}oa"
    description: The records of spot-oa's own runs.
    config:
      # At least one run is expected every day.
      loaded_at_field: finished_at
      freshness:
        warn_after: {count: 26, period: hour}
        error_after: {count: 50, period: hour}
    tables:"""

REASONS = """\
  # The built-in scorer's reasons. The tables do not exist before it has scored a day.
  - name: reasons
    schema: "{{ env_var('SPOT_OA_SCHEMA_PREFIX', '') }}oa"
    description: The built-in scorer's reasons for the ranks of its results.
    tables:"""

AUDIT_TESTS = """\
        data_tests:
          - grain:
              name: run_audit_grain
              arguments: {columns: [run_id]}
              config: {where: ""}
          - not_null_columns:
              name: run_audit_not_null
              arguments: {columns: [run_id, status, started_at, user_name, host, started_from,
                target, versions, results_limit, pipeline, y, m, d]}
              config: {where: ""}
          - holds:
              name: run_audit_status
              arguments:
                conditions: ["status in ('done', 'unchanged', 'refreshed', 'scored', 'failed',
                  'interrupted', 'died')"]
              config: {where: ""}"""


def python_tables(pipelines: Mapping[str, Pipeline]) -> list[Table]:
    """Return every table that Python writes, for the given pipelines."""
    results = [results_table(pipeline) for pipeline in pipelines.values()]
    triage = [t for pipeline in pipelines.values() for t in triage_tables(pipeline).values()]
    scored = [each for each in pipelines.values() if each.scoring]
    reasons = [made(each) for each in scored for made in (labels_table, reasons_table)]
    lookups = [*lookup_tables(), *peers.TABLES, *scoring.TABLES]
    return [*results, REJECTS, *triage, *lookups, *reasons, RUN_AUDIT]


def sources(pipelines: Mapping[str, Pipeline]) -> Iterator[str]:
    """Yield the sources, line by line."""
    written = python_tables(pipelines)
    results = {results_table(pipeline).name for pipeline in pipelines.values()}
    yield HEAD
    yield TELEMETRY
    for name, pipeline in pipelines.items():
        setting = f"SPOT_OA_TELEMETRY_TABLES__{name.upper()}"
        identifier = f"        identifier: \"{{{{ env_var('{setting}', '{name}') }}}}\""
        yield from _table(telemetry_table(pipeline), [identifier])
    yield LANDED
    for table in _of("raw", written):
        none = [] if table.name in results else ["        config: {freshness: null}"]
        yield from _table(table, none)
    yield LOOKUPS
    for table in _of("lookups", written):
        yield from _table(table)
    yield AUDIT
    yield from _table(RUN_AUDIT, [AUDIT_TESTS])
    yield REASONS
    for table in _of("oa", written):
        if table is not RUN_AUDIT:
            yield from _table(table)
    yield ""


def _of(schema: str, tables: Iterable[Table]) -> Iterator[Table]:
    return (table for table in tables if table.schema == schema)


def _table(table: Table, more: Iterable[str] = ()) -> Iterator[str]:
    yield f"      - name: {table.name}"
    yield from _wrapped(" " * 8, f"description: {_quoted(table.description)}")
    yield from more
    yield "        columns:"
    for name, kind, text in table.described():
        fields = f"{{name: {name}, data_type: {kind}, description: {_quoted(text)}}}"
        yield from _wrapped(" " * 10, f"- {fields}")


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _wrapped(indent: str, text: str) -> list[str]:
    """Break lines at blanks: in quoted YAML, a line end counts as a blank."""
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


if __name__ == "__main__":
    sys.stdout.write("\n".join(sources(load_pipelines(load_settings().pipelines_dir))))
