"""Rule files: what they may say, and which rows they mean."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from analyst.actions import Severity
from analyst.landed import hit_rows
from analyst.standing import hits, load_rules
from analyst.store import open_store
from spot_oa.errors import ConfigError, UsageError
from spot_oa.pipelines import get_pipeline
from spot_oa.settings import Settings
from spot_oa.warehouse.tables import triage_tables
from tests.support.labelled import DATE, PLAIN, day, publish, severities

Rules = Callable[..., None]


@pytest.fixture
def write(settings: Settings) -> Rules:
    def write(*rules: str, pipeline: str = "flow") -> None:
        settings.rules_dir.mkdir(parents=True, exist_ok=True)
        file = settings.rules_dir / f"{pipeline}.yml"
        file.write_text("".join(f"- {{{rule}}}\n" for rule in rules), "utf-8")

    return write


def rule(when: str, severity: str = "2", rule_id: str = "r", more: str = "enabled: true") -> str:
    return f"id: {rule_id}, when: [{when}], severity: {severity}, {more}"


@pytest.mark.parametrize(
    ("when", "meant"),
    [
        ("{field: dport, op: eq, value: 443}", [0, 3]),
        ("{field: dport, op: ne, value: 443}", [1]),
        ("{field: dport, op: leq, value: 442}", [1]),
        ("{field: dport, op: geq, value: 443}", [0, 3]),
        ("{field: dport, op: in, value: [1, 53]}", [1]),
        ("{field: dport, op: is_null}", [2]),
        ("{field: srcip, op: cidr, value: 10.0.0.0/8}", [0, 2]),
        ("{field: srcip, op: eq, value: '2001:db8::5'}", [1]),
        ("{field: srcip, op: cidr, value: '2001:DB8:0::5'}", [1]),
        ("{field: dstip, op: prefix, value: '203.0.'}", [0, 2]),
        ("{field: dstip, op: suffix, value: '.9'}", [3]),
        ("{field: dstip, op: contains, value: '.51.'}", [1, 3]),
        ("{field: score, op: leq, value: 0.01}", [0, 1]),
        ("{field: dport, op: eq, value: 443}, {field: srcip, op: prefix, value: '10'}", [0]),
    ],
)
def test_conditions(settings: Settings, write: Rules, when: str, meant: list[int]) -> None:
    write(rule(when))
    (found,) = load_rules(settings, get_pipeline("flow"))
    changes = [
        {"dport": 443, "srcip": "10.1.2.3", "dstip": "203.0.113.1", "score": 0.001},
        {"dport": 53, "srcip": "2001:db8::5", "dstip": "198.51.100.7", "score": 0.01},
        {"dport": None, "srcip": "10.1.2.3", "dstip": "203.0.113.2", "score": 0.1},
        {"dport": 443, "srcip": "192.0.2.1", "dstip": "198.51.100.9", "score": 0.2},
    ]
    assert found.select([PLAIN["flow"] | change for change in changes]) == meant


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        (["id: r, severity: 1"], "0.when: Field required"),
        (["id: r, severity: 1, when: []"], "0.when"),
        ([rule("{field: nosuch, op: eq, value: 1}")], "rules cannot use the column 'nosuch'"),
        ([rule("{field: src_rep, op: eq, value: x}")], "rules cannot use the column 'src_rep'"),
        ([rule("{field: dport, op: like, value: 1}")], "0.when.0.op"),
        ([rule("{field: dport, op: prefix, value: '4'}")], "prefix cannot be used with dport"),
        ([rule("{field: srcip, op: leq, value: '4'}")], "leq cannot be used with srcip"),
        ([rule("{field: dport, op: eq, value: '443'}")], "dport is int, '443' is not"),
        ([rule("{field: dport, op: eq, value: true}")], "0.when.0.value"),
        ([rule("{field: dport, op: in, value: 443}")], "in takes a list"),
        ([rule("{field: dport, op: eq, value: [443]}")], "eq takes one value"),
        ([rule("{field: dport, op: eq}")], "eq takes one value"),
        ([rule("{field: dport, op: is_null, value: 1}")], "is_null does not take a value"),
        ([rule("{field: srcip, op: cidr, value: 10.0.0}")], "is not an address or network"),
        ([rule("{field: dport, op: eq, value: 1}", "4")], "severity '4' is unknown"),
        ([rule("{field: dport, op: eq, value: 1}", "0")], "severity '0' is unknown"),
        ([rule("{field: dport, op: eq, value: 1}", rule_id="'../x'")], "0.id"),
        ([rule("{field: dport, op: eq, value: 1}", more="surplus: 1")], "0.surplus"),
        ([rule("{field: dport, op: eq, value: 1}")] * 2, "duplicate rule id r"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    settings: Settings, write: Rules, rules: list[str], says: str
) -> None:
    write(*rules)
    with pytest.raises(ConfigError) as caught:
        load_rules(settings, get_pipeline("flow"))
    assert says in str(caught.value)
    assert str(settings.rules_dir / "flow.yml") in str(caught.value)


def test_no_file_and_an_empty_one_are_no_rules(settings: Settings, write: Rules) -> None:
    assert load_rules(settings, get_pipeline("flow")) == []
    write()
    assert load_rules(settings, get_pipeline("flow")) == []


@pytest.mark.parametrize("pipeline", ["flow", "dns", "proxy"])
def test_rules_speak_of_columns_that_the_scores_have(pipeline: str) -> None:
    triage = get_pipeline(pipeline).triage
    assert triage is not None
    assert set(triage.ruled) <= PLAIN[pipeline].keys()
    assert set(triage.key) <= set(triage.ruled)


@pytest.mark.parametrize(
    ("more", "on"),
    [
        ("enabled: true", True),
        ("enabled: false", False),
        ("author: ann", False),
        ("enabled: true, valid_from: 2016-07-08, valid_to: 2016-07-08", True),
        ("enabled: true, valid_from: 2016-07-09", False),
        ("enabled: true, valid_to: 2016-07-07", False),
    ],
)
def test_a_rule_holds_on_days_of_the_data(
    settings: Settings, write: Rules, more: str, on: bool
) -> None:
    write(rule("{field: dport, op: eq, value: 443}", more=more))
    rules = load_rules(settings, get_pipeline("flow"))
    assert bool(hits(rules, DATE, [PLAIN["flow"]])) == on


@pytest.mark.parametrize(("given", "kept"), [("3", "3"), ("'2.1b'", "2.1b")])
def test_the_version_of_a_rule_is_in_its_hits_and_actions(
    settings: Settings, write: Rules, given: str, kept: str
) -> None:
    tls, version = "{field: dport, op: eq, value: 443}", f"version: {given}"
    write(rule(tls, more=f"enabled: true, {version}"))
    publish(settings, "flow", [{"dport": 443}])
    pipeline = get_pipeline("flow")
    rules = load_rules(settings, pipeline)
    found = hit_rows(triage_tables(pipeline)["rule_hits"], rules, DATE, [PLAIN["flow"]])
    assert found["rule_version"].to_pylist() == [kept]
    write(rule(tls, more=version))
    day(settings).apply_standing("r")
    (action,) = open_store(settings).actions("flow", DATE.isoformat())
    assert json.loads(action.selector or "")["version"] == kept


def test_a_reason_is_text(settings: Settings, write: Rules) -> None:
    """What a row holds is not looked into, nor is anything formatted."""
    reason = "reason: 'from {srcip} {nosuch} {0} {srcip.__class__} to {dport}'"
    write(rule("{field: dport, op: is_null}", more=f"enabled: true, {reason}"))
    (found,) = load_rules(settings, get_pipeline("flow"))
    row = PLAIN["flow"] | {"srcip": "{dstip}", "dport": None}
    assert found.reason_for(row) == "from {dstip} {nosuch} {0} {srcip.__class__} to "


def test_hands_and_applied_rules_go_before_the_file(settings: Settings, write: Rules) -> None:
    write(
        rule("{field: dport, op: eq, value: 443}", "3", "b"),
        rule("{field: sport, op: eq, value: 1}", "low", "a"),
        rule("{field: sport, op: leq, value: 2}", "medium", "c"),
    )
    publish(settings, "flow", [{"sport": n, "dport": 443} for n in range(1, 5)])
    opened = day(settings)
    assert severities(opened) == [2, 2, 3, 3]
    assert [each.rule and each.rule.id for each in opened.rows()] == ["c", "c", "b", "b"]
    opened.label_ranks([0], 1)
    opened.clear_ranks([2])
    assert severities(opened) == [1, 2, 0, 3]
    assert opened.values("sport").values == [3]
    # Only open rows: those that nobody and no rule has scored.
    assert opened.label("fields", {"dport": 443}, 1, only_open=True).changed == 1
    assert severities(opened) == [1, 2, 1, 3]


def test_replies_count_what_rules_have_scored(settings: Settings, write: Rules) -> None:
    write(rule("{field: ibyt, op: leq, value: 2}", "low"))
    publish(settings, "flow", [{"ibyt": n} for n in (1, 2, 3)])
    opened = day(settings)
    same = opened.label("fields", {"dport": 443}, "low", dry_run=True)
    assert (same.matched, same.changed, same.scored) == (3, 1, {Severity.LOW: 2})
    again = opened.label_ranks([0, 1], "low")
    assert (again.changed, again.scored) == (0, {Severity.LOW: 2})
    assert opened.undo().changed == 0
    cleared = opened.clear("fields", {"dport": 443})
    assert (cleared.changed, cleared.scored, severities(opened)) == (2, {Severity.LOW: 2}, [0] * 3)
    assert opened.undo().changed == 2
    assert severities(opened) == [3, 3, 0]


def test_equal_rows_that_a_rule_tells_apart_are_counted_apart(
    settings: Settings, write: Rules
) -> None:
    write(rule("{field: score, op: leq, value: 0.01}", "low"))
    publish(settings, "flow", [{"score": 1e-9}, {"score": 0.5}])
    reply = day(settings).label_ranks([0, 1], "low", dry_run=True)
    assert (reply.matched, reply.changed, reply.scored) == (2, 1, {Severity.LOW: 1})


def test_a_rule_is_applied_for_good(settings: Settings, write: Rules) -> None:
    write(
        rule("{field: sport, op: leq, value: 2}", "1", "x", more="title: low ports"),
        rule("{field: sport, op: eq, value: 1}", "2", "y", more="enabled: false"),
    )
    publish(settings, "flow", [{"sport": n} for n in range(1, 5)])
    opened = day(settings)
    opened.label_ranks([0], 3)
    tried = [(found.id, meant, reply.changed) for found, meant, reply in opened.try_standing()]
    assert tried == [("x", 2, 1), ("y", 1, 0)]
    assert len(opened.actions()) == 1
    reply = opened.apply_standing("x")
    assert reply.action is not None
    assert (reply.action.via, reply.action.rule_id) == ("rule", "x")
    assert severities(opened) == [3, 1, 0, 0]
    assert opened.apply_standing("x").action is None
    with pytest.raises(UsageError, match=r"rule 'z' is not in the rule file: x, y"):
        opened.apply_standing("z")
    (settings.rules_dir / "flow.yml").unlink()
    assert severities(day(settings)) == [3, 1, 0, 0]


def test_a_broken_file_names_itself(settings: Settings) -> None:
    settings.rules_dir.mkdir(parents=True)
    (settings.rules_dir / "flow.yml").write_text("id: [")
    publish(settings, "flow", [{}])
    with pytest.raises(ConfigError, match=r"rule file .*flow\.yml"):
        day(settings)


def test_the_folder_of_rules_lies_below_the_context(tmp_path: Path, settings: Settings) -> None:
    assert settings.rules_dir == settings.context_dir / "rules"
