"""Lookups of addresses, names and URIs in the context files."""

from __future__ import annotations

import csv
import ipaddress
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import tldextract

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
T = TypeVar("T")

_suffixes = tldextract.TLDExtract(
    cache_dir=None, suffix_list_urls=(), include_psl_private_domains=True
)


def address(text: str) -> Address | None:
    """The address, IPv4 where it is one mapped into IPv6; None if the text is none.

    With a zone (`fe80::1%eth0`) it is none: it says something on one host only.
    """
    if "%" in text:
        return None
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        return found.ipv4_mapped
    return found


def is_between(start: Address, ip: Address, end: Address) -> bool:
    """Check a range with both ends, only among addresses of one family."""
    return start.version == ip.version and int(start) <= int(ip) <= int(end)


def registered_domain(name: str) -> str:
    """Split by the public suffix list; a label can have any character, but must not be empty."""
    labels = name.removesuffix(".").split(".")
    # What a label is made of does not matter to the list: the extractor sees harmless ones.
    plain = [label if re.fullmatch(r"[\w-]+", label) else "x" for label in labels]
    if address(".".join(plain)):
        return ""
    found = _suffixes.extract_str(".".join(plain))
    if not found.domain or not found.suffix:
        return ""
    own = labels[-len(f"{found.domain}.{found.suffix}".split(".")) :]
    return ".".join(own) if own[0] else ""


class Context:
    """The files of a context folder."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.skipped: dict[str, int] = {}
        self._places = self._read(files, "iploc.csv", _place)
        self._internal = self._read(files, "ipranges.csv", _range)
        self._labels = self._read(files, "networkcontext.csv", _label)
        self._feeds = {
            name.removeprefix("reputation/").removesuffix(".csv"): self._read(files, name, _listed)
            for name in sorted(files)
            if name.startswith("reputation/")
        }

    def _read(
        self, files: Mapping[str, bytes], name: str, entry: Callable[[list[str]], T]
    ) -> list[T]:
        """Return the entries of a file; skip blank lines and a header, count invalid lines."""
        entries: list[T] = []
        lines = _lines(files.get(name, b""))
        skipped = 0
        for number, columns in enumerate(lines):
            try:
                entries.append(entry(columns))
            except (ValueError, LookupError):
                skipped += number > 0
        if name in files:
            self.skipped[name.rpartition("/")[2].removesuffix(".csv")] = skipped
        return entries

    def place(self, text: str) -> list[str]:
        """Return region, city, owner, domain, country, latitude and longitude."""
        ip = address(text)
        for start, end, place in self._places:
            if ip and is_between(start, ip, end):
                return place
        return [""] * 7

    def geoloc(self, text: str) -> str:
        """Return `Region;City Owner` without missing parts; `;` only as the separator."""
        region, city, owner = (part.replace(";", "").strip() for part in self.place(text)[:3])
        place = f"{region};{city}" if region and city else region or city
        return " ".join(part for part in (place, owner) if part)

    def ip_domain(self, text: str) -> str:
        """Return the domain of an address."""
        return self.place(text)[3]

    def position(self, text: str) -> dict[str, Any]:
        """Return country and coordinates; the file has no network owners."""
        country, *degrees = self.place(text)[4:]
        try:
            north, east = map(float, degrees)
        except ValueError:
            north = east = math.nan
        known = math.isfinite(north) and math.isfinite(east)
        return {
            "country_code": country,
            "latitude": north if known else None,
            "longitude": east if known else None,
            "asn": None,
            "as_org": "",
        }

    def is_internal(self, text: str) -> int:
        """Return 1 in a range of ipranges.csv."""
        ip = address(text)
        return int(any(ip and is_between(start, ip, end) for start, end in self._internal))

    def label(self, text: str) -> str:
        """Match the exact address, then the narrowest network or range; of equal keys the last."""
        ip = address(text)
        found = [entry for entry in self._labels if ip and is_between(entry[0], ip, entry[1])]
        best = ""
        size = None
        for start, end, is_exact, label in found:
            here = (not is_exact, int(end) - int(start))
            if size is None or here <= size:
                best, size = label, here
        return best

    def reputation(self, kind: str, text: str) -> str:
        """Return `service:LABEL:severity` of every feed that has it, ordered by feed name."""
        said = []
        for service, entries in self._feeds.items():
            verdict = _match(entries, kind, text)
            if verdict:
                label = re.sub(":+", ":", verdict[0].replace(";", "")) or "-"
                said.append(f"{service}:{label}:{verdict[1]}")
        return "::".join(said)


def _lines(data: bytes) -> Iterator[list[str]]:
    """Parse each line as a separate CSV record, without blanks around fields."""
    text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "backslashreplace")
    for line in text.split("\n"):
        if line.strip():
            (columns,) = csv.reader([line.removesuffix("\r").strip(" ")], skipinitialspace=True)
            yield [column.strip() for column in columns]


def _place(columns: list[str]) -> tuple[Address, Address, list[str]]:
    start, end, code, _, region, city, north, east, owner, domain, *_ = columns
    if not (start.isdecimal() and end.isdecimal() and int(start) <= int(end) < 1 << 128):
        raise ValueError
    kind = ipaddress.IPv4Address if int(end) < 1 << 32 else ipaddress.IPv6Address
    return kind(int(start)), kind(int(end)), [region, city, owner, domain, code, north, east]


def _range(columns: list[str]) -> tuple[Address, Address]:
    if "/" in columns[0] or "-" in columns[0]:
        if columns[1:] and address(columns[1]):
            raise ValueError(columns[1])
        return _label([*columns, ""])[:2]
    start, end, _, *_ = columns
    return _ordered(_known(start), _known(end))


def _label(columns: list[str]) -> tuple[Address, Address, bool, str]:
    key, label, *_ = columns
    if "-" in key:
        start, _, end = key.partition("-")
        return (*_ordered(_known(start.strip()), _known(end.strip())), False, label)
    if "/" in key:
        network = ipaddress.ip_network(key, strict=False)
        return network[0], network[-1], False, label
    return _known(key), _known(key), True, label


def _known(text: str) -> Address:
    found = address(text)
    if found is None:
        raise ValueError(text)
    return found


def _ordered(start: Address, end: Address) -> tuple[Address, Address]:
    if not is_between(start, start, end):
        raise ValueError
    return start, end


def _listed(columns: list[str]) -> tuple[str, str, int]:
    indicator, label, severity, *_ = columns
    host, _, rest = indicator.partition("/")
    is_network = address(host) and rest.isdecimal()
    if not (address(host) or re.fullmatch(r"([\w-]+\.)*[A-Za-z][\w-]*", host) or is_network):
        raise ValueError(indicator)
    severities = {"unverified": -1, "none": 0, "low": 1, "medium": 2, "high": 3}
    severities |= {str(level): level for level in severities.values()}
    return indicator, label, severities[severity]


def _match(entries: list[tuple[str, str, int]], kind: str, text: str) -> tuple[str, int] | None:
    """Return the most specific entry; of equal ones the last."""
    if kind == "address":
        return _match_address(entries, text)
    if kind == "name":
        name = text.lower().removesuffix(".")
        return _match_text(entries, [name, registered_domain(name)])
    text = re.sub("^([^/?#:]*):(80|443)(?=[/?#]|$)", r"\1", text)
    longest_first = [
        text[: i + n] for i in range(len(text), -1, -1) for n in (1, 0) if text[i : i + 1] in "/?#"
    ]
    host = re.split("[/?#]", text)[0]
    host = host.partition(":")[0].lower()
    return (
        _match_text(entries, [text, *longest_first])
        or _match_address(entries, host)
        or _match_text(entries, [host, registered_domain(host)])
    )


def _match_text(entries: list[tuple[str, str, int]], texts: list[str]) -> tuple[str, int] | None:
    for text in texts:
        for indicator, label, severity in reversed(entries):
            if text and indicator == text:
                return label, severity
    return None


def _match_address(entries: list[tuple[str, str, int]], text: str) -> tuple[str, int] | None:
    ip = address(text)
    best: Any = None
    for indicator, label, severity in entries:
        try:
            network: Any = ipaddress.ip_network(address(indicator) or indicator)
        except ValueError:
            continue
        holds = ip is not None and network.version == ip.version and ip in network
        if holds and (best is None or network.prefixlen >= best[0]):
            best = network.prefixlen, label, severity
    return best and best[1:]
