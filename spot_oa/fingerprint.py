"""Whether a day would come out as it was published: a hash over all that a run reads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from spot_oa.dates import Slice
from spot_oa.pipelines import Pipeline
from spot_oa.publish import MANIFEST
from spot_oa.results_files import file_state
from spot_oa.settings import Settings
from spot_oa.warehouse import Warehouse

PROJECT_PARTS = ("dbt_project.yml", "macros", "models", "seeds")
SETTINGS = {
    "target",
    "raw_uri",
    "ml_uri",
    "context_dir",
    "geo_db",
    "data_dir",
    "warehouse",
    "services",
    "internal_domains",
    "dns_resolver",
    "dns_public",
    "schema_prefix",
    "telemetry_schema",
    "telemetry_tables",
    "impala_host",
    "impala_port",
}
"""Settings that change what a run gives; secrets count as being there, not by their value."""


def fingerprint(
    settings: Settings, pipeline: Pipeline, part: Slice, limit: int, warehouse: Warehouse
) -> str:
    """Hash what a run of the slice would read.

    Files count by size and time of change, the dbt project by its content.

    Returns:
        A hexadecimal digest; empty if it cannot be told whether the results file or the telemetry
        has changed.
    """
    project = settings.project_dir
    results = file_state(pipeline.results_uri(settings.ml_uri, part))
    telemetry = warehouse.telemetry_state(pipeline, part.date) if results else None
    if telemetry is None:
        return ""
    read = {
        "limit": limit,
        "settings": settings.model_dump(mode="json", include=SETTINGS),
        "pipeline": pipeline.model_dump(mode="json"),
        "results": results,
        "telemetry": telemetry,
        "context": list(_stats(_files([settings.context_dir, *settings.geo_db]))),
        "project": [
            hashlib.sha256(file.read_bytes()).hexdigest()
            for file in _files(project / name for name in PROJECT_PARTS)
        ],
        "versions": {name: version(name) for name in ("spot-oa", "dbt-core")},
    }
    return hashlib.sha256(json.dumps(read, sort_keys=True).encode()).hexdigest()


def published_unchanged(folder: Path, digest: str) -> Mapping[str, Any] | None:
    """The manifest of a published day, if its inputs were those of the fingerprint.

    Args:
        folder: The published day.
        digest: What `fingerprint` gives now.

    Returns:
        The manifest, or None if the day has to be run: it is not there, not whole, or its inputs
        have changed.
    """
    try:
        manifest: Mapping[str, Any] = json.loads((folder / MANIFEST).read_text("utf-8"))
        whole = all((folder / table["file"]).is_file() for table in manifest["tables"].values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    same = digest and manifest.get("fingerprint") == digest
    return manifest if whole and same else None


def _files(roots: Iterable[Path]) -> Iterator[Path]:
    for root in roots:
        if root.is_file():
            yield root
        else:
            yield from sorted(path for path in root.rglob("*") if path.is_file())


def _stats(files: Iterable[Path]) -> Iterator[tuple[str, int, int]]:
    for file in files:
        found = file.stat()
        yield str(file), found.st_size, found.st_mtime_ns
