"""Delivers the analysts' labels to the scorer of the day and of the next day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

from analyst.feedback import FILE, Feedback, Judged, deliver, delivered_to, write_rows
from analyst.live import LiveDay
from analyst.published import read_manifest
from analyst.standing import StandingRule, load_rules
from analyst.store import open_store
from spot_oa.dates import Slice
from spot_oa.errors import ConfigError, printable
from spot_oa.pipelines import Pipeline
from spot_oa.publish import published_folder
from spot_oa.settings import Settings
from spot_oa.whole_files import WRITE_ERRORS, write_whole


def delivers(settings: Settings, pipeline: Pipeline) -> bool:
    """Whether the labels of a pipeline are delivered to its scorer."""
    return bool(settings.feedback_uri) and pipeline.name in settings.feedback_pipelines


def keep_feedback(settings: Settings, part: Slice, feedback: Feedback) -> Path | None:
    """Write a day's own feedback file into its published triage folder.

    Returns:
        The file; None if the day has no triage folder.

    Raises:
        ConfigError: The file cannot be written.
    """
    path = published_folder(settings.triage_dir, part) / FILE
    if not path.parent.is_dir():
        return None
    try:
        write_whole(str(path), feedback.text.encode())
    except WRITE_ERRORS as error:
        raise ConfigError(
            f"{path} cannot be written ({printable(error)}); free space or fix its permissions"
        ) from error
    return path


def deliver_feedback(
    settings: Settings, pipeline: Pipeline, date: dt.date
) -> Sequence[tuple[str, Feedback]]:
    """Write the feedback files that the scorer reads on the day and on the next day.

    Each file has the labelled rows of its own day and of the days before it: newest day first,
    and Low first within a day.

    Returns:
        The URI and content of each file; nothing if delivery is not configured.

    Raises:
        ConfigError: The rule file is invalid, or a file cannot be written.
    """
    if not settings.feedback_uri or not delivers(settings, pipeline):
        return []
    rules, delivered = load_rules(settings, pipeline), []
    for target in (date, date + dt.timedelta(days=1)):
        judged: list[Judged] = []
        for back in range(settings.feedback_days + 1):
            judged += _judged(settings, pipeline, target - dt.timedelta(days=back), rules)
        feedback = write_rows(pipeline.name, judged, settings.feedback_rows)
        uri = delivered_to(settings.feedback_uri, Slice(pipeline.name, target))
        deliver(uri, feedback.text)
        delivered.append((uri, feedback))
    return delivered


def _judged(
    settings: Settings, pipeline: Pipeline, date: dt.date, rules: Sequence[StandingRule]
) -> list[Judged]:
    """Return the labelled rows of a day, Low first; none if the day is not published."""
    part = Slice(pipeline.name, date)
    store = open_store(settings)
    acted = store.last_seq(part.pipeline, date.isoformat())
    if not acted and not any(rule.holds_on(date) for rule in rules):
        return []
    if read_manifest(published_folder(settings.data_dir, part)) is None:
        return []
    day = LiveDay(settings, pipeline, part, store)
    main = day.triage.targets[day.triage.main_target]
    return sorted(day.judged(), key=lambda each: -each.severities[main])
