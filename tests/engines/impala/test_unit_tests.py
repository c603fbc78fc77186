"""The SQL models' unit tests on Impala, where they once passed whatever they expected."""

from __future__ import annotations

from pathlib import Path

from flows.run.tables import python_tables
from spot_oa.pipelines import load_pipelines
from spot_oa.settings import Settings
from spot_oa.warehouse import open_warehouse
from tests.support.dbt import statuses, with_a_wrong_unit_test


def test_unit_tests_pass_and_a_wrong_one_fails(settings: Settings, tmp_path: Path) -> None:
    project = with_a_wrong_unit_test(tmp_path / "project")
    settings = settings.model_copy(update={"project_dir": project})
    open_warehouse(settings).prepare(python_tables(load_pipelines()))
    date = ("--vars", "{date: 2016-07-08}")
    made = {**statuses(settings, "seed"), **statuses(settings, "run", "--empty", *date)}
    assert set(made.values()) == {"success"}

    tests = statuses(settings, "test", "--select", "test_type:unit", *date)

    assert tests.pop("must_fail") == "fail"
    assert tests.pop("must_pass") == "pass"
    assert len(tests) >= 22
    assert {name: status for name, status in tests.items() if status != "pass"} == {}
