"""The stand-in refuses what Impala refuses, and answers through the real impyla as it would."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from impala.dbapi import connect
from impala.error import HiveServer2Error

from tests.support.impala import StandIn
from tests.support.impala.language import WORDS


@pytest.fixture
def cursor(stand_in: StandIn) -> Iterator[Any]:
    with connect("127.0.0.1", stand_in.port) as connection:
        cursor = connection.cursor()
        for statement in (
            "create database if not exists raw",
            "create table raw.t (a int, b string) partitioned by (y int, d int) stored as parquet",
            "insert into raw.t partition (y = 2016, d = 1) values (1, 'one'), (2, 'two')",
            "insert into raw.t partition (y = 2016, d = 2) values (3, 'three')",
        ):
            cursor.execute(statement)
        yield cursor
        cursor.close()


def rows(cursor: Any, query: str = "select * from raw.t") -> list[tuple[Any, ...]]:
    cursor.execute(query)
    return sorted(cursor.fetchall(), key=repr)


def test_a_static_overwrite_replaces_its_partition_even_by_nothing(cursor: Any) -> None:
    cursor.execute(
        "insert overwrite raw.t partition (y = 2016, d = 1) select a, b from raw.t where a > 9"
    )
    assert rows(cursor) == [(3, "three", 2016, 2)]


def test_a_dynamic_overwrite_replaces_only_what_occurs(cursor: Any) -> None:
    cursor.execute(
        "insert overwrite table raw.t partition (y, d) select 9, 'nine', 2016, 2 from raw.t limit 1"
    )
    assert rows(cursor) == [(1, "one", 2016, 1), (2, "two", 2016, 1), (9, "nine", 2016, 2)]


def test_partition_columns_come_last(cursor: Any) -> None:
    cursor.execute("create table raw.u partitioned by (y, d) as select * from raw.t")
    assert [row[0] for row in rows(cursor, "describe raw.u")] == ["a", "b", "d", "y"]
    with pytest.raises(HiveServer2Error, match="Partition column name mismatch"):
        cursor.execute("create table raw.v partitioned by (y) as select y, a from raw.t")


def test_nulls_are_last(cursor: Any) -> None:
    cursor.execute("insert into raw.t (a) partition (y = 2016, d = 1) values (NULL)")
    cursor.execute("select a from raw.t order by a")
    assert cursor.fetchall() == [(1,), (2,), (3,), (None,)]


@pytest.mark.parametrize(
    ("literal", "text"),
    [
        ('"x"', "x"),
        (r"'it\'s'", "it's"),
        (r"'C:\\new\t'", "C:\\new\t"),
        (r"'\u0000\0011\0'", "\0\0011\0"),
        ("'-- no comment; /* nor this */'", "-- no comment; /* nor this */"),
    ],
)
def test_literals_are_read_as_impala_reads_them(cursor: Any, literal: str, text: str) -> None:
    assert rows(cursor, f"select {literal} as `x`") == [(text,)]


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("select nosuch(1)", r"nosuch\(\) unknown"),
        ("select lower('a', 'b')", r"No matching function with signature: lower"),
        ("select any_value(a) from raw.t", "unknown"),
        ("select a as date from raw.t", "encountered DATE"),
        ("with running as (select 1 as a) select a from running", "encountered RUNNING"),
        ("create table raw.w (`a` int, indicator string)", "encountered INDICATOR"),
        ("select a::bigint from raw.t", "encountered ::"),
        ("select b || 'x' from raw.t", r"encountered \|\|"),
        ("select count(*) filter (where a > 1) from raw.t", "FILTER|unknown"),
        ("select a from raw.t qualify row_number() over (order by a) = 1", "QUALIFY"),
        ("select 'it''s'", "Syntax error"),
        ("select 1; select 2", "encountered ;"),
        ("select * from raw.nosuch", "Could not resolve table reference"),
        ("describe raw.nosuch", "Could not resolve path"),
        ("show tables in nosuch", "Database does not exist"),
        ("create table raw.t (a int)", "Table already exists: raw.t"),
        ("drop table raw.nosuch", "does not exist"),
        ("insert into raw.t partition (y = 1, d = 1) select cast(1 as bigint), 'x'", "precision"),
        ("insert into raw.t partition (y = 1, d = 1) select '1', 'x'", "not compatible"),
        ("insert into raw.t partition (y = 1, d = 1) select 1", "has more columns"),
        ("insert into raw.t select 1, 'x', 1, 1", "Not enough partition columns"),
        ("update raw.t set a = 1", "Syntax error"),
        ("delete from raw.t where a = 1", "Syntax error"),
        (f"comment on table raw.t is '{'x' * 257}'", "maximum length"),
    ],
)
def test_it_refuses_what_impala_refuses(cursor: Any, statement: str, says: str) -> None:
    with pytest.raises(HiveServer2Error, match=says):
        cursor.execute(statement)


def test_it_logs_statements(cursor: Any, stand_in: StandIn) -> None:
    stand_in.statements.clear()
    rows(cursor, "select 1 as a")
    assert stand_in.statements == ["select 1 as a"]


def test_its_words_are_impalas(reference: Path) -> None:
    known = json.loads((reference / "contract" / "impala_functions.json").read_text("utf-8"))
    assert set(WORDS["reserved"]) <= set(known["reserved"])
    for name, arities in WORDS["functions"].items():
        if name in known["scalar"]:
            assert arities == known["scalar"][name], name
        else:
            assert name in {*known["aggregate_or_analytic"], "cast"}, name
