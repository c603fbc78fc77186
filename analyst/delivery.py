"""What analysts judged, on its way to the scorer of the day and of the next one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from analyst.day import Day
from analyst.feedback import Feedback, Judged, deliver, delivered_to, write_rows
from analyst.published import read_manifest
from analyst.store import open_store
from spot_oa.dates import Slice
from spot_oa.pipelines import Pipeline
from spot_oa.publish import published_folder
from spot_oa.settings import Settings


def delivers(settings: Settings, pipeline: Pipeline) -> bool:
    """Whether the scorer of a pipeline is to be handed what analysts judged."""
    return bool(settings.feedback_uri) and pipeline.name in settings.feedback_pipelines


def deliver_feedback(
    settings: Settings, pipeline: Pipeline, date: dt.date
) -> Sequence[tuple[str, Feedback]]:
    """Write the feedback files that the scorer reads on the day and on the next one.

    Each has the judged rows of the days before it, the newest first, of one day Low first.

    Returns:
        Where, and what; nothing where it is not configured.

    Raises:
        ConfigError: A file cannot be written.
    """
    if not settings.feedback_uri or not delivers(settings, pipeline):
        return []
    delivered = []
    for target in (date, date + dt.timedelta(days=1)):
        judged: list[Judged] = []
        for back in range(settings.feedback_days + 1):
            judged += _judged(settings, pipeline, target - dt.timedelta(days=back))
        feedback = write_rows(pipeline.name, judged, settings.feedback_rows)
        uri = delivered_to(settings.feedback_uri, Slice(pipeline.name, target))
        deliver(uri, feedback.text)
        delivered.append((uri, feedback))
    return delivered


def _judged(settings: Settings, pipeline: Pipeline, date: dt.date) -> list[Judged]:
    """The judged rows of a day, Low first; none if it is not published."""
    part = Slice(pipeline.name, date)
    store = open_store(settings)
    if not store.last_seq(part.pipeline, date.isoformat()):
        return []
    if read_manifest(published_folder(settings.data_dir, part)) is None:
        return []
    day = Day(settings, pipeline, part, store, author="", made_with="cli")
    main = day.triage.targets[day.triage.main_target]
    return sorted(day.judged(), key=lambda each: -each.severities[main])
