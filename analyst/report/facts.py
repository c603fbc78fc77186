"""Facts of a day: reasons to look at a row, hosts, changes. Pure functions over frames."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from analyst.known import Known, look_back, standing
from analyst.pictures.svg import records
from analyst.pictures.text import NONE
from analyst.report.day import BEFORE, Published, Source
from analyst.report.shapes import EDGE, Shape, minute_of

KNOWN_BAD = 2
"""The lowest severity that counts as known bad."""
HUB_PEERS = 3
"""An end with this many suspicious peers is listed as a host: the scanner, not its victims."""
_VOLUME = 99

BAD, NEW, HUB, VOLUME, EVERYWHERE = "known bad", "new", "hub", "volume", "in all sources"
REASONS = (BAD, NEW, HUB, VOLUME, EVERYWHERE)


@dataclass(frozen=True, slots=True, order=True)
class Verdict:
    """The rating by one reputation service."""

    severity: int
    service: str
    label: str

    def __str__(self) -> str:
        return f"{self.service}: {self.label}"


@dataclass(slots=True)
class Event:
    """A suspicious row and the facts about it."""

    rank: int
    """The published rank, 0 for the most suspicious, as in `--ranks` and `--rank`."""
    row: Mapping[str, Any]
    minute: int | None
    score: float | None
    bytes: int | None
    ends: tuple[str, ...]
    """All addresses of the row."""
    inside: tuple[str, ...]
    """The internal addresses among them."""
    new_keys: tuple[str, ...]
    verdicts: tuple[Verdict, ...] = ()
    reasons: list[str] = field(default_factory=list)
    severity: tuple[int, str] = (0, "")
    why: str = ""
    """The reasons of the built-in scorer, in words."""

    @property
    def known_bad(self) -> bool:
        """Whether a reputation service rates one of its values as bad."""
        return any(each.severity >= KNOWN_BAD for each in self.verdicts)


@dataclass(slots=True)
class Host:
    """An address with its suspicious rows of all pipelines."""

    address: str
    called: str
    rows: Counter[str]
    best: int
    verdicts: tuple[Verdict, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Changed:
    """Changes of a pipeline: values new since earlier days, and values gone since the last."""

    pipeline: str
    days: int
    new: Mapping[str, int]
    gone: Sequence[str]


@dataclass(frozen=True, slots=True)
class Facts:
    """All facts of a day."""

    events: Mapping[str, Sequence[Event]]
    hosts: Sequence[Host]
    known_bad: frozenset[str]
    """Addresses and names that a reputation service rates as bad."""
    changed: Sequence[Changed]
    called: Mapping[str, str]

    def count(self, reason: str) -> int:
        """Count the events that have a reason."""
        return sum(reason in each.reasons for rows in self.events.values() for each in rows)


def verdicts(text: object) -> tuple[Verdict, ...]:
    """Parse ratings of the form `service:LABEL:severity`, joined by `::`."""
    found = []
    for rating in text.split("::") if isinstance(text, str) else ():
        service, _, rest = rating.partition(":")
        label, _, severity = rest.rpartition(":")
        if severity.removeprefix("-").isdecimal():
            found.append(Verdict(int(severity), service, label))
    return tuple(found)


def find(day: Published) -> Facts:
    """Gather all facts of a day."""
    events = {source.name: _events(source) for source in day.sources}
    known_bad = frozenset(bad for source in day.sources for bad in _known_bad(source))
    changed = [_changed(source, events[source.name], day) for source in day.sources]
    new = {each.pipeline: set(each.new) if each.days else set[str]() for each in changed}
    hubs = {
        str(each)
        for source in day.sources
        for (each,) in records(source.table("chords"), {"ip_threat": None})
    }
    owners = {
        name: {host for event in rows for host in event.inside} for name, rows in events.items()
    }
    peers = _peers(events)
    everywhere = set.intersection(*owners.values()) if len(owners) > 1 else set[str]()
    for name, rows in events.items():
        large = _large(rows)
        for event in rows:
            event.reasons = [
                reason
                for reason, holds in (
                    (BAD, event.known_bad),
                    (NEW, any(each in new[name] for each in event.new_keys)),
                    (HUB, any(end in hubs for end in event.ends)),
                    (VOLUME, event.bytes is not None and event.bytes > large),
                    (EVERYWHERE, any(end in everywhere for end in event.ends)),
                )
                if holds
            ]
    called = _called(day.sources)
    return Facts(events, _hosts(events, peers, called), known_bad, changed, called)


def explanations(
    source: Source, events: Sequence[Event], day: Published
) -> Iterator[Mapping[str, Sequence[str]]]:
    """Yield the details of each row beyond its fields, by topic, worded as in `explain`.

    Args:
        source: The source of the rows.
        events: All events of the day, by rank.
        day: The day, with the days before.
    """
    scores = sorted(day.before.get(source.name, {}).items(), key=lambda each: each[0])
    days = ((date, _dicts(frame)) for date, frame in scores)
    before = look_back(source.pipeline, BEFORE, days, day.labels)
    known = Known(source.pipeline, (event.row for event in events), before)
    for place, event in enumerate(events, 1):
        score = NONE if event.score is None else str(event.score)
        behind = len(events) - place
        yield {"score": [standing(score, behind, len(events))], **known.of(event.row)}


def _events(source: Source) -> list[Event]:
    scores, shape = source.table("scores"), source.shape
    severities = source.severities or [(0, "")] * len(scores)
    whys = source.whys or [""] * len(scores)
    found = zip(_dicts(scores), severities, whys, strict=True)
    rows = [
        _event(row, place, shape, severity, why) for place, (row, severity, why) in enumerate(found)
    ]
    return sorted(rows, key=lambda each: each.rank)


def _event(
    row: Mapping[str, Any], place: int, shape: Shape, severity: tuple[int, str], why: str
) -> Event:
    ends = [(str(row[name]), flag) for name, flag in shape.hosts.items() if row.get(name)]
    inside = [end for end, flag in ends if not flag or row.get(flag) == 1]
    outside = [end for end, flag in ends if flag and row.get(flag) != 1]
    keys = [str(row[name]) for name in shape.new if row.get(name)][:1]
    rank = row.get("rank")
    counts = [row[name] for name in shape.bytes if isinstance(row.get(name), int)]
    return Event(
        rank=rank if isinstance(rank, int) else place,
        row=row,
        minute=minute_of(row.get(shape.time)),
        score=_number(row.get(shape.score)),
        bytes=sum(counts) if counts else None,
        ends=tuple(dict.fromkeys(end for end, _ in ends)),
        inside=tuple(dict.fromkeys(inside)),
        # For a connection between two internal addresses, both ends.
        new_keys=tuple(keys or outside or inside),
        verdicts=tuple(
            dict.fromkeys(each for name in shape.verdicts for each in verdicts(row.get(name)))
        ),
        severity=severity,
        why=why,
    )


def _number(value: object) -> float | None:
    if isinstance(value, (int, float)) and not math.isnan(value):
        return float(value)
    return None


def _dicts(frame: pd.DataFrame) -> list[dict[str, Any]]:
    names = [str(name) for name in frame.columns]
    return [dict(zip(names, row, strict=True)) for row in records(frame, dict.fromkeys(names))]


def _known_bad(source: Source) -> Iterable[str]:
    for row in _dicts(source.table("scores")):
        for name, columns in source.shape.verdicts.items():
            if any(each.severity >= KNOWN_BAD for each in verdicts(row.get(name))):
                yield from (str(row[column]) for column in columns if row.get(column))


def _changed(source: Source, events: Sequence[Event], day: Published) -> Changed:
    now = Counter(key for event in events for key in dict.fromkeys(event.new_keys))
    before = day.before.get(source.name, {})
    then = {date: _keys(frame, source.shape) for date, frame in before.items()}
    known = set().union(*then.values()) if then else set[str]()
    latest = then[max(then)] if then else set[str]()
    fresh = {key: count for key, count in now.items() if key not in known} if then else {}
    return Changed(source.name, len(then), fresh, sorted(latest - set(now)))


def _keys(scores: pd.DataFrame, shape: Shape) -> set[str]:
    return {key for row in _dicts(scores) for key in _event(row, 0, shape, (0, ""), "").new_keys}


def _large(events: Sequence[Event]) -> float:
    counts = [event.bytes for event in events if event.bytes is not None]
    return float(np.percentile(counts, _VOLUME)) if counts else float("inf")


def _peers(events: Mapping[str, Sequence[Event]]) -> dict[str, int]:
    found: dict[str, set[str]] = {}
    for rows in events.values():
        for event in rows:
            for end in event.ends:
                found.setdefault(end, set()).update(other for other in event.ends if other != end)
    return {end: len(others) for end, others in found.items()}


def _called(sources: Sequence[Source]) -> dict[str, str]:
    found: dict[str, str] = {}
    for source in sources:
        address, name = source.shape.called
        for table in ("addresses", "scores", "edge") if address else ():
            for ip, called in records(source.table(table), {address: None, name: None}):
                if ip and called:
                    found.setdefault(str(ip), str(called))
    return found


def _hosts(
    events: Mapping[str, Sequence[Event]], peers: Mapping[str, int], called: Mapping[str, str]
) -> list[Host]:
    listed = {end for rows in events.values() for event in rows for end in _listed(event, peers)}
    found: dict[str, Host] = {}
    for name, rows in events.items():
        for event in rows:
            for address in (end for end in event.ends if end in listed):
                host = found.setdefault(
                    address, Host(address, called.get(address, ""), Counter(), event.rank, (), ())
                )
                host.rows[name] += 1
                host.best = min(host.best, event.rank)
                host.verdicts = tuple(dict.fromkeys([*host.verdicts, *event.verdicts]))
                reasons = [each for each in event.reasons if each not in (BAD, EVERYWHERE)]
                host.reasons = tuple(dict.fromkeys([*host.reasons, *reasons]))
    for host in found.values():
        host.verdicts = tuple(sorted(host.verdicts, reverse=True))
    return sorted(found.values(), key=_first)


def _listed(event: Event, peers: Mapping[str, int]) -> Iterator[str]:
    """Yield the ends of a row that are hosts: hubs, and inside ends that no outside hub contacted.

    If an outside end contacts many hosts one by one, not each of them is a host.
    """
    hubs = [end for end in event.ends if peers[end] >= HUB_PEERS]
    yield from hubs
    initiator = event.ends[0] if event.ends else ""
    if initiator in event.inside or initiator not in hubs:
        yield from event.inside


def _first(host: Host) -> tuple[bool, int, int, str]:
    known_bad = any(each.severity >= KNOWN_BAD for each in host.verdicts)
    return not known_bad, host.best, -len(host.rows), host.address


def behind(source: Source, events: Sequence[Event], most: int) -> list[tuple[int, list[int]]]:
    """Return the raw events behind each row: their number, and the first ones' positions."""
    edge, names = source.table("edge"), source.shape.edge
    if not names or any(name not in edge.columns for name in names):
        return [(0, [])] * len(events)
    places: dict[tuple[object, ...], list[int]] = {}
    for place, values in enumerate(zip(*(_compared(edge, name) for name in names), strict=True)):
        places.setdefault(values, []).append(place)
    found = []
    for event in events:
        wanted = tuple(EDGE.get(name, _same)(event.row.get(name)) for name in names)
        there = places.get(wanted, [])
        found.append((len(there), there[:most]))
    return found


def _compared(edge: pd.DataFrame, name: str) -> list[object]:
    # Prefer the hour of the edge's partition, if it has one.
    if name == "time" and "hh" in edge.columns:
        return list(edge["hh"].tolist())
    return [EDGE.get(name, _same)(value) for value in edge[name].tolist()]


def _same(value: object) -> object:
    return value


def places(source: Source) -> Counter[tuple[str, bool]]:
    """Count the suspicious ends at each place, separately for known bad ends."""
    counted: Counter[tuple[str, bool]] = Counter()
    for row in _dicts(source.table("scores")):
        for name, reputation in (source.shape.places or {}).items():
            place = place_of(row.get(name))
            if place:
                evil = any(each.severity >= KNOWN_BAD for each in verdicts(row.get(reputation)))
                counted[place, evil] += 1
    return counted


def outside(source: Source) -> pd.DataFrame:
    """Return the outside addresses of a source for the map; empty if none are published."""
    ends = Counter(
        end for row in _dicts(source.table("scores")) for end in map(row.get, source.shape.hosts)
    )
    return pd.DataFrame(
        [
            {
                "ip": row["ip"],
                "place": place_of(row.get("place")),
                "latitude": row.get("latitude"),
                "longitude": row.get("longitude"),
                "ends": ends[row["ip"]],
                "known_bad": int((row.get("severity") or 0) >= KNOWN_BAD),
            }
            for row in _dicts(source.table("addresses"))
            if row.get("ip") and row.get("is_internal") != 1
        ]
    )


def place_of(text: object) -> str:
    """Return a place in readable form: `Zenda, Strelsau`."""
    # An unknown part may be a dash.
    parts = [part.strip(" -") for part in text.split(";")] if isinstance(text, str) else []
    return ", ".join(part for part in parts if part)


def talkers(
    source: Source, events: Sequence[Event], most: int
) -> list[tuple[str, int, int | None]]:
    """Return the top talkers of the suspicious events: by bytes sent, else by events."""
    counts: Counter[str] = Counter()
    sent: Counter[str] = Counter()
    for event in events:
        # The first end is the initiator.
        for end in event.ends[:1]:
            counts[end] += 1
            count = event.row.get(source.shape.sent)
            sent[end] += count if isinstance(count, int) else 0
    has_bytes = bool(source.shape.sent)
    order = sorted(counts, key=lambda end: (-sent[end] if has_bytes else 0, -counts[end], end))
    return [(end, counts[end], sent[end] if has_bytes else None) for end in order[:most]]


def marks(events: Sequence[Event]) -> pd.DataFrame:
    """Return the times of the suspicious events for pictures."""
    return pd.DataFrame(
        {
            "minute": pd.Series([each.minute for each in events], dtype=object),
            "known_bad": [each.known_bad for each in events],
            "score": pd.Series([each.score for each in events], dtype=object),
        }
    )


def hubs(chords: pd.DataFrame, known: Facts) -> list[tuple[str, int]]:
    """Return the addresses of flow_chords with their number of peers, most important first."""
    if any(name not in chords.columns for name in ("ip_threat", "srcip", "dstip")):
        return []
    peers: dict[str, set[str]] = {}
    for hub, one, other in zip(*(chords[c] for c in ("ip_threat", "srcip", "dstip")), strict=True):
        peers.setdefault(str(hub), set()).update({str(one), str(other)} - {str(hub)})
    order = sorted(
        peers,
        key=lambda hub: (not peers[hub] & known.known_bad, -len(peers[hub]), hub),
    )
    return [(hub, len(peers[hub])) for hub in order]


def place_counts(sources: Iterable[Source]) -> pd.DataFrame:
    """Return one row per place for the picture: place, ends, known_bad."""
    counted: Counter[tuple[str, bool]] = Counter()
    for source in sources:
        counted += places(source)
    names = sorted({name for name, _ in counted})
    return pd.DataFrame(
        {
            "place": names,
            "ends": [counted[name, False] + counted[name, True] for name in names],
            "known_bad": [counted[name, True] for name in names],
        }
    )
