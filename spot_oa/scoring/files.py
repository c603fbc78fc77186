"""Write the scorer's results as the file that a run lands, with a second file of their reasons."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from spot_oa.dates import Slice
from spot_oa.errors import ConfigError, LandingError, printable, without_userinfo
from spot_oa.pipelines import Pipeline, Scoring, Type
from spot_oa.warehouse.tables import YMD, Table
from spot_oa.whole_files import WRITE_ERRORS, read_whole, write_whole

_BREAKS = re.compile(r"[\t\r\n]+")
NULL = "null"
SCHEMA = "oa_scoring"
"""The schema of the scorer's dbt models."""


def scoring_of(pipeline: Pipeline) -> Scoring:
    """Return the scorer's description of a pipeline.

    Raises:
        ConfigError: The pipeline has none.
    """
    if pipeline.scoring is None:
        raise ConfigError(
            f"the built-in scorer does not support the pipeline {pipeline.name}; have another "
            "scorer write its results"
        )
    return pipeline.scoring


def rows_table(pipeline: Pipeline) -> Table:
    """Return the columns of the model of results that are read here."""
    scoring = scoring_of(pipeline)
    bits = [f"b_{name}" for name in scoring.reasons]
    columns: dict[str, Type] = {
        "rank": "int",
        **{name: each.type for name, each in fields_of(pipeline).items()},
        "bits": "double",
        **dict.fromkeys(bits, "double"),
        **dict.fromkeys(scoring.reasons, "int"),
        "feedback": "double",
        **dict.fromkeys(("label_of_group", "label_of_service", "label_of_habit"), "int"),
        "is_known_bad": "int",
        **dict.fromkeys(("day_events", "day_memory", "day_scored", "day_is_answered"), "bigint"),
        **dict.fromkeys(scoring.facts, "string"),
    }
    return Table(SCHEMA, f"score_{pipeline.name}_rows", columns)


def state_tables(pipeline: Pipeline) -> tuple[Table, Table]:
    """Return the state models for later dates: what each client has used, and reasons' frequencies.

    The second has rows for every date whose state is stored.
    """
    name = pipeline.name
    seen: dict[str, Type] = {"kind": "string", "way": "string", "e": "bigint", "item": "bigint"}
    profile: dict[str, Type] = {"way": "string", "reason": "string", "v": "int"}
    counts: dict[str, Type] = {"share": "bigint", "entities": "bigint"}
    flags: dict[str, Type] = {"is_of_memory": "int", "has_memory": "int"}
    return (
        Table(SCHEMA, f"score_{name}_seen", {**seen, "days": "bigint", **YMD}),
        Table(SCHEMA, f"score_{name}_profile", {**profile, **counts, **flags, **YMD}),
    )


def reasons_table(pipeline: Pipeline) -> Table:
    """Return the table of each landed result's reasons, written by Python and published."""
    scoring = scoring_of(pipeline)
    bits = {f"bits_{name}": f"Bits of the reason {name}." for name in scoring.reasons}
    columns: dict[str, Type] = {
        "rank": "int",
        "row_key": "string",
        "bits": "double",
        "events": "bigint",
        "reason": "string",
        "label": "string",
        "feedback": "double",
        **dict.fromkeys(bits, "double"),
        **YMD,
    }
    docs = {
        "row_key": "Hash of the row's key columns, by which labels refer to rows.",
        "bits": "How surprising the row is, in total bits. A limit that moves a row behind others "
        "does not change them.",
        "events": "Number of the date's events with the same client, peer and service.",
        "reason": "The strongest reasons as text, each with its bits.",
        "label": "The label of an earlier date that applied to the row. Empty if there is none.",
        "feedback": "Bits added or subtracted by labels.",
        **bits,
    }
    return Table(
        "oa",
        pipeline.reasons_table,
        columns,
        "One row per result of the built-in scorer, with the reasons for its place.",
        docs,
    )


def fields_of(pipeline: Pipeline) -> dict[str, Any]:
    """Return the fields of the results file, in order."""
    fields = {
        name: field for name, field in pipeline.results.fields.items() if field.index is not None
    }
    return dict(sorted(fields.items(), key=lambda item: item[1].index or 0))


def results_text(pipeline: Pipeline, rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Return the results file as spot-ml would write it: tab separated, without quotes.

    Args:
        pipeline: Describes the file.
        rows: Rows of the scorer's model, in order.
    """
    return "".join(_lines(pipeline, rows)).encode()


def _lines(pipeline: Pipeline, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    names = list(fields_of(pipeline))
    for row in rows:
        values = (
            f"{row[name]:.6e}" if name == pipeline.results.score else as_text(row[name])
            for name in names
        )
        yield "\t".join(values) + "\n"


def as_text(value: Any) -> str:
    """Format a value for the file; replace tabs and line ends by blanks."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return NULL
    return _BREAKS.sub(" ", str(value))


def write(
    pipeline: Pipeline,
    part: Slice,
    ml_uri: str,
    results: bytes,
    reasons: Sequence[Mapping[str, Any]],
) -> str:
    """Write results and reasons of a date, the results last.

    Returns:
        The URI of the results.

    Raises:
        LandingError: A file cannot be written; the old results are unchanged.
    """
    uri = pipeline.results_uri(ml_uri, part)
    digest = hashlib.sha256()
    lines = []
    for row, line in zip(reasons, results.splitlines(keepends=True), strict=True):
        digest.update(line)
        # The hash that landing computes if it stops after this line; it ties reasons to results.
        marked = {**row, "sha256": digest.hexdigest()}
        lines.append(json.dumps(marked, ensure_ascii=False) + "\n")
    try:
        write_whole(pipeline.reasons_uri(ml_uri, part), "".join(lines).encode())
        write_whole(uri, results)
    except WRITE_ERRORS as error:
        raise LandingError(
            f"{part}: results {printable(without_userinfo(uri))} cannot be written "
            f"({printable(error)}); allow it, or correct SPOT_OA_ML_URI"
        ) from error
    return without_userinfo(uri)


def read_reasons(
    pipeline: Pipeline, part: Slice, ml_uri: str, sha256: str, landed: int
) -> pa.Table:
    """Read the reasons of landed results, as rows of `reasons_table` without the slice columns.

    Args:
        pipeline: A pipeline with a description of its scoring.
        part: The day.
        ml_uri: Where the results were read.
        sha256: Hash of the landed results; reasons of other results are ignored.
        landed: Number of landed results.

    Returns:
        The rows; none if the file has no reasons of these results.

    Raises:
        LandingError: The file cannot be read.
    """
    table = reasons_table(pipeline)
    schema = pa.schema([f for f in table.arrow_schema if f.name not in YMD])
    uri = pipeline.reasons_uri(ml_uri, part)
    try:
        content = read_whole(uri)
        rows = [json.loads(line) for line in (content or b"").splitlines()][:landed]
        if len(rows) < landed or not rows or rows[-1].get("sha256") != sha256:
            return schema.empty_table()
        return pa.Table.from_pylist(
            [{name: row.get(name) for name in schema.names} for row in rows], schema
        )
    except WRITE_ERRORS as error:
        raise LandingError(
            f"{part}: reasons {printable(without_userinfo(uri))} cannot be read "
            f"({printable(error)}); score the date again, or remove the file"
        ) from error


def labels_table(pipeline: Pipeline) -> Table:
    """Return the table of labelled rows of earlier dates, which scoring reads."""
    scoring = scoring_of(pipeline)
    named = {name: name for name in pipeline.results.fields}
    if pipeline.triage is not None:
        named |= pipeline.triage.landed
    docs = {
        "label_no": "Number of the label, in the order in which labels were given.",
        "severity": "1 High, 2 Medium, 3 Low; 0 is not a label, but a reputation verdict.",
        "author": "Who gave the label.",
        "weight": "Weight of the label on the date, in millionths.",
        "row_age": "Number of remembered dates from the labelled row's date on.",
        "is_new_service": "1 if the row was surprising because the service was new to its client.",
        "is_new_peer": "1 if the row was surprising because the peer was new to its client.",
        "is_new_to_network": "1 if the row was surprising because the peer was new to the network.",
        "known_bad": "The client or peer that a reputation service rated high, if severity is 0.",
        **{name: f"The row's {name}." for name in scoring.labelled},
    }
    columns: dict[str, Type] = {
        **dict.fromkeys(docs, "int"),
        "author": "string",
        "weight": "bigint",
        "known_bad": "string",
        **{name: pipeline.results.fields[named[name]].type for name in scoring.labelled},
        **YMD,
    }
    return Table(
        "raw",
        f"{pipeline.name}_score_labels",
        columns,
        "One row per author and labelled row of an earlier date, and per row and endpoint of an "
        "earlier date that a reputation service rated high, for the scorer.",
        docs,
    )
