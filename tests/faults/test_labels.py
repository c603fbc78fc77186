"""Labels under hostile texts, kills while they are written and refreshed, and two hands at once."""

from __future__ import annotations

import json
import random
import shutil
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from analyst import Day as LabelledDay
from analyst.actions import LIMITS, from_line
from analyst.store import SqliteStore
from spot_oa.demo import DEMO_DATES
from spot_oa.pipelines import get_pipeline
from spot_oa.settings import load_settings
from spot_oa.warehouse.published import read_rows
from tests.support import days, spot_ml
from tests.support.hostile import DATE, MEANT, hostile_texts
from tests.support.labelled import day, severities
from tests.support.oracle import Day
from tests.support.published import digests
from tests.support.warm import Warm

FIRST, _ = DEMO_DATES
STEPS = ("", "labels", "dbt build", "publish triage")
"""Parts of a refresh by the step whose end they follow."""


@pytest.mark.parametrize("pipeline", ["flow", "proxy", "dns"])
def test_hostile_texts_are_kept_shown_and_handed_on_as_text(
    runs: Warm, tmp_path: Path, pipeline: str
) -> None:
    """In the rows that are labelled, in notes, authors and file names."""
    home, marker = tmp_path / "home", tmp_path / "marker"
    texts = hostile_texts(pipeline, marker)
    described = get_pipeline(pipeline)
    named = [
        name
        for name, field in described.results.fields.items()
        if field.type == "string" and name not in MEANT
    ]
    result = days.RESULT[pipeline](DATE)[0]
    lines = ["\t".join({**result, **dict.fromkeys(named, text)}.values()) for text in texts]
    days.lay_out([Day(pipeline, DATE, 500, "\n".join(lines).encode(), [])], home)
    run = ("--date", str(DATE))
    code, _, errors = runs.run(home, "run", pipeline, *run)
    assert (code, errors) == (0, "")
    settings = load_settings(home=home)
    notes = [text[: LIMITS["note"]] for text in texts]
    authors = [text[: LIMITS["author"]] for text in texts]
    column = {"flow": "dstip", "proxy": "fulluri", "dns": "dns_qry_name"}[pipeline]
    for rank, (note, author) in enumerate(zip(notes, authors, strict=True)):
        opened = day(settings, pipeline, author=author, date=DATE)
        if pipeline == "proxy":
            reply = opened.label(
                "uri", {"fulluri": str(opened.published.rows[rank][column])}, 3, note=note
            )
            assert reply.matched == 1
        else:
            opened.label_ranks([rank], 3, note=note)
    scored = [each.row[column] for each in opened.rows() if each.severity]
    assert len(scored) == len(texts)

    code, _, errors = runs.run(home, "refresh", pipeline, *run)
    assert (code, errors) == (0, "")
    folder = home / "triage" / pipeline / f"{DATE:%Y%m%d}"
    rows = {row["rank"]: row for row in read_rows(folder / f"{pipeline}_triage.parquet")}
    assert [rows[rank]["note"] for rank in range(len(texts))] == notes
    assert [rows[rank]["scored_by"] for rank in range(len(texts))] == authors
    assert [rows[rank][column] for rank in range(len(texts))] == scored
    actions = opened.actions()
    written = (folder / "actions.jsonl").read_text("utf-8").splitlines()
    assert [from_line(line) for line in written] == actions
    # The scorer lives; what would have killed it is left out and counted.
    feedback = (folder / "ml_feedback.csv").read_bytes()
    assert len(spot_ml.read(pipeline, feedback)) == len(opened.feedback().lines)
    told = json.loads((folder / "manifest.json").read_text("utf-8"))
    assert told["low"] == len(texts)
    assert told["feedback_left_out"] == len(texts) - len(opened.feedback().lines)

    shown_and_exported(runs, home, pipeline, opened)
    assert not marker.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def shown_and_exported(runs: Warm, home: Path, pipeline: str, opened: LabelledDay) -> None:
    """The terminal gets printable text only, and a file name is a name."""
    run, actions = ("--date", str(DATE)), opened.actions()
    count = len(actions)
    lines = {"--history": count, "--scored": count + 1, "--open": 1, "--orphans": 0}
    for shown, wanted in lines.items():
        code, output, errors = runs.run(home, "labels", "show", pipeline, *run, shown)
        assert (code, errors) == (0, "")
        assert all(line.isprintable() for line in output.split("\n")), shown
        assert output.count("\n") == wanted, shown
    name = "$(touch x);'\x1b[31m\u202e--.jsonl"
    code, output, errors = runs.run(home, "labels", "export", pipeline, *run, name)
    assert (code, errors) == (0, "")
    assert all(line.isprintable() for line in output.split("\n"))
    elsewhere = SqliteStore(home / "other.sqlite")
    exported = (home / name).read_text("utf-8").splitlines()
    assert elsewhere.import_lines(exported, name) == (len(actions), 0)
    taken = elsewhere.actions(pipeline, DATE.isoformat())
    assert [each.same_as(own) for each, own in zip(taken, actions, strict=True)] == [True] * len(
        actions
    )


def test_whenever_a_refresh_is_killed_the_triage_is_old_or_new(
    runs: Warm, home: Path, moments: int, seed: int
) -> None:
    settings = load_settings(home=home)
    folder = home / "triage" / "flow" / f"{FIRST:%Y%m%d}"
    day(settings, date=FIRST).label_ranks([0, 1], 1)
    old = refreshed(runs, home)
    kept = home.parent / "kept"
    shutil.copytree(folder, kept)
    day(settings, date=FIRST).label_ranks([1, 2], 3, note="new")
    begun = time.monotonic()
    new = refreshed(runs, home)
    lasts = time.monotonic() - begun
    assert old != new
    store = severities(day(settings, date=FIRST))
    chance = random.Random(f"{seed} refresh")
    for part in (chance.sample(STEPS, len(STEPS)) * moments)[: 2 * moments]:
        shutil.rmtree(folder)
        shutil.copytree(kept, folder)
        refresh = runs.start(home, "refresh", "flow", "--date", str(FIRST))
        if part:
            refresh.until(f": {part}: ")
        moment = chance.uniform(0, lasts / len(STEPS))
        time.sleep(moment)
        refresh.send(signal.SIGKILL)
        refresh.wait()
        what = f"killed {moment:.3f} s after {part or 'the start'}"
        assert state_of(folder) in (old, new), what
        assert severities(day(settings, date=FIRST)) == store, what
        assert refreshed(runs, home) == new, what
        assert list(folder.parent.glob(".*")) == [], what


def refreshed(runs: Warm, home: Path) -> dict[str, str]:
    code, _, errors = runs.run(home, "refresh", "flow", "--date", str(FIRST))
    assert (code, errors) == (0, "")
    return state_of(home / "triage" / "flow" / f"{FIRST:%Y%m%d}")


def state_of(folder: Path) -> dict[str, str]:
    texts = {
        name: (folder / name).read_text("utf-8") for name in ("actions.jsonl", "ml_feedback.csv")
    }
    told = json.loads((folder / "manifest.json").read_text("utf-8"))
    return {**digests(folder), **texts, "last_seq": str(told["last_seq"])}


def test_two_label_at_once_and_one_is_killed(runs: Warm, home: Path, seed: int) -> None:
    """Command lines side by side: whole actions only, nobody's is lost, and the store opens."""
    chance = random.Random(f"{seed} two hands")
    acted = 0
    for number in range(6):
        both = [
            runs.start(
                home, "label", "flow", "--date", str(FIRST), "--severity", "low",
                "--ranks", f"0-{20 + number}", SPOT_OA_AUTHOR=author,
            )
            for author in ("ann", "bob")
        ]  # fmt: skip
        if number % 2:
            time.sleep(chance.uniform(0, 0.3))
            both[0].send(signal.SIGKILL)
        codes = [each.wait() for each in both]
        assert codes[1] == 0, both[1].err.read_text("utf-8")
        acted += codes.count(0)
    settings = load_settings(home=home)
    actions = day(settings, date=FIRST).actions()
    assert acted <= len(actions) <= 12
    assert [each.seq for each in actions] == list(range(1, len(actions) + 1))
    for action in actions:
        assert len(action.rows) > 0
        assert action.row_count == len(json.loads(action.selector or "")["ranks"])
    with closing(sqlite3.connect(settings.analyst_db)) as store:
        assert store.execute("pragma integrity_check").fetchall() == [("ok",)]
        orphans = "select count(*) from action_rows where seq not in (select seq from actions)"
        assert store.execute(orphans).fetchone() == (0,)
    assert severities(day(settings, date=FIRST))[:21] == [3] * 21
