"""The demo's logs, ingested, are the demo's events as far as Zeek logs them."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from pathlib import Path

from spot_oa.demo import generate
from spot_oa.demo.logs import write_logs
from tests.support.ingested import landed, take

LOGGED = {
    "flow": "unix_tstamp treceived tdur sip dip sport dport proto ipkt ibyt opkt obyt",
    "dns": "frame_time unix_tstamp ip_dst ip_src dns_qry_name dns_qry_type dns_qry_rcode",
    "proxy": "p_date clientip host reqmethod useragent scbytes csbytes serverip",
}


def test_logs_give_the_same_events(tmp_path: Path) -> None:
    made = generate(
        tmp_path / "demo", dates=[dt.date(2016, 7, 8)], rows_per_day=1500, suspicious=10
    )
    write_logs(made.days, tmp_path / "logs")
    found = take(tmp_path / "new", "zeek", tmp_path / "logs")
    assert [told.refused for told in found] == [0, 0, 0]
    demo, ingested = landed(tmp_path / "demo"), landed(tmp_path / "new")
    for pipeline, columns in LOGGED.items():
        one, other = (
            Counter(
                tuple(dict(row)[column] or "-" for column in columns.split())
                for (which, row), count in rows.items()
                if which == pipeline
                for _ in range(count)
            )
            for rows in (demo, ingested)
        )
        assert one == other, pipeline
