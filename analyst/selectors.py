"""Finds the rows that a selector matches: given values compared with columns of the day."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from analyst.actions import to_json
from python_enrichers.addresses import is_v4, pack, parse_span
from spot_oa.errors import UsageError, printable
from spot_oa.pipelines import Comparison, Match, Triage

Row = Mapping[str, object]
"""A row of `<pipeline>_scores` by column."""

Selector = Mapping[str, str | int | None]
"""The requested values, by the names of `Match.by`; None matches NULL."""

Chosen = tuple[str, dict[str, str | int | None]]
"""A kind of selector with its values: one action."""

_PORTS = range(65536)


def row_key(triage: Triage, row: Row) -> str:
    """Return the key to which labels are attached: a hash of the landed key columns."""
    return key_of([row[name] for name in triage.key])


def key_of(values: Sequence[object]) -> str:
    """Return the row key for the values of the key columns."""
    return hashlib.md5(to_json(values).encode(), usedforsecurity=False).hexdigest()


def select(match: Match, selector: Selector, rows: Sequence[Row]) -> list[int]:
    """Return the positions of the rows that a selector matches.

    Args:
        match: The kind of selector.
        selector: The values of the selector.
        rows: The published rows of the day.

    Raises:
        UsageError: A value is missing, unknown or of the wrong kind.
    """
    if unknown := set(selector) - set(match.by):
        raise UsageError(
            f"selector {printable(min(unknown))!r} is unknown: use one of {', '.join(match.by)}"
        )
    missing = [name for name in match.by if name not in selector]
    if not selector or (missing and not match.some):
        wanted = " and ".join(missing or match.by)
        raise UsageError(f"nothing selected: {wanted} is missing")
    found = set(range(len(rows)))
    for name, value in selector.items():
        asked = value.strip() if match.typed and isinstance(value, str) else value
        columns = match.columns(name)
        holds = comparison(match.by[name], asked)
        hit = {
            place for place, row in enumerate(rows) if any(holds(row[column]) for column in columns)
        }
        if not hit:
            _check(match.by[name], name, asked)
        found &= hit
    return sorted(found)


def chosen(
    triage: Triage, given: Mapping[str, str | int | None], *, each: bool = False
) -> list[Chosen]:
    """Return the kinds of selectors for these values.

    Args:
        triage: The triage description of the pipeline.
        given: The typed or chosen values, by the names of `Match.by`.
        each: One action per value.

    Raises:
        UsageError: Nothing is selected, or the values cannot be combined.
    """
    # Typed values take precedence over values chosen from lists.
    for kind, match in triage.kinds.items():
        if match.typed and set(match.by) <= set(given):
            return [(kind, {value: given[value] for value in match.by})]
    if each:
        return [_kind_of(triage, {value: text}) for value, text in given.items()]
    return [_kind_of(triage, dict(given))]


def _kind_of(triage: Triage, given: dict[str, str | int | None]) -> Chosen:
    for kind, match in triage.kinds.items():
        if given and (set(given) == set(match.by) or (match.some and set(given) <= set(match.by))):
            return kind, given
    if not given:
        raise UsageError("nothing selected: select rows by their values or with --ranks")
    raise UsageError(f"{' and '.join(given)} alone cannot select rows of this pipeline")


def comparison(kind: Comparison, asked: str | int | None) -> Callable[[object], bool]:
    """Return a test of whether a column's value matches."""
    if asked is None:
        return lambda value: value is None
    if kind == "port":
        port = _port(asked)
        return lambda value: port is not None and value == port
    text = str(asked)
    if kind == "address":
        return address_test(text) or (lambda value: value == text)
    if kind == "name":
        folded = fold(text)
        return lambda value: value is not None and fold(str(value)) == folded
    if kind == "suffix":
        folded = fold(text).removeprefix(".")
        return lambda value: bool(folded) and value is not None and _ends_in(str(value), folded)
    return lambda value: value == text


def address_test(text: str) -> Callable[[object], bool] | None:
    """Return a test for the address or the network `a/b`; None if the text is neither."""
    try:
        # Ranges `a-b` are allowed in the configuration only, not in selectors.
        first, last = parse_span("" if "-" in text else text)
    except ValueError:
        return None
    v4 = is_v4(first)

    def holds(value: object) -> bool:
        packed = _packed(value) if isinstance(value, str) else None
        # An IPv6 network around ::ffff:0:0/96 does not contain IPv4 addresses.
        return packed is not None and is_v4(packed) == v4 and first <= packed <= last

    return holds


@lru_cache(maxsize=65536)
def _packed(text: str) -> bytes | None:
    return pack(text)


def by_number(text: str) -> tuple[int, bytes, str]:
    """Return the sort key of an address: IPv4 by number, then IPv6, then any other text."""
    packed = _packed(text)
    if packed is None:
        return 2, b"", text
    return (0 if is_v4(packed) else 1), packed, text


def fold(name: str) -> str:
    """Return a DNS name in its compared form: lower case, without a final dot."""
    return name.lower() if name == "." else name.lower().removesuffix(".")


def _ends_in(name: str, suffix: str) -> bool:
    folded = fold(name)
    return folded == suffix or folded.endswith(f".{suffix}")


def _port(asked: str | int) -> int | None:
    text = str(asked).strip()
    number = int(text) if text.isascii() and text.isdigit() else -1
    return number if number in _PORTS else None


def _check(kind: Comparison, name: str, asked: str | int | None) -> None:
    """Check that a value without a match is of its kind.

    Raises:
        UsageError: The value is not of its kind, so it cannot match any row.
    """
    if asked is None:
        return
    text = str(asked)
    if not text:
        raise UsageError(f"nothing selected: {name} is empty")
    if kind == "port" and _port(asked) is None:
        raise UsageError(f"{name} {printable(text)!r} is not a port: use a number from 0 to 65535")
    if kind == "address" and address_test(text) is None:
        raise UsageError(
            f"{name} {printable(text)!r} is not an address: use an address, or a network as a/b"
        )
    if kind in ("name", "suffix") and not fold(text).strip("."):
        raise UsageError(f"nothing selected: {name} {printable(text)!r} is not a name")
