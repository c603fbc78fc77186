"""Three pipelines, three dates, nine processes that start together: nine correct days."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from pathlib import Path

from spot_oa.demo import generate
from tests.support.days import read_day, read_published
from tests.support.disturbed import leftovers
from tests.support.oracle import expected
from tests.support.warm import Warm

PIPELINES = ("flow", "proxy", "dns")
DATES = [dt.date(2016, 7, 31), dt.date(2016, 8, 1), dt.date(2016, 8, 2)]
LIMIT = 40


def test_nine_at_once(runs: Warm, tmp_path: Path) -> None:
    home = tmp_path / "home"
    generate(home, dates=DATES, rows_per_day=300, suspicious=60)
    started = {
        (pipeline, date): runs.start(
            home, "run", pipeline, "--date", str(date), "--limit", str(LIMIT)
        )
        for date in DATES
        for pipeline in PIPELINES
    }
    waited = 0
    for run in started.values():
        assert run.wait() == 0, run.err.read_text("utf-8")
        waited += "waiting for " in run.out.read_text("utf-8")
    # One had the warehouse at once; who comes late may find it free.
    assert waited > 0
    for pipeline, date in started:
        made = read_published(home / "data" / pipeline / f"{date:%Y%m%d}")
        wanted = expected(read_day(home, pipeline, date, LIMIT))
        assert made.keys() == wanted.keys()
        for table, rows in wanted.items():
            assert Counter(made[table]) == Counter(rows), (pipeline, date, table)
        assert made[f"{pipeline}_scores"]
        assert made[f"{pipeline}_edge"]
    assert leftovers(home, home / "data") == []
