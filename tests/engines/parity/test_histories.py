"""SQL and Python agree on what holds, whatever analysts have done, on every engine."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from analyst import landed, state
from analyst.actions import Action, Kind, Severity, Via
from analyst.standing import Condition, StandingRule, by_row, hits
from flows.run.tables import python_tables
from spot_oa.dates import Slice
from spot_oa.pipelines import Pipeline, load_pipelines
from spot_oa.warehouse import open_warehouse
from spot_oa.warehouse.tables import results_table, triage_tables
from tests.support.targets import DuckDB, Impala, Spark, Target

pytestmark = [pytest.mark.parity, pytest.mark.timeout(900)]

PIPELINES = load_pipelines()
TARGETS = [DuckDB, Impala, pytest.param(Spark, marks=pytest.mark.spark)]
HISTORIES = 23
"""Of each day, each with results of its own: 207 of three pipelines and three days."""
DAYS = [dt.date(2016, 1, day) for day in (1, 2, 3)]
KEYS = ("k0", "k1", "k1", "k2", "k3", "k4")
"""The keys of a day's results by rank: two results are equal."""
GONE = "gone"
"""The key of a row that is not in the day any more."""
NOBODY = (0, "", "", "", "", "")


def history(pipeline: Pipeline, chance: random.Random) -> list[Action]:
    """Up to thirty actions of a day, in order."""
    assert pipeline.triage is not None
    actions: list[Action] = []
    for seq in range(1, chance.randrange(2, 32)):
        kind = chance.choices(
            [Kind.LABEL, Kind.CLEAR, Kind.UNDO, Kind.RESET, Kind.NOTE, Kind.STORY],
            [12, 4, 5, 1, 1, 1],
        )[0]
        label = kind in (Kind.LABEL, Kind.CLEAR)
        via = chance.choice([Via.HAND, Via.HAND, Via.RULE])
        rows = {
            (key, target)
            for key in chance.sample([*set(KEYS), GONE], chance.randrange(1, 4))
            for target in chance.sample(list(pipeline.triage.targets), 1)
        }
        actions.append(
            Action(
                author=chance.choice(["ann", "bob"]),
                made_with="cli",
                pipeline=pipeline.name,
                day="2016-01-01",
                kind=kind,
                severity={Kind.LABEL: chance.randrange(1, 4), Kind.CLEAR: 0}.get(kind),
                via=via if label else None,
                rule_id="r1" if label and via == Via.RULE else None,
                note=chance.choice([None, "why"]),
                refers_to=chance.choice(actions).action_id
                if actions and kind == Kind.UNDO
                else None,
                payload=chance.choice([state.WITH_STORIES, state.WITHOUT_STORIES])
                if kind == Kind.RESET
                else None,
                rows=frozenset(rows) if label else frozenset(),
                seq=seq,
            )
        )
    return actions


def standing(chance: random.Random) -> list[StandingRule]:
    """Rules about the number of a row."""
    return [
        StandingRule(
            id=name,
            when=[Condition(field="n", op="geq", value=chance.randrange(2, 9))],
            severity=Severity(chance.randrange(1, 4)),
            enabled=True,
        )
        for name in chance.sample(["a", "b", "c"], chance.randrange(3))
    ]


def together(tables: Sequence[pa.Table]) -> pa.Table:
    """The rows of a day's histories, whose results follow each other."""
    moved = []
    for number, table in enumerate(tables):
        rank = pc.add(table["rank"], pa.scalar(number * len(KEYS), pa.int32()))
        moved.append(table.set_column(table.schema.get_field_index("rank"), "rank", rank))
    return pa.concat_tables(moved)


def expected(
    pipeline: Pipeline,
    actions: list[Action],
    rules: list[StandingRule],
    day: dt.date,
    first: int,
) -> list[tuple[object, ...]]:
    """What the analysts' half says of each rank, from the first one on."""
    triage = pipeline.triage
    assert triage is not None
    marks = state.marks(actions)
    by_file = by_row(hits(rules, day, [{"n": n} for n in range(len(KEYS))]))
    rows = []
    for rank, key in enumerate(KEYS):
        told: dict[str, tuple[object, ...]] = {}
        for target, column in triage.targets.items():
            action = marks.get((key, target))
            rule = next(iter(by_file.get(rank, ())), None)
            if action is not None:
                told[column] = (
                    action.severity,
                    action.author,
                    action.via,
                    action.rule_id or "",
                    action.note or "",
                    action.action_id,
                )
            elif rule is not None and target == triage.main_target:
                told[column] = (int(rule.severity), "", "rule", rule.id, "", "")
            else:
                told[column] = NOBODY
        # Who decided: the first target that has a severity, else the first that anybody cleared.
        scored = [each for each in told.values() if each[0]]
        judged = [each for each in told.values() if each != NOBODY]
        severities = {column: each[0] for column, each in told.items()}
        decided = next(iter([*scored, *judged]), NOBODY)
        rows.append(
            (first + rank, *[severities[name] for name in sorted(severities)], *decided[1:])
        )
    return rows


@pytest.fixture(scope="module", params=TARGETS, ids=lambda make: make.name)
def target(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Target]:
    spark = request.param is Spark
    target = request.param(*([request.getfixturevalue("cluster")] if spark else []))
    target.open(tmp_path_factory.mktemp("histories"))
    yield target
    target.close()


def test_sql_and_python_agree(target: Target) -> None:
    warehouse = open_warehouse(target.settings)
    warehouse.prepare(python_tables(PIPELINES))
    ranks = pa.table({"rank": pa.array(range(len(KEYS)), pa.int32())})
    numbered = [{"n": n} for n in range(len(KEYS))]
    wanted: dict[str, set[tuple[object, ...]]] = {}
    for name, pipeline in PIPELINES.items():
        results, tables = results_table(pipeline), triage_tables(pipeline)
        labels, found = tables["labels"], tables["rule_hits"]
        wanted[name] = set()
        for day in DAYS:
            made: list[tuple[pa.Table, pa.Table]] = []
            for number in range(HISTORIES):
                chance = random.Random(f"{name} {day} {number}")
                actions, rules = history(pipeline, chance), standing(chance)
                made.append(
                    (
                        landed.label_rows(labels, actions, KEYS),
                        landed.hit_rows(found, rules, day, numbered),
                    )
                )
                first = number * len(KEYS)
                wanted[name] |= {
                    (*row, day) for row in expected(pipeline, actions, rules, day, first)
                }
            judged, hit = zip(*made, strict=True)
            with warehouse.replacing(Slice(name, day), results, labels, found) as writer:
                writer.append(results, together([ranks] * HISTORIES))
                writer.append(labels, together(judged))
                writer.append(found, together(hit))
    models = [f"+int_{name}__severity_current" for name in PIPELINES]
    dates = f"{{date_from: {DAYS[0]}, date_to: {DAYS[-1]}}}"
    target.dbt("run", "--select", *models, "--vars", dates).succeeds()
    for name, pipeline in PIPELINES.items():
        assert pipeline.triage is not None
        severities = ", ".join(sorted(pipeline.triage.targets.values()))
        read = target.read(
            f"select rank, {severities}, scored_by, via, rule_id, note, action_id, y, m, d "
            f"from {target.settings.database('oa_intermediate')}.int_{name}__severity_current"
        )
        assert {(*row[:-3], dt.date(*row[-3:])) for row in read} == wanted[name]
        assert read.total() == len(DAYS) * HISTORIES * len(KEYS)
