"""Tell whether a day would be published as it was: a hash over all that a run reads."""

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
"""The project's Python, as far as it is installed."""
CODE = Path(__file__).resolve().parent.parent
LIBRARIES = ("dbt-core", "duckdb", "geoip2", "maxminddb", "tldextract")
"""Others' code and data that change what a run gives."""
WITHOUT_EFFECT = {
    *("lock_timeout", "memory_limit", "threads", "retry_delays"),
    *("http_timeout", "http_attempts", "retry_after_max", "impala_timeout", "spark_timeout"),
    *("impala_password", "spark_password", "maxmind_license_key", "proxy"),
    # The triage is told apart by its own manifest.
    *("analyst_db", "analyst_journal", "triage_dir", "rules_dir", "author"),
    *("feedback_uri", "feedback_pipelines", "feedback_days", "feedback_rows"),
    *("ingest", "ingest_uri", "sources_dir", "reports"),
    *("notebooks_dir", "templates_dir"),
    # Their values or contents are hashed apart from them.
    *("limit", "pipelines_dir", "project_dir"),
}
"""Settings that do not change what a run gives."""
SOURCES = (".py", ".sql", ".yml", ".csv")
"""What of the project and the packages is read by a run."""


def fingerprint(
    settings: Settings, pipeline: Pipeline, part: Slice, limit: int, warehouse: Warehouse
) -> str:
    """Hash what a run of the slice would read.

    Files count by size and time of change; the dbt project and the Python packages by their
    content; settings all but `WITHOUT_EFFECT`.

    Returns:
        A hexadecimal digest; empty if it is not known whether the results file or the telemetry
        has changed.
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
    """What JSON cannot hold; a secret is hashed, so that it counts and cannot be read."""
    if isinstance(value, SecretStr):
        return hashlib.sha256(value.get_secret_value().encode()).hexdigest()
    return str(value)


def _sources(root: Path, parts: Iterable[str]) -> str:
    files = [file for file in _files(root / part for part in parts) if file.suffix in SOURCES]
    return _digest(root, tuple(_stats(files)))


@lru_cache(maxsize=8)
def _digest(root: Path, files: tuple[tuple[str, int, int], ...]) -> str:
    """Hash names and contents; a backfill asks for every day, and reads them once."""
    digest = hashlib.sha256()
    for name, *_ in files:
        content = hashlib.sha256(Path(name).read_bytes()).hexdigest()
        digest.update(f"{Path(name).relative_to(root)} {content}\n".encode())
    return digest.hexdigest()


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
