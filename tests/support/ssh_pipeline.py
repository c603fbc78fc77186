"""Follow docs/adding-a-pipeline.md on a copy of the project."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.support.project import PROJECT

PAGE = PROJECT / "docs" / "adding-a-pipeline.md"
FILE = re.compile(r"^`([^`\n]+)`:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DEPLOYMENT = re.compile(r"^```yaml\n(  - <<: \*daily\n.*?)^```$", re.MULTILINE | re.DOTALL)


def add_pipeline(project: Path, home: Path) -> dict[str, str]:
    """Make a project with the page's pipeline, and a day of its data.

    Args:
        project: The folder to make; it has no Python but the flows.
        home: Where telemetry, results and context go.

    Returns:
        The settings that name both.
    """
    for name in ("models", "macros", "seeds", "tests/dbt", "profiles", "flows"):
        shutil.copytree(PROJECT / name, project / name)
    shutil.copy(PROJECT / "dbt_project.yml", project)
    page = PAGE.read_text("utf-8")
    for name, text in FILE.findall(page):
        file = project / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    pipelines = {"SPOT_OA_PIPELINES_DIR": str(project / "pipelines")}
    with (project / "models" / "staging" / "_sources.yml").open("w") as sources:
        command = [sys.executable, "-m", "flows.run.tables"]
        subprocess.run(command, check=True, env=os.environ | pipelines, stdout=sources)
    (entry,) = DEPLOYMENT.findall(page)
    deployments = (PROJECT / "prefect.yaml").read_text("utf-8")
    (project / "prefect.yaml").write_text(deployments + "\n" + entry, "utf-8")

    hour = home / "raw" / "ssh" / "y=2016" / "m=7" / "d=8" / "h=3"
    hour.mkdir(parents=True)
    logins = {
        "login_time": ["2016-07-08 03:04:05", "2016-07-08 03:04:59", None],
        "client": ["10.0.0.5", "192.0.2.7", "10.0.0.5"],
        "account": ["root", "admin", "root"],
        "success": pa.array([0, 1, 0], pa.int32()),
    }
    pq.write_table(pa.table(logins), hour / "part-0.parquet")
    scores = home / "ml" / "ssh" / "scored_results" / "20160708" / "scores"
    scores.mkdir(parents=True)
    lines = ["2016-07-08 03:04:05\t10.0.0.5\troot\t1.0E-9", "broken", "x\t192.0.2.7\tnull\t2.0E-9"]
    (scores / "ssh_results.csv").write_text("\n".join(lines) + "\n")
    (home / "context").mkdir()
    (home / "context" / "networkcontext.csv").write_text("10.0.0.0/8,office\n")
    return {
        "SPOT_OA_HOME": str(home),
        "SPOT_OA_PROJECT_DIR": str(project),
        **pipelines,
    }
