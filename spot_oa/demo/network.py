"""The organisation: who is in it, whom it talks to, and what is known about the addresses.

All of it is fixed: the days differ, the network does not. Addresses and names are those set aside
for documentation and tests (RFC 2544, 2606, 3849, 5737), so that the demo accuses nobody real.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from itertools import cycle, product
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Codes = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.floating[Any]]

SLOTS = 65_536
"""Every distribution is a table of this many equally likely entries: a draw is a 16-bit random
number and a look-up, which is fast and, unlike `exp`, the same to the last bit on any machine."""


def slots(rng: np.random.Generator, size: int) -> Codes:
    """Draw places in a table of `SLOTS` entries; shape (size,)."""
    return rng.integers(0, SLOTS, size, dtype=np.uint16)


def weighted(weights: Iterable[float]) -> Codes:
    """A table in which index i stands in proportion to the i-th weight; shape (SLOTS,)."""
    until = np.cumsum(list(weights))
    return np.searchsorted(until / until[-1], (np.arange(SLOTS) + 0.5) / SLOTS).astype(np.int32)


def popular(count: int) -> Codes:
    """A table of ranks below `count`, rank r in proportion to 1 / (r + 1); shape (SLOTS,)."""
    return ((count + 1.0) ** ((np.arange(SLOTS) + 0.5) / SLOTS)).astype(np.int32) - 1


@dataclass(frozen=True)
class Groups:
    """Texts in groups laid end to end, in each group the most popular first.

    Attributes:
        texts: All of them; a code is an index.
        start: The code of each group's first text, shape (groups,).
        table: Codes, as often as they shall be drawn, shape (groups, SLOTS).
    """

    texts: pa.Array
    start: Codes
    table: Codes

    @classmethod
    def of(cls, *groups: Sequence[str]) -> Self:
        """Lay out groups, none of them empty."""
        start = np.cumsum([0, *map(len, groups[:-1])], dtype=np.int32)
        table = np.stack([popular(len(group)) for group in groups]) + start[:, None]
        return cls(pa.array([text for group in groups for text in group]), start, table)

    def draw(self, rng: np.random.Generator, group: Codes) -> tuple[Codes, Codes]:
        """Draw a code from each row's group, and its rank there; shapes as `group`."""
        codes = self.table[group, slots(rng, len(group))]
        return codes, codes - self.start[group]


SERVERS = (("10.0.0.0/24", "servers", 40), ("2001:db8:1::/64", "servers v6", 12))
CLIENTS = (  # network, label, hosts: those from the tenth address on
    ("10.1.0.0/16", "finance", 200),
    ("10.2.0.0/16", "engineering", 900),
    ("10.3.0.0/16", "sales", 500),
    ("192.168.20.0/23", "guest wifi; no way inside", 300),
    ("2001:db8:1:2::/64", "engineering v6", 500),
    ("2001:db8:1:3::/64", "sales v6", 300),
)
RESOLVERS = ("10.0.0.53", "2001:db8:1::53")
ROUTERS = ("10.0.0.1", "10.0.0.2")


def _shuffled(texts: Sequence[str]) -> list[str]:
    return [texts[i] for i in np.random.default_rng(0).permutation(len(texts))]


def _range(first: str, count: int, step: int = 1) -> list[str]:
    return [str(ip_address(first) + i * step) for i in range(count)]


def _inside(nets: Sequence[tuple[str, str, int]], version: int) -> list[str]:
    first = {ip_network(net).network_address + 10: hosts for net, _, hosts in nets}
    wanted = [_range(str(ip), hosts) for ip, hosts in first.items() if ip.version == version]
    return _shuffled([address for addresses in wanted for address in addresses])


# The actors of the planted stories lie outside, so that nobody else talks to them.
_DOCUMENTATION = (("192.0.2.1", 190), ("198.51.100.1", 90), ("203.0.113.1", 60))
EXTERNAL4 = _shuffled(
    [address for first, count in _DOCUMENTATION for address in _range(first, count)]
    + _range("198.18.0.10", 5500, 23)
)
EXTERNAL6 = _shuffled(_range("2001:db8:8000::a", 1500, 2**64 + 3))
CLIENT, SERVER, EXTERNAL = 0, 2, 4
"""Groups of `ADDRESSES` for IPv4; for IPv6 it is the next one."""
ADDRESSES = Groups.of(
    *(_inside(nets, version) for nets in (CLIENTS, SERVERS) for version in (4, 6)),
    EXTERNAL4,
    EXTERNAL6,
)

_PARTS = (
    ("www", "api", "cdn", "img", "mail", "static"),
    ("amber", "bold", "calm", "dry", "early", "fair", "green", "high", "ivory", "keen"),
    ("river", "stone", "field", "harbour", "market", "press", "garden", "bridge", "mill", "lake"),
)
_TOPS = cycle(("example", "example.com", "example.org", "test", "example.com"))
_HOSTS = _shuffled(
    [f"{sub}.{first}-{second}.{next(_TOPS)}" for sub, first, second in product(*_PARTS)]
)
FORWARD, REVERSE, SERVICE = 0, 1, 2
"""Groups of `NAMES`."""
NAMES = Groups.of(
    _HOSTS + [f"e{i * 7919 % 65521:04x}.edge.example.org" for i in range(3000)],
    [ip_address(text).reverse_pointer for text in EXTERNAL4[:2000] + EXTERNAL6[:200]],
    [f"_{kind}._tcp.corp.example.com" for kind in ("ldap", "kerberos", "gc", "sip", "xmpp")],
)

_CATEGORIES = ("Technology", "News/Media", "Business", "Shopping", "Web Ads/Analytics", "-")
_TEMPLATES = (  # path, query, extension, content type
    ("/", "-", "-", "text/html;charset=UTF-8"),
    ("/index.html", "-", "html", "text/html"),
    ("/assets/app.{n}.js", "-", "js", "application/javascript"),
    ("/img/{n}.png", "?w=320&h=200", "png", "image/png"),
    ("/search", "?q={n}+offers&lang=en", "-", "text/html"),
    ("/api/v2/items/{n}", "?fields=id;name;price", "-", "application/json"),
    ("/shop/item;jsessionid={n}", "?ref=o'brien", "-", "text/html"),
    ("/über-uns/straße-{n}.pdf", "-", "pdf", "application/pdf"),
    ("-", "-", "-", "-"),
)


def request(host: str, path: str, query: str) -> dict[str, str]:
    """The columns that say where a request goes; the path `-` makes it a CONNECT."""
    connect = path == "-"
    name = f"{host}:443" if connect else host
    return {
        "host": name,
        "uripath": path,
        "uriquery": query,
        "fulluri": name + "".join(part for part in (path, query) if part != "-"),
        "urischeme": "tcp" if connect else "http",
        "uriport": "443" if connect else "80",
    }


def _pages(count: int) -> dict[str, pa.Array]:
    rng = np.random.default_rng(0)
    hosts = popular(len(_HOSTS))[slots(rng, count)].tolist()
    kinds = rng.integers(0, len(_TEMPLATES), count).tolist()
    rows = []
    for n, (host, kind) in enumerate(zip(hosts, kinds, strict=True)):
        path, query, extension, content = _TEMPLATES[kind]
        row = request(_HOSTS[host], path.format(n=n), query.format(n=n))
        row |= {"uriextension": extension, "resconttype": content, "serverip": EXTERNAL4[host]}
        rows.append(row | {"webcat": _CATEGORIES[host % len(_CATEGORIES)]})
    return {name: pa.array([row[name] for row in rows]) for name in rows[0]}


PAGES = _pages(20_000)
"""What there is to request, most popular first: column -> texts, each of shape (pages,)."""

_CONTEXT: dict[str, list[tuple[object, ...]]] = {
    "ipranges.csv": [
        ("10.0.0.0", "10.255.255.255", "Internal"),
        ("192.168.0.0", "192.168.255.255", "Internal"),
        ("2001:db8:1::", "2001:db8:1:ffff:ffff:ffff:ffff:ffff", "Internal v6"),
    ],
    "networkcontext.csv": [
        ("ip", "label"),
        *((net, label) for net, label, _ in SERVERS + CLIENTS),
        *((address, "resolver") for address in RESOLVERS),
        ("10.0.0.10-10.0.0.13", "mail, web and file servers"),
        ("10.1.0.23", "finance-ws-23"),
        ("2001:db8:1:2::77", "build agent 7"),
        ("10.3.0.44", 'M. Łuczak, "loaner" laptop'),
    ],
    "reputation/blocklist.csv": [
        ("indicator", "label", "severity"),
        ("203.0.113.66", "MALICIOUS", 3),
        ("2001:db8:bad::/48", "SUSPICIOUS", 2),
        ("192.0.2.200", "SCANNER", 1),
    ],
    "reputation/urlfeed.csv": [
        ("indicator", "label", "severity"),
        ("example.net", "SUSPICIOUS", 1),
        ("drop.example.net/upload", "DROPZONE", 3),
        ("c2.example.net", "C2", 3),
        ("c2.example.net/ping?id=77", "C2", 3),
    ],
}
_PLACES = (  # invented: ISO 3166 leaves the codes XA to XZ to their users
    ("192.0.2.0/24", "XA", "Freedonia", "Upper Freedonia", "Firefly", 47.1, 8.2, "First Transit"),
    ("198.51.100.0/24", "XB", "Sylvania", "Küste", "Börgstad", 54.3, 9.7, "Nord; Süd Telekom"),
    ("203.0.113.0/24", "XC", "Ruritania", "Zenda", "Strelsau", 50.2, 14.9, 'O\'Hara "Fast" Host'),
    ("198.18.0.0/16", "XD", "Graustark", "-", "Edelweiss", 45.5, 26.1, "Graustark Cable"),
    ("198.19.0.0/16", "XE", "Orsinia", "Molsen", "-", 48.7, 21.3, "Orsinian University"),
    ("2001:db8:8000::/36", "XA", "Freedonia", "Lower Freedonia", "Rufusburg", 46.4, 7.5, "Six Net"),
    ("2001:db8:bad::/48", "XC", "Ruritania", "Zenda", "Hofbau", 50.4, 15.1, "Bulletproof Hosting"),
)


def write_context(folder: Path) -> tuple[Path, ...]:
    """Write the context files into a folder, made if missing; their paths in a fixed order."""
    nets = [ip_network(place[0]) for place in _PLACES]
    places: list[tuple[object, ...]] = [
        (int(net[0]), int(net[-1]), *place[1:], f"{place[1].lower()}.example")
        for net, place in zip(nets, _PLACES, strict=True)
    ]
    files = {"iploc.csv": places} | _CONTEXT
    for name, rows in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)
    return tuple(folder / name for name in files)
