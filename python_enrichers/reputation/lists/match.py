"""Match indicators with the entries of a list, in the same way for every list.

An entry is an address, a network, a range, a name or a URI; anything else is rejected, because it
could never match. Of entries with the same indicator the last wins.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

import numpy as np

from python_enrichers.addresses import RangeIndex, Span, pack, parse_span, span
from python_enrichers.base import Indicators
from python_enrichers.domain import split_name
from python_enrichers.reputation.base import SEVERITIES, Entry, Verdict, storable
from python_enrichers.reputation.uris import WEB, split_uri, usual, wire_name

NOT_FOUND = -1
UNDER = "."
"""Prefix of the key of an entry that also matches the names under it."""

_BOUNDARY = re.compile(r"[/?#]")
_ADDRESSES = re.compile(r"[0-9A-Fa-f:.]+(?:[-/ ]+[0-9A-Fa-f:.]+)?")
"""Characters of an address, network or range: this check is faster than failing to parse."""
_NAME = re.compile(
    # The last label begins with a letter, or 203.000.113.009 would be a name.
    r"(?=.{1,253}$)(?:[a-z0-9_-]{1,63}\.)*[a-z_][a-z0-9_-]{0,62}"
    # The reverse name of a part of a network contains a slash (RFC 2317).
    r"|[0-9/-]+(?:\.[0-9]{1,3}){3}\.in-addr\.arpa"
)
_BROKEN_NETWORK = re.compile(r"/[0-9.]+")
_DEFANGED = re.compile(r"\[(\.|:|://)\]|^hxxp", re.IGNORECASE)


def entry(
    indicator: str,
    label: str,
    severity: int,
    confidence: float | None = None,
    category: str | None = None,
) -> Entry:
    """Make an entry of a list.

    Raises:
        ValueError: The indicator or the severity is invalid, or a text cannot be stored.
        TypeError: A value that must be text is not.
    """
    storable(indicator, label, category)
    if severity not in SEVERITIES:
        raise ValueError(f"{severity!r} is not a severity")
    verdict = Verdict(severity, label, confidence, category, matched_entry=indicator)
    return Entry(verdict, matches_of(indicator))


def matches_of(indicator: str) -> Span | str:
    """Return what an entry matches: addresses, or the name or URI with this key.

    `*.x` and `.x` match x and the names under it, `address:port` matches the address, `name:port`
    the name. `[.]`, `[:]` and `hxxp` are converted back.

    Raises:
        ValueError: The entry can match nothing.
    """
    text = indicator.lower().rstrip(".")
    if _NAME.fullmatch(text):
        return text
    text = _DEFANGED.sub(lambda found: found[1] or "http", indicator)
    if _ADDRESSES.fullmatch(text):
        try:
            return parse_span(text)
        except ValueError:
            pass
    uri = split_uri(text)
    address = pack(uri.host)
    host = wire_name(uri.host[1:] if uri.host.startswith(f"*{UNDER}") else uri.host)
    is_email = "@" in text and not uri.scheme and not uri.rest
    if (
        not (address or _NAME.fullmatch(host.removeprefix(UNDER)))
        or is_email
        or not (uri.port or "0").isdecimal()
    ):
        raise ValueError("it is not an address, network, range, name or URI")
    if address and not uri.scheme and _BROKEN_NETWORK.fullmatch(uri.rest):
        return _with_netmask(text)
    rest = uri.rest[:-1] if uri.rest.endswith("/*") else uri.rest
    found = usual(uri._replace(rest=rest))
    is_bare = not (uri.scheme or rest)
    if is_bare or (uri.scheme in WEB and not found.port and found.rest == "/"):
        return span(address, address) if address else host
    if host.startswith(UNDER):
        raise ValueError("`*.` is allowed before a name, not in a URI")
    return found.key


def _with_netmask(text: str) -> Span:
    try:
        return parse_span(str(ipaddress.IPv4Network(text, strict=False)))
    except ValueError:
        raise ValueError("it is not a network") from None


class Matcher:
    """Finds the most specific entry of a list that an indicator matches.

    An address matches itself, then the narrowest network; a name matches itself, then the nearest
    `*.x` above it or its registered domain; a URI matches itself, then its longest prefix that ends
    at a `/`, `?` or `#`, then its host as an address or a name.
    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        matches = [entry.matches for entry in entries]
        self._at = {key: at for at, key in enumerate(matches) if isinstance(key, str)}
        self._at |= {key[1:]: at for key, at in self._at.items() if key.startswith(UNDER)}
        networks = [(at, net) for at, net in enumerate(matches) if isinstance(net, tuple)]
        # Of networks of the same width the last wins, so an exact address beats a /32.
        networks.sort(key=lambda network: _is_exact(entries[network[0]]))
        self._networks = RangeIndex([net for _, net in networks])
        # The last item is for position -1, not found.
        self._network_at = np.array([*(at for at, _ in networks), NOT_FOUND])
        self._path_lengths = {len(key) for key in self._at if _BOUNDARY.search(key)}

    def find(self, indicators: Indicators) -> list[int]:
        """Match indicators.

        Returns:
            For each indicator, kind by kind, the position of its entry, or NOT_FOUND.
        """
        finders = {"address": self._addresses, "name": self._names, "uri": self._uris}
        return [at for kind, texts in indicators.items() for at in finders[kind](texts)]

    def _addresses(self, addresses: Sequence[str]) -> list[int]:
        in_networks = self._networks.lookup([pack(address) for address in addresses])
        places: list[int] = self._network_at[in_networks].tolist()
        return places

    def _names(self, names: Sequence[str]) -> list[int]:
        keys = list(map(wire_name, names))
        return list(map(self._match, keys, keys, self._addresses(keys)))

    def _uris(self, uris: Sequence[str]) -> list[int]:
        found = [usual(split_uri(uri)) for uri in uris]
        hosts = [uri.host for uri in found]
        return list(map(self._match, [uri.key for uri in found], hosts, self._addresses(hosts)))

    def _match(self, key: str, host: str, by_address: int) -> int:
        if key in self._at:
            return self._at[key]
        if self._path_lengths:
            for cut in reversed([match.start() for match in _BOUNDARY.finditer(key)]):
                for length in (cut + 1, cut) if key[cut] == "/" else (cut,):
                    if length in self._path_lengths and key[:length] in self._at:
                        return self._at[key[:length]]
        at = self._at.get(host, by_address)
        return at if at != NOT_FOUND else self._by_domain(host)

    def _by_domain(self, host: str) -> int:
        parent, domain = host, None
        while parent := parent.partition(".")[2]:
            if (at := self._at.get(UNDER + parent)) is not None:
                return at
            if parent in self._at:
                # The suffix list is slow, so use it only if a name above the host is listed.
                domain = split_name(host)[0] if domain is None else domain
                if parent == domain:
                    return self._at[parent]
        return NOT_FOUND


def _is_exact(entry: Entry) -> bool:
    text = entry.verdict.matched_entry or ""
    return "/" not in text and "-" not in text
