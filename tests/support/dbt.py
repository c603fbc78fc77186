"""Run dbt like a user."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from flows.run.dbt_runner import dbt_arguments, environment, invoke
from spot_oa.settings import Settings
from tests.support.project import PROJECT

# The second row differs by one character, in a text and after quotes that Impala does not have.
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


_BADLY = {"error", "fail", "runtime error", "skipped", "partial success"}


def dbt(settings: Settings, *command: str) -> tuple[int, str]:
    """Run dbt in a separate process; return its exit code and output."""
    arguments = [part for part in dbt_arguments(settings, command) if part != "none"]
    arguments.remove("--log-level")
    script = Path(sys.executable).with_name("dbt")
    with environment(settings):
        done = subprocess.run(
            [script, *arguments], check=False, capture_output=True, text=True, timeout=300
        )
    return done.returncode, done.stdout + done.stderr


def dbt_in_a_run(settings: Settings, *command: str) -> tuple[int, str]:
    """Run dbt in this process, with its stored parse; return its exit code and messages."""
    told: list[str] = []
    done = invoke(settings, command, lambda event: told.append(event.info.msg))
    failed = done.exception or any(str(node.status) in _BADLY for node in done.result.results)
    return int(bool(failed)), "\n".join([*told, str(done.exception or "")])


def statuses(settings: Settings, *command: str) -> dict[str, str]:
    """Run dbt in this process; return the status of every node by name."""
    done = invoke(settings, command)
    assert done.exception is None, done.exception
    nodes: Sequence = done.result.results
    return {node.node.name: str(node.status) for node in nodes}


def with_a_wrong_unit_test(project: Path) -> Path:
    """Copy the dbt project with the unit tests `must_fail` and `must_pass`."""
    for name in ("models", "macros", "seeds", "tests/dbt", "profiles"):
        shutil.copytree(PROJECT / name, project / name)
    shutil.copy(PROJECT / "dbt_project.yml", project)
    (project / "models" / "marts" / "flow" / "_must_fail.yml").write_text(WRONG, "utf-8")
    return project
