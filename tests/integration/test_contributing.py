"""CONTRIBUTING.md, performed: its three changes, as they stand there, on a copy of the project."""

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
from tests.conftest import PROJECT
from tests.support.published_columns import unannounced

DATE = DEMO_DATES[0]
DIFF = re.compile(r"^```diff\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COPIED = (
    *("flows", "python_enrichers", "spot_oa", "models", "macros", "seeds", "tests/dbt"),
    *("profiles", "docs", "dbt_project.yml", "CHANGELOG.md"),
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy with the examples in it, and a home in which its flow pipeline has run."""
    project = tmp_path_factory.mktemp("contributed")
    for name in COPIED:
        if (PROJECT / name).is_dir():
            shutil.copytree(PROJECT / name, project / name)
        else:
            shutil.copy(PROJECT / name, project / name)
    changes = DIFF.findall((PROJECT / "CONTRIBUTING.md").read_text("utf-8"))
    assert len(changes) == 3
    for change in changes:
        subprocess.run(["git", "apply", "-"], check=True, cwd=project, input=change, text=True)
    generate(project / "home", pipelines=("flow",), rows_per_day=500, suspicious=20)
    python(project, "from flows.cli import main; main()", "run", "flow", "--date", str(DATE))
    return project


def python(project: Path, code: str, *arguments: str) -> str:
    """Run code of the copy; what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        check=False,
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(project), "SPOT_OA_HOME": str(project / "home")},
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


def test_the_unit_tests_know_the_column_and_the_data_test_runs(project: Path) -> None:
    dbt = "import sys; from dbt.cli.main import cli; cli(sys.argv[1:])"
    chosen = ("flow_scores_keeps_columns", "flow_scores_takes_time")
    printed = python(
        project,
        dbt,
        *("test", "--profiles-dir", "profiles", "--vars", f"{{date: {DATE}}}"),
        *("--select", *chosen),
    )
    assert all(re.search(rf"PASS.* \S*{name} ", printed) for name in chosen), printed


def test_the_enricher_has_written_its_lookups(project: Path) -> None:
    with duckdb.connect(str(project / "home" / "warehouse.duckdb"), read_only=True) as connection:
        known = connection.execute(
            "select count(*) > 1, count(is_public) = count(*), max(is_public) "
            "from lookups.address_scope"
        ).fetchall()
    assert known == [(True, True, 0)], "the demo has addresses of documentation only"
