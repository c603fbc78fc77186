from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator

import pytest

from spot_oa import lines as line_splitter
from spot_oa import results_reader
from spot_oa.errors import LandingError
from spot_oa.pipelines import Results
from spot_oa.results_reader import ResultsReader, looks_like

RESULTS = Results.model_validate(
    {
        "file": "toy_results.csv",
        "width": 4,
        "score": "score",
        "fields": {
            "ip": {"index": 1, "type": "string", "required": True},
            "port": {"index": 0, "type": "int"},
            "absent": {"type": "string"},
            "score": {"index": 3, "type": "double", "required": True},
        },
    }
)


def read(*data: bytes, limit: int = 1000) -> tuple[ResultsReader, list[dict], list[dict]]:
    reader = ResultsReader([io.BytesIO(file) for file in data], RESULTS, limit)
    rows, rejects = [], []
    for taken, refused in reader:
        rows += taken.to_pylist()
        rejects += refused.to_pylist()
    return reader, rows, rejects


def line(ip: str = "10.0.0.1", port: str = "80", score: str = "1.0E-7") -> str:
    return f"{port}\t{ip}\tdropped\t{score}"


def test_fields_are_taken_by_index_and_typed() -> None:
    _, rows, rejects = read(b"80\t10.0.0.1\tx\t1.2E-7\n443\t::1\ty\t2.0E-7\n")
    assert rows == [
        {"ip": "10.0.0.1", "port": 80, "absent": None, "score": 1.2e-7, "rank": 0, "line_no": 1},
        {"ip": "::1", "port": 443, "absent": None, "score": 2e-7, "rank": 1, "line_no": 2},
    ]
    assert rejects == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "4 fields expected, found 1"),
        ("80\t10.0.0.1\t1.0", "4 fields expected, found 3"),
        (line() + "\tmore", "4 fields expected, found 5"),
        (line(ip="null"), "ip is missing"),
        (line(ip=""), "ip is missing"),
        (line(score="null"), "score is not a number"),
        (line(score="NaN"), "score is not a number"),
        (line(score="-"), "score is not a number"),
        (line(ip="null", score="-"), "ip is missing"),
    ],
)
def test_a_line_that_cannot_be_taken_is_quarantined_with_its_reason(text: str, reason: str) -> None:
    reader, rows, rejects = read(f"{line()}\n{text}\n{line(ip='::2')}\n".encode())
    assert rejects == [{"line_no": 2, "reason": reason, "line": text}]
    assert [(row["ip"], row["rank"], row["line_no"]) for row in rows] == [
        ("10.0.0.1", 0, 1),
        ("::2", 1, 3),
    ]
    assert (reader.rows, reader.rejected) == (2, 1)


def test_bad_and_null_numbers_become_null_and_only_bad_ones_count() -> None:
    text = "\n".join(line(port=port) for port in ["80", "-", "null", "nan", "web"])
    reader, rows, _ = read(text.encode())
    assert [row["port"] for row in rows] == [80, None, None, None, None]
    assert reader.bad_values == {"port": 3, "score": 0}


def test_bad_values_of_refused_lines_do_not_count() -> None:
    reader, _, _ = read(f"{line(port='-', ip='null')}\n{line()}\n".encode())
    assert not any(reader.bad_values.values())


@pytest.mark.parametrize(
    "ip",
    ['"quoted', '"a"', "back\\slash", "semi;colon", "'", " null", "NULL", "ünï", "\x00", "a\rb"],
)
def test_text_is_taken_as_it_is(ip: str) -> None:
    _, rows, rejects = read(f"{line(ip=ip)}\n{line()}\n".encode())
    assert [row["ip"] for row in rows] == [ip, "10.0.0.1"]
    assert rejects == []


def test_reading_stops_at_the_limit_and_the_hash_with_it() -> None:
    taken = f"bad\n{line()}\n{line(ip='::2')}\n".encode()
    data = taken + b"not read\n" + line().encode()
    reader, rows, rejects = read(data, limit=2)
    assert len(rows) == 2
    assert [reject["line_no"] for reject in rejects] == [1]
    assert reader.sha256 == hashlib.sha256(taken).hexdigest()


def test_only_the_blocks_needed_are_read() -> None:
    stream = io.BytesIO((line() + "\n").encode() * 1_000_000)
    list(ResultsReader([stream], RESULTS, 500))
    assert stream.tell() == results_reader.FIRST_BLOCK


@pytest.mark.parametrize("end", ["", "\n"])
def test_the_whole_file_is_hashed_where_the_limit_is_not_reached(end: str) -> None:
    data = f"{line()}\nbad{end}".encode()
    reader, rows, rejects = read(data, limit=2)
    assert (len(rows), len(rejects)) == (1, 1)
    assert reader.sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(("data", "limit"), [(b"", 10), (line().encode(), 0)])
def test_nothing_to_take_is_a_valid_day(data: bytes, limit: int) -> None:
    reader, rows, rejects = read(data, limit=limit)
    assert (rows, rejects) == ([], [])
    assert reader.sha256 == hashlib.sha256(b"").hexdigest()


def test_crlf_ends_a_line() -> None:
    _, rows, rejects = read(f"{line()}\r\n{line(ip='::2')}\r\n".encode())
    assert [row["score"] for row in rows] == [1e-7, 1e-7]
    assert rejects == []


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_of_several_cr_the_last_belongs_to_the_line_end(end: str) -> None:
    _, _, rejects = read(f"bad\r{end}".encode())
    assert [reject["line"] for reject in rejects] == ["bad\r"]


def test_bytes_that_are_no_utf8_stay_readable_and_are_counted() -> None:
    reader, rows, _ = read(b"80\tcaf\xe9\tx\t1.0\n80\tcaf\xc3\xa9\tx\t1.0\n")
    assert [row["ip"] for row in rows] == ["caf\\xe9", "café"]
    assert reader.invalid_utf8 == 1


ODD = [
    *("80", " 80", "80 ", "+80", "-80", "8e1", "80.9", "0x50", "0X50", "-0x50", "080", "8_0", "٨٠"),
    *("3000000000", "99999999999999999999", "1e400", "1E-400", "nan", "NaN", "inf", "-Infinity"),
    *("null", "NULL", "", "-", "true", '"80"', "80,0", "0x1p3", "1e", ".5", "5.", "\ufeff80"),
    "\u00a080",
]


# With a 0x somewhere numbers are typed after the lines are split, else while they are.
@pytest.mark.parametrize("ip", ["0x", "::2"])
@pytest.mark.parametrize("place", ["port", "score"])
@pytest.mark.parametrize("text", ODD)
def test_the_fast_ways_see_the_same_numbers(
    monkeypatch: pytest.MonkeyPatch, text: str, place: str, ip: str
) -> None:
    data = "\n".join([line(), line(**{place: text}), line(ip=ip), ""]).encode()
    fast = read(data)
    monkeypatch.setattr(results_reader, "_plain_block", lambda *_, **__: None)
    slow = read(data)
    assert fast[1:] == slow[1:]
    assert fast[0].bad_values == slow[0].bad_values


def test_a_plain_block_is_read_the_fastest_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results_reader, "_Split", lambda *fields: fields)
    block = f"{line()}\n{line(port='null')}\n".encode()
    fields, *_ = results_reader._plain_block(block, RESULTS, typed=True)
    assert [str(field.type) for field in fields] == ["int32", "string", "string", "double"]


def test_two_fields_may_read_one_place_each_as_its_type() -> None:
    fields = {
        "text": {"index": 0, "type": "string"},
        "number": {"index": 0, "type": "int"},
        "score": {"index": 1, "type": "double", "required": True},
    }
    results = Results.model_validate(
        {"file": "toy_results.csv", "width": 2, "score": "score", "fields": fields}
    )
    ((rows, _),) = ResultsReader([io.BytesIO(b"007\t1.0\n")], results, 10)
    assert rows.select(["text", "number"]).to_pylist() == [{"text": "007", "number": 7}]


@pytest.mark.parametrize("empty", [0, 1, 2])
def test_empty_lines_are_rejected_wherever_they_stand(empty: int) -> None:
    lines = [line(), line(ip="::2")]
    lines.insert(empty, "")
    _, rows, rejects = read(("\n".join(lines) + "\n").encode())
    assert len(rows) == 2
    assert [reject["line_no"] for reject in rejects] == [empty + 1]


@pytest.mark.parametrize("size", [1, 7, 64])
def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    lines = [line(ip=f"10.0.0.{n}") if n % 5 else f"bad {n}" for n in range(60)]
    data = "\n".join(lines).encode()
    whole = read(data, limit=40)
    monkeypatch.setattr(results_reader, "FIRST_BLOCK", size)
    monkeypatch.setattr(results_reader, "BLOCK", size)
    pieces = read(data, limit=40)
    assert pieces[1:] == whole[1:]
    assert pieces[0].sha256 == whole[0].sha256


def test_a_line_without_end_is_no_results_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_splitter, "MAX_LINE", 1000)
    with pytest.raises(LandingError, match="longer than 1000 bytes"):
        read(b"x" * (results_reader.FIRST_BLOCK + 1))


def test_a_line_that_ends_where_it_is_found_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its end, and the start of the next line, are in the chunk that makes it too long."""
    monkeypatch.setattr(line_splitter, "MAX_LINE", 1000)
    monkeypatch.setattr(results_reader, "FIRST_BLOCK", 600)
    monkeypatch.setattr(results_reader, "BLOCK", 600)
    good = line().encode() + b"\n"
    with pytest.raises(LandingError, match="longer than 1000 bytes"):
        read(b"x" * 1001 + b"\n" + good)
    reader, *_ = read(b"x" * 1000 + b"\n" + good)
    assert (reader.rows, reader.rejected) == (1, 1)


BOM = b"\xef\xbb\xbf"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_byte_order_mark_is_dropped_where_a_file_begins_and_there_only(end: str) -> None:
    data = BOM + f"{line()}{end}\ufeff{line()}{end}{line(ip=chr(0xFEFF))}{end}".encode()
    reader, rows, _ = read(data)
    assert [row["port"] for row in rows] == [80, None, 80]
    assert [row["ip"] for row in rows] == ["10.0.0.1", "10.0.0.1", "\ufeff"]
    assert reader.bad_values["port"] == 1
    assert reader.sha256 == hashlib.sha256(data).hexdigest()


def test_a_byte_order_mark_alone_is_an_empty_file() -> None:
    reader, rows, rejects = read(BOM)
    assert (rows, rejects) == ([], [])
    assert reader.sha256 == hashlib.sha256(BOM).hexdigest()


def test_files_are_read_as_one_and_the_last_line_of_each_ends_with_it() -> None:
    files = [line(ip="a"), "", f"bad\n{line(ip='b')}\n", f"\ufeff{line(ip='c')}", line(ip="d")]
    data = [file.encode() for file in files]
    reader, rows, rejects = read(*data, limit=3)
    assert [(row["ip"], row["port"], row["rank"], row["line_no"]) for row in rows] == [
        ("a", 80, 0, 1),
        ("b", 80, 1, 3),
        ("c", 80, 2, 4),
    ]
    assert [reject["line_no"] for reject in rejects] == [2]
    assert reader.sha256 == hashlib.sha256(b"".join(data[:4])).hexdigest()


def test_no_file_is_opened_that_the_limit_does_not_need() -> None:
    def files() -> Iterator[io.BytesIO]:
        yield io.BytesIO(f"{line()}\n".encode())
        raise AssertionError

    (taken,) = ResultsReader(files(), RESULTS, 1)
    assert taken[0].num_rows == 1


@pytest.mark.parametrize(
    ("scores", "falls_at"),
    [
        (["1.0", "1.0", "2.0"], 0),
        (["1.0"], 0),
        (["2.0", "1.0"], 2),
        (["1.0", "-", "3.0", "null", "2.0", "1.0"], 5),
        (["-0.5", "-0.7"], 2),
        (["1.0E-7", "9.9E-8"], 2),
    ],
)
@pytest.mark.parametrize("size", [1, 1 << 18])
def test_the_first_line_where_scores_fall(
    monkeypatch: pytest.MonkeyPatch, scores: list[str], falls_at: int, size: int
) -> None:
    monkeypatch.setattr(results_reader, "FIRST_BLOCK", size)
    monkeypatch.setattr(results_reader, "BLOCK", size)
    reader, _, _ = read("\n".join(line(score=score) for score in scores).encode())
    assert reader.falls_at == falls_at


def test_scores_behind_the_limit_are_not_looked_at() -> None:
    data = "\n".join(line(score=score) for score in ["1.0", "2.0", "0.5"])
    assert read(data.encode(), limit=2)[0].falls_at == 0


@pytest.mark.parametrize(
    ("beginning", "kind"),
    [
        (b"PK\x03\x04rest", "a zip archive"),
        ("80\t10.0.0.1".encode("utf-16"), "UTF-16"),
        ("80\t10.0.0.1".encode("utf-16-be"), "UTF-16 or a binary file"),
        (b"80,10.0.0.1,x,1.0\n", "fields separated by commas"),
        (b"80;10.0.0.1;x;1.0\n", "fields separated by semicolons"),
        (b'"80"\t"10.0.0.1"\t"x"\t"1.0"\n', "fields in quotes"),
        (b'{"port": 80}\n', "JSON"),
        (b"PAR1rest", "Parquet"),
        (b"80\t10.0.0.1\tx\n", ""),
        (b"port\tip\tx\tscore\n", ""),
        (b"one line of text\n", "fields separated by blanks"),
        (b"text\n", ""),
        (b"", ""),
    ],
)
def test_what_a_file_looks_like(beginning: bytes, kind: str) -> None:
    assert looks_like(beginning, RESULTS.width) == kind


def test_the_first_line_rejected_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results_reader, "FIRST_BLOCK", 8)
    reader, _, _ = read(f"{line()}\n{line(ip='')}\nbad\n".encode())
    assert reader.first_rejected == (2, "ip is missing")
    assert reader.first_bytes.startswith(f"{line()}\n".encode())
