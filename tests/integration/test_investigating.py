"""An investigation as its page tells it, and the tables of stories against the raw events."""

from __future__ import annotations

import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from analyst.actions import Kind
from analyst.day import Day, open_day
from analyst.panels import ThreatPanel
from analyst.selectors import fold
from analyst.workbench import open_day as open_bench
from flows.run.runner import refresh_day, run_day
from flows.run.summary import Summary
from python_enrichers import peers
from spot_oa.demo import DEMO_DATES, generate
from spot_oa.pipelines import load_pipelines
from spot_oa.settings import Settings, load_settings
from spot_oa.warehouse.published import read_rows
from tests.support.project import PROJECT
from tests.support.published import digests
from tests.support.report import Told
from tests.support.warm import warm

FIRST = DEMO_DATES[0]
PAGE = PROJECT / "docs" / "investigating.md"
THIEF, DROP = "10.1.0.23", "203.0.113.66"
WAYS = ("inbound", "outbound", "two_way")
KINDS = ("VPN", "DMZ", "Proxy", "FW")
Row = Mapping[str, Any]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The demo's first day, run by every pipeline; nobody has said anything of it."""
    home = tmp_path_factory.mktemp("investigated") / "spot-oa-home"
    generate(home, pipelines=tuple(load_pipelines()), rows_per_day=3000, suspicious=60)
    settings = load_settings(home=home)
    for pipeline in load_pipelines():
        run_day(settings, pipeline, FIRST, Told())
    return settings


def opened(settings: Settings, pipeline: str) -> Day:
    return open_day(pipeline, FIRST, settings=settings, author="ann", made_with="cli")


def refreshed(settings: Settings, pipeline: str) -> Summary:
    return refresh_day(settings, pipeline, FIRST, Told())


def folder(settings: Settings, pipeline: str) -> Path:
    return settings.triage_dir / pipeline / f"{FIRST:%Y%m%d}"


def table(settings: Settings, name: str) -> list[dict[str, Any]]:
    return read_rows(folder(settings, name.partition("_")[0]) / f"{name}.parquet")


def of_stories(pipeline: str) -> list[str]:
    triage = load_pipelines()[pipeline].triage
    assert triage is not None
    assert triage.stories is not None
    return list(triage.stories.tables)


def telemetry(settings: Settings, pipeline: str) -> list[dict[str, Any]]:
    files = f"{settings.raw_uri}/{pipeline}/y=2016/m=*/d=*/h=*/*.parquet"
    with duckdb.connect() as connection:
        found = connection.execute(
            f"from read_parquet('{files}', union_by_name = true, hive_partitioning = true, "
            "hive_types_autocast = false)"
        )
        names = [each[0] for each in found.description]
        rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    return [row for row in rows if (int(row["m"]), int(row["d"])) == (FIRST.month, FIRST.day)]


def commands() -> list[list[str]]:
    """What the page has typed."""
    blocks = re.findall(r"```console\n(.*?)```", PAGE.read_text("utf-8"), flags=re.DOTALL)
    return [shlex.split(line[2:]) for block in blocks for line in block.splitlines()]


def test_the_page_can_be_performed(home: Settings, tmp_path: Path) -> None:
    said = []
    with warm(tmp_path) as parent:
        for program, *arguments in commands():
            if program == "python":
                done = subprocess.run(
                    [sys.executable, *arguments],
                    cwd=home.home.parent,
                    capture_output=True,
                    text=True,
                    check=True,
                )
                said.append(done.stdout)
                continue
            code, out, err = parent.run(home.home, *arguments)
            assert code == 0, (arguments, err)
            said.append(out)
    whole = "\n".join(said)
    assert "blocklist: MALICIOUS" in said[0]
    assert "urlfeed: DROPZONE" in said[1]
    assert f"ip {THIEF}" in whole
    assert "Upload of 5 GB at night" in whole
    # The peers, as the last but two commands show them.
    (shown,) = (each for each in said if "sumbyts" in each)
    assert re.search(rf"{re.escape(DROP)}\W+outbound\W+40\W", shown)
    for pipeline in ("flow", "proxy"):
        for name in of_stories(pipeline):
            assert table(home, name), name
    assert [each.title for each in opened(home, "proxy").saved_stories()] == ["The drop"]


def test_a_day_without_a_story_reads_no_telemetry_and_has_no_tables_of_it(home: Settings) -> None:
    away = home.home / "away"
    raw = Path(home.raw_uri)
    raw.rename(away)
    try:
        summary = refreshed(home, "dns")
        assert "stories" not in summary.begun
        assert summary.warnings == []
    finally:
        away.rename(raw)
    assert not {f"{name}.parquet" for name in of_stories("dns")} & set(digests(folder(home, "dns")))


# -- against the raw events ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def told(home: Settings) -> Settings:
    """Stories of several anchors in every pipeline, hostile to SQL and JSON."""
    flow = opened(home, "flow")
    flow.save_story("ip", THIEF, "it's\n'so'", "one\n'two'; \u202e\\", top_results=1)
    ends = Counter(str(row[end]) for row in flow.published.rows for end in ("srcip", "dstip"))
    raw = telemetry(home, "flow")
    for way in WAYS:
        anchor = max(ends, key=lambda ip: (Counter(_ways(raw, ip).values())[way], ip))
        flow.save_story("ip", anchor, way, "x", top_results=2)
    dns = opened(home, "dns")
    for row in dns.published.rows[:3]:
        dns.save_story("client", str(row["ip_dst"]), "c", "x")
        dns.save_story("query", str(row["dns_qry_name"]), "q", "x")
    proxy = opened(home, "proxy")
    referer = next(
        r["referer"] for r in telemetry(home, "proxy") if r["referer"] not in {None, "-"}
    )
    for anchor in {str(row["fulluri"]) for row in proxy.published.rows[:3]}:
        proxy.save_story("uri", anchor, "u", "x", top_results=1)
    proxy.save_story("uri", referer, "led on", "x")
    for pipeline in load_pipelines():
        assert refreshed(home, pipeline).warnings == []
    return home


def _ways(raw: Sequence[Row], anchor: str) -> dict[str, str]:
    """Peer -> way."""
    found: dict[str, set[str]] = defaultdict(set)
    for row in raw:
        if row["sip"] == row["dip"]:
            continue
        if row["sip"] == anchor:
            found[row["dip"]].add("outbound")
        if row["dip"] == anchor:
            found[row["sip"]].add("inbound")
    return {ip: "two_way" if len(ways) > 1 else next(iter(ways)) for ip, ways in found.items()}


def _top(settings: Settings) -> Iterator[tuple[str, int, dict[str, str]]]:
    raw = telemetry(settings, "flow")
    for story in opened(settings, "flow").saved_stories():
        size = int(re.findall(r'"top_results":(\d+)', story.action.payload or "")[0])
        yield story.anchor, size, _ways(raw, story.anchor)


def test_stories_are_kept_as_typed(told: Settings) -> None:
    """Also `'` and line ends; equal anchors of two kinds are two stories."""
    for pipeline, names in (
        ("flow", ("ip_threat",)), ("dns", ("ip_threat", "dns_threat")), ("proxy", ("p_threat",)),
    ):  # fmt: skip
        live = Counter(
            (each.anchor, each.title, each.text) for each in opened(told, pipeline).saved_stories()
        )
        rows = table(told, f"{pipeline}_storyboard")
        assert (
            Counter(("".join(row[n] for n in names), row["title"], row["text"]) for row in rows)
            == live
        )
        assert [list(row)[-3:] for row in rows[:1]] == [["y", "m", "d"]]


def test_connections_and_peers_are_those_of_the_raw_flows(told: Settings) -> None:
    raw = telemetry(told, "flow")
    flows: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    wanted: dict[tuple[str, str], tuple[Any, ...]] = {}
    every_way: Counter[str] = Counter()
    for anchor, size, ways in _top(told):
        between: dict[str, list[Row]] = defaultdict(list)
        for row in raw:
            if row["sip"] != row["dip"] and anchor in (row["sip"], row["dip"]):
                flows[anchor, row["sip"], row["dip"], row["sport"], row["dport"]].append(row)
                between[row["dip"] if row["sip"] == anchor else row["sip"]].append(row)
        assert anchor not in between
        every_way.update(ways.values())
        for way in WAYS:
            known = [ip for ip in between if ways[ip] == way]
            most = {ip: max((r["ibyt"] for r in between[ip] if r["ibyt"] is not None), default=-1)
                    for ip in known}  # fmt: skip
            by_bytes = sorted(known, key=lambda ip: (-most[ip], ip))
            by_conns = sorted(known, key=lambda ip: (-len(between[ip]), ip))
            for ip in known:
                ranks = by_bytes.index(ip) + 1, by_conns.index(ip) + 1
                wanted[anchor, ip] = (
                    way, len(between[ip]), sum(r["ibyt"] or 0 for r in between[ip]),
                    min(r["treceived"] for r in between[ip]),
                    max(r["treceived"] for r in between[ip]), *ranks, int(min(ranks) <= size),
                )  # fmt: skip
            assert (
                sum(row[-1] for (a, ip), row in wanted.items() if a == anchor and row[0] == way)
                <= 2 * size
            )
    names = (
        "direction",
        "conns",
        "sumbyts",
        "firstseen",
        "lastseen",
        "rank_bytes",
        "rank_conns",
        "is_top",
    )
    made = {
        (row["ip_threat"], row["peer"]): tuple(
            (row[name] or 0) if name == "sumbyts" else row[name] for name in names
        )
        for row in table(told, "flow_story_peers")
    }
    assert made == wanted
    assert set(every_way) == set(WAYS), "the demo has flows of each way"
    connections = {
        tuple(row[n] for n in ("ip_threat", "srcip", "dstip", "sport", "dport")): row
        for row in table(told, "flow_story_connections")
    }
    assert connections.keys() == flows.keys()
    for key, rows in flows.items():
        made_row, sizes = connections[key], [r["ibyt"] for r in rows if r["ibyt"] is not None]
        assert made_row["conns"] == len(rows)
        assert made_row["maxbyts"] == max(sizes, default=None)
        assert made_row["avgbyts"] == pytest.approx(sum(sizes) / len(sizes) if sizes else None)
        assert made_row["firstseen"] == min(r["treceived"] for r in rows)


def test_what_is_made_of_the_peers_adds_up(told: Settings) -> None:
    top = [row for row in table(told, "flow_story_peers") if row["is_top"]]
    anchors = [each.anchor for each in opened(told, "flow").saved_stories()]
    progression = {
        (r["ip_threat"], r["direction"], r["context"]): r["peers"]
        for r in table(told, "flow_incident_progression")
    }
    impact = {
        (r["ip_threat"], r["direction"], r["context_group"]): r["peers"]
        for r in table(told, "flow_impact_analysis")
    }
    by_label = Counter((r["ip_threat"], r["direction"], r["context"] or "No context") for r in top)
    by_group = Counter((r["ip_threat"], r["direction"], _group(r["context"])) for r in top)
    nobody = {
        (a, w, ""): 0 for a in anchors for w in WAYS
        if not any((r["ip_threat"], r["direction"]) == (a, w) for r in top)
    }  # fmt: skip
    assert nobody, "some way is empty"
    assert progression == {**by_label, **nobody}
    assert impact == {**by_group, **nobody}
    placed = [r for r in top if r["latitude"] is not None]
    on_map = {
        (r["ip_threat"], r["ip"], r["side"], r["kind"]) for r in table(told, "flow_story_map")
    }
    sides = {
        "two_way": ("destination", 1),
        "inbound": ("source", 2),
        "outbound": ("destination", 3),
    }
    of_peers = {(r["ip_threat"], r["peer"], *sides[r["direction"]]) for r in placed}
    assert {spot for spot in on_map if spot[0] != spot[1]} == of_peers
    assert of_peers
    triage = [r for r in table(told, "flow_triage") if r["severity"]]
    for row in table(told, "flow_story"):
        mine = [r for r in table(told, "flow_story_peers") if r["ip_threat"] == row["ip_threat"]]
        ways = Counter(r["direction"] for r in mine)
        assert [row[w] for w in WAYS] == [ways[w] for w in WAYS]
        assert row["on_map"] + row["off_map"] == sum(r["is_top"] for r in mine)
        assert row["scored_rows"] == sum(
            row["ip_threat"] in (r["srcip"], r["dstip"]) for r in triage
        )
        shown = [r for r in table(told, "flow_timeline") if r["ip_threat"] == row["ip_threat"]]
        assert (row["timeline_rows"], row["timeline_cut"]) == (len(shown), 0)


def _group(context: str) -> str:
    found = next((kind for kind in KINDS if kind.lower() in context.lower()), None)
    return found or context.partition(".")[0] or "No context"


def test_a_timeline_has_at_most_1000_rows_unless_told_otherwise() -> None:
    text = (PROJECT / "dbt_project.yml").read_text("utf-8")
    assert yaml.safe_load(text)["vars"]["story_limit"] == 1000


def test_the_timeline_has_every_flow_with_top_peers_once(told: Settings) -> None:
    top = {(r["ip_threat"], r["peer"]) for r in table(told, "flow_story_peers") if r["is_top"]}
    groups: dict[tuple[Any, ...], list[str]] = defaultdict(list)
    for row in telemetry(told, "flow"):
        for anchor, peer in ((row["sip"], row["dip"]), (row["dip"], row["sip"])):
            if (anchor, peer) in top:
                names = ("sip", "dip", "proto", "sport", "dport", "ipkt", "ibyt")
                groups[anchor, *(row[name] for name in names)].append(row["treceived"])
    rows = table(told, "flow_timeline")
    assert list(rows[0]) == [
        *("ip_threat", "tstart", "tend", "srcip", "dstip", "proto", "sport", "dport"),
        *("ipkt", "ibyt", "y", "m", "d"),
    ]
    equal = ("ip_threat", "srcip", "dstip", "proto", "sport", "dport", "ipkt", "ibyt")
    made = {tuple(r[name] for name in equal): (r["tstart"], r["tend"]) for r in rows}
    assert made == {key: (min(times), max(times)) for key, times in groups.items()}
    assert len(made) == len(rows)


def test_the_dendrogram_counts_the_raw_answers(told: Settings) -> None:
    raw = telemetry(told, "dns")
    wanted: Counter[tuple[str, str, str]] = Counter()
    for story in opened(told, "dns").saved_stories():
        for row in raw:
            name, client = row["dns_qry_name"], row["ip_dst"]
            if story.anchor_kind == "client" and client == story.anchor and name is not None:
                wanted[story.anchor, name, client] += 1
            if story.anchor_kind == "query" and client is not None and name is not None:
                wanted[story.anchor, story.anchor, client] += fold(name) == fold(story.anchor)
    rows = table(told, "dns_threat_dendro")
    assert list(rows[0]) == ["anchor", "total", "dns_qry_name", "ip_dst", "y", "m", "d"]
    made = {(r["anchor"], r["dns_qry_name"], r["ip_dst"]): r["total"] for r in rows}
    assert made == {key: total for key, total in wanted.items() if total}


def test_requests_and_what_they_led_to(told: Settings) -> None:
    raw = telemetry(told, "proxy")
    sizes = {
        each.anchor: int(re.findall(r'"top_results":(\d+)', each.action.payload or "")[0])
        for each in opened(told, "proxy").saved_stories()
    }
    wanted: set[tuple[Any, ...]] = set()
    times: dict[tuple[Any, ...], int] = defaultdict(int)
    how = ("clientip", "referer", "reqmethod", "resconttype")
    for anchor, size in sizes.items():
        mine = [row for row in raw if row["fulluri"] == anchor]
        wanted |= {(anchor, "requested", *(row[name] for name in how), anchor) for row in mine}
        wanted |= {
            (anchor, "referred", None, None, None, None, r["fulluri"])
            for r in raw if r["referer"] == anchor and r["fulluri"] != anchor
        }  # fmt: skip
        counted = Counter(row["clientip"] for row in mine)
        first = sorted(counted, key=lambda client: (-counted[client], client))[:size]
        for row in mine:
            if row["clientip"] in first:
                at = f"{row['p_date']} {row['p_time']}"
                times[anchor, at, row["clientip"], row["respcode"]] += row["duration"] or 0
    rows = table(told, "proxy_incident_progression")
    names = ("p_threat", "relation", "clientip", "referer", "reqmethod", "resconttype", "fulluri")
    assert {tuple(row[name] for name in names) for row in rows} == wanted
    assert len(rows) == len(wanted)
    assert {row["relation"] for row in rows} == {"requested", "referred"}
    timeline = table(told, "proxy_timeline")
    assert {
        (r["p_threat"], r["tstart"], r["clientip"], r["respcode"]): r["duration"] or 0
        for r in timeline
    } == times
    assert all(row["tstart"] == row["tend"] for row in timeline)
    assert {row["respcodename"] for row in timeline if row["respcode"] == "200"} == {"OK"}


# -- what becomes of it -------------------------------------------------------------------------


def test_the_panel_shows_what_is_published(told: Settings) -> None:
    day = open_bench("flow", FIRST, settings=told, author="ann")
    panel = ThreatPanel(day)
    panel.anchors.value = ("ip", THIEF)
    shown = panel.result.value
    assert "it&#x27;s" in shown
    assert "one<br>&#x27;two&#x27;" in shown
    assert DROP in shown
    assert [f'class="{name}"' in shown or f'data-picture="{name}"' in shown or name in shown
            for name in ("branches", "worldmap", "timeline")] == [True] * 3  # fmt: skip
    day.save_story("ip", THIEF, "later", "x")
    panel.anchors.value = None
    panel.anchors.value = ("ip", THIEF)
    assert "do not have this story yet" in panel.result.value
    day.undo()
    for pipeline, anchor in (("dns", "client"), ("dns", "query"), ("proxy", "uri")):
        bench = open_bench(pipeline, FIRST, settings=told, author="ann")
        other = ThreatPanel(bench)
        story = next(each for each in bench.saved_stories() if each.anchor_kind == anchor)
        other.anchors.value = (anchor, story.anchor)
        assert "<svg" in other.result.value


@pytest.mark.thorough
def test_a_rerun_and_a_reset_leave_the_stories(told: Settings) -> None:
    names = {f"{name}.parquet" for name in of_stories("flow")} - {"flow_story.parquet"}
    before = digests(folder(told, "flow"))
    assert names < before.keys()
    opened(told, "flow").reset(f"{FIRST:%Y%m%d}")
    summary = run_day(told, "flow", FIRST, Told())
    assert "stories" in summary.begun
    after = digests(folder(told, "flow"))
    assert {name: after[name] for name in names} == {name: before[name] for name in names}
    assert {row["scored_rows"] for row in table(told, "flow_story")} == {0}
    day = opened(told, "flow")
    day.reset(f"{FIRST:%Y%m%d}", with_stories=True)
    assert day.saved_stories() == []
    day.undo()
    assert Kind.STORY in {each.action.kind for each in day.saved_stories()}


def test_stories_that_are_gone_leave_no_rows(told: Settings) -> None:
    day = opened(told, "dns")
    for story in day.saved_stories():
        day.remove_story(story.anchor_kind, story.anchor)
    refreshed(told, "dns")
    assert not {f"{name}.parquet" for name in of_stories("dns")} & set(digests(folder(told, "dns")))
    # A store that was lost on purpose is the same.
    other = told.model_copy(update={"analyst_db": told.home / "other.sqlite"})
    refresh_day(other, "proxy", FIRST, Told(), accept_store=True)
    with duckdb.connect(str(told.warehouse), read_only=True) as connection:
        for name in (*of_stories("dns"), *of_stories("proxy")):
            assert connection.execute(f"select count(*) from oa.{name}").fetchall() == [(0,)], name
    refresh_day(told, "proxy", FIRST, Told(), accept_store=True)
    assert table(told, "proxy_storyboard")


def test_without_telemetry_only_the_storyboard_is_new(told: Settings, tmp_path: Path) -> None:
    before = digests(folder(told, "proxy"))
    (raw,) = (Path(told.raw_uri) / "proxy").glob("y=2016/m=*7/d=*8")
    shutil.move(raw, tmp_path / "proxy")
    try:
        day = opened(told, "proxy")
        story = day.saved_stories()[0]
        day.save_story(story.anchor_kind, story.anchor, "another title", "x")
        summary = refreshed(told, "proxy")
    finally:
        shutil.move(tmp_path / "proxy", raw)
    assert "the stories' tables were not updated: no telemetry for 2016-07-08" in summary.warnings
    assert "another title" in {row["title"] for row in table(told, "proxy_storyboard")}
    after = digests(folder(told, "proxy"))
    assert after["proxy_timeline.parquet"] == before["proxy_timeline.parquet"]


def test_nobody_is_asked_about_a_peer(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise AssertionError(f"somebody is asked: {args}")

    asked = home.model_copy(update={"dns_resolver": "192.0.2.53", "dns_public": True})
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "sendto", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket, "gethostbyaddr", refuse)
    found = peers.look_up(asked, [DROP, THIEF, "8.8.8.8", "2001:db8::1", "no address"]).to_pylist()
    assert [row["ip"] for row in found] == [DROP, THIEF, "8.8.8.8", "2001:db8::1", "no address"]
    assert [row["is_internal"] for row in found][:3] == [0, 1, 0]
    assert found[0]["latitude"] is not None
