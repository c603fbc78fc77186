"""The labels of earlier dates, in the form that the scorer reads."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from analyst import state
from analyst.actions import Action, Kind, Severity
from analyst.published import read_day, read_manifest, triage_of
from analyst.report.facts import verdicts
from analyst.report.shapes import SHAPES
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
"""Number of days in which a label loses half its weight."""
LEAST = 0.05
"""Minimum weight of a label that has an effect."""
HIGH = 3
"""The reputation severity from which a label no longer lowers a row's score."""
WORDS = {Severity.LOW: "benign", Severity.HIGH: "malicious", Severity.MEDIUM: "odd"}
_NEWS = {"is_new_service": "newsvc", "is_new_peer": "newpeer", "is_new_to_network": "newnet"}


@dataclass(frozen=True, slots=True)
class Label:
    """A label of an author on a row of an earlier date."""

    severity: int
    author: str
    given: str
    """When the label was given, as in the store."""
    row: Row
    row_date: dt.date
    """The date of the row; the label's age counts from it, whenever the label was given."""
    news: Mapping[str, int]
    known_bad: str | None = None
    """A value that reputation rates high; such a label has severity 0 and no real author."""

    @property
    def words(self) -> str:
        """The label in the wording of a row's reasons."""
        meant = WORDS.get(Severity(self.severity), "odd")
        return f"judged {meant} by {printable(self.author)} on {self.row_date}"


def weight(row_date: dt.date, date: dt.date) -> float:
    """Return the weight on a date of the labels of a day, which halves every 30 days."""
    return float(0.5 ** ((date - row_date).days / HALF_LIFE))


def find(run: Run, history: Sequence[dt.date]) -> list[Label]:
    """Return the labels of dates before the run's that still have weight, oldest first.

    Args:
        run: The slice.
        history: The dates of the memory. Values that reputation rated high on them are returned
            too, as labels of severity 0.

    Raises:
        StoreError: The analysts' store cannot be read.
    """
    if run.pipeline.triage is None:
        return []
    found: list[Label] = []
    for day in open_store(run.settings).last_seqs(run.pipeline.name):
        part = Slice(run.pipeline.name, parse_date(day))
        if part.date < run.part.date and weight(part.date, run.part.date) >= LEAST:
            found += _of_day(run, part)
    for date in history:
        found += _known_bad(run, Slice(run.pipeline.name, date))
    return sorted(
        found, key=lambda label: (label.given, label.author, sorted(map(str, label.row.values())))
    )


def rows(run: Run, labels: Sequence[Label], history: Sequence[dt.date]) -> pa.Table:
    """Return labels as rows of `labels_table` without the slice columns, numbered in order."""
    names = scoring_of(run.pipeline).labelled
    schema = pa.schema(
        [each for each in labels_table(run.pipeline).arrow_schema if each.name not in YMD]
    )
    made = [
        {
            "label_no": number,
            "severity": label.severity,
            "author": label.author,
            "weight": round(weight(label.row_date, run.part.date) * 1_000_000),
            "row_age": sum(date >= label.row_date for date in history),
            "known_bad": label.known_bad,
            **label.news,
            **{name: label.row[name] for name in names},
        }
        for number, label in enumerate(labels)
    ]
    return pa.Table.from_pylist(made, schema)


def words(labels: Sequence[Label], row: Mapping[str, Any]) -> str:
    """Describe the label that affected a row of the scorer's model; empty if none did."""
    for column, of_what in (
        ("label_of_group", ""),
        ("label_of_service", "of another client "),
        ("label_of_habit", "of another peer "),
    ):
        number = row.get(column)
        if number is not None:
            label, bits = labels[int(number)], float(row["feedback"])
            if row.get("is_known_bad") and not bits:
                return f"{of_what}{label.words}, not lowered: reputation calls it high"
            return f"{of_what}{label.words} ({bits:+.1f})"
    return ""


def _known_bad(run: Run, part: Slice) -> Iterator[Label]:
    """Yield each value of a published day's rows that a reputation service rated high."""
    shape = SHAPES.get(run.pipeline.name)
    if shape is None:
        return
    folder = published_folder(run.settings.data_dir, part)
    try:
        scores = read_rows(folder / f"{run.pipeline.name}_scores.parquet")
    except OSError:
        return
    for row in scores:
        for name, columns in shape.verdicts.items():
            if any(each.severity >= HIGH for each in verdicts(row.get(name))):
                for column in columns:
                    bad = str(row[column])
                    yield Label(0, bad, "", row, part.date, dict.fromkeys(_NEWS, 0), bad)


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
    """Return each author's deciding action per row: the latest one of the first target."""
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
    """Return the novelty flags of each published row, by its key."""
    folder = published_folder(run.settings.data_dir, part)
    try:
        reasons = read_rows(folder / f"{run.pipeline.reasons_table}.parquet")
    except OSError:
        return {}
    return {
        str(row["row_key"]): {name: int(bool(row.get(f"bits_{name}"))) for name in _NEWS.values()}
        for row in reasons
    }
