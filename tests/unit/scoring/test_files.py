"""The results file and the reasons beside it."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path
from typing import Any

import pytest

from spot_oa.dates import Slice
from spot_oa.errors import ConfigError, LandingError
from spot_oa.pipelines import get_pipeline
from spot_oa.scoring.files import (
    fields_of,
    read_reasons,
    results_text,
    rows_table,
    scoring_of,
    write,
)

DNS = get_pipeline("dns")
PART = Slice("dns", dt.date(2016, 7, 8))


def row(**values: Any) -> dict[str, Any]:
    plain = {
        "frame_time": "Jul  8 2016 05:03:12.1 UTC", "unix_tstamp": 1467954192, "frame_len": 80,
        "ip_dst": "10.0.0.1", "dns_qry_name": "a.example", "dns_qry_class": "1",
        "dns_qry_type": 1, "dns_qry_rcode": 0, "score": 2.0**-20,
    }  # fmt: skip
    return plain | values


def reason(rank: int) -> dict[str, Any]:
    return {"rank": rank, "bits": 20.0 - rank, "events": 1, "reason": f"no {rank}", "label": ""}


def test_a_line_has_the_columns_of_spot_ml_in_their_order() -> None:
    assert results_text(DNS, [row()]) == (
        b"Jul  8 2016 05:03:12.1 UTC\t1467954192\t80\t10.0.0.1\ta.example\t1\t1\t0\t9.536743e-07\n"
    )


def test_what_is_missing_is_null_and_what_would_break_a_line_is_a_blank() -> None:
    text = results_text(DNS, [row(dns_qry_rcode=None, dns_qry_name="a\tb\r\nc\n")])
    assert text.split(b"\t")[4:8] == [b"a b c ", b"1", b"1", b"null"]
    assert text.count(b"\n") == 1


@pytest.mark.parametrize(("pipeline", "width"), [("flow", 18), ("dns", 9), ("proxy", 21)])
def test_the_model_of_results_has_every_column_of_the_file(pipeline: str, width: int) -> None:
    described = get_pipeline(pipeline)
    assert len(fields_of(described)) == width == described.results.width
    assert set(fields_of(described)) <= set(rows_table(described).columns)


def test_reasons_belong_to_the_results_that_were_landed(tmp_path: Path) -> None:
    results = results_text(DNS, [row(frame_len=n) for n in range(3)])
    uri = write(DNS, PART, str(tmp_path), results, [reason(n) for n in range(3)])
    assert Path(uri).read_bytes() == results
    whole = hashlib.sha256(results).hexdigest()
    found = read_reasons(DNS, PART, str(tmp_path), whole, 3)
    assert found["reason"].to_pylist() == ["no 0", "no 1", "no 2"]
    # A limit ends landing early.
    first = hashlib.sha256(results.splitlines(keepends=True)[0]).hexdigest()
    assert read_reasons(DNS, PART, str(tmp_path), first, 1)["rank"].to_pylist() == [0]
    # Another scorer has written since.
    other = hashlib.sha256(b"another").hexdigest()
    assert read_reasons(DNS, PART, str(tmp_path), other, 3).num_rows == 0
    assert read_reasons(DNS, PART, str(tmp_path), whole, 4).num_rows == 0


def test_without_a_file_there_are_no_reasons(tmp_path: Path) -> None:
    assert read_reasons(DNS, PART, str(tmp_path), "", 3).num_rows == 0
    assert read_reasons(DNS, PART, str(tmp_path), "", 0).num_rows == 0


def test_a_broken_reasons_file_is_named(tmp_path: Path) -> None:
    file = Path(DNS.reasons_uri(str(tmp_path), PART))
    file.parent.mkdir(parents=True)
    file.write_text("{", "utf-8")
    with pytest.raises(LandingError, match="score the date again, or remove the file"):
        read_reasons(DNS, PART, str(tmp_path), "", 1)


def test_results_that_cannot_be_written_leave_the_old_ones(tmp_path: Path) -> None:
    results = results_text(DNS, [row()])
    uri = write(DNS, PART, str(tmp_path), results, [reason(0)])
    (tmp_path / "file").touch()
    with pytest.raises(LandingError, match="cannot be written"):
        write(DNS, PART, str(tmp_path / "file"), results, [reason(0)])
    assert Path(uri).read_bytes() == results
    assert sorted(path.name for path in Path(uri).parent.iterdir()) == [
        "dns_reasons.jsonl",
        "dns_results.csv",
    ]


def test_a_pipeline_without_a_description_of_its_scoring_is_refused() -> None:
    with pytest.raises(ConfigError, match="does not support the pipeline dns"):
        scoring_of(DNS.model_copy(update={"scoring": None}))
