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

FORM = "number,text"


def pair(columns: list[str]) -> tuple[int, str]:
    number, text, *_ = columns
    return int(number), text


def read(path: Path, content: bytes) -> tuple[list[tuple[int, str]], int]:
    path.write_bytes(content)
    file = read_context_file(path, pair, FORM)
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
        pytest.param(b'1,"a\n2,b\n', [(1, "a"), (2, "b")], 0, id="open quote, no other"),
        pytest.param(b'1,"a\nb"\n2,c\n', [(1, "a\nb"), (2, "c")], 0, id="line end in quotes"),
        pytest.param(
            b'1,"a\r\n\r\n""b"",\r\n"\r\n2,c\r\n',
            [(1, 'a\n\n"b",'), (2, "c")],
            0,
            id="crlf in quotes",
        ),
        pytest.param(b'"number\n(int)",text\n1,a\n', [(1, "a")], 0, id="header of two lines"),
        pytest.param("1,a\r\n2,b\r\n".encode("utf-16"), [(1, "a"), (2, "b")], 0, id="utf-16"),
        pytest.param(
            b"\xfe\xff" + "1,\u00f6".encode("utf-16-be"), [(1, "\u00f6")], 0, id="utf-16-be"
        ),
        pytest.param(b"1,a\n\xef\xbb\xbf2,b\n", [(1, "a")], 1, id="mark further down"),
        pytest.param(b"number,text\n", [], 0, id="header alone"),
        pytest.param(b"# a comment\n1,a\n", [(1, "a")], 0, id="header of one column"),
        pytest.param(b"1;a\n2,b\n", [(2, "b")], 1, id="a broken first line is no header"),
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
    assert skipped == too_long
    others = [(number, "a") for number in range(600) if number != at]
    assert [entry for entry in entries if entry != (7, "open")] == others
    assert len(entries) == (599 if too_long else 600)


def test_a_missing_file_is_not_configured(path: Path) -> None:
    assert read_context_file(path, pair, FORM) is None
    assert read_context_file(path.parent / "no folder" / "numbers.csv", pair, FORM) is None


@pytest.mark.parametrize("below", ["folder.csv", "file/numbers.csv"])
def test_a_path_that_cannot_be_read_is_an_error_in_one_line(tmp_path: Path, below: str) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(EnrichmentError) as caught:
        read_context_file(tmp_path / below, pair, FORM)
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
        read_context_file(path, pair, FORM)


@pytest.fixture
def _in_tokyo() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("_in_tokyo")
def test_the_outcome_tells_entries_and_age(path: Path) -> None:
    path.write_text("1,a\n2,b\n" * 5 + "x,y\n")
    os.utime(path, (0, dt.datetime(2016, 7, 8, 23, 59, tzinfo=dt.UTC).timestamp()))
    file = read_context_file(path, pair, FORM)
    assert file is not None
    assert file.written_at == dt.datetime(2016, 7, 8, 23, 59)  # noqa: DTZ001 - stored without zone
    assert file.outcome(asked=7, found=3) == Outcome(
        "numbers", asked=7, found=3, skipped=1, detail="entries: 10, written 2016-07-08"
    )


@pytest.mark.parametrize("at", [*range(250, 260), 511, 512])
@pytest.mark.parametrize("height", [2, 3, 300])
def test_a_field_of_many_lines_is_one_wherever_it_stands(path: Path, at: int, height: int) -> None:
    lines = [f"{number},a\n" for number in range(600)]
    text = "\n".join("," * (number % 3) for number in range(height))
    lines[at] = f'{at},"x{text}y"\n'
    entries, skipped = read(path, "".join(lines).encode())
    assert (len(entries), skipped) == (600, 0)
    assert entries[at] == (at, f"x{text}y")


def test_many_broken_lines_are_explained(path: Path) -> None:
    path.write_text('number,text\n1,"a\nb"\n\nx\x1b,y\nz,y\n')
    file = read_context_file(path, pair, FORM)
    assert file is not None
    assert file.outcome(asked=1, found=0).first_skipped == (
        r"line 5, 'x\x1b,y': invalid literal for int() with base 10: 'x\x1b'"
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"x;y\n", "1 lines, none can be used (line 1, 'x;y': "),
        (b"1;a\n2;b\n", "2 lines, none can be used (line 1, '1;a': "),
        (b"\n1;a\n", "commas are needed"),
        (b"1\ta\n", "commas are needed"),
        (b"word\n", "1 lines, none can be used (line 1, 'word': there is one column only)"),
        (
            b"number,text\nx,a\ny,b\n",
            "2 lines after the header 'number,text', none can be used (line 2, 'x,a': ",
        ),
        ("1,a\n".encode("utf-16-le"), "is it UTF-16?"),
        (b"x.," + b"y" * 1000, "yyy...'"),
        (b'1,"' + b"x" * 200_000, "1 lines, none can be used"),
    ],
)
def test_a_file_of_which_no_line_can_be_used_is_an_error(
    path: Path, content: bytes, said: str
) -> None:
    path.write_bytes(content)
    with pytest.raises(EnrichmentError) as caught:
        read_context_file(path, pair, FORM)
    message = str(caught.value)
    assert said in message
    assert message.startswith(f"context file {path}: ")
    assert message.endswith("write lines as number,text, or remove the file")
    assert message.isprintable()
    assert len(message) < 500
