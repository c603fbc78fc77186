"""CONTRIBUTING.md and docs/adding-an-enricher.md, performed: their changes, on a copy."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from spot_oa.demo import DEMO_DATES, generate
from tests.support.project import PROJECT
from tests.support.published_columns import unannounced

DATE = DEMO_DATES[0]
DIFF = re.compile(r"^```diff\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CONCERNED = (
    "tests/unit/test_pipelines.py",
    "tests/unit/test_published_columns.py",
    "tests/unit/test_tables.py",
    "tests/integration/test_dbt.py",
    "tests/integration/test_docs.py",
    "tests/engines/test_impala_sql.py",
    "tests/engines/impala/test_statements.py",
    "tests/faults/test_generated_days.py",
    "tests/mutation",
)
"""The tests that know columns, lookups and data tests."""


def perform(change: str, project: Path) -> None:
    """Apply a diff whose hunks bear no line numbers: their old lines stand once in the file."""
    for part in re.split(r"^--- ", change, flags=re.MULTILINE)[1:]:
        head, *hunks = re.split(r"^@@\n", part, flags=re.MULTILINE)
        old_name, new_name = re.fullmatch(r"(.+)\n\+\+\+ b/(.+)\n", head).groups()  # type: ignore[union-attr]
        file = project / new_name
        text = "" if old_name == "/dev/null" else file.read_text("utf-8")
        for hunk in hunks:
            lines = [line or " \n" for line in hunk.splitlines(keepends=True)]
            old = "".join(line[1:] or "\n" for line in lines if line[0] != "+")
            new = "".join(line[1:] or "\n" for line in lines if line[0] != "-")
            assert not old or text.count(old) == 1, f"{new_name}: stands {text.count(old)} times"
            text = text.replace(old, new) if old else new
        file.write_text(text, "utf-8")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy with the examples in it, and a home in which its flow pipeline has run."""
    project = tmp_path_factory.mktemp("contributed") / "project"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True,
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (PROJECT / name).is_file():
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / name, project / name)
    pages = [PROJECT / "CONTRIBUTING.md", PROJECT / "docs" / "adding-an-enricher.md"]
    changes = [change for page in pages for change in DIFF.findall(page.read_text("utf-8"))]
    assert len(changes) == 3
    for change in changes:
        perform(change, project)
    sources = python(project, "-m", "flows.run.tables")
    (project / "models" / "staging" / "_sources.yml").write_text(sources, "utf-8")
    generate(project / "home", pipelines=("flow",), rows_per_day=500, suspicious=20)
    cli = "from flows.cli import main; main()"
    python(project, "-c", cli, "run", "flow", "--date", str(DATE))
    return project


def python(project: Path, *arguments: str) -> str:
    """Run Python on the copy; what it printed."""
    home = {"PYTHONPATH": str(project), "SPOT_OA_HOME": str(project / "home")}
    # What the project publishes to others is a contract that no contributor changes alone.
    home |= {"SPOT_OA_REFERENCE_DIR": str(project / "no-reference")}
    done = subprocess.run(
        [sys.executable, *arguments],
        check=False,
        cwd=project,
        env=os.environ | home,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_column_is_published(project: Path) -> None:
    file = project / "home" / "data" / "flow" / f"{DATE:%Y%m%d}" / "flow_scores.parquet"
    columns = [row[0] for row in duckdb.sql(f"describe select * from '{file}'").fetchall()]
    assert columns[-4:] == ["tdur", "y", "m", "d"]
    assert duckdb.sql(f"select count(tdur) > 0 from '{file}'").fetchall() == [(True,)]


def test_the_column_needs_its_entry(project: Path) -> None:
    assert unannounced(project) == []
    shutil.copytree(project / "models", project / "unannounced" / "models")
    shutil.copytree(project / "docs", project / "unannounced" / "docs")
    shutil.copy(PROJECT / "CHANGELOG.md", project / "unannounced")
    assert "flow_scores.tdur" in unannounced(project / "unannounced")
    shutil.rmtree(project / "unannounced")


def test_the_enricher_has_written_its_lookups(project: Path) -> None:
    with duckdb.connect(str(project / "home" / "warehouse.duckdb"), read_only=True) as connection:
        known = connection.execute(
            "select count(*) > 1, count(is_public) = count(*), max(is_public) "
            "from lookups.address_scope"
        ).fetchall()
    assert known == [(True, True, 0)], "the demo has addresses of documentation only"


@pytest.mark.long
@pytest.mark.timeout(1500)
def test_the_tests_that_such_changes_concern_pass_on_the_copy(project: Path) -> None:
    printed = python(project, "-m", "pytest", "-n", "0", "--timeout", "900", *CONCERNED)
    assert re.search(r"^\d+ passed", printed, flags=re.MULTILINE), printed
