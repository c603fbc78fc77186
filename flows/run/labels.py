"""Labels in a run or refresh: landed by rank, and published separately from the day."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from analyst import landed
from analyst.actions import to_line
from analyst.feedback import COLUMNS, FILE, Feedback, write_rows
from analyst.landed import Snapshot
from analyst.live import LiveDay
from analyst.published import read_day, read_manifest, triage_of
from analyst.selectors import Row, key_of
from analyst.standing import StandingRule, columns, load_rules, rules_on
from analyst.store import SqliteStore, open_store
from analyst.suppressions import Suppression, columns_of, on_day, standing
from flows.run.steps import Run
from spot_oa import publish as publishing
from spot_oa.dates import Slice
from spot_oa.errors import ConfigError, StoreError, WarehouseError
from spot_oa.pipelines import Pipeline
from spot_oa.publish import Published, published_days, published_folder
from spot_oa.settings import Settings
from spot_oa.warehouse.published import read_rows
from spot_oa.warehouse.tables import results_table, triage_tables

ACTIONS = "actions.jsonl"


@dataclass(frozen=True, slots=True)
class Labelled:
    """The state of a day's labels when they were landed."""

    snapshot: Snapshot
    rows: int
    orphans: int
    stories: int = 0
    """The number of current stories."""
    had_stories: bool = False
    """Whether there were rows of stories before: the stories' tables must be rebuilt."""
    rule_hits: int = 0
    rules: Sequence[StandingRule] = ()
    """The standing rules that hold on the day."""


def land(run: Run, *, accept_store: bool = False) -> Labelled:
    """Replace the day's labels in the warehouse by those of the store, which is only read.

    Args:
        run: The day; its results are landed.
        accept_store: Accept another store, or one that lacks published actions.

    Raises:
        StoreError: The store cannot be read, or lacks published actions; nothing is replaced.
        ConfigError: The rule file is invalid; nothing is replaced.
        WarehouseError: The labels could not be written; the slice has not changed.
    """
    snapshot = read_store(open_store(run.settings), run.pipeline, run.part)
    if not accept_store:
        check_store(run.settings, run.part, snapshot)
    rules = rules_on(run.settings, run.pipeline, run.part.date)
    tables = triage_tables(run.pipeline)
    if not snapshot.actions and not rules and not snapshot.suppressions:
        # Most days have none, and should not lose time here.
        there = {
            name
            for name, (column, by) in _IDS.items()
            if run.warehouse.distinct(tables[name], column, run.part, by=by)
        }
        if there:
            with run.warehouse.replacing(run.part, *tables.values()):
                pass
        return Labelled(snapshot, 0, 0, had_stories="stories" in there)
    keys = landed_keys(run)
    stories = landed.story_rows(tables["stories"], snapshot.actions)
    made = {
        "stories": stories,
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
    return Labelled(
        snapshot,
        made["labels"].num_rows,
        landed.orphans(snapshot.actions, keys),
        sum(stories["alive"].to_pylist()),
        stories.num_rows > 0,
        made["rule_hits"].num_rows,
        rules,
    )


_IDS = {
    "labels": ("action_id", "rank"),
    "rule_hits": ("rule_id", "rank"),
    "suppressed": ("suppression_id", "rank"),
    "stories": ("action_id", "action_seq"),
}
"""Table -> the columns with which to look for rows of a day."""


def read_store(store: SqliteStore, pipeline: Pipeline, part: Slice) -> Snapshot:
    """Return the store's snapshot of a day."""
    return Snapshot(
        store.store_id,
        store.actions(part.pipeline, part.date.isoformat()),
        on_day(store, pipeline, part.date),
    )


def check_store(settings: Settings, part: Slice, snapshot: Snapshot) -> None:
    """Check that the store still has the actions of the published triage.

    Raises:
        StoreError: The store lacks some: an emptied or missing store must not unlabel a day.
    """
    folder = published_folder(settings.triage_dir, part)
    manifest = read_manifest(folder) or {}
    known = int(manifest.get("last_seq") or 0)
    of_a_store = manifest.get("store_id") and (known or manifest.get("suppressions"))
    other = of_a_store and snapshot.store_id != manifest.get("store_id")
    # A restored backup may have new actions: equal numbers do not mean equal actions.
    lost = _published_ids(folder) - {action.action_id for action in snapshot.actions}
    if other or lost or snapshot.last_seq < known:
        what = "is not the store of" if other else "lacks actions of"
        raise StoreError(
            f"store {settings.analyst_db} {what} the published triage of {part}, whose labels "
            "remain; correct SPOT_OA_ANALYST_DB, or accept the store with "
            f"`spot-oa refresh {part.pipeline} --date {part.date} --accept-store`"
        )


def _published_ids(folder: Path) -> set[str]:
    """Return the ids of a published triage's actions; none if they cannot be read."""
    try:
        lines = (folder / ACTIONS).read_text("utf-8").splitlines()
        return {str(json.loads(line)["action_id"]) for line in lines}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def check_published(run: Run) -> None:
    """Check that the warehouse holds the results of the published run.

    Raises:
        WarehouseError: It does not: a triage built from it would be of other rows.
        SpotOaError: The published scores cannot be read.
    """
    published = read_day(run.settings, run.pipeline, run.part)
    wanted, landed_now = list(published.keys), landed_keys(run)
    if None in published.ranks:
        # The order of equal scores is not published.
        wanted, landed_now = sorted(wanted), sorted(landed_now)
    if wanted != landed_now:
        raise WarehouseError(
            f"the warehouse does not hold the published run {published.run_id} of {run.part}: run "
            f"the day again (`spot-oa run {run.part.pipeline} --date {run.part.date}`)"
        )


def landed_keys(run: Run) -> list[str]:
    """Return the row keys of the landed results, by rank."""
    key = triage_of(run.pipeline).key
    return [key_of(list(row.values())) for row in landed_rows(run, key)]


def landed_rows(run: Run, names: Iterable[str]) -> list[Row]:
    """Return columns of the landed results by rank, under their names in the scores."""
    renamed = triage_of(run.pipeline).landed
    wanted = list(names)
    fields = [renamed.get(name, name) for name in wanted]
    rows = run.warehouse.rows(results_table(run.pipeline), fields, run.part)
    return [dict(zip(wanted, row, strict=True)) for row in rows]


def publish(run: Run, labelled: Labelled) -> Path:
    """Publish the day's triage as one folder.

    Raises:
        SpotOaError: Publishing failed; the old triage remains.
    """
    triage = run.pipeline.triage
    if triage is None:
        raise StoreError(f"{run.pipeline.name} has no triage")
    scores = read_manifest(published_folder(run.settings.data_dir, run.part)) or {}
    snapshot = labelled.snapshot
    feedback = _own_feedback(run, labelled)

    def manifest(folder: Path, published: Published) -> Mapping[str, object]:
        return {
            "pipeline": run.part.pipeline,
            "date": run.part.date.isoformat(),
            "scores_run_id": scores.get("run_id"),
            "store_id": snapshot.store_id,
            "last_seq": snapshot.last_seq,
            "stories": labelled.stories,
            **_acting(snapshot.suppressions, labelled.rules),
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
    # Days without stories do not publish these tables.
    stories = triage.stories.tables if triage.stories and labelled.stories else {}
    published = publishing.publish_tables(
        {**triage.tables, **stories},
        run.part,
        run.settings.triage_dir,
        run.warehouse,
        meta={"pipeline": run.part.pipeline, "date": run.part.date.isoformat()},
        manifest=manifest,
        texts=texts,
    )
    return published.folder


def is_behind(settings: Settings, pipeline: Pipeline, part: Slice) -> bool:
    """Whether a day's published triage is older than its scores, actions, suppressions or rules.

    Raises:
        StoreError: The store cannot be read.
        ConfigError: The rule file is invalid.
    """
    if pipeline.triage is None or not pipeline.triage.tables:
        return False
    store = open_store(settings)
    last = store.last_seq(part.pipeline, part.date.isoformat())
    acting = _acting(on_day(store, pipeline, part.date), rules_on(settings, pipeline, part.date))
    return _older_than(last, acting, settings, part)


def pending(settings: Settings, pipelines: Iterable[Pipeline]) -> list[Slice]:
    """Return the published days whose triage is behind; not days that need no triage.

    If the rule file of a pipeline is invalid, all its days are behind: their refresh reports it.

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
        try:
            rules, readable = load_rules(settings, pipeline), True
        except ConfigError:
            rules, readable = [], False
        for date in published_days(settings.data_dir, pipeline.name):
            part, seq = Slice(pipeline.name, date), last.get(date.isoformat(), 0)
            acting = _acting(
                [each for each in suppressions if each.holds_on(date)],
                [rule for rule in rules if rule.holds_on(date)],
            )
            there = published_folder(settings.triage_dir, part).is_dir()
            if (seq or any(acting.values()) or there) and (
                not readable or _older_than(seq, acting, settings, part)
            ):
                found.append(part)
    return found


def _acting(
    suppressions: Iterable[Suppression], rules: Iterable[StandingRule]
) -> dict[str, list[str]]:
    """Return the manifest's entries of what acts on a day besides its actions."""
    return {
        "suppressions": sorted(each.id for each in suppressions),
        "rules": sorted(f"{rule.id} {_digest(rule)}" for rule in rules),
    }


def _digest(rule: StandingRule) -> str:
    """Return a digest of all that a rule's hits depend on."""
    content = rule.model_dump_json(include={"version", "when", "severity", "reason"})
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def _older_than(
    last: int, acting: Mapping[str, list[str]], settings: Settings, part: Slice
) -> bool:
    triage = read_manifest(published_folder(settings.triage_dir, part)) or {}
    scores = read_manifest(published_folder(settings.data_dir, part)) or {}
    return (
        last > int(triage.get("last_seq") or 0)
        or any(found != (triage.get(name) or []) for name, found in acting.items())
        or triage.get("scores_run_id") != scores.get("run_id")
    )


def _own_feedback(run: Run, labelled: Labelled) -> Feedback | None:
    """Return the day's own rows for the scorer; None if the pipeline has no feedback file."""
    if run.part.pipeline not in COLUMNS:
        return None
    if not labelled.snapshot.actions and not labelled.rule_hits:
        return write_rows(run.part.pipeline, [])
    store = open_store(run.settings)
    day = LiveDay(run.settings, run.pipeline, run.part, store)
    return write_rows(run.part.pipeline, day.judged(labelled.snapshot.actions))
