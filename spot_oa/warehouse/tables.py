"""What a table is: portable types, with descriptions for dbt's docs. And the tables of every run.

A step declares its own tables. Each ends with the columns of its slice: `pipeline` where
several pipelines share it, then y, m, d. `flows/run/tables.py` has them all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from spot_oa.pipelines import Pipeline, Type

YMD: Mapping[str, Type] = {"y": "int", "m": "int", "d": "int"}
_SHARED: Mapping[str, Type] = {"pipeline": "string", **YMD}

ARROW_TYPES: Mapping[Type, pa.DataType] = {
    "string": pa.string(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "timestamp": pa.timestamp("us"),
}


@dataclass(frozen=True, slots=True)
class Table:
    """A table in the warehouse: where it is, and its columns with portable types in order."""

    schema: str
    name: str
    columns: Mapping[str, Type]
    description: str = ""
    """Begins with the grain: `One row per ...`."""
    docs: Mapping[str, str] = field(default_factory=dict)
    """Column -> what it means, where dbt has no doc block of the column's name."""
    key: Sequence[str] = ()
    """What a slice has one row of."""

    def described(self) -> Iterator[tuple[str, Type, str]]:
        """Each column's name, type and description."""
        for name, kind in self.columns.items():
            yield name, kind, self.docs.get(name, doc(name))

    @property
    def arrow_schema(self) -> pa.Schema:
        """The columns as Arrow types; all nullable."""
        return pa.schema([(name, ARROW_TYPES[kind]) for name, kind in self.columns.items()])

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


def doc(block: str) -> str:
    """Refer to a doc block of models/*.md, as dbt reads it in a description."""
    return f"{{{{ doc('{block}') }}}}"


def declared(
    schema: str,
    name: str,
    description: str,
    columns: Mapping[str, Type | tuple[Type, str]],
    key: Sequence[str] = (),
) -> Table:
    """Declare a table that pipelines share.

    Args:
        schema: Where it is.
        name: What it is called there.
        description: Begins with the grain: `One row per ...`.
        columns: Column -> type, or type and description where dbt has no doc block of its name;
            those of the slice follow.
        key: What a slice has one row of.
    """
    types, docs = _split(columns)
    return Table(schema, name, {**types, **_SHARED}, description, docs, key)


def _split(
    columns: Mapping[str, Type | tuple[Type, str]],
) -> tuple[Mapping[str, Type], Mapping[str, str]]:
    """Types and descriptions of declared columns."""
    split = {name: (c, "") if isinstance(c, str) else c for name, c in columns.items()}
    types = {name: kind for name, (kind, _) in split.items()}
    return types, {name: text for name, (_, text) in split.items() if text}


def results_table(pipeline: Pipeline) -> Table:
    """The landed results of a pipeline, one row per line taken."""
    fields = {name: field.type for name, field in pipeline.results.fields.items()}
    return Table(
        "raw",
        pipeline.results_table,
        {**fields, **_PROVENANCE, **YMD},
        f"One row per line taken from {pipeline.results.file}.",
        _docs(pipeline),
    )


def telemetry_table(pipeline: Pipeline) -> Table:
    """The raw events of a pipeline, which no run writes."""
    columns: Mapping[str, Type] = {**pipeline.telemetry.columns, **YMD, "h": "int"}
    return Table("raw", pipeline.name, columns, pipeline.telemetry.description, _docs(pipeline))


def _docs(pipeline: Pipeline) -> Mapping[str, str]:
    return {column: doc(block) for column, block in pipeline.docs.items()}


_PROVENANCE: Mapping[str, Type] = {
    "rank": "int",
    "line_no": "bigint",
    "source_uri": "string",
    "source_sha256": "string",
    "landed_at": "timestamp",
}

REJECTS = declared(
    "raw",
    "results_rejects",
    "One row per line of a results file that was not taken, with the reason.",
    {
        "line_no": "bigint",
        "reason": ("string", "Why the line was not taken."),
        "line": ("string", r"The line as it is in the file. Bytes that are not UTF-8 read `\xNN`."),
    },
)

_NOT_SO_FAR = "NULL if the run did not come so far."

_TRIAGE: Mapping[str, tuple[str, Mapping[str, Type | tuple[Type, str]]]] = {
    "labels": (
        "One row per action, row and target that it is about.",
        {
            "rank": ("int", f"{doc('rank')} NULL if the day does not have the row now."),
            "row_key": ("string", "Hash of the row's key columns; labels stick to it."),
            "target": ("string", "What of the row is labelled, as in row, client or query."),
            "action_id": "string",
            "action_seq": ("bigint", "Place of the action in the store's order."),
            "kind": ("string", "What was done, label or clear for a judgement."),
            "severity": ("int", doc("severity_level")),
            "via": "string",
            "rule_id": "string",
            "match_kind": ("string", "How the rows were selected."),
            "selector": ("string", "What was asked for, in JSON."),
            "note": "string",
            "author": ("string", doc("scored_by")),
            "recorded_at": ("timestamp", "When it was done (UTC)."),
            "alive": ("int", "1 if nothing has taken the action back."),
        },
    ),
    "rule_hits": (
        "One row per landed result and rule that it meets.",
        {
            "rank": "int",
            "rule_id": "string",
            "rule_version": ("string", "Version of the rule."),
            "severity": ("int", doc("severity_level")),
            "reason": ("string", "Why, in words."),
        },
    ),
    "suppressed": (
        "One row per landed result and suppression that covers it.",
        {
            "rank": "int",
            "suppression_id": "string",
            "reason": ("string", "Why, in words."),
            "author": ("string", doc("scored_by")),
        },
    ),
    "stories": (
        "One row per story that was saved.",
        {
            "action_id": "string",
            "action_seq": ("bigint", "Place of the action in the store's order."),
            "anchor_kind": ("string", "What the story is about, as in ip or uri."),
            "anchor": ("string", "The address, name or URI that it is about."),
            "title": ("string", "Its title."),
            "text": ("string", "The story."),
            "top_results": ("int", "How many peers are shown."),
            "author": ("string", doc("scored_by")),
            "recorded_at": ("timestamp", "When it was done (UTC)."),
            "alive": ("int", "1 if nothing has taken the action back."),
        },
    ),
}


def triage_tables(pipeline: Pipeline) -> dict[str, Table]:
    """What analysts did, resolved to the landed rows: labels, rule_hits, suppressed, stories."""
    if pipeline.triage is None:
        return {}
    made = {}
    for name, (description, columns) in _TRIAGE.items():
        types, docs = _split(columns)
        full = f"{pipeline.name}_{name}"
        made[name] = Table("raw", full, {**types, **YMD}, description, docs)
    return made


RUN_AUDIT = declared(
    "oa",
    "run_audit",
    "One row per run, however it ended. Rows are added and never changed. A run that did not get "
    "its turn at the warehouse has none.",
    {
        "run_id": ("string", "Identifies the run, as in manifest.json of the day it published."),
        "status": (
            "string",
            "`done`, `unchanged`, `refreshed`, `scored`, `failed`, `interrupted` or `died`. An "
            "unchanged day was left alone, of a refreshed one only the triage is new, of a scored "
            "one only the results file. Ctrl-C, SIGTERM and cancelling interrupt, a kill or a "
            "machine that goes down let die.",
        ),
        "reason": ("string", "The one-line error of a failed run. NULL for the others."),
        "failed_step": ("string", "The step in which the run ended badly. NULL if there is none."),
        "started_at": (
            "timestamp",
            "When the run was asked for, before it waited for its turn (UTC).",
        ),
        "finished_at": ("timestamp", "When the run ended (UTC). NULL if it died."),
        "seconds": ("double", "From started_at to finished_at. NULL if the run died."),
        "step_seconds": ("string", "JSON, seconds by step, of the steps that ended well."),
        "user_name": ("string", "The user of the system that ran it."),
        "host": ("string", "The machine that ran it."),
        "started_from": ("string", "`cli` or `prefect`."),
        "flow_run_id": (
            "string",
            "Identifies the Prefect flow run. NULL for runs from the command line.",
        ),
        "target": ("string", "The dbt target, which names the engine."),
        "versions": (
            "string",
            "JSON, versions of Python, spot-oa, dbt and the engine's client by name.",
        ),
        "results_limit": ("int", "Maximum number of results to take."),
        "rows_landed": ("bigint", f"Results taken. {_NOT_SO_FAR}"),
        "lines_rejected": ("bigint", f"Lines of the results file not taken. {_NOT_SO_FAR}"),
        "bad_values": ("bigint", f"Values that became NULL. {_NOT_SO_FAR}"),
        "enrichment": ("string", "JSON, status, asked and found by step and source."),
        "models_built": ("int", f"Models and seeds built. {_NOT_SO_FAR}"),
        "tests_passed": ("int", f"Data tests that passed. {_NOT_SO_FAR}"),
        "tests_warned": ("int", f"Data tests that warned. {_NOT_SO_FAR}"),
        "published_rows": (
            "string",
            "JSON, rows by published table. Empty if the run published nothing.",
        ),
        "warnings": ("int", "How many warnings the run had."),
        "warning_texts": ("string", "JSON, the warnings as the run showed them."),
        "fingerprint": ("string", "Hash of all that the run would read. NULL if it is not known."),
    },
)
"""One row per run, added when it ends and never cleared; lists and mappings are JSON."""


def name_key(name: str) -> str:
    """Write SQL for what equal DNS names have in common, as the macro `dns_name_key` does."""
    return (
        f"case when {name} like '%_.' then lower(substr({name}, 1, length({name}) - 1)) "
        f"else lower({name}) end"
    )
