"""Parameter types of the Prefect flows, refused with a reason before anything runs."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

from spot_oa.dates import DATE_PATTERN, parse_date

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
    bool, Field(description="Ask enrichment services anew, whatever is cached of their answers.")
]
