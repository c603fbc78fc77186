"""Logs that become telemetry."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from spot_oa.settings.sources import Stage, WordList


class IngestInput(BaseModel):
    """Logs that the deployment takes: `SPOT_OA_INGEST__<NAME>__<OPTION>`.

    `paths` are files, folders and patterns as a shell has them; `open` says whether files may still
    grow, `drop_query` that queries of URIs are left out.
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
    """Logs that `ingest/hourly` takes: `SPOT_OA_INGEST__<NAME>__SOURCE` and `__PATHS` of each, and
    `__SENSOR`, `__TIMEZONE`, `__LOG`, `__OPEN`, `__DROP_QUERY` if need be ([ingest](ingest.md))."""
    ingest_uri: str = ""
    """Where ingest brings telemetry, for an engine on a cluster: the folder above those of the
    tables `raw.<pipeline>`, any fsspec URL ([ingest](ingest.md)). Without it telemetry stays in
    `SPOT_OA_RAW_URI`."""
    sources_dir: Path | None = None
    """A folder of descriptions of log sources that replace or join the built-in ones of the same
    name."""
