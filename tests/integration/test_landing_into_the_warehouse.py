from __future__ import annotations

import datetime as dt
import hashlib
import os
import re
from pathlib import Path

import duckdb
import pytest
from pytest_httpserver import HTTPServer

from spot_oa.dates import Slice
from spot_oa.errors import LandingError
from spot_oa.landing import land
from spot_oa.pipelines import get_pipeline, load_pipelines
from spot_oa.results_reader import ResultsReader
from spot_oa.settings import Settings
from spot_oa.warehouse import Warehouse, open_warehouse
from spot_oa.warehouse.tables import python_tables
from tests.support.webhdfs import webhdfs

FLOW = get_pipeline("flow")
DAY = Slice("flow", dt.date(2016, 7, 8))
NEXT = Slice("flow", dt.date(2016, 7, 9))
LINE = (
    "2016-07-08 05:03:07\t2016\t7\t8\t5\t3\t7\t0.5\t10.0.0.5\t{ip}\t40000\t443\tTCP\t5\t500\t{out}"
    "\t900\t1.2E-7\n"
)


@pytest.fixture
def warehouse(settings: Settings) -> Warehouse:
    opened = open_warehouse(settings)
    opened.prepare(python_tables(load_pipelines()))
    return opened


def results(root: Path, part: Slice, text: str) -> Path:
    file = Path(FLOW.results_uri(str(root), part))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")
    return file


def lines(*ips: str, out: str = "4") -> str:
    return "".join(LINE.format(ip=ip, out=out) for ip in ips)


def rows(settings: Settings, query: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        return connection.execute(query).fetchall()


DIPS = "select dip from raw.flow_results where d = {d} order by rank"


def test_a_slice_is_replaced_and_no_other(
    settings: Settings, warehouse: Warehouse, tmp_path: Path
) -> None:
    results(tmp_path, DAY, lines("a", "b", "c"))
    results(tmp_path, NEXT, lines("x", "y"))
    land(FLOW, DAY, str(tmp_path), 10, warehouse)
    land(FLOW, NEXT, str(tmp_path), 10, warehouse)
    results(tmp_path, DAY, lines("d"))
    land(FLOW, DAY, str(tmp_path), 10, warehouse)
    assert rows(settings, DIPS.format(d=8)) == [("d",)]
    assert rows(settings, DIPS.format(d=9)) == [("x",), ("y",)]


def test_rows_carry_where_they_come_from(
    settings: Settings, warehouse: Warehouse, tmp_path: Path
) -> None:
    file = results(tmp_path, DAY, lines("a") + "bad line\n" + lines("b", out="-"))
    before = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    landed = land(FLOW, DAY, str(tmp_path), 10, warehouse)
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    assert (landed.rows, landed.rejected, landed.bad_values) == (2, 1, {"opkt": 1})
    assert (landed.source_uri, landed.source_sha256) == (str(file), sha256)
    found = rows(
        settings,
        "select dip, opkt, score, rank, line_no, source_uri, source_sha256, landed_at, y, m, d "
        "from raw.flow_results order by rank",
    )
    assert [row[:7] for row in found] == [
        ("a", 4, 1.2e-7, 0, 1, str(file), sha256),
        ("b", None, 1.2e-7, 1, 3, str(file), sha256),
    ]
    assert all(row[7] >= before and row[8:] == (2016, 7, 8) for row in found)
    assert rows(settings, "from raw.results_rejects") == [
        (2, "18 fields expected, found 1", "bad line", "flow", 2016, 7, 8)
    ]


@pytest.mark.parametrize("spoil", ["missing", "folder", "unreadable"])
def test_a_file_that_cannot_be_read_leaves_the_slice(
    settings: Settings, warehouse: Warehouse, tmp_path: Path, spoil: str
) -> None:
    file = results(tmp_path, DAY, lines("a") + "bad line\n")
    land(FLOW, DAY, str(tmp_path), 10, warehouse)
    file.unlink()
    if spoil == "folder":
        file.mkdir()
    elif spoil == "unreadable":
        file.touch(mode=0)
        if os.access(file, os.R_OK):
            pytest.skip("root may read everything")
    with pytest.raises(LandingError) as caught:
        land(FLOW, DAY, str(tmp_path), 10, warehouse)
    assert str(file) in str(caught.value)
    assert "flow 2016-07-08" in str(caught.value)
    assert not caught.value.transient
    assert rows(settings, DIPS.format(d=8)) == [("a",)]
    assert len(rows(settings, "from raw.results_rejects")) == 1


@pytest.mark.parametrize("portion", [1, 1 << 28])
def test_every_row_says_where_it_is_from(
    settings: Settings,
    warehouse: Warehouse,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    portion: int,
) -> None:
    monkeypatch.setattr("spot_oa.landing.PORTION", portion)
    monkeypatch.setattr("spot_oa.results_reader.FIRST_BLOCK", 100)
    results(tmp_path, DAY, lines(*(f"10.0.0.{n}" for n in range(40))))
    landed = land(FLOW, DAY, str(tmp_path), 100, warehouse)
    found = "select source_uri, source_sha256, count(*) from raw.flow_results"
    assert rows(settings, f"{found} where landed_at is not null group by all") == [
        (landed.source_uri, landed.source_sha256, 40)
    ]


def test_a_stream_that_breaks_off_leaves_the_slice(
    settings: Settings, warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results(tmp_path, DAY, lines("a"))
    land(FLOW, DAY, str(tmp_path), 10, warehouse)
    with webhdfs(tmp_path) as server:
        results(tmp_path, DAY, lines(*(f"10.0.0.{n}" for n in range(200))) * 700)
        monkeypatch.setattr("spot_oa.results_reader.BLOCK", 1 << 20)

        original = ResultsReader._read

        def read_then_break(reader: object, block: bytes) -> object:
            server.broken = (500, "IOException")
            return original(reader, block)

        monkeypatch.setattr("spot_oa.results_reader.ResultsReader._read", read_then_break)
        with pytest.raises(LandingError) as caught:
            land(FLOW, DAY, server.url, 1_000_000, warehouse)
    assert caught.value.transient
    assert rows(settings, DIPS.format(d=8)) == [("a",)]


def test_webhdfs_is_read_only_as_far_as_needed(
    settings: Settings, warehouse: Warehouse, tmp_path: Path
) -> None:
    file = results(tmp_path, DAY, lines("a", "b", "c") * 100_000)
    with webhdfs(tmp_path) as server:
        landed = land(FLOW, DAY, server.url, 2, warehouse)
        assert server.bytes_sent < file.stat().st_size / 2
    assert landed.source_uri.startswith(server.url + "/flow/scored_results/20160708/")
    assert rows(settings, DIPS.format(d=8)) == [("a",), ("b",)]


@pytest.mark.parametrize(
    ("answer", "transient"),
    [
        (None, False),
        ((403, "AccessControlException"), False),
        ((403, "StandbyException"), True),
        ((503, ""), True),
    ],
)
def test_webhdfs_errors_say_whether_a_retry_helps(
    warehouse: Warehouse, tmp_path: Path, answer: tuple[int, str] | None, transient: bool
) -> None:
    with webhdfs(tmp_path) as server:
        server.broken = answer
        with pytest.raises(LandingError) as caught:
            land(FLOW, DAY, server.url, 2, warehouse)
    assert caught.value.transient is transient
    assert "\n" not in str(caught.value)


def test_a_server_that_is_not_there_is_transient(warehouse: Warehouse, tmp_path: Path) -> None:
    with webhdfs(tmp_path) as server:
        url = server.url
    with pytest.raises(LandingError) as caught:
        land(FLOW, DAY, url, 2, warehouse)
    assert caught.value.transient


def test_an_unknown_scheme_is_terminal(warehouse: Warehouse) -> None:
    with pytest.raises(LandingError, match="SPOT_OA_ML_URI") as caught:
        land(FLOW, DAY, "gopher://somewhere", 2, warehouse)
    assert not caught.value.transient


@pytest.mark.parametrize(
    ("status", "transient"), [(401, False), (403, False), (429, True), (503, True)]
)
def test_http_errors_say_whether_a_retry_helps_and_no_password(
    warehouse: Warehouse, httpserver: HTTPServer, status: int, transient: bool
) -> None:
    httpserver.expect_request(re.compile(".*")).respond_with_data("", status=status)
    url = httpserver.url_for("/").replace("http://", "http://bob:S3CRET@")
    with pytest.raises(LandingError) as caught:
        land(FLOW, DAY, url, 2, warehouse)
    assert caught.value.transient is transient
    assert "S3CRET" not in str(caught.value)


def test_a_password_in_the_url_is_not_kept(
    settings: Settings, warehouse: Warehouse, httpserver: HTTPServer
) -> None:
    httpserver.expect_request(re.compile(".*")).respond_with_data(lines("a"))
    landed = land(
        FLOW, DAY, httpserver.url_for("/").replace("//", "//bob:S3CRET@", 1), 2, warehouse
    )
    assert "S3CRET" not in landed.source_uri
    assert rows(settings, "select source_uri from raw.flow_results") == [(landed.source_uri,)]
