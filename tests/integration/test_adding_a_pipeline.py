"""docs/adding-a-pipeline.md, performed: a fourth pipeline without a line of Python."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from tests.conftest import PROJECT

PAGE = PROJECT / "docs" / "adding-a-pipeline.md"
FILE = re.compile(r"^`([^`\n]+)`:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_page_gives_a_pipeline(tmp_path: Path) -> None:
    project, home = tmp_path / "project", tmp_path / "home"
    for name in ("models", "macros", "seeds", "tests/dbt", "profiles"):
        shutil.copytree(PROJECT / name, project / name)
    shutil.copy(PROJECT / "dbt_project.yml", project)
    for name, text in FILE.findall(PAGE.read_text("utf-8")):
        file = project / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")

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

    environment = {
        "SPOT_OA_HOME": str(home),
        "SPOT_OA_PROJECT_DIR": str(project),
        "SPOT_OA_PIPELINES_DIR": str(project / "pipelines"),
    }
    done = subprocess.run(
        [Path(sys.executable).with_name("spot-oa"), "run", "ssh", "--date", "2016-07-08"],
        check=False,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )

    assert (done.returncode, done.stderr) == (0, "")
    folder = home / "data" / "ssh" / "20160708"
    assert duckdb.sql(
        f"select client, account, rank, network_context, d from '{folder}/ssh_scores.parquet'"
    ).fetchall() == [("10.0.0.5", "root", 0, "office", 8), ("192.0.2.7", None, 1, "", 8)]
    assert duckdb.sql(f"from '{folder}/ssh_ingest_summary.parquet'").fetchall() == [
        ("2016-07-08 03:04", 2, 2016, 7, 8)
    ]
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    assert manifest["input"]["rejected"] == 1
