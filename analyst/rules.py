"""Rules as notebooks write them: up to six conditions, all of which must hold."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from analyst.actions import Severity, parse_severity, to_json
from analyst.selectors import Row, address_test
from spot_oa.errors import UsageError, printable

PLACES = ("srcip", "dstip", "sport", "dport", "ipkt", "ibyt")
"""The columns that `rops` and `rvals` refer to, in order."""

_ADDRESSES = ("srcip", "dstip")
_OPERATIONS = ("eq", "leq")


@dataclass(frozen=True, slots=True)
class Rule:
    """A severity for the rows that meet all conditions."""

    terms: tuple[tuple[str, str, str], ...]
    """Column, operation and value."""
    severity: Severity

    @property
    def canonical(self) -> str:
        """The rule as JSON; equal rules give equal text."""
        return to_json({"severity": int(self.severity), "when": [list(t) for t in self.terms]})

    @property
    def rule_id(self) -> str:
        """The id of the rule in its actions."""
        digest = hashlib.sha256(self.canonical.encode()).hexdigest()[:8]
        return f"apply_rules:{digest}"

    def select(self, rows: Sequence[Row]) -> list[int]:
        """Return the positions of the matching rows; none if the rule has no condition."""
        if not self.terms:
            return []
        tests = [(column, _test(column, *term)) for column, *term in self.terms]
        return [
            place
            for place, row in enumerate(rows)
            if all(row[column] is not None and holds(row[column]) for column, holds in tests)
        ]


def parse_rule(rops: Sequence[str], rvals: Sequence[object], risk: object) -> Rule:
    """Parse a rule.

    Args:
        rops: One operation per column, `eq` or `leq`; addresses allow `eq` only.
        rvals: One value per column; the empty text if the column is not used.
        risk: The severity.

    Raises:
        UsageError: The rule is invalid.
    """
    if len(rops) != len(PLACES) or len(rvals) != len(PLACES):
        raise UsageError(
            f"a rule needs {len(PLACES)} operations and values ({', '.join(PLACES)}), "
            f"not {len(rops)} and {len(rvals)}"
        )
    terms = []
    for column, operation, value in zip(PLACES, rops, rvals, strict=True):
        text = str(value).strip()
        if not text:
            continue
        if operation not in _OPERATIONS:
            raise UsageError(f"{column}: invalid operation {printable(operation)!r}: use eq or leq")
        if column in _ADDRESSES and operation != "eq":
            raise UsageError(f"{column}: addresses have no order: use eq")
        _test(column, operation, text)
        terms.append((column, operation, text))
    return Rule(tuple(terms), parse_severity(risk))


def _test(column: str, operation: str, text: str) -> Callable[[object], bool]:
    if column in _ADDRESSES:
        holds = address_test(text)
        if holds is None:
            raise UsageError(f"{column}: {printable(text)!r} is not an address or network")
        return holds
    if not (text.isascii() and text.isdigit()):
        raise UsageError(f"{column}: {printable(text)!r} is not a whole number")
    number = int(text)
    if operation == "eq":
        return lambda value: value == number
    return lambda value: isinstance(value, int) and value <= number
