"""Reputation from a local CSV file: `<context_dir>/reputation/<service>.csv`.

A line is `indicator,label,severity`; the indicator is an address, a network, a name or a URI. Of
lines with the same indicator the last counts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

import numpy as np

from python_enrichers.addresses import RangeIndex, Span, pack, parse_span
from python_enrichers.base import Indicators, lookup_frame
from python_enrichers.context_files import ContextFile, read_context_file
from python_enrichers.domain import split_name
from python_enrichers.reputation.base import Answer, Verdicts
from spot_oa.errors import EnrichmentError, printable
from spot_oa.pipelines import IndicatorType

SEVERITIES = range(-1, 4)
NOT_FOUND = -1

_URI = re.compile(
    r"(?:https?://)?((?:[a-z][a-z0-9+.-]*://)?[^/?#]*)(.*)", re.IGNORECASE | re.DOTALL
)
_HOST = re.compile(r"(?:[a-z][a-z0-9+.-]*://)?(?:[^/?#]*@)?(?:\[([^]/?#]*)\]|([^/?#]*))")
_BOUNDARY = re.compile(r"[/?#]")


Entry = tuple[str, str, int, Span | str]
"""A line of a feed: indicator, label, severity, and as what it matches, a network or a key.

A plain tuple, which the garbage collector stops tracking: a feed has many.
"""


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


class LocalFeed:
    """One feed as a service; it takes every kind of indicator."""

    kinds: AbstractSet[IndicatorType] = frozenset(("address", "name", "uri"))

    def __init__(self, file: ContextFile[Entry]) -> None:
        self.name = file.name
        self._file = file
        matchers = [matcher for *_, matcher in file.entries]
        self._at = {key: at for at, key in enumerate(matchers) if isinstance(key, str)}
        networks = [(at, net) for at, net in enumerate(matchers) if not isinstance(net, str)]
        self._networks = RangeIndex([net for _, net in networks])
        # The last item is the one for position -1, not found.
        self._network_at = np.array([*(at for at, _ in networks), NOT_FOUND])
        self._key_lengths = {len(key) for key in self._at}
        self._tails = {_tail(host_of(key)) for key in self._at}

    def lookup(self, indicators: Indicators) -> Verdicts:
        """Match indicators, the most specific entry first; see `ReputationService.lookup`.

        An address matches itself, then the narrowest network; a name itself, then its registered
        domain; a URI itself, then its longest prefix that ends at a `/`, `?` or `#`, then its host
        as an address or a name.
        """
        finders = {"address": self._addresses, "name": self._names, "uri": self._uris}
        asked = [(kind, text) for kind, texts in indicators.items() for text in texts]
        places = [at for kind, texts in indicators.items() for at in finders[kind](texts)]
        unknown = (None, None, None, None)
        found = [self._file.entries[at] if at != NOT_FOUND else unknown for at in places]
        rows = lookup_frame(
            "reputation_verdicts",
            {
                "indicator": [text for _, text in asked],
                "indicator_type": [kind for kind, _ in asked],
                "service": [self.name] * len(asked),
                "severity": [severity for _, _, severity, _ in found],
                "label": [label for _, label, _, _ in found],
                "matched": [indicator for indicator, _, _, _ in found],
                "fetched_at": [self._file.written_at] * len(asked),
                "outcome": [
                    Answer.NOT_FOUND if at == NOT_FOUND else Answer.ANSWERED for at in places
                ],
            },
        )
        return Verdicts(rows, self._file.outcome(len(asked), len(places) - places.count(NOT_FOUND)))

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
        # Whatever else matches by name ends as the host does: few hosts need the suffix list.
        if _tail(host) not in self._tails:
            return by_address
        for length in _prefix_lengths(key):
            if length in self._key_lengths and key[:length] in self._at:
                return self._at[key[:length]]
        at = self._at.get(host, by_address)
        return at if at != NOT_FOUND else self._at.get(split_name(host)[0], NOT_FOUND)


def _tail(host: str) -> str:
    return ".".join(host.rsplit(".", 2)[-2:])


def _prefix_lengths(key: str) -> list[int]:
    """Lengths of a URI's prefixes that end at a boundary, the longest first."""
    cuts = [match.start() for match in _BOUNDARY.finditer(key)]
    return sorted({*cuts, *(cut + 1 for cut in cuts if key[cut] == "/")}, reverse=True)


def load_feeds(folder: Path) -> list[LocalFeed]:
    """Read every feed of a folder, which may be missing.

    Raises:
        EnrichmentError: The folder or a feed cannot be read, or a feed's name cannot be a
            service's.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if path.match("[!.]*.csv"))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise EnrichmentError(
            f"reputation folder {printable(folder)} cannot be read ({error.strerror}); "
            "make it a readable folder or remove it"
        ) from error
    for path in paths:
        if ":" in path.stem or ";" in path.stem:
            raise EnrichmentError(
                f"reputation feed {printable(path)}: its name is the service's, "
                "which may not have ':' or ';'; rename the file"
            )
    return [LocalFeed(file) for path in paths if (file := read_context_file(path, _entry))]


def _entry(columns: list[str]) -> Entry:
    indicator, label, severity, *_ = columns
    matcher = _matcher(indicator)
    if not matcher or int(severity) not in SEVERITIES:
        raise ValueError("no indicator, or no severity")
    return indicator, label, int(severity), matcher


def _matcher(indicator: str) -> Span | str:
    try:
        return parse_span(indicator)
    except ValueError:
        return uri_key(indicator)
