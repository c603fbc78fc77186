"""Normalise names and URIs, so that equal ones compare equal."""

from __future__ import annotations

import re
from typing import NamedTuple

import idna

from python_enrichers.addresses import pack, unpack

WEB = ("", "http", "https")
"""Schemes that count as equal, because proxy logs have none."""
_DEFAULT_PORTS = {"ftp": ("21",), "ws": ("80",), "wss": ("443",)} | dict.fromkeys(
    WEB, ("80", "443")
)

_URI = re.compile(r"(?:([a-z][a-z0-9+.-]*)://)?([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)


class Uri(NamedTuple):
    """The parts of a URI, or of a name or address with or without a port.

    `rest` is everything from the first `/`, `?` or `#`.
    """

    scheme: str
    host: str
    port: str
    rest: str

    @property
    def key(self) -> str:
        """Return the text of a URI in its usual form; equal URIs have equal keys."""
        scheme = "" if self.scheme in WEB else f"{self.scheme}://"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}{host}:{self.port}{self.rest}" if self.port else scheme + host + self.rest


def split_uri(text: str) -> Uri:
    """Split any text as a URI whose scheme may be missing.

    Scheme and host become lower case, the host loses user, brackets and final dot.
    """
    match = _URI.match(text)
    scheme, authority, rest = match.groups("") if match else ("", text, "")
    authority = authority.rpartition("@")[2]
    if authority.startswith("["):
        host, _, port = authority[1:].partition("]")
        port = port.removeprefix(":")
    elif authority.count(":") == 1:
        host, _, port = authority.partition(":")
    else:
        # With more than one colon it is an IPv6 address without brackets.
        host, port = authority, ""
    return Uri(scheme.lower(), host.lower().rstrip("."), port, rest)


def usual(uri: Uri) -> Uri:
    """Convert a URI to its usual form.

    The default port is dropped, an empty path becomes `/`, an address gets its shortest form, an
    IDN becomes ASCII. The default ports of `http` and `https` count for both.
    """
    address = pack(uri.host)
    return Uri(
        uri.scheme,
        unpack(address) if address else wire_name(uri.host),
        "" if uri.port in _DEFAULT_PORTS.get(uri.scheme, ()) else uri.port,
        uri.rest if uri.rest.startswith("/") else f"/{uri.rest}",
    )


def uri_key(text: str) -> str:
    """Return the key of a URI; equal URIs have equal keys."""
    return usual(split_uri(text)).key


def wire_name(name: str) -> str:
    """Convert a name to its form in DNS: lower case, no final dot, IDN in ASCII (`xn--`).

    A name that cannot be converted only becomes lower case, without the final dot.
    """
    name = name.lower().rstrip(".")
    if name.isascii():
        return name
    try:
        labels = idna.uts46_remap(name, std3_rules=False).rstrip(".").split(".")
        return ".".join(
            label if label.isascii() else idna.alabel(label).decode() for label in labels
        )
    except UnicodeError:
        return name
