"""What a pipeline is: one YAML file per pipeline beside this module, read into `Pipeline`.

All that differs between flow, proxy and dns outside the SQL models is in those files; a file
of the same name in `SPOT_OA_PIPELINES_DIR` replaces the one here, so another scorer's columns or
a fourth pipeline need no code.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from spot_oa.dates import Slice
from spot_oa.descriptions import read_description
from spot_oa.errors import ConfigError, UsageError, printable

Type = Literal["string", "int", "bigint", "float", "double", "timestamp"]
"""Portable column types: what tables.yml, the descriptions and every engine speak."""

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
"""A name that is safe in a path and in SQL as it is."""

TAKEN = ("reports", "docs")
"""Folders beside those of the published pipelines: no pipeline is called so."""

IndicatorType = Literal["address", "name", "uri"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ResultField(_Model):
    """One column of the landed results.

    `index` is its place in the scorer's line, 0-based. A field without an index is one that the
    scorer does not write: the column is there and NULL. A line whose `required` field is missing
    or unusable is rejected.
    """

    type: Type
    index: int | None = Field(default=None, ge=0)
    required: bool = False


class Results(_Model):
    """The scorer's file: tab separated lines of `width` fields, most suspicious first."""

    file: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    width: int = Field(ge=1)
    score: Name
    fields: dict[Name, ResultField]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.score not in self.fields:
            raise ValueError(f"score field {self.score!r} is not among the fields")
        if not self.fields[self.score].required:
            raise ValueError(f"score field {self.score!r} must be required")
        for name, field in self.fields.items():
            if field.index is not None and field.index >= self.width:
                raise ValueError(f"field {name!r} has index {field.index}, width is {self.width}")
            if field.required and field.index is None:
                raise ValueError(f"required field {name!r} has no index")
            if field.type == "timestamp":
                raise ValueError(f"field {name!r}: results hold no timestamp type, take string")
        return self


class Telemetry(_Model):
    """The raw events of a day, partitioned by y, m, d, h.

    `digits` is the least number of digits of m, d and h in the paths of what ingest writes.
    Telemetry without a column of `needed` is refused: rows are matched or counted by it. One of
    `unused` is missed by nobody. A warning names what else is missing.
    """

    columns: dict[Name, Type]
    description: str = "One row per raw event."
    """Begins with the grain: `One row per ...`."""
    needed: tuple[Name, ...] = ()
    unused: tuple[Name, ...] = ()
    digits: int = Field(default=1, ge=1, le=2)

    @model_validator(mode="after")
    def _described(self) -> Self:
        for name in (*self.needed, *self.unused):
            if name not in self.columns:
                raise ValueError(f"{name!r} is needed or unused, but no telemetry column")
        if both := set(self.needed) & set(self.unused):
            raise ValueError(f"{min(both)!r} is needed and unused")
        return self


class Related(_Model):
    """Indicators of the raw events behind the results, which the results themselves lack.

    They are the values of the telemetry's `column` in the date's events that have the value of
    `shares` in common with a result; a column that is looked up as a name compares as names do.
    """

    column: Name
    kind: IndicatorType
    shares: Name


class Published(_Model):
    """How a mart is written: rows in the order of `order_by`, then of all columns."""

    order_by: tuple[Name, ...] = ()


Comparison = Literal["address", "port", "name", "suffix", "text"]
"""How an analyst's value is compared with a column: addresses by value, or inside a network
(`a/b`); names without case and a final dot, a suffix by whole labels; text byte by byte."""


class Match(_Model):
    """One way to name rows: all values of `by` that are given hold.

    A value is looked for in the column of its name, or in any of those that `within` lists.
    """

    by: dict[Name, Comparison] = Field(min_length=1)
    within: dict[Name, tuple[Name, ...]] = {}
    targets: tuple[Name, ...] = ()
    """What of the row is labelled; the first of the pipeline's targets if empty."""
    some: bool = False
    """Values may be left out, all but one."""
    typed: bool = False
    """The values are typed and not chosen: blanks around them mean nothing."""

    def columns(self, value: str) -> tuple[str, ...]:
        """The columns in which a value is looked for."""
        return self.within.get(value, (value,))


class Triage(_Model):
    """What analysts can say of the rows of `<pipeline>_scores`; columns have their names there."""

    key: tuple[Name, ...] = Field(min_length=1)
    """What makes a row the same after a rerun: neither score, nor rank, nor what was looked up."""
    landed: dict[Name, Name] = {}
    """Column -> the results field that it is, where that has another name."""
    targets: dict[Name, Name] = {"row": "severity"}
    """What of a row bears a severity -> its column of the triage table. The first one decides
    whether the row is open; the row's severity is that of the first one that has any."""
    fields: dict[Name, Comparison] = {}
    matches: dict[Name, Match] = {}
    """Kinds of selectors, beside `rows` and `fields`."""
    anchors: dict[Name, tuple[Name, ...]] = {}
    """What can be investigated where a row is scored High: kind -> its columns."""
    ruled: tuple[Name, ...] = ()
    """Columns that standing rules may speak of; they come with the results."""
    tables: dict[Name, Published] = {}
    """The tables that go to the day's triage folder."""

    @property
    def kinds(self) -> dict[str, Match]:
        """Every kind of selector that compares values."""
        fields = {"fields": Match(by=self.fields, some=True)} if self.fields else {}
        return {**fields, **self.matches}

    @property
    def compared(self) -> dict[str, Comparison]:
        """The columns that analysts' values are compared with, and how."""
        return {
            column: comparison
            for match in self.kinds.values()
            for column, comparison in match.by.items()
            if column not in match.within
        }

    @property
    def main_target(self) -> str:
        """The target that decides whether a row is open."""
        return next(iter(self.targets))

    def target_of(self, column: str) -> str:
        """The target that a choice of a column's values labels."""
        alone = (match for match in self.matches.values() if list(match.by) == [column])
        targets = next((match.targets for match in alone if match.targets), ())
        return targets[0] if targets else self.main_target


class Scoring(_Model):
    """What the built-in scorer knows of a pipeline: the columns of its model of results.

    Those of the results file bear the names of its fields there.
    """

    reasons: tuple[Name, ...] = Field(min_length=1)
    """Each has its number in a column of the name, and its bits in one with `b_` before it."""
    labelled: tuple[Name, ...] = ()
    """Columns of the scores that tell which group a labelled row belongs to."""
    facts: tuple[Name, ...] = ()
    """What the texts of the reasons tell of the events behind a row."""


class Pipeline(_Model):
    """One kind of telemetry: what its scorer writes, what is looked up, what is published."""

    name: Name
    title: str
    results: Results
    telemetry: Telemetry
    enrich: dict[Name, dict[Name, IndicatorType]] = {}
    """Enrichment step -> results column -> kind of indicator."""
    related: dict[Name, Related] = {}
    """Enrichment step -> further indicators, from the telemetry."""
    tables: dict[Name, Published]
    docs: dict[Name, Name] = {}
    """Column of results or telemetry -> dbt's doc block of it, where that has another name."""
    triage: Triage | None = None
    """What analysts can say of its rows; nothing if it is not described."""
    scoring: Scoring | None = None
    """How the built-in scorer's results are read; it does not score it if it is not described."""

    @field_validator("name")
    @classmethod
    def _no_folder_of_ours(cls, name: str) -> str:
        if name in TAKEN:
            raise ValueError(f"{name!r} is a folder beside the published pipelines: take another")
        return name

    @model_validator(mode="after")
    def _can_be_labelled(self) -> Self:
        if self.triage is None:
            return self
        for entry in ("key", "ruled"):
            for column in getattr(self.triage, entry):
                if self.triage.landed.get(column, column) not in self.results.fields:
                    raise ValueError(
                        f"triage.{entry}: {column!r} is no results field, nor is it in landed"
                    )
        for kind, match in self.triage.matches.items():
            if unknown := set(match.targets) - set(self.triage.targets):
                raise ValueError(f"triage.matches.{kind}: {min(unknown)!r} is no target")
        return self

    @model_validator(mode="after")
    def _columns_exist(self) -> Self:
        for column in self.docs:
            if column not in self.results.fields and column not in self.telemetry.columns:
                raise ValueError(f"docs: {column!r} is neither a results field nor telemetry")
        for step, columns in self.enrich.items():
            for column in columns:
                if column not in self.results.fields:
                    raise ValueError(f"enrich.{step}: {column!r} is no results field")
        for step, related in self.related.items():
            if step not in self.enrich:
                raise ValueError(f"related.{step}: there is no such step under enrich")
            if related.shares not in self.results.fields:
                raise ValueError(f"related.{step}: {related.shares!r} is no results field")
            for column in (related.column, related.shares):
                if column not in self.telemetry.columns:
                    raise ValueError(f"related.{step}: {column!r} is no telemetry column")
        return self

    def is_name(self, column: str) -> bool:
        """Whether the results column holds DNS names, which compare without case and final dot."""
        return any(columns.get(column) == "name" for columns in self.enrich.values())

    @property
    def results_table(self) -> str:
        """The landed results, in schema raw."""
        return f"{self.name}_results"

    def results_uri(self, ml_uri: str, part: Slice) -> str:
        """Where the scorer leaves the results of a day below `ml_uri`."""
        return f"{self.results_root(ml_uri)}/{part.compact}/scores/{self.results.file}"

    @property
    def reasons_table(self) -> str:
        """Why the built-in scorer has put each result where it is, in schema oa."""
        return f"{self.name}_reasons"

    def reasons_uri(self, ml_uri: str, part: Slice) -> str:
        """Where the built-in scorer leaves the reasons of a day's results."""
        return f"{self.results_root(ml_uri)}/{part.compact}/scores/{self.reasons_table}.jsonl"

    def results_root(self, ml_uri: str) -> str:
        """The folder in which the scorer makes a folder per day."""
        return f"{ml_uri.rstrip('/')}/{self.name}/scored_results"


def load_pipelines(extra: Path | None = None) -> dict[str, Pipeline]:
    """Read every pipeline description.

    Args:
        extra: A folder of further `<name>.yml`; one of the same name replaces a built-in.

    Returns:
        Pipelines by name, built-in ones first.

    Raises:
        ConfigError: A description cannot be read or is not consistent.
    """
    files = {path.stem: path for path in sorted(Path(__file__).parent.glob("*.yml"))}
    if extra is not None:
        if not extra.is_dir():
            raise ConfigError(f"SPOT_OA_PIPELINES_DIR={extra}: no such folder")
        files |= {path.stem: path for path in sorted(extra.glob("*.yml"))}
    return {name: read_description(path, "pipeline", Pipeline) for name, path in files.items()}


def get_pipeline(name: str, extra: Path | None = None) -> Pipeline:
    """Find a pipeline by name.

    Raises:
        UsageError: There is none of that name.
        ConfigError: A description is not usable.
    """
    pipelines = load_pipelines(extra)
    if name not in pipelines:
        known = ", ".join(pipelines)
        raise UsageError(f"pipeline {printable(name)!r} is unknown: take one of {known}")
    return pipelines[name]
