"""The published columns as described and as released, and the changelog's entries on them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import yaml

Columns = Mapping[str, str]
"""Column -> type, in order."""


def described(project: Path) -> dict[str, Columns]:
    """Return the contracts of the marts, and of the tables of triage and stories."""
    return {
        model["name"]: {column["name"]: column["data_type"] for column in model["columns"]}
        for folder in ("marts", "triage", "investigation")
        for file in sorted((project / "models" / folder).rglob("_*__models.yml"))
        for model in yaml.safe_load(file.read_text("utf-8"))["models"]
    }


def released(project: Path) -> dict[str, Columns]:
    """Return the columns of the last release."""
    text = (project / "docs" / "published-columns.yml").read_text("utf-8")
    tables: dict[str, Columns] = yaml.safe_load(text)["tables"]
    return tables


def unannounced(project: Path) -> list[str]:
    """Published columns that differ from the last release, and that the changelog does not name.

    What changed stands under "Unreleased", "Published tables", table and column in one entry.
    """
    changelog = (project / "CHANGELOG.md").read_text("utf-8")
    unreleased = re.split(r"^## ", changelog, flags=re.MULTILINE)[1]
    section = re.split(r"^### ", unreleased, flags=re.MULTILINE)
    published = next((part for part in section if part.startswith("Published tables")), "")
    entries = re.split(r"^- ", published, flags=re.MULTILINE)
    now, before = described(project), released(project)
    changed = [
        (table, column)
        for table in {**before, **now}
        for column in _changed(before.get(table, {}), now.get(table, {}))
    ]
    return sorted(
        f"{table}.{column}"
        for table, column in changed
        if not any(f"`{table}`" in entry and f"`{column}`" in entry for entry in entries)
    )


def _changed(before: Columns, now: Columns) -> list[str]:
    """Return columns that were added, removed, or changed in type or order."""
    differing = dict(set(before.items()) ^ set(now.items()))
    kept = [name for name in before if name in now]
    moved = [a for a, b in zip(kept, [n for n in now if n in before], strict=True) if a != b]
    return [*differing, *moved]
