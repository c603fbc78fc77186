"""The SQL that dbt-impala would send, checked without a server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from dbt.cli.main import dbtRunner

from flows.run.tables import python_tables
from spot_oa.pipelines import load_pipelines
from tests.support.impala_sql import complaints, reserved
from tests.support.project import PROJECT

QUOTED = {"indicator"}
"""Columns of Python's tables that are reserved words: staging renames them."""


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `dbt compile` wrote for Impala, by the adapter's macros; no connection is opened."""
    folder = tmp_path_factory.mktemp("impala")
    outcome = dbtRunner().invoke(
        ["compile", "--quiet", "--no-populate-cache", "--no-introspect", "--project-dir",
         str(PROJECT), "--profiles-dir", str(PROJECT / "profiles"), "--target", "impala",
         "--target-path", str(folder), "--log-path",
         str(folder), "--vars", "{date: 2016-07-08, compat: true}"]
    )  # fmt: skip
    assert outcome.success, outcome.exception
    return folder


@pytest.fixture(scope="module")
def manifest(compiled: Path) -> dict[str, Any]:
    nodes: dict[str, Any] = json.loads((compiled / "manifest.json").read_text("utf-8"))["nodes"]
    return nodes


def test_impala_takes_every_model_and_data_test(manifest: dict[str, Any]) -> None:
    sql = {node["name"]: node.get("compiled_code") for node in manifest.values()}
    written = {name: text for name, text in sql.items() if text}
    assert {node["resource_type"] for node in manifest.values() if not sql[node["name"]]} == {
        "seed"
    }
    assert {name: found for name, text in written.items() if (found := complaints(text))} == {}


def test_comments_fit_into_impala_s_256_characters(manifest: dict[str, Any]) -> None:
    """Longer ones are cut after escaping, at worst in the middle of an escape."""
    long = [
        name
        for node in manifest.values()
        for name, text in [
            (node["name"], node["description"]),
            *((f"{node['name']}.{c['name']}", c["description"]) for c in node["columns"].values()),
        ]
        if len(text.replace("'", "\\'")) > 256
    ]
    assert long == []


def test_columns_are_no_reserved_words() -> None:
    """Those of the tables that Python makes; all other names are in the SQL."""
    pipelines = load_pipelines()
    names = {name for table in python_tables(pipelines) for name in table.columns}
    names |= {name for pipeline in pipelines.values() for name in pipeline.telemetry.columns}
    assert names & reserved() == QUOTED


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("select ';' as a", "splits there"),
        ("select a from t -- first; second", "splits there"),
        ('select "a" as b from t', "is a string"),
        ("select 'it''s' as a", "'' in a literal"),
        ("select a || b as c from t", "logical or"),
        ("select a::int as a from t", "`::`"),
        ("select cast(a as varchar) as a from t", "type varchar"),
        ("select try_cast(a as int) as a from t", r"try_cast\(\) is none"),
        ("select string_agg(a, ',') as a from t", r"string_agg\(\) is none"),
        ("select nullif(a) as a from t", "does not take 1 arg"),
        ("select row_number(1) over (order by a) as a from t", "does not take 1 arg"),
        ("select count(*) filter (where a = 1) as a from t", "case when"),
        ("select a from t where (a, b) in (select a, b from u)", "compares one column"),
        ("select a from t where (a, b) not in (select a, b from u)", "compares one column"),
        ("select t.a from t inner join u on t.a = u.a or t.b = u.b", "nested loop"),
        ("select a, count(*) as b from t group by all", "group by all"),
        ("select a from (values (1), (2)) as t", "VALUES"),
        ("select distinct on (a) a from t", r"on\(\) is none"),
        ("select * exclude (a) from t", "unparsable"),
        ("select a from t qualify row_number() over (order by a) = 1", "unparsable"),
        ("select indicator as a from t", "unparsable"),
        ("select t.matched as a from t", "unparsable"),
        ("select a as date from t", "unparsable"),
        ("with running as (select a from t) select a from running", "unparsable"),
        ("select from t where", "unparsable"),
    ],
)
def test_what_impala_does_not_take_is_found(sql: str, says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        assert complaints(sql) == ()


def test_what_impala_takes_is_not_complained_of() -> None:
    sql = """
        with found as (
            select `indicator` as a, t.time, '' as b, '\\'' as c -- a comment's quote
            from oa.t as t
            inner join u on t.a = u.a and (t.y = 2016 and t.m = 7)
            where t.a not in (select a from v) and (t.b = 'x' or t.b like '%')
        )
        select a, time, row_number() over (partition by a order by b nulls last) as place from found
    """
    assert complaints(sql) == ()


def test_all_of_impala_s_reserved_words_are_refused(reference: Path) -> None:
    impala = json.loads((reference / "contract" / "impala_functions.json").read_text("utf-8"))
    words = {word for word in impala["reserved"] if word.isidentifier()}
    assert words - reserved() == set()
