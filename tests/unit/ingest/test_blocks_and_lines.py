"""Any split of a file into blocks, and both ways of splitting a block, give the same."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from spot_oa import lines
from spot_oa.ingest import Ingested
from spot_oa.ingest.readers import delimited
from tests.support.ingested import HTTP, SAMPLES, differing, expected, landed, oracle, take, zeek

HOSTILE = (
    b"\x00",
    b"\r",
    b"\r\n",
    b"\xff\xfe",
    b"\xc3",
    b'"',
    b'""',
    b"#",
    b"\t",
    b" ",
    b"\n\n",
    b"\n#",
    b"1e400",
    b"-1",
    b" 12",
    b"0x1f",
    b"1_000",
    b"99999999999999999999",
    b"nan",
    b"-",
    b"(empty)",
    b"\\x2d",
    b"\\x2c",
    b"\\\\",
    b"\xef\xbb\xbf",
    "\u202e".encode(),
    b"\x1b[31m",
    b"';--",
    b"#fields\tts\n",
    b"Summary\n",
    b"[",
    b"{",
    b"\\ud800",
)


def counts(taken: Ingested) -> object:
    if taken.status == "failed":
        return taken.status
    return taken.status, taken.lines, taken.counts()


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("block", [1 << 10, 1 << 16])
def test_block_size_does_not_matter(sample: str, block: int, tmp_path: Path) -> None:
    source, name, data, zone = SAMPLES[sample]
    (tmp_path / name).write_bytes(data)
    one = take(tmp_path / "one", source, tmp_path / name, timezone=zone)
    other = take(tmp_path / "other", source, tmp_path / name, timezone=zone, block=block)
    assert landed(tmp_path / "one") == landed(tmp_path / "other")
    assert counts(one[0]) == counts(other[0])


def enlarged(sample: str) -> bytes:
    """The sample, and before it those of its lines that become a row, for more than 64 KB."""
    source, name, data, zone = SAMPLES[sample]
    lines = data.splitlines(keepends=True)
    comments = [line for line in lines if line.startswith(b"#") and b"#close" not in line]
    headed = source in ("nfdump", "vpc", "argus")
    head = b"".join(lines[:1] if headed else comments)
    good = [
        line
        for line in lines
        if not line.startswith(b"#")
        and len(oracle(source, head + line.rstrip(b"\n") + b"\n", name, zone).rows) == 1
    ]
    assert good
    much = b"".join(good) * ((1 << 16) // sum(map(len, good)) + 1)
    return head + much + data


@pytest.mark.long
@pytest.mark.parametrize("sample", SAMPLES)
def test_block_size_does_not_matter_to_what_is_larger_than_a_block(
    sample: str, tmp_path: Path
) -> None:
    source, name, _, zone = SAMPLES[sample]
    data = enlarged(sample)
    assert len(data) > 1 << 16
    (tmp_path / name).write_bytes(data)
    found = []
    for block in (1 << 10, 1 << 16, 8 << 20):
        home = tmp_path / str(block)
        (taken,) = take(home, source, tmp_path / name, timezone=zone, block=block)
        assert taken.status == "taken", taken.error
        found.append((landed(home), counts(taken)))
    assert found[0] == found[1] == found[2]
    told = oracle(source, data, name, zone)
    assert not differing(found[0][0], expected(told))


@pytest.mark.parametrize("sample", SAMPLES)
def test_both_ways_agree(sample: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, name, data, zone = SAMPLES[sample]
    (tmp_path / name).write_bytes(data)
    one = take(tmp_path / "one", source, tmp_path / name, timezone=zone)
    monkeypatch.setattr(delimited, "PLAIN", False)
    other = take(tmp_path / "other", source, tmp_path / name, timezone=zone)
    assert landed(tmp_path / "one") == landed(tmp_path / "other")
    assert counts(one[0]) == counts(other[0])


def mutated(data: bytes, seed: int) -> bytes:
    """A log with some bytes changed, some lines doubled, cut or swapped."""
    chance = random.Random(seed)
    lines = data.split(b"\n")
    data_lines = [n for n, line in enumerate(lines) if n and not line.startswith(b"#")]
    for _ in range(chance.randint(1, 4)):
        at = chance.choice(data_lines)
        line = lines[at]
        place = chance.randint(0, len(line))
        what = chance.random()
        if what < 0.5:
            lines[at] = line[:place] + chance.choice(HOSTILE) + line[place:]
        elif what < 0.65:
            lines[at] = line[:place]
        elif what < 0.75:
            lines[at] = line[:place] + line[place + chance.randint(1, 3) :]
        elif what < 0.85:
            lines[at] = lines[at] + b"\n" + lines[chance.choice(data_lines)]
        else:
            fields = line.split(b"\t") if b"\t" in line else line.split(b",")
            fields[chance.randrange(len(fields))] = chance.choice(HOSTILE)
            lines[at] = (b"\t" if b"\t" in line else b",").join(fields)
    return b"\n".join(lines)


def fuzz(sample: str, seed: int, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, name, data, zone = SAMPLES[sample]
    data = mutated(data, seed)
    path = home / name
    home.mkdir()
    path.write_bytes(data)
    monkeypatch.setattr("os.fsync", lambda _: None)
    monkeypatch.setattr(delimited, "PLAIN", True)
    (one,) = take(home / "one", source, path, timezone=zone)
    monkeypatch.setattr(delimited, "PLAIN", False)
    (other,) = take(home / "other", source, path, timezone=zone, block=1 << 10)
    assert landed(home / "one") == landed(home / "other")
    assert counts(one) == counts(other)

    told = oracle(source, data, name, zone)
    tried = told.lines - told.blank - told.comments
    many = tried > 100 and told.refused > 0.1 * tried
    if many or (told.refused and not told.rows and not told.skipped):
        assert one.status == "failed"
        assert not landed(home / "one")
    else:
        assert one.status == "taken", one.error
        assert not differing(landed(home / "one"), expected(told))
        assert one.refused == told.refused
        assert one.skipped == told.skipped


@pytest.mark.parametrize(
    ("count", "first"),
    [
        pytest.param(20, 0, id="some"),
        pytest.param(200, 20, id="many", marks=[pytest.mark.long, pytest.mark.timeout(1800)]),
        pytest.param(
            *(4000, None),
            id="as never before",
            marks=[pytest.mark.thorough, pytest.mark.timeout(3600)],
        ),
    ],
)
def test_changed_files(
    count: int, first: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same files everywhere, but for those changed as never before."""
    first = random.SystemRandom().randrange(1 << 32) if first is None else first
    samples = sorted(SAMPLES)
    for seed in range(first, first + count):
        sample = samples[seed % len(samples)]
        try:
            fuzz(sample, seed, tmp_path / str(seed), monkeypatch)
        except AssertionError as error:
            error.add_note(f"{sample}, changed by {seed}")
            raise


def test_a_line_that_is_too_long_is_an_error(tmp_path: Path) -> None:
    _, _, data, _ = SAMPLES["conn"]
    (tmp_path / "conn.log").write_bytes(data + b"x" * (70 << 20) + b"\n")
    (taken,) = take(tmp_path, "zeek", tmp_path / "conn.log")
    assert taken.status == "failed"
    assert "a line is longer than" in taken.error
    assert not landed(tmp_path)


def test_a_megabyte_in_a_field_is_no_error(tmp_path: Path) -> None:
    row = "1713589200.1 H1 10.0.0.5 5000 192.0.2.80 80 GET h.example /{} - - 0 0 200 - -"
    data = zeek("http", HTTP, row.format("x" * (1 << 20)), row.format("y"))
    (tmp_path / "http.log").write_bytes(data)
    (taken,) = take(tmp_path, "zeek", tmp_path / "http.log")
    assert taken.rows == {"proxy": 2}
    assert not differing(landed(tmp_path), expected(oracle("zeek", data, "http.log")))


def test_lines_are_cut_wherever_a_chunk_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_LINE", 4)
    data = b"abcd\n\nef\r\nghi"
    for size in (1, 2, 3, 4):
        chunks = [data[at : at + size] for at in range(0, len(data), size)]
        blocks = list(lines.whole_lines(chunks, ValueError))
        assert b"".join(blocks) == data
        assert all(block.endswith(b"\n") for block in blocks[:-1])
        assert blocks[-1] == b"ghi"
        with pytest.raises(ValueError, match="4"):
            list(lines.whole_lines([*chunks, b"jk\nl"], ValueError))
