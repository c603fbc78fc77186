"""docs/adding-a-pipeline.md, performed: a fourth pipeline without a line of Python."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import duckdb

from tests.support.ssh_pipeline import add_pipeline


def test_the_page_gives_a_pipeline(tmp_path: Path) -> None:
    home = tmp_path / "home"
    environment = add_pipeline(tmp_path / "project", home)
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
