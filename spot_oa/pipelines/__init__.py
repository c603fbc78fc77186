"""Pipelines: one YAML file per pipeline next to this module, read into `Pipeline`.

These files contain all differences between flow, proxy and dns outside the SQL models; a file of
the same name in `SPOT_OA_PIPELINES_DIR` replaces the built-in one, so another scorer's columns or a
fourth pipeline need no code.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from spot_oa.dates import Slice
from spot_oa.descriptions import read_description
from spot_oa.errors import ConfigError, UsageError, printable

Type = Literal["string", "int", "bigint", "float", "double", "timestamp"]
"""Portable column types, which the descriptions and every engine use."""

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
"""A name that is safe in a path and in SQL without quoting."""

TAKEN = ("reports", "docs")
"""Folders next to those of the published pipelines; a pipeline must not have these names."""

IndicatorType = Literal["address", "name", "uri"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ResultField(_Model):
    """One column of the landed results.

    `index` is its position in the scorer's line, 0-based. A field without an index is not written
    by the scorer: the column exists and is NULL. A line whose `required` field is missing or
    unusable is rejected.
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
                raise ValueError(f"field {name!r}: results do not support timestamp; use string")
        return self


class Telemetry(_Model):
    """The raw events of a day, partitioned by y, m, d, h.

    `digits` is the minimum number of digits of m, d and h in the paths that ingest writes.
    Telemetry without a column of `needed` is refused, because rows are matched or counted by it.
    Columns of `unused` can be missing; a warning names any other missing column.
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
                raise ValueError(f"{name!r} is needed or unused, but not a telemetry column")
        if both := set(self.needed) & set(self.unused):
            raise ValueError(f"{min(both)!r} is needed and unused")
        return self


class Related(_Model):
    """Indicators of raw events behind the results that are not in the results themselves.

    They are the values of the telemetry's `column` in the date's events that have the same value of
    `shares` as a result; columns looked up as names compare like names.
    """

    column: Name
    kind: IndicatorType
    shares: Name


class Published(_Model):
    """A published mart: its rows are sorted by `order_by`, then by all columns."""

    order_by: tuple[Name, ...] = ()


Comparison = Literal["address", "port", "name", "suffix", "text"]
"""How an analyst's value is compared with a column: addresses by value or by network (`a/b`); names
without case and final dot, suffixes by complete labels; text byte by byte."""


class Match(_Model):
    """One kind of selector: it selects rows that match all given values of `by`.

    A value is compared with the column of its name, or with any column that `within` lists.
    """

    by: dict[Name, Comparison] = Field(min_length=1)
    within: dict[Name, tuple[Name, ...]] = {}
    targets: tuple[Name, ...] = ()
    """The labelled parts of the row; the first of the pipeline's targets if empty."""
    some: bool = False
    """Whether values can be omitted, except one."""
    typed: bool = False
    """Whether values are typed rather than chosen, so that blanks around them are ignored."""

    def columns(self, value: str) -> tuple[str, ...]:
        """Return the columns with which a value is compared."""
        return self.within.get(value, (value,))


class Stories(_Model):
    """Tables made from a day's telemetry only if the day has a story."""

    peers: Name | None = None
    """The model whose column `peer` has addresses to look up in local files, if any."""
    tables: dict[Name, Published] = Field(min_length=1)
    """Tables for the day's triage folder; `<pipeline>_storyboard` needs no telemetry."""


class Triage(_Model):
    """How analysts can label rows of `<pipeline>_scores`; columns are named as in that table."""

    key: tuple[Name, ...] = Field(min_length=1)
    """Columns that identify a row after a rerun: not score, rank or looked up values."""
    landed: dict[Name, Name] = {}
    """Column -> its results field, if that has another name."""
    targets: dict[Name, Name] = {"row": "severity"}
    """Part of a row with a severity -> its column of the triage table. The first target decides
    whether the row is open; the row's severity is that of the first target that has one."""
    fields: dict[Name, Comparison] = {}
    matches: dict[Name, Match] = {}
    """Kinds of selectors, besides `rows` and `fields`."""
    anchors: dict[Name, tuple[Name, ...]] = {}
    """Kind of anchor -> its columns; anchors of rows scored High can be investigated."""
    ruled: tuple[Name, ...] = ()
    """Results columns that standing rules can use."""
    tables: dict[Name, Published] = {}
    """Tables for the day's triage folder."""
    stories: Stories | None = None
    """More tables on days with a story, if any."""

    @property
    def all_tables(self) -> dict[str, Published]:
        """Return the tables of every day and those of days with a story."""
        return {**self.tables, **(self.stories.tables if self.stories else {})}

    @property
    def kinds(self) -> dict[str, Match]:
        """Return every kind of selector that compares values."""
        fields = {"fields": Match(by=self.fields, some=True)} if self.fields else {}
        return {**fields, **self.matches}

    @property
    def compared(self) -> dict[str, Comparison]:
        """Return the columns that are compared with analysts' values, and how."""
        return {
            column: comparison
            for match in self.kinds.values()
            for column, comparison in match.by.items()
            if column not in match.within
        }

    @property
    def main_target(self) -> str:
        """Return the target that decides whether a row is open."""
        return next(iter(self.targets))

    def target_of(self, column: str) -> str:
        """Return the target that is labelled when values of a column are chosen."""
        alone = (match for match in self.matches.values() if list(match.by) == [column])
        targets = next((match.targets for match in alone if match.targets), ())
        return targets[0] if targets else self.main_target


class Scoring(_Model):
    """The built-in scorer's description of a pipeline: the columns of its model of results.

    Columns of the results file have the names of the file's fields.
    """

    reasons: tuple[Name, ...] = Field(min_length=1)
    """Reasons; each has its number in a column of its name, and its bits in `b_<name>`."""
    labelled: tuple[Name, ...] = ()
    """Columns of the scores that determine the group of a labelled row."""
    facts: tuple[Name, ...] = ()
    """Columns with facts of the events for the texts of the reasons."""


class Pipeline(_Model):
    """One kind of telemetry: its results, enrichment and published tables."""

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
    """Column of results or telemetry -> its dbt doc block, if that has another name."""
    triage: Triage | None = None
    """How analysts can label its rows; without it they cannot."""
    scoring: Scoring | None = None
    """The built-in scorer's description; without it the scorer does not support the pipeline."""

    @field_validator("name")
    @classmethod
    def _no_folder_of_ours(cls, name: str) -> str:
        if name in TAKEN:
            raise ValueError(f"{name!r} is a folder next to the published pipelines: use another")
        return name

    @model_validator(mode="after")
    def _can_be_labelled(self) -> Self:
        if self.triage is None:
            return self
        for entry in ("key", "ruled"):
            for column in getattr(self.triage, entry):
                if self.triage.landed.get(column, column) not in self.results.fields:
                    raise ValueError(
                        f"triage.{entry}: {column!r} is not a results field, nor is it in landed"
                    )
        for kind, match in self.triage.matches.items():
            if unknown := set(match.targets) - set(self.triage.targets):
                raise ValueError(f"triage.matches.{kind}: {min(unknown)!r} is not a target")
        return self

    @model_validator(mode="after")
    def _columns_exist(self) -> Self:
        for column in self.docs:
            if column not in self.results.fields and column not in self.telemetry.columns:
                raise ValueError(f"docs: {column!r} is neither a results field nor telemetry")
        for step, columns in self.enrich.items():
            for column in columns:
                if column not in self.results.fields:
                    raise ValueError(f"enrich.{step}: {column!r} is not a results field")
        for step, related in self.related.items():
            if step not in self.enrich:
                raise ValueError(f"related.{step}: enrich has no such step")
            if related.shares not in self.results.fields:
                raise ValueError(f"related.{step}: {related.shares!r} is not a results field")
            for column in (related.column, related.shares):
                if column not in self.telemetry.columns:
                    raise ValueError(f"related.{step}: {column!r} is not a telemetry column")
        return self

    def is_name(self, column: str) -> bool:
        """Return whether a results column has DNS names, compared without case and final dot."""
        return any(columns.get(column) == "name" for columns in self.enrich.values())

    @property
    def results_table(self) -> str:
        """Return the table of the landed results, in schema raw."""
        return f"{self.name}_results"

    def results_uri(self, ml_uri: str, part: Slice) -> str:
        """Return the URI of the scorer's results of a day below `ml_uri`."""
        return f"{self.results_root(ml_uri)}/{part.compact}/scores/{self.results.file}"

    @property
    def reasons_table(self) -> str:
        """Return the table of the built-in scorer's reasons, in schema oa."""
        return f"{self.name}_reasons"

    def reasons_uri(self, ml_uri: str, part: Slice) -> str:
        """Return the URI of the built-in scorer's reasons of a day."""
        return f"{self.results_root(ml_uri)}/{part.compact}/scores/{self.reasons_table}.jsonl"

    def results_root(self, ml_uri: str) -> str:
        """Return the parent of the scorer's folders of days."""
        return f"{ml_uri.rstrip('/')}/{self.name}/scored_results"


def load_pipelines(extra: Path | None = None) -> dict[str, Pipeline]:
    """Read every pipeline description.

    Args:
        extra: A folder of further `<name>.yml`; one of the same name replaces a built-in one.

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
        UsageError: There is no pipeline of that name.
        ConfigError: A description is not usable.
    """
    pipelines = load_pipelines(extra)
    if name not in pipelines:
        known = ", ".join(pipelines)
        raise UsageError(f"pipeline {printable(name)!r} is unknown: take one of {known}")
    return pipelines[name]
