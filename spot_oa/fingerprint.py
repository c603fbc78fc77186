"""Whether a day would come out as it was published: a hash over all that a run reads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import fsspec

from spot_oa.dates import Slice
from spot_oa.pipelines import Pipeline
from spot_oa.publish import MANIFEST
from spot_oa.settings import Settings
from spot_oa.warehouse import Warehouse

PROJECT_PARTS = ("dbt_project.yml", "macros", "models", "seeds")
NO_INPUT = {"lock_timeout", "retry_delays"}
"""Settings that do not change what a run gives."""


def fingerprint(
    settings: Settings, pipeline: Pipeline, part: Slice, limit: int, warehouse: Warehouse
) -> str:
    """Hash what a run of the slice would read.

    Files count by size and time of change, the dbt project by its content.

    Returns:
        A hexadecimal digest.
    """
    project = settings.project_dir
    read = {
        "limit": limit,
        "settings": settings.model_dump(mode="json", exclude=NO_INPUT),
        "pipeline": pipeline.model_dump(mode="json"),
        "results": _state(pipeline.results_uri(settings.ml_uri, part)),
        "telemetry": warehouse.telemetry_state(pipeline, part.date),
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
    return manifest if whole and manifest.get("fingerprint") == digest else None


def _state(uri: str) -> str | None:
    """What the file system says of a file; None if there is no answer, which landing explains."""
    try:
        system, path = fsspec.core.url_to_fs(uri)
        return str(system.ukey(path))
    except (OSError, RuntimeError, ValueError, ImportError):
        return None


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
