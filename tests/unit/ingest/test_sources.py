"""Descriptions are checked before anything is read; what is hostile stays data."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from flows.cli.ingest import lines
from spot_oa.errors import ConfigError, UsageError
from spot_oa.ingest import Ingest, Options
from spot_oa.pipelines import load_pipelines
from spot_oa.settings import load_settings
from spot_oa.sources import get_source, load_sources
from spot_oa.warehouse.mapper import Mapper
from spot_oa.warehouse.tables import ARROW_TYPES
from tests.support.ingested import CONN, HTTP, SAMPLES, landed, take, zeek
from tests.support.project import PROJECT

VPC = yaml.safe_load((PROJECT / "spot_oa/sources/vpc.yml").read_text())


@pytest.mark.parametrize(
    ("place", "value", "named"),
    [
        ("columns.sap", "src", "columns.sap"),
        ("columns.sip", "no_such_field", "columns.sip"),
        ("columns.sip", "packets", "columns.sip"),
        ("columns.ibyt", "src", "columns.ibyt"),
        ("columns.sip", "(select 'x')", "columns.sip"),
        ("columns.sip", "read_csv('/etc/passwd')", "columns.sip"),
        ("columns.sip", "getenv('HOME')", "columns.sip"),
        ("columns.sip", "src; drop table x", "columns.sip"),
        ("when", "src", "when"),
        ("let.table", "src", "table"),
        ("required.x", "nothing", "required.x"),
        ("where.x", "nothing = 1", "where.x"),
        ("pipeline", "netflow", "pipeline"),
        ("colums", "x", "colums"),
    ],
)
def test_a_mistake_is_named(place: str, value: str, named: str, tmp_path: Path) -> None:
    wrong = json.loads(json.dumps(VPC))
    log = wrong["logs"]["flow"]
    log.setdefault("let", {})
    *above, key = place.split(".")
    (log[above[0]] if above else log)[key] = value
    sources = tmp_path / "sources"
    sources.mkdir()
    (sources / "vpc.yml").write_text(yaml.safe_dump(wrong))
    (tmp_path / "vpc.log").write_bytes(SAMPLES["vpc"][2])
    settings = load_settings(home=tmp_path, sources_dir=sources)
    with pytest.raises(ConfigError) as error:
        list(Ingest(settings, "vpc").take_all([str(tmp_path / "vpc.log")]))
    assert str(sources / "vpc.yml") in str(error.value)
    assert named in str(error.value)
    assert "\n" not in str(error.value)
    assert not landed(tmp_path)


def test_types_are_those_of_the_pipelines(tmp_path: Path) -> None:
    for source, name, data, zone in SAMPLES.values():
        (tmp_path / name).write_bytes(data)
        take(tmp_path, source, tmp_path / name, timezone=zone)
    pipelines = load_pipelines()
    files = list((tmp_path / "raw").glob("*/y=*/**/*.parquet"))
    assert len({file.relative_to(tmp_path / "raw").parts[0] for file in files}) == 3
    for file in files:
        pipeline = file.relative_to(tmp_path / "raw").parts[0]
        schema = pq.read_schema(file)
        columns = pipelines[pipeline].telemetry.columns
        assert schema.names == list(columns)
        assert schema.types == [ARROW_TYPES[kind] for kind in columns.values()]
        padded = re.search(r"m=\d\d/d=\d\d/h=\d\d", str(file)) is not None
        assert padded or pipeline != "proxy"
    assert any("/m=4/" in str(file) for file in files)


def test_hostile_text_lands_exact_and_prints_escaped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = ["'; drop table x; --", "\x1b[31mred", "\u202eevil", "../../etc", "{}%s$(id)"]
    row = "1713589200.1 H 10.0.0.5 5 192.0.2.80 80 GET h.example /{0} - {0} 0 0 200 - -"
    row = row.replace(" ", "\t")
    data = zeek("http", HTTP).replace(b"#close\t-\n", b"")
    data += "".join(row.format(text) + "\n" for text in hostile).encode()
    data += b"\x1b[31mshort\n"
    (tmp_path / "http.log").write_bytes(data)
    said: list[str] = []
    run = Mapper._run

    def spy(self: Mapper, block: object, sql: str) -> object:
        said.append(sql)
        return run(self, block, sql)  # type: ignore[arg-type]

    monkeypatch.setattr(Mapper, "_run", spy)
    (taken,) = take(tmp_path, "zeek", tmp_path / "http.log")
    agents = {dict(row)["useragent"] for _, row in landed(tmp_path)}
    assert agents == set(hostile)
    assert not any(text in sql for sql in said for text in hostile)
    assert not any(text in str(path) for path in tmp_path.rglob("*") for text in hostile)
    shown = "\n".join(lines(taken))
    assert "\x1b" not in shown
    assert "\\x1b[31mshort" in shown


@pytest.mark.parametrize("by", ["option", "description"])
def test_queries_can_be_left_out(by: str, tmp_path: Path) -> None:
    row = "1713589200.1 H 10.0.0.5 5 192.0.2.80 80 GET h.example /a?k=SECRET http://o/?t=SECRET"
    data = zeek("http", HTTP, f"{row} agent?x 0 0 200 - -").replace(b"#close\t-\n", b"")
    (tmp_path / "http.log").write_bytes(data)
    settings = load_settings(home=tmp_path)
    if by == "description":
        sources = tmp_path / "sources"
        sources.mkdir()
        described = (PROJECT / "spot_oa/sources/zeek.yml").read_text("utf-8")
        (sources / "zeek.yml").write_text(f"{described}drop_query: true\n", "utf-8")
        settings = load_settings(home=tmp_path, sources_dir=sources)
    options = Options(drop_query=by == "option")
    (taken,) = Ingest(settings, "zeek", options).take_all([str(tmp_path / "http.log")])
    assert taken.rows == {"proxy": 1}
    ((_, row_),) = landed(tmp_path)
    found = dict(row_)
    assert (found["fulluri"], found["uripath"]) == ("h.example/a", "/a")
    assert (found["uriquery"], found["referer"]) == ("-", "http://o/")
    assert found["useragent"] == "agent?x"
    assert "SECRET" not in str(found)


def test_a_wrong_format_is_told_by_its_first_line(tmp_path: Path) -> None:
    for name in ("conn", "dns", "http"):
        (tmp_path / f"{name}.log").write_bytes(SAMPLES[name][2])
        for source in ("squid", "elf", "suricata", "nfdump", "vpc"):
            (taken,) = take(tmp_path, source, tmp_path / f"{name}.log")
            assert taken.status == "failed"
            assert "the first: line " in taken.error
            assert not landed(tmp_path)


@pytest.mark.parametrize(("refused", "status"), [(17, "taken"), (23, "failed")])
def test_one_line_in_ten_may_be_refused(refused: int, status: str, tmp_path: Path) -> None:
    row = "1713589200.1 C1 10.0.0.5 1 192.0.2.10 443 tcp ssl 1 1 1 SF S 1 1 1 1"
    rows = [row] * (200 - refused) + ["short line"] * refused
    (tmp_path / "conn.log").write_bytes(zeek("conn", CONN, *rows))
    (taken,) = take(tmp_path, "zeek", tmp_path / "conn.log")
    assert taken.status == status
    (taken,) = take(tmp_path / "b", "zeek", tmp_path / "conn.log", max_refused=0.2)
    assert taken.status == "taken"


@pytest.mark.parametrize("ts", ["22.33", "0", "4294967296", "1e400", "nan", "yesterday", "-"])
def test_times_that_cannot_be(ts: str, tmp_path: Path) -> None:
    good = "1713589200.1 C1 10.0.0.5 1 192.0.2.10 443 tcp ssl 1 1 1 SF S 1 1 1 1"
    odd = good.replace("1713589200.1", ts)
    (tmp_path / "conn.log").write_bytes(zeek("conn", CONN, good, odd))
    (taken,) = take(tmp_path, "zeek", tmp_path / "conn.log")
    assert taken.rows == {"flow": 1}
    assert taken.refused == 1
    if ts in ("22.33", "0"):
        assert taken.examples[0].reason == "time is not plausible"
        (taken,) = take(tmp_path / "any", "zeek", tmp_path / "conn.log", any_time=True)
        assert taken.rows == {"flow": 2}


@pytest.mark.parametrize(
    ("ts", "second", "micro"),
    [
        ("1467935999.9999999", 1467935999, "999999"),
        ("1467935999.123456789", 1467935999, "123456"),
        ("1467935999", 1467935999, "000000"),
        ("1467935999123", 1467935999, "123000"),
        ("2016-07-07T23:59:59.999999Z", 1467935999, "999999"),
        ("2016-07-08T01:59:59+0200", 1467935999, "000000"),
        ("2016-07-07T22:59:59-01:00", 1467935999, "000000"),
    ],
)
def test_times(ts: str, second: int, micro: str, tmp_path: Path) -> None:
    event = {"ts": "@", "id.orig_h": "a", "id.resp_h": "b", "query": "q", "rcode": 0}
    text = json.dumps(event).replace('"@"', ts if ts.isdigit() or "." in ts[:11] else f'"{ts}"')
    (tmp_path / "dns.log").write_text(text + "\n")
    take(tmp_path, "zeek", tmp_path / "dns.log")
    ((_, row),) = landed(tmp_path)
    assert dict(row)["unix_tstamp"] == second
    assert f".{micro}000 UTC" in dict(row)["frame_time"]


def test_logs_are_told_by_what_they_say(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    row = '{"ts":1713589200.1,"id.orig_h":"10.0.0.5","id.resp_h":"192.0.2.10","proto":"tcp"}\n'
    for name in ("conn.log", "A_conn.log", "conn.05:00:00-06:00:00.log", "conn_20240420.log"):
        (folder / name).write_text(row.replace("10.0.0.5", name))
    for name in ("open_conn.log", "A_open_conn.log", "conn-summary.log", "ssl.log", "stats.json"):
        (folder / name).write_text(row.replace("10.0.0.5", f"wrong {name}"))
    found = take(tmp_path, "zeek", folder)
    assert sum(told.status == "taken" for told in found) == 4
    assert sum(told.status == "unused" for told in found) == 5
    assert landed(tmp_path).total() == 4

    mixed = tmp_path / "zeek.json"
    mixed.write_text(row.replace("{", '{"_path":"conn",') + row.replace("{", '{"_path":"ssl",'))
    (told,) = take(tmp_path / "mixed", "zeek", mixed)
    assert told.rows == {"flow": 1}
    assert told.skipped == {"path ssl": 1}


def test_options_are_checked(tmp_path: Path) -> None:
    for options in ({"sensor": "../x"}, {"timezone": "Mars"}, {"max_refused": 2.0}):
        with pytest.raises(UsageError):
            Options(**options)  # type: ignore[arg-type]
    settings = load_settings(home=tmp_path)
    with pytest.raises(UsageError, match="names the zone of its times itself"):
        Ingest(settings, "zeek", Options(timezone="UTC"))
    with pytest.raises(UsageError, match="conn, dns, http"):
        Ingest(settings, "zeek", Options(log="ssl"))
    with pytest.raises(UsageError, match="unknown"):
        get_source("bro")
    assert set(load_sources()) == {"argus", "elf", "nfdump", "squid", "suricata", "vpc", "zeek"}
