"""The zone of the machine reaches no data: equal input gives equal files wherever it is read."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from spot_oa.demo import DEMO_DATES, generate
from tests.support.published import digests

FIRST = DEMO_DATES[0]
SCRIPT = Path(sys.executable).with_name("spot-oa")
MOMENT = pa.timestamp("us", "Asia/Tokyo")


def with_zones(raw: Path) -> None:
    """Give times of telemetry the type of a moment, which engines show in their own zone."""
    for file in raw.rglob("*.parquet"):
        table = pq.ParquetFile(file).read()
        seconds = table["unix_tstamp"]
        moments = seconds.cast(pa.timestamp("s", "UTC")).cast(MOMENT)
        for name in {"treceived", "frame_time", "unix_tstamp"} & {*table.column_names}:
            table = table.set_column(table.column_names.index(name), name, moments)
        pq.write_table(table, file)


def test_equal_input_gives_equal_bytes_in_every_zone(tmp_path: Path) -> None:
    made = {}
    generate(tmp_path / "home", dates=[FIRST], rows_per_day=1000, suspicious=40)
    for pipeline in ("flow", "dns"):
        with_zones(tmp_path / "home/raw" / pipeline)
    for zone in ("UTC", "America/New_York"):
        # One home at a time, at one place: its path is in what is landed.
        home = tmp_path / "run"
        shutil.copytree(tmp_path / "home", home)
        done = subprocess.run(
            [SCRIPT, "run", "all", "--date", str(FIRST)],
            env={**os.environ, "TZ": zone, "SPOT_OA_HOME": str(home)},
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        days = [home / "data" / name / f"{FIRST:%Y%m%d}" for name in ("flow", "proxy", "dns")]
        made[zone] = {day.parent.name: digests(day) for day in days}
        if zone == "UTC":
            flows = pq.ParquetFile(days[0] / "flow_edge.parquet").read()
            answers = pq.ParquetFile(days[2] / "dns_edge.parquet").read()
            assert {text[:10] for text in flows["tstart"].to_pylist()} == {str(FIRST)}
            assert answers.num_rows
        shutil.rmtree(home)
    assert made["UTC"] == made["America/New_York"]
