"""Logs for tests of ingest, and readers of the resulting telemetry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from spot_oa.ingest import Ingest, Ingested, Options
from spot_oa.settings import load_settings
from spot_oa.warehouse.mapper import Mapper
from tests.support.logs_oracle import READERS, Told

ZEEK_HEAD = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n"
CONN = (
    "ts uid id.orig_h id.orig_p id.resp_h id.resp_p proto service duration orig_bytes resp_bytes "
    "conn_state history orig_pkts orig_ip_bytes resp_pkts resp_ip_bytes"
)
DNS = "ts uid id.orig_h id.orig_p id.resp_h id.resp_p proto query qclass qtype rcode answers"
HTTP = (
    "ts uid id.orig_h id.orig_p id.resp_h id.resp_p method host uri referrer user_agent "
    "request_body_len response_body_len status_code username resp_mime_types"
)


def zeek(path: str, fields: str, *rows: str) -> bytes:
    """Return a TSV log; blanks in the rows become tabs."""
    head = f"{ZEEK_HEAD}#path\t{path}\n#fields\t{fields}\n".replace(" ", "\t", 0)
    named = head.replace(fields, fields.replace(" ", "\t"))
    return (
        named + "".join(row.replace(" ", "\t") + "\n" for row in rows)
    ).encode() + b"#close\t-\n"


CONN_ROWS = (
    "1713589200.123456 C1 10.0.0.5 51000 192.0.2.10 443 tcp ssl 60.5 400 900 SF ShADadFf 10 1500 12 9000",
    "1713589259.9999999 C2 10.0.0.5 53000 192.0.2.53 53 udp dns 0.1 39 55 SF Dd 1 67 1 83",
    "1713592800.000000 C3 10.0.0.6 8 192.0.2.10 0 icmp - - - - OTH - 1 84 1 84",
    "1713592801.5 C4 2001:db8::5 128 2001:db8::1 0 icmp - 0.001 8 8 OTH - 1 118 1 118",
    "1713592802 C5 10.0.0.7 51001 192.0.2.11 80 tcp - - x 1_000 S0 S 5000000000 12.7 0x1f 0",
    "2024-04-20T07:00:03.5Z C6 10.0.0.7 - 192.0.2.11 - unknown_transport - - - - OTH - - - - -",
    "1713599999.999999 C7 10.0.0.8 1 192.0.2.12 2 tcp - 1e-3 0 0 REJ Sr 1 60 1 40",
)
DNS_ROWS = (
    "1713589200.453260 D1 10.0.0.5 5000 192.0.2.53 53 udp www.example.com. 1 1 0 a.example,198.51.100.1",
    "1713589203.000000 D2 2001:db8::5 5000 2001:db8::53 53 udp x.example 1 28 0 2001:db8::7",
    "1713589204.000000 D3 10.0.0.5 5000 192.0.2.53 53 udp none.example 1 1 3 -",
    "1713589205.000000 D4 10.0.0.5 5000 192.0.2.53 53 udp silent.example 1 1 - -",
    "1713589206.000000 D5 10.0.0.5 5000 192.0.2.53 53 udp - 1 1 0 198.51.100.1",
    "1713589207.000000 D6 10.0.0.5 5000 192.0.2.53 53 udp b\\xc3\\xbccher.example - 16 0 TXT\\x2c1\\x2d,\\\\",
    "1713589208.000000 D7 10.0.0.5 5000 192.0.2.53 53 udp e.example 1 1 0 (empty)",
)
HTTP_ROWS = (
    "1713589200.1 H1 10.0.0.5 5000 192.0.2.80 80 GET www.example.com /a/b.JPG?x=1 - curl/8 0 1234 200 - image/jpeg",
    "1713589201.1 H2 10.0.0.5 5000 192.0.2.80 3128 CONNECT - secure.example.org:443 - - 0 0 200 joe -",
    "1713589202.1 H3 10.0.0.5 5000 192.0.2.80 80 GET (empty) //x.php? http://r/ (empty) - 5000000000 404 - -",
    "1713589203.1 H4 10.0.0.5 5000 192.0.2.80 3128 POST h HTTP://u:p@www.example.com:8080/p?q=http://o/ - a\\x2d\\x5c\\\\ 3 4 302 - text/html,x",
    "1713589204.1 H5 10.0.0.5 5000 192.0.2.80 8000 - - - - - - - - - -",
    "1713589205.1 H6 10.0.0.5 5000 192.0.2.80 80 GET [2001:db8::80]:81 * - - - - 200 - -",
)
NFDUMP = (
    "ts,te,td,sa,da,sp,dp,pr,flg,fwd,stos,ipkt,ibyt,opkt,obyt,in,out,sas,das,ra\n"
    "2024-03-09 23:59:59,2024-03-10 00:00:00,0.500, 10.0.0.5,192.0.2.10,51000,443,TCP,...AP.SF,1,8,3,580,0,0,1,2,3,4,192.0.2.1\n"
    "2024-11-03 01:30:00.250,2024-11-03 01:30:01,1.000,10.0.0.5,192.0.2.10,0,2048,ICMP,........,0,0,1,84,0,0,0,0,0,0,192.0.2.1\n"
    "2024-11-03 03:30:00,2024-11-03 03:30:01,1.000,10.0.0.5,192.0.2.10,0,3.3,ICMP,........,0,0,1,84,0,0,0,0,0,0,192.0.2.1\n"
    "2024-11-03 03:30:00,2024-11-03 03:30:01,x,2001:db8::5,2001:db8::1,0,32768,58,CEUAPRSF,0,0,1,118,99999999999999999999,7,0,0,0,0,0\n"
    "2024-11-03 03:30:00,short\n"
    "Summary\nflows,bytes,packets,avg_bps,avg_pps,avg_bpp\n4,782,6,1,2,3\n"
)
NFDUMP_NEW = (
    "firstSeen,duration,proto,srcAddr,srcPort,dstAddr,dstPort,packets,bytes,bpp,bps,pps,flows\n"
    "2024-03-10 00:00:00.250,0.000,TCP,10.0.0.5,51000,192.0.2.10,443,3,580,1,2,3,1\n"
    "2024-03-10 00:00:01.250,1.500,UDP,10.0.0.5,51000,192.0.2.10,53,3,580,1,2,3,1\n"
    "Summary\ntotal flows,total bytes,total packets\n2,1160,6\n"
)
NFDUMP_FAST = (
    "cnt,af,firstSeen,lastSeen,proto,srcAddr,srcPort,dstAddr,dstPort,srcAS,dstAS,input,output,flags,srcTos,packets,bytes\n"
    "1,2,1515771450000,1515771450020,6,10.0.0.5,22,192.0.2.10,44948,1,2,0,0,...AP...,16,3,580\n"
    "2,2,1515771450999,1515771451000,17,10.0.0.5,53,192.0.2.10,44948,1,2,0,0,........,16,3,580\n"
    "3,2,1515771450999,1515771451000,1,10.0.0.5,0,192.0.2.10,2048,1,2,0,0,........,16,3,580\n"
)
VPC = (
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n"
    "2 1 eni-1 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK\n"
    "2 1 eni-1 - - - - - - - 1431280876 1431280934 - NODATA\n"
    "2 1 eni-1 203.0.113.12 172.31.16.139 0 0 1 4 336 1432917027 1432917142 ACCEPT OK\n"
)
ARGUS = (
    "StartTime,Dur,Proto,SrcAddr,Sport,Dir,DstAddr,Dport,State,sTos,dTos,TotPkts,TotBytes,SrcBytes,Label\n"
    "2011/08/10 09:46:53.047277,3550.182373,udp,212.50.71.179,39678,  <->,147.32.84.229,13363,CON,0,0,12,875,413,flow=Background\n"
    "2011/08/10 09:46:54.5,0.000883,icmp,147.32.84.165,0x0303,   ->,147.32.84.9,0x0101,URP,0,,1,70,70,flow=x\n"
    "2011/08/10 09:46:55,1,tcp,147.32.84.165,0x0050,   ->,147.32.84.9,,S_,0,0,2,120,60,flow=x\n"
)
SQUID = (
    "1732570979.918      0 127.0.0.1 NONE_NONE/000 0 - error:transaction-end-before-headers - HIER_NONE/- -\n"
    "1732570979.921     15 10.0.0.5 TCP_MISS/200 1491 GET http://www.shop.test:38080/a/b.JPG?x=1 joe HIER_DIRECT/192.0.2.1 text/html\n"
    "1732570980.000      0 10.0.0.5 TCP_MISS_ABORTED/000 0 GET https://nowhere.invalid/y? - HIER_NONE/- -\n"
    "1732570981.500   3003 10.0.0.5 TCP_TUNNEL/200 1427 CONNECT [::1]:38080 - HIER_DIRECT/::1 -\n"
    "1732570982.000      0 10.0.0.5 NONE_NONE/400 328 GET /relative - HIER_NONE/- text/html\n"
    "1732570983.000      0 10.0.0.5 TCP_DENIED/403 330 GET http://blocked.test/\u00e9|<x> - HIER_NONE/- text/html [A: b c/d e] [HTTP/1.1 200 OK]\n"
    '10.0.0.5 - joe [25/Nov/2024:21:42:59 +0130] "GET http://www.shop.test/ HTTP/1.1" 0 257 "http://r/a?b=c d" "Mozilla (X11; "q" \\ b) caf\u00e9" TCP_MISS:HIER_DIRECT\n'
)
ELF = (
    "#Software: SGOS 6.7.5.3\r\n#Date: 2016-07-08 05:00:00\r\n"
    "#Fields: date time time-taken c-ip cs-username sc-filter-result cs(Referer) sc-status s-action cs-method rs(Content-Type) cs-uri-scheme cs-host cs-uri-port cs-uri-path cs-uri-query cs-uri-extension cs(User-Agent) s-ip sc-bytes cs-bytes\r\n"
    '2016-07-08 05:00:01 115 10.1.2.3 jdoe OBSERVED http://ref.example/ 200 TCP_HIT GET text/html;%20charset=utf-8 http www.example.com 80 /a/b.html ?x=1;y=2 html "Mozilla/5.0 Say ""hi""" 10.0.0.42 1491 430\r\n'
    "2016-07-08 06:00:00 3 10.1.2.9 - OBSERVED - 200\r\n"
    "#Fields: date time c-ip cs-host cs-uri-stem sc-bytes\r\n"
    "2016-07-08 06:30:02 2001:db8::5 h.example / 12\r\n"
    "2016-07-08 06:30:02 - h.example / 12\r\n"
    "#Date: 2016-07-08 07:00:00 EST (UTC-0500)\r\n"
    '2016-07-08 23:30:02 10.1.2.3 "h.example" "/x y" -\r\n'
)
EVE = "\n".join(
    [
        '{"timestamp":"2024-03-01T23:59:59.999999+0100","event_type":"flow","src_ip":"10.0.0.5","src_port":51000,"dest_ip":"192.0.2.10","dest_port":443,"proto":"TCP","flow":{"pkts_toserver":10,"pkts_toclient":12,"bytes_toserver":5000000000,"bytes_toclient":9000,"start":"2024-03-01T23:58:00.250000+0100","end":"2024-03-01T23:59:00.750000+0100"},"tcp":{"tcp_flags_ts":"1b"}}',
        '{"timestamp":"2024-03-01T22:59:59+0000","event_type":"flow","src_ip":"2001:db8::5","dest_ip":"2001:db8::1","icmp_type":128,"icmp_code":0,"proto":"IPv6-ICMP","flow":{"pkts_toserver":1,"bytes_toserver":"x","start":"2024-03-01T22:59:58.000000+0200"}}',
        '{"timestamp":"2024-03-01T23:00:05Z","event_type":"netflow","src_ip":"10.0.0.5"}',
        '{"timestamp":"2024-03-01T23:01:00.000200+0000","event_type":"dns","src_ip":"192.0.2.53","src_port":53,"dest_ip":"10.0.0.5","dest_port":53001,"proto":"UDP","dns":{"type":"answer","rcode":"NOERROR","rrname":"v1.example.","rrtype":"A","rdata":"198.51.100.1"}}',
        '{"timestamp":"2024-03-01T23:02:00.000200+0000","event_type":"dns","src_ip":"10.0.0.5","src_port":53002,"dest_ip":"192.0.2.53","dest_port":53,"dns":{"version":2,"type":"answer","rrname":"v2.example","rrtype":"TYPE65","rcode":"NXDOMAIN"}}',
        '{"timestamp":"2024-03-01T23:03:00.000100+0000","event_type":"dns","src_ip":"10.0.0.5","src_port":53003,"dest_ip":"192.0.2.53","dest_port":53,"dns":{"version":3,"type":"request","rcode":"NOERROR","queries":[{"rrname":"v3.example","rrtype":"HTTPS"}]}}',
        '{"timestamp":"2024-03-01T23:03:00.000200+0000","event_type":"dns","src_ip":"192.0.2.53","src_port":8053,"dest_ip":"10.0.0.5","dest_port":53003,"dns":{"version":3,"type":"response","rcode":"NOERROR","queries":[{"rrname":"v3.example","rrtype":"A"}],"answers":[{"rrtype":"CNAME","rdata":"w.example"},{"rrtype":"SOA"},{"rrtype":"A","rdata":"198.51.100.3"}]}}',
        '{"timestamp":"2024-03-01T23:03:01+0000","event_type":"dns","app_proto":"doh2","src_ip":"10.0.0.5","src_port":51000,"dest_ip":"192.0.2.53","dest_port":443,"dns":{"version":3,"type":"response","rcode":"NOERROR","queries":[{"rrname":"doh.example","rrtype":"A"}]}}',
        '{"timestamp":"2024-03-01T23:04:00.000000+0000","event_type":"http","src_ip":"10.0.0.5","dest_ip":"192.0.2.80","dest_port":80,"http":{"hostname":"www.example.com","url":"/a/b.JS?x=1","http_user_agent":"curl/8","http_method":"GET","status":200,"length":1234}}',
        '{"timestamp":"2024-03-01T23:04:01.000000+0000","event_type":"http","src_ip":"10.0.0.5","dest_ip":"192.0.2.80","dest_port":3128,"http":{"hostname":"secure.example.org","http_port":443,"url":"secure.example.org:443","http_method":"CONNECT","length":0}}',
        '{"timestamp":"2024-03-01T23:04:02.000000+0000","event_type":"http","src_ip":"10.0.0.5","dest_ip":"192.0.2.80","dest_port":8000,"http":{"length":0}}',
        '[{"event_type":"flow"}]',
        "null",
        '{"event_type":"flow"}TRAILER',
        '{"timestamp":"yesterday","event_type":"flow","src_ip":"10.0.0.5","dest_ip":"192.0.2.1","flow":{"start":"yesterday"}}',
        "",
        '{"timestamp":"2024-03-01T23:05:01.000000+0000","event_type":"flow","src_ip":"10.0.0.5"',
    ]
)

SAMPLES: Mapping[str, tuple[str, str, bytes, str | None]] = {
    # name of the file -> source, name, content, zone
    "conn": ("zeek", "conn.log", zeek("conn", CONN, *CONN_ROWS), None),
    "dns": ("zeek", "dns.log", zeek("dns", DNS, *DNS_ROWS), None),
    "http": ("zeek", "http.log", zeek("http", HTTP, *HTTP_ROWS), None),
    "eve": ("suricata", "eve.json", EVE.encode(), None),
    "nfdump": ("nfdump", "old.csv", NFDUMP.encode(), "America/New_York"),
    "nfdump-new": ("nfdump", "new.csv", NFDUMP_NEW.encode(), "Europe/Berlin"),
    "nfdump-fast": ("nfdump", "fast.csv", NFDUMP_FAST.encode(), None),
    "vpc": ("vpc", "vpc.log", VPC.encode(), None),
    "argus": ("argus", "a.binetflow", ARGUS.encode(), "Europe/Prague"),
    "squid": ("squid", "access.log", SQUID.encode(), None),
    "elf": ("elf", "proxysg.log", ELF.encode(), None),
}


def take(home: Path, source: str, *paths: Path | str, **options: Any) -> list[Ingested]:
    """Ingest into `home/raw`; all tests of a process share the connection."""
    ingest = Ingest(load_settings(home=home), source, Options(**options))
    ingest.__dict__["_mapper"] = _mapper()
    return list(ingest.take_all(map(str, paths)))


@cache
def _mapper() -> Mapper:
    return Mapper(load_settings().project_dir / "seeds")


def landed(home: Path) -> Counter[tuple[str, tuple[tuple[str, Any], ...]]]:
    """Return every row below `home/raw`, independent of order."""
    found: Counter[Any] = Counter()
    for file in sorted((home / "raw").glob("*/y=*/**/*.parquet")):
        pipeline = file.relative_to(home / "raw").parts[0]
        table = pq.ParquetFile(file).read()
        found.update(row_of(pipeline, row) for row in table.to_pylist())
    return found


def expected(told: Told) -> Counter[Any]:
    """Return the oracle's rows in the same form."""
    return Counter(row_of(pipeline, row) for pipeline, row in told.rows)


def row_of(pipeline: str, row: Mapping[str, Any]) -> Any:
    """Convert a row to a hashable value; durations to 32-bit floats."""
    values = dict(row)
    if values.get("tdur") is not None:
        values["tdur"] = float(np.float32(values["tdur"]))
    return pipeline, tuple(sorted(values.items()))


def oracle(source: str, data: bytes, name: str, zone: str | None = None) -> Told:
    """Return the oracle's result for a log."""
    return READERS[source](data, name=name, zone=zone or "UTC")


def tree(root: Path) -> list[tuple[str, int, int]]:
    """Return every file below a folder, with its inode and modification time."""
    return sorted(
        (str(path.relative_to(root)), path.stat().st_ino, path.stat().st_mtime_ns)
        for path in root.rglob("*")
        if path.is_file()
    )


def differing(found: Counter[Any], wanted: Counter[Any]) -> list[Any]:
    """Return the differences of the first differing rows: column, ours, theirs."""
    ours, theirs = (
        sorted((found - wanted).elements(), key=str),
        sorted((wanted - found).elements(), key=str),
    )
    if len(ours) != len(theirs):
        return [len(ours), len(theirs), *ours[:1], *theirs[:1]]
    return [
        (column, value, dict(other).get(column))
        for (_, mine), (_, other) in zip(ours[:1], theirs[:1], strict=True)
        for column, value in mine
        if dict(other).get(column) != value
    ]
