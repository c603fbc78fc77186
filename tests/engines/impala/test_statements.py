"""A build on databases that `make impala-sql` has made: what it finds, and what it sends."""

from __future__ import annotations

import json
import re

from dbt.cli.main import dbtRunner

from flows.run.dbt_runner import dbt_arguments, environment
from flows.run.tables import python_tables
from spot_oa.pipelines import load_pipelines
from spot_oa.settings import Settings
from spot_oa.warehouse import open_warehouse
from tests.support.impala import StandIn, ddl
from tests.support.impala_sql import complaints
from tests.support.project import PROJECT

CHECKED = ("insert overwrite table oa", "create view")
"""What dbt wraps around the compiled SQL, which tests/engines/test_impala_sql.py looks at."""

COMMENT = re.compile(r"^\s*(/\*.*?\*/)?\s*", re.DOTALL)
"""What dbt puts before a statement."""


def test_the_page_names_every_setting() -> None:
    page = (PROJECT / "docs" / "impala.md").read_text("utf-8")
    for field in Settings.model_fields:
        if field.startswith(("impala_", "schema_", "telemetry_")):
            assert re.search(rf"SPOT_OA_{field.upper()}(__|\b)", page), field


def test_a_build_makes_none_of_these_tables_and_sends_nothing_impala_would_not_take(
    stand_in: StandIn, settings: Settings
) -> None:
    lines = ddl.text().splitlines()
    script = "\n".join(line for line in lines if not line.startswith("--"))
    for statement in filter(str.strip, script.split(";")):
        stand_in.engine.execute(statement)
    told = len(stand_in.statements)

    open_warehouse(settings).prepare(python_tables(load_pipelines()))
    with environment(settings):
        arguments = dbt_arguments(settings, ["build", "--exclude-resource-type", "unit_test"])
        arguments += ["--vars", json.dumps({"date": "2016-07-08", "compat": True})]
        done = dbtRunner().invoke(arguments)

    assert [(r.node.name, r.message) for r in done.result if r.status in ("error", "fail")] == []
    sent = {COMMENT.sub("", statement) for statement in stand_in.statements[told:]}
    made = {statement.split()[2] for statement in sent if statement.startswith("create table")}
    file = {str(table) for table in python_tables(load_pipelines())}
    assert made.isdisjoint(file | {f"oa.{mart}" for mart in ddl.marts()})
    checked = {statement for statement in sent if statement.startswith(CHECKED)}
    assert len(checked) > len(ddl.marts())
    assert {statement: found for statement in checked if (found := complaints(statement))} == {}
    # Spot 1.0's names are those of the marts only, but for the one that came later.
    marts = {table for each in load_pipelines().values() for table in each.tables}
    for mart in marts - {"flow_addresses"}:
        assert stand_in.engine.execute(f"select * from oa_compat.{mart}").rows == []
