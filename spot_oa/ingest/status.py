"""Ingest status per source and sensor, from the manifest of ingested logs."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from spot_oa.ingest.store import Entry, Store, telemetry_root
from spot_oa.settings import Settings

DAY = dt.timedelta(days=1)


@dataclass(slots=True)
class Sensor:
    """The ingest status of a sensor.

    Attributes:
        source: The program that writes its logs.
        sensor: The sensor's name.
        newest: Pipeline -> the sensor's newest event (UTC).
        files: Number of ingested files.
        rows: Rows of telemetry.
        lines: Lines read in the last day.
        refused: Lines refused in the last day.
    """

    source: str
    sensor: str
    newest: dict[str, dt.datetime]
    files: int = 0
    rows: int = 0
    lines: int = 0
    refused: int = 0

    @property
    def name(self) -> str:
        """Return `source/sensor`."""
        return f"{self.source}/{self.sensor}"


def sensors(settings: Settings, now: dt.datetime | None = None) -> list[Sensor]:
    """Return every sensor that has ingested logs."""
    entries = Store(telemetry_root(settings)).all_entries()
    return _by_sensor(entries, now or dt.datetime.now(dt.UTC))


def _by_sensor(entries: Iterable[Entry], now: dt.datetime) -> list[Sensor]:
    found: dict[tuple[str, str], Sensor] = {}
    for entry in entries:
        key = entry["source"], entry["sensor"]
        sensor = found.setdefault(key, Sensor(*key, newest={}))
        # A log that grew has more entries, which begin behind the first.
        sensor.files += entry.get("start", 0) == 0
        sensor.rows += sum(entry["rows"].values())
        taken = dt.datetime.fromisoformat(entry["taken"])
        if now - taken < DAY:
            sensor.lines += entry["lines"]
            sensor.refused += entry["refused"]
        for pipeline, text in entry["newest"].items():
            when = dt.datetime.fromisoformat(text)
            sensor.newest[pipeline] = max(sensor.newest.get(pipeline, when), when)
    return [found[key] for key in sorted(found)]


def taken_of(settings: Settings, pipeline: str, date: dt.date) -> dict[str, Any] | None:
    """Summarise the ingested logs of a day's telemetry.

    Args:
        settings: The configuration.
        pipeline: The pipeline of the telemetry.
        date: The day (UTC).

    Returns:
        The number of logs with rows of the day, their sensors (`zeek/s1`), and the number of their
        refused lines; None without such logs, as when another program writes the telemetry.
    """
    start = dt.datetime.combine(date, dt.time(), dt.UTC)
    # Logs with rows of the day were ingested after the day began.
    entries = [
        entry
        for entry in Store(telemetry_root(settings)).all_entries(start.timestamp())
        if any(_is_of(file, pipeline, date) for file in entry["files"])
    ]
    if not entries:
        return None
    return {
        "files": len({(entry["source"], entry["sensor"], entry["key"]) for entry in entries}),
        "sensors": [sensor.name for sensor in _by_sensor(entries, start)],
        "refused": sum(entry["refused"] for entry in entries),
    }


def _is_of(file: str, pipeline: str, date: dt.date) -> bool:
    there = re.match(r"([^/]+)/y=(\d+)/m=(\d+)/d=(\d+)/", file)
    if there is None:
        return False
    name, *ymd = there.groups()
    return name == pipeline and [int(part) for part in ymd] == [date.year, date.month, date.day]


def ended_early(
    settings: Settings, pipeline: str, date: dt.date, now: dt.datetime | None = None
) -> Iterator[str]:
    """Find sensors whose newest event is older than the end of the day that has just ended.

    Args:
        settings: The configuration.
        pipeline: The pipeline of the telemetry.
        date: The day; earlier days return nothing, as no more of their logs are expected.
        now: The current time.

    Yields:
        `zeek/s1 ends 2016-07-08 22:41`.
    """
    now = now or dt.datetime.now(dt.UTC)
    end = dt.datetime.combine(date, dt.time(), dt.UTC) + DAY
    if not end <= now < end + DAY:
        return
    since = (end - 7 * DAY).timestamp()
    entries = Store(telemetry_root(settings)).all_entries(since)
    for sensor in _by_sensor(entries, now):
        newest = sensor.newest.get(pipeline)
        if newest is not None and newest < end:
            yield f"{sensor.name} ends {newest:%Y-%m-%d %H:%M}"
