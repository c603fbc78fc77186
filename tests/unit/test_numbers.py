from __future__ import annotations

import math
import re

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spot_oa.numbers import parse_numbers

BOUNDS = {"int": 2**31, "bigint": 2**63}


def parse(text: list[str | None], kind: str) -> tuple[list[object], list[bool]]:
    numbers, bad = parse_numbers(pa.array(text, pa.string()), kind)
    return numbers.to_pylist(), bad.to_pylist()


@pytest.mark.parametrize(
    ("text", "kind", "number"),
    [
        ("443", "int", 443),
        ("-1", "int", -1),
        ("+7", "int", 7),
        (" 7 ", "int", 7),
        ("007", "int", 7),
        ("2147483647", "int", 2147483647),
        ("-2147483648", "int", -2147483648),
        ("1467943825.5", "bigint", 1467943825),
        ("-1.9", "bigint", -1),
        ("1.5E3", "bigint", 1500),
        ("9223372036854775807", "bigint", 9223372036854775807),
        ("1.2E-7", "double", 1.2e-7),
        ("4.410681143272609E-9", "double", 4.410681143272609e-9),
        ("+1", "double", 1.0),
        ("-0.0", "double", 0.0),
        (".5", "double", 0.5),
    ],
)
def test_numbers_as_java_prints_them(text: str, kind: str, number: float) -> None:
    assert parse([text, "x"], kind) == ([number, None], [False, True])
    assert parse([text], kind) == ([number], [False])


@pytest.mark.parametrize("kind", ["int", "bigint", "double"])
@pytest.mark.parametrize(
    "text",
    [
        "-",
        "",
        "nan",
        "NaN",
        "Infinity",
        "inf",
        "0x10",
        "+-1",
        "1e",
        "1 2",
        "--1",
        "12a",
        "1E999",
        "\u0661",
    ],
)
def test_anything_else_is_bad(text: str, kind: str) -> None:
    assert parse([text, "1"], kind) == ([None, 1], [True, False])


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("2147483648", "int"),
        ("-2147483649", "int"),
        ("3E9", "int"),
        ("9223372036854775808", "bigint"),
        ("-9223372036854775809", "bigint"),
        ("9.3E18", "bigint"),
        ("9" * 60, "bigint"),
    ],
)
def test_out_of_range_is_bad(text: str, kind: str) -> None:
    assert parse([text], kind) == ([None], [True])


@pytest.mark.parametrize("kind", ["int", "bigint", "float", "double"])
def test_null_is_not_bad(kind: str) -> None:
    assert parse([None], kind) == ([None], [False])
    assert parse([], kind) == ([], [])


def slowly(text: str, kind: str) -> int | float | None:
    """The rule, one value at a time."""
    text = text.strip(" \t\n\r\f\v")
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text, re.ASCII):
        return None
    if kind == "double":
        return float(text) if math.isfinite(float(text)) else None
    whole = re.fullmatch(r"([+-]?\d+)(\.\d*)?", text)
    if whole:
        number = int(whole[1])
    elif math.isfinite(float(text)):
        number = math.trunc(float(text))
    else:
        return None
    return number if -BOUNDS[kind] <= number < BOUNDS[kind] else None


NUMBERISH = st.one_of(
    st.text("0123456789+-.eE x", max_size=12),
    st.integers(-(2**65), 2**65).map(str),
    st.floats().map(str),
)


@given(st.lists(NUMBERISH, max_size=8), st.sampled_from(["int", "bigint", "double"]))
def test_a_column_is_parsed_like_its_values(texts: list[str], kind: str) -> None:
    expected = [slowly(text, kind) for text in texts]
    assert parse(list(texts), kind) == (expected, [number is None for number in expected])
