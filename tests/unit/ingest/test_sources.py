"""Descriptions are checked before anything is read; what is hostile stays data."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from flows.cli.ingest import lines
from spot_oa.errors import ConfigError, UsageError
from spot_oa.ingest import Ingest, Ingested, Options
from spot_oa.pipelines import load_pipelines
from spot_oa.settings import load_settings
from spot_oa.sources import get_source, load_sources
from spot_oa.warehouse.mapper import Mapper
from spot_oa.warehouse.tables import ARROW_TYPES
from tests.support.ingested import (
    CONN,
    HTTP,
    NFDUMP_FAST,
    SAMPLES,
    differing,
    expected,
    landed,
    oracle,
    take,
    zeek,
)
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


def test_files_of_spots_own_are_read_together_with_ours(tmp_path: Path) -> None:
    """Spot's have another order, another codec and no column that came later."""
    for source, name, data, zone in SAMPLES.values():
        (tmp_path / name).write_bytes(data)
        take(tmp_path, source, tmp_path / name, timezone=zone)
    for pipeline, described in load_pipelines().items():
        ours = list(map(str, (tmp_path / "raw" / pipeline).glob("y=*/**/*.parquet")))
        columns = described.telemetry.columns
        rows = pa.concat_tables([pq.ParquetFile(file).read() for file in ours])
        *kept, later = reversed(columns)
        theirs = tmp_path / f"{pipeline}.parquet"
        pq.write_table(rows.select(kept), theirs, compression="snappy", version="1.0")
        both = duckdb.sql(
            "select * from read_parquet($files, union_by_name = true, hive_partitioning = false)",
            params={"files": [*ours, str(theirs)]},
        )
        found = both.to_arrow_table()
        assert found.schema.names == list(columns)
        assert found.schema.types == [ARROW_TYPES[kind] for kind in columns.values()]
        assert found.num_rows == 2 * rows.num_rows
        assert found.select(kept).to_pylist() == 2 * rows.select(kept).to_pylist()
        assert found[later].to_pylist() == [*rows[later].to_pylist(), *[None] * rows.num_rows]


def test_hostile_text_lands_exact_and_prints_escaped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = ["'; drop table x; --", "\x1b[31mred", "\u202eevil", "../../etc", "{}%s$(id)"]
    row = "1713589200.1 H 10.0.0.5 5 192.0.2.80 80 GET h.example /{0} - {0} 0 0 200 - -"
    row = row.replace(" ", "\t")
    data = zeek("http", HTTP).replace(b"#close\t-\n", b"")
    data += "".join(row.format(text) + "\n" for text in hostile).encode()
    data += "\x1b[31mshort \u202e\n".encode()
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
    assert not {"\x1b", "\u202e"} & set(shown)
    assert "\\x1b[31mshort \\u202e" in shown


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


def rows_of(home: Path) -> list[dict[str, Any]]:
    """Return the landed rows, by time."""
    found = [dict(row) for _, row in landed(home).elements()]
    return sorted(found, key=lambda row: row.get("unix_tstamp") or (row["p_date"], row["p_time"]))


def check(home: Path, source: str, name: str, data: str, zone: str | None = None) -> Ingested:
    """Ingest a log, and compare the result with the oracle's."""
    (home / name).write_text(data)
    (taken,) = take(home, source, home / name, timezone=zone)
    told = oracle(source, data.encode(), name, zone)
    assert not differing(landed(home), expected(told))
    if taken.status == "taken":
        counts = (taken.refused, taken.skipped, taken.comments)
        assert counts == (told.refused, told.skipped, told.comments)
    return taken


@pytest.mark.parametrize("between", ["", "\n"], ids=["no line breaks", "the first is missing"])
def test_a_header_with_data_behind_it_is_refused(between: str, tmp_path: Path) -> None:
    head = "ts,te,td,sa,da,sp,dp,pr,flg,ipkt,ibyt"
    row = "2024-03-10 04:10:00,2024-03-10 04:30:00,1,10.0.0.5,192.0.2.1,1,443,TCP,...AP.SF,1,8"
    data = head + between.join([row] * 3) + "\n"
    taken = check(tmp_path, "nfdump", "a.csv", data, "UTC")
    assert taken.status == "failed"
    assert "the header and data are on one line" in taken.error
    assert "with a newer version" in taken.error


ARGUS = (
    "StartTime,Dur,Proto,SrcAddr,Sport,DstAddr,Dport,sTos,dTos,TotPkts,TotBytes,SrcBytes\n"
    "2011/08/10 09:46:53.5,{},udp,192.0.2.1,{},192.0.2.2,{},{},{},12,{},413\n"
)
NFDUMP = (
    "firstSeen,duration,proto,srcAddr,srcPort,dstAddr,dstPort,srcTos,packets,bytes\n"
    "1515771450000,{},{},192.0.2.1,{}, 192.0.2.2\t,{},{},{},{}\n"
)


@pytest.mark.parametrize(
    ("source", "log", "values", "found", "bad"),
    [
        ("nfdump", NFDUMP, ("1", "6", "22", " 53", "0", "1", "2"), (22, 53), {}),
        ("nfdump", NFDUMP, ("1", "6", "-1", "5e1", "0", "1", "2"), (-1, 50), {}),
        ("nfdump", NFDUMP, ("", "6", "", "", "", "", ""), (None, None), {}),
        ("nfdump", NFDUMP, ("1", "1", "0", "3.1", "0", "1", "2"), (0, 769), {}),
        (
            "nfdump",
            NFDUMP,
            ("0x1", "6", "x", "1e400", "1_0", " 1", "9" * 20),
            (None, None),
            {"duration": 1, "sport": 1, "dport": 1, "stos": 1, "ipkt": 1, "ibyt": 1},
        ),
        (
            "nfdump",
            NFDUMP,
            ("1", "1", "0", "9" * 30 + ".3", "0", "1", "2"),
            (0, None),
            {"dport": 1},
        ),
        ("argus", ARGUS, ("1", "0x0050", "80", "0", "", "9"), (80, 80), {}),
        ("argus", ARGUS, ("", "", "", "", "", ""), (None, None), {}),
        (
            "argus",
            ARGUS,
            ("nan", "0xffffffff", "http", "x", "0", "1_5"),
            (None, None),
            {"tdur": 1, "sport": 1, "dport": 1, "stos": 1, "bytes": 1},
        ),
    ],
)
def test_values_that_are_no_numbers_are_counted(
    source: str,
    log: str,
    values: tuple[str, ...],
    found: tuple[int | None, int | None],
    bad: dict[str, int],
    tmp_path: Path,
) -> None:
    """What is empty is no value; what is no number is none, and the user is told how often."""
    (tmp_path / "a.csv").write_text(log.format(*values))
    (taken,) = take(tmp_path, source, tmp_path / "a.csv", timezone="UTC")
    ((_, row),) = landed(tmp_path)
    assert (dict(row)["sport"], dict(row)["dport"]) == found
    assert (dict(row)["sip"], dict(row)["dip"]) == ("192.0.2.1", "192.0.2.2")
    assert dict(taken.bad_values) == bad


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
        ("2016-07-08 01:59:59 +0200", 1467935999, "000000"),
        ("2016-07-07 23:59:59.5 Z", 1467935999, "500000"),
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


@pytest.mark.parametrize(
    ("text", "second"),
    [
        ("2016-07-08 01:59:59.", 1467935999),
        (" 2016/07/08 01:59:59.9999999 ", 1467935999),
        ("2016-07-07 23:59:59Z", 1467935999),
        ("2016-07-08 23:58:59+2359", 1467935999),
        ("2016-07-08 01:59:59+0260", None),
        ("2016-07-08 23:59:59+2400", None),
        ("2016-02-30 01:00:00", None),
        ("2016-07-08 24:00:00", None),
        ("2016-07-08 25:00:00.", None),
    ],
)
def test_text_times_are_of_the_zone_or_none(text: str, second: int | None, tmp_path: Path) -> None:
    """Whatever its form: a time that is read as UTC instead is wrong by hours, in silence."""
    values = ("1", "6", "22", "53", "0", "1", "2")
    (tmp_path / "a.csv").write_text(NFDUMP.format(*values).replace("1515771450000", text))
    (taken,) = take(tmp_path, "nfdump", tmp_path / "a.csv", timezone="Europe/Berlin")
    found = [dict(row)["unix_tstamp"] for _, row in landed(tmp_path)]
    assert found == ([] if second is None else [second])
    assert taken.status == ("failed" if second is None else "taken")


def test_a_request_to_nobody_has_a_dash_for_its_host(tmp_path: Path) -> None:
    """As all text of a proxy that is not known; a NULL would leave it out of the tables."""
    row = "1713589204.1 H5 10.0.0.5 5000 - 8000 GET - /x - - - - - - -"
    (tmp_path / "http.log").write_bytes(zeek("http", HTTP, row))
    take(tmp_path, "zeek", tmp_path / "http.log")
    event = {"timestamp": "2024-03-01T23:04:02Z", "event_type": "http", "src_ip": "10.0.0.5"}
    (tmp_path / "eve.json").write_text(json.dumps({**event, "http": {"url": "/x"}}) + "\n")
    take(tmp_path, "suricata", tmp_path / "eve.json")
    found = [dict(row) for _, row in landed(tmp_path)]
    assert [(row["host"], row["fulluri"]) for row in found] == [("-", "-/x")] * 2


def test_logs_are_told_by_what_they_say(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    row = '{"ts":1713589200.1,"id.orig_h":"10.0.0.5","id.resp_h":"192.0.2.10","proto":"tcp"}\n'
    rotated = ("conn.05:00:00-06:00:00.log", "conn_20240420.log", "conn-2024-04-20.log")
    for name in ("conn.log", "A_conn.log", *rotated):
        (folder / name).write_text(row.replace("10.0.0.5", name))
    others = ("conn_long.log", "A_conn_red.log", "dns_red.log", "http_red.log", "conn-summary.log")
    for name in ("open_conn.log", "A_open_conn.log", *others, "ssl.log", "stats.json"):
        (folder / name).write_text(row.replace("10.0.0.5", f"wrong {name}"))
    found = take(tmp_path, "zeek", folder)
    assert sum(told.status == "taken" for told in found) == 5
    assert sum(told.status == "unused" for told in found) == 9
    assert landed(tmp_path).total() == 5
    (told,) = take(tmp_path, "zeek", folder / "conn_long.log")
    assert "no _path or @stream in it" in told.error

    mixed = tmp_path / "zeek.json"
    mixed.write_text(row.replace("{", '{"_path":"conn",') + row.replace("{", '{"_path":"ssl",'))
    (told,) = take(tmp_path / "mixed", "zeek", mixed)
    assert told.rows == {"flow": 1}
    assert told.skipped == {"path ssl": 1}


@pytest.mark.parametrize("second", ["", " UTC"])
@pytest.mark.parametrize("grown", [False, True])
def test_a_date_without_a_zone_ends_the_zone_before(
    second: str, grown: bool, tmp_path: Path
) -> None:
    fields = "#Fields: date time c-ip cs-host cs-uri-path\n"
    first = f"#Date: 2016-07-08 07:00:00 EST (UTC-0500)\n{fields}2016-07-08 01:00:00 10.1.1.1 h /\n"
    more = f"#Date: 2016-07-09 07:00:00{second}\n{fields}2016-07-09 07:00:02 10.1.1.1 h /\n"
    if grown:
        check(tmp_path, "elf", "a.log", first)
        (tmp_path / "a.log").write_text(first + more)
        take(tmp_path, "elf", tmp_path / "a.log")
    else:
        check(tmp_path, "elf", "a.log", first + more)
    times = [(row["p_date"], row["p_time"]) for row in rows_of(tmp_path)]
    assert times == [("2016-07-08", "06:00:00"), ("2016-07-09", "07:00:02")]


def row_of_csv(
    tmp_path: Path, source: str, header: str, values: str
) -> tuple[dict[str, Any], Ingested]:
    taken = check(tmp_path, source, "a.csv", f"{header}\n{values}\n", "UTC")
    (row,) = rows_of(tmp_path)
    return row, taken


def nfdump_row(tmp_path: Path, more: str, values: str) -> tuple[dict[str, Any], Ingested]:
    header = f"ts,td,sa,da,sp,dp,pr,ipkt,ibyt{more}"
    values = f"2024-03-10 04:10:00,1,10.0.0.5,192.0.2.1,1,443,TCP,1,8{values}"
    return row_of_csv(tmp_path, "nfdump", header, values)


@pytest.mark.parametrize(
    ("more", "values", "found", "bad"),
    [
        ("", "", (0, 0, 0, 0), {}),
        (",opkt,obyt,fwd,dir", ",5,6,1,1", (5, 6, 1, 1), {}),
        (",opkt,obyt,fwd,dir", ",,,,", (None, None, None, None), {}),
        (
            ",opkt,obyt,fwd,dir",
            ",x,99999999999999999999,y,z",
            (None, None, None, None),
            {"opkt": 1, "obyt": 1, "fwd": 1, "dir": 1},
        ),
        (",opkt,dir", ",9007199254740993,E", (9007199254740993, 0, 0, 1), {}),
        (",direction", ", I", (0, 0, 0, 0), {}),
    ],
)
def test_only_an_absent_column_of_nfdump_is_zero(
    more: str,
    values: str,
    found: tuple[int | None, ...],
    bad: dict[str, int],
    tmp_path: Path,
) -> None:
    row, taken = nfdump_row(tmp_path, more, values)
    assert tuple(row[name] for name in ("opkt", "obyt", "fwd", "dir")) == found
    assert dict(taken.bad_values) == bad


@pytest.mark.parametrize(
    ("names", "values", "found", "bad"),
    [
        ("TotPkts,SrcPkts", "12,x", {"ipkt": None, "opkt": None}, {"ipkt": 1}),
        ("TotPkts,SrcPkts", "12,5", {"ipkt": 5, "opkt": 7}, {}),
        ("sTos,dTos", "12.7,3e9", {"stos": 12, "dtos": None}, {"dtos": 1}),
    ],
)
def test_values_of_argus_are_neither_replaced_nor_rounded(
    names: str, values: str, found: dict[str, int | None], bad: dict[str, int], tmp_path: Path
) -> None:
    row, taken = argus_row(tmp_path, names, values)
    assert {name: row[name] for name in found} == found
    assert dict(taken.bad_values) == bad


def argus_row(tmp_path: Path, names: str, values: str) -> tuple[dict[str, Any], Ingested]:
    header = f"StartTime,Dur,Proto,SrcAddr,Sport,DstAddr,Dport,{names}"
    values = f"2024-08-10 09:46:53.0,1.5,tcp,10.0.0.1,1000,10.0.0.2,80,{values}"
    return row_of_csv(tmp_path, "argus", header, values)


def test_an_echo_request_is_alike_in_all_logs(tmp_path: Path) -> None:
    echo = "1713592800.000000 C1 10.0.0.6 8 192.0.2.10 0 icmp - - - - OTH - 1 84 1 84"
    event = {"event_type": "flow", "src_ip": "10.0.0.6", "dest_ip": "192.0.2.10", "proto": "ICMP"}
    event |= {"icmp_type": 8, "icmp_code": 0, "flow": {"start": "2024-04-20T06:00:00Z"}}
    head = NFDUMP_FAST.partition("\n")[0]
    line = "1,2,1713592800000,1713592800000,1,10.0.0.6,0,192.0.2.10,2048,1,2,0,0,........,0,1,84"
    logs = {
        ("zeek", "conn.log"): zeek("conn", CONN, echo).decode(),
        ("suricata", "eve.json"): json.dumps(event) + "\n",
        ("nfdump", "fast.csv"): f"{head}\n{line}\n",
    }
    for (source, name), text in logs.items():
        (tmp_path / source).mkdir()
        check(tmp_path / source, source, name, text)
        (row,) = rows_of(tmp_path / source)
        found = [row[column] for column in ("treceived", "sip", "dip", "proto", "sport", "dport")]
        assert found == ["2024-04-20 06:00:00", "10.0.0.6", "192.0.2.10", "ICMP", 0, 2048], source


@pytest.mark.parametrize(
    ("code", "port"), [({}, 768), ({"icmp_code": 1}, 769), ({"icmp_code": "x"}, None)]
)
def test_a_bad_icmp_code_is_no_port(code: dict[str, Any], port: int | None, tmp_path: Path) -> None:
    event = {"event_type": "flow", "src_ip": "10.0.0.5", "dest_ip": "10.0.0.6", "proto": "ICMP"}
    event |= {"flow": {"start": "2024-03-01T22:59:58Z"}, "icmp_type": 3}
    taken = check(tmp_path, "suricata", "eve.json", json.dumps(event | code) + "\n")
    (row,) = rows_of(tmp_path)
    assert row["dport"] == port
    assert taken.bad_values.total() == (port is None)


@pytest.mark.parametrize(
    ("names", "values", "found"),
    [
        ("SrcPkts,DstPkts,SrcBytes,DstBytes", "5,7,500,7000", (5, 500, 7, 7000)),
        ("TotPkts,TotBytes", "12,7500", (12, 7500, None, None)),
        ("TotPkts,TotBytes,SrcPkts,SrcBytes", "12,7500,5,500", (5, 500, 7, 7000)),
        ("TotPkts,TotBytes,SrcPkts,SrcBytes,DstPkts", "12,7500,5,500,x", (5, 500, None, 7000)),
        ("TotPkts,TotBytes,SrcPkts,SrcBytes", "12,7500,5,", (5, None, 7, None)),
    ],
)
def test_counts_of_argus_are_by_direction_if_it_gives_them(
    names: str, values: str, found: tuple[int | None, ...], tmp_path: Path
) -> None:
    row, _ = argus_row(tmp_path, names, values)
    assert tuple(row[name] for name in ("ipkt", "ibyt", "opkt", "obyt")) == found


def test_times_that_the_clock_skips_are_refused(tmp_path: Path) -> None:
    head = "ts,te,sa,da,sp,dp,pr,flg,ipkt,ibyt\n"
    row = "2024-03-10 {},2024-03-10 {},10.0.0.5,192.0.2.1,1,443,TCP,...AP.SF,1,8\n"
    times = ("01:59:59", "03:00:00"), ("02:10:00", "03:30:00"), ("01:59:59", "02:59:59.5")
    data = head + "".join(row.format(*pair) for pair in times)
    taken = check(tmp_path, "nfdump", "a.csv", data, "America/New_York")
    assert [row["tdur"] for row in rows_of(tmp_path)] in ([1.0, None], [None, 1.0])
    (example,) = taken.examples
    assert (example.line_no, example.reason) == (
        3,
        "this time does not exist in America/New_York: check --timezone",
    )


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        ("  0xc2", "....S."),
        ("0xDB", ".AP.SF"),
        ("0xzz", "......"),
        ("CEUAPRSF", "UAPRSF"),
        (".AP.SF", ".AP.SF"),
    ],
)
def test_flags_of_nfdump_may_be_hexadecimal(flags: str, found: str, tmp_path: Path) -> None:
    row, _ = nfdump_row(tmp_path, ",flg", f",{flags}")
    assert row["flag"] == found


CHANGED = {
    "vpc": (
        "srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n"
        "10.0.0.1 192.0.2.1 1 22 6 20 4249 1418530010 1418530070 ACCEPT OK\n"
        "dstaddr srcaddr srcport dstport protocol packets bytes start end action log-status\n"
        "192.0.2.1 10.0.0.1 1 22 6 20 4249 1418530011 1418530070 start OK\n"
    ),
    "nfdump": (
        "ts,te,td,sa,da,sp,dp,pr,flg,ipkt,ibyt\n"
        "2024-03-10 00:00:00,2024-03-10 00:00:01,1,10.0.0.1,192.0.2.1,1,22,TCP,......,1,8\n"
        "Summary\nflows,bytes,packets,avg_bps,avg_pps,avg_bpp\n1,8,1,1,1,1\n"
        "firstSeen,duration,proto,srcAddr,srcPort,dstAddr,dstPort,packets,bytes,bps,flows\n"
        "2024-03-10 00:00:01,1,TCP,10.0.0.1,1,192.0.2.1,22,1,8,64,1\n"
    ),
    "argus": (
        "StartTime,Dur,Proto,SrcAddr,Sport,DstAddr,Dport,TotPkts,TotBytes,Label\n"
        "2024-08-10 09:46:53,1,tcp,10.0.0.1,1,192.0.2.1,22,5,500,StartTime of SrcAddr\n"
        "StartTime,Dur,Proto,DstAddr,Sport,SrcAddr,Dport,TotPkts,TotBytes\r\n"
        "2024-08-10 09:46:54,1,tcp,192.0.2.1,1,10.0.0.1,22,5,500\r\n"
    ),
}


@pytest.mark.parametrize("source", CHANGED)
@pytest.mark.parametrize("grown", [False, True])
def test_a_header_may_change_within_a_log(source: str, grown: bool, tmp_path: Path) -> None:
    data, zone = CHANGED[source], None if source == "vpc" else "UTC"
    if grown:
        (tmp_path / "a.log").write_text("".join(data.splitlines(keepends=True)[:2]))
        take(tmp_path, source, tmp_path / "a.log", timezone=zone)
    taken = None if grown else check(tmp_path, source, "a.log", data, zone)
    if taken is None:
        (tmp_path / "a.log").write_text(data)
        (taken,) = take(tmp_path, source, tmp_path / "a.log", timezone=zone)
    assert taken.refused == 0
    assert [(row["sip"], row["dport"]) for row in rows_of(tmp_path)] == [("10.0.0.1", 22)] * 2


def test_rows_below_a_header_with_data_behind_it_are_refused(tmp_path: Path) -> None:
    good = CHANGED["vpc"].splitlines(keepends=True)[:2]
    taken = check(
        tmp_path, "vpc", "vpc.log", "".join(good) + good[0].strip() + "".join(good[1:] * 2)
    )
    assert (taken.rows.total(), taken.refused) == (1, 2)


@pytest.mark.parametrize("source", sorted(load_sources()))
def test_a_file_that_fails_comes_with_a_hint(source: str, tmp_path: Path) -> None:
    described, _ = get_source(source)
    assert described.hint
    (tmp_path / "x.txt").write_text("one\n two, three\n")
    (taken,) = take(tmp_path, source, tmp_path / "x.txt")
    assert taken.status == "failed"
    assert taken.error.endswith(f"; {described.hint}")


def test_a_wrong_number_of_fields_comes_with_a_hint(tmp_path: Path) -> None:
    head = "ts,te,td,sa,da,sp,dp,pr,flg,ipkt,ibyt\n"
    (tmp_path / "a.csv").write_text(f"{head}2024-03-10 04:10:00,2024-03-10 04:10:00\n")
    (taken,) = take(tmp_path, "nfdump", tmp_path / "a.csv", timezone="UTC")
    assert "11 fields expected, found 2" in taken.error
    assert "print flows as they are" in taken.error


def test_json_without_the_name_of_its_log_asks_for_it(tmp_path: Path) -> None:
    event = {"ts": 1713589200.1, "id.orig_h": "10.0.0.1", "id.resp_h": "10.0.0.2", "proto": "tcp"}
    (tmp_path / "export.json").write_text(json.dumps(event) + "\n")
    (taken,) = take(tmp_path, "zeek", tmp_path / "export.json")
    assert "say which log with --log conn|dns|http" in taken.error
    (taken,) = take(tmp_path, "zeek", tmp_path / "export.json", log="conn")
    assert taken.rows == {"flow": 1}
    mixed = [event, {"_path": "ssl", "ts": 1713589200.1}, {"_path": "conn", **event}]
    (tmp_path / "mixed.json").write_text("".join(json.dumps(each) + "\n" for each in mixed))
    (taken,) = take(tmp_path / "mixed", "zeek", tmp_path / "mixed.json")
    assert (taken.rows, taken.refused, taken.skipped) == ({"flow": 1}, 1, {"path ssl": 1})


@pytest.mark.parametrize(
    ("version", "client"),
    [(None, "10.0.0.5"), (1, "10.0.0.5"), (2, "192.0.2.53"), (3, "10.0.0.5"), ("x", "192.0.2.53")],
)
def test_answers_from_an_unusual_port_are_read_by_version(
    version: int | str | None, client: str, tmp_path: Path
) -> None:
    event = {"timestamp": "2024-03-01T23:01:00Z", "event_type": "dns", "src_ip": "192.0.2.53"}
    event |= {"src_port": 8053, "dest_ip": "10.0.0.5", "dest_port": 53001}
    said = {"type": "answer", "rrname": "a.example", "rcode": "NOERROR", "rdata": "198.51.100.1"}
    said |= {} if version is None else {"version": version}
    check(tmp_path, "suricata", "eve.json", json.dumps({**event, "dns": said}) + "\n")
    (row,) = rows_of(tmp_path)
    assert row["ip_dst"] == client


def test_grouped_answers_are_answers(tmp_path: Path) -> None:
    event = {"timestamp": "2024-03-01T23:01:00Z", "event_type": "dns", "src_ip": "10.0.0.5"}
    event |= {"src_port": 53002, "dest_ip": "192.0.2.53", "dest_port": 53}
    said = {"version": 2, "type": "answer", "rrname": "g.example", "rrtype": "A"}
    said |= {"rcode": "NOERROR"}
    answers = [("CNAME", "w.example"), ("A", "198.51.100.9"), ("A", "198.51.100.10")]
    listed = [{"rrtype": kind, "rdata": value} for kind, value in answers]
    grouped = {"SOA": [{"mname": "ns"}], "CNAME": ["w.example"]}
    grouped["A"] = ["198.51.100.9", "198.51.100.10"]
    data = [{**said, "answers": [*listed, {"rrtype": "SOA"}]}, {**said, "grouped": grouped}]
    lines = "".join(json.dumps({**event, "dns": dns}) + "\n" for dns in data)
    check(tmp_path, "suricata", "eve.json", lines)
    one, other = rows_of(tmp_path)
    assert one == other
    assert one["dns_a"] == "198.51.100.9"


def test_a_folder_of_squid_has_both_formats(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    lines = SAMPLES["squid"][2].splitlines(keepends=True)
    (folder / "access.log.1").write_bytes(lines[1])
    (folder / "combined.log").write_bytes(lines[-1])
    (folder / "cache.log").write_bytes(b"2024/11/25 21:42:59| Starting\n")
    found = {Path(told.path).name: told.status for told in take(tmp_path, "squid", folder)}
    assert found == {"access.log.1": "taken", "combined.log": "taken", "cache.log": "unused"}


def test_lines_of_vpc_without_data_are_skipped_without_a_status(tmp_path: Path) -> None:
    data = (
        "srcaddr dstaddr srcport dstport protocol packets bytes start end action\n"
        "- - - - - - - 1431280876 1431280934 -\n"
        "10.0.0.1 10.0.0.2 1 2 6 1 40 1431280876 1431280934 ACCEPT\n"
        "- 10.0.0.2 1 2 6 1 40 1431280876 1431280934 ACCEPT\n"
    )
    taken = check(tmp_path, "vpc", "vpc.log", data)
    assert (taken.rows.total(), taken.refused, taken.skipped) == (1, 1, {"no data": 1})


def test_options_are_checked(tmp_path: Path) -> None:
    for options in ({"sensor": "../x"}, {"timezone": "Mars"}, {"max_refused": 2.0}):
        with pytest.raises(UsageError):
            Options(**options)  # type: ignore[arg-type]
    settings = load_settings(home=tmp_path)
    with pytest.raises(UsageError, match="already have a zone; omit the option"):
        Ingest(settings, "zeek", Options(timezone="UTC"))
    with pytest.raises(UsageError, match="conn, dns, http"):
        Ingest(settings, "zeek", Options(log="ssl"))
    with pytest.raises(UsageError, match="unknown"):
        get_source("bro")
    assert set(load_sources()) == {"argus", "elf", "nfdump", "squid", "suricata", "vpc", "zeek"}
