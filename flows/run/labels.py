"""Labels in a run and in a refresh: landed by rank, built by dbt, published apart from the day."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from pathlib import Path

from analyst import landed
from analyst.actions import to_line
from analyst.day import Day
from analyst.feedback import COLUMNS, FILE, Feedback, write_rows
from analyst.landed import Snapshot
from analyst.published import read_manifest, triage_of
from analyst.selectors import Row, key_of
from analyst.standing import columns, load_rules
from analyst.store import SqliteStore, open_store
from analyst.suppressions import columns_of, on_day, standing
from flows.run.steps import Run
from spot_oa import publish as publishing
from spot_oa.dates import Slice
from spot_oa.errors import StoreError
from spot_oa.pipelines import Pipeline
from spot_oa.publish import Published, published_days, published_folder
from spot_oa.settings import Settings
from spot_oa.warehouse.published import read_rows
from spot_oa.warehouse.tables import results_table, triage_tables

ACTIONS = "actions.jsonl"


@dataclass(frozen=True, slots=True)
class Labelled:
    """What a day's labels were when they were landed."""

    snapshot: Snapshot
    rows: int
    orphans: int


def land(run: Run, *, accept_store: bool = False) -> Labelled:
    """Replace the day's labels in the warehouse by what the store says; the store is only read.

    Args:
        run: The day; its results are landed.
        accept_store: Take a store that is not the one, or has not all, of the last time.

    Raises:
        StoreError: The store cannot be read, or has lost what was published; nothing is replaced.
        ConfigError: The rule file cannot be meant; nothing is replaced.
        WarehouseError: The labels could not be written; the slice is as it was.
    """
    snapshot = read_store(open_store(run.settings), run.pipeline, run.part)
    if not accept_store:
        check_store(run.settings, run.part, snapshot)
    rules = [r for r in load_rules(run.settings, run.pipeline) if r.holds_on(run.part.date)]
    tables = triage_tables(run.pipeline)
    if not snapshot.actions and not rules and not snapshot.suppressions:
        # Most days have none, and are to lose no time by it.
        if any(run.warehouse.distinct(tables[t], id_, run.part) for t, id_ in _IDS.items()):
            with run.warehouse.replacing(run.part, *tables.values()):
                pass
        return Labelled(snapshot, 0, 0)
    keys = landed_keys(run)
    made = {
        "labels": landed.label_rows(tables["labels"], snapshot.actions, keys),
        "rule_hits": landed.hit_rows(
            tables["rule_hits"], rules, run.part.date, landed_rows(run, columns(run.pipeline))
        ),
        "suppressed": landed.suppressed_rows(
            tables["suppressed"],
            run.pipeline,
            snapshot.suppressions,
            landed_rows(run, columns_of(run.pipeline)) if snapshot.suppressions else (),
        ),
    }
    with run.warehouse.replacing(run.part, *tables.values()) as writer:
        for name, rows in made.items():
            if rows.num_rows:
                writer.append(tables[name], rows)
    return Labelled(snapshot, made["labels"].num_rows, landed.orphans(snapshot.actions, keys))


_IDS = {"labels": "action_id", "rule_hits": "rule_id", "suppressed": "suppression_id"}
"""What tells whether a day has rows, by table."""


def read_store(store: SqliteStore, pipeline: Pipeline, part: Slice) -> Snapshot:
    """What the store holds of a day."""
    return Snapshot(
        store.store_id,
        store.actions(part.pipeline, part.date.isoformat()),
        on_day(store, pipeline, part.date),
    )


def check_store(settings: Settings, part: Slice, snapshot: Snapshot) -> None:
    """See that the store still has what the published triage was made of.

    Raises:
        StoreError: It has not: an emptied or forgotten store must not unlabel a day.
    """
    folder = published_folder(settings.triage_dir, part)
    manifest = read_manifest(folder) or {}
    known = int(manifest.get("last_seq") or 0)
    other = known and snapshot.store_id != manifest.get("store_id")
    # A backup that was put back may have been written to since: its numbers say nothing then.
    lost = _published_ids(folder) - {action.action_id for action in snapshot.actions}
    if other or lost or snapshot.last_seq < known:
        what = "is not the store of" if other else "lacks actions of"
        raise StoreError(
            f"store {settings.analyst_db} {what} the published triage of {part}, which keeps its "
            "labels; correct SPOT_OA_ANALYST_DB, or take it with "
            f"`spot-oa refresh {part.pipeline} --date {part.date} --accept-store`"
        )


def _published_ids(folder: Path) -> set[str]:
    """The actions that a published triage was made of; none where nothing can be read."""
    try:
        lines = (folder / ACTIONS).read_text("utf-8").splitlines()
        return {str(json.loads(line)["action_id"]) for line in lines}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def landed_keys(run: Run) -> list[str]:
    """The row keys of the landed results, by rank."""
    key = triage_of(run.pipeline).key
    return [key_of(list(row.values())) for row in landed_rows(run, key)]


def landed_rows(run: Run, names: Iterable[str]) -> list[Row]:
    """Columns of the landed results, by the names that the scores have, by rank."""
    renamed = triage_of(run.pipeline).landed
    wanted = list(names)
    fields = [renamed.get(name, name) for name in wanted]
    rows = run.warehouse.rows(results_table(run.pipeline), fields, run.part)
    return [dict(zip(wanted, row, strict=True)) for row in rows]


def publish(run: Run, labelled: Labelled) -> Path:
    """Publish the day's triage as one folder.

    Raises:
        SpotOaError: The old triage stands.
    """
    triage = run.pipeline.triage
    if triage is None:
        raise StoreError(f"{run.pipeline.name} has no triage")
    scores = read_manifest(published_folder(run.settings.data_dir, run.part)) or {}
    snapshot = labelled.snapshot
    feedback = _own_feedback(run, snapshot)

    def manifest(folder: Path, published: Published) -> Mapping[str, object]:
        return {
            "pipeline": run.part.pipeline,
            "date": run.part.date.isoformat(),
            "scores_run_id": scores.get("run_id"),
            "store_id": snapshot.store_id,
            "last_seq": snapshot.last_seq,
            "suppressions": sorted(each.id for each in snapshot.suppressions),
            "built_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            **landed.counts(read_rows(folder / f"{run.pipeline.name}_triage.parquet")),
            "orphans": labelled.orphans,
            "feedback_left_out": feedback.left_out if feedback else 0,
            "tables": {
                name: {"file": f"{name}.parquet", "rows": count}
                for name, count in published.rows.items()
            },
        }

    texts = {ACTIONS: "".join(f"{to_line(action)}\n" for action in snapshot.actions)}
    if feedback is not None:
        texts[FILE] = feedback.text
    published = publishing.publish_tables(
        triage.tables,
        run.part,
        run.settings.triage_dir,
        run.warehouse,
        meta={"pipeline": run.part.pipeline, "date": run.part.date.isoformat()},
        manifest=manifest,
        texts=texts,
    )
    return published.folder


def is_behind(settings: Settings, pipeline: Pipeline, part: Slice) -> bool:
    """Whether the published triage of a day is older than its scores, or than its last action."""
    if pipeline.triage is None or not pipeline.triage.tables:
        return False
    store = open_store(settings)
    last = store.last_seq(part.pipeline, part.date.isoformat())
    acting = {each.id for each in on_day(store, pipeline, part.date)}
    return _older_than(last, acting, settings, part)


def pending(settings: Settings, pipelines: Iterable[Pipeline]) -> list[Slice]:
    """The published days whose triage is behind; not those that never had one and need none.

    Raises:
        StoreError: The store cannot be read.
    """
    found = []
    for pipeline in pipelines:
        if pipeline.triage is None or not pipeline.triage.tables:
            continue
        store = open_store(settings)
        last = store.last_seqs(pipeline.name)
        suppressions = standing(store.undated(pipeline.name))
        for date in published_days(settings.data_dir, pipeline.name):
            part, seq = Slice(pipeline.name, date), last.get(date.isoformat(), 0)
            acting = {each.id for each in suppressions if each.holds_on(date)}
            there = published_folder(settings.triage_dir, part).is_dir()
            if (seq or acting or there) and _older_than(seq, acting, settings, part):
                found.append(part)
    return found


def _older_than(last: int, acting: Set[str], settings: Settings, part: Slice) -> bool:
    triage = read_manifest(published_folder(settings.triage_dir, part)) or {}
    scores = read_manifest(published_folder(settings.data_dir, part)) or {}
    return (
        last > int(triage.get("last_seq") or 0)
        or acting != set(triage.get("suppressions") or ())
        or triage.get("scores_run_id") != scores.get("run_id")
    )


def _own_feedback(run: Run, snapshot: Snapshot) -> Feedback | None:
    """The day's own rows for the scorer; None if nothing is known of its reader."""
    if run.part.pipeline not in COLUMNS:
        return None
    if not snapshot.actions:
        return write_rows(run.part.pipeline, [])
    store = open_store(run.settings)
    day = Day(run.settings, run.pipeline, run.part, store, author="", made_with="cli")
    return write_rows(run.part.pipeline, day.judged(snapshot.actions))
