"""What a story is of, which one holds, and what is landed of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analyst import state
from analyst.actions import LIMITS, Action, Kind, from_line, to_json, to_line
from analyst.landed import story_rows
from analyst.store import SqliteStore
from spot_oa.errors import UsageError
from spot_oa.pipelines import get_pipeline
from spot_oa.settings import Settings
from spot_oa.warehouse.tables import triage_tables
from tests.support.hostile import HOSTILE
from tests.support.labelled import day, publish

V6 = "2001:db8::5"


def landed(settings: Settings, pipeline: str = "flow") -> list[dict[str, Any]]:
    table = triage_tables(get_pipeline(pipeline))["stories"]
    return story_rows(table, day(settings, pipeline).actions()).to_pylist()


def test_an_anchor_is_found_however_it_is_typed(settings: Settings) -> None:
    publish(settings, "flow", [{"srcip": V6}, {"dstip": "10.1.1.1"}])
    publish(settings, "dns", [{"dns_qry_name": "a.example"}, {"ip_dst": "a.example"}])
    publish(settings, "proxy", [{"fulluri": "x.com/A"}])
    flow, dns, proxy = (day(settings, name) for name in ("flow", "dns", "proxy"))
    assert flow.find_anchor("2001:DB8:0::5") == ("ip", V6)
    assert flow.find_anchor(" 10.1.1.1 ") == ("ip", "10.1.1.1")
    assert dns.find_anchor("A.EXAMPLE.", "query") == ("query", "a.example")
    assert dns.find_anchor("10.0.0.5") == ("client", "10.0.0.5")
    assert proxy.find_anchor("x.com/A") == ("uri", "x.com/A")
    with pytest.raises(UsageError, match="is client and query on"):
        dns.find_anchor("a.example")
    for opened, anchor in ((flow, "10.0.0.0/8"), (flow, "10.9.9.9"), (proxy, "x.com/a"), (dns, "")):
        with pytest.raises(UsageError, match="is not in any row of"):
            opened.find_anchor(anchor)
    with pytest.raises(UsageError, match="use one of ip"):
        flow.find_anchor("10.1.1.1", "uri")


def test_the_last_one_saved_holds(settings: Settings) -> None:
    publish(settings, "flow", [{"srcip": V6}, {"dstip": "10.1.1.1"}])
    opened = day(settings)
    opened.save_story("ip", V6, "first", "x")
    opened.save_story("ip", "10.1.1.1", "o'ther\n'line'", "o'ne\n'two'", top_results=7)
    opened.save_story("ip", V6, "second", "x")
    rows = landed(settings)
    assert [(row["title"], row["alive"]) for row in rows] == [
        ("first", 0), ("o'ther\n'line'", 1), ("second", 1),
    ]  # fmt: skip
    assert (rows[1]["text"], rows[1]["top_results"], rows[0]["top_results"]) == (
        "o'ne\n'two'",
        7,
        20,
    )
    assert [row["action_seq"] for row in rows] == [1, 2, 3]
    opened.undo()
    assert [row["alive"] for row in landed(settings)] == [1, 1, 0]
    opened.remove_story("ip", V6)
    assert [row["alive"] for row in landed(settings)] == [0, 1, 0]
    # Whose row is gone after a rerun can still be removed, and its story stays until then.
    publish(settings, "flow", [{}], run_id="run2")
    again = day(settings)
    assert again.find_anchor("10.1.1.1", with_story=True) == ("ip", "10.1.1.1")
    with pytest.raises(UsageError, match="is not in any row of"):
        again.find_anchor("10.1.1.1")
    again.reset("20160708")
    assert [row["alive"] for row in landed(settings)] == [0, 1, 0]
    again.reset("20160708", with_stories=True)
    assert [row["alive"] for row in landed(settings)] == [0, 0, 0]


@pytest.mark.parametrize("pipeline", ["flow", "dns", "proxy"])
def test_hostile_titles_texts_and_anchors_are_stored_landed_and_exported_verbatim(
    settings: Settings, tmp_path: Path, pipeline: str
) -> None:
    kind, column = {
        "flow": ("ip", "dstip"), "dns": ("query", "dns_qry_name"), "proxy": ("uri", "fulluri"),
    }[pipeline]  # fmt: skip
    publish(settings, pipeline, [{column: text} for text in HOSTILE])
    opened = day(settings, pipeline)
    told = [(text, text[: LIMITS["title"]], text[: LIMITS["text"]]) for text in HOSTILE]
    for anchor, title, text in told:
        opened.save_story(kind, anchor, title, text)
    stories = opened.saved_stories()
    assert [(each.anchor, each.title, each.text) for each in stories] == told
    rows = landed(settings, pipeline)
    assert [(row["anchor"], row["title"], row["text"]) for row in rows] == told
    assert {row["alive"] for row in rows} == {1}
    # As `actions.jsonl` and `labels export` have them.
    actions = opened.actions()
    lines = [to_line(each) for each in actions]
    assert not [line for line in lines if "\n" in line]
    assert [from_line(line) for line in lines] == actions
    file = tmp_path / "actions.jsonl"
    file.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    assert file.read_bytes().count(b"\n") == len(told)
    other = SqliteStore(tmp_path / "other.sqlite")
    read = file.read_bytes().decode("utf-8").removesuffix("\n").split("\n")
    assert other.import_lines(read, str(file)) == (len(told), 0)
    taken = other.actions(pipeline, "2016-07-08")
    assert [
        (content["anchor"], content["title"], content["text"])
        for content in map(state.story_content, taken)
    ] == told
    assert list(other.export(pipeline)) == [
        to_line(replace(each, made_with="import")) for each in actions
    ]


@pytest.mark.parametrize(
    "payload",
    [
        None,
        "no json",
        "[]",
        '{"title":"t"}',
        to_json({"anchor_kind": "ip", "anchor": " ", "title": "t", "text": "x"}),
        to_json({"anchor_kind": "ip", "anchor": "a", "title": "t", "text": " \n"}),
        to_json({"anchor_kind": "ip", "anchor": "a", "title": "t", "text": 7}),
        to_json({"anchor_kind": "ip", "anchor": "a", "title": "t" * 201, "text": "x"}),
    ],
)
def test_an_import_of_a_story_that_cannot_be_is_refused(
    settings: Settings, payload: str | None
) -> None:
    told = Action("ann", "cli", "flow", "2016-07-08", Kind.STORY, payload=payload)
    store = SqliteStore(settings.analyst_db)
    with pytest.raises(UsageError):
        store.import_lines([to_line(told)], "there")
    assert store.actions("flow", "2016-07-08") == []


def test_a_story_without_a_number_of_peers_has_the_usual(settings: Settings) -> None:
    said = {"anchor_kind": "ip", "anchor": "a", "title": "t", "text": "x"}
    table = triage_tables(get_pipeline("flow"))["stories"]
    for given, meant in ((None, 20), (0, 20), ("5", 20), (10**9, 20), (True, 20), (5, 5)):
        told = to_json(said | {"top_results": given})
        action = Action("ann", "cli", "flow", "2016-07-08", Kind.STORY, seq=1, payload=told)
        (row,) = story_rows(table, [action]).to_pylist()
        assert row["top_results"] == meant, given
    assert state.story_content(action) == json.loads(told)
