"""The report of hand-made days: facts, the page taken apart, and how it is written."""

from __future__ import annotations

import datetime as dt
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from analyst.report import facts, files, write, write_all, written
from analyst.report.day import read
from analyst.report.facts import Facts
from analyst.report.page import page, static
from flows.run import steps
from flows.run.steps import Run
from flows.run.summary import Summary
from spot_oa.dates import Slice
from spot_oa.errors import PublishError, SpotOaError, printable
from spot_oa.pipelines import get_pipeline, load_pipelines
from spot_oa.settings import Settings
from tests.support.colours import contrast
from tests.support.pages import (
    DATE,
    HOSTILE,
    NEXT,
    Page,
    Row,
    dns,
    flow,
    hash_of,
    proxy,
    publish,
    publish_hostile,
)
from tests.support.project import PROJECT

BAD = "blocklist:MALICIOUS:3"


def of(settings: Settings, date: dt.date = DATE) -> Page:
    return Page(page(read(settings, load_pipelines(), date)))


def known(settings: Settings, date: dt.date = DATE) -> Facts:
    return facts.find(read(settings, load_pipelines(), date))


def reasons(settings: Settings, pipeline: str, date: dt.date = DATE) -> list[list[str]]:
    return [event.reasons for event in known(settings, date).events[pipeline]]


def three(settings: Settings) -> None:
    publish(settings, "flow", [flow(), flow(1, dstip="198.51.100.2")])
    publish(settings, "dns", [dns()])
    publish(settings, "proxy", [proxy()])


# -- facts --------------------------------------------------------------------------------------


def test_what_services_say_is_read_as_it_is_joined() -> None:
    said = facts.verdicts("a:B:3::list:x:y:-1::c::nonsense::d:E:two")
    assert [(each.service, each.label, each.severity) for each in said] == [
        ("a", "B", 3),
        ("list", "x:y", -1),
    ]
    assert facts.verdicts(None) == facts.verdicts("") == ()


def test_known_bad_begins_with_severity_two(settings: Settings) -> None:
    rows = [flow(n, dst_rep=f"l:X:{n}", dstip=f"198.51.100.{n}") for n in range(4)]
    publish(settings, "flow", rows)
    found = known(settings)
    assert ["known bad" in each.reasons for each in found.events["flow"]] == [False] * 2 + [
        True
    ] * 2
    assert found.known_bad == {"198.51.100.2", "198.51.100.3"}


def test_new_is_what_no_published_day_of_the_seven_before_has(settings: Settings) -> None:
    days = {8: "198.51.100.8", 7: "198.51.100.7", 1: "198.51.100.1"}
    for ago, address in days.items():
        publish(settings, "flow", [flow(dstip=address)], date=DATE - dt.timedelta(days=ago))
    publish(settings, "flow", [flow(n, dstip=f"198.51.100.{n}") for n in (1, 7, 8, 9)])
    assert [each == ["new"] for each in reasons(settings, "flow")] == [False, False, True, True]
    (changed,) = known(settings).changed
    assert (changed.days, dict(changed.new)) == (2, {"198.51.100.8": 1, "198.51.100.9": 1})


def test_without_a_day_before_nothing_is_new_and_a_sentence_says_so(settings: Settings) -> None:
    three(settings)
    assert all("new" not in each for name in ("flow", "dns") for each in reasons(settings, name))
    assert "nothing can be called new" in of(settings).shown


@pytest.mark.parametrize(
    ("pipeline", "before", "now", "is_new"),
    [
        ("dns", dns(dns_qry_name="a.example.net"), dns(dns_qry_name="b.example.net"), False),
        ("dns", dns(), dns(tld="example.org"), True),
        ("dns", dns(tld="", dns_qry_name="host"), dns(tld="", dns_qry_name="other"), True),
        ("proxy", proxy(fulluri="x/1"), proxy(fulluri="x/2"), False),
        ("proxy", proxy(), proxy(host="else.example.org"), True),
        ("flow", flow(srcip="10.0.0.1"), flow(srcip="10.0.0.2"), False),
        ("flow", flow(destip_internal=1), flow(destip_internal=1, srcip="10.0.0.3"), True),
    ],
)
def test_what_is_compared_with_days_before(
    settings: Settings, pipeline: str, before: Row, now: Row, is_new: bool
) -> None:
    publish(settings, pipeline, [before])
    publish(settings, pipeline, [now], date=NEXT)
    assert reasons(settings, pipeline, NEXT) == [["new"] if is_new else []]


def test_hub_volume_and_in_all_sources(settings: Settings) -> None:
    rows = [flow(n, srcip="10.0.0.2", dstip=f"198.51.100.{n}", ibyt=n) for n in range(1, 100)]
    publish(
        settings,
        "flow",
        [flow(ibyt=10_000), *rows],
        chords=[{"ip_threat": "10.0.0.2", "srcip": "10.0.0.2", "dstip": "x", "ibyt": 1}],
    )
    publish(settings, "dns", [dns(), dns(ip_dst="10.0.0.9")])
    publish(settings, "proxy", [proxy()])
    first, *others = reasons(settings, "flow")
    assert first == ["volume", "in all sources"]
    assert others == [["hub"]] * 99
    assert reasons(settings, "dns") == [["in all sources"], []]


def test_the_map_has_the_outside_addresses_and_hosts_are_called_by_their_label(
    settings: Settings,
) -> None:
    unknown = {"latitude": None, "longitude": None, "severity": None}
    addresses = [
        {"ip": "10.0.0.1", "is_internal": 1, "place": "", "context": "till 4", **unknown},
        {"ip": "198.51.100.1", "is_internal": 0, "place": "Zenda;Strelsau", "context": "",
         "latitude": 52.5, "longitude": 13.5, "severity": 3},
    ]  # fmt: skip
    publish(settings, "flow", [flow(0)], addresses=addresses)
    (host,) = known(settings).hosts
    assert (host.address, host.called) == ("10.0.0.1", "till 4")
    marks = [each.get("aria-label") for each in of(settings).all("g")]
    assert "▲ Zenda, Strelsau: ▲ 198.51.100.1, 1 suspicious end" in marks


def test_without_a_position_there_is_a_sentence_and_no_map(settings: Settings) -> None:
    nowhere = {"is_internal": 0, "latitude": None, "longitude": None, "severity": None}
    addresses = [{"ip": "198.51.100.1", "place": "", "context": "", **nowhere}]
    publish(settings, "flow", [flow(0, dst_geoloc="")], addresses=addresses)
    page = of(settings)
    assert "No map: 1 address without a position." in page.shown
    assert "no place is known" not in page.shown
    assert "Nothing was looked up." in page.shown


def test_a_scan_is_one_host_and_not_its_victims(settings: Settings) -> None:
    scan = [
        flow(n, srcip="192.0.2.9", dstip=f"10.0.0.{n}", srcip_internal=0, destip_internal=1)
        for n in range(31)
    ]
    publish(settings, "flow", [*scan, flow(31, srcip="10.9.9.9")])
    assert [host.address for host in known(settings).hosts] == ["192.0.2.9", "10.9.9.9"]


def test_inside_hosts_of_one_outside_server_are_hosts(settings: Settings) -> None:
    rows = [flow(n, srcip=f"10.0.0.{n}", dstip="198.51.100.66", dst_rep=BAD) for n in (1, 2, 3)]
    publish(settings, "flow", rows)
    hosts = {host.address: host.rows["flow"] for host in known(settings).hosts}
    assert hosts == {"198.51.100.66": 3, "10.0.0.1": 1, "10.0.0.2": 1, "10.0.0.3": 1}


def test_all_rows_of_a_host_count_and_those_of_a_scan_too(settings: Settings) -> None:
    scan = [
        flow(n, srcip="192.0.2.9", dstip=f"10.0.0.{n}", srcip_internal=0, destip_internal=1)
        for n in range(31)
    ]
    publish(settings, "flow", [*scan, flow(31, srcip="10.0.0.7")])
    hosts = {host.address: (host.rows["flow"], host.best) for host in known(settings).hosts}
    assert hosts == {"192.0.2.9": (31, 0), "10.0.0.7": (2, 7)}


def test_hosts_come_by_known_bad_then_rank_then_sources(settings: Settings) -> None:
    publish(
        settings,
        "flow",
        [
            flow(0, srcip="10.0.0.1"),
            flow(1, srcip="10.0.0.2", dst_rep=BAD, dstip="198.51.100.66"),
            flow(2, srcip="10.0.0.3"),
        ],
    )
    publish(settings, "dns", [dns(ip_dst="10.0.0.4")])
    publish(settings, "proxy", [proxy(clientip="10.0.0.4")])
    hosts = known(settings).hosts
    assert [host.address[-1] for host in hosts] == ["2", "4", "1", "3"]
    assert (hosts[1].called, dict(hosts[1].rows)) == ("sales", {"dns": 1, "proxy": 1})


def test_raw_events_are_those_that_the_row_stands_for(settings: Settings) -> None:
    edge = [
        {"tstart": f"2016-07-08 01:02:{n:02}", "srcip": "10.0.0.1", "dstip": "198.51.100.1",
         "dport": n}
        for n in range(15)
    ]  # fmt: skip
    other = [{**edge[0], "tstart": "2016-07-08 01:03:00"}, {**edge[0], "srcip": "10.0.0.2"}]
    publish(settings, "flow", [flow(), flow(1, srcip="10.7.7.7")], edge=[*other, *edge])
    table = of(settings).data["tables"]["flow"]
    words, port = of(settings).data["words"], table["edge"].index("dport")
    assert table["of"][0][0] == 15
    ports = [words[table["raw"][place][port]] for place in table["of"][0][1:]]
    assert ports == [str(n) for n in range(15)]
    assert table["of"][1] == [0]


def test_names_compare_without_case_and_a_hour_is_an_hour(settings: Settings) -> None:
    edge = [{"dns_qry_name": "WWW.Example.NET.", "unix_tstamp": 1467954000 + n} for n in (0, 3600)]
    publish(settings, "dns", [dns()], edge=edge)
    requests = [{"clientip": "10.0.0.1", "fulluri": "web.example.org/a", "hh": n} for n in (7, 8)]
    publish(settings, "proxy", [proxy()], edge=requests)
    tables = of(settings).data["tables"]
    assert [tables[name]["of"][0][0] for name in ("dns", "proxy")] == [1, 1]


# -- the page -----------------------------------------------------------------------------------


def test_nothing_may_run_but_our_script_and_our_style(settings: Settings) -> None:
    three(settings)
    made = of(settings)
    script, style = made.raw["script"][-1], made.raw["style"][0]
    assert made.policy == {
        "default-src": "'none'",
        "script-src": hash_of(script),
        "style-src": hash_of(style),
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert [kind for kind, _ in made.elements[:4]] == ["html", "head", "meta", "meta"]
    assert not [each for _, attributes in made.elements for each in attributes if each[:2] == "on"]
    assert not [attributes for _, attributes in made.elements if "style" in attributes]


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"flow": [flow()]},
        {"dns": [dns()]},
        {"proxy": [proxy()]},
        {"flow": [flow(sport=None, dport=None, ibyt=None, ipkt=None, score=None, tstart=None)]},
        {"flow": [dict.fromkeys(flow())]},
        {"dns": [dict.fromkeys(dns())], "proxy": [dict.fromkeys(proxy())]},
        {"flow": [flow(score=float("nan"))]},
    ],
)
def test_every_day_has_a_page(settings: Settings, given: dict[str, list[Row]]) -> None:
    for pipeline, rows in (given or {"flow": [], "dns": [], "proxy": []}).items():
        publish(settings, pipeline, rows)
    made = of(settings)
    rows_of = [each for each in made.all("tr") if "data-i" in each]
    assert len(rows_of) == sum(map(len, given.values()))
    for name in ("flow", "dns", "proxy"):
        if given and name not in given:
            assert f"{name} is not published" in made.shown


@pytest.mark.parametrize("table", ["scores", "edge", "chords", "addresses", "ingest_summary"])
@pytest.mark.parametrize("what", ["gone", "broken", "a column"])
def test_a_table_that_cannot_be_read_is_said_and_no_error(
    settings: Settings, table: str, what: str
) -> None:
    folder = publish(settings, "flow", [flow()], edge=[{"tstart": "x"}])
    path = folder / f"flow_{table}.parquet"
    if what == "gone":
        path.unlink()
    elif what == "broken":
        path.write_bytes(b"PAR1 and no more")
    else:
        whole = pq.ParquetFile(path).read()
        pq.write_table(whole.drop_columns(whole.column_names[:2]), path)
    made = of(settings)
    if what != "a column":
        assert f"flow_{table} cannot be read" in made.shown
    elif table == "scores":
        assert "flow_scores lacks tstart, srcip" in made.shown


def test_hostile_text_makes_no_element_and_no_attribute(settings: Settings) -> None:
    publish_hostile(settings)
    made = of(settings)
    three(settings)
    ours = {kind for kind, _ in of(settings).elements}
    ours |= {"small", "i", "br", "label", "select", "option"}
    assert {kind for kind, _ in made.elements} <= ours
    names = {name for _, attributes in made.elements for name in attributes}
    assert not [each for each in names if each.startswith("on")]
    assert not names & {"style", "src", "srcdoc"}
    links = re.compile(r"#[a-z]+|[a-z0-9]+\.html|\.\./[a-z]+/\d{8}/\w+\.(parquet|json)")
    assert all(links.fullmatch(link["href"]) for link in made.all("a"))
    assert len(made.raw["script"]) == 2
    assert "\u202e" not in made.text
    # What it says is there, as text.
    assert "<iframe srcdoc=" in made.shown
    assert "'; drop table oa.flow_scores; --" in made.shown


def test_hostile_text_is_whole_and_inert_in_the_details_of_every_row(settings: Settings) -> None:
    publish_hostile(settings)
    made = of(settings)
    assert not set("<>&\u2028\u2029") & set(made.raw["script"][0])
    words = made.data["words"]
    assert all(word.isprintable() for word in words)
    for table in made.data["tables"].values():
        assert len(table["rows"]) == len(table["of"]) == len(table["known"]) == len(HOSTILE)
        for text, fields, topics in zip(HOSTILE, table["rows"], table["known"], strict=True):
            assert printable(text)[:900] in {words[word][:900] for word in fields}
            said = {
                words[what]: "".join("".join(words[word] for word in line) for line in lines)
                for what, *lines in topics
            }
            if text and "x" * 400 not in text:
                by = f"by {'rule ' if HOSTILE.index(text) % 2 else ''}{printable(text)} at "
                assert by in said["labelled"]
                assert f": {printable(text)} (flow 2016-07-07)" in said["labelled"]


def test_whose_bytes_the_chords_have_is_said(settings: Settings) -> None:
    publish(settings, "flow", [flow()])
    shown = of(settings).shown
    assert "those that the originator of each flow sent; answers are not counted" in shown


def test_one_source_is_not_all_sources(settings: Settings) -> None:
    publish(settings, "flow", [flow()])
    assert "suspicious in all" not in of(settings).shown
    three(settings)
    assert "suspicious in all 3 sources" in of(settings).shown


def test_failed_sources_warnings_and_attributions_are_on_the_page(settings: Settings) -> None:
    source = {"source": "dbip", "status": "failed", "asked": 7, "found": 0, "detail": "no answer",
              "attribution": "IP Geolocation by DB-IP"}  # fmt: skip
    publish(settings, "flow", [], manifest={"sources": [source], "warnings": ["look here"]})
    shown = of(settings).shown
    for text in (
        "dbip",
        "failed",
        "no answer",
        "IP Geolocation by DB-IP",
        "look here",
        "flow-2016",
    ):
        assert text in shown


def test_what_most_rows_have_is_left_out_of_the_rows_but_not_of_the_chips(
    settings: Settings,
) -> None:
    chords = [{"ip_threat": "10.0.0.1", "srcip": "10.0.0.1", "dstip": "x", "ibyt": 1}]
    publish(settings, "flow", [flow(n) for n in range(3)], chords=chords)
    made = of(settings)
    assert "hub 3" in made.texts
    assert (
        "hub"
        not in made.texts[made.texts.index("hub 3") + 1 : made.texts.index("Who talks to whom")]
    )


def test_rows_beyond_the_first_thousand_are_left_out_and_said(settings: Settings) -> None:
    publish(settings, "flow", [flow(n) for n in range(1001)])
    made = of(settings)
    assert sum("data-i" in each for each in made.all("tr")) == 1000
    assert "1,000 of 1,001; all in flow_scores.parquet" in made.shown


def test_the_page_of_three_thousand_rows_is_small_enough(settings: Settings) -> None:
    rows = [
        flow(n, srcip=f"10.{n % 7}.0.{n % 250}", dstip=f"198.18.{n % 99}.1") for n in range(1000)
    ]
    publish(settings, "flow", rows, edge=rows)
    publish(settings, "dns", [dns(dns_qry_name=f"n{n}.example{n % 90}.net") for n in range(1000)])
    publish(
        settings, "proxy", [proxy(fulluri=f"web.example.org/{'a' * 60}{n}") for n in range(1000)]
    )
    assert len(of(settings).text.encode()) < 2_000_000


def test_what_analysts_said_is_shown_if_it_is_of_the_same_run(settings: Settings) -> None:
    publish(settings, "flow", [flow(), flow(1, dstip="198.51.100.2")])
    scores = settings.data_dir / "flow" / "20160708" / "flow_scores.parquet"
    folder = settings.triage_dir / "flow" / "20160708"
    folder.mkdir(parents=True)
    table = pq.ParquetFile(scores).read()
    table = table.append_column("severity", pa.array([0, 1])).append_column(
        "scored_by", pa.array(["", "<b>ann</b>"])
    )
    pq.write_table(table, folder / "flow_triage.parquet")
    (folder / "manifest.json").write_text('{"scores_run_id": "flow-2016-07-08"}')
    shown = of(settings).shown
    assert "1 High" in shown
    assert "High, <b>ann</b>" in shown
    (folder / "manifest.json").write_text('{"scores_run_id": "an older one"}')
    assert "High" not in of(settings).shown


def test_a_rows_details_say_what_the_day_and_the_days_before_know(settings: Settings) -> None:
    """In the words of `explain`, of whose ninety days a page reads seven."""
    publish(settings, "dns", [dns(dns_qry_name="BAD.example.")])
    publish(settings, "flow", [flow()])
    rows = [flow(), flow(1, dstip="198.51.100.2"), flow(2, srcip="10.0.0.2")]
    publish(settings, "flow", rows, date=NEXT)
    labels = {
        "flow": {"scored_by": "ann", "scored_at": "2016-07-08 09:05:07", "note": "seen <b>"},
        "dns": {"scored_by": "", "via": "rule", "rule_id": "tunnels"},
    }
    for pipeline, label in labels.items():
        scores = settings.data_dir / pipeline / "20160708" / f"{pipeline}_scores.parquet"
        folder = settings.triage_dir / pipeline / "20160708"
        folder.mkdir(parents=True)
        table = pq.ParquetFile(scores).read()
        for name, value in {"severity": 1, "severity_name": "High", **label}.items():
            table = table.append_column(name, pa.array([value]))
        pq.write_table(table, folder / f"{pipeline}_triage.parquet")
    data = of(settings, NEXT).data
    words = data["words"]
    first, _, third = (
        {words[what]: ["".join(words[w] for w in line) for line in lines] for what, *lines in known}
        for known in data["tables"]["flow"]["known"]
    )
    assert first == {
        "score": ["1e-09; before 2 of the day's 3 rows (66.7 %)"],
        "that day": [
            "10.0.0.1: 2 rows as srcip, 2 other ends",
            "198.51.100.1: 2 rows as dstip, 2 other ends",
        ],
        "seen": [
            "10.0.0.1: first on 2016-07-08, on 1 of 1 published day before",
            "198.51.100.1: first on 2016-07-08, on 1 of 1 published day before",
        ],
        "labelled": [
            "10.0.0.1: High, by ann at 2016-07-08 09:05: seen <b> (flow 2016-07-08)",
            "10.0.0.1: High, by rule tunnels (dns 2016-07-08)",
            "198.51.100.1: High, by ann at 2016-07-08 09:05: seen <b> (flow 2016-07-08)",
        ],
    }
    assert third["seen"][0] == "10.0.0.2: on none of 1 published day before"


def test_an_added_pipeline_has_a_tile_a_table_hosts_and_a_band(
    settings: Settings, tmp_path: Path
) -> None:
    described = get_pipeline("flow").model_dump(mode="json", exclude_none=True)
    (tmp_path / "more").mkdir()
    results = {"file": "ssh.csv", "width": 3, "score": "score", "fields": {
        "login_time": {"type": "string", "index": 0}, "client": {"type": "string", "index": 1},
        "score": {"type": "double", "index": 2, "required": True}}}  # fmt: skip
    added = {"name": "ssh", "title": "SSH", "results": results, "telemetry": described["telemetry"],
             "enrich": {"network_context": {"client": "address"}},
             "tables": {"ssh_scores": {}, "ssh_ingest_summary": {}}}  # fmt: skip
    (tmp_path / "more" / "ssh.yml").write_text(yaml.safe_dump(added))
    folder = settings.data_dir / "ssh" / "20160708"
    folder.mkdir(parents=True)
    rows = {"login_time": ["2016-07-08 03:04:05"], "client": ["10.0.0.5"], "score": [1e-9]}
    pq.write_table(pa.table(rows), folder / "ssh_scores.parquet")
    pq.write_table(
        pa.table({"tdate": ["2016-07-08 03:04"], "total": [7]}),
        folder / "ssh_ingest_summary.parquet",
    )
    (folder / "manifest.json").write_text('{"run_id": "r"}')
    pipelines = load_pipelines(tmp_path / "more")
    made = Page(page(read(settings, pipelines, DATE)))
    assert "suspicious events: ssh 1" in made.shown
    assert "ssh: 7 events received" in made.shown
    assert "ssh 03:00 to 03:05: 1 suspicious event" in made.shown
    assert [each.get("data-p") for each in made.all("section") if "data-p" in each] == ["ssh"]
    assert len([each for each in made.all("tr") if "data-i" in each]) == 1
    first = made.texts.index("rank", made.texts.index("1 row"))
    row = ["rank", "time", "client", "why look", "0", "03:04", "10.0.0.5"]
    assert made.texts[first : first + 7] == row
    table, words = made.data["tables"]["ssh"], made.data["words"]
    assert table["columns"] == ["login_time", "client", "score"]
    assert [[words[word] for word in row] for row in table["rows"]] == [
        ["2016-07-08 03:04:05", "10.0.0.5", "1e-09"]
    ]
    assert [host.address for host in facts.find(read(settings, pipelines, DATE)).hosts] == [
        "10.0.0.5"
    ]


@pytest.mark.parametrize("name", ["reports", "docs"])
def test_a_pipeline_is_not_called_like_a_folder_of_ours(tmp_path: Path, name: str) -> None:
    text = (
        (PROJECT / "spot_oa/pipelines/flow.yml").read_text().replace("name: flow", f"name: {name}")
    )
    (tmp_path / f"{name}.yml").write_text(text)
    with pytest.raises(SpotOaError, match=f"'{name}' is a folder next to"):
        load_pipelines(tmp_path)


def _colours(css: str) -> dict[str, dict[str, str]]:
    light, dark, paper = re.findall(r":root\{([^}]*)\}", css)
    return {
        name: dict(re.findall(r"--(\w+):(#[0-9a-f]{3,6})", text))
        for name, text in (("light", light), ("dark", dark), ("paper", paper))
    }


@pytest.mark.parametrize("theme", ["light", "dark", "paper"])
def test_text_stands_out_from_what_is_behind_it(theme: str) -> None:
    css = static("report.css")
    colours = _colours(css)[theme]
    rules = [
        re.findall(r"(?:^|;)(color|background):var\(--(\w+)\)", rule)
        for rule in re.findall(r"\{([^{}]*)\}", css)
    ]
    told = [dict(rule) for rule in rules if rule]
    behind = {rule["background"] for rule in told if "color" not in rule}
    seen = set()
    for rule in told:
        if "color" in rule:
            for back in {rule["background"]} if "background" in rule else behind:
                seen.add((rule["color"], back))
                assert contrast(colours[rule["color"]], colours[back]) >= 4.5, (rule, back)
    assert {color for color, _ in seen} >= {"ink", "dim", "link", "bad", "sus", "ok", "card"}
    assert behind == {"back", "card", "hit"}


# -- files --------------------------------------------------------------------------------------


WRITE = """
import sys, datetime
from pathlib import Path
from spot_oa.settings import load_settings
from analyst.report import write
write(load_settings(home=Path(sys.argv[1])), datetime.date(2016, 7, 8))
"""


def test_equal_files_give_equal_bytes_and_name_no_folder_of_ours(
    settings: Settings, tmp_path: Path
) -> None:
    publish_hostile(settings)
    made = []
    for seed in ("1", "2"):
        environment = {
            **os.environ,
            "PYTHONHASHSEED": seed,
            "LOGNAME": "the-user-of-this-machine",
            "HOSTNAME": "this-machine",
        }
        command = [sys.executable, "-c", WRITE, str(settings.home)]
        subprocess.run(command, env=environment, check=True, cwd=PROJECT)
        made.append(written(settings.data_dir, DATE).read_bytes())
    assert made[0] == made[1]
    for ours in (str(tmp_path), "the-user-of-this-machine", "this-machine"):
        assert ours.encode() not in made[0]


def test_a_rerun_renews_what_is_new_on_the_days_after_it(settings: Settings) -> None:
    publish(settings, "flow", [flow()], date=NEXT)
    publish(settings, "flow", [flow(dstip="198.51.100.9")])
    write_all(settings)
    later = written(settings.data_dir, NEXT)
    assert "1 new end" in Page(later.read_text()).shown
    publish(settings, "flow", [flow()])
    write(settings, DATE)
    assert "0 new ends" in Page(later.read_text()).shown


def test_the_page_of_the_day_before_gets_its_link(settings: Settings) -> None:
    publish(settings, "flow", [flow()])
    write(settings, DATE)
    page_before = written(settings.data_dir, DATE)
    assert "20160709.html" not in page_before.read_text()
    publish(settings, "flow", [flow()], date=NEXT)
    write(settings, NEXT)
    assert "20160709.html" in page_before.read_text()
    assert "20160708.html" in written(settings.data_dir, NEXT).read_text()


def test_the_index_lists_every_day_and_marks_a_pipeline_that_is_missing(
    settings: Settings,
) -> None:
    three(settings)
    publish(settings, "flow", [flow()], date=NEXT)
    write_all(settings)
    made = Page((settings.data_dir / "reports" / "index.html").read_text())
    assert [each["href"] for each in made.all("a")] == ["20160709.html", "20160708.html"]
    assert made.texts.count("missing") == 2
    assert made.policy["default-src"] == "'none'"


def test_the_month_marks_days_missing_since_a_day_before_it(settings: Settings) -> None:
    publish(settings, "flow", [flow()], date=NEXT)
    publish(settings, "flow", [flow()], date=NEXT - dt.timedelta(days=40))
    publish(settings, "dns", [dns()], date=NEXT - dt.timedelta(days=40))
    write_all(settings)
    made = Page((settings.data_dir / "reports" / "index.html").read_text())
    marks = [str(each.get("aria-label")) for each in made.all("g")]
    assert sum("flow" in each and "not published" in each for each in marks) == 30
    assert sum("dns" in each and "not published" in each for each in marks) == 31


def test_the_index_of_four_hundred_days_of_three_pipelines_is_small(settings: Settings) -> None:
    for pipeline, row in (("flow", flow()), ("dns", dns()), ("proxy", proxy())):
        folder = publish(settings, pipeline, [row])
        for ago in range(1, 400):
            day = folder.with_name(f"{DATE - dt.timedelta(days=ago):%Y%m%d}")
            day.mkdir()
            for file in folder.iterdir():
                (day / file.name).hardlink_to(file)
    from analyst.report.index import index

    text = index(settings.data_dir, load_pipelines())
    made = Page(text)
    assert len(list(made.all("a"))) == 400
    assert [each.get("data-h") for each in made.all("td") if "data-h" in each] == [
        "flow",
        "dns",
        "proxy",
    ] * 400
    assert len(text.encode()) < 300_000


def test_nothing_published_is_said(settings: Settings) -> None:
    with pytest.raises(SpotOaError, match="nothing is published for 2016-07-08"):
        write(settings, DATE)
    assert write_all(settings) == []


KILLED = """
import os, signal, sys, datetime
from pathlib import Path
from spot_oa.settings import load_settings
from analyst.report import files
moment = int(sys.argv[2]); calls = 0
def watch(event, args):
    global calls
    if event in ("open", "os.rename", "os.remove") and "reports" in str(args[0]):
        calls += 1
        if calls == moment:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(watch)
sync = os.fsync
def fsync(handle):
    watch("os.rename", ("reports",)); sync(handle)
os.fsync = fsync
files.write(load_settings(home=Path(sys.argv[1])), datetime.date(2016, 7, 8))
"""


def test_killed_at_each_moment_a_page_is_the_old_one_or_the_new_one(settings: Settings) -> None:
    publish(settings, "flow", [flow()])
    path = write(settings, DATE)
    old = path.read_text()
    publish(settings, "flow", [flow(dstip="203.0.113.5")])
    new = page(read(settings, load_pipelines(), DATE))
    assert new != old
    seen = set()
    for moment in range(1, 20):
        path.write_text(old)
        command = [sys.executable, "-c", KILLED, str(settings.home), str(moment)]
        ended = subprocess.run(command, cwd=PROJECT, check=False)
        assert path.read_text() in (old, new)
        seen.add(path.read_text() == new)
        if ended.returncode == 0:
            break
        assert ended.returncode == -signal.SIGKILL
    assert seen == {False, True}
    assert moment > 4
    # The next one leaves nothing behind of those that died.
    write(settings, DATE)
    assert sorted(each.name for each in path.parent.iterdir()) == ["20160708.html", "index.html"]


def test_a_report_that_cannot_be_written_is_a_warning_of_the_run(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(settings, "flow", [flow()])
    (settings.data_dir / "reports").write_text("a file")
    with pytest.raises(PublishError, match="cannot write reports"):
        write(settings, DATE)
    part = Slice("flow", DATE)
    summary = Summary(part, "r", 1, "duckdb", dt.datetime.now(dt.UTC))
    run = Run(settings, get_pipeline("flow"), part, 1, None)  # type: ignore[arg-type]
    assert steps.report(run, summary).startswith("no report: cannot write reports")
    assert [each[:10] for each in summary.warnings] == ["no report:"]
    assert summary.report is None


def test_a_full_disk_leaves_the_old_page_and_nothing_else(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(settings, "flow", [flow()])
    path = write(settings, DATE)
    old = path.read_text()
    publish(settings, "flow", [flow(dstip="203.0.113.5")])

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(PublishError, match="No space left"):
        write(settings, DATE)
    assert path.read_text() == old
    assert sorted(each.name for each in path.parent.iterdir()) == ["20160708.html", "index.html"]


def test_the_run_ids_are_those_of_the_manifests(settings: Settings) -> None:
    three(settings)
    runs: Sequence[str] = re.findall(r"run (\S+), limit", of(settings).shown)
    assert runs == ["flow-2016-07-08", "dns-2016-07-08", "proxy-2016-07-08"]


def test_neither_ipywidgets_nor_ipython_is_imported() -> None:
    code = "import sys, analyst.report, analyst.pictures; print(sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT
    )
    imported = set(re.findall(r"'(\w+)'", done.stdout))
    assert not {"IPython", "ipywidgets", "prefect", "dbt"} & imported
