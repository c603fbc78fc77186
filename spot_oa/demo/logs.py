"""Write the demo's telemetry as Zeek logs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from spot_oa.demo.generator import Day

UNSET = "-"
Row = Mapping[str, Any]


def write_logs(days: Sequence[Day], folder: Path) -> list[Path]:
    """Write `<folder>/<date>/conn.log`, `dns.log` and `http.log`.

    Columns that Zeek does not log (types of service, routers, categories) are omitted; ingesting
    the logs returns the demo's events.

    Args:
        days: The days that the generator has written.
        folder: The parent of the logs; created if missing.

    Returns:
        The logs.

    Raises:
        OSError: The logs cannot be written.
    """
    made = []
    for day in days:
        log, fields, row = _LOGS[day.pipeline]
        path = folder / day.date.isoformat() / f"{log}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8") as file:
            file.write("#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n")
            file.write(f"#unset_field\t{UNSET}\n#path\t{log}\n#fields\t")
            file.write("\t".join(fields.split()) + "\n")
            for number, event in enumerate(_events(day.raw)):
                values = [f"C{number:x}" if value is _UID else _text(value) for value in row(event)]
                file.write("\t".join(values) + "\n")
        made.append(path)
    return made


_UID = object()


def _events(folder: Path) -> Iterator[Row]:
    for file in sorted(folder.glob("h=*/*.parquet")):
        for batch in pq.ParquetFile(file).iter_batches():
            yield from batch.to_pylist()


def _text(value: object) -> str:
    """Format a value like Zeek's ASCII writer."""
    if value is None:
        return UNSET
    text = str(value)
    if text == UNSET:
        return UNSET
    escaped = text.replace("\\", "\\\\").replace("\t", "\\x09").replace("\n", "\\x0a")
    return escaped or "(empty)"


def _conn(event: Row) -> Iterator[object]:
    icmp = event["proto"] == "ICMP"
    kind = event["dport"] or 0
    sent = event["flag"] or ""
    letters = {"A": "A", "P": "D", "R": "R", "S": "S", "F": "F"}
    yield event["unix_tstamp"]
    yield _UID
    yield event["sip"]
    yield kind // 256 if icmp else event["sport"]
    yield event["dip"]
    yield kind % 256 if icmp else event["dport"]
    yield None if event["proto"] is None else event["proto"].lower()
    yield event["tdur"]
    yield "".join(letter for flag, letter in letters.items() if flag in sent) or None
    yield from (event[name] for name in ("ipkt", "ibyt", "opkt", "obyt"))


def _dns(event: Row) -> Iterator[object]:
    fraction = (event["frame_time"] or "").partition(".")[2][:6] or "0"
    yield f"{event['unix_tstamp']}.{fraction}"
    yield _UID
    yield from (event["ip_dst"], 53_000, event["ip_src"], 53, "udp", event["dns_qry_name"])
    klass = event["dns_qry_class"]
    yield int(klass, 16) if klass and klass.startswith("0x") else None
    yield event["dns_qry_type"]
    yield event["dns_qry_rcode"]
    yield event["dns_a"] or None


def _http(event: Row) -> Iterator[object]:
    query = event["uriquery"] if event["uriquery"] not in (None, UNSET) else ""
    path = event["uripath"] if event["uripath"] not in (None, UNSET) else ""
    port = event["uriport"] or UNSET
    clock = ":".join(part.zfill(2) for part in event["p_time"].split(":"))
    yield f"{event['p_date']}T{clock}Z"
    yield _UID
    yield from (event["clientip"], 50_000, event["serverip"], port, event["reqmethod"])
    if event["reqmethod"] == "CONNECT":
        yield from (event["host"], f"{event['host']}:{port}")
    else:
        yield from (event["host"], path + query)
    yield from (event[name] for name in ("referer", "useragent", "csbytes", "scbytes"))
    yield from (event[name] for name in ("respcode", "username", "resconttype"))


_IDS = "ts uid id.orig_h id.orig_p id.resp_h id.resp_p"
_LOGS: Mapping[str, tuple[str, str, Callable[[Row], Iterator[object]]]] = {
    "flow": (
        "conn",
        f"{_IDS} proto duration history orig_pkts orig_ip_bytes resp_pkts resp_ip_bytes",
        _conn,
    ),
    "dns": ("dns", f"{_IDS} proto query qclass qtype rcode answers", _dns),
    "proxy": (
        "http",
        f"{_IDS} method host uri referrer user_agent request_body_len response_body_len "
        "status_code username resp_mime_types",
        _http,
    ),
}
