"""A published column does not change behind the readers' backs."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from spot_oa.pipelines import load_pipelines
from tests.support.project import PROJECT
from tests.support.published_columns import described, unannounced

UNRELEASED = "## Unreleased\n\n### Published tables\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copytree(PROJECT / "models", tmp_path / "models")
    shutil.copytree(PROJECT / "docs", tmp_path / "docs")
    shutil.copy(PROJECT / "CHANGELOG.md", tmp_path)
    return tmp_path


def test_every_change_is_in_the_changelog() -> None:
    assert unannounced(PROJECT) == []


@pytest.mark.parametrize(
    ("old", "new", "columns"),
    [
        ("{name: sport, data_type: int,", "{name: sport, data_type: bigint,", ["sport"]),
        ("{name: sport, data_type: int,", "{name: port, data_type: int,", ["port", "sport"]),
    ],
)
def test_a_change_needs_an_entry(project: Path, old: str, new: str, columns: list[str]) -> None:
    file = project / "models" / "marts" / "flow" / "_flow__models.yml"
    file.write_text(file.read_text("utf-8").replace(old, new, 1), "utf-8")
    assert unannounced(project) == [f"flow_scores.{column}" for column in columns]

    changelog = project / "CHANGELOG.md"
    entry = f"- `flow_scores`: {', '.join(f'`{column}`' for column in columns)} changed.\n"
    text = changelog.read_text("utf-8").replace(UNRELEASED, UNRELEASED + entry)
    changelog.write_text(text, "utf-8")
    assert unannounced(project) == []


def test_the_readme_and_the_pages_name_every_table() -> None:
    readme = (PROJECT / "README.md").read_text("utf-8")
    listed = re.findall(r"^\| `(\w+)` \|", readme, flags=re.MULTILINE)
    marts = {name for p in load_pipelines().values() for name in p.tables}
    triage = {name for p in load_pipelines().values() if p.triage for name in p.triage.all_tables}
    assert set(described(PROJECT)) == marts | triage
    assert [name for name in listed if name in described(PROJECT)] == [
        name for p in ("flow", "proxy", "dns") for name in load_pipelines()[p].tables
    ]
    for name in load_pipelines():
        page = (PROJECT / "docs" / f"{name}.md").read_text("utf-8")
        models = [f.stem for f in (PROJECT / "models").glob(f"*/{name}/*.sql")]
        assert [model for model in models if f"`{model}`" not in page] == []
