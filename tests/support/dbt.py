"""Dbt as a person runs it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from flows.run.dbt_runner import dbt_arguments, environment
from spot_oa.settings import Settings
from tests.support.project import PROJECT

# Its second row is wrong by one character, in a text and behind quotes that Impala does not have.
WRONG = """
unit_tests:
  - name: must_fail
    model: flow_ingest_summary
    overrides: {vars: {date: "2016-07-08"}}
    given:
      - input: ref('stg_telemetry__flow')
        rows: &rows
          - {tstart: "2016-07-08 05:03:00", unix_tstamp: 1, tryear: 2016, trmonth: 7, trday: 8,
             trhour: 5, trminute: 3, trsec: 0, srcip: a, dstip: b, sport: 1, dport: 2, ibyt: 1,
             ipkt: 1, y: 2016, m: 7, d: 8}
    expect: {rows: [{tdate: "2016-07-08 05:04"}]}
  - name: must_pass
    model: flow_ingest_summary
    overrides: {vars: {date: "2016-07-08"}}
    given: [{input: ref('stg_telemetry__flow'), rows: *rows}]
    expect: {rows: [{tdate: "2016-07-08 05:03"}]}
"""


def dbt(settings: Settings, *command: str) -> tuple[int, str]:
    """Run dbt in a process of its own; its exit code and what it printed."""
    arguments = [part for part in dbt_arguments(settings, command) if part != "none"]
    arguments.remove("--log-level")
    script = Path(sys.executable).with_name("dbt")
    with environment(settings):
        done = subprocess.run(
            [script, *arguments], check=False, capture_output=True, text=True, timeout=300
        )
    return done.returncode, done.stdout + done.stderr


def statuses(settings: Settings, *command: str) -> dict[str, str]:
    """Run dbt in this process; the status of every node by name."""
    from dbt.cli.main import dbtRunner

    with environment(settings):
        outcome = dbtRunner().invoke(dbt_arguments(settings, command))
    assert outcome.exception is None, outcome.exception
    nodes: Sequence = outcome.result.results
    return {node.node.name: str(node.status) for node in nodes}


def with_a_wrong_unit_test(project: Path) -> Path:
    """A copy of the dbt project with the unit tests `must_fail` and `must_pass`."""
    for name in ("models", "macros", "seeds", "tests/dbt", "profiles"):
        shutil.copytree(PROJECT / name, project / name)
    shutil.copy(PROJECT / "dbt_project.yml", project)
    (project / "models" / "marts" / "flow" / "_must_fail.yml").write_text(WRONG, "utf-8")
    return project
