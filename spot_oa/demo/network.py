"""The demo's network: its clients, servers and external peers.

The network is fixed, only the days differ. Addresses and names are those reserved for documentation
and tests (RFC 2544, 2606, 3849, 5737), so that the demo accuses no real party. `context/` has the
context files of these addresses.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import cycle, product
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
    """Draw positions in a table of `SLOTS` entries; shape (size,)."""
    return rng.integers(0, SLOTS, size, dtype=np.uint16)


def weighted(weights: Iterable[float]) -> Codes:
    """Return a table in which index i occurs in proportion to the i-th weight; shape (SLOTS,)."""
    until = np.cumsum(list(weights))
    return np.searchsorted(until / until[-1], (np.arange(SLOTS) + 0.5) / SLOTS).astype(np.int32)


def popular(count: int) -> Codes:
    """Return a table of ranks below `count`, rank r in proportion to 1 / (r + 1); (SLOTS,)."""
    return ((count + 1.0) ** ((np.arange(SLOTS) + 0.5) / SLOTS)).astype(np.int32) - 1


@dataclass(frozen=True)
class Groups:
    """Texts in consecutive groups, each with the most popular text first.

    Attributes:
        texts: All texts; a code is an index.
        start: The code of each group's first text, shape (groups,).
        table: Codes in the frequency of their draws, shape (groups, SLOTS).
    """

    texts: pa.Array
    start: Codes
    table: Codes

    @classmethod
    def of(cls, *groups: Sequence[str]) -> Self:
        """Concatenate groups, none of them empty."""
        start = np.cumsum([0, *map(len, groups[:-1])], dtype=np.int32)
        table = np.stack([popular(len(group)) for group in groups]) + start[:, None]
        return cls(pa.array([text for group in groups for text in group]), start, table)

    def draw(self, rng: np.random.Generator, group: Codes) -> tuple[Codes, Codes]:
        """Draw a code from each row's group, and its rank there; shapes as `group`."""
        codes = self.table[group, slots(rng, len(group))]
        return codes, codes - self.start[group]


RESOLVERS = ("10.0.0.53", "2001:db8:1::53")
ROUTERS = ("10.0.0.1", "10.0.0.2")


def _shuffled(texts: Sequence[str]) -> list[str]:
    return [texts[i] for i in np.random.default_rng(0).permutation(len(texts))]


def _hosts(*ranges: tuple[str, int], step: int = 1) -> list[str]:
    starts = [(ip_address(first), count) for first, count in ranges]
    return [str(first + i * step) for first, count in starts for i in range(count)]


# The actors of the planted stories are not among these, so that no other host contacts them.
EXTERNAL4 = _shuffled(
    _hosts(("192.0.2.1", 190), ("198.51.100.1", 90), ("203.0.113.1", 60))
    + _hosts(("198.18.0.10", 5500), step=23)
)
EXTERNAL6 = _shuffled(_hosts(("2001:db8:8000::a", 1500), step=2**64 + 3))
CLIENT, SERVER, EXTERNAL = 0, 2, 4
"""Groups of `ADDRESSES` for IPv4; each is followed by the group for IPv6."""
ADDRESSES = Groups.of(
    _shuffled(
        _hosts(("10.1.0.10", 200), ("10.2.0.10", 900), ("10.3.0.10", 500), ("192.168.20.10", 300))
    ),
    _shuffled(_hosts(("2001:db8:1:2::a", 500), ("2001:db8:1:3::a", 300))),
    _shuffled(_hosts(("10.0.0.10", 40))),
    _shuffled(_hosts(("2001:db8:1::a", 12))),
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
    """Return the columns of a request's destination; the path `-` makes it a CONNECT."""
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
"""Pages to request, most popular first: column -> texts, each of shape (pages,)."""
