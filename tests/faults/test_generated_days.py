"""Made-up days come out as the slow statement of the rules says, in all three pipelines.

A batch of days is landed and enriched date by date and built at once. `--moments` many batches; a
failing one is shrunk by hypothesis if it is asked to look further (`--moments` above the default).
"""

from __future__ import annotations

import datetime as dt
import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import duckdb
import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, given

from flows.run import dbt_runner, steps
from flows.run.steps import Run
from spot_oa.dates import Slice
from spot_oa.pipelines import get_pipeline
from spot_oa.settings import load_settings
from spot_oa.warehouse import open_warehouse
from tests.support.days import batches, lay_out
from tests.support.oracle import COLUMNS, Day, expected
from tests.support.oracle.context import Context
from tests.support.oracle.results import take

# At the end of a month: the days that follow each other are 07-30, 07-31, 08-01 ...
FIRST = dt.date(2016, 7, 29)
DAYS = 12


@pytest.mark.parametrize("pipeline", ["flow", "proxy", "dns"])
def test_generated_days(pipeline: str, moments: int, tmp_path: Path) -> None:
    wide = moments > 2

    @hypothesis.settings(
        max_examples=moments,
        derandomize=not wide,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink] if wide else [Phase.generate],
        suppress_health_check=list(HealthCheck),
        print_blob=wide,
    )
    @given(batches(pipeline, FIRST, DAYS))
    def come_out_right(days: list[Day]) -> None:
        home = Path(tempfile.mkdtemp(dir=tmp_path))
        try:
            _compare(days, home)
        finally:
            shutil.rmtree(home)

    come_out_right()


def _compare(days: Sequence[Day], home: Path) -> None:
    pipeline = get_pipeline(days[0].pipeline)
    lay_out(days, home)
    settings = load_settings(home=home)
    warehouse = open_warehouse(settings)
    context = Context(days[0].context)
    for day in days:
        run = Run(settings, pipeline, Slice(day.pipeline, day.date), day.limit, warehouse)
        prepared = steps.prepare(run)
        landed, wanted = steps.land(run, str), take(day.pipeline, day.results, day.limit)
        assert (landed.rows, landed.rejected) == (len(wanted.rows), len(wanted.rejects)), day
        assert landed.bad_values == dict(wanted.bad_values), day
        assert (landed.invalid_utf8, landed.source_sha256) == (wanted.invalid_utf8, wanted.sha256)
        for step, enricher in prepared.enrichers.items():
            for outcome in steps.enrich(run, step, enricher).outcomes:
                skipped = context.skipped.get(outcome.source, 0)
                assert outcome.skipped == skipped, (outcome, day.context)
    dates = [day.date for day in days]
    warehouse.expose_telemetry(pipeline, dates)
    dbt_runner.build(settings, pipeline.name, dates, str)
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        for day in days:
            y, m, d = day.date.year, day.date.month, day.date.day
            rejects = connection.execute(
                "select line_no, line from raw.results_rejects where y = ? and m = ? and d = ?",
                [y, m, d],
            ).fetchall()
            assert sorted(rejects) == take(day.pipeline, day.results, day.limit).rejects, day
            for table, rows in expected(day).items():
                made = connection.execute(
                    f"select {', '.join(COLUMNS[table])} from oa.{table} "
                    "where y = ? and m = ? and d = ?",
                    [y, m, d],
                ).fetchall()
                more, less = Counter(made) - Counter(rows), Counter(rows) - Counter(made)
                assert not more, (table, "made", more, "expected", less, day)
                assert not less, (table, "expected", less, day)
