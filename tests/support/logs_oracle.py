"""The expected result of ingesting logs, computed line by line in plain Python.

It shares no code with spot_oa/ingest and uses neither DuckDB nor Arrow. `read` gives rows of
telemetry and the number of lines refused and skipped; it is slow and trusting about formats.
"""

from __future__ import annotations

import csv as csv_module
import datetime as dt
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

SEEDS = Path(__file__).resolve().parents[2] / "seeds"
UTC = dt.UTC
EPOCH = dt.datetime(1970, 1, 1, tzinfo=UTC)
INT, BIGINT = 2**31 - 1, 2**63 - 1
PROXY_DASHES = ("authgroup", "exceptionid", "webcat", "virusid", "bcappname", "bcappoper")


class Refused(Exception):
    pass


class Skipped(Exception):
    pass


@dataclass
class Told:
    rows: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    refused: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    blank: int = 0
    comments: int = 0
    lines: int = 0


def codes(name: str) -> dict[str, int]:
    with (SEEDS / f"{name}.csv").open(encoding="utf-8") as file:
        rows = [(int(r["code"]), r["name"].upper()) for r in csv_module.DictReader(file)]
    return {name: code for code, name in reversed(rows) if code >= 0}


TYPES, RCODES = codes("dns_types"), codes("dns_rcodes")
PROTOCOLS = {code: name for name, code in codes("ip_protocols").items()} | {58: "ICMP6"}


# -- Values ---------------------------------------------------------------------------------------


def number(value: Any, largest: int = BIGINT) -> int | None:
    if value is None:
        return None
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", str(value), re.ASCII):
        return None
    try:
        exact = Decimal(str(value))
    except ArithmeticError:  # Its exponent is larger than any of a Decimal.
        return None
    if exact.adjusted() > 20:  # Too large, and 1e999999 has a million digits.
        return None
    whole = int(exact)
    return whole if -largest - 1 <= whole <= largest else None


def real(value: Any) -> float | None:
    if value is None or not re.fullmatch(
        r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", str(value), re.ASCII
    ):
        return None
    found = float(value)
    return found if abs(found) != float("inf") else None


def instant(value: Any) -> dt.datetime | None:
    if value is None:
        return None
    text = str(value)
    if re.fullmatch(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?", text, re.ASCII):
        try:
            seconds = Decimal(text)
            if abs(seconds) > 99_999_999_999:  # Milliseconds.
                seconds = seconds / 1000 if 0 < seconds <= 99_999_999_999_999 else Decimal("nan")
            micros = int((seconds * 10**6).to_integral_value("ROUND_FLOOR"))
        except (ArithmeticError, ValueError):
            return None
        return EPOCH + dt.timedelta(microseconds=micros)
    match = re.fullmatch(
        r"(\d{4})[-/](\d\d)[-/](\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d*))?"
        r" ?(Z|[+-]\d\d:?\d\d|[+-]\d\d)?",
        text,
        re.ASCII,
    )
    if not match:
        return None
    micros = int((match[7] or "")[:6].ljust(6, "0"))
    sign, digits = (match[8] or "Z")[0], (match[8] or "Z")[1:].replace(":", "").ljust(4, "0")
    try:
        when = dt.datetime(*(int(match[n]) for n in range(1, 7)), micros, tzinfo=UTC)
        clock = dt.time(int(digits[:2]), int(digits[2:]))
    except ValueError:
        return None
    offset = dt.timedelta(hours=clock.hour, minutes=clock.minute)
    return when - offset if sign == "+" else when + offset


def local(value: str | None, zone: str) -> dt.datetime | None:
    text = (value or "").strip()
    when = instant(text)
    names_no_zone = re.fullmatch(r"\d{4}[-/]\d\d[-/]\d\d[T ][\d:.]+", text)
    if when is None or not names_no_zone:
        return when
    found = when.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC)
    # A clock that is set forward never shows the times in between.
    back = found.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    return found if back == when.replace(tzinfo=None) else None


def bare(text: str | None) -> str:
    return (text or "").strip(" \t")


def dash(value: Any) -> str:
    return "-" if value in (None, "") else str(value)


def is_ipv4(text: str) -> bool:
    parts = text.split(".")
    return len(parts) == 4 and all(re.fullmatch(r"\d{1,3}", p) and int(p) < 256 for p in parts)


def is_ipv6(text: str) -> bool:
    return text.count(":") > 1 and not set(text) - set("0123456789abcdefABCDEF:.")


def protocol(text: str | None) -> str | None:
    if not text:
        return None
    if text.isdigit() and len(text) < 4:
        return PROTOCOLS.get(int(text), text)
    return "ICMP6" if text.upper() == "IPV6-ICMP" else text.upper()


def plausible(when: dt.datetime | None, what: str) -> dt.datetime:
    if when is None:
        raise Refused(what)
    if not dt.datetime(1980, 1, 1, tzinfo=UTC) <= when <= dt.datetime.now(UTC) + dt.timedelta(1):
        raise Refused("time")
    return when


# -- Rows -----------------------------------------------------------------------------------------


def flow(when: dt.datetime, **values: Any) -> tuple[str, dict[str, Any]]:
    row: dict[str, Any] = {
        "treceived": when.strftime("%Y-%m-%d %H:%M:%S"),
        "unix_tstamp": int((when - EPOCH).total_seconds() // 1),
        "tryear": when.year,
        "trmonth": when.month,
        "trday": when.day,
        "trhour": when.hour,
        "trminute": when.minute,
        "trsec": when.second,
        "flag": "......",
        "fwd": 0,
        "dir": 0,
    }
    row |= dict.fromkeys(("stos", "input", "output", "sas", "das", "dtos", "rip", "tdur"))
    return "flow", row | values


def dns(when: dt.datetime, client: str, server: str, name: str, answers: list[Any], **values: Any):
    name = name if name == "." else name.removesuffix(".")
    length = 60 + 20 * (":" in client) + len(name)
    for answer in answers:
        size = 4 if is_ipv4(answer) else 16 if is_ipv6(answer) else len(answer) + 2
        length += 12 + size
    return "dns", {
        "frame_time": f"{when:%b} {when.day:2} {when:%Y %H:%M:%S.%f}000 UTC",
        "unix_tstamp": int((when - EPOCH).total_seconds() // 1),
        "frame_len": length,
        "ip_dst": client,
        "ip_src": server,
        "dns_qry_name": name,
        "dns_a": next((a for a in answers if is_ipv4(a)), ""),
        **values,
    }


def address(uri: str | None, method: str | None) -> dict[str, Any]:
    """Return host, port, path and query of a URI in a proxy log."""
    if method == "CONNECT" and not (uri or "/").startswith("/"):
        found = re.fullmatch(r"(.*?)(?::(\d*))?", uri or "", re.DOTALL)
        return {"scheme": "tcp", "host": found[1], "port": found[2], "path": "-", "query": "-"}
    scheme = host = port = None
    rest = uri or ""
    if match := re.match(r"([A-Za-z][A-Za-z0-9+.\-]*)://([^/?#]*)", rest):
        scheme, rest = match[1].lower(), rest[match.end() :]
        found = re.fullmatch(r"(.*?)(?::(\d*))?", match[2].rpartition("@")[2], re.DOTALL)
        host, port = found[1], found[2]
    path, mark, query = rest.partition("?")
    if method == "CONNECT":
        scheme, path, mark, query = "tcp", "-", "", "-"
    return {
        "scheme": scheme,
        "host": host or None,
        "port": port or None,
        "path": path or "-",
        "query": mark + query or "-",
    }


def extension(path: str) -> str:
    match = re.search(r"\.([A-Za-z0-9]+)$", path)
    return match[1] if match else "-"


def full_uri(row: dict[str, Any]) -> str:
    return row["host"] + "".join(p for p in (row["uripath"], row["uriquery"]) if len(p) > 1)


def proxy(when: dt.datetime, **values: Any) -> tuple[str, dict[str, Any]]:
    row = dict.fromkeys(PROXY_DASHES, "-") | dict.fromkeys(("duration", "scbytes", "csbytes"))
    row |= {"p_date": f"{when:%Y-%m-%d}", "p_time": f"{when:%H:%M:%S}", "username": "-"}
    row |= {"filterresult": "OBSERVED", "uriextension": extension(values["uripath"]), **values}
    return "proxy", row | {"fulluri": full_uri(row)}


# -- Zeek -----------------------------------------------------------------------------------------


def zeek_row(log: str, get: Any) -> tuple[str, dict[str, Any]]:
    """Return `get`: `get(name)` is a text or None; `get(name, True)` a list of texts."""
    if log == "dns":
        answers = get("answers", True) or []
        if number(get("rcode"), INT) is None and not answers:
            raise Skipped("unanswered query")
    when = instant(get("ts"))
    client, server = get("id.orig_h"), get("id.resp_h")
    if when is None or not client:
        raise Refused("key")
    if log == "conn":
        if not server:
            raise Refused("key")
        plausible(when, "ts")
        icmp, history = get("proto") == "icmp", get("history")
        sport, dport = number(get("id.orig_p"), INT), number(get("id.resp_p"), INT)
        flag = "......"
        if get("proto") == "tcp" and history is not None:
            seen = set(history)
            on = (False, bool(seen & set("AH")), "D" in seen, "R" in seen, "S" in seen, "F" in seen)
            flag = "".join(c if o else "." for c, o in zip("UAPRSF", on, strict=True))
        packets = [number(get(n)) for n in ("orig_pkts", "resp_pkts")]
        sizes = [
            number(
                get(f"{w}_ip_bytes")
                if get(f"{w}_ip_bytes", None) is not MISSING
                else get(f"{w}_bytes")
            )
            for w in ("orig", "resp")
        ]
        return flow(
            when,
            tdur=real(get("duration")),
            sip=client,
            dip=server,
            sport=0 if icmp else sport,
            dport=(None if None in (sport, dport) else sport * 256 + dport) if icmp else dport,
            proto=None if get("proto") is None else get("proto").upper(),
            flag=flag,
            ipkt=packets[0],
            ibyt=sizes[0],
            opkt=packets[1],
            obyt=sizes[1],
        )
    if log == "dns":
        if not get("query"):
            raise Refused("query")
        plausible(when, "ts")
        qclass = number(get("qclass"), INT)
        return dns(
            when,
            client,
            server,
            get("query"),
            answers,
            # A class has 16 bits.
            dns_qry_class=f"0x{qclass:08x}" if qclass is not None and 0 <= qclass < 65536 else None,
            dns_qry_type=number(get("qtype"), INT),
            dns_qry_rcode=number(get("rcode"), INT),
        )
    plausible(when, "ts")
    uri = address(get("uri"), get("method"))
    named = re.fullmatch(r"(.*?)(?::(\d*))?", get("host") or "", re.DOTALL)
    connect = get("method") == "CONNECT"
    return proxy(
        when,
        clientip=client,
        host=dash(uri["host"] or named[1] or server),
        reqmethod=dash(get("method")),
        useragent=dash(get("user_agent")),
        resconttype=dash((get("resp_mime_types", True) or [None])[0]),
        username=dash(get("username")),
        referer=dash(get("referrer")),
        respcode=dash(get("status_code")),
        action="TCP_TUNNELED" if connect else "TCP_MISS",
        urischeme=uri["scheme"] or "http",
        uriport=uri["port"] or named[2] or dash(get("id.resp_p")),
        uripath=uri["path"],
        uriquery=uri["query"],
        serverip=dash(server),
        scbytes=number(get("response_body_len")),
        csbytes=number(get("request_body_len")),
    )


MISSING = object()


def unescape(text: str) -> str:
    def one(match: re.Match[str]) -> str:
        if match[0] == "\\\\":
            return "\\"
        raw = bytes(int(part, 16) for part in match[0].split("\\x")[1:])
        return raw.decode("utf-8", "backslashreplace")

    return re.sub(r"\\\\|(?:\\x[0-9a-fA-F]{2})+", one, text)


def lines_of(data: bytes) -> list[tuple[str, bool]]:
    if not data:
        return []
    found = []
    for raw in data.removeprefix(b"\xef\xbb\xbf").removesuffix(b"\n").split(b"\n"):
        raw = raw.removesuffix(b"\r")
        try:
            found.append((raw.decode("utf-8"), True))
        except UnicodeDecodeError:
            found.append((raw.decode("utf-8", "backslashreplace"), False))
    return found


def account(told: Told, make: Any) -> None:
    try:
        told.rows.append(make())
    except Refused:
        told.refused += 1
    except Skipped as reason:
        told.skipped[str(reason)] += 1


def zeek_tsv(data: bytes, log: str | None) -> Told:
    told, names = Told(), None
    separator, unset, empty, between = "\t", "-", "(empty)", ","
    for line, _ in lines_of(data):
        told.lines += 1
        if line.startswith("#"):
            told.comments += 1
            if line.startswith("#separator"):
                separator = unescape(line[10:].strip(" "))[:1]
                unset, empty, between = "-", "(empty)", ","
                continue
            key, _, value = line.partition(separator)
            if key == "#fields":
                names = value.split(separator)
            elif key == "#path":
                log = value
            elif key == "#unset_field":
                unset = value
            elif key == "#empty_field":
                empty = value
            elif key == "#set_separator":
                between = value or ","
            continue
        if not line:
            told.blank += 1
            continue
        if names is None:
            told.refused += 1
            continue
        if log not in ("conn", "dns", "http"):
            told.skipped[f"path {log}"] += 1
            continue
        values = line.split(separator)
        if len(values) != len(names):
            told.refused += 1
            continue

        def get(name: str, many: Any = False, values: Any = values, names: Any = names) -> Any:
            if name not in names:
                return MISSING if many is None else None
            value = values[names.index(name)]
            if value == unset:
                return None
            if many:
                return [] if value == empty else [unescape(v) for v in value.split(between)]
            return "" if value == empty else unescape(value)

        account(told, lambda get=get: zeek_row(log, get))
    return told


def first_wins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        found.setdefault(key, value)
    return found


def json_text(value: Any) -> str | None:
    """Convert a JSON value to text; numbers keep their spelling."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return json.dumps(value)
    return str(value)


class _Number(str):
    pass


def json_lines(data: bytes, one: Any) -> Told:
    told = Told()
    for line, whole in lines_of(data):
        told.lines += 1
        if whole and not line.strip():
            told.blank += 1
            continue
        try:
            if not whole:
                raise ValueError("not UTF-8")
            event = json.loads(
                line, object_pairs_hook=first_wins, parse_float=_Number, parse_int=_Number
            )
            if not isinstance(event, dict):
                raise ValueError("no object")
            json.dumps(event, ensure_ascii=False).encode()  # Half a surrogate pair is no text.
        except (ValueError, RecursionError):
            told.refused += 1
            continue
        account(told, lambda event=event: one(event))
    return told


def zeek_json(data: bytes, log: str | None) -> Told:
    def one(event: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        which = json_text(event.get("_path")) or json_text(event.get("@stream")) or log
        if which not in ("conn", "dns", "http"):
            if which:
                raise Skipped(f"path {which}")
            raise Refused("log")

        def get(name: str, many: Any = False) -> Any:
            places = [name]
            if name.startswith("id."):
                key = name[3:]
                nested = event.get("id")
                values = [event.get(name), event.get(f"id_{key}")]
                values += [nested.get(key) if isinstance(nested, dict) else None]
                values += [event.get(f"id{{{key}}}")]
            else:
                values = [event.get(p) for p in places]
            value = next((v for v in values if v is not None), None)
            if many is None:
                return MISSING if value is None else value
            if many:
                return [json_text(v) for v in value] if isinstance(value, list) else None
            return json_text(value)

        return zeek_row(which, get)

    return json_lines(data, one)


def zeek(data: bytes, name: str = "", **_: Any) -> Told:
    found = re.match(r"^(?:.*[_.-])?(conn|dns|http)(?:\.|[_-]\d|$)", name)
    log = found[1] if found and "open_conn" not in name else None
    if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return zeek_json(data, log)
    return zeek_tsv(data, log)


# -- Suricata -------------------------------------------------------------------------------------


def suricata(data: bytes, **_: Any) -> Told:
    def at(value: Any, *keys: Any) -> Any:
        for key in keys:
            if isinstance(key, str):
                value = value.get(key) if isinstance(value, dict) else None
            else:
                value = value[key] if isinstance(value, list) and len(value) > key else None
        return value

    def one(event: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        kind = json_text(event.get("event_type"))
        src, dest = json_text(event.get("src_ip")), json_text(event.get("dest_ip"))
        sport, dport = (number(json_text(event.get(f"{w}_port")), INT) for w in ("src", "dest"))
        proto = json_text(event.get("proto"))
        if kind == "flow":
            when = instant(json_text(at(event, "flow", "start")))
            if when is None or not src or not dest:
                raise Refused("key")
            plausible(when, "start")
            end = instant(json_text(at(event, "flow", "end")))
            icmp = (proto or "").upper() in ("ICMP", "IPV6-ICMP", "ICMP6")
            flag, bits = "......", json_text(at(event, "tcp", "tcp_flags_ts"))
            if (proto or "").upper() == "TCP" and bits and re.fullmatch(r"[0-9a-fA-F]{1,7}", bits):
                flag = "".join(
                    c if int(bits, 16) & 32 >> n else "." for n, c in enumerate("UAPRSF")
                )
            kinds = number(json_text(event.get("icmp_type")), INT)
            code = json_text(event.get("icmp_code"))
            code = 0 if code is None else number(code, INT)
            return flow(
                when,
                tdur=None if end is None else (end - when) / dt.timedelta(seconds=1),
                sip=src,
                dip=dest,
                sport=0 if icmp else sport,
                dport=(None if None in (kinds, code) else kinds * 256 + code) if icmp else dport,
                proto=protocol(proto),
                flag=flag,
                ipkt=number(json_text(at(event, "flow", "pkts_toserver"))),
                ibyt=number(json_text(at(event, "flow", "bytes_toserver"))),
                opkt=number(json_text(at(event, "flow", "pkts_toclient"))),
                obyt=number(json_text(at(event, "flow", "bytes_toclient"))),
            )
        when = instant(json_text(event.get("timestamp")))
        if kind == "dns":
            said = event.get("dns")
            if at(said, "type") in ("query", "request"):
                raise Skipped("query")
            asked = json_text(at(said, "rrname")) or json_text(at(said, "queries", 0, "rrname"))
            rrtype = json_text(at(said, "rrtype")) or json_text(at(said, "queries", 0, "rrtype"))
            servers = (53, 5353, 5355)
            if sport in servers and dport not in servers:
                back = True
            elif (dport in servers and sport not in servers) or event.get("app_proto") in (
                "doh2",
                "http",
                "http2",
            ):
                back = False
            else:
                version = json_text(at(said, "version"))
                back = version is None or number(version, INT) in (1, 3)
            client, server = (dest, src) if back else (src, dest)
            if when is None or not client or not asked:
                raise Refused("key")
            plausible(when, "timestamp")
            listed = at(said, "answers")
            answers = (
                [json_text(at(a, "rdata")) for a in listed] if isinstance(listed, list) else []
            )
            answers = [a for a in answers if a is not None]
            groups = at(said, "grouped")
            if not answers and isinstance(groups, dict):
                lists = [group for group in groups.values() if isinstance(group, list)]
                answers = [json_text(a) for group in lists for a in group]
                answers = [a for a in answers if a is not None and not a.startswith("{")]
            if not answers and at(said, "rdata") is not None:
                answers = [json_text(at(said, "rdata"))]

            def code(text: str | None, known: dict[str, int]) -> int | None:
                if text is None:
                    return None
                match = re.fullmatch(r"(?:TYPE|RCODE)?(\d{1,5})", text.upper(), re.ASCII)
                return known.get(text.upper(), int(match[1]) if match else None)

            return dns(
                when,
                client,
                server,
                asked,
                answers,
                dns_qry_class="0x00000001",
                dns_qry_type=code(rrtype, TYPES),
                dns_qry_rcode=code(json_text(at(said, "rcode")), RCODES),
            )
        if kind == "http":
            if when is None or not src:
                raise Refused("key")
            plausible(when, "timestamp")
            said = event.get("http")
            method = json_text(at(said, "http_method"))
            uri = address(json_text(at(said, "url")), method)
            named = re.fullmatch(
                r"(.*?)(?::(\d*))?", json_text(at(said, "hostname")) or "", re.DOTALL
            )
            port = json_text(at(said, "http_port"))
            return proxy(
                when,
                clientip=src,
                host=dash(named[1] or uri["host"] or dest),
                reqmethod=dash(method),
                useragent=dash(json_text(at(said, "http_user_agent"))),
                resconttype=dash(json_text(at(said, "http_content_type"))),
                referer=dash(json_text(at(said, "http_refer"))),
                respcode=dash(json_text(at(said, "status"))),
                action="TCP_TUNNELED" if method == "CONNECT" else "TCP_MISS",
                urischeme=uri["scheme"] or "http",
                uriport=uri["port"] or port or named[2] or dash(json_text(event.get("dest_port"))),
                uripath=uri["path"],
                uriquery=uri["query"],
                serverip=dash(dest),
                scbytes=number(json_text(at(said, "length"))),
            )
        if kind:
            raise Skipped(f"event_type {kind}")
        raise Refused("event_type")

    return json_lines(data, one)


# -- nfdump, argus, VPC ---------------------------------------------------------------------------


def table(
    data: bytes, delimiter: str, one: Any, needed: tuple[str, ...], footer: str | None = None
) -> Told:
    """Read a table; `needed` are the names that a header has, with alternatives as `a|b`."""
    told, names, left, glued = Told(), None, 0, False
    for line, _ in lines_of(data):
        told.lines += 1
        if left:
            left -= 1
            told.comments += 1
        elif footer and line == footer:
            left = 2
            told.comments += 1
        elif not line:
            told.blank += 1
        elif names is None or all(
            set(each.split("|")) & {cell.strip() for cell in line.split(delimiter)}
            for each in needed
        ):
            names = [cell.strip() for cell in line.split(delimiter)]
            glued = bool(re.search(r"\d{4}-\d\d-\d\d |\d+\.\d+\.\d+\.\d+", line))
            told.comments += not glued
            told.refused += glued
        elif glued or len(line.split(delimiter)) != len(names):
            told.refused += 1
        else:
            values = dict(zip(names, line.split(delimiter), strict=True))

            def get(*places: str, values: Any = values, absent: str | None = None) -> str | None:
                found = next((values[p] for p in places if p in values), absent)
                return None if found == "" and delimiter == "," else found

            account(told, lambda get=get: one(get))
    return told


def nfdump_flags(flags: str | None) -> str:
    flags = "......" if flags is None else bare(flags)
    if not flags.startswith("0x"):
        return flags[-6:]
    if not re.fullmatch(r"0x[0-9a-fA-F]{1,7}", flags):
        return "......"
    return "".join(c if int(flags, 16) & 32 >> n else "." for n, c in enumerate("UAPRSF"))


def nfdump(data: bytes, zone: str = "UTC", **_: Any) -> Told:
    def one(get: Any) -> tuple[str, dict[str, Any]]:
        when = local(get("ts", "firstSeen"), zone)
        source, target = (bare(get(*p)) for p in (("sa", "srcAddr"), ("da", "dstAddr")))
        if when is None or not source or not target:
            raise Refused("key")
        plausible(when, "ts")
        proto = protocol(bare(get("pr", "proto")))
        port, lasted = bare(get("dp", "dstPort")), get("td", "duration")
        icmp = proto in ("ICMP", "ICMP6")
        if lasted is None:
            end = local(get("te", "lastSeen"), zone)
            seconds = None if end is None else (end - when) / dt.timedelta(seconds=1)
        else:
            seconds = real(lasted)
        if icmp and re.fullmatch(r"\d{1,3}\.\d{1,3}", port, re.ASCII):
            kind, code = port.split(".")
            dport = int(kind) * 256 + int(code)
        else:
            dport = number(port, INT)
        flags, way = get("flg", "flags"), bare(get("dir", "direction", absent="0"))
        return flow(
            when,
            tdur=seconds,
            sip=source,
            dip=target,
            sport=0 if icmp else number(bare(get("sp", "srcPort")), INT),
            dport=dport,
            proto=proto,
            flag=nfdump_flags(flags),
            fwd=number(get("fwd", "fwdStatus", absent="0"), INT),
            stos=number(get("stos", "srcTos", "tos"), INT),
            ipkt=number(get("ipkt", "inPackets", "packets", "pkt")),
            ibyt=number(get("ibyt", "inBytes", "bytes", "byt")),
            opkt=number(get("opkt", "outPackets", absent="0")),
            obyt=number(get("obyt", "outBytes", absent="0")),
            input=number(get("in", "input"), INT),
            output=number(get("out", "output"), INT),
            sas=number(get("sas", "srcAS"), INT),
            das=number(get("das", "dstAS"), INT),
            dtos=number(get("dtos", "dstTos"), INT),
            dir={"I": 0, "E": 1}.get(way, number(way, INT)),
            rip=bare(get("ra", "routerIP")) or None,
        )

    return table(data, ",", one, ("ts|firstSeen", "sa|srcAddr", "da|dstAddr"), "Summary")


def vpc(data: bytes, **_: Any) -> Told:
    def one(get: Any) -> tuple[str, dict[str, Any]]:
        values = {
            n: None if get(n) == "-" else get(n)
            for n in (
                *("start", "end", "srcaddr", "dstaddr", "srcport", "dstport", "protocol"),
                *("packets", "bytes", "log-status", "tcp-flags"),
            )
        }
        if values["log-status"] in ("NODATA", "SKIPDATA"):
            raise Skipped(f"log-status {values['log-status']}")
        if not any(values[n] for n in ("log-status", "srcaddr", "dstaddr", "protocol")):
            raise Skipped("no data")
        when, end = instant(values["start"]), instant(values["end"])
        if when is None or not values["srcaddr"] or not values["dstaddr"]:
            raise Refused("key")
        plausible(when, "start")
        bits = number(values["tcp-flags"], INT)
        flag = "......"
        if values["protocol"] == "6" and bits is not None:
            flag = "".join(c if bits & 32 >> n else "." for n, c in enumerate("UAPRSF"))
        return flow(
            when,
            tdur=None if end is None else (end - when).total_seconds(),
            sip=values["srcaddr"],
            dip=values["dstaddr"],
            sport=number(values["srcport"], INT),
            dport=number(values["dstport"], INT),
            proto=protocol(values["protocol"]),
            flag=flag,
            ipkt=number(values["packets"]),
            ibyt=number(values["bytes"]),
            opkt=0,
            obyt=0,
        )

    return table(data, " ", one, ("start", "srcaddr", "dstaddr"))


def argus(data: bytes, zone: str = "UTC", **_: Any) -> Told:
    def port(text: str | None) -> int | None:
        text = bare(text)
        if re.fullmatch(r"0x[0-9a-fA-F]{1,8}", text):
            text = str(int(text, 16))
        return number(text, INT)

    def swapped(text: int | None) -> int | None:
        return None if text is None else text % 256 * 256 + text // 256

    def one(get: Any) -> tuple[str, dict[str, Any]]:
        when = local(get("StartTime"), zone)
        if when is None or not get("SrcAddr") or not get("DstAddr"):
            raise Refused("key")
        plausible(when, "StartTime")
        icmp = (get("Proto") or "").lower() in ("icmp", "ipv6-icmp")

        def ways(what: str) -> tuple[int | None, int | None]:
            total, sent = number(get(f"Tot{what}")), number(get(f"Src{what}", f"Tot{what}"))
            if get(f"Dst{what}") is not None:
                return sent, number(get(f"Dst{what}"))
            if get(f"Src{what}") is None or None in (total, sent):
                return sent, None
            return sent, total - sent

        packets, sizes = ways("Pkts"), ways("Bytes")
        return flow(
            when,
            tdur=real(get("Dur")),
            sip=get("SrcAddr"),
            dip=get("DstAddr"),
            sport=0 if icmp else port(get("Sport")),
            dport=swapped(port(get("Sport"))) if icmp else port(get("Dport")),
            proto=protocol(get("Proto")),
            stos=number(get("sTos"), INT),
            dtos=number(get("dTos"), INT),
            ipkt=packets[0],
            ibyt=sizes[0],
            opkt=packets[1],
            obyt=sizes[1],
        )

    return table(data, ",", one, ("StartTime", "SrcAddr", "DstAddr"))


# -- Squid and ELF --------------------------------------------------------------------------------

MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def squid(data: bytes, **_: Any) -> Told:
    told = Told()
    for line, _ in lines_of(data):
        told.lines += 1
        if not line.strip():
            told.blank += 1
            continue
        account(told, lambda line=line: squid_row(line))
    return told


def squid_row(line: str) -> tuple[str, dict[str, Any]]:
    native = re.match(
        r"^(\d+\.\d+) +(-?\d+) (\S+) ([A-Z_]+)/(\d+) (\d+) (\S+) (.*?) (\S+) ([A-Z_]+)/(\S+) (\S+)"
        r"(?: \[.*\] \[.*\])?$",
        line,
    )
    extra: dict[str, Any] = {}
    if native:
        ended, elapsed, client, result, status, size, method, url, user, _, server, mime = (
            native.groups()
        )
        when = instant(ended)
        extra = {"duration": number(elapsed, INT), "serverip": server, "resconttype": mime}
        extra |= {"useragent": "-", "referer": "-"}
    else:
        combined = re.match(
            r'^(\S+) \S+ (.*?) \[([^\]]+)\] "(\S+) (.*?) [A-Z]+/[0-9.]+" (\d+) (\d+) "(.*?)" '
            r'"(.*)" ([A-Z_]+):[A-Z_]+(?: \[.*\] \[.*\])?$',
            line,
        )
        if not combined:
            raise Refused("format")
        client, user, text, method, url, status, size, referer, agent, result = combined.groups()
        found = re.fullmatch(
            r"(\d\d)/(\w{3})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-]\d{4})", text, re.ASCII
        )
        when = None
        if found and found[2] in MONTHS:
            month = MONTHS.index(found[2]) + 1
            clock = f"{found[4]}:{found[5]}:{found[6]}"
            when = instant(f"{found[3]}-{month:02}-{found[1]} {clock}{found[7]}")
        extra = {"referer": dash(referer), "useragent": dash(agent)}
        extra |= {"serverip": "-", "resconttype": "-"}
    if url.startswith("error:"):
        raise Skipped("no request")
    uri = address(url, None if method == "-" else method)
    if when is None or client == "-" or not uri["host"]:
        raise Refused("key")
    plausible(when, "time")
    default = {"http": "80", "https": "443", "ftp": "21", "tcp": "443"}
    return proxy(
        when,
        clientip=client,
        host=uri["host"],
        reqmethod=method,
        username=user,
        filterresult="DENIED" if result.startswith("TCP_DENIED") else "OBSERVED",
        respcode="-" if status in ("0", "000") else status,
        action="TCP_TUNNELED" if result == "TCP_TUNNEL" else result,
        urischeme=uri["scheme"] or "http",
        uriport=uri["port"] or default.get(uri["scheme"] or "", "-"),
        uripath=uri["path"],
        uriquery=uri["query"],
        scbytes=number(size),
        **extra,
    )


def elf_fields(line: str) -> list[str] | None:
    fields, rest = [], line
    while True:
        if rest.startswith('"'):
            match = re.match(r'"((?:[^"]|"")*)"(?= |$)', rest, re.DOTALL)
            if not match:
                return None
            fields.append(match[1].replace('""', '"'))
            rest = rest[match.end() :]
        else:
            value, _, _ = rest.partition(" ")
            fields.append(value)
            rest = rest[len(value) :]
        if not rest:
            return fields
        rest = rest[1:]
        if not rest:
            return [*fields, ""] if line.endswith(" ") else fields


def elf(data: bytes, **_: Any) -> Told:
    told, names, zone = Told(), None, "Z"
    for line, _ in lines_of(data):
        told.lines += 1
        if line.startswith("#"):
            told.comments += 1
            if line.startswith("#Fields:"):
                names = [n for n in line[8:].split(" ") if n]
            elif line.startswith("#Date:"):
                match = re.search(r"UTC([+-]\d\d:?\d\d)", line)
                zone = match[1] if match else "Z"
            continue
        if not line:
            told.blank += 1
            continue
        fields = elf_fields(line)
        if names is None or fields is None or len(fields) != len(names):
            told.refused += 1
            continue
        values = {n: None if v == "-" else v for n, v in zip(names, fields, strict=True)}

        def make(values: Any = values, zone: str = zone) -> tuple[str, dict[str, Any]]:
            day, clock = values.get("date"), values.get("time")
            when = None if None in (day, clock) else instant(f"{day} {clock}{zone}")
            if when is None or not values.get("c-ip"):
                raise Refused("key")
            plausible(when, "time")

            def got(*places: str) -> str:
                return dash(
                    next(
                        (values[p] for p in places if values.get(p) is not None or p in values),
                        None,
                    )
                )

            return proxy(
                when,
                clientip=values["c-ip"],
                host=got("cs-host"),
                reqmethod=got("cs-method"),
                useragent=got("cs(User-Agent)"),
                resconttype=got("rs(Content-Type)"),
                duration=number(values.get("time-taken"), INT),
                username=got("cs-username"),
                authgroup=got("cs-auth-group"),
                exceptionid=got("x-exception-id"),
                filterresult=got("sc-filter-result"),
                webcat=got("cs-categories", "sc-filter-category"),
                referer=got("cs(Referer)"),
                respcode=got("sc-status"),
                action=got("s-action"),
                urischeme=got("cs-uri-scheme"),
                uriport=got("cs-uri-port"),
                uripath=got("cs-uri-path", "cs-uri-stem"),
                uriquery=got("cs-uri-query"),
                uriextension=got("cs-uri-extension"),
                serverip=got("s-ip", "s-supplier-ip"),
                scbytes=number(values.get("sc-bytes")),
                csbytes=number(values.get("cs-bytes")),
                virusid=got("x-virus-id"),
                bcappname=got("x-bluecoat-application-name"),
                bcappoper=got("x-bluecoat-application-operation"),
            )

        account(told, make)
    return told


READERS = {
    "zeek": zeek,
    "suricata": suricata,
    "nfdump": nfdump,
    "vpc": vpc,
    "argus": argus,
    "squid": squid,
    "elf": elf,
}
