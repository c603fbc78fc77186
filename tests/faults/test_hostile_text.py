"""Text from traffic is inert everywhere, escaped on the terminal, and unchanged in the tables."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from spot_oa.pipelines import get_pipeline
from tests.support import days
from tests.support.hostile import DATE, MEANT, hostile_texts
from tests.support.oracle import Day, expected
from tests.support.warm import Warm


@pytest.mark.parametrize("pipeline", ["flow", "proxy", "dns"])
def test_hostile_text_in_every_text_field(runs: Warm, tmp_path: Path, pipeline: str) -> None:
    home, marker = tmp_path / "home", tmp_path / "marker"
    texts = hostile_texts(pipeline, marker)
    described = get_pipeline(pipeline)
    in_results = [
        name
        for name, field in described.results.fields.items()
        if field.type == "string" and name not in MEANT
    ]
    in_telemetry = [
        name
        for name, kind in described.telemetry.columns.items()
        if kind == "string" and name not in MEANT
    ]
    raw, result = days.RAW[pipeline](DATE)[0], days.RESULT[pipeline](DATE)[0]
    ymd = {"y": DATE.year, "m": DATE.month, "d": DATE.day}
    lines = ["\t".join({**result, **dict.fromkeys(in_results, t)}.values()) for t in texts]
    # One line is not taken; it is hostile too.
    lines.append("\t".join(texts))
    events = [{**raw, **ymd, **dict.fromkeys(in_telemetry, text)} for text in texts]
    day = Day(pipeline, DATE, 500, "\n".join(lines).encode(), events)
    days.lay_out([day], home)

    code, output, errors = runs.run(home, "run", pipeline, "--date", str(DATE))
    assert (code, errors) == (0, "")
    assert re.search(r"[^\n\x20-\x7e\u2500-\u257f]", output) is None
    assert not marker.exists()
    folder = home / "data" / pipeline / f"{DATE:%Y%m%d}"
    made = days.read_published(folder)
    for table, rows in expected(day).items():
        assert Counter(made[table]) == Counter(rows), table
    renamed = {"tstart", "srcip", "dstip", "flags"} | set(in_results) | set(in_telemetry)
    for table in (f"{pipeline}_scores", f"{pipeline}_edge"):
        columns = pq.ParquetFile(folder / f"{table}.parquet").read().to_pydict()
        for name in renamed & set(columns):
            assert set(columns[name]) == set(texts), (table, name)


def test_messages_are_escaped(runs: Warm, tmp_path: Path) -> None:
    (tmp_path / "raw" / "flow").mkdir(parents=True)
    text = "\x1b[31m\u202e\r\n[red]"
    for arguments in (
        ["run", text, "--date", "2016-07-08"],
        ["run", "flow", "--date", text],
        ["run", "flow", "--date", "2016-07-08", "--limit", text],
    ):
        code, output, errors = runs.run(tmp_path, *arguments)
        assert code == 2
        assert re.search(r"[^\n\x20-\x7e\u2500-\u257f]", output + errors) is None, arguments
    code, _, errors = runs.run(
        tmp_path, "run", "flow", "--date", "2016-07-08", SPOT_OA_ML_URI=f"/nowhere/{text}"
    )
    assert code == 1
    assert errors.count("\n") == 1
    assert re.search(r"[^\n\x20-\x7e]", errors) is None
    assert "\\x1b[31m" in errors


def test_null_is_a_word_in_the_telemetry_and_lines_may_end_there(
    runs: Warm, tmp_path: Path
) -> None:
    agents = {"www.example.com/a": ("null", "null"), "b": ("-", "two\nlines\r\nand\ta tab")}
    plain, raw = days.RESULT["proxy"](DATE)[0], days.RAW["proxy"](DATE)[0]
    lines = [
        "\t".join({**plain, "fulluri": uri, "useragent": agent}.values())
        for uri, (agent, _) in agents.items()
    ]
    ymd = {"y": DATE.year, "m": DATE.month, "d": DATE.day}
    events = [
        {**raw, **ymd, "fulluri": uri, "useragent": agent} for uri, (_, agent) in agents.items()
    ]
    days.lay_out([Day("proxy", DATE, 500, "\n".join(lines).encode(), events)], tmp_path)
    code, _, errors = runs.run(tmp_path, "run", "proxy", "--date", str(DATE))
    assert (code, errors) == (0, "")
    folder = tmp_path / "data" / "proxy" / f"{DATE:%Y%m%d}"
    scores = pq.ParquetFile(folder / "proxy_scores.parquet").read().to_pydict()
    edge = pq.ParquetFile(folder / "proxy_edge.parquet").read().to_pydict()
    assert set(scores["useragent"]) == {None, "-"}
    assert set(edge["useragent"]) == {"null", "two\nlines\r\nand\ta tab"}
