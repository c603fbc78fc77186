"""Names of addresses: the NetBox export, and a DNS server of our own."""

from __future__ import annotations

import datetime as dt
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dns.message
import dns.rcode
import dns.rrset
import pytest

from python_enrichers import load_enricher
from python_enrichers.base import Enrichment, Outcome, Status
from spot_oa.errors import ConfigError, EnrichmentError
from spot_oa.settings import load_settings
from tests.support.lookups import column

Write = Callable[[Path, str, str], None]


def enrich(home: Path, *addresses: str, **others: object) -> Enrichment:
    settings = load_settings(home=home, **others)
    return load_enricher("network_context", settings).enrich({"address": addresses})


def labels(found: Enrichment) -> dict[str, object]:
    return column(found.tables["network_context"], "ip", "label")


def outcome(found: Enrichment, source: str) -> Outcome:
    return next(outcome for outcome in found.outcomes if outcome.source == source)


# --- netbox ------------------------------------------------------------------------------------

PREFIXES = [
    {"prefix": "10.0.0.0/8", "description": "everything"},
    {"prefix": "10.1.0.0/16", "description": "", "role": {"name": "Users"}, "scope": None},
    {"prefix": "2001:db8::/32", "role": {"name": "Lab"}, "scope": {"name": "Berlin"}},
    {"prefix": "10.2.0.0/16", "description": ""},
    {"prefix": "nonsense", "description": "broken"},
    {"prefix": "10.0.0.0/9", "description": "half a pair \ud83d"},
    "broken",
]
DEVICES = [
    {
        "name": "sw1",
        "primary_ip": {"address": "10.1.0.2/16"},
        "primary_ip4": {"address": "10.1.0.2/16"},
        "primary_ip6": {"address": "2001:db8::2/64"},
    },
    {"name": "sw2", "primary_ip4": {"address": "10.1.0.3/16"}},
    {"name": None, "primary_ip4": {"address": "10.1.0.4/16"}},
    {"name": "spare", "primary_ip4": None},
]
ADDRESSES = [
    {"address": "10.1.0.3/16", "dns_name": "sw2.corp"},
    {"address": "10.1.0.5/16", "assigned_object": {"name": "eth0", "device": {"name": "pc5"}}},
    {"address": "10.1.0.6/16", "description": "printer"},
]
NAMED = {
    "10.9.9.9": "everything",
    "10.1.7.7": "Users",
    "2001:db8::7": "Lab Berlin",
    "10.2.0.1": "everything",
    "10.1.0.2": "sw1",
    "2001:db8::2": "sw1",
    "10.1.0.3": "sw2.corp",
    "10.1.0.4": "Users",
    "10.1.0.5": "pc5",
    "10.1.0.6": "printer",
    "8.8.8.8": "",
    "host": "",
}


@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["no mark", "byte order mark"])
@pytest.mark.parametrize("paged", [True, False], ids=["as the API", "a list"])
def test_netbox_as_json(tmp_path: Path, write_context_in: Write, paged: bool, mark: str) -> None:
    for name, records in (
        ("prefixes", PREFIXES),
        ("devices", DEVICES),
        ("ip-addresses", ADDRESSES),
    ):
        content = {"count": len(records), "results": records} if paged else records
        write_context_in(tmp_path, f"netbox/{name}.json", mark + json.dumps(content))
    found = enrich(tmp_path, *NAMED)
    assert labels(found) == NAMED
    netbox = outcome(found, "netbox")
    assert (netbox.asked, netbox.found, netbox.skipped) == (11, 10, 3)


def test_netbox_as_csv(tmp_path: Path, write_context_in: Write) -> None:
    write_context_in(
        tmp_path,
        "netbox/prefixes.csv",
        "\ufeffPrefix,Status,Description\n10.0.0.0/8,Active,every\n",
    )
    write_context_in(
        tmp_path,
        "netbox/devices.csv",
        'name,status,primary_ip4\nsw1,active,10.1.0.2/16\n"sw, 2",active,\n',
    )
    write_context_in(
        tmp_path, "netbox/ip-addresses.csv", "IP Address,DNS Name\n10.1.0.3/16,sw2.corp\nbroken,x\n"
    )
    found = enrich(tmp_path, "10.9.9.9", "10.1.0.2", "10.1.0.3")
    assert list(labels(found).values()) == ["every", "sw1", "sw2.corp"]
    assert outcome(found, "netbox").skipped == 1


def test_the_operators_own_file_comes_first(tmp_path: Path, write_context_in: Write) -> None:
    write_context_in(tmp_path, "netbox/devices.json", json.dumps(DEVICES))
    write_context_in(tmp_path, "networkcontext.csv", "10.1.0.0/24,ours\n")
    found = enrich(tmp_path, "10.1.0.2", "2001:db8::2")
    assert list(labels(found).values()) == ["ours", "sw1"]
    assert [o.source for o in found.outcomes] == ["networkcontext", "netbox"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "cannot be read"),
        ("{", "cannot be read"),
        ("[" * 100_000, "cannot be read"),
        ("7", "has no list of objects"),
        ('{"results": {}}', "has no list of objects"),
        ('{"detail": "Invalid token."}', "NetBox answered 'Invalid token.'"),
        ('{"count": 2, "results": []} {"detail": "no"}', "NetBox answered 'no'"),
        ('[{"id": 1}, {"id": 2}]', "2 objects, none can be used: .*object 1: has no field prefix"),
        ('["10.0.0.0/8"]', "object 1: is not an object with fields"),
    ],
)
def test_a_broken_export_is_found_at_load(
    tmp_path: Path, write_context_in: Write, content: str, said: str
) -> None:
    write_context_in(tmp_path, "netbox/prefixes.json", content)
    with pytest.raises(EnrichmentError, match=rf"NetBox export .*prefixes\.json .*{said}"):
        enrich(tmp_path)


@pytest.mark.parametrize(
    "content", ["prefix;description\n10.0.0.0/8;x\n", "id,address\n1,10.0.0.0/8\n"]
)
def test_a_csv_export_without_the_column_is_found_at_load(
    tmp_path: Path, write_context_in: Write, content: str
) -> None:
    write_context_in(tmp_path, "netbox/prefixes.csv", content)
    header = content.partition("\n")[0].replace(",", ", ")
    with pytest.raises(EnrichmentError, match=f"has no field prefix, found {header}"):
        enrich(tmp_path)


def test_a_csv_export_is_csv_as_rfc_4180_has_it(tmp_path: Path, write_context_in: Write) -> None:
    write_context_in(
        tmp_path,
        "netbox/prefixes.csv",
        'Prefix,"Comments, ""long""",Description\r\n10.0.0.0/8,"a\r\n\r\nb","lab, old"\r\n'
        '10.1.0.0/16,"open,new\r\n10.2.0.0/16,,other\r\n',
    )
    found = enrich(tmp_path, "10.9.9.9", "10.1.0.1", "10.2.0.1")
    assert list(labels(found).values()) == ["lab, old", "lab, old", "other"]


def page(*networks: str, count: int | None = None, more: bool = False) -> dict[str, object]:
    results = [{"prefix": network, "description": network} for network in networks]
    counted = {} if count is None else {"count": count}
    return {**counted, "next": "https://netbox/?offset=1" if more else None, "results": results}


@pytest.mark.parametrize("text", ["[{},{}]", "{}{}", "{}\n\n{}\n"])
@pytest.mark.parametrize("count", [2, None])
def test_pages_are_read_together(
    tmp_path: Path, write_context_in: Write, text: str, count: int | None
) -> None:
    pages = page("10.0.0.0/8", count=count, more=True), page("11.0.0.0/8", count=count)
    content = text.format(*map(json.dumps, pages))
    write_context_in(tmp_path, "netbox/prefixes.json", content)
    found = enrich(tmp_path, "10.0.0.1", "11.0.0.1")
    assert list(labels(found).values()) == ["10.0.0.0/8", "11.0.0.0/8"]
    assert outcome(found, "netbox").status is Status.OK


def test_lists_of_objects_one_after_the_other(tmp_path: Path, write_context_in: Write) -> None:
    lists = ([record] for record in PREFIXES[:2])
    write_context_in(tmp_path, "netbox/prefixes.json", "\n".join(map(json.dumps, lists)))
    found = enrich(tmp_path, "10.9.9.9", "10.1.7.7")
    assert list(labels(found).values()) == ["everything", "Users"]


@pytest.mark.parametrize(
    ("pages", "said"),
    [
        ([page("10.0.0.0/8", count=5, more=True)], "1 objects of 5: put all pages"),
        ([page("10.0.0.0/8", count=5)], "1 objects of 5: put all pages"),
        ([page("10.0.0.0/8", more=True)], "1 objects, and there is a next page: put all pages"),
        ([page("10.0.0.0/8", count=3), page("11.0.0.0/8", count=3)], "2 objects of 3"),
    ],
)
def test_a_page_of_several_is_a_warning(
    tmp_path: Path, write_context_in: Write, pages: list[object], said: str
) -> None:
    write_context_in(tmp_path, "netbox/prefixes.json", "".join(map(json.dumps, pages)))
    netbox = outcome(enrich(tmp_path, "10.0.0.1"), "netbox")
    assert netbox.status is Status.PARTIAL
    assert f"prefixes.json has {said}" in netbox.detail
    assert netbox.found == 1


def test_the_first_object_of_many_that_cannot_be_read(
    tmp_path: Path, write_context_in: Write
) -> None:
    write_context_in(tmp_path, "netbox/prefixes.json", json.dumps(PREFIXES))
    first = outcome(enrich(tmp_path), "netbox").first_skipped
    assert first == "prefixes.json, object 5: 'nonsense' is not an address"


# --- reverse dns -------------------------------------------------------------------------------


class Server:
    """A DNS server that knows a few addresses."""

    def __init__(self) -> None:
        self.names = {
            "5.0.0.10.in-addr.arpa.": "pc5.corp.",
            "9.9.9.9.in-addr.arpa.": "dns9.quad9.net.",
            "6.0.0.10.in-addr.arpa.": r"evil\010\;name.corp.",
        }
        self.asked: list[str] = []
        self.silent = False
        self.broken: set[str] = set()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.socket.getsockname()[1]}"

    def serve(self) -> None:
        while True:
            try:
                wire, client = self.socket.recvfrom(4096)
            except OSError:
                return
            question = dns.message.from_wire(wire)
            name = question.question[0].name.to_text()
            self.asked.append(name)
            if self.silent:
                continue
            answer = dns.message.make_response(question)
            if name in self.broken:
                answer.set_rcode(dns.rcode.SERVFAIL)
            elif name in self.names:
                answer.answer.append(dns.rrset.from_text(name, 60, "IN", "PTR", self.names[name]))
            else:
                answer.set_rcode(dns.rcode.NXDOMAIN)
            self.socket.sendto(answer.to_wire(), client)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    threading.Thread(target=server.serve, daemon=True).start()
    yield server
    server.socket.close()


def test_names_fill_what_the_files_leave_empty(
    tmp_path: Path, server: Server, write_context_in: Write
) -> None:
    write_context_in(tmp_path, "networkcontext.csv", "10.0.0.7,ours\n")
    addresses = ("10.0.0.5", "::ffff:10.0.0.5", "10.0.0.7", "10.0.0.8", "9.9.9.9", "host")
    found = enrich(tmp_path, *addresses, dns_resolver=server.address)
    assert list(labels(found).values()) == ["pc5.corp", "pc5.corp", "ours", "", "", ""]
    # Public addresses are not asked for: who owns them could see it.
    assert sorted(server.asked) == ["5.0.0.10.in-addr.arpa.", "8.0.0.10.in-addr.arpa."]
    dns_ = outcome(found, "reverse dns")
    assert (dns_.status, dns_.asked, dns_.found) == ("ok", 2, 1)


def test_public_addresses_if_wanted(
    tmp_path: Path, server: Server, write_context_in: Write
) -> None:
    write_context_in(tmp_path, "ipranges.csv", "9.9.9.0,9.9.9.255,ours\n")
    internal = enrich(tmp_path, "9.9.9.9", "8.8.8.8", dns_resolver=server.address)
    assert list(labels(internal).values()) == ["dns9.quad9.net", ""]
    assert server.asked == ["9.9.9.9.in-addr.arpa."]
    enrich(tmp_path, "9.9.9.9", "8.8.8.8", dns_resolver=server.address, dns_public=True)
    assert server.asked[1:] == ["8.8.8.8.in-addr.arpa."]


def test_the_snapshot_of_the_day(tmp_path: Path, server: Server) -> None:
    for _ in range(2):
        found = enrich(tmp_path, "10.0.0.5", "10.0.0.8", dns_resolver=server.address)
        assert list(labels(found).values()) == ["pc5.corp", ""]
    assert len(server.asked) == 2
    assert "2 from today's snapshot" in outcome(found, "reverse dns").detail
    snapshot = tmp_path / "cache" / "dns" / f"{dt.datetime.now(dt.UTC):%Y%m%d}.json"
    assert json.loads(snapshot.read_text()) == {"10.0.0.5": "pc5.corp", "10.0.0.8": ""}


def test_whoever_asks_anew_does_not_see_the_snapshot(tmp_path: Path, server: Server) -> None:
    settings = load_settings(home=tmp_path, dns_resolver=server.address, dns_seconds=1)
    addresses = {"address": ["10.0.0.5", "10.0.0.8"]}
    load_enricher("network_context", settings).enrich(addresses)
    server.silent = True
    found = load_enricher("network_context", settings, fresh=True).enrich(addresses)
    # What was found out before is better than nothing, but the resolver is seen to be silent.
    assert labels(found) == {"10.0.0.5": "pc5.corp", "10.0.0.8": ""}
    assert outcome(found, "reverse dns").status != "ok"


def test_the_budget_goes_to_the_highest_ranked(tmp_path: Path, server: Server) -> None:
    addresses = [f"10.0.0.{n}" for n in (8, 9, 5)]
    found = enrich(tmp_path, *addresses, dns_resolver=server.address, dns_budget=2)
    assert sorted(server.asked) == ["8.0.0.10.in-addr.arpa.", "9.0.0.10.in-addr.arpa."]
    assert outcome(found, "reverse dns").status == "partial"
    assert "1 not resolved" in outcome(found, "reverse dns").detail


def test_a_resolver_that_is_silent(tmp_path: Path, server: Server) -> None:
    server.silent = True
    addresses = [f"10.0.0.{n}" for n in range(20)]
    begin = time.monotonic()
    found = enrich(tmp_path, *addresses, dns_resolver=server.address, dns_seconds=1)
    assert time.monotonic() - begin < 10
    assert outcome(found, "reverse dns").status in ("partial", "unavailable")
    assert set(labels(found).values()) == {""}
    assert not (tmp_path / "cache").exists()


def test_broken_zones_do_not_shield_the_others(tmp_path: Path, server: Server) -> None:
    server.broken = {f"{n}.0.0.10.in-addr.arpa." for n in (1, 3, 7, 8)}
    server.names |= {f"{n}.0.0.10.in-addr.arpa.": f"pc{n}.corp." for n in (2, 4, 9)}
    addresses = [f"10.0.0.{n}" for n in (1, 2, 3, 4, 7, 8, 9)]
    found = enrich(tmp_path, *addresses, dns_resolver=server.address, service_threads=1)
    assert list(labels(found).values()) == ["", "pc2.corp", "", "pc4.corp", "", "", "pc9.corp"]
    dns_ = outcome(found, "reverse dns")
    assert dns_.status == "partial"
    assert "4 not resolved, 4 failures (NoNameservers)" in dns_.detail


def test_names_are_safe_to_print(tmp_path: Path, server: Server) -> None:
    found = enrich(tmp_path, "10.0.0.6", dns_resolver=server.address)
    (label,) = labels(found).values()
    assert isinstance(label, str)
    assert label.isprintable()


@pytest.mark.parametrize("text", ["host", "10.0.0.1:x", "10.0.0.1:0", "[::1", "https://x/dns"])
def test_a_resolver_that_is_no_address(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="SPOT_OA_DNS_RESOLVER="):
        enrich(tmp_path, dns_resolver=text)


@pytest.mark.parametrize(
    "text", ["10.0.0.53", "10.0.0.53:5353", "2001:db8::53", "[::1]:53", "[::1]"]
)
def test_forms_of_a_resolvers_address(tmp_path: Path, text: str) -> None:
    enrich(tmp_path, dns_resolver=text)


def test_a_snapshot_that_cannot_be_kept_is_no_reason_to_stop(
    tmp_path: Path, server: Server
) -> None:
    (tmp_path / "cache").write_text("in the way")
    found = enrich(tmp_path, "10.0.0.5", dns_resolver=server.address)
    assert labels(found) == {"10.0.0.5": "pc5.corp"}
    assert outcome(found, "reverse dns").status == "failed"
