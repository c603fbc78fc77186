"""What Impala would not take: complaints about a SQL text, without a server.

The grammar is sqlfluff's for Impala, with Impala's own reserved words; the rest are checks on its
parse tree. (The stand-in of `tests.support.impala` refuses much the same, but only what it is sent;
this names all that is wrong with a text, and looks at style that costs time on Impala.)
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import pairwise

from sqlfluff.core import FluffConfig, Linter
from sqlfluff.core.dialects import load_raw_dialect
from sqlfluff.core.parser import BaseSegment

from tests.support.impala.language import WORDS

TYPES = {
    *("bigint", "boolean", "double", "float", "int", "smallint", "string", "timestamp", "tinyint"),
}
"""The types that the project casts to; every engine has them under these names."""

NOT_RESERVED = {"time"}
"""In sqlfluff's list, but not a keyword in Impala; the project uses it as a name."""


@cache
def _linter() -> Linter:
    dialect = load_raw_dialect("impala").copy_as("impala")
    dialect.sets("reserved_keywords").difference_update(word.upper() for word in NOT_RESERVED)
    dialect.sets("unreserved_keywords").update(word.upper() for word in NOT_RESERVED)
    dialect.sets("reserved_keywords").update(word.upper() for word in WORDS["reserved"])
    config = FluffConfig(overrides={"dialect": "impala"})
    config.get_section("core")["dialect_obj"] = dialect.expand() or dialect
    return Linter(config)


def reserved() -> set[str]:
    """Return words that must be quoted to be names."""
    words = _linter().config.get("dialect_obj").sets("reserved_keywords")
    return {word.lower() for word in words}


@cache
def complaints(sql: str) -> tuple[str, ...]:
    """Return reasons why Impala, through dbt-impala, would reject or misread the statement."""
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
    arities = WORDS["functions"].get(name)
    if arities is None:
        yield f"{name}() is none of the functions in use: see tests/support/impala/words.yml"
    elif not any(low <= count and (high is None or count <= high) for low, high in arities):
        yield f"{name}() does not take {count} arguments"


def _of_neighbours(parts: list[BaseSegment]) -> Iterator[str]:
    for one, two in pairwise(parts):
        tuples = one.is_type("bracketed") and any(p.is_type("comma") for p in one.segments)
        if tuples and two.raw.lower() in {"in", "not"}:
            yield f"{one.raw} in (..): Impala compares one column"


def _operators(part: BaseSegment) -> set[str]:
    return {p.raw.lower() for p in part.recursive_crawl("binary_operator")}
