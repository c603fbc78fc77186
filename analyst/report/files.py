"""Writes reports to files; a page is replaced atomically."""

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
    """Return the path of the report of a date."""
    return data_dir / FOLDER / f"{date:%Y%m%d}.html"


def write(settings: Settings, date: dt.date) -> Path:
    """Write the report of a date, and the pages that depend on that day.

    The pages of the seven days after it compare with it; the page of the day before links to it.

    Returns:
        The path of the page.

    Raises:
        SpotOaError: Nothing is published for the date.
        PublishError: A page cannot be written; its old version remains.
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
        PublishError: A report cannot be written.
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
            f"cannot write reports to {folder} ({printable(error)}); free space or fix the "
            "folder's permissions, or set SPOT_OA_REPORTS=off"
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
