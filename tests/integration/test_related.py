"""Clients of the raw answers behind a suspicious name are named, suspicious themselves or not."""

from __future__ import annotations

from pathlib import Path

import duckdb

from flows.run.runner import run_day
from spot_oa.dates import parse_date
from spot_oa.pipelines import get_pipeline
from spot_oa.settings import load_settings
from tests.support.cases import write_telemetry
from tests.support.report import Told

ANSWER = "Jul  8 2016 02:1{n}:00 UTC,146794380{n},100,{client},10.0.0.53,{name},0x1,1,0,1.2.3.4"
HEADER = (
    "frame_time,unix_tstamp,frame_len,ip_dst,ip_src,dns_qry_name,dns_qry_class,dns_qry_type,"
    "dns_qry_rcode,dns_a,y,m,d,h\n"
)


def test_dns_edge_names_every_client(tmp_path: Path) -> None:
    home = tmp_path / "home"
    settings = load_settings(home=home)
    raw = tmp_path / "raw.csv"
    bad = "bad.example.com"
    answers = [("10.0.0.5", bad), ("10.0.0.6", "BAD.example.com."), ("10.0.0.7", "ok.org")]
    raw.write_text(
        HEADER
        + "".join(
            ANSWER.format(n=n, client=client, name=name) + ",2016,7,8,2\n"
            for n, (client, name) in enumerate(answers)
        )
    )
    dns = get_pipeline("dns")
    write_telemetry(home / "raw", dns, raw)
    results = home / "ml" / "dns" / "scored_results" / "20160708" / "scores" / "dns_results.csv"
    results.parent.mkdir(parents=True)
    results.write_text("x\t1467943800\t100\t10.0.0.5\tbad.example.com\t0x1\t1\t0\t1.0E-7\n")
    (home / "context").mkdir()
    names = "10.0.0.5,one\n10.0.0.6,two\n10.0.0.7,no\n"
    (home / "context" / "networkcontext.csv").write_text(names)

    summary = run_day(settings, "dns", parse_date("20160708"), Told())

    assert summary.folder is not None
    query = f"select ip_dst, network_context from '{summary.folder}/dns_edge.parquet' order by 1"
    assert duckdb.sql(query).fetchall() == [("10.0.0.5", "one"), ("10.0.0.6", "two")]
    assert summary.enriched["network_context"].rows == {"network_context": 2}
