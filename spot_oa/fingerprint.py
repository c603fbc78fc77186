"""Detect whether a run would publish the same day again: a hash over all inputs of the run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from spot_oa.dates import Slice
from spot_oa.pipelines import Pipeline
from spot_oa.publish import MANIFEST
from spot_oa.results_files import file_state
from spot_oa.settings import Settings
from spot_oa.warehouse import Warehouse

PROJECT_PARTS = ("dbt_project.yml", "macros", "models", "profiles", "seeds", "tests/dbt")
PACKAGES = ("analyst", "flows", "python_enrichers", "spot_oa")
"""The project's Python packages, if installed."""
CODE = Path(__file__).resolve().parent.parent
LIBRARIES = ("dbt-core", "duckdb", "geoip2", "maxminddb", "tldextract")
"""Third-party code and data that change the result of a run."""
WITHOUT_EFFECT = {
    *("lock_timeout", "memory_limit", "threads", "retry_delays"),
    *("http_timeout", "http_attempts", "retry_after_max", "impala_timeout", "spark_timeout"),
    *("impala_password", "spark_password", "maxmind_license_key", "proxy"),
    # The triage has its own manifest.
    *("analyst_db", "analyst_journal", "triage_dir", "rules_dir", "author"),
    *("feedback_uri", "feedback_pipelines", "feedback_days", "feedback_rows"),
    *("ingest", "ingest_uri", "sources_dir", "reports"),
    *("notebooks_dir", "templates_dir"),
    # Their values or contents are hashed separately.
    *("limit", "pipelines_dir", "project_dir"),
}
"""Settings that do not change the result of a run."""
SOURCES = (".py", ".sql", ".yml", ".csv")
"""Suffixes of the project's and packages' files that a run reads."""


def fingerprint(
    settings: Settings, pipeline: Pipeline, part: Slice, limit: int, warehouse: Warehouse
) -> str:
    """Hash all inputs of a run of the slice.

    Files are hashed by size and modification time, the dbt project and the Python packages by their
    content, and settings by value, except `WITHOUT_EFFECT`.

    Returns:
        A hexadecimal digest; empty if changes of the results file or telemetry cannot be detected.
    """
    results = file_state(pipeline.results_uri(settings.ml_uri, part))
    telemetry = warehouse.telemetry_state(pipeline, part.date) if results else None
    if telemetry is None:
        return ""
    read = {
        "limit": limit,
        "settings": settings.model_dump(exclude=WITHOUT_EFFECT),
        "pipeline": pipeline.model_dump(mode="json"),
        "results": results,
        "telemetry": telemetry,
        "context": list(
            _stats(
                file
                for file in _files([settings.context_dir, *settings.geo_db])
                if not file.is_relative_to(settings.rules_dir)
            )
        ),
        "project": _sources(settings.project_dir, PROJECT_PARTS),
        "packages": _sources(CODE, PACKAGES),
        "versions": {name: version(name) for name in LIBRARIES},
    }
    return hashlib.sha256(json.dumps(read, sort_keys=True, default=_plain).encode()).hexdigest()


def _plain(value: object) -> str:
    """Convert values that JSON cannot hold; hash secrets, so that they count but stay secret."""
    if isinstance(value, SecretStr):
        return hashlib.sha256(value.get_secret_value().encode()).hexdigest()
    return str(value)


def _sources(root: Path, parts: Iterable[str]) -> str:
    files = [file for file in _files(root / part for part in parts) if file.suffix in SOURCES]
    return _digest(root, tuple(_stats(files)))


@lru_cache(maxsize=8)
def _digest(root: Path, files: tuple[tuple[str, int, int], ...]) -> str:
    """Hash names and contents; the cache lets a backfill read them once for all days."""
    digest = hashlib.sha256()
    for name, *_ in files:
        content = hashlib.sha256(Path(name).read_bytes()).hexdigest()
        digest.update(f"{Path(name).relative_to(root)} {content}\n".encode())
    return digest.hexdigest()


def published_unchanged(folder: Path, digest: str) -> Mapping[str, Any] | None:
    """Return the manifest of a published day if its fingerprint is unchanged.

    Args:
        folder: The published day.
        digest: The current result of `fingerprint`.

    Returns:
        The manifest, or None if the day has to be run: it is missing, incomplete, or its inputs
        have changed.
    """
    try:
        manifest: Mapping[str, Any] = json.loads((folder / MANIFEST).read_text("utf-8"))
        complete = all((folder / table["file"]).is_file() for table in manifest["tables"].values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    same = digest and manifest.get("fingerprint") == digest
    return manifest if complete and same else None


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
