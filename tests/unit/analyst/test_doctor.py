"""What `spot-oa doctor` says of labels, rules and feedback."""

from __future__ import annotations

import datetime as dt

import pytest

from analyst import store as stores
from analyst.store import open_store
from analyst.suppressions import suppress, suppression
from flows.cli.doctor import State, examine
from spot_oa.pipelines import get_pipeline
from spot_oa.settings import Settings
from tests.support.labelled import day, publish


def found(settings: Settings) -> dict[str, State]:
    words = ("labels in", "rules of", "rule file", "feedback")
    return {line: state for state, line in examine(settings) if line.startswith(words)}


def of_the_store(settings: Settings) -> tuple[State, str]:
    (line,) = [line for line in found(settings) if line.startswith("labels in")]
    return found(settings)[line], line


def test_nothing_yet(settings: Settings) -> None:
    assert found(settings) == {
        f"labels in {settings.analyst_db}: no actions": State.OK,
        "feedback to the scorer: off, SPOT_OA_FEEDBACK_URI is not set": State.OK,
    }
    assert not settings.analyst_db.exists()


def test_actions_rules_and_feedback(settings: Settings) -> None:
    publish(settings, "flow", [{}])
    day(settings).label_ranks([0], 1)
    settings.rules_dir.mkdir(parents=True)
    rule = "- {id: x, when: [{field: dport, op: eq, value: 1}], severity: low, enabled: true}\n"
    (settings.rules_dir / "flow.yml").write_text(rule)
    (settings.rules_dir / "dns.yml").write_text(rule)
    given = settings.model_copy(update={"feedback_uri": "hdfs://ann:secret@ml/user/spot"})
    lines = found(given)
    late = "1 actions, 1 days to refresh: `spot-oa refresh --pending`"
    assert lines.pop(f"labels in {settings.analyst_db}: {late}") is State.OK
    assert lines.pop(f"rules of flow in {settings.rules_dir}: 1, 1 on") is State.OK
    (broken,) = [line for line in lines if line.startswith("rule file")]
    assert lines.pop(broken) is State.UNUSABLE
    assert "rules cannot use the column 'dport'" in broken
    ends = "spot-ml 1.0 fails at the first Low row"
    assert lines == {
        "feedback to the scorer of proxy, dns: below hdfs://ml/user/spot": State.OK,
        f"feedback of flow: not delivered, because {ends} (docs/labels.md)": State.OK,
    }
    named = given.model_copy(update={"feedback_pipelines": ("flow",)})
    assert f"feedback of flow: {ends}; a fixed reader is needed" in found(named)


def test_suppressions_without_a_row_are_named(settings: Settings) -> None:
    today = dt.datetime.now(dt.UTC).date()
    publish(settings, "flow", [{}], date=today)
    flow, store = get_pipeline("flow", settings.pipelines_dir), open_store(settings)
    asked = {"column": "dstip", "cidr": "192.0.2.0/24"}
    kept = suppression(flow, asked, reason="ours", today=today)
    made = suppress(store, flow, kept, reason="ours", author="ann", made_with="cli")
    (line,) = [line for _, line in examine(settings) if line.startswith("suppressions of flow")]
    assert line.endswith(f": 1 in effect today, without a row in 30 days: {made.short_id}")


def test_a_store_that_keeps_no_promises(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "file_system", lambda _: "nfs4")
    state, line = of_the_store(settings)
    assert state is State.UNUSABLE
    assert "is on a network file system (nfs4)" in line
    assert "SPOT_OA_ANALYST_JOURNAL=delete" in line
    monkeypatch.undo()
    settings.analyst_db.parent.mkdir(parents=True, exist_ok=True)
    settings.analyst_db.write_bytes(b"no store" * 1000)
    state, line = of_the_store(settings)
    assert state is State.UNUSABLE
    assert "file is not a database" in line
