"""The SQL models' unit tests on Impala, where they once passed whatever they expected."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from flows.run.dbt_runner import dbt_arguments, environment
from flows.run.tables import python_tables
from spot_oa.pipelines import load_pipelines
from spot_oa.settings import Settings
from spot_oa.warehouse import open_warehouse
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


def dbt(settings: Settings, *command: str) -> dict[str, str]:
    """The status of every node by name."""
    from dbt.cli.main import dbtRunner

    with environment(settings):
        outcome = dbtRunner().invoke(dbt_arguments(settings, command))
    assert outcome.exception is None, outcome.exception
    nodes: Sequence = outcome.result.results
    return {node.node.name: str(node.status) for node in nodes}


def test_unit_tests_pass_and_a_wrong_one_fails(settings: Settings, tmp_path: Path) -> None:
    project = tmp_path / "project"
    for name in ("models", "macros", "seeds", "tests/dbt", "profiles"):
        shutil.copytree(PROJECT / name, project / name)
    shutil.copy(PROJECT / "dbt_project.yml", project)
    (project / "models" / "marts" / "flow" / "_must_fail.yml").write_text(WRONG, "utf-8")
    settings = settings.model_copy(update={"project_dir": project})
    open_warehouse(settings).prepare(python_tables(load_pipelines()))
    date = ("--vars", "{date: 2016-07-08}")
    made = {**dbt(settings, "seed"), **dbt(settings, "run", "--empty", *date)}
    assert set(made.values()) == {"success"}

    tests = dbt(settings, "test", "--select", "test_type:unit", *date)

    assert tests.pop("must_fail") == "fail"
    assert tests.pop("must_pass") == "pass"
    assert len(tests) >= 22
    assert {name: status for name, status in tests.items() if status != "pass"} == {}
