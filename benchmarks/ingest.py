"""Ingest compared with the plain readers of DuckDB and Arrow on the same file, and its memory."""

from __future__ import annotations

import gzip
import json
import random
import shutil
import statistics
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.csv
import pyarrow.json

from benchmarks.bench import Bench, size, spot_oa
from spot_oa.ingest import Ingest
from spot_oa.settings import load_settings

CONN = [
    "ts",
    "uid",
    "id.orig_h",
    "id.orig_p",
    "id.resp_h",
    "id.resp_p",
    "proto",
    "service",
    "duration",
    "orig_bytes",
    "resp_bytes",
    "conn_state",
    "missed_bytes",
    "history",
    "orig_pkts",
    "orig_ip_bytes",
    "resp_pkts",
    "resp_ip_bytes",
]
HEAD = (
    "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n"
    "#fields\t" + "\t".join(CONN) + "\n"
)
START = 1713571200


class Log(NamedTuple):
    """A log of a source, with its number of lines."""

    name: str
    source: str
    lines: int


LOGS = (
    Log("conn.log", "zeek", 1_000_000),
    Log("conn.log.gz", "zeek", 1_000_000),
    Log("conn.json.log", "zeek", 500_000),
    Log("eve.json", "suricata", 500_000),
    Log("fast.csv", "nfdump", 500_000),
    Log("access.log", "squid", 340_000),
)
SMALL = 216


def measure(bench: Bench) -> Iterator[dict[str, str]]:
    """Measure lines and megabytes per CPU second, memory, and the plain readers."""
    folder = bench.folder / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    for log in LOGS:
        path = _made(folder, log.name, log.lines)
        home = folder / "home"

        def taken(path: Path = path, source: str = log.source, home: Path = home) -> None:
            shutil.rmtree(home, ignore_errors=True)
            (result,) = Ingest(load_settings(home=home), source).take_all([str(path)])
            assert result.rows, result.error

        cases = {"ingest": taken, "DuckDB": partial(_duckdb, path), "Arrow": partial(_arrow, path)}
        found = bench.in_turns(cases)
        cpu = statistics.median(used for _, used in found.rounds["ingest"])
        plain = path.with_suffix("") if path.suffix == ".gz" else path
        megabytes = plain.stat().st_size / 1e6
        yield {
            "log": log.name,
            "lines": size(log.lines),
            "MB": f"{megabytes:.0f}",
            "CPU s": f"{cpu:.2f}",
            "lines / CPU s": f"{log.lines / cpu:,.0f}",
            "MB / CPU s": f"{megabytes / cpu:.0f}",
            "to DuckDB": found.ratio("ingest", "DuckDB", cpu=True),
            "to Arrow": found.ratio("ingest", "Arrow", cpu=True),
            "peak MB": f"{_command(path, log.source, folder)['memory']:.0f}",
        }
    big = _made(folder, "four.conn.log", 4_000_000)
    used = _command(big, "zeek", folder)
    yield {"log": big.name, "lines": "4M", "CPU s": f"{used['cpu']:.2f}"} | {
        "peak MB": f"{used['memory']:.0f}"
    }
    small = folder / "small"
    _small(folder / "conn.log", small)
    used = _command(small, "zeek", folder)
    yield {"log": f"{SMALL} files", "lines": size(SMALL * 1000), "CPU s": f"{used['cpu']:.2f}"} | {
        "peak MB": f"{used['memory']:.0f}"
    }


def _command(path: Path, source: str, folder: Path) -> dict[str, float]:
    home = folder / "home"
    shutil.rmtree(home, ignore_errors=True)
    return spot_oa(load_settings(home=home), "ingest", source, str(path))[1]


def _duckdb(path: Path) -> None:
    """Read all columns as text, the minimum work of a reader."""
    with duckdb.connect() as connection:
        connection.execute("set threads = 1")
        if path.suffix in (".json",) or "json" in path.name:
            source = f"read_json('{path}', format = 'newline_delimited', ignore_errors = true)"
        else:
            source = (
                f"read_csv('{path}', all_varchar = true, header = false, quote = '', "
                "strict_mode = false, null_padding = true, ignore_errors = true)"
            )
        connection.execute(f"create table t as select * from {source}")


def _arrow(path: Path) -> None:
    pa.set_cpu_count(1)
    if "json" in path.name:
        pyarrow.json.read_json(path, pyarrow.json.ReadOptions(use_threads=False))
        return
    delimiter = "," if path.suffix == ".csv" else "\t" if "conn" in path.name else "\x01"
    pyarrow.csv.read_csv(
        path,
        pyarrow.csv.ReadOptions(autogenerate_column_names=True, use_threads=False, skip_rows=6),
        pyarrow.csv.ParseOptions(delimiter=delimiter, quote_char=False),
    )


def _made(folder: Path, name: str, lines: int) -> Path:
    path = folder / name
    if path.exists():
        return path
    if name.endswith(".gz"):
        plain = _made(folder, name.removesuffix(".gz"), lines)
        with plain.open("rb") as source, gzip.open(path, "wb", 6) as target:
            shutil.copyfileobj(source, target)
        return path
    chance = random.Random(1)
    make = next(maker for mark, maker in _MAKERS.items() if mark in name)
    with path.open("w", encoding="utf-8") as file:
        if make is _conn:
            file.write(HEAD)
        elif make is _nfdump:
            file.write(
                "cnt,af,firstSeen,lastSeen,proto,srcAddr,srcPort,dstAddr,dstPort,srcAS,dstAS,input,"
                "output,flags,srcTos,packets,bytes\n"
            )
        for n in range(lines):
            file.write(make(n, START + 86_400 * n / lines, chance))
    return path


def _values(n: int, when: float, chance: random.Random) -> list[str]:
    sent = chance.randrange(40, 90_000)
    answer = chance.randrange(40, 900_000)
    return [
        *(f"{when:.6f}", f"C{n:x}", f"10.0.{n % 7}.{n % 251}", str(1024 + n % 60_000)),
        *(f"192.0.{n % 5}.{n % 249}", "443", "tcp", "ssl", f"{chance.random():.6f}", str(sent)),
        *(str(answer), "SF", "0", "ShADadFf", str(sent // 40), str(sent + 40)),
        *(str(answer // 40), str(answer + 40)),
    ]


def _conn(n: int, when: float, chance: random.Random) -> str:
    return "\t".join(_values(n, when, chance)) + "\n"


def _conn_json(n: int, when: float, chance: random.Random) -> str:
    values = dict(zip(CONN, _values(n, when, chance), strict=True))
    numbers = {"ts", "duration", *(name for name in CONN if name.endswith(("_p", "bytes", "pkts")))}
    event = {"_path": "conn"} | {
        name: json.loads(value) if name in numbers else value for name, value in values.items()
    }
    return json.dumps(event, separators=(",", ":")) + "\n"


def _eve(n: int, when: float, chance: random.Random) -> str:
    day = f"2024-04-20T{int(when) // 3600 % 24:02}:{int(when) // 60 % 60:02}:{int(when) % 60:02}"
    stamp = f"{day}.{n % 1_000_000:06}+0000"
    ends = {"src_ip": f"10.0.0.{n % 250}", "src_port": 5000, "dest_ip": "192.0.2.10"}
    event: dict[str, object] = {"timestamp": stamp, "flow_id": n, "in_iface": "eth0", **ends}
    match n % 3:
        case 0:
            event |= {"event_type": "flow", "dest_port": 443, "proto": "TCP"}
            counts = {"pkts_toserver": 10, "pkts_toclient": 12, "bytes_toserver": n}
            event["flow"] = counts | {"bytes_toclient": 900, "start": stamp, "end": stamp}
            event["tcp"] = {"tcp_flags": "1b", "tcp_flags_ts": "1b"}
        case 1:
            event |= {"event_type": "dns", "dest_port": 53, "proto": "UDP"}
            answers = [{"rrname": f"h{n % 999}.example", "rrtype": "A", "rdata": "198.51.100.1"}]
            asked = {"rrname": f"h{n % 999}.example", "rrtype": "A", "rcode": "NOERROR"}
            event["dns"] = {"version": 2, "type": "answer", "answers": answers} | asked
        case _:
            event |= {"event_type": "http", "dest_port": 80, "proto": "TCP"}
            agent = {"http_user_agent": "Mozilla/5.0 (X11; Linux x86_64)", "http_method": "GET"}
            url = {"hostname": "www.example.com", "url": f"/a/{chance.randrange(9999)}?x={n}"}
            event["http"] = url | agent | {"status": 200, "length": n % 99_999}
    return json.dumps(event, separators=(",", ":")) + "\n"


def _nfdump(n: int, when: float, chance: random.Random) -> str:
    first = int(when * 1000)
    return (
        f"{n},2,{first},{first + chance.randrange(9999)},6,10.0.0.{n % 250},{1024 + n % 60_000},"
        f"192.0.2.{n % 249},443,1,2,3,4,...AP.SF,0,{n % 99},{n % 9999}\n"
    )


def _squid(n: int, when: float, chance: random.Random) -> str:
    return (
        f"{when:.3f} {chance.randrange(99_999):6} 10.0.0.{n % 250} TCP_MISS/200 {n % 99_999} GET "
        f"http://www.example{n % 99}.com/a/{n % 9999}/b.html?x={n} - HIER_DIRECT/192.0.2.1 "
        "text/html\n"
    )


_MAKERS = {
    "json.log": _conn_json,
    "eve": _eve,
    "csv": _nfdump,
    "access": _squid,
    "conn": _conn,
}


def _small(log: Path, folder: Path) -> None:
    """Split the first lines of a log into many small logs."""
    if folder.exists():
        return
    folder.mkdir()
    with log.open(encoding="utf-8") as lines:
        data = [line for _, line in zip(range(SMALL * 1000 + 6), lines, strict=False)][6:]
    for n in range(SMALL):
        (folder / f"conn.{n:03}.log").write_text(HEAD + "".join(data[n * 1000 : (n + 1) * 1000]))
