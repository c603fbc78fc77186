"""What analysts did to a day, as rows of the tables that dbt reads: actions by rank."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from analyst import state
from analyst.actions import Action
from analyst.selectors import Row
from analyst.standing import StandingRule, hits
from analyst.suppressions import Suppression, covering
from spot_oa.pipelines import Pipeline
from spot_oa.warehouse.tables import Table


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The store's view of a day at one moment."""

    store_id: str | None
    actions: Sequence[Action]
    suppressions: Sequence[Suppression] = ()
    """Those that act on the day's rows."""

    @property
    def last_seq(self) -> int:
        """The last action; 0 if there is none."""
        return max((action.seq for action in self.actions), default=0)


def label_rows(table: Table, actions: Sequence[Action], keys: Sequence[str]) -> pa.Table:
    """Every action on rows, one row per landed result and target.

    Args:
        table: `raw.<pipeline>_labels`.
        actions: All of the day.
        keys: The key of each landed result, by rank. Equal results share a key and get the action
            each; a key that no result has gets one row without a rank.
    """
    ranks: dict[str, list[int | None]] = {}
    for rank, key in enumerate(keys):
        ranks.setdefault(key, []).append(rank)
    absent: list[int | None] = [None]
    living = {action.seq for action in state.alive(actions)}
    rows = [
        {
            "rank": rank,
            "row_key": key,
            "target": target,
            "action_id": action.action_id,
            "action_seq": action.seq,
            "kind": str(action.kind),
            "severity": action.severity,
            "via": action.via,
            "rule_id": action.rule_id,
            "match_kind": action.match_kind,
            "selector": action.selector,
            "note": action.note,
            "author": action.author,
            "recorded_at": _moment(action),
            "alive": int(action.seq in living),
        }
        for action in actions
        for key, target in sorted(action.rows)
        for rank in ranks.get(key, absent)
    ]
    return _of(table, rows)


def hit_rows(
    table: Table, rules: Sequence[StandingRule], day: dt.date, rows: Sequence[Row]
) -> pa.Table:
    """What standing rules say of the landed results.

    Args:
        table: `raw.<pipeline>_rule_hits`.
        rules: Those of the pipeline.
        day: The day of the results.
        rows: The results by rank, with all columns that rules may speak of.
    """
    found = [
        {
            "rank": hit.place,
            "rule_id": hit.rule.id,
            "rule_version": str(hit.rule.version),
            "severity": int(hit.rule.severity),
            "reason": hit.rule.reason_for(rows[hit.place]),
        }
        for hit in hits(rules, day, rows)
    ]
    return _of(table, found)


def suppressed_rows(
    table: Table, pipeline: Pipeline, suppressions: Sequence[Suppression], rows: Sequence[Row]
) -> pa.Table:
    """What suppressions cover.

    Args:
        table: `raw.<pipeline>_suppressed`.
        pipeline: Whose results.
        suppressions: Those that act on the day.
        rows: The results by rank, with all columns that can be suppressed by.
    """
    found = [
        {
            "rank": place,
            "suppression_id": each.id,
            "reason": each.reason,
            "author": each.author,
        }
        for place, covered in sorted(covering(pipeline, suppressions, rows).items())
        for each in covered
    ]
    return _of(table, found)


def _of(table: Table, rows: list[dict[str, Any]]) -> pa.Table:
    fields = [field for field in table.arrow_schema if field.name not in ("y", "m", "d")]
    return pa.Table.from_pylist(rows, pa.schema(fields))


def _moment(action: Action) -> dt.datetime:
    return dt.datetime.fromisoformat(action.recorded_at).astimezone(dt.UTC).replace(tzinfo=None)


def orphans(actions: Iterable[Action], keys: Iterable[str]) -> int:
    """How many row keys hold a judgement and are not in the day."""
    judged = {key for key, _ in state.marks(actions)}
    return len(judged - set(keys))


def counts(rows: Sequence[Mapping[str, object]]) -> dict[str, int]:
    """What the manifest says of a triage table."""
    names = [str(row["severity_name"]).lower() for row in rows]
    return {
        "rows": len(rows),
        "open": sum(row["is_open"] == 1 for row in rows),
        **{level: names.count(level) for level in ("high", "medium", "low")},
        "suppressed": sum(row["suppressed"] == 1 for row in rows),
    }
