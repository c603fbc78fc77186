"""Telemetry as others write it: names, types, bytes, folders. The embedded engine reads it."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import hypothesis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from flows.cli.doctor import State, examine
from spot_oa.errors import ConfigError, SpotOaError, WarehouseError
from spot_oa.numbers import parse_numbers
from spot_oa.pipelines import Pipeline, Telemetry, Type, get_pipeline
from spot_oa.settings import Settings, load_settings
from spot_oa.warehouse import Exposed, open_warehouse
from spot_oa.warehouse.tables import ARROW_TYPES

DAY = dt.date(2016, 7, 8)
HOUR = "y=2016/m=7/d=8/h=5"
FLOW = get_pipeline("flow")


def write(settings: Settings, columns: Mapping[str, Any], file: str = f"{HOUR}/a.parquet") -> Path:
    """A file of flow with these columns; the others are there and NULL, unless they are None."""
    rows = max((len(column) for column in columns.values() if column is not None), default=1)
    described = {
        name: pa.nulls(rows, ARROW_TYPES[kind]) for name, kind in FLOW.telemetry.columns.items()
    }
    table = {
        name: column for name, column in {**described, **columns}.items() if column is not None
    }
    path = Path(settings.raw_uri, "flow", file)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(list(table.values()), names=list(table)), path)
    return path


def expose(settings: Settings, pipeline: Pipeline = FLOW) -> Exposed:
    return open_warehouse(settings).expose_telemetry(pipeline, [DAY])


def read(settings: Settings, columns: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(settings.warehouse)) as connection:
        return connection.execute(f"select {columns} from raw.flow order by all").fetchall()


# --------------------------------------------------------------------------- columns


def test_names_compare_without_case_and_folders_give_the_partition(settings: Settings) -> None:
    keys = {"Y": [1999], "m": ["x"], "D": pa.nulls(1), "H": [7]}
    write(settings, {"sip": None, "SIP": ["a"], "Dip": ["b"], "dip": None, **keys})
    write(settings, {"sip": ["c"], "dip": ["d"]}, "Y=2016/M=07/D=08/H=06/b.parquet")
    assert expose(settings) == Exposed([], [])
    assert read(settings, "sip, dip, y, m, d, h") == [
        ("a", "b", 2016, 7, 8, 5),
        ("c", "d", 2016, 7, 8, 6),
    ]


def test_needed_columns_that_no_file_has_are_an_error(settings: Settings) -> None:
    file = write(settings, {"sip": None, "dip": None, "sa": ["a"], "da": ["b"]})
    with pytest.raises(ConfigError) as caught:
        expose(settings)
    says = str(caught.value)
    assert f"telemetry of flow lacks the columns sip, dip: {file} has treceived, " in says
    assert ", sa, da; " in says
    assert "\n" not in says


def test_other_missing_columns_are_named_and_unused_ones_are_not(settings: Settings) -> None:
    write(settings, {"rip": None, "ibyt": None, "das": None, "tdur": None, "sip": ["a"]})
    assert expose(settings).warnings == [
        "telemetry of flow lacks the columns ibyt, rip: they are NULL"
    ]
    assert read(settings, "sip, ibyt, rip, das") == [("a", None, None, None)]


def test_a_needed_column_that_some_files_lack_is_named(settings: Settings) -> None:
    write(settings, {"sip": ["a"]})
    files = [write(settings, {"sip": None, "flag": None}, f"{HOUR}/{name}") for name in "bc"]
    assert expose(settings).warnings == [
        f"telemetry of flow lacks the column sip in 2 files (the first is {files[0]}): "
        "rows without it match nothing"
    ]
    assert read(settings, "sip") == [("a",), (None,), (None,)]


def test_a_column_that_is_there_twice_is_an_error(settings: Settings) -> None:
    file = write(settings, {"SIP": ["a"], "sip": ["b"]})
    with pytest.raises(ConfigError, match=r"column sip twice \(sip, SIP\)") as caught:
        expose(settings)
    assert str(file) in str(caught.value)


def test_columns_inside_of_columns_are_no_columns(settings: Settings) -> None:
    nested = {"extra": [{"sip": 1, "more": [{"sip": 2}]}], "sip": ["a"], "last": [["dip"]]}
    write(settings, nested)
    assert expose(settings).warnings == []
    assert read(settings, "sip, dip") == [("a", None)]


@pytest.mark.parametrize("name", ["flow", "proxy", "dns"])
def test_unused_is_what_no_model_reads(name: str) -> None:
    project = Path(__file__).parents[2]
    sql = (project / f"models/staging/telemetry/stg_telemetry__{name}.sql").read_text("utf-8")
    words = set(re.findall(r"\w+", sql))
    telemetry = get_pipeline(name).telemetry
    unread = {column for column in telemetry.columns if column not in words}
    # The scorer reads a duration where there is one, and goes without it.
    assert unread == set(telemetry.unused) - {"tdur"}
    assert telemetry.needed


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"needed": ["b"]}, "'b' is needed or unused, but not a telemetry column"),
        ({"needed": ["a"], "unused": ["a"]}, "'a' is needed and unused"),
    ],
)
def test_a_description_is_consistent(more: Mapping[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Telemetry.model_validate({"columns": {"a": "int"}, **more})


# --------------------------------------------------------------------------- files


def test_every_file_of_an_hour_is_read_that_is_not_hidden(settings: Settings) -> None:
    names = ["a.parquet", "000000_0", "x_data.0.parq", "c.pq", "sensor=a/sport=9/part-0", "d[1]*?'"]
    for number, name in enumerate(names):
        write(settings, {"sip": [name], "sport": [number]}, f"{HOUR}/{name}")
    for name in (".hidden.parquet", "_SUCCESS", "_temporary/0/part-0.parquet", ".x/part-0.parquet"):
        file = Path(settings.raw_uri, "flow", HOUR, name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("no Parquet")
    assert expose(settings) == Exposed([], [])
    found = read(settings, "sip, sport, h")
    assert found == sorted((name, number, 5) for number, name in enumerate(names))


def test_what_lies_beside_the_hours_is_named(settings: Settings) -> None:
    late = write(settings, {"sip": ["late"]}, "y=2016/m=7/d=8/late.parquet")
    write(settings, {"sip": ["odd"]}, "y=2016/m=7/d=8/x=1/odd.parquet")
    write(settings, {"sip": ["hidden"]}, "y=2016/m=7/d=8/.late.parquet")
    named = [
        f"telemetry in 2 files (the first is {late}) is not read: it is outside the hour folders "
        "(h=5); move it into one"
    ]
    assert expose(settings) == Exposed([DAY], named)
    write(settings, {"sip": ["a"]})
    assert expose(settings) == Exposed([], named)
    assert read(settings, "sip") == [("a",)]


@pytest.mark.parametrize("folder", ["y=2016/m=7/d=8", HOUR, f"{HOUR}/empty.parquet"])
def test_empty_folders_are_a_day_without_telemetry(settings: Settings, folder: str) -> None:
    Path(settings.raw_uri, "flow", folder).mkdir(parents=True)
    assert expose(settings) == Exposed([DAY], [])
    assert read(settings, "*") == []


def test_no_folder_above_is_a_column(tmp_path: Path) -> None:
    raw = tmp_path / "sip=collector" / "y=1999" / "d[1]*?"
    settings = load_settings(home=tmp_path, raw_uri=str(raw))
    write(settings, {"sip": ["a"]})
    expose(settings)
    assert read(settings, "sip, y, m, d, h") == [("a", 2016, 7, 8, 5)]


@pytest.mark.parametrize("content", [b"", b"no Parquet at all", None])
def test_a_file_that_is_no_parquet_is_named(settings: Settings, content: bytes | None) -> None:
    write(settings, {"sip": ["a"]})
    file = Path(settings.raw_uri, "flow", HOUR, "notes.txt")
    if content is None:
        file.symlink_to("nowhere")
    else:
        file.write_bytes(content)
    with pytest.raises(WarehouseError) as caught:
        expose(settings)
    assert f"telemetry {file} is not readable Parquet" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_come_later_are_not_seen(settings: Settings) -> None:
    write(settings, {"sip": ["a"]})
    expose(settings)
    write(settings, {"sip": ["b"]}, f"{HOUR}/b.parquet")
    assert read(settings, "sip") == [("a",)]
    expose(settings)
    assert read(settings, "sip") == [("a",), ("b",)]


def test_keys_choose_files_and_plain_columns_stand_bare(settings: Settings) -> None:
    write(settings, {"sip": ["a"]})
    file = "y=2016/m=7/d=8/h=06/b.parquet"
    write(settings, {"sip": ["b"], "trminute": pa.array([20], pa.int32())}, file)
    expose(settings)
    with duckdb.connect(str(settings.warehouse)) as connection:
        (view,) = connection.execute(
            "select sql from duckdb_views() where view_name = 'flow'"
        ).fetchone() or ("",)
        plan = connection.execute(
            "explain analyze select sip from raw.flow "
            "where y = 2016 and m = 7 and d = 8 and h = 6 and trminute > 10"
        ).fetchall()[0][1]
    bare = view.partition(" SELECT ")[2].partition(" FROM ")[0]
    assert all(f"{name}," in bare.replace('"', "") for name in FLOW.telemetry.columns)
    assert " AS " not in bare.partition("rip,")[0]
    assert plan.count("READ_PARQUET") == 1
    assert "Scanning Files: 1/2" in plan


# --------------------------------------------------------------------------- text


def test_text_is_text_whether_annotated_or_not(settings: Settings) -> None:
    texts = ["übung?x='1'", 'Mozilla "x" \\ 5', "日本😀", "", None]
    write(settings, {"proto": pa.array(texts, pa.string())}, f"{HOUR}/a")
    raw = [text if text is None else text.encode() for text in texts]
    write(settings, {"proto": pa.array(raw, pa.binary())}, f"{HOUR}/b")
    expose(settings)
    both = read(settings, "proto")
    assert both == sorted([(text,) for text in texts[:-1] for _ in "ab"]) + [(None,)] * 2


def test_bytes_that_are_not_utf8_stay_readable(settings: Settings) -> None:
    pieces = [b"a", b"\\", b"\0", "é".encode(), "日".encode(), "😀".encode()]
    pieces += [
        bytes([byte]) for byte in (0x80, 0xC0, 0xC3, 0xE0, 0xED, 0xA0, 0xF0, 0xF4, 0x9F, 0xFF)
    ]
    values: list[bytes] = []

    @hypothesis.settings(max_examples=500, database=None, derandomize=True, deadline=None)
    @given(st.lists(st.sampled_from(pieces), max_size=6))
    def collect(some: list[bytes]) -> None:
        values.append(b"".join(some))

    collect()
    write(settings, {"proto": pa.array(values, pa.binary())})
    expose(settings)
    wanted = sorted(value.decode("utf-8", "backslashreplace") for value in values)
    assert [text for (text,) in read(settings, "proto")] == wanted
    assert any("\\xff" in text for text in wanted)


# --------------------------------------------------------------------------- values

EPOCH = 1467957599
MOMENT = dt.datetime(2016, 7, 8, 5, 59, 59, 700000)  # noqa: DTZ001 - as files have them
ZONED = MOMENT.replace(tzinfo=dt.UTC)
BEFORE = dt.datetime(1969, 12, 31, 23, 59, 58, 500000)  # noqa: DTZ001
FITS: Sequence[tuple[str, pa.Array, Sequence[Any], int]] = [
    # column, in the file, as read, how many do not fit
    ("sport", pa.array([1, 65535], pa.uint16()), [1, 65535], 0),
    ("sport", pa.array([1, 2**31], pa.int64()), [1, None], 1),
    ("sport", pa.array([True, None], pa.bool_()), [1, None], 0),
    ("sport", pa.array([80.9, -80.9, 2147483647.9, 2147483648.0, math.nan, math.inf]),
     [80, -80, 2147483647, None, None, None], 3),
    ("sport", pa.array(["-", "80", "0x50"]), [None, 80, None], 2),
    ("sport", pa.nulls(2), [None, None], 0),
    ("sport", pa.array([MOMENT], pa.timestamp("us")), [None], 1),
    ("sport", pa.array([[1], None], pa.list_(pa.int32())), [None, None], 1),
    ("ibyt", pa.array([7, 2**63 - 1, 18446744073709546036], pa.uint64()), [7, 2**63 - 1, None], 1),
    ("ibyt", pa.array([Decimal("9223372036854775807.9"), Decimal("1e20")], pa.decimal128(30, 1)),
     [2**63 - 1, None], 1),
    ("ibyt", pa.array([float(2**63), -float(2**63)]), [None, -(2**63)], 1),
    ("ibyt", pa.array(["9007199254740993.5", "9223372036854775808"]), [2**53 + 1, None], 1),
    ("ibyt", pa.array([b"12", b"\xff"], pa.binary()), [12, None], 1),
    ("unix_tstamp", pa.array([EPOCH + 0.7, -1.5]), [EPOCH, -1], 0),
    ("unix_tstamp", pa.array([Decimal("1467957599.7"), None], pa.decimal128(20, 6)),
     [EPOCH, None], 0),
    ("unix_tstamp", pa.array(["1467957599.7", "1.4679575997E9"]), [EPOCH, EPOCH], 0),
    *(("unix_tstamp", pa.array([MOMENT, BEFORE], pa.timestamp(unit)), [EPOCH, -1], 0)
      for unit in ("ms", "us", "ns")),
    ("unix_tstamp", pa.array([ZONED, None], pa.timestamp("us", "Asia/Tokyo")), [EPOCH, None], 0),
    ("unix_tstamp", pa.array([DAY], pa.date32()), [1467936000], 0),
    ("tdur", pa.array([1.5, 1e300]), [1.5, None], 0),  # nobody reads it
    ("treceived", pa.array([MOMENT], pa.timestamp("us")), ["2016-07-08 05:59:59.7"], 0),
    ("treceived", pa.array([ZONED], pa.timestamp("us", "Asia/Tokyo")),
     ["2016-07-08 05:59:59.7"], 0),
    ("proto", pa.array([6, None], pa.int32()), ["6", None], 0),
    ("proto", pa.array([6.0, 6.5, -1.0, 1e16, math.nan]), ["6", "6.5", "-1", "1e+16", "nan"], 0),
    ("proto", pa.array([Decimal("6.000"), Decimal("6.500")], pa.decimal128(9, 3)),
     ["6", "6.500"], 0),
    ("proto", pa.array([DAY], pa.date32()), ["2016-07-08"], 0),
    ("proto", pa.array([dt.time(5, 10, 20)], pa.time64("us")), ["05:10:20"], 0),
    ("proto", pa.array(["TCP", "UDP"]).dictionary_encode(), ["TCP", "UDP"], 0),
]  # fmt: skip


@pytest.mark.parametrize(("column", "stored", "wanted", "bad"), FITS)
def test_values_of_other_types(
    settings: Settings, column: str, stored: pa.Array, wanted: Sequence[Any], bad: int
) -> None:
    file = write(settings, {column: stored, "input": pa.array(range(len(stored)), pa.int32())})
    (*warnings,) = expose(settings).warnings
    assert [row[1] for row in read(settings, f"input, {column}")] == wanted
    values = "1 value" if bad == 1 else f"{bad} values"
    kind = FLOW.telemetry.columns[column]
    says = f"telemetry of flow: {values} of {column} cannot be {kind}, NULL instead: "
    assert [line.startswith(f"{says}{bad} in {file} (") for line in warnings] == [True] * bool(bad)


def test_what_does_not_fit_is_counted_by_file(settings: Settings) -> None:
    write(settings, {"sport": pa.array([1, 2], pa.int32())}, f"{HOUR}/0")
    files = [
        write(settings, {"sport": pa.array(["7", *["-"] * times])}, f"{HOUR}/{times}")
        for times in (1, 2, 3, 4)
    ]
    shown = ", ".join(f"{times} in {file} ('-')" for times, file in enumerate(files[:3], 1))
    assert expose(settings).warnings == [
        f"telemetry of flow: 10 values of sport cannot be int, NULL instead: {shown}, "
        "and 1 more files"
    ]
    assert [row[0] for row in read(settings, "sport")] == [1, 2, *[7] * 4, *[None] * 10]


NUMERALS = st.one_of(
    st.from_regex(r"\A\s?[+-]?[0-9]{0,20}(\.[0-9]{0,3})?([eE][+-]?[0-9]{1,2})?\s?\Z"),
    st.sampled_from(["", "-", "nan", "inf", "0x1f", "1_000", "null", "1.", ".5", "-0", "1e400",
                     "9" * 38, "0" * 40 + "7", "2147483647.9", "1,5", "٣", "1e", "+", "- 1"]),
)  # fmt: skip


@pytest.mark.parametrize(
    ("column", "kind"), [("sport", "int"), ("ibyt", "bigint"), ("tdur", "float")]
)
def test_text_is_a_number_as_in_results(settings: Settings, column: str, kind: Type) -> None:
    texts: list[str] = []

    @hypothesis.settings(
        max_examples=1000, database=None, derandomize=True, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(NUMERALS)
    def collect(text: str) -> None:
        texts.append(text)

    collect()
    write(settings, {column: pa.array(texts), "input": pa.array(range(len(texts)), pa.int32())})
    warnings = expose(settings).warnings
    numbers, bad = parse_numbers(pa.array(texts), kind)
    found = [row[1] for row in read(settings, f"input, {column}")]
    # Results have no single: what is too large for one is no infinity either.
    wanted = [None if number in (math.inf, -math.inf) else number for number in numbers.to_pylist()]
    assert dict(zip(texts, found, strict=True)) == dict(zip(texts, wanted, strict=True))
    count = sum(bad.to_pylist())
    assert count
    assert [f"{count} values of {column} " in line for line in warnings] == (
        [] if column in FLOW.telemetry.unused else [True]
    )


# --------------------------------------------------------------------------- doctor


def doctor(settings: Settings) -> tuple[State, str]:
    return next(found for found in examine(settings) if "telemetry of flow" in found[1])


@pytest.mark.parametrize(
    ("lacking", "usable", "says"),
    [
        ((), True, "columns 28 of 28"),
        (("rip", "fwd"), True, "columns 26 of 28, missing fwd, rip"),
        (("dip", "sip"), False, "columns 26 of 28, missing sip, dip"),
    ],
)
def test_doctor_looks_into_the_newest_file(
    settings: Settings, lacking: Sequence[str], usable: bool, says: str
) -> None:
    write(settings, dict.fromkeys(FLOW.telemetry.columns, None) | {"x": [1]}, f"{HOUR}/old")
    write(settings, {"SPORT": [1], "sport": None} | dict.fromkeys(lacking), f"{HOUR}/new")
    found = doctor(settings)
    assert (bool(found[0]), found[1].rpartition(" ago, ")[2]) == (usable, says)


def test_doctor_names_a_file_that_is_no_parquet(settings: Settings) -> None:
    file = write(settings, {})
    file.write_bytes(b"x" * 100)
    usable, line = doctor(settings)
    assert not usable
    assert f"telemetry {file} is not readable Parquet" in line


@pytest.mark.parametrize("call", [expose, doctor])
def test_what_may_not_be_listed_is_an_error(
    settings: Settings, call: Callable[[Settings], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(settings, {})

    def refuse(folder: Path) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(Path, "iterdir", refuse)
    if call is doctor:
        usable, line = doctor(settings)
        assert not usable
        assert "cannot be read (Permission denied)" in line
    else:
        with pytest.raises(SpotOaError, match=r"flow cannot be read \(Permission denied\)"):
            call(settings)
