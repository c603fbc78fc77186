"""Standing rules: severities for rows of any day, valid as long as they are in a rule file."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from analyst.actions import Severity, parse_severity, to_json
from analyst.published import triage_of
from analyst.selectors import Row, address_test
from spot_oa.descriptions import read_yaml
from spot_oa.errors import ConfigError, UsageError, printable
from spot_oa.pipelines import Pipeline
from spot_oa.settings import Settings

Number = int | float
Operation = Literal[
    "eq", "ne", "leq", "geq", "in", "cidr", "prefix", "suffix", "contains", "is_null"
]
_NUMERIC = {"eq", "ne", "leq", "geq", "in", "is_null"}
_TEXTUAL = {"eq", "ne", "in", "cidr", "prefix", "suffix", "contains", "is_null"}


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Condition(_Model):
    """One column compared with one value; all conditions of a rule must hold."""

    field: str
    op: Operation
    value: Number | str | list[Number | str] | None = None


class StandingRule(_Model):
    """A severity for the rows that meet every condition; NULL meets only `is_null`."""

    id: str = Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")
    version: Number | str = 1
    title: str = Field(default="", max_length=200)
    when: Annotated[list[Condition], Field(min_length=1)]
    severity: Annotated[Severity, BeforeValidator(parse_severity)]
    reason: str = Field(default="", max_length=2000)
    """A text in which `{field}` is replaced by the row's value of that column."""
    enabled: bool = False
    valid_from: dt.date | None = None
    valid_to: dt.date | None = None
    author: str = Field(default="", max_length=64)

    @model_validator(mode="after")
    def _can_match(self) -> Self:
        for condition in self.when:
            _test(condition)
        return self

    @property
    def rule_id(self) -> str:
        """The id of the rule in its hits and in the actions that apply it."""
        return self.id

    @property
    def canonical(self) -> str:
        """The rule as JSON, as stored in actions."""
        when = [each.model_dump(mode="json") for each in self.when]
        return to_json({"rule": self.id, "version": str(self.version), "when": when})

    def holds_on(self, day: dt.date) -> bool:
        """Whether the rule is enabled and valid on this day."""
        begun = self.valid_from is None or self.valid_from <= day
        return self.enabled and begun and (self.valid_to is None or day <= self.valid_to)

    def select(self, rows: Sequence[Row]) -> list[int]:
        """Return the positions of the matching rows."""
        tests = [(each.field, _test(each)) for each in self.when]
        return [
            place
            for place, row in enumerate(rows)
            if all(holds(row[field]) for field, holds in tests)
        ]

    def reason_for(self, row: Row) -> str:
        """Return the rule's reason, filled with the values of a row."""

        def value(match: re.Match[str]) -> str:
            found = row.get(match[1], match[0])
            return "" if found is None else str(found)

        # A single pass: braces in a row's values are not expanded.
        return re.sub(r"\{(\w+)\}", value, self.reason)


@dataclass(frozen=True, slots=True)
class Hit:
    """A row that a standing rule matches: its position among the rows, and the rule."""

    place: int
    rule: StandingRule


def load_rules(settings: Settings, pipeline: Pipeline) -> list[StandingRule]:
    """Read the rule file of a pipeline; return no rules if there is no file.

    Raises:
        ConfigError: The file cannot be read, or has an invalid rule.
    """
    file = settings.rules_dir / f"{pipeline.name}.yml"
    if not file.exists():
        return []
    rules = read_yaml(file, f"rule file {file}", list[StandingRule], empty=[])
    kinds = columns(pipeline)
    known: set[str] = set()
    for rule in rules:
        if rule.id in known:
            raise ConfigError(f"rule file {file}: duplicate rule id {rule.id}")
        known.add(rule.id)
        for condition in rule.when:
            kind = kinds.get(condition.field)
            if kind is None:
                raise ConfigError(
                    f"rule file {file}: rule {rule.id}: rules cannot use the column "
                    f"{printable(condition.field)!r}: use one of {', '.join(kinds)}"
                )
            if condition.op not in (_TEXTUAL if kind == "string" else _NUMERIC):
                raise ConfigError(
                    f"rule file {file}: rule {rule.id}: {condition.op} cannot be used with "
                    f"{condition.field}, which is {kind}"
                )
            given = condition.value
            values = given if isinstance(given, list) else [] if given is None else [given]
            if any(isinstance(value, str) != (kind == "string") for value in values):
                raise ConfigError(
                    f"rule file {file}: rule {rule.id}: {condition.field} is {kind}, "
                    f"{printable(condition.value)!r} is not"
                )
    return rules


def rules_on(settings: Settings, pipeline: Pipeline, day: dt.date) -> list[StandingRule]:
    """Return the rules of a pipeline that are in effect on a day; raise as `load_rules` does."""
    return [rule for rule in load_rules(settings, pipeline) if rule.holds_on(day)]


def columns(pipeline: Pipeline) -> Mapping[str, str]:
    """Return the columns of the scores that rules may use, and their types."""
    triage = triage_of(pipeline)
    return {
        name: pipeline.results.fields[triage.landed.get(name, name)].type for name in triage.ruled
    }


def hits(rules: Sequence[StandingRule], day: dt.date, rows: Sequence[Row]) -> list[Hit]:
    """Return every row that a rule in effect on the day matches, rule by rule."""
    return [Hit(place, rule) for rule in rules if rule.holds_on(day) for place in rule.select(rows)]


def by_row(found: Iterable[Hit]) -> Mapping[int, Sequence[StandingRule]]:
    """Return the rules that match a row, by position: the most severe first, then lowest id.

    The first one decides.
    """
    rules: dict[int, list[StandingRule]] = {}
    for hit in sorted(found, key=lambda hit: (hit.rule.severity, hit.rule.id)):
        rules.setdefault(hit.place, []).append(hit.rule)
    return rules


def _test(condition: Condition) -> Callable[[object], bool]:
    """Return a test of whether a value meets a condition.

    Raises:
        UsageError: The condition's value is missing or invalid.
    """
    op, wanted = condition.op, condition.value
    if op == "is_null":
        if wanted is not None:
            raise UsageError("is_null does not take a value")
        return lambda value: value is None
    if wanted is None or isinstance(wanted, list) != (op == "in"):
        raise UsageError(f"{op} takes {'a list' if op == 'in' else 'one value'}")
    if op == "cidr":
        inside = address_test(str(wanted))
        if inside is None:
            raise UsageError(f"{printable(wanted)!r} is not an address or network")
        return inside
    return lambda value: value is not None and _COMPARED[op](value, wanted)


_COMPARED: Mapping[str, Callable[[object, object], bool]] = {
    "eq": lambda value, wanted: value == wanted,
    "ne": lambda value, wanted: value != wanted,
    "leq": lambda value, wanted: _number(value) <= _number(wanted),
    "geq": lambda value, wanted: _number(value) >= _number(wanted),
    "in": lambda value, wanted: isinstance(wanted, list) and value in wanted,
    "prefix": lambda value, wanted: str(value).startswith(str(wanted)),
    "suffix": lambda value, wanted: str(value).endswith(str(wanted)),
    "contains": lambda value, wanted: str(wanted) in str(value),
}


def _number(value: object) -> Number:
    if not isinstance(value, int | float):
        raise TypeError(f"{value!r} is not a number")
    return value
