"""Converts the analysts' actions on a day to rows of the tables that dbt reads."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from analyst import state
from analyst.actions import MOST_RESULTS, TOP_RESULTS, Action, Kind
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
    """The suppressions in effect on the day."""

    @property
    def last_seq(self) -> int:
        """The number of the last action; 0 if there is none."""
        return max((action.seq for action in self.actions), default=0)


def label_rows(table: Table, actions: Sequence[Action], keys: Sequence[str]) -> pa.Table:
    """Return every action on rows, one row per landed result and target.

    Args:
        table: `raw.<pipeline>_labels`.
        actions: All actions of the day.
        keys: The key of each landed result, by rank. Equal results share a key, and each gets the
            action; a key without a result gets one row without a rank.
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
    """Return the hits of standing rules on the landed results.

    Args:
        table: `raw.<pipeline>_rule_hits`.
        rules: The rules of the pipeline.
        day: The day of the results.
        rows: The results by rank, with all columns that rules may use.
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
    """Return the landed results that suppressions cover.

    Args:
        table: `raw.<pipeline>_suppressed`.
        pipeline: The pipeline of the results.
        suppressions: The suppressions in effect on the day.
        rows: The results by rank, with all columns that suppressions may use.
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


def story_rows(table: Table, actions: Sequence[Action]) -> pa.Table:
    """Return every saved story, and whether it is its anchor's current one.

    Args:
        table: `raw.<pipeline>_stories`.
        actions: All actions of the day.
    """
    holding = {action.seq for action in state.stories(actions).values()}
    rows = []
    for action in actions:
        if action.kind == Kind.STORY:
            content = state.story_content(action)
            rows.append(
                {
                    "action_id": action.action_id,
                    "action_seq": action.seq,
                    **{name: str(content.get(name, "")) for name in _TEXTS},
                    "top_results": _top_results(content.get("top_results")),
                    "author": action.author,
                    "recorded_at": _moment(action),
                    "alive": int(action.seq in holding),
                }
            )
    return _of(table, rows)


_TEXTS = ("anchor_kind", "anchor", "title", "text")


def _top_results(given: object) -> int:
    """Return a story's number of top results; an import may contain any value."""
    # In Python, True is an int.
    if isinstance(given, int) and not isinstance(given, bool) and 0 < given <= MOST_RESULTS:
        return given
    return TOP_RESULTS


def _of(table: Table, rows: list[dict[str, Any]]) -> pa.Table:
    fields = [field for field in table.arrow_schema if field.name not in ("y", "m", "d")]
    return pa.Table.from_pylist(rows, pa.schema(fields))


def _moment(action: Action) -> dt.datetime:
    return dt.datetime.fromisoformat(action.recorded_at).astimezone(dt.UTC).replace(tzinfo=None)


def orphans(actions: Iterable[Action], keys: Iterable[str]) -> int:
    """Count the labelled row keys that are not in the day."""
    judged = {key for key, _ in state.marks(actions)}
    return len(judged - set(keys))


def counts(rows: Sequence[Mapping[str, object]]) -> dict[str, int]:
    """Return the counts of a triage table for the manifest."""
    names = [str(row["severity_name"]).lower() for row in rows]
    return {
        "rows": len(rows),
        "open": sum(row["is_open"] == 1 for row in rows),
        **{level: names.count(level) for level in ("high", "medium", "low")},
        "suppressed": sum(row["suppressed"] == 1 for row in rows),
    }
