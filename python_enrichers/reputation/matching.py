"""How indicators match the entries of a list: one way for every list.

An entry is an address, a network, a name or a URI. Of entries with the same indicator the last
counts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from python_enrichers.addresses import RangeIndex, Span, pack, parse_span
from python_enrichers.base import Indicators
from python_enrichers.domain import split_name
from python_enrichers.reputation.base import SEVERITIES, Entry, storable

NOT_FOUND = -1

_URI = re.compile(
    r"(?:https?://)?((?:[a-z][a-z0-9+.-]*://)?[^/?#]*)(.*)", re.IGNORECASE | re.DOTALL
)
_HOST = re.compile(r"(?:[a-z][a-z0-9+.-]*://)?(?:[^/?#]*@)?(?:\[([^]/?#]*)\]|([^/?#]*))")
_BOUNDARY = re.compile(r"[/?#]")
_ADDRESSES = re.compile(r"[0-9A-Fa-f:.]+(?:[-/ ]+[0-9A-Fa-f:.]+)?")
"""What an address, network or range is made of: asking first is faster than failing to read."""


def entry(
    indicator: str,
    label: str,
    severity: int,
    confidence: float | None = None,
    category: str | None = None,
) -> Entry:
    """Make an entry of a list.

    Raises:
        ValueError: There is no indicator, the severity is none, or a text cannot be stored.
        TypeError: What has to be a text is none.
    """
    storable(indicator, label, category)
    matches: Span | str
    try:
        matches = parse_span(indicator) if _ADDRESSES.fullmatch(indicator) else uri_key(indicator)
    except ValueError:
        matches = uri_key(indicator)
    if not matches or severity not in SEVERITIES:
        raise ValueError("no indicator, or no severity")
    return indicator, label, severity, matches, confidence, category


def uri_key(uri: str) -> str:
    """Write a name or URI so that equal ones compare equal.

    `http://` and `https://` are left out, as in Spot's `fulluri`, the host is in lower case and
    without the dot of the root.
    """
    match = _URI.match(uri)
    return match[1].lower().rstrip(".") + match[2] if match else uri


def host_of(key: str) -> str:
    """Find the host in a key, without user, port and brackets."""
    match = _HOST.match(key)
    bracketed, plain = match.groups() if match else (None, key)
    if bracketed is not None:
        return bracketed
    # With more than one colon it is an IPv6 address that somebody left bare.
    return (plain.partition(":")[0] if plain.count(":") == 1 else plain).rstrip(".")


class Matcher:
    """Finds which entry of a list an indicator matches, the most specific first.

    An address matches itself, then the narrowest network; a name itself, then its registered
    domain; a URI itself, then its longest prefix that ends at a `/`, `?` or `#`, then its host as
    an address or a name.
    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        matches = [entry[3] for entry in entries]
        self._at = {key: at for at, key in enumerate(matches) if isinstance(key, str)}
        networks = [(at, net) for at, net in enumerate(matches) if isinstance(net, tuple)]
        # Of networks of the same width the last wins: an exact address goes before a /32.
        networks.sort(key=lambda network: not _is_wide(entries[network[0]][0]))
        self._networks = RangeIndex([net for _, net in networks])
        # The last item is the one for position -1, not found.
        self._network_at = np.array([*(at for at, _ in networks), NOT_FOUND])
        self._path_lengths = {len(key) for key in self._at if _BOUNDARY.search(key)}

    def find(self, indicators: Indicators) -> list[int]:
        """Match indicators.

        Returns:
            For each, kind by kind, the position of its entry, or NOT_FOUND.
        """
        finders = {"address": self._addresses, "name": self._names, "uri": self._uris}
        return [at for kind, texts in indicators.items() for at in finders[kind](texts)]

    def _addresses(self, addresses: Sequence[str]) -> list[int]:
        in_networks = self._networks.lookup([pack(address) for address in addresses])
        places: list[int] = self._network_at[in_networks].tolist()
        return places

    def _names(self, names: Sequence[str]) -> list[int]:
        keys = [name.lower().rstrip(".") for name in names]
        return list(map(self._match, keys, keys, self._addresses(keys)))

    def _uris(self, uris: Sequence[str]) -> list[int]:
        keys = [uri_key(uri) for uri in uris]
        hosts = [host_of(key) for key in keys]
        return list(map(self._match, keys, hosts, self._addresses(hosts)))

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
        parent = host
        # The suffix list is slow to ask: only where a name above the host is listed.
        while parent := parent.partition(".")[2]:
            if parent in self._at:
                return self._at.get(split_name(host)[0], NOT_FOUND)
        return NOT_FOUND


def _is_wide(text: str) -> bool:
    return "/" in text or "-" in text
