"""Table declarations: portable types, descriptions for dbt's docs, and the tables of every run.

A step declares its own tables. Each ends with the columns of its slice: `pipeline` where
several pipelines share it, then y, m, d. `flows/run/tables.py` lists all tables.
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
    """A table in the warehouse: its schema, name and ordered columns with portable types."""

    schema: str
    name: str
    columns: Mapping[str, Type]
    description: str = ""
    """Begins with the grain: `One row per ...`."""
    docs: Mapping[str, str] = field(default_factory=dict)
    """Column -> description, where dbt has no doc block of the column's name."""
    key: Sequence[str] = ()
    """Columns whose values are unique within a slice."""

    def described(self) -> Iterator[tuple[str, Type, str]]:
        """Yield each column's name, type and description."""
        for name, kind in self.columns.items():
            yield name, kind, self.docs.get(name, doc(name))

    @property
    def arrow_schema(self) -> pa.Schema:
        """The columns as Arrow types; all nullable."""
        return pa.schema([(name, ARROW_TYPES[kind]) for name, kind in self.columns.items()])

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


def doc(block: str) -> str:
    """Return a dbt reference to a doc block of models/*.md, for a description."""
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
        schema: The table's schema.
        name: The table's name in the schema.
        description: Begins with the grain: `One row per ...`.
        columns: Column -> type, or type and description where dbt has no doc block of its name;
            the slice columns are appended.
        key: Columns whose values are unique within a slice.
    """
    types, docs = _split(columns)
    return Table(schema, name, {**types, **_SHARED}, description, docs, key)


def _split(
    columns: Mapping[str, Type | tuple[Type, str]],
) -> tuple[Mapping[str, Type], Mapping[str, str]]:
    """Split declared columns into types and descriptions."""
    split = {name: (c, "") if isinstance(c, str) else c for name, c in columns.items()}
    types = {name: kind for name, (kind, _) in split.items()}
    return types, {name: text for name, (_, text) in split.items() if text}


def results_table(pipeline: Pipeline) -> Table:
    """Return the table of a pipeline's landed results, one row per accepted line."""
    fields = {name: field.type for name, field in pipeline.results.fields.items()}
    return Table(
        "raw",
        pipeline.results_table,
        {**fields, **_PROVENANCE, **YMD},
        f"One row per accepted line of {pipeline.results.file}.",
        _docs(pipeline),
    )


def telemetry_table(pipeline: Pipeline) -> Table:
    """Return the table of a pipeline's raw events, which runs never write."""
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
    "One row per rejected line of a results file, with the reason.",
    {
        "line_no": "bigint",
        "reason": ("string", "Why the line was rejected."),
        "line": ("string", r"The line as in the file. Bytes that are not UTF-8 appear as `\xNN`."),
    },
)

_NOT_SO_FAR = "NULL if the run ended before this step."

_TRIAGE: Mapping[str, tuple[str, Mapping[str, Type | tuple[Type, str]]]] = {
    "labels": (
        "One row per action, row and target.",
        {
            "rank": ("int", f"{doc('rank')} NULL if the day no longer has the row."),
            "row_key": ("string", "Hash of the row's key columns; labels refer to rows by it."),
            "target": ("string", "The labelled part of the row, such as row, client or query."),
            "action_id": "string",
            "action_seq": ("bigint", "Place of the action in the store's order."),
            "kind": ("string", "The action: label sets a judgement, clear removes it."),
            "severity": ("int", doc("severity_level")),
            "via": "string",
            "rule_id": "string",
            "match_kind": ("string", "How the rows were selected."),
            "selector": ("string", "The selection that the analyst made, in JSON."),
            "note": "string",
            "author": ("string", doc("scored_by")),
            "recorded_at": ("timestamp", "When the action was recorded (UTC)."),
            "alive": ("int", "1 if the action has not been undone."),
        },
    ),
    "rule_hits": (
        "One row per landed result and rule that it matches.",
        {
            "rank": "int",
            "rule_id": "string",
            "rule_version": ("string", "Version of the rule."),
            "severity": ("int", doc("severity_level")),
            "reason": ("string", "The rule's reason, as text."),
        },
    ),
    "suppressed": (
        "One row per landed result and suppression that covers it.",
        {
            "rank": "int",
            "suppression_id": "string",
            "reason": ("string", "The suppression's reason, as text."),
            "author": ("string", doc("scored_by")),
        },
    ),
    "stories": (
        "One row per saved story.",
        {
            "action_id": "string",
            "action_seq": ("bigint", "Place of the action in the store's order."),
            "anchor_kind": ("string", "Kind of the story's subject, such as ip or uri."),
            "anchor": ("string", doc("story_anchor")),
            "title": ("string", doc("story_title")),
            "text": ("string", doc("story_text")),
            "top_results": ("int", "Maximum number of peers per direction, or of clients, shown."),
            "author": ("string", doc("scored_by")),
            "recorded_at": ("timestamp", "When the story was saved (UTC)."),
            "alive": ("int", "1 if it is the current story of its anchor."),
        },
    ),
}


def triage_tables(pipeline: Pipeline) -> dict[str, Table]:
    """Return the tables of analysts' actions on landed rows: labels, rule_hits and so on."""
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
    "One row per run, however it ended. Rows are added and never changed. A run that never got the "
    "lock on the warehouse has no row.",
    {
        "run_id": ("string", "Identifies the run, as in manifest.json of the day it published."),
        "status": (
            "string",
            "`done`, `unchanged`, `refreshed`, `scored`, `failed`, `interrupted` or `died`. An "
            "`unchanged` run wrote nothing for the day, a `refreshed` run only the triage, a "
            "`scored` run only the results file. Ctrl-C, SIGTERM and cancelling make a run "
            "`interrupted`; a kill or a crash of the machine makes it `died`.",
        ),
        "reason": ("string", "The one-line error of a failed run. NULL for the others."),
        "failed_step": ("string", "The step in which the run did not succeed, or NULL."),
        "started_at": (
            "timestamp",
            "When the run was requested, before it waited for the lock (UTC).",
        ),
        "finished_at": ("timestamp", "When the run ended (UTC). NULL if it died."),
        "seconds": ("double", "From started_at to finished_at. NULL if the run died."),
        "step_seconds": ("string", "JSON, seconds by step, of the steps that succeeded."),
        "user_name": ("string", "The operating system's user that ran it."),
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
        "results_limit": ("int", "Maximum number of results to land."),
        "rows_landed": ("bigint", f"Results landed. {_NOT_SO_FAR}"),
        "lines_rejected": ("bigint", f"Rejected lines of the results file. {_NOT_SO_FAR}"),
        "bad_values": ("bigint", f"Values that became NULL. {_NOT_SO_FAR}"),
        "enrichment": ("string", "JSON: `status`, `asked` and `found` by step and source."),
        "models_built": ("int", f"Models and seeds built. {_NOT_SO_FAR}"),
        "tests_passed": ("int", f"Data tests that passed. {_NOT_SO_FAR}"),
        "tests_warned": ("int", f"Data tests that warned. {_NOT_SO_FAR}"),
        "published_rows": (
            "string",
            "JSON, rows by published table. Empty if the run published nothing.",
        ),
        "warnings": ("int", "Number of warnings of the run."),
        "warning_texts": ("string", "JSON, the warnings as the run showed them."),
        "fingerprint": ("string", "Hash of all inputs of the run. NULL if it is not known."),
    },
)
"""One row per run, added when it ends and never cleared; lists and mappings are JSON."""


def name_key(name: str) -> str:
    """Return SQL for the normalised form of a DNS name, as the macro `dns_name_key` does."""
    return (
        f"case when {name} like '%_.' then lower(substr({name}, 1, length({name}) - 1)) "
        f"else lower({name}) end"
    )
