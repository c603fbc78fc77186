from __future__ import annotations

import datetime as dt
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from python_enrichers.base import Outcome
from python_enrichers.context_files import read_context_file
from spot_oa.errors import EnrichmentError


def pair(columns: list[str]) -> tuple[int, str]:
    number, text, *_ = columns
    return int(number), text


def read(path: Path, content: bytes) -> tuple[list[tuple[int, str]], int]:
    path.write_bytes(content)
    file = read_context_file(path, pair)
    assert file is not None
    return list(file.entries), file.skipped


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "numbers.csv"


@pytest.mark.parametrize(
    ("content", "entries", "skipped"),
    [
        pytest.param(b"", [], 0, id="empty"),
        pytest.param(b"1,a\n2,b\n", [(1, "a"), (2, "b")], 0, id="plain"),
        pytest.param(b"1,a", [(1, "a")], 0, id="no line end"),
        pytest.param(b"1,a\r\n2,b\r\n", [(1, "a"), (2, "b")], 0, id="crlf"),
        pytest.param(b"\xef\xbb\xbf1,a\n", [(1, "a")], 0, id="byte order mark"),
        pytest.param(b"number,text\n1,a\n", [(1, "a")], 0, id="header"),
        pytest.param(b"\n \n\nnumber,text\n\n1,a\n\n", [(1, "a")], 0, id="blank lines"),
        pytest.param(b"1,a\nnumber,text\n", [(1, "a")], 1, id="no header further down"),
        pytest.param(b"number,text\nx,y\n1,a\n", [(1, "a")], 1, id="one header only"),
        pytest.param(b"1,a\n2\n3,\n", [(1, "a"), (3, "")], 1, id="short"),
        pytest.param(b"1,a,x,y\n", [(1, "a")], 0, id="further columns"),
        pytest.param(b' 1 ,  a b \n2, "c, d"\n', [(1, "a b"), (2, "c, d")], 0, id="blanks"),
        pytest.param(b'"1","a ""b"", c"\n', [(1, 'a "b", c')], 0, id="quoted"),
        pytest.param(b'1,"a\n2,b\n3,"c"\n', [(1, "a"), (2, "b"), (3, "c")], 0, id="open quote"),
        pytest.param(b'1,a"b\n2,c\n', [(1, 'a"b'), (2, "c")], 0, id="quote inside"),
        pytest.param(b"1,\xff\xc3\xb6\n", [(1, "\\xff\u00f6")], 0, id="not utf-8"),
        pytest.param(b"1,a\0b\n", [(1, "a\0b")], 0, id="nul"),
        pytest.param("1,a\u2028b\n".encode(), [(1, "a\u2028b")], 0, id="unicode line separator"),
        pytest.param(
            b'1,a\n2,"' + b"b" * 200_000 + b'"\n3,c\n', [(1, "a"), (3, "c")], 1, id="huge"
        ),
    ],
)
def test_lines(path: Path, content: bytes, entries: list[tuple[int, str]], skipped: int) -> None:
    assert read(path, content) == (entries, skipped)


@pytest.mark.parametrize("odd", [b'7,"open\n', b'7,"' + b"x" * 200_000 + b'"\n'])
@pytest.mark.parametrize("at", [0, 1, 254, 255, 256, 599])
def test_an_odd_line_spoils_no_other_wherever_it_stands(path: Path, odd: bytes, at: int) -> None:
    lines = [b"%d,a\n" % number for number in range(600)]
    lines[at] = odd
    entries, skipped = read(path, b"".join(lines))
    too_long = len(odd) > 9
    assert skipped == (too_long and at > 0)
    others = [(number, "a") for number in range(600) if number != at]
    assert [entry for entry in entries if entry != (7, "open")] == others
    assert len(entries) == (599 if too_long else 600)


def test_a_missing_file_is_not_configured(path: Path) -> None:
    assert read_context_file(path, pair) is None
    assert read_context_file(path.parent / "no folder" / "numbers.csv", pair) is None


@pytest.mark.parametrize("below", ["folder.csv", "file/numbers.csv"])
def test_a_path_that_cannot_be_read_is_an_error_in_one_line(tmp_path: Path, below: str) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(EnrichmentError) as caught:
        read_context_file(tmp_path / below, pair)
    message = str(caught.value)
    assert str(tmp_path / below) in message
    assert "cannot be read (" in message
    assert "remove it" in message
    assert "\n" not in message
    assert not caught.value.transient


def test_an_unreadable_file_is_an_error(path: Path) -> None:
    path.touch(mode=0)
    if os.access(path, os.R_OK):
        pytest.skip("root may read everything")
    with pytest.raises(EnrichmentError, match="Permission denied"):
        read_context_file(path, pair)


@pytest.fixture
def _in_tokyo() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("_in_tokyo")
def test_the_outcome_tells_entries_and_age(path: Path) -> None:
    path.write_text("1,a\n2,b\nx,y\n")
    os.utime(path, (0, dt.datetime(2016, 7, 8, 23, 59, tzinfo=dt.UTC).timestamp()))
    file = read_context_file(path, pair)
    assert file is not None
    assert file.written_at == dt.datetime(2016, 7, 8, 23, 59)  # noqa: DTZ001 - stored without zone
    assert file.outcome(asked=7, found=3) == Outcome(
        "numbers", asked=7, found=3, skipped=1, detail="entries: 2, written 2016-07-08"
    )
