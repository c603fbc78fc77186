"""Undo, reset, and what is kept of all that was done."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from analyst import state
from analyst.actions import Action, Kind, Via, to_json
from analyst.store import SqliteStore
from spot_oa.errors import UsageError
from spot_oa.settings import Settings
from tests.support.labelled import DATE, day, publish, severities
from tests.support.published import digests

X = "198.51.100.7"


@pytest.fixture
def flow(settings: Settings) -> Settings:
    publish(settings, "flow", [{"srcip": X, "sport": 1 + i} for i in range(40)] + [{}])
    return settings


def test_undo_takes_back_an_action_whole(flow: Settings) -> None:
    opened = day(flow)
    opened.label("fields", {"sport": 1}, 3)
    opened.label("ip", {"ip": X}, 1)
    undone = opened.undo(note="wrong host")
    assert undone.changed == 40
    assert severities(opened) == [3] + [0] * 40
    assert undone.action is not None
    opened.undo(undone.action.action_id)
    assert severities(opened) == [1] * 40 + [0]


def test_undo_again_takes_back_the_one_before(flow: Settings) -> None:
    opened = day(flow)
    opened.label("fields", {"sport": 1}, 3)
    opened.label("ip", {"ip": X}, 1)
    opened.undo()
    opened.undo()
    assert severities(opened) == [0] * 41
    with pytest.raises(UsageError, match="ann has no action on flow 2016-07-08"):
        opened.undo()


def test_anothers_action_needs_its_id(flow: Settings) -> None:
    day(flow, author="bob").label("ip", {"ip": X}, 1)
    opened = day(flow, author="ann")
    with pytest.raises(UsageError, match="give an action id to undo another author's"):
        opened.undo()
    (action,) = opened.actions()
    opened.undo(action.short_id)
    assert severities(opened) == [0] * 41
    with pytest.raises(UsageError, match="is no longer in effect"):
        opened.undo(action.short_id)


def test_unknown_and_foreign_actions_are_not_undone(flow: Settings) -> None:
    other = DATE + dt.timedelta(days=1)
    publish(flow, "flow", [{}], date=other)
    for asked in ("nosuch", "", "\x1b"):
        with pytest.raises(UsageError, match="does not match any action"):
            day(flow).undo(asked)
    reply = day(flow, date=other).label_ranks([0], 1)
    assert reply.action is not None
    with pytest.raises(UsageError, match="belongs to flow 2016-07-09, not flow 2016-07-08"):
        day(flow).undo(reply.action.short_id)
    assert day(flow).actions() == []


def test_reset_takes_back_every_label_and_can_be_undone(flow: Settings) -> None:
    scores = flow.data_dir / "flow" / "20160708"
    before = digests(scores)
    day(flow, author="bob").label("fields", {"sport": 1}, 3)
    opened = day(flow)
    opened.label("ip", {"ip": X}, 1)
    for confirm in (None, "2016-07-08", "20160709", ""):
        with pytest.raises(UsageError, match="would take back 2 labels of 2 authors"):
            opened.reset(confirm)
    assert len(opened.actions()) == 2
    reply = opened.reset("20160708")
    assert reply.changed == 40
    assert "reset 2 labels of 2 authors" in str(reply)
    assert severities(opened) == [0] * 41
    assert opened.values("srcip").total == 2
    assert opened.feedback().lines == []
    assert opened.reset("20160708").action is None
    assert reply.action is not None
    opened.undo(reply.action.short_id)
    assert severities(opened) == [1] * 40 + [0]
    assert digests(scores) == before


def test_restoring_is_a_reset_or_an_undo_of_what_came_after(flow: Settings) -> None:
    opened = day(flow)
    opened.label("fields", {"sport": 1}, 3)
    before = severities(opened)
    second = opened.label("ip", {"ip": X}, 1).action
    assert second is not None
    day(flow, author="bob").clear_ranks([5])
    undone = opened.undo(second.action_id).action
    assert undone is not None
    opened.label_ranks([7], 2)
    scored = severities(opened)
    replies = opened.restore(before=undone.short_id)
    assert len(replies) == 2
    assert severities(opened) == [1] * 5 + [0] + [1] * 34 + [0]
    opened.undo(replies[1].action.action_id if replies[1].action else None)
    opened.undo(replies[0].action.action_id if replies[0].action else None)
    assert severities(opened) == scored
    opened.restore(before=second.short_id)
    assert severities(opened) == before
    with pytest.raises(UsageError, match="confirm with"):
        opened.restore()
    assert severities(opened) == before
    opened.restore(confirm="20160708")
    assert severities(opened) == [0] * 41
    other = DATE + dt.timedelta(days=1)
    publish(flow, "flow", [{}], date=other)
    with pytest.raises(UsageError, match="belongs to flow 2016-07-08, not flow 2016-07-09"):
        day(flow, date=other).restore(before=second.short_id)


def test_reset_leaves_other_days_and_stories_alone(flow: Settings) -> None:
    other = DATE + dt.timedelta(days=1)
    publish(flow, "flow", [{}], date=other)
    publish(flow, "proxy", [{}])
    day(flow, date=other).label_ranks([0], 1)
    day(flow, "proxy").label_ranks([0], 1)
    opened = day(flow)
    opened.label("ip", {"ip": X}, 1)
    told = to_json({"anchor_kind": "ip", "anchor": X, "title": "t", "text": "x"})
    story = Action("ann", "cli", "flow", "2016-07-08", Kind.STORY, payload=told)
    SqliteStore(flow.analyst_db).append("flow", "2016-07-08", lambda _: story)
    opened.reset("20160708")
    assert severities(day(flow, date=other)) == [1]
    assert severities(day(flow, "proxy")) == [1]
    assert Kind.STORY in {each.kind for each in state.alive(opened.actions())}
    reply = opened.reset("20160708", with_stories=True)
    assert Kind.STORY not in {each.kind for each in state.alive(opened.actions())}
    assert reply.action is not None
    opened.undo(reply.action.short_id)
    assert Kind.STORY in {each.kind for each in state.alive(opened.actions())}


def test_a_hand_goes_before_a_rule_whatever_the_time(flow: Settings) -> None:
    opened = day(flow)
    opened.clear("fields", {"sport": 1})
    opened.apply_rules(["eq"] * 6, [X, "", "", "", "", ""], 2)
    assert severities(opened) == [0] + [2] * 39 + [0]
    opened.label("fields", {"sport": 2}, 1)
    assert severities(opened)[:3] == [0, 1, 2]
    again = opened.apply_rules(["eq"] * 6, [X, "", "", "", "", ""], 2)
    assert (again.action, again.changed) == (None, 0)


def test_a_clear_opens_the_rows_again(flow: Settings) -> None:
    opened = day(flow)
    opened.label("ip", {"ip": X}, 1)
    reply = opened.clear("fields", {"sport": 1})
    assert (reply.matched, reply.changed, reply.scored) == (1, 1, {1: 1})
    assert severities(opened)[:2] == [0, 1]
    assert X in opened.values("srcip").values


def test_rows_of_another_result_are_orphans_until_they_are_back(flow: Settings) -> None:
    opened = day(flow)
    opened.label("fields", {"sport": 40}, 1)
    publish(flow, "flow", [{"srcip": X, "sport": 1}], run_id="run2")
    assert len(day(flow).orphans()) == 1
    assert severities(day(flow)) == [0]
    publish(flow, "flow", [{"srcip": X, "sport": 40, "score": 0.5}, {"srcip": X}], run_id="run3")
    assert day(flow).orphans() == []
    assert severities(day(flow)) == [1, 0]


def test_export_and_import_give_the_same_state(flow: Settings, tmp_path: Path) -> None:
    day(flow, author="bob").label("fields", {"sport": 1}, 3, note="n\u2028\n'")
    opened = day(flow)
    opened.label("ip", {"ip": X}, 1)
    opened.undo()
    store = SqliteStore(flow.analyst_db)
    lines = list(store.export())
    copy = SqliteStore(tmp_path / "copy.sqlite")
    assert copy.import_lines(lines, "x") == (3, 0)
    assert copy.import_lines(lines, "x") == (0, 3)
    old, new = store.actions("flow", "2016-07-08"), copy.actions("flow", "2016-07-08")
    told = [(a.author, a.recorded_at, a.action_id, a.rows, a.note) for a in old]
    assert [(a.author, a.recorded_at, a.action_id, a.rows, a.note) for a in new] == told
    assert {each.made_with for each in new} == {"import"}
    assert {row: a.action_id for row, a in state.marks(old).items()} == {
        row: a.action_id for row, a in state.marks(new).items()
    }
    assert list(store.export("proxy")) == []
    assert len(list(store.export("flow", "2016-07-08"))) == 3


# -- the rule against a slow reading of it ---------------------------------------------------

ROWS = [(key, "row") for key in "abc"]


@st.composite
def histories(draw: st.DrawFn) -> list[Action]:
    actions: list[Action] = []
    for seq in range(1, draw(st.integers(0, 12)) + 1):
        kind = draw(st.sampled_from([Kind.LABEL, Kind.LABEL, Kind.CLEAR, Kind.UNDO, Kind.RESET]))
        if kind == Kind.UNDO and not actions:
            continue
        actions.append(
            Action(
                "ann",
                "cli",
                "flow",
                "2016-07-08",
                kind,
                severity={Kind.LABEL: draw(st.integers(1, 3)), Kind.CLEAR: 0}.get(kind),
                via=draw(st.sampled_from([Via.HAND, Via.RULE])),
                refers_to=draw(st.sampled_from(actions)).action_id if kind == Kind.UNDO else None,
                action_id=f"id{seq}",
                seq=seq,
                rows=frozenset(draw(st.sets(st.sampled_from(ROWS)))),
            )
        )
    return actions


def _holds(action: Action, actions: list[Action]) -> bool:
    """Whether nothing later that holds takes it back, told from its end."""
    later = [each for each in actions if each.seq > action.seq and _holds(each, actions)]
    taken = any(each.refers_to == action.action_id for each in later)
    reset = any(each.kind == Kind.RESET for each in later)
    return not taken and not (reset and action.kind in (Kind.LABEL, Kind.CLEAR))


@given(histories())
@hypothesis_settings(deadline=None, suppress_health_check=list(HealthCheck))
def test_what_holds(actions: list[Action]) -> None:
    living = [each for each in actions if _holds(each, actions)]
    assert state.alive(actions) == living
    marks = state.marks(actions)
    for row in ROWS:
        on_row = [a for a in living if a.severity is not None and row in a.rows]
        hands = [a for a in on_row if a.via == Via.HAND]
        latest = max(hands or on_row, key=lambda a: a.seq, default=None)
        assert marks.get(row) == latest
