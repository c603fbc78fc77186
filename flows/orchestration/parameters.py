"""Parameter types of the Prefect flows, validated before anything runs."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, GetJsonSchemaHandler, WithJsonSchema
from pydantic_core import CoreSchema

from spot_oa.dates import DATE_PATTERN, parse_date
from spot_oa.pipelines import load_pipelines
from spot_oa.settings import load_settings

RunDate = Annotated[
    dt.date,
    BeforeValidator(parse_date),
    # The server checks the schema but not `format`, and the CLI reads 20160708 as a number.
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": DATE_PATTERN},
                {"type": "integer", "minimum": 19000101, "maximum": 99991231},
            ],
            "description": "The day (UTC): 2016-07-08 or 20160708.",
        }
    ),
]

Limit = Annotated[int, Field(ge=0, description="Maximum number of results.")]

ForceEnrich = Annotated[
    bool, Field(description="Query enrichment services again, ignoring cached answers.")
]

Scorer = Annotated[
    Literal["file", "builtin"],
    Field(description="`builtin` scores the day first, `file` reads the existing results."),
]


def _pipelines() -> list[str]:
    return list(load_pipelines(load_settings().pipelines_dir))


def _known(name: str) -> str:
    if name not in _pipelines():
        raise ValueError(f"pipeline {name!r} is unknown: use one of {', '.join(_pipelines())}")
    return name


class _OneOfThePipelines:
    """Lists the described pipelines in the JSON schema of a deployment."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "enum": _pipelines()}


PipelineName = Annotated[str, AfterValidator(_known), _OneOfThePipelines()]
"""A described pipeline, including those of SPOT_OA_PIPELINES_DIR."""
