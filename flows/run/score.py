"""The built-in scorer as a step: telemetry, memory and labels in, a results file out."""

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
from spot_oa.errors import ConfigError, SpotOaError, printable
from spot_oa.landing import Landed
from spot_oa.scoring import words
from spot_oa.scoring.files import (
    labels_table,
    profile_table,
    read_reasons,
    reasons_table,
    results_text,
    rows_table,
    scoring_of,
    write,
)

MUCH = 0.5
"""The weight of how much was sent, as in dbt_project.yml."""


def score(run: Run, progress: Callable[[str], None]) -> Scored:
    """Score a date and write its results file; the sources of the run are prepared.

    The models replace the date's state before the file is written. Whatever ends the step between
    them, both are whole: state of the date follows from telemetry and earlier dates only.

    Args:
        run: The slice; its limit is the number of results.
        progress: Told of each model that finishes.

    Raises:
        ConfigError: The scorer does not know the pipeline.
        SpotOaError: A model failed, or the file cannot be written; the old file stands.
    """
    pipeline, part = run.pipeline, run.part
    scoring_of(pipeline)
    profile = profile_table(pipeline)
    reach = dt.timedelta(days=run.settings.score_days)
    dates = run.warehouse.dates(profile)
    history = [date for date in dates if part.date - reach <= date < part.date]
    warnings = list(_warnings(run, dates, history))
    own, given = lookups.own_networks(run.settings)
    if not given and pipeline.name == "flow":
        warnings.append(
            "there is no ipranges.csv: private addresses count as own, all others as strangers"
        )
    labels = score_labels.find(run)
    labelled = labels_table(pipeline)
    with run.warehouse.replacing(part, *lookups.TABLES, labelled) as writer:
        if labels:
            writer.append(labelled, score_labels.rows(run, labels))
        writer.append(lookups.OWN_NETWORKS, own)
        writer.append(lookups.PUBLIC_SUFFIXES, lookups.public_suffixes())
    command = dbt_runner.score_command(pipeline.name, part.date, _variables(run, history))
    dbt_runner.build(run.settings, pipeline.name, [part.date], progress, command)
    rows = _rows(run)
    if not rows:
        raise SpotOaError(
            f"{part}: nothing to score: no event of the telemetry has a client and a peer; the "
            "results file stays as it was"
        )
    results = results_text(pipeline, rows)
    reasons = [_reason(run, row, len(history) + 1, labels) for row in rows]
    uri = write(pipeline, part, run.settings.ml_uri, results, reasons)
    return Scored(len(rows), uri, len(history), warnings)


def land_reasons(run: Run, landed: Landed) -> int:
    """Replace the reasons of the slice by those of the landed results; none if there are none.

    Returns:
        How many there are.

    Raises:
        SpotOaError: They cannot be read or written; the slice is as it was.
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


def _warnings(run: Run, dates: Sequence[dt.date], history: Sequence[dt.date]) -> Sequence[str]:
    found = []
    if not history:
        found.append(
            "first day, nothing to compare with: `spot-oa score --from` goes over older days"
        )
    later = [date for date in dates if date > run.part.date]
    if later:
        found.append(
            f"{len(later)} later days were scored without this one: `spot-oa score "
            f"{run.pipeline.name} --from {run.part.date} --date {max(later)}` scores them again"
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
    text = words.told(row, counted, _service(run, row), days)
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
    """What people call the service of a row."""
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
            f"code list {path}: {printable(error)}; SPOT_OA_PROJECT_DIR is to be the dbt project"
        ) from error
