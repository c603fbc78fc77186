"""Convert the texts of fields to their types."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spot_oa.errors import IngestError
from spot_oa.ingest.readers.block import Context, Parsed, Part
from spot_oa.numbers import READ_AS, parse_numbers
from spot_oa.pipelines import Type
from spot_oa.sources import LogField
from spot_oa.warehouse.mapper import FIELD_TYPES, Plan

_LOCAL_TIME = r"^\d{4}[-/]\d\d[-/]\d\d[ T]\d\d:\d\d:\d\d(\.\d*)?$"


def add_part(
    plan: Plan,
    texts: Mapping[str, pa.Array],
    line_no: np.ndarray,
    parsed: Parsed,
    *,
    log: str,
    context: Context,
) -> None:
    """Convert the fields to their types, and add them to `parsed`."""
    columns: dict[str, pa.Array] = {"line_no": pa.array(line_no)}
    bad, gap = {}, None
    for name, place in plan.log.fields.items():
        column = texts[name]
        if place.type in ("int", "bigint", "double"):
            columns[name], wrong = number(column, place)
            if pc.any(wrong).as_py():
                bad[name] = wrong
        elif place.type in ("instant", "local"):
            if place.type == "local":
                column, twice, never = _local(column, context)
                parsed.ambiguous += twice
                if name == plan.log.when and pc.any(never).as_py():
                    gap = never
            columns[name] = context.mapper.instants(column)
        else:
            columns[name] = column
    schema = pa.schema(
        [("line_no", pa.int64())]
        + [(name, FIELD_TYPES[place.type]) for name, place in plan.log.fields.items()]
    )
    parsed.parts.append(Part(log, pa.table(columns, schema), bad, gap))


def number(column: pa.Array, place: LogField) -> tuple[pa.Array, pa.Array]:
    """Parse numbers as `spot_oa.numbers` does; values with blanks around them are bad, too."""
    kind: Type = place.type  # type: ignore[assignment]
    if not any(pc.any(pc.match_substring(column, x)).as_py() for x in "xX"):
        with suppress(pa.ArrowInvalid):
            return parse_numbers(pc.cast(column, READ_AS[kind]), kind)
    numbers, wrong = parse_numbers(column, kind)
    spaced = pc.fill_null(pc.match_substring_regex(column, r"^\s|\s$"), False)  # noqa: FBT003
    return pc.if_else(spaced, None, numbers), pc.or_(wrong, spaced)


def _local(column: pa.Array, context: Context) -> tuple[pa.Array, int, pa.Array]:
    """Convert text times of the zone to UTC; leave other text as it is.

    Returns:
        The times, NULL if not a time of the zone; how many the zone has twice; and which are in an
        hour that the zone skips.
    """
    column = pc.utf8_trim_whitespace(column)
    found = pc.fill_null(pc.match_substring_regex(column, _LOCAL_TIME), False)  # noqa: FBT003
    if not pc.any(found).as_py():
        return column, 0, found
    if context.zone is None:
        first = column.filter(found)[0].as_py()
        raise IngestError(
            f"{context.name}: the time {first!r} has no zone; give the zone of the machine that "
            "wrote it, as in --timezone Europe/Berlin or --timezone UTC"
        )
    texts = pc.replace_substring(pc.if_else(found, column, None), "/", "-")
    # Cut fractions to microseconds, and remove a point without a fraction.
    texts = pc.replace_substring_regex(texts, r"(\.\d{6})\d+$|\.$", r"\1")
    times = _times(texts)
    local = [
        pc.assume_timezone(times, context.zone, ambiguous=which, nonexistent="earliest")
        for which in ("earliest", "latest")
    ]
    # A time that the zone skips is moved to the end of the gap.
    never = pc.fill_null(pc.not_equal(pc.local_timestamp(local[0]), times), False)  # noqa: FBT003
    first, last = (pc.cast(pc.cast(part, pa.timestamp("us", "UTC")), pa.string()) for part in local)
    twice = pc.sum(pc.not_equal(first, last)).as_py() or 0
    # An invalid time (30 February) becomes NULL, and must not be read as UTC instead.
    return pc.if_else(found, pc.if_else(never, None, first), column), twice, never


def _times(texts: pa.Array) -> pa.Array:
    try:
        return pc.cast(texts, pa.timestamp("us"))
    except pa.ArrowInvalid:
        return pa.array([_time(text) for text in texts.to_pylist()], pa.timestamp("us"))


def _time(text: str | None) -> Any:
    try:
        return pa.scalar(text, pa.string()).cast(pa.timestamp("us")).as_py()
    except pa.ArrowInvalid:
        return None
