"""Rules as the notebooks write them: six places, all of which have to hold."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from analyst.actions import Severity, parse_severity, to_json
from analyst.selectors import Row, address_test
from spot_oa.errors import UsageError, printable

PLACES = ("srcip", "dstip", "sport", "dport", "ipkt", "ibyt")
"""What `rops` and `rvals` speak of, in order."""

_ADDRESSES = ("srcip", "dstip")
_OPERATIONS = ("eq", "leq")


@dataclass(frozen=True, slots=True)
class Rule:
    """A severity for the rows in which every place that is used holds."""

    terms: tuple[tuple[str, str, str], ...]
    """Column, operation and value."""
    severity: Severity

    @property
    def canonical(self) -> str:
        """One spelling for one rule."""
        return to_json({"severity": int(self.severity), "when": [list(t) for t in self.terms]})

    @property
    def rule_id(self) -> str:
        """What the actions of the rule are known by."""
        digest = hashlib.sha256(self.canonical.encode()).hexdigest()[:8]
        return f"apply_rules:{digest}"

    def select(self, rows: Sequence[Row]) -> list[int]:
        """The places of the rows that the rule means; none if no place is used."""
        if not self.terms:
            return []
        tests = [(column, _test(column, *term)) for column, *term in self.terms]
        return [
            place
            for place, row in enumerate(rows)
            if all(row[column] is not None and holds(row[column]) for column, holds in tests)
        ]


def parse_rule(rops: Sequence[str], rvals: Sequence[object], risk: object) -> Rule:
    """Read a rule.

    Args:
        rops: An operation per place, `eq` or `leq`; addresses take `eq` only.
        rvals: A value per place; the empty text if the place is not used.
        risk: The severity.

    Raises:
        UsageError: It is no rule.
    """
    if len(rops) != len(PLACES) or len(rvals) != len(PLACES):
        raise UsageError(
            f"a rule has {len(PLACES)} operations and values ({', '.join(PLACES)}), "
            f"not {len(rops)} and {len(rvals)}"
        )
    terms = []
    for column, operation, value in zip(PLACES, rops, rvals, strict=True):
        text = str(value).strip()
        if not text:
            continue
        if operation not in _OPERATIONS:
            raise UsageError(f"{column}: operation {printable(operation)!r}: take eq or leq")
        if column in _ADDRESSES and operation != "eq":
            raise UsageError(f"{column}: addresses have no order, take eq")
        _test(column, operation, text)
        terms.append((column, operation, text))
    return Rule(tuple(terms), parse_severity(risk))


def _test(column: str, operation: str, text: str) -> Callable[[object], bool]:
    if column in _ADDRESSES:
        holds = address_test(text)
        if holds is None:
            raise UsageError(f"{column}: {printable(text)!r} is no address and no network")
        return holds
    if not (text.isascii() and text.isdigit()):
        raise UsageError(f"{column}: {printable(text)!r} is no whole number")
    number = int(text)
    if operation == "eq":
        return lambda value: value == number
    return lambda value: isinstance(value, int) and value <= number
