"""Text from traffic stays as it came, from the results and the telemetry to the published files."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flows.runner import run_day
from spot_oa.dates import parse_date
from spot_oa.pipelines import get_pipeline
from spot_oa.settings import load_settings
from spot_oa.warehouse.tables import ARROW_TYPES
from tests.support.report import Told

PROXY = get_pipeline("proxy")
HOSTILE = [
    "plain",
    "o'brien",
    'a"b"',
    '"never closed',
    "back\\slash\\",
    "semi;colon;-- comment /* */",
    "'; drop table raw.proxy_results; --",
    "{{ 1 / 0 }}{% do exceptions.raise_compiler_error('x') %}",
    "$(touch /tmp/x)`id`",
    "../../../etc/passwd",
    "=cmd|' /C calc'!A0",
    "\x1b[31mred\x07",
    "\u202eright to left",
    "\x00nul",
    "ünïcödé 日本 🦆",
    "NULL",
    "\\N",
    "x" * 65536,
]


@pytest.mark.parametrize("word", ["null"])
def test_the_word_null_is_null_in_results_only(tmp_path: Path, word: str) -> None:
    published = run(tmp_path, ["uri"], useragent=word)
    assert published["proxy_scores"]["useragent"] == [None]
    assert published["proxy_edge"]["useragent"] == [word]


def test_every_text_is_what_it_was(tmp_path: Path) -> None:
    published = run(tmp_path, HOSTILE)
    for table in ("proxy_scores", "proxy_edge"):
        for column in ("fulluri", "useragent"):
            assert sorted(published[table][column]) == sorted(HOSTILE), (table, column)


def test_line_ends_live_in_the_telemetry(tmp_path: Path) -> None:
    agent = "two\nlines\r\nand\ta tab"
    published = run(tmp_path, ["uri"], useragent="-", raw_useragent=agent)
    assert published["proxy_edge"]["useragent"] == [agent]


def run(
    tmp_path: Path,
    uris: list[str],
    useragent: str | None = None,
    raw_useragent: str | None = None,
) -> dict[str, dict[str, list[object]]]:
    """Requests for these URIs, all suspicious; what is published of them, by table and column."""
    home = tmp_path / "home"
    fixed = {"p_date": "2016-10-03", "p_time": "04:05:06", "clientip": "10.0.0.5", "host": "h"}
    requests = [{**fixed, "fulluri": uri, "useragent": useragent or uri} for uri in uris]
    hour = home / "raw" / "proxy" / "y=2016" / "m=10" / "d=03" / "h=04"
    hour.mkdir(parents=True)
    columns = {
        name: pa.array([request.get(name) for request in requests], ARROW_TYPES[kind])
        for name, kind in PROXY.telemetry.columns.items()
    }
    if raw_useragent is not None:
        columns["useragent"] = pa.array([raw_useragent] * len(requests))
    pq.write_table(pa.table(columns), hour / "part-0.parquet")
    results = Path(home / "ml/proxy/scored_results/20161003/scores/proxy_results.csv")
    results.parent.mkdir(parents=True)
    lines = [
        "\t".join(
            {**dict.fromkeys(PROXY.results.fields, "-"), **request, "score": "1.0E-7"}.values()
        )
        for request in requests
    ]
    results.write_bytes(("\n".join(lines) + "\n").encode())
    settings = load_settings(home=home)
    summary = run_day(settings, "proxy", parse_date("20161003"), Told())
    assert summary.landed is not None
    assert summary.landed.rejected == 0
    assert summary.folder is not None
    return {
        table: pq.ParquetFile(summary.folder / f"{table}.parquet").read().to_pydict()
        for table in ("proxy_scores", "proxy_edge")
    }
