"""Draws the names that a client queried: client, registered domains, a few names of each."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

import pandas as pd

from analyst.pictures.svg import bend, circle, diamond, mark, path, picture, records, text, triangle
from analyst.pictures.text import bad, fitted, many

DOMAINS = 12
"""Maximum number of domains."""
NAMES = 4
"""Maximum number of names per domain."""
WIDTH = 880
_STEP = 15
_TOP = 46
_CLIENT, _DOMAIN, _NAME = 70, 240, 430


@dataclass(slots=True)
class _Domain:
    name: str
    suspicious: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        return len(self.suspicious) + len(self.others)


def tree(
    names: pd.DataFrame,
    client: str,
    suspicious: Collection[str],
    registered: Callable[[str], str],
    known_bad: Collection[str] = (),
) -> str:
    """Draw the names of a client.

    Args:
        names: Columns of `dns_dendro`: ip_dst, dns_qry_name.
        client: The `ip_dst`.
        suspicious: Names of the day's suspicious answers.
        registered: Returns the registered domain of a name; empty if it has none.
        known_bad: Names and domains with a bad reputation.
    """
    asked = dict.fromkeys(
        str(name) for ip, name in records(names, {"ip_dst": "", "dns_qry_name": ""}) if ip == client
    )
    domains = _domains(asked, suspicious, registered)
    count = sum(each in suspicious for each in asked)
    summary = f"{many(len(asked), 'name')} in {many(len(domains), 'domain')}, {count} suspicious"
    parts = [text(10, 16, fitted(client, 64), css="head"), text(10, 31, summary, css="dim small")]
    shown, rest = domains[:DOMAINS], domains[DOMAINS:]
    rows = [_leaves(each) for each in shown]
    lines = sum(max(len(each), 1) for each in rows)
    height = _TOP + (max(lines, 1) + bool(rest)) * _STEP + 8
    root = _TOP + max(lines, 1) * _STEP / 2
    row = _TOP + 0.0
    drawn = []
    leads: dict[str, list[str]] = {"lead": [], "lead sus": []}
    for domain, leaves in zip(shown, rows, strict=True):
        middle = row + max(len(leaves), 1) * _STEP / 2
        leads["lead"].append(bend(_CLIENT, root, _DOMAIN, middle))
        drawn.append(_drawn(domain, middle, known_bad))
        for leaf, name, css in leaves:
            y = row + _STEP / 2
            leads["lead sus" if css else "lead"].append(bend(_DOMAIN, middle, _NAME, y))
            known = name is not None and name in known_bad
            sign = _sign(_NAME, y, 2.6, css=bool(css), known=known)
            shown_leaf = text(_NAME + 9, y + 4, leaf, css=f"halo {css}".strip())
            drawn.append(mark(bad(name or leaf, known), sign + shown_leaf, pick=name))
            row += _STEP
        if not leaves:
            row += _STEP
    if rest:
        more = sum(each.count for each in rest)
        there = many(len(rest), "more domain")
        left = f"and {there} with {many(more, 'name')}"
        parts.append(text(_DOMAIN, row + _STEP, left, css="dim"))
    parts += [path("".join(each), css) for css, each in leads.items() if each]
    parts += drawn
    if asked:
        parts.append(mark(client, diamond(_CLIENT, root, 6, "node inside"), pick=client))
    return picture("tree", WIDTH, height, f"{client}: {summary}", parts)


def _domains(
    asked: Iterable[str], suspicious: Collection[str], registered: Callable[[str], str]
) -> list[_Domain]:
    found: dict[str, _Domain] = {}
    for name in asked:
        domain = registered(name) or name
        entry = found.setdefault(domain, _Domain(domain))
        (entry.suspicious if name in suspicious else entry.others).append(name)
    order = sorted(found.values(), key=lambda each: (-len(each.suspicious), -each.count, each.name))
    for each in order:
        each.suspicious.sort()
        each.others.sort()
    return order


def _leaves(domain: _Domain) -> list[tuple[str, str | None, str]]:
    """Return the leaves of a domain: text, name, class."""
    if [domain.name] == domain.suspicious + domain.others:
        return []
    names = [*domain.suspicious, *domain.others]
    leaves: list[tuple[str, str | None, str]] = [
        (fitted(name, 46), name, "sus" if place < len(domain.suspicious) else "")
        for place, name in enumerate(names[:NAMES])
    ]
    if len(names) > NAMES:
        more = f"and {len(names) - NAMES:,} more"
        among = len(domain.suspicious) - NAMES
        if among > 0:
            more += f", {among} of them suspicious"
        leaves.append((more, None, "sus" if among > 0 else ""))
    return leaves


def _drawn(domain: _Domain, y: float, known_bad: Collection[str]) -> str:
    known = domain.name in known_bad
    some = bool(domain.suspicious)
    radius = min(2.5 + domain.count**0.5 / 2, 8)
    count = f" ({domain.count:,})" if domain.count > 1 else ""
    name = fitted(domain.name, 22) + count
    body = _sign(_DOMAIN, y, radius, css=some, known=known)
    body += text(_DOMAIN + radius + 5, y + 4, name, css="halo sus" if some else "halo")
    label = (
        f"{bad(domain.name, known)}: {many(domain.count, 'name')}, "
        f"{len(domain.suspicious)} suspicious"
    )
    return mark(label, body, pick=domain.name)


def _sign(x: float, y: float, radius: float, *, css: bool, known: bool) -> str:
    if known:
        return triangle(x, y, radius + 1, "node bad")
    # Suspicious names are full dots, other names are rings.
    return circle(x, y, radius, "node sus" if css else "ring")
