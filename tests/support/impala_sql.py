"""What Impala would not take: complaints about a SQL text, without a server.

The grammar is sqlfluff's for Impala, with Impala's own reserved words; the rest are checks on its
parse tree.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import pairwise

from sqlfluff.core import FluffConfig, Linter
from sqlfluff.core.dialects import load_raw_dialect
from sqlfluff.core.parser import BaseSegment

FUNCTIONS: dict[str, tuple[int, int | None]] = {
    "cast": (1, 1),
    "coalesce": (1, None),
    "concat": (1, None),
    "conv": (3, 3),
    "count": (1, 1),
    "floor": (1, 1),
    "from_timestamp": (2, 2),
    "lower": (1, 1),
    "lpad": (3, 3),
    "max": (1, 1),
    "min": (1, 1),
    "nullif": (2, 2),
    "regexp_extract": (3, 3),
    "row_number": (0, 0),
    "sum": (1, 1),
    "unix_micros_to_utc_timestamp": (1, 1),
}
"""The builtins that the project uses, with the fewest and the most arguments they take."""

TYPES = {"bigint", "boolean", "double", "float", "int", "string", "timestamp"}
"""The types that the project casts to: each is spelled alike on every engine but DuckDB."""

RESERVED_TOO = {
    "clustered", "enforced", "file_size_threshold_mb", "jdbc", "kill", "matched", "paimon",
    "pivot", "query", "unpivot",
}  # fmt: skip
"""Reserved by Impala 4.5 and not in sqlfluff's list."""

NOT_RESERVED = {"time"}
"""In sqlfluff's list, and used by the project as a name: Impala has no such keyword."""


@cache
def _linter() -> Linter:
    dialect = load_raw_dialect("impala").copy_as("impala")
    dialect.sets("reserved_keywords").difference_update(word.upper() for word in NOT_RESERVED)
    dialect.sets("unreserved_keywords").update(word.upper() for word in NOT_RESERVED)
    dialect.sets("reserved_keywords").update(word.upper() for word in RESERVED_TOO)
    config = FluffConfig(overrides={"dialect": "impala"})
    config.get_section("core")["dialect_obj"] = dialect.expand() or dialect
    return Linter(config)


def reserved() -> set[str]:
    """Words that cannot be names unless they are quoted."""
    words = _linter().config.get("dialect_obj").sets("reserved_keywords")
    return {word.lower() for word in words}


@cache
def complaints(sql: str) -> tuple[str, ...]:
    """Why Impala, reached through dbt-impala, would not take the statement as it is meant."""
    return tuple(_complaints(sql))


def _complaints(sql: str) -> Iterator[str]:
    if ";" in sql:
        yield "has a `;`: dbt-impala splits there, also in literals and comments"
    parsed = _linter().parse_string(sql.strip() + "\n")
    for error in parsed.violations:
        yield str(error.desc())
    if parsed.tree is None:
        return
    for part in parsed.tree.recursive_crawl_all():
        yield from _of(part)


def _of(part: BaseSegment) -> Iterator[str]:
    raw = part.raw
    if not part.segments and raw.startswith('"'):
        yield f"{raw} is a string on Impala: quote names with ` and strings with '"
    if not part.segments and raw.startswith("'") and "''" in raw[1:-1]:
        yield f"{raw}: Impala does not know '' in a literal"
    if part.is_type("casting_operator"):
        yield "casts with `::`"
    if part.is_type("binary_operator") and raw == "||":
        yield "`||` is a logical or"
    if part.is_type("data_type") and raw.lower() not in TYPES:
        yield f"type {raw} is none of {', '.join(sorted(TYPES))}"
    if part.is_type("join_on_condition") and "or" in _operators(part):
        yield "a join with `or` is a nested loop"
    if part.is_type("groupby_clause") and part.raw.lower().split()[-1] == "all":
        yield "group by all"
    if part.is_type("from_clause") and any(part.recursive_crawl("values_clause")):
        yield "a VALUES list is no table"
    if part.is_type("function"):
        yield from _of_function(part)
    yield from _of_neighbours([p for p in part.segments if p.is_code])


def _of_function(part: BaseSegment) -> Iterator[str]:
    name = part.segments[0].raw.lower()
    if any(p.is_type("keyword") and p.raw.lower() == "filter" for p in part.segments):
        yield f"{name}(..) filter (..): write `case when`"
    arguments = next(part.recursive_crawl("bracketed"))
    given = [p for p in arguments.segments if p.is_code][1:-1]
    count = sum(p.is_type("comma") for p in given) + bool(given)
    if name not in FUNCTIONS:
        yield f"{name}() is none of the functions in use: see tests/support/impala_sql.py"
    else:
        fewest, most = FUNCTIONS[name]
        if count < fewest or (most is not None and count > most):
            yield f"{name}() takes {fewest} to {most} arguments, not {count}"


def _of_neighbours(parts: list[BaseSegment]) -> Iterator[str]:
    for one, two in pairwise(parts):
        tuples = one.is_type("bracketed") and any(p.is_type("comma") for p in one.segments)
        if tuples and two.raw.lower() in {"in", "not"}:
            yield f"{one.raw} in (..): Impala compares one column"


def _operators(part: BaseSegment) -> set[str]:
    return {p.raw.lower() for p in part.recursive_crawl("binary_operator")}
