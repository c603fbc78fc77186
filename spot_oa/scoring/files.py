"""The scorer's results as the file that a run lands, and their reasons as a file beside it."""

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
"""Where dbt builds the scorer's models."""


def scoring_of(pipeline: Pipeline) -> Scoring:
    """What the scorer knows of a pipeline.

    Raises:
        ConfigError: It knows nothing.
    """
    if pipeline.scoring is None:
        raise ConfigError(
            f"the built-in scorer does not know the pipeline {pipeline.name}: have another scorer "
            "write its results"
        )
    return pipeline.scoring


def rows_table(pipeline: Pipeline) -> Table:
    """The model of the results, as far as it is read here."""
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
        **dict.fromkeys(scoring.facts, "string"),
    }
    return Table(SCHEMA, f"score_{pipeline.name}_rows", columns)


def profile_table(pipeline: Pipeline) -> Table:
    """The model that has rows of every date that the scorer remembers."""
    return Table(SCHEMA, f"score_{pipeline.name}_profile", dict(YMD))


def reasons_table(pipeline: Pipeline) -> Table:
    """Why each landed result is where it is: written by Python, published beside the day."""
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
        "row_key": "Hash of the row's key columns, which labels stick to.",
        "bits": "How surprising the row is, the scorer's bits in all. Rows that a limit has pushed "
        "behind the others keep theirs.",
        "events": "How many events of the date are like it: the same client, peer and service.",
        "reason": "The strongest reasons in words, each with its bits.",
        "label": "Which label of an earlier date acted on it. Empty if none did.",
        "feedback": "Bits that labels have added or taken.",
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
    """The fields of the results file, in their order."""
    fields = {
        name: field for name, field in pipeline.results.fields.items() if field.index is not None
    }
    return dict(sorted(fields.items(), key=lambda item: item[1].index or 0))


def results_text(pipeline: Pipeline, rows: Sequence[Mapping[str, Any]]) -> bytes:
    """The results file, as spot-ml would have written it: tab separated, without quotes.

    Args:
        pipeline: Describes the file.
        rows: Rows of the scorer's model, in their order.
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
    """A value as it stands in the file; what would break its line or columns is a blank."""
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
        Where the results are.

    Raises:
        LandingError: One of them cannot be written; the old results stand.
    """
    uri = pipeline.results_uri(ml_uri, part)
    digest = hashlib.sha256()
    lines = []
    for row, line in zip(reasons, results.splitlines(keepends=True), strict=True):
        digest.update(line)
        # What landing has read, should it end with this line: other results have other reasons.
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
    """The reasons of landed results, as rows of `reasons_table` without the slice.

    Args:
        pipeline: Has a description of its scoring.
        part: The day.
        ml_uri: Where the results were read.
        sha256: Of the results that were landed: reasons of others are not theirs.
        landed: How many results were landed.

    Returns:
        No rows if there are no reasons of these results.

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
    """Labelled rows of earlier dates, as a date's scoring reads them."""
    scoring = scoring_of(pipeline)
    named = {name: name for name in pipeline.results.fields}
    if pipeline.triage is not None:
        named |= pipeline.triage.landed
    docs = {
        "label_no": "Number of the label, in the order in which labels were given.",
        "severity": "1 High, 2 Medium, 3 Low.",
        "author": "Who gave the label.",
        "weight": "What the label still weighs on the date, in millionths.",
        "row_age": "Days from the labelled row's date to the scored one.",
        "is_new_service": "1 if the row was surprising for a service new to its client.",
        "is_new_peer": "1 if the row was surprising for a peer new to its client.",
        "is_new_to_network": "1 if the row was surprising for a peer new to the network.",
        **{name: f"The row's {name}." for name in scoring.labelled},
    }
    columns: dict[str, Type] = {
        **dict.fromkeys(docs, "int"),
        "author": "string",
        "weight": "bigint",
        **{name: pipeline.results.fields[named[name]].type for name in scoring.labelled},
        **YMD,
    }
    return Table(
        "raw",
        f"{pipeline.name}_score_labels",
        columns,
        "One row per author and labelled row of an earlier date, for the scorer.",
        docs,
    )
