"""What analysts click on, without a kernel and without a browser."""

from __future__ import annotations

import datetime as dt
import html
import json
from collections.abc import Sequence
from typing import Any

import pytest

from analyst.actions import Severity
from analyst.panels import EdgePanel, ThreatPanel, TriageTable, together
from analyst.panels.scoring import Scoring
from analyst.store import open_store
from analyst.suppressions import suppress, suppression
from analyst.workbench import Workbench, open_day
from spot_oa.errors import UsageError
from spot_oa.pipelines import get_pipeline
from spot_oa.settings import Settings
from tests.support.labelled import publish, severities
from tests.support.markup import HOSTILE

X, Y = "198.51.100.7", "203.0.113.9"


def bench(settings: Settings, pipeline: str = "flow", author: str = "ann") -> Workbench:
    return open_day(pipeline, "2016-07-08", settings=settings, author=author)


def options(panel: EdgePanel, name: str) -> list[Any]:
    return [value for _, value in panel.lists[name].select.options][1:]


def said(line: Any) -> str:
    """What a line of words shows."""
    return html.unescape(line.value.partition(">")[2].removesuffix("</div>"))


def choose(panel: EdgePanel, **values: object) -> None:
    for name, value in values.items():
        panel.lists[name].select.value = value


@pytest.fixture
def flow(settings: Settings) -> Settings:
    publish(
        settings,
        "flow",
        [
            {"srcip": X, "dport": 443},
            {"srcip": X, "dport": 80},
            {"srcip": Y, "dstip": X, "dport": 0},
            {"srcip": Y, "dport": None},
        ],
    )
    return settings


@pytest.fixture
def panel(flow: Settings) -> EdgePanel:
    return EdgePanel(bench(flow))


def test_lists_have_open_values_most_suspicious_first(panel: EdgePanel) -> None:
    assert [each.title for each in panel.model.columns] == [
        "Source IP",
        "Dest IP",
        "Src Port",
        "Dst Port",
    ]
    assert options(panel, "srcip") == [X, Y]
    # A missing port is not listed, port 0 is a port.
    assert options(panel, "dport") == [443, 80, 0]
    assert said(panel.lists["srcip"].count) == "Source IP: 2 of 2"


def test_nothing_is_chosen_at_first_and_nothing_can_be_scored(panel: EdgePanel) -> None:
    assert panel.severity.value is None
    assert panel.score.disabled
    panel.score.click()
    assert "nothing scored: choose a severity" in said(panel.message)
    panel.severity.value = Severity.LOW
    assert panel.score.disabled
    panel.score.click()
    assert "nothing selected" in said(panel.message)
    panel.severity.value = None
    choose(panel, srcip=X)
    assert panel.score.disabled
    assert said(panel.preview) == "2 rows; choose a severity"
    assert panel.model.day.actions() == []


def test_a_score_is_an_action_and_the_value_leaves_its_list(panel: EdgePanel) -> None:
    choose(panel, srcip=X)
    panel.severity.value = Severity.LOW
    panel.note.value = "backup"
    assert not panel.score.disabled
    panel.score.click()
    (action,) = panel.model.day.actions()
    assert (action.author, action.made_with, action.note) == ("ann", "notebook", "backup")
    assert said(panel.message) == f"2 rows scored Low (action {action.short_id}). 2 open."
    assert options(panel, "srcip") == [Y]
    assert (panel.severity.value, panel.note.value, panel.lists["srcip"].select.value) == (
        None,
        "",
        None,
    )
    panel.undo.click()
    assert said(panel.message) == "Undone: 2 rows restored."
    assert options(panel, "srcip") == [X, Y]


def test_lists_are_combined(panel: EdgePanel) -> None:
    choose(panel, srcip=X, dport=80)
    panel.severity.value = Severity.HIGH
    assert said(panel.preview) == "1 row"
    panel.score.click()
    assert severities(panel.model.day) == [0, 1, 0, 0]


def test_port_0_can_be_chosen_and_is_no_missing_port(panel: EdgePanel) -> None:
    choose(panel, dport=0)
    panel.severity.value = Severity.HIGH
    assert said(panel.preview) == "1 row"
    panel.score.click()
    assert severities(panel.model.day) == [0, 0, 1, 0]
    assert options(panel, "dport") == [443, 80]


def test_what_is_typed_goes_before_the_lists(panel: EdgePanel) -> None:
    choose(panel, srcip=Y)
    panel.quick.value = f" {X} "
    assert panel.lists["srcip"].select.disabled
    assert said(panel.preview) == "3 rows; the lists are ignored; choose a severity"
    panel.severity.value = Severity.MEDIUM
    panel.score.click()
    assert severities(panel.model.day) == [2, 2, 2, 0]
    assert not panel.lists["srcip"].select.disabled


@pytest.mark.parametrize("text", ["abc", "10.0.0."])
def test_what_is_no_address_scores_nothing(panel: EdgePanel, text: str) -> None:
    panel.quick.value = text
    panel.severity.value = Severity.LOW
    assert "is not an address" in said(panel.preview)
    assert panel.score.disabled


def test_scored_rows_are_told_before_and_left_alone_if_asked(panel: EdgePanel) -> None:
    panel.model.day.label("fields", {"srcip": X, "dport": 443}, "high")
    panel.quick.value = X
    assert "3 rows, 1 already scored (1 High)" in said(panel.preview)
    panel.only_open.value = True
    assert "scored rows are skipped" in said(panel.preview)
    panel.severity.value = Severity.LOW
    panel.score.click()
    assert severities(panel.model.day) == [1, 3, 3, 0]
    panel.quick.value, panel.only_open.value, panel.severity.value = X, True, Severity.LOW
    panel.score.click()
    assert said(panel.message) == "Nothing scored: 3 rows, 3 already scored (2 Low, 1 High)"


def test_a_list_is_cut_and_its_filter_finds_all(settings: Settings) -> None:
    publish(settings, "flow", [{"srcip": f"198.18.{n // 250}.{n % 250}"} for n in range(600)])
    shown = EdgePanel(bench(settings))
    assert len(options(shown, "srcip")) == 250
    assert said(shown.lists["srcip"].count) == "Source IP: 250 of 600"
    shown.lists["srcip"].find.value = "198.18.2.99"
    assert options(shown, "srcip") == ["198.18.2.99"]
    assert len(options(EdgePanel(bench(settings), coff=10), "srcip")) == 10


@pytest.mark.parametrize("coff", [0, -1])
def test_a_list_of_nothing_is_refused(flow: Settings, coff: int) -> None:
    with pytest.raises(UsageError, match=f"COFF {coff}"):
        EdgePanel(bench(flow), coff=coff)


def test_two_people_see_what_the_other_did(flow: Settings) -> None:
    ann, bob = EdgePanel(bench(flow)), EdgePanel(bench(flow, author="bob"))
    choose(bob, srcip=X)
    bob.severity.value = Severity.LOW
    bob.score.click()
    choose(ann, srcip=X)
    ann.severity.value = Severity.HIGH
    ann.score.click()
    assert "2 of 2 rows: bob scored them Low at" in said(ann.message)
    assert severities(ann.model.day) == [1, 1, 0, 0]
    assert options(bob, "srcip") == [Y]
    ann.undo.click()
    bob.refresh.click()
    assert options(bob, "srcip") == [Y]


# -- dns and proxy ------------------------------------------------------------------------------


@pytest.fixture
def dns(settings: Settings) -> Settings:
    rows = [("10.0.0.1", "a.evil.com"), ("10.0.0.1", "good.org"), ("10.0.0.2", "A.EVIL.com.")]
    publish(settings, "dns", [{"ip_dst": ip, "dns_qry_name": name} for ip, name in rows])
    return settings


def test_a_client_and_a_name_are_one_label_or_each_its_own(dns: Settings) -> None:
    shown = EdgePanel(bench(dns, "dns"))
    assert shown.model.has_each
    choose(shown, ip_dst="10.0.0.1", dns_qry_name="a.evil.com")
    shown.severity.value = Severity.HIGH
    shown.score.click()
    assert severities(shown.model.day, "dns_sev") == [1, 0, 0]
    shown.undo.click()
    choose(shown, ip_dst="10.0.0.1", dns_qry_name="a.evil.com")
    shown.severity.value = Severity.HIGH
    shown.each.value = True
    shown.score.click()
    assert severities(shown.model.day, "dns_sev") == [1, 0, 1]
    assert severities(shown.model.day, "ip_sev") == [1, 1, 0]
    # Its client is scored, its names are not.
    assert options(shown, "ip_dst") == ["10.0.0.2"]
    assert options(shown, "dns_qry_name") == ["good.org"]


def test_of_two_choices_both_are_scored_or_none(dns: Settings) -> None:
    model = Scoring(bench(dns, "dns"))
    model.choices.update(ip_dst="10.0.0.1", dns_qry_name="")
    model.each, model.severity = True, Severity.LOW
    assert model.score() == "nothing selected: dns_qry_name is empty"
    assert model.day.actions() == []


def test_a_name_that_is_typed_means_all_below_it(dns: Settings) -> None:
    shown = EdgePanel(bench(dns, "dns"))
    shown.quick.value = "evil.com"
    assert said(shown.preview).startswith("2 rows")


@pytest.fixture
def proxy(settings: Settings) -> Settings:
    rows = [("10.0.0.1", "x.com/%2F"), ("10.0.0.2", "x.com/%2F"), ("10.0.0.1", "x.com//")]
    publish(settings, "proxy", [{"clientip": ip, "fulluri": uri} for ip, uri in rows])
    return settings


def test_clients_follow_the_uri_that_is_chosen(proxy: Settings) -> None:
    shown = EdgePanel(bench(proxy, "proxy"))
    assert not shown.model.has_each
    assert shown.lists["clientip"].select.disabled
    assert options(shown, "clientip") == []
    choose(shown, fulluri="x.com/%2F")
    assert options(shown, "clientip") == ["10.0.0.1", "10.0.0.2"]
    choose(shown, clientip="10.0.0.2")
    shown.severity.value = Severity.LOW
    shown.score.click()
    assert severities(shown.model.day) == [0, 3, 0]
    assert not shown.lists["fulluri"].select.disabled


def test_a_full_uri_that_is_typed_is_compared_whole(proxy: Settings) -> None:
    shown = EdgePanel(bench(proxy, "proxy"))
    shown.quick.value = "x.com//"
    assert said(shown.preview).startswith("1 row;")


# -- rows ---------------------------------------------------------------------------------------


def press(table: TriageTable, places: Sequence[int], severity: int, like: str | None = None) -> str:
    run = table.table["run"]
    message = {"do": "score", "run": run, "at": list(places), "severity": severity}
    table.ask(message | ({} if like is None else {"like": like}))
    return str(table.said["text"])


def test_rows_are_scored_by_their_places_and_both_panels_follow(flow: Settings) -> None:
    day = bench(flow)
    panel, table = EdgePanel(day), TriageTable(day)
    together(panel, table)
    assert "2 rows scored High" in press(table, [0, 1], 1)
    assert [mark[:2] for mark in table.marks[:3]] == [[1, "High"], [1, "High"], [0, ""]]
    assert options(panel, "srcip") == [Y]
    panel.undo.click()
    assert [mark[0] for mark in table.marks] == [0, 0, 0, 0]
    press(table, [3], 3)
    table.ask({"do": "undo"})
    assert table.said["text"] == "Undone: 1 row restored."


def published_backwards(settings: Settings) -> None:
    """Publish the rows of `flow` again, in the opposite order."""
    rows = [{"srcip": Y, "dport": None}, {"srcip": Y, "dstip": X, "dport": 0}]
    rows += [{"srcip": X, "dport": 80}, {"srcip": X, "dport": 443}]
    publish(settings, "flow", rows, run_id="run2")


AGAIN = "flow 2016-07-08 was published again"


def test_a_preview_that_reads_new_rows_says_so_and_the_table_shows_them(flow: Settings) -> None:
    day = bench(flow)
    panel, table = EdgePanel(day), TriageTable(day)
    table.ask({"do": "look", "at": 1})
    before = table.table
    published_backwards(flow)
    panel.quick.value = X
    assert said(panel.preview).startswith(f"{AGAIN} meanwhile; these are the new rows; 3 rows")
    assert (before["run"], table.table["run"]) == ("run1", "run2")
    assert [row["cells"] for row in table.table["rows"]] != [row["cells"] for row in before["rows"]]
    assert dict(table.detail["fields"])["dport"] == "0"
    # A click on the page as it was before means rows of that page.
    click = {"do": "score", "run": before["run"], "at": [0], "severity": 3}
    for message in (click, click | {"like": "a"}):
        table.ask(message)
        assert table.said["text"].startswith(f"{AGAIN} after its rows were shown: nothing was")
    assert day.actions() == []
    assert "1 row scored Low" in press(table, [0], 3)
    assert severities(day) == [3, 0, 0, 0]
    panel.quick.value = ""
    assert AGAIN not in said(panel.preview)


@pytest.mark.parametrize("like", [None, "a"])
def test_a_click_after_the_day_was_published_again_labels_nothing(
    flow: Settings, like: str | None
) -> None:
    table = TriageTable(bench(flow))
    published_backwards(flow)
    assert press(table, [0], 3, like).startswith(f"{AGAIN} after its rows were shown: nothing was")
    assert table.table["run"] == "run2"
    assert table.rows.day.actions() == []


@pytest.mark.parametrize("call", ["explain", "try_rules", "label"])
def test_whatever_reads_new_rows_says_so_and_redraws(flow: Settings, call: str) -> None:
    day = bench(flow)
    table = TriageTable(day)
    published_backwards(flow)
    answer = {
        "explain": lambda: day.explain(0),
        "try_rules": lambda: day.try_rules([(["eq"] * 6, ["", "", "", "80", "", ""], 1)])[0],
        "label": lambda: day.label("ip", {"ip": X}, 1, dry_run=True),
    }[call]()
    assert f"{AGAIN} meanwhile; these are the new rows" in str(answer)
    assert table.table["run"] == "run2"
    assert day.actions() == []


def test_all_rows_of_a_source_are_one_action_with_its_selector(flow: Settings) -> None:
    table = TriageTable(bench(flow))
    assert table.table["likes"] == [["a", "source"], ["d", "destination"]]
    assert [row["like"][0] for row in table.table["rows"]] == [0, 0, 1, 1]
    press(table, [1], 1, like="a")
    (action,) = table.rows.day.actions()
    assert (action.match_kind, json.loads(action.selector or "")) == ("fields", {"srcip": X})
    assert action.row_count == 2


@pytest.mark.parametrize(
    ("pipeline", "key", "kind", "rows"),
    [("dns", "a", "client", 2), ("dns", "n", "query", 2), ("proxy", "a", "rows", 2),
     ("proxy", "n", "uri", 2)],
)  # fmt: skip
def test_all_like_this_in_dns_and_proxy(
    dns: Settings, proxy: Settings, pipeline: str, key: str, kind: str, rows: int
) -> None:
    table = TriageTable(bench(dns, pipeline))
    press(table, [0], 2, like=key)
    (action,) = table.rows.day.actions()
    assert (action.match_kind, action.row_count) == (kind, rows)


def test_what_is_behind_a_row_belongs_to_it(flow: Settings) -> None:
    table = TriageTable(bench(flow))
    for place in range(4):
        table.ask({"do": "look", "at": place})
        fields = dict(table.detail["fields"])
        assert table.detail["at"] == place
        assert fields["rank"] == str(place)
        said = table.rows.day.explain(place).topics
        for what in ("reputation", "that day", "seen"):
            told = [value for name, value in table.detail["fields"] if name == what]
            assert told == list(said[what]) != []
    table.ask({"do": "look", "at": 99})
    assert table.detail["fields"] == []


@pytest.mark.parametrize(
    "message",
    [
        {"do": "score", "at": [], "severity": 1},
        {"do": "score", "at": [99], "severity": 1},
        {"do": "score", "at": [-1], "severity": 1},
        {"do": "score", "at": [0], "severity": 4},
        {"do": "score", "at": [0], "severity": "'; drop"},
        {"do": "score", "at": [0], "severity": 1, "like": "zz"},
        {"do": "score", "at": ["0"], "severity": 1},
        {"do": "sing"},
        {},
    ],
)
def test_a_page_that_asks_nonsense_gets_a_line(flow: Settings, message: dict[str, Any]) -> None:
    table = TriageTable(bench(flow))
    table.ask(message)
    assert table.said["text"]
    assert table.rows.day.actions() == []


def test_a_day_without_rows_has_panels(settings: Settings) -> None:
    for pipeline in ("flow", "dns", "proxy"):
        publish(settings, pipeline, [])
        day = bench(settings, pipeline)
        table = TriageTable(day)
        assert (table.table["rows"], table.marks) == ([], [])
        assert "nothing selected" in said(EdgePanel(day).preview)
        assert "No row is scored High yet" in said(ThreatPanel(day).message)


def test_what_is_suppressed_is_counted_and_shown_on_demand(flow: Settings) -> None:
    panel, table = EdgePanel(bench(flow)), TriageTable(bench(flow))
    assert panel.aside.layout.display == "none"
    described = get_pipeline("flow")
    today = dt.date(2016, 7, 1)
    asked = {"column": "srcip", "exact": X}
    kept = suppression(described, asked, reason="<b>backup", today=today, first="20160701")
    store = open_store(flow)
    suppress(store, described, kept, reason="<b>backup", author="ann", made_with="cli")
    panel.refresh.click()
    assert panel.aside.description == "2 suppressed (show)"
    assert panel.suppressed.value.count("<tr>") == 0
    panel.aside.click()
    assert panel.aside.description == "2 suppressed (hide)"
    assert "&lt;b&gt;backup" in panel.suppressed.value
    assert panel.suppressed.value.count(X) >= 2
    table.ask({"do": "look", "at": 0})
    assert table.detail["fields"][0] == ["suppressed", "<b>backup (ann)"]
    assert bench(flow).state()["suppressed"] == 2


# -- stories ------------------------------------------------------------------------------------


def test_what_is_high_is_offered_sorted_by_number(flow: Settings) -> None:
    day = bench(flow)
    panel = ThreatPanel(day)
    assert panel.search.disabled
    day.label("fields", {"srcip": Y, "dport": 0}, "high")
    assert [value for _, value in panel.anchors.options][1:] == [("ip", X), ("ip", Y)]


def test_no_high_row_is_said_as_long_as_there_is_none(flow: Settings) -> None:
    day, none = bench(flow), "No row is scored High yet"
    day.label("ip", {"ip": X}, "low")
    panel = ThreatPanel(day)
    assert said(panel.message).startswith(none)
    day.label("fields", {"srcip": Y, "dport": 0}, "high")
    assert said(panel.message) == ""
    day.undo()
    assert said(panel.message).startswith(none)
    other = bench(flow, author="bob")
    other.label("ip", {"ip": Y}, "high")
    panel.refresh.click()
    assert said(panel.message) == ""
    other.undo()
    panel.refresh.click()
    assert said(panel.message).startswith(none)
    assert len(panel.anchors.options) == 1
    day.save_story("ip", X, "title", "text")
    panel.refresh.click()
    assert said(panel.message) == ""
    panel.anchors.value = ("ip", X)
    panel.remove.click()
    assert "removed" in said(panel.message)
    panel.refresh.click()
    assert said(panel.message).startswith(none)


def test_dns_offers_the_client_or_the_name_that_is_high(dns: Settings) -> None:
    day = bench(dns, "dns")
    panel = ThreatPanel(day)
    day.label("client", {"ip_dst": "10.0.0.2"}, "high")
    day.label("query", {"dns_qry_name": "good.org"}, "high")
    assert panel.anchors.options[1:] == (
        ("client 10.0.0.2", ("client", "10.0.0.2")),
        ("name good.org", ("query", "good.org")),
    )


def test_a_story_is_saved_replaced_and_removed(flow: Settings) -> None:
    day = bench(flow)
    day.label("ip", {"ip": X}, "high")
    panel = ThreatPanel(day)
    panel.anchors.value = ("ip", X)
    panel.save.click()
    assert "title is blank" in said(panel.message)
    panel.title.value, panel.text.value = "O'Brien's\thost", "first\nsecond '"
    panel.save.click()
    (story,) = day.saved_stories()
    assert (story.title, story.text) == ("O'Brien's\thost", "first\nsecond '")
    assert "Story saved" in said(panel.message)
    assert [label for label, _ in panel.anchors.options][1] == f"✎ {X}"
    panel.text.value = "again"
    panel.save.click()
    (story,) = day.saved_stories()
    assert (story.title, story.text, story.action.kind) == ("O'Brien's\thost", "again", "story")
    payload = json.loads(story.action.payload or "")
    assert payload["top_results"] == 20
    # It survives a reset of the labels, and says so.
    day.reset("20160708")
    assert ("(no longer High)" in panel.anchors.options[-1][0]) is True
    panel.anchors.value = ("ip", X)
    assert (panel.title.value, panel.text.value) == ("O'Brien's\thost", "again")
    panel.remove.click()
    assert day.saved_stories() == []
    assert panel.title.value == ""
    kinds = [each.kind for each in day.actions()]
    assert kinds == ["label", "story", "story", "reset", "unstory"]
    day.undo()
    assert [each.text for each in day.saved_stories()] == ["again"]


def test_stories_are_taken_back_by_a_reset_that_says_so(flow: Settings) -> None:
    day = bench(flow)
    day.save_story("ip", X, "t", "x")
    day.reset("20160708", with_stories=True)
    assert day.saved_stories() == []


@pytest.mark.parametrize(
    ("kind", "anchor", "title", "text", "told"),
    [
        ("ip", X, " ", "x", "title is blank"),
        ("ip", X, "t", "\n", "text is blank"),
        ("ip", X, "t" * 201, "x", "title has 201 characters, 200 are allowed"),
        ("ip", X, "t", "x" * 20_001, "text has 20001 characters"),
        ("uri", X, "t", "x", "anchor kind 'uri' is unknown: use one of ip"),
        ("ip", " ", "t", "x", "the anchor is blank"),
    ],
)
def test_a_story_that_cannot_be(
    flow: Settings, kind: str, anchor: str, title: str, text: str, told: str
) -> None:
    day = bench(flow)
    with pytest.raises(UsageError, match=told):
        day.save_story(kind, anchor, title, text)
    assert day.actions() == []


def test_before_a_search_there_is_a_sentence_for_a_picture(flow: Settings) -> None:
    panel = ThreatPanel(bench(flow))
    assert "press Search first" in panel.preview()._repr_mimebundle_()["text/html"]


# -- hostile text -------------------------------------------------------------------------------


def test_hostile_text_is_inert_in_every_panel(settings: Settings) -> None:
    texts = [each for each in HOSTILE if each.strip()]
    publish(settings, "proxy", [{"fulluri": each, "clientip": each} for each in texts])
    day = bench(settings, "proxy", author=texts[0])
    panel, table, threat = EdgePanel(day), TriageTable(day), ThreatPanel(day)
    for place, text in enumerate(texts):
        choose(panel, fulluri=text)
        assert said(panel.preview) == "1 row; choose a severity"
        panel.severity.value = Severity.HIGH
        panel.note.value = text[:200]
        panel.score.click()
        table.ask({"do": "look", "at": place})
        shown = json.dumps([table.table["rows"][place], table.detail], ensure_ascii=False)
        assert shown.isprintable()
        threat.anchors.value = ("uri", text)
        threat.title.value, threat.text.value = text[:200], text
        threat.save.click()
    stored = {json.loads(each.selector or "{}").get("fulluri") for each in day.actions()}
    assert set(texts) <= stored
    assert {each.text for each in day.saved_stories()} == set(texts)
    for output in (day, day.table(), day.history(200), day.stories(), day.feedback_state()):
        body = output._repr_mimebundle_()["text/html"]
        inside = body.partition("</style>")[2]
        assert "<script" not in inside
        assert "<img" not in inside
        assert "<svg onload" not in inside
        assert 'class="soa mathjax_ignore"' in body
    for line in (panel.message, panel.preview, threat.message, threat.result):
        assert "<script" not in line.value


def test_a_model_needs_no_widget(flow: Settings) -> None:
    model = Scoring(bench(flow))
    model.choices["srcip"] = X
    model.severity = Severity.LOW
    assert "2 rows scored Low" in model.score()
    assert model.severity is None
