"""Reports as files: a page is the old one or the new one, never half of one."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from analyst.report.day import BEFORE, all_dates, read
from analyst.report.index import index
from analyst.report.page import page
from spot_oa.errors import PublishError, printable
from spot_oa.pipelines import load_pipelines
from spot_oa.settings import Settings

FOLDER = "reports"


def written(data_dir: Path, date: dt.date) -> Path:
    """Where the report of a date is."""
    return data_dir / FOLDER / f"{date:%Y%m%d}.html"


def write(settings: Settings, date: dt.date) -> Path:
    """Write the report of a date, and what else follows from that day.

    The pages of the seven days after it say what is new against it; the page of the day before
    has a link to it.

    Returns:
        The page.

    Raises:
        SpotOaError: Nothing is published of the date.
        PublishError: It cannot be written; the old pages stand.
    """
    path = written(settings.data_dir, date)
    dates = all_dates(settings.data_dir, load_pipelines(settings.pipelines_dir))
    after = [
        each
        for each in dates
        if dt.timedelta() < each - date <= dt.timedelta(days=BEFORE)
        and written(settings.data_dir, each).exists()
    ]
    before = [each for each in dates if each < date][-1:]
    linked = [each for each in before if written(settings.data_dir, each).exists()]
    _write(settings, [date, *after, *([] if path.exists() else linked)])
    return path


def write_all(settings: Settings) -> list[Path]:
    """Write the reports of all published days.

    Raises:
        PublishError: One cannot be written.
    """
    dates = all_dates(settings.data_dir, load_pipelines(settings.pipelines_dir))
    _write(settings, dates)
    return [written(settings.data_dir, date) for date in dates]


def _write(settings: Settings, dates: Iterable[dt.date]) -> None:
    pipelines = load_pipelines(settings.pipelines_dir)
    folder = settings.data_dir / FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for date in dates:
            _replace(written(settings.data_dir, date), page(read(settings, pipelines, date)))
        _replace(folder / "index.html", index(settings.data_dir, pipelines))
    except OSError as error:
        raise PublishError(
            f"cannot write reports to {folder} ({printable(error)}); free or allow that folder, "
            "or set SPOT_OA_REPORTS=off"
        ) from error


def _replace(path: Path, text: str) -> None:
    stage = path.with_name(f".{path.name}.new")
    try:
        with stage.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        stage.replace(path)
    except BaseException:
        with suppress(OSError):
            stage.unlink(missing_ok=True)
        raise
