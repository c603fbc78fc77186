"""Parameter types of the Prefect flows, refused with a reason before anything runs."""

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

Limit = Annotated[int, Field(ge=0, description="How many results to take.")]

ForceEnrich = Annotated[
    bool, Field(description="Ask enrichment services again, also for answers that are cached.")
]

Scorer = Annotated[
    Literal["file", "builtin"],
    Field(description="`builtin` has the day scored first, `file` takes the results there are."),
]


def _pipelines() -> list[str]:
    return list(load_pipelines(load_settings().pipelines_dir))


def _known(name: str) -> str:
    if name not in _pipelines():
        raise ValueError(f"pipeline {name!r} is unknown: take one of {', '.join(_pipelines())}")
    return name


class _OneOfThePipelines:
    """Lists the described pipelines in the JSON schema that a deployment is made with."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "enum": _pipelines()}


PipelineName = Annotated[str, AfterValidator(_known), _OneOfThePipelines()]
"""A described pipeline, those of SPOT_OA_PIPELINES_DIR included."""
