from __future__ import annotations

import bz2
import datetime as dt
import gzip
import hashlib
import io
import os
import re
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from pytest_httpserver import HTTPServer

from flows.run.tables import python_tables
from spot_oa.dates import Slice
from spot_oa.errors import LandingError
from spot_oa.landing import Source, land, newest_results
from spot_oa.pipelines import get_pipeline, load_pipelines
from spot_oa.results_reader import ResultsReader
from spot_oa.settings import Settings
from spot_oa.warehouse import Warehouse, open_warehouse
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


def path_of(root: Path, ending: str = "") -> Path:
    file = Path(FLOW.results_uri(str(root), DAY) + ending)
    file.parent.mkdir(parents=True, exist_ok=True)
    return file


def zstd(data: bytes) -> bytes:
    return bytes(pa.Codec("zstd").compress(data, asbytes=True))


PACKED: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("", gzip.compress),
    ("", zstd),
    ("", bz2.compress),
    (".gz", gzip.compress),
    (".gz", bytes),
    (".zst", zstd),
    (".zst", lambda data: zstd(data[:50]) + zstd(data[50:])),
    (".gz", lambda data: gzip.compress(data[:50]) + gzip.compress(data[50:])),
]


@pytest.mark.parametrize(("ending", "pack"), PACKED)
def test_a_compressed_file_is_known_by_its_first_bytes(
    settings: Settings,
    warehouse: Warehouse,
    tmp_path: Path,
    ending: str,
    pack: Callable[[bytes], bytes],
) -> None:
    text = lines("a", "b", "c").encode()
    file = path_of(tmp_path, ending)
    file.write_bytes(pack(text))
    landed = land(FLOW, DAY, str(tmp_path), 10, warehouse)
    assert rows(settings, DIPS.format(d=8)) == [("a",), ("b",), ("c",)]
    # The hash is that of the content, so that packing it anew makes no other results of it.
    assert landed.source_sha256 == hashlib.sha256(text).hexdigest()
    assert landed.source_uri == str(file)
    assert newest_results(FLOW, str(tmp_path)) == DAY.date


@pytest.mark.parametrize(
    ("ending", "pack"), [(".gz", gzip.compress), (".zst", zstd), ("", bz2.compress)]
)
def test_a_compressed_file_that_breaks_off_leaves_the_slice(
    settings: Settings,
    warehouse: Warehouse,
    tmp_path: Path,
    ending: str,
    pack: Callable[[bytes], bytes],
) -> None:
    results(tmp_path, DAY, lines("a")).with_suffix(".csv")
    land(FLOW, DAY, str(tmp_path), 10, warehouse)
    path_of(tmp_path).unlink()
    path_of(tmp_path, ending).write_bytes(pack(lines(*map(str, range(1000))).encode())[:-20])
    with pytest.raises(LandingError, match=r"data is broken \(.*write the file again") as caught:
        land(FLOW, DAY, str(tmp_path), 100_000, warehouse)
    assert str(path_of(tmp_path)) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert rows(settings, DIPS.format(d=8)) == [("a",)]


def test_of_a_compressed_file_only_what_the_limit_needs_is_unpacked(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    noise = "".join(lines(os.urandom(200).hex()) for _ in range(40_000))
    path_of(tmp_path, ".gz").write_bytes(gzip.compress(noise.encode(), 1))
    with webhdfs(tmp_path) as server:
        assert land(FLOW, DAY, server.url, 2, warehouse).rows == 2
        assert server.bytes_sent < path_of(tmp_path, ".gz").stat().st_size * 0.7


def test_a_fault_of_the_file_system_in_a_compressed_file_is_told_as_such(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell():
                raise PermissionError
            return super().read(size)

    source = Source(Broken(gzip.compress(b"text")), "there").unpacked()
    with pytest.raises(LandingError, match="there: permission denied"):
        source.read(10)


def test_what_lies_beside_the_file_is_named_and_not_read(
    settings: Settings, warehouse: Warehouse, tmp_path: Path
) -> None:
    results(tmp_path, DAY, lines("a"))
    path_of(tmp_path, ".gz").write_bytes(gzip.compress(lines("b").encode()))
    landed = land(FLOW, DAY, str(tmp_path), 10, warehouse)
    assert landed.left_out == ["flow_results.csv.gz"]
    assert rows(settings, DIPS.format(d=8)) == [("a",)]


def part_files(root: Path) -> Path:
    folder = path_of(root)
    folder.mkdir()
    (folder / "_SUCCESS").touch()
    (folder / ".part-00000.crc").write_bytes(b"crc")
    (folder / "part-00002-c000.csv").write_text(lines("d", "e"))
    (folder / "part-00000-c000.csv").write_text(lines("a") + "bad line\n" + lines("b").rstrip())
    (folder / "part-00001-c000.csv.gz").write_bytes(
        gzip.compress(b"\xef\xbb\xbf" + lines("c").encode())
    )
    (folder / "README").write_text(lines("x"))
    (folder / "part-old").mkdir()
    return folder


@pytest.mark.parametrize("remote", [False, True])
def test_part_files_are_read_in_the_order_of_their_names(
    settings: Settings, warehouse: Warehouse, tmp_path: Path, remote: bool
) -> None:
    folder = part_files(tmp_path)
    with webhdfs(tmp_path) as server:
        ml_uri = server.url if remote else str(tmp_path)
        landed = land(FLOW, DAY, ml_uri, 4, warehouse)
        assert newest_results(FLOW, str(tmp_path)) == DAY.date
    found = rows(settings, "select dip, line_no from raw.flow_results order by rank")
    assert found == [("a", 1), ("b", 3), ("c", 4), ("d", 5)]
    text = lines("a") + "bad line\n" + lines("b").rstrip() + "\ufeff" + lines("c") + lines("d")
    assert landed.source_sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert landed.source_uri == FLOW.results_uri(ml_uri, DAY)
    assert landed.left_out == [f"{folder.name}/README", f"{folder.name}/part-old"]


def test_a_folder_that_spark_left_without_parts_is_a_day_without_suspects(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    path_of(tmp_path).mkdir()
    (path_of(tmp_path) / "_SUCCESS").touch()
    assert land(FLOW, DAY, str(tmp_path), 10, warehouse).rows == 0


def test_a_folder_into_which_a_job_writes_is_not_read(warehouse: Warehouse, tmp_path: Path) -> None:
    folder = part_files(tmp_path)
    (folder / "_SUCCESS").rename(folder / "_temporary")
    with pytest.raises(LandingError, match="a job is writing it") as caught:
        land(FLOW, DAY, str(tmp_path), 10, warehouse)
    assert caught.value.transient


def test_a_part_that_comes_while_the_others_are_read_is_noticed(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    folder = part_files(tmp_path)

    def grow(_: str) -> None:
        (folder / "part-00003-c000.csv").write_text(lines("f"))

    with pytest.raises(LandingError, match="changed while it was read"):
        land(FLOW, DAY, str(tmp_path), 10, warehouse, progress=grow)


@pytest.mark.parametrize("limit", [0, 10])
def test_an_empty_file_and_a_limit_of_none_are_days_without_suspects(
    settings: Settings, warehouse: Warehouse, tmp_path: Path, limit: int
) -> None:
    results(tmp_path, DAY, lines("a"))
    land(FLOW, DAY, str(tmp_path), 10, warehouse)
    results(tmp_path, DAY, "" if limit else "no results\n")
    assert land(FLOW, DAY, str(tmp_path), limit, warehouse).rows == 0
    assert rows(settings, DIPS.format(d=8)) == []


def test_a_missing_file_is_an_error_whatever_the_limit(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    with pytest.raises(LandingError, match="no such file"):
        land(FLOW, DAY, str(tmp_path), 0, warehouse)


GOOD = lines("a", "b")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (GOOD.replace("\t", ",").encode(), "18 fields expected, found 1); it looks like .*commas"),
        (GOOD.replace("\t", ";").encode(), "looks like fields separated by semicolons"),
        (GOOD.encode("utf-16"), "it looks like UTF-16"),
        (GOOD.encode("utf-16-le"), "it looks like UTF-16"),
        (
            ('"' + GOOD.rstrip().replace("\t", '"\t"') + '"\n').encode(),
            "looks like fields in quotes",
        ),
        (GOOD.replace("\t1.2E-7", "").encode(), r"\(line 1: 18 fields expected, found 17\)"),
        (
            GOOD.replace("1.2E-7", "NaN").encode(),
            r"2 lines, none .*\(line 1: score is not a number\)",
        ),
        (b"PK\x03\x04" + bytes(range(100)), "it looks like a zip archive"),
        pytest.param(
            # With an id: a gzip header holds the time, and names of tests must not change.
            gzip.compress(GOOD.replace("\t", ",").encode()),
            "it looks like fields .* commas",
            id="gzip",
        ),
        (b"\n", "1 lines, none is valid"),
    ],
)
@pytest.mark.parametrize("portion", [1, 1 << 28])
def test_a_file_of_which_no_line_can_be_taken_leaves_the_slice(
    settings: Settings,
    warehouse: Warehouse,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    data: bytes,
    said: str,
    portion: int,
) -> None:
    monkeypatch.setattr("spot_oa.landing.PORTION", portion)
    file = results(tmp_path, DAY, lines("a") + "bad line\n")
    land(FLOW, DAY, str(tmp_path), 10, warehouse)
    file.write_bytes(data)
    with pytest.raises(LandingError, match=said.replace("found 1)", r"found 1\)")) as caught:
        land(FLOW, DAY, str(tmp_path), 10, warehouse)
    message = str(caught.value)
    assert str(file) in message
    assert "18 fields separated by tabs" in message
    assert "\n" not in message
    assert not caught.value.transient
    assert rows(settings, DIPS.format(d=8)) == [("a",)]
    assert rows(settings, "select line from raw.results_rejects") == [("bad line",)]


def test_scores_that_do_not_ascend_are_told(warehouse: Warehouse, tmp_path: Path) -> None:
    results(tmp_path, DAY, lines("a") + lines("b").replace("1.2E-7", "1.1E-7"))
    assert land(FLOW, DAY, str(tmp_path), 10, warehouse).falls_at == 2
    assert land(FLOW, DAY, str(tmp_path), 1, warehouse).falls_at == 0
