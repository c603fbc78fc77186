"""Settings of ingest."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from spot_oa.settings.sources import Stage, WordList


class IngestInput(BaseModel):
    """Logs that the deployment ingests: `SPOT_OA_INGEST__<NAME>__<OPTION>`.

    `paths` are files, folders and shell patterns; with `open` files may still grow; `drop_query`
    drops the queries of URIs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    paths: WordList
    sensor: str = "main"
    timezone: str | None = None
    log: str | None = None
    open: bool | None = None
    drop_query: bool = False


class IngestSettings(Stage):
    """Ingest."""

    ingest: dict[str, IngestInput] = Field(default_factory=dict)
    """Logs that `ingest/hourly` ingests: `SPOT_OA_INGEST__<NAME>__SOURCE` and `__PATHS` of each,
    optionally `__SENSOR`, `__TIMEZONE`, `__LOG`, `__OPEN`, `__DROP_QUERY` ([ingest](ingest.md))."""
    ingest_uri: str = ""
    """Where ingest delivers telemetry for an engine on a cluster: the folder above those of the
    tables `raw.<pipeline>`, any fsspec URL ([ingest](ingest.md)). If empty, telemetry stays in
    `SPOT_OA_RAW_URI`."""
    sources_dir: Path | None = None
    """A folder of descriptions of log sources, in addition to the built-in ones; one of the same
    name replaces the built-in one."""
