"""What analysts judged on earlier dates, as the scorer reads it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from analyst import state
from analyst.actions import Action, Kind, Severity
from analyst.published import read_day, read_manifest, triage_of
from analyst.selectors import Row
from analyst.store import open_store
from flows.run.steps import Run
from spot_oa.dates import Slice, parse_date
from spot_oa.errors import printable
from spot_oa.publish import published_folder
from spot_oa.scoring.files import labels_table, scoring_of
from spot_oa.warehouse.published import read_rows
from spot_oa.warehouse.tables import YMD

HALF_LIFE = 30
"""Days in which a label loses half its weight."""
LEAST = 0.05
"""A label of less weight does not act."""
WORDS = {Severity.LOW: "benign", Severity.HIGH: "malicious", Severity.MEDIUM: "odd"}
_NEWS = {"is_new_service": "newsvc", "is_new_peer": "newpeer", "is_new_to_network": "newnet"}


@dataclass(frozen=True, slots=True)
class Label:
    """A label of an author on a row of an earlier date."""

    severity: int
    author: str
    given: str
    """When, as the store has it."""
    row: Row
    row_date: dt.date
    """Whose row was judged: the label's age counts from there, whenever it was given."""
    news: Mapping[str, int]

    def weight(self, date: dt.date) -> float:
        """What it still weighs on a date: half of it is gone after 30 days."""
        return float(0.5 ** ((date - self.row_date).days / HALF_LIFE))

    @property
    def words(self) -> str:
        """The label as a row's reasons name it."""
        meant = WORDS.get(Severity(self.severity), "odd")
        return f"judged {meant} by {printable(self.author)} on {self.row_date}"


def find(run: Run) -> list[Label]:
    """The labels of dates before the run's that still weigh something, oldest first.

    Raises:
        StoreError: The analysts' store cannot be read.
    """
    if run.pipeline.triage is None:
        return []
    found: list[Label] = []
    for day in open_store(run.settings).last_seqs(run.pipeline.name):
        part = Slice(run.pipeline.name, parse_date(day))
        if part.date < run.part.date:
            found += _of_day(run, part)
    return sorted(
        (label for label in found if label.weight(run.part.date) >= LEAST),
        key=lambda label: (label.given, label.author, sorted(map(str, label.row.values()))),
    )


def rows(run: Run, labels: Sequence[Label]) -> pa.Table:
    """Labels as rows of `labels_table`, without the slice; numbered as they come."""
    names = scoring_of(run.pipeline).labelled
    schema = pa.schema(
        [each for each in labels_table(run.pipeline).arrow_schema if each.name not in YMD]
    )
    made = [
        {
            "label_no": number,
            "severity": label.severity,
            "author": label.author,
            "weight": round(label.weight(run.part.date) * 1_000_000),
            "row_age": (run.part.date - label.row_date).days,
            **label.news,
            **{name: label.row[name] for name in names},
        }
        for number, label in enumerate(labels)
    ]
    return pa.Table.from_pylist(made, schema)


def words(labels: Sequence[Label], row: Mapping[str, Any]) -> str:
    """Which label acted on a row of the scorer's model; empty if none did."""
    for column, of_what in (
        ("label_of_group", ""),
        ("label_of_service", "of another client "),
        ("label_of_habit", "of another peer "),
    ):
        number = row.get(column)
        if number is not None:
            return f"{of_what}{labels[int(number)].words} ({float(row['feedback']):+.1f})"
    return ""


def _of_day(run: Run, part: Slice) -> Iterator[Label]:
    folder = published_folder(run.settings.data_dir, part)
    if read_manifest(folder) is None:
        return
    day = read_day(run.settings, run.pipeline, part)
    actions = open_store(run.settings).actions(part.pipeline, part.date.isoformat())
    at = dict(zip(day.keys, day.rows, strict=True))
    news = _news(run, part)
    targets = list(triage_of(run.pipeline).targets)
    for (key, author), action in _decided(actions, targets).items():
        if key in at and action.severity:
            yield Label(
                action.severity,
                author,
                action.recorded_at,
                at[key],
                part.date,
                {name: news.get(key, {}).get(reason, 0) for name, reason in _NEWS.items()},
            )


def _decided(actions: Sequence[Action], targets: Sequence[str]) -> dict[tuple[str, str], Action]:
    """The action that decides about each row for each author: of the first target, the latest."""
    found: dict[tuple[str, str], tuple[tuple[int, int], Action]] = {}
    for action in state.alive(actions):
        if action.kind not in (Kind.LABEL, Kind.CLEAR):
            continue
        for key, target in action.rows:
            place = -targets.index(target) if target in targets else -len(targets), action.seq
            if place >= found.get((key, action.author), ((-len(targets) - 1, 0), action))[0]:
                found[key, action.author] = place, action
    return {who: action for who, (_, action) in found.items()}


def _news(run: Run, part: Slice) -> Mapping[str, Mapping[str, int]]:
    """What was new of each published row, by its key."""
    folder = published_folder(run.settings.data_dir, part)
    try:
        reasons = read_rows(folder / f"{run.pipeline.reasons_table}.parquet")
    except OSError:
        return {}
    return {
        str(row["row_key"]): {name: int(bool(row.get(f"bits_{name}"))) for name in _NEWS.values()}
        for row in reasons
    }
