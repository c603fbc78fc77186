"""The built-in scorer as a step: from telemetry, memory and labels to a results file."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from flows.run import dbt_runner, score_labels
from flows.run.labels import landed_keys
from flows.run.score_labels import Label
from flows.run.steps import Run
from flows.run.summary import Scored
from python_enrichers import scoring as lookups
from spot_oa.dates import Slice
from spot_oa.errors import ConfigError, SpotOaError, StoreError, printable
from spot_oa.landing import Landed
from spot_oa.scoring import words
from spot_oa.scoring.files import (
    labels_table,
    read_reasons,
    reasons_table,
    results_text,
    rows_table,
    scoring_of,
    state_tables,
    write,
)

MUCH = 0.5
"""The weight of the amount sent, as in dbt_project.yml."""
KEPT = 2
"""Number of memory spans whose states are kept, so that a late date still has its full memory."""
FIRST_DAY = "first day, nothing to compare with: score older days with `spot-oa score --from`"


def score(run: Run, progress: Callable[[str], None]) -> Scored:
    """Score a date and write its results file; the sources of the run are prepared.

    The models replace the date's state, each table as a whole, before the file is written. If the
    step is killed in between, score the date again: its state depends only on telemetry and
    earlier dates.

    Args:
        run: The slice; its limit is the number of results.
        progress: Receives a line for each model that finishes.

    Raises:
        ConfigError: The scorer does not support the pipeline.
        SpotOaError: A model failed, or the file cannot be written; the old file remains.
    """
    pipeline, part = run.pipeline, run.part
    scoring_of(pipeline)
    _, profile = state_tables(pipeline)
    dates = run.warehouse.dates(profile)
    before = [date for date in dates if date < part.date]
    history = before[-run.settings.score_days :]
    warnings = list(_warnings(run, dates))
    own, given = lookups.own_networks(run.settings)
    if not given and pipeline.name == "flow":
        warnings.append(
            "there is no ipranges.csv: private addresses count as internal, others as external"
        )
    try:
        labels = score_labels.find(run, history)
    except StoreError as error:
        labels = []
        warnings.append(f"labels had no effect on the scores: {printable(error)}")
    labelled = labels_table(pipeline)
    with run.warehouse.replacing(part, *lookups.TABLES, labelled) as writer:
        if labels:
            writer.append(labelled, score_labels.rows(run, labels, history))
        writer.append(lookups.OWN_NETWORKS, own)
        writer.append(lookups.PUBLIC_SUFFIXES, lookups.public_suffixes())
    command = dbt_runner.score_command(pipeline.name, part.date, _variables(run, history))
    dbt_runner.build(run.settings, pipeline.name, [part.date], progress, command)
    rows = _rows(run)
    if not rows:
        raise SpotOaError(
            f"{part}: nothing to score: no event of the telemetry has a client and a peer; the "
            "results file was not changed"
        )
    # Of the history, the state has only dates with the same keys.
    days = int(rows[0]["day_memory"])
    if not days:
        warnings.insert(0, FIRST_DAY)
    results = results_text(pipeline, rows)
    reasons = [_reason(run, row, days + 1, labels) for row in rows]
    uri = write(pipeline, part, run.settings.ml_uri, results, reasons)
    for date in before[: -KEPT * run.settings.score_days]:
        with run.warehouse.replacing(Slice(pipeline.name, date), *state_tables(pipeline)):
            pass
    if not rows[0]["day_is_answered"]:
        warnings.append(
            "hardly any flow has bytes of an answer: the collector sees one direction, so "
            "unanswered services are not used as a reason"
        )
    unscored = int(rows[0]["day_events"]) - int(rows[0]["day_scored"])
    return Scored(len(rows), uri, days, unscored, warnings)


def land_reasons(run: Run, landed: Landed) -> int:
    """Replace the reasons of the slice by those of the landed results, if there are any.

    Returns:
        The number of reasons.

    Raises:
        SpotOaError: They cannot be read or written; the slice has not changed.
    """
    if run.pipeline.scoring is None:
        return 0
    table = reasons_table(run.pipeline)
    found = read_reasons(
        run.pipeline, run.part, run.settings.ml_uri, landed.source_sha256, landed.rows
    )
    if found.num_rows:
        keys = pa.array(landed_keys(run), pa.string())
        found = found.set_column(found.schema.get_field_index("row_key"), "row_key", keys)
    with run.warehouse.replacing(run.part, table) as writer:
        if found.num_rows:
            writer.append(table, found)
    return int(found.num_rows)


def _variables(run: Run, history: Sequence[dt.date]) -> Mapping[str, Any]:
    settings = run.settings
    return {
        "scoring": True,
        "score_history": [date.isoformat() for date in history],
        "score_days": settings.score_days,
        "score_in": settings.score_inbound,
        "score_limit": run.limit,
        "score_rows_per_pair": settings.rows_per_pair,
        "score_rows_per_service": settings.rows_per_service,
    }


def _warnings(run: Run, dates: Sequence[dt.date]) -> Sequence[str]:
    found = []
    later = [date for date in dates if date > run.part.date]
    if later:
        are, them = ("day is", "it") if len(later) == 1 else ("days are", "them")
        found.append(
            f"{len(later)} later {are} scored without this day's new state: `spot-oa "
            f"score {run.pipeline.name} --from {run.part.date} --date {max(later)}` scores {them} "
            "again"
        )
    return found


def _rows(run: Run) -> list[dict[str, Any]]:
    table = rows_table(run.pipeline)
    names = [name for name in table.columns if name not in "ymd"]
    rows = run.warehouse.rows(table, names, run.part)
    return [dict(zip(names, row, strict=True)) for row in rows]


def _reason(run: Run, row: Mapping[str, Any], days: int, labels: Sequence[Label]) -> dict[str, Any]:
    scoring = scoring_of(run.pipeline)
    counted = words.counted(row, scoring.reasons, MUCH, run.settings.score_inbound)
    text = words.reason_text(row, counted, _service(run, row), days)
    label = score_labels.words(labels, row)
    return {
        "rank": int(row["rank"]) - 1,
        "bits": float(row["bits"]),
        "events": int(row["events"]),
        "reason": "; ".join(filter(None, (text, label))),
        "label": label,
        "feedback": float(row["feedback"]),
        **{f"bits_{name}": round(counted.get(name, 0.0), 4) for name in scoring.reasons},
    }


def _service(run: Run, row: Mapping[str, Any]) -> str:
    """Return the readable name of a row's service."""
    if "k_port" in row:
        name = str(row["protocol"]).lower()
        return printable(name.upper() if "icmp" in name else f"{name}/{row['k_port']}")
    label = str(row["k_label"])
    if run.pipeline.name == "dns":
        return f"{_query_types(run).get(label, f'type {label}')} queries"
    return f"'{printable(label)}'"


def _query_types(run: Run) -> Mapping[str, str]:
    path = run.settings.project_dir / "seeds" / "dns_types.csv"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return {row["code"]: row["name"] for row in csv.DictReader(file)}
    except (OSError, KeyError, ValueError) as error:
        raise ConfigError(
            f"code list {path}: {printable(error)}; SPOT_OA_PROJECT_DIR must be the dbt project"
        ) from error
