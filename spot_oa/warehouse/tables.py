"""The tables that Python writes, in portable types; SQL only reads them.

Each ends with the columns of its slice: `pipeline` where several pipelines share it, then y, m, d.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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

    @property
    def arrow_schema(self) -> pa.Schema:
        """The columns as Arrow types; all nullable."""
        return pa.schema([(name, ARROW_TYPES[kind]) for name, kind in self.columns.items()])

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


def results_table(pipeline: Pipeline) -> Table:
    """The landed results of a pipeline, one row per line taken."""
    fields = {name: field.type for name, field in pipeline.results.fields.items()}
    return Table("raw", pipeline.results_table, {**fields, **_PROVENANCE, **YMD})


_PROVENANCE: Mapping[str, Type] = {
    "rank": "int",
    "line_no": "bigint",
    "source_uri": "string",
    "source_sha256": "string",
    "landed_at": "timestamp",
}

REJECTS = Table(
    "raw",
    "results_rejects",
    {"line_no": "bigint", "reason": "string", "line": "string", **_SHARED},
)

_LOOKUP_COLUMNS: Mapping[str, Mapping[str, Type]] = {
    "ip_geo": {
        "ip": "string",
        "geoloc": "string",
        "domain": "string",
        "country_code": "string",
        "country": "string",
        "region": "string",
        "city": "string",
        "latitude": "double",
        "longitude": "double",
        "asn": "bigint",
        "as_org": "string",
        "isp": "string",
        "source": "string",
        "source_built_at": "timestamp",
    },
    "network_context": {"ip": "string", "is_internal": "int", "label": "string"},
    "reputation": {
        "indicator": "string",
        "indicator_type": "string",
        "reputation": "string",
        "severity": "int",
    },
    "reputation_verdicts": {
        "indicator": "string",
        "indicator_type": "string",
        "service": "string",
        "severity": "int",
        "label": "string",
        "confidence": "double",
        "category": "string",
        "matched_entry": "string",
        "fetched_at": "timestamp",
        "expires_at": "timestamp",
        "outcome": "string",
    },
    "domain": {"name": "string", "registered_domain": "string", "public_suffix": "string"},
}

LOOKUPS: Mapping[str, Table] = {
    name: Table("lookups", name, {**columns, **_SHARED})
    for name, columns in _LOOKUP_COLUMNS.items()
}


_TRIAGE_COLUMNS: Mapping[str, Mapping[str, Type]] = {
    "labels": {
        "rank": "int",
        "row_key": "string",
        "target": "string",
        "action_id": "string",
        "action_seq": "bigint",
        "kind": "string",
        "severity": "int",
        "via": "string",
        "rule_id": "string",
        "match_kind": "string",
        "selector": "string",
        "note": "string",
        "author": "string",
        "recorded_at": "timestamp",
        "alive": "int",
    },
    "rule_hits": {
        "rank": "int",
        "rule_id": "string",
        "rule_version": "string",
        "severity": "int",
        "reason": "string",
    },
    "suppressed": {
        "rank": "int",
        "suppression_id": "string",
        "reason": "string",
        "author": "string",
    },
    "stories": {
        "action_id": "string",
        "action_seq": "bigint",
        "anchor_kind": "string",
        "anchor": "string",
        "title": "string",
        "text": "string",
        "top_results": "int",
        "author": "string",
        "recorded_at": "timestamp",
        "alive": "int",
    },
}


def triage_tables(pipeline: Pipeline) -> dict[str, Table]:
    """What analysts did, resolved to the landed rows: labels, rule_hits, suppressed, stories."""
    if pipeline.triage is None:
        return {}
    return {
        name: Table("raw", f"{pipeline.name}_{name}", {**columns, **YMD})
        for name, columns in _TRIAGE_COLUMNS.items()
    }


RUN_AUDIT = Table(
    "oa",
    "run_audit",
    {
        "run_id": "string",
        "status": "string",
        "reason": "string",
        "failed_step": "string",
        "started_at": "timestamp",
        "finished_at": "timestamp",
        "seconds": "double",
        "step_seconds": "string",
        "user_name": "string",
        "host": "string",
        "started_from": "string",
        "flow_run_id": "string",
        "target": "string",
        "versions": "string",
        "results_limit": "int",
        "rows_landed": "bigint",
        "lines_rejected": "bigint",
        "bad_values": "bigint",
        "enrichment": "string",
        "models_built": "int",
        "tests_passed": "int",
        "tests_warned": "int",
        "published_rows": "string",
        "warnings": "int",
        "warning_texts": "string",
        "fingerprint": "string",
        **_SHARED,
    },
)
"""One row per run, added when it ends and never cleared; lists and mappings are JSON."""


def python_tables(pipelines: Mapping[str, Pipeline]) -> list[Table]:
    """Every table that Python writes, for the given pipelines."""
    results = [results_table(pipeline) for pipeline in pipelines.values()]
    triage = [t for pipeline in pipelines.values() for t in triage_tables(pipeline).values()]
    return [*results, REJECTS, *triage, *LOOKUPS.values(), RUN_AUDIT]


def name_key(name: str) -> str:
    """Write SQL for what equal DNS names have in common, as the macro `dns_name_key` does."""
    return (
        f"case when {name} like '%_.' then lower(substr({name}, 1, length({name}) - 1)) "
        f"else lower({name}) end"
    )
