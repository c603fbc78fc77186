"""A day in a notebook: where it is found, what it shows, and that questions write nothing."""

from __future__ import annotations

import csv
import datetime as dt
import json
import shutil
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pytest_httpserver import HTTPServer

from analyst.feedback import COLUMNS, FILE
from analyst.investigation import search
from analyst.notebooks.copies import render
from analyst.panels import ThreatPanel
from analyst.workbench import open_day
from python_enrichers import load_enricher
from spot_oa.dates import Slice
from spot_oa.errors import ConfigError, SpotOaError, UsageError
from spot_oa.ingest.store import telemetry_root
from spot_oa.lock import warehouse_lock
from spot_oa.settings import Settings, handed_on, load_settings
from tests.support.hostile import FILE_NAMES, HOSTILE
from tests.support.labelled import DATE, publish
from tests.support.recorder import Recorder, virustotal
from tests.support.reputation import PUBLIC

FLOW = Slice("flow", DATE)
X = "198.51.100.7"


@pytest.fixture
def published(settings: Settings) -> Settings:
    publish(settings, "flow", [{"srcip": "10.0.0.5"}, {"srcip": "10.0.0.6", "dport": None}])
    return settings


# -- where the data is --------------------------------------------------------------------------


def test_home_is_found_from_the_notebooks_own_folder(
    published: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(render(published, FLOW).folder)
    day = open_day("flow", "2016-07-08")
    assert day.settings.home == published.home
    assert day.notes == []


def test_home_may_have_been_moved(
    published: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    render(published, FLOW)
    moved = shutil.move(published.home, tmp_path / "elsewhere")
    monkeypatch.chdir(Path(moved) / "ipynb/flow/20160708")
    day = open_day("flow", "20160708")
    assert day.settings.home == tmp_path / "elsewhere"
    assert len(day.rows()) == 2


def test_a_copy_elsewhere_knows_the_home_that_it_was_made_for(
    published: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = render(published, FLOW).folder
    mine = tmp_path / "mine"
    mine.mkdir()
    shutil.copy(folder / "Edge_Investigation.ipynb", mine)
    monkeypatch.chdir(mine)
    assert open_day("flow", "2016-07-08").settings.home == published.home


def test_a_home_that_is_set_goes_before_the_folder(
    published: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = load_settings(home=tmp_path / "other")
    publish(other, "flow", [{}])
    monkeypatch.chdir(render(published, FLOW).folder)
    monkeypatch.setenv("SPOT_OA_HOME", str(other.home))
    assert len(open_day("flow", "2016-07-08").rows()) == 1


def test_a_notebook_of_another_day_says_so(
    published: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(render(published, Slice("flow", dt.date(2016, 7, 9))).folder)
    day = open_day("flow", "2016-07-08")
    assert day.notes == [
        "this notebook is in flow/20160709 but shows flow 2016-07-08, because of its DATE"
    ]
    assert day.notes[0] in repr(day)


def test_a_day_that_is_not_published_is_one_sentence(published: Settings) -> None:
    with pytest.raises(SpotOaError) as caught:
        open_day("flow", "2016-07-10", settings=published)
    (line,) = caught.value._render_traceback_()
    assert line == ("flow 2016-07-10 is not published: run `spot-oa run flow --date 2016-07-10`")


def test_programs_that_are_called_read_the_same_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("SPOT_OA_HOME=here\nSPOT_OA_AUTHOR=ann\nSPOT_OA_LIMIT=7\n")
    settings = load_settings()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    for name, value in handed_on(settings).items():
        monkeypatch.setenv(name, value)
    again = load_settings()
    assert again == settings
    assert (again.home, again.author, again.limit) == (tmp_path / "here", "ann", 7)


# -- names --------------------------------------------------------------------------------------


def test_nwloc_names_addresses_in_this_notebook_only(published: Settings, tmp_path: Path) -> None:
    context = published.home / "context"
    context.mkdir(parents=True)
    (context / "networkcontext.csv").write_text("10.0.0.5,ours\n10.0.0.6,ours too\n")
    own = tmp_path / "own.csv"
    own.write_text("10.0.0.0/24,mine\n")
    usual = open_day("flow", "2016-07-08", settings=published)
    mine = open_day("flow", "2016-07-08", settings=published, nwloc=own)
    assert usual.table().frame["called"].tolist() == ["ours", "ours too"]
    assert mine.table().frame["called"].tolist() == ["mine", "mine"]
    assert usual.table().frame["called"].tolist() == ["ours", "ours too"]


@pytest.mark.parametrize("broken", [False, True])
def test_nwloc_that_cannot_be_used_is_a_message(
    published: Settings, tmp_path: Path, broken: bool
) -> None:
    path = tmp_path / "none.csv"
    if broken:
        path.write_text("nothing of use\n")
    day = open_day("flow", "2016-07-08", settings=published, nwloc=path)
    (note,) = day.notes
    assert "NWLOC" in note
    assert "names come from the day's own context" in note
    assert len(day.table().frame) == 2


# -- tables -------------------------------------------------------------------------------------


def test_the_table_has_open_rows_first_a_page_at_a_time(settings: Settings) -> None:
    publish(settings, "flow", [{"dport": port} for port in range(150)])
    day = open_day("flow", "2016-07-08", settings=settings)
    day.label_ranks([0, 5], "low")
    table = day.table()
    assert table.frame["rank"].tolist()[:2] == [1, 2]
    assert table.frame["rank"].tolist()[-2:] == [0, 5]
    assert "148 open, then 2 scored rows; rows 1 to 100 of 150" in repr(table)
    assert "rows 101 to 150 of 150" in day.table(page=2).note
    with pytest.raises(UsageError, match="page 0"):
        day.table(page=0)


def test_missing_numbers_are_missing_and_no_fractions(published: Settings) -> None:
    frame = open_day("flow", "2016-07-08", settings=published).labelled()
    assert frame["dport"].isna().tolist() == [False, True]
    assert frame["dport"].tolist()[0] == 443
    assert len(frame[frame.dport == 443]) == 1
    assert "0.0" not in frame["dport"].to_string()


def test_a_day_without_rows_has_all_columns(settings: Settings) -> None:
    for pipeline, column in (("flow", "dport"), ("dns", "tld"), ("proxy", "host")):
        publish(settings, pipeline, [])
        day = open_day(pipeline, "2016-07-08", settings=settings)
        assert {column, "severity", "rank"} <= set(day.labelled().columns)
        assert column in day.scores().columns
        assert day.table().frame.empty


def test_the_day_says_what_holds(published: Settings) -> None:
    day = open_day("flow", "2016-07-08", settings=published, author="ann")
    day.label_ranks([0], "high", note="why")
    text = repr(day)
    assert "rows: 2\nopen: 1\nscored: 1 High, 0 Medium, 0 Low" in text
    assert "by ann: label" in text
    assert day.history().frame["note"].tolist() == ["why"]
    assert day.feedback_state().frame.to_dict("records")[0]["High"] == 1
    assert "SPOT_OA_FEEDBACK_URI is not set" in repr(day.feedback_state())


# -- questions ----------------------------------------------------------------------------------


def test_any_select_is_answered(published: Settings) -> None:
    day = open_day("flow", "2016-07-08", settings=published)
    asked = day.sql("select srcip, dport from scores where srcip = $ip", ip="10.0.0.6")
    assert asked.to_dict("list") == {"srcip": ["10.0.0.6"], "dport": [None]}
    assert day.sql("select count(*) as n from triage")["n"].tolist() == [2]
    assert list(day.sql("select srcip from scores where false").columns) == ["srcip"]


@pytest.mark.parametrize(
    "question",
    [
        "copy scores to '{path}'",
        "create table x as select 1",
        "select 1; select 2",
        "attach '{path}' as other",
        "install httpfs",
        "set threads = 1",
        "selekt",
        "",
        "select * from nothing_of_the_kind",
    ],
)
def test_nothing_else_is(published: Settings, tmp_path: Path, question: str) -> None:
    day = open_day("flow", "2016-07-08", settings=published)
    path = tmp_path / "written"
    with pytest.raises(UsageError):
        day.sql(question.replace("{path}", str(path)))
    assert not path.exists()


def received(
    settings: Settings, pipeline: str, rows: list[dict[str, object]], day: int = 8
) -> None:
    """Write an hour of telemetry."""
    hour = telemetry_root(settings) / pipeline / f"y=2016/m=07/d={day:02}/h=05"
    hour.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), hour / "part-0.parquet")


def test_a_search_counts_all_events_and_says_how_many_it_shows(settings: Settings) -> None:
    asked = [("10.0.0.1", "a.org")] * 3 + [("10.0.0.1", "b.org")] * 2 + [("10.0.0.2", "A.org.")]
    received(
        settings,
        "dns",
        [{"unix_tstamp": 1467954192, "ip_dst": ip, "dns_qry_name": name} for ip, name in asked],
    )
    referred = [("x.org/", "-")] * 4 + [("y.org/", "x.org/")] * 2 + [("z.org/", "-")]
    received(
        settings,
        "proxy",
        [
            {"p_date": "2016-07-08", "p_time": f"05:00:0{n}", "clientip": "::1", "fulluri": uri,
             "referer": referer}
            for n, (uri, referer) in enumerate(referred)
        ],
    )  # fmt: skip
    publish(settings, "dns", [{}])
    publish(settings, "proxy", [{}])
    for pipeline, kind, anchor, headline, cut in (
        ("dns", "client", "10.0.0.1", "2 names, 5 answers", "; the first 1 of 2 shown"),
        ("dns", "query", "a.org", "2 clients, 4 answers", "; the first 1 of 2 shown"),
        ("dns", "client", "10.0.0.2", "1 name, 1 answer", ""),
        ("dns", "client", "10.0.0.3", "0 names, 0 answers", ""),
        ("proxy", "uri", "x.org/", "4 requests for it, 2 that it referred to",
         "; the first 1 of 6 shown"),
        ("proxy", "uri", "q.org/", "0 requests for it, 0 that it referred to", ""),
    ):  # fmt: skip
        day = open_day(pipeline, "2016-07-08", settings=settings)
        whole, first = search(day, kind, anchor), search(day, kind, anchor, details_limit=1)
        assert (whole.headline, first.headline) == (headline, headline + cut)
        assert len(first.rows) == min(len(whole.rows), 1)
        assert not [name for name in whole.rows.columns if str(name).startswith("all_")]


def flows_received(settings: Settings, flows: list[tuple[object, ...]], day: int = 8) -> None:
    """Write flows: sip, dip, sport, dport, ipkt, ibyt; one a minute."""
    start = int(dt.datetime(2016, 7, day, 5, tzinfo=dt.UTC).timestamp())
    received(
        settings,
        "flow",
        [
            {"treceived": f"2016-07-{day:02} 05:{n:02}:00", "unix_tstamp": start + 60 * n,
             "tryear": 2016, "trmonth": 7, "trday": day, "trhour": 5, "trminute": n, "trsec": 0,
             "sip": sip, "dip": dip,
             "sport": sport, "dport": dport, "ipkt": ipkt, "ibyt": ibyt}
            for n, (sip, dip, sport, dport, ipkt, ibyt) in enumerate(flows)
        ],
        day,
    )  # fmt: skip


@pytest.mark.parametrize("anchor", ["10.0.0.1", "2001:db8::1"])
def test_a_search_sums_up_the_flows_of_an_address_by_ends_and_ports(
    settings: Settings, anchor: str
) -> None:
    peer, other = "198.51.100.1", "2001:db8:1::1"
    flows: list[tuple[object, ...]] = [
        (anchor, peer, 1000, 443, 2, 100),
        (anchor, peer, 1000, 443, 4, 300),
        (anchor, peer, 1001, 443, 1, None),
        (peer, anchor, 443, 1000, 5, 500),
        (other, anchor, 53, 53, 1, 60),
        (peer, other, 1, 2, 9, 900),
        # No connection with anybody.
        (anchor, anchor, 1000, 443, 7, 700),
    ]
    flows_received(settings, flows)
    for another in (7, 9):
        flows_received(settings, [(anchor, peer, 1000, 443, 8, 800)] * 9, another)
    publish(settings, "flow", [{}])
    found = search(open_day("flow", "2016-07-08", settings=settings), "ip", anchor)
    columns = ["srcip", "dstip", "sport", "dport", "firstseen", "lastseen", "conns"]
    columns += ["maxpkts", "avgpkts", "maxbyts", "avgbyts", "sumbyts", "sumpkts"]
    at = "2016-07-08 05:0{}:00".format
    assert found.rows[columns].astype(object).where(
        found.rows[columns].notna(), None
    ).values.tolist() == [
        [anchor, peer, 1000, 443, at(0), at(1), 2, 4, 3.0, 300, 200.0, 400, 6],
        [peer, anchor, 443, 1000, at(3), at(3), 1, 5, 5.0, 500, 500.0, 500, 5],
        [other, anchor, 53, 53, at(4), at(4), 1, 1, 1.0, 60, 60.0, 60, 1],
        [anchor, peer, 1001, 443, at(2), at(2), 1, 1, 1.0, None, None, None, 1],
    ]
    assert found.headline == "2 peers: 1 inbound only, 0 outbound only, 1 two way; 5 flows"
    assert found.minutes is not None
    assert found.minutes.values.tolist() == [[at(n)[:16], 1] for n in range(5)]
    assert {(each.ip, each.conns, each.sumbyts) for each in found.peers} == {
        (peer, 4, 900),
        (other, 1, 60),
    }
    ends = {table.title: table.frame.to_dict("records") for table in found.tables}
    assert {
        title: {row["ip"]: row["connections"] for row in ends[f"Top 20 {title} IP per connections"]}
        for title in ("source", "destination")
    } == {"source": {peer: 1, other: 1}, "destination": {peer: 3}}


def test_a_search_asks_no_service_about_a_peer(settings: Settings, httpserver: HTTPServer) -> None:
    recorder = Recorder()
    asking = load_settings(home=settings.home, services=virustotal(httpserver, recorder))
    peers = list(PUBLIC)
    flows_received(asking, [(X, peer, 1, 443, 1, 1) for peer in peers])
    publish(asking, "flow", [{"srcip": X}])
    day = open_day("flow", "2016-07-08", settings=asking, author="ann")
    day.label_ranks([0], "high")
    panel = ThreatPanel(day)
    panel.anchors.value = ("ip", X)
    panel.search.click()
    found = panel.model.found
    assert found is not None
    assert {each.ip for each in found.peers} == set(peers)
    assert peers[0] in panel.result.value
    panel.preview()
    assert recorder.requests == []
    # They may be sent, and a run would send them.
    load_enricher("reputation", asking).enrich({"address": peers})
    assert len(recorder.requests) == len(peers)


def test_a_spreadsheet_finds_no_formula(settings: Settings, tmp_path: Path) -> None:
    texts = [each.replace("{", "").replace("\0", "") for each in HOSTILE if len(each) < 1000]
    publish(settings, "proxy", [{"fulluri": text, "host": "\t=1"} for text in texts])
    day = open_day("proxy", "2016-07-08", settings=settings)
    path = day.to_csv(tmp_path / "day.csv")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(texts)
    formula = ("=", "+", "-", "@", "\t", "\r")
    for row, text in zip(rows, texts, strict=True):
        assert not any(value.startswith(formula) for value in row.values())
        assert row["fulluri"] == (f"'{text}" if text.startswith(formula) else text)
    with pytest.raises(ConfigError, match="use another file"):
        day.to_csv(path)


def test_a_file_is_written_where_it_is_named_and_nowhere_else(
    published: Settings, tmp_path: Path
) -> None:
    day = open_day("flow", "2016-07-08", settings=published)
    before = set(tmp_path.rglob("*"))
    for name in FILE_NAMES:
        assert day.to_csv(name).read_text("utf-8").count("\n") == 3
    assert set(tmp_path.rglob("*")) - before == {tmp_path / name for name in FILE_NAMES}


# -- saving -------------------------------------------------------------------------------------


def test_a_save_does_not_wait_for_a_run(published: Settings) -> None:
    day = open_day("flow", "2016-07-08", settings=published, author="ann")
    day.label_ranks([0], "low")
    with warehouse_lock(published.lock, "a run", 1, print):
        said = day.save()
    assert said.startswith("Saved: 1 label by you; 1 open; feedback: 1 row to the triage folder")
    assert "a run holds the warehouse: the tables follow with a run of this day" in said
    written = (published.triage_dir / "flow/20160708/ml_feedback.csv").read_text("utf-8")
    assert len(written.splitlines()) == 2


def test_a_save_after_a_reset_leaves_headers_only(settings: Settings, tmp_path: Path) -> None:
    publish(settings, "proxy", [{}, {"fulluri": "x"}])
    delivering = settings.model_copy(update={"feedback_uri": str(tmp_path / "ml")})
    day = open_day("proxy", "2016-07-08", settings=delivering, author="ann")
    scored = tmp_path / "ml" / "proxy" / "scored_results"
    files = [settings.triage_dir / "proxy" / "20160708" / FILE]
    files += [scored / date / "feedback" / FILE for date in ("20160708", "20160709")]
    header = "\t".join(COLUMNS["proxy"])

    def saved() -> list[list[str]]:
        with warehouse_lock(settings.lock, "a run", 1, print):
            assert "feedback: " in day.save()
        return [path.read_text("utf-8").splitlines() for path in files]

    day.label_ranks([0, 1], "low")
    (first, *_), *others = written = saved()
    assert first == header
    assert {len(lines) for lines in written} == {3}
    assert others == [written[0], written[0]]
    reset = day.reset("20160708").action
    assert saved() == [[header]] * 3
    assert all(path.read_bytes().endswith(b"\n") for path in files)
    assert reset is not None
    day.undo(reset.action_id)
    assert saved() == written


def test_a_save_that_cannot_deliver_feedback_keeps_it(settings: Settings, tmp_path: Path) -> None:
    publish(settings, "proxy", [{}])
    (tmp_path / "ml").write_text("a file")
    delivering = settings.model_copy(update={"feedback_uri": str(tmp_path / "ml")})
    day = open_day("proxy", "2016-07-08", settings=delivering, author="ann")
    day.label_ranks([0], "low")
    with warehouse_lock(settings.lock, "a run", 1, print):
        assert "feedback was not delivered: feedback " in day.save()
    assert len((settings.triage_dir / "proxy" / "20160708" / FILE).read_text().splitlines()) == 2


def test_a_save_that_cannot_make_tables_says_why(published: Settings) -> None:
    day = open_day("flow", "2016-07-08", settings=published, author="ann")
    shutil.rmtree(published.data_dir)
    assert (
        "the tables could not be updated: spot-oa: flow 2016-07-08 is not published" in day.save()
    )


def test_panels_follow_a_day_that_was_published_anew(published: Settings) -> None:
    day = open_day("flow", "2016-07-08", settings=published)
    assert len(day.facts.events["flow"]) == 2
    publish(published, "flow", [{}, {}, {}], run_id="run2")
    day.redraw()
    assert len(day.table().frame) == 3
    assert json.loads(day.table().frame["rank"].to_json(orient="values")) == [0, 1, 2]
    assert isinstance(day.scores(), pd.DataFrame)
