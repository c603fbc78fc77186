"""Parse columns of numbers as Java prints them."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from spot_oa.pipelines import Type
from spot_oa.warehouse.tables import ARROW_TYPES

_NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"
_PLAIN = r"^\s*(?:\+|(-))?(\d{1,38})(\.\d*)?\s*$"
_LARGEST = {"int": 2**31 - 1, "bigint": 2**63 - 1}
READ_AS: Mapping[Type, pa.DataType] = {
    "int": pa.int32(),
    "bigint": pa.int64(),
    # Not float32: round only once, and detect numbers too large for it.
    "float": pa.float64(),
    "double": pa.float64(),
}
"""Wanted type -> the type as which Arrow may read plain numbers before `parse_numbers`."""


def parse_numbers(column: pa.Array, kind: Type) -> tuple[pa.Array, pa.Array]:
    """Parse a column of numbers; integers drop the digits after the point.

    Args:
        column: Strings, or numbers that Arrow has read as `READ_AS` of the kind; NULL allowed.
        kind: int, bigint, float or double.

    Returns:
        The numbers, NULL where the column is NULL or bad, and a mask of the bad values: not a
        number, not finite, or out of the type's range.
    """
    parse = _parse_integers if kind in _LARGEST else _parse_floats
    numbers = parse(column, kind)
    return numbers, pc.and_(column.is_valid(), numbers.is_null())


def _parse_integers(text: pa.Array, kind: Type) -> pa.Array:
    if not pa.types.is_string(text.type):
        return text
    # Arrow would read 0x1f as a number, Java never writes one.
    if not any(pc.any(pc.match_substring(text, x)).as_py() for x in "xX"):
        try:
            return pc.cast(text, ARROW_TYPES[kind])
        except pa.ArrowInvalid:
            pass  # The column has a value that is not a plain integer of the type: go on below.
    plain = pc.match_substring_regex(text, _PLAIN)
    digits = pc.replace_substring_regex(pc.if_else(plain, text, None), _PLAIN, r"\1\2")
    exact = pc.cast(digits, pa.decimal128(38, 0))
    scientific = pc.trunc(_parse_floats(pc.if_else(plain, None, text), "double"))
    largest = _LARGEST[kind]
    exact = pc.if_else(
        pc.and_(pc.less_equal(exact, largest), pc.greater_equal(exact, -largest - 1)), exact, None
    )
    # A double can represent 2**63, but not 2**63 - 1: a strict bound makes the cast safe.
    scientific = pc.if_else(
        pc.and_(
            pc.less(scientific, float(largest + 1)),
            pc.greater_equal(scientific, float(-largest - 1)),
        ),
        scientific,
        None,
    )
    return pc.coalesce(
        pc.cast(exact, ARROW_TYPES[kind]), pc.cast(scientific, ARROW_TYPES[kind], safe=False)
    )


def _parse_floats(text: pa.Array, kind: Type) -> pa.Array:
    try:
        numbers = pc.cast(text, pa.float64())
    except pa.ArrowInvalid:
        number = pc.if_else(pc.match_substring_regex(text, _NUMBER), text, None)
        numbers = pc.cast(pc.utf8_ltrim(pc.utf8_trim_whitespace(number), "+"), pa.float64())
    return pc.cast(pc.if_else(pc.is_finite(numbers), numbers, None), ARROW_TYPES[kind])
