"""Decide what may be sent to third parties: public addresses and names, and URIs with such a host.

Also normalises what is sent, so that two spellings of an indicator are queried only once.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence

from python_enrichers.addresses import RangeIndex, is_public, pack, unpack
from python_enrichers.base import Indicators
from python_enrichers.network_context.enricher import internal_ranges
from python_enrichers.reputation.uris import split_uri, wire_name
from spot_oa.errors import ConfigError, printable
from spot_oa.pipelines import IndicatorType
from spot_oa.settings import Settings

PRIVATE_SUFFIXES = frozenset(
    {
        *("arpa", "corp", "example", "home", "internal", "intranet", "invalid", "lan", "local"),
        *("localdomain", "localhost", "private", "test"),
    }
)
"""Top-level names that are never public, used by networks internally."""

_NAME = re.compile(r"(?=.{4,253}$)([a-z0-9_-]{1,63}\.)+[a-z][a-z0-9-]{1,62}", re.ASCII)
_URL = re.compile(r"(?:([a-z][a-z0-9+.-]*)://)?(?:[^/?#]*@)?([^#]*)", re.IGNORECASE | re.DOTALL)
_SCHEMES = ("http", "https")


class Sendable:
    """Decides which indicators may be sent."""

    def __init__(self, internal: RangeIndex, domains: Sequence[str]) -> None:
        self._internal = internal
        self._domains = tuple(f".{_domain(text)}" for text in domains)
        # Several services are queried in parallel for the same indicators.
        self._known: dict[tuple[IndicatorType, str], str | None] = {}
        self._lock = threading.Lock()

    @classmethod
    def of(cls, settings: Settings) -> Sendable:
        """Read `ipranges.csv` and `SPOT_OA_INTERNAL_DOMAINS`.

        Raises:
            EnrichmentError: `ipranges.csv` exists but cannot be read.
            ConfigError: A value of `SPOT_OA_INTERNAL_DOMAINS` is not a domain.
        """
        ranges = internal_ranges(settings)
        return cls(RangeIndex(ranges.entries if ranges else []), settings.internal_domains)

    def forms(self, indicators: Indicators) -> dict[tuple[IndicatorType, str], str | None]:
        """Return the forms in which indicators are sent.

        Args:
            indicators: The indicators as in the results.

        Returns:
            By kind and text: an address in its usual form; a name in lower case without the last
            dot; a URI with its scheme (http if it had none), and without user and fragment. None
            if the indicator must not be sent.
        """
        with self._lock:
            for kind, texts in indicators.items():
                new = [text for text in texts if (kind, text) not in self._known]
                forms = zip(new, self._forms(kind, new), strict=True)
                self._known.update(((kind, text), form) for text, form in forms)
            asked = [(kind, text) for kind, texts in indicators.items() for text in texts]
            return {key: self._known[key] for key in asked}

    def _forms(self, kind: IndicatorType, texts: Sequence[str]) -> Iterator[str | None]:
        hosts = [split_uri(text).host if kind == "uri" else text.rstrip(".") for text in texts]
        packed = [pack(host) for host in hosts]
        internal = (self._internal.lookup(packed) >= 0).tolist()
        for text, host, address, ours in zip(texts, hosts, packed, internal, strict=True):
            if address is not None:
                may = not ours and is_public(address)
            else:
                may = kind != "address" and self._public_name(host.lower())
            if not may:
                yield None
            elif kind == "uri":
                yield _url(text)
            else:
                yield unpack(address) if address else host.lower()

    def _public_name(self, name: str) -> bool:
        return (
            _NAME.fullmatch(name) is not None
            and name.rpartition(".")[2] not in PRIVATE_SUFFIXES
            and not f".{name}".endswith(self._domains)
        )


def _domain(text: str) -> str:
    """Convert a domain to the form on the wire; ignore a leading `*.`.

    Raises:
        ConfigError: The text is not a domain; ignored, names under the intended domain would be
            sent.
    """
    domain = wire_name(text.removeprefix("*").strip("."))
    if not re.fullmatch(r"([a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}", domain):
        raise ConfigError(
            f"SPOT_OA_INTERNAL_DOMAINS: {printable(text)!r} is not a domain; "
            "write it as example.org"
        )
    return domain


def _url(text: str) -> str | None:
    match = _URL.match(text)
    scheme, rest = match.groups() if match else (None, "")
    scheme = (scheme or "http").lower()
    return f"{scheme}://{rest}" if scheme in _SCHEMES else None
