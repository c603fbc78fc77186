"""A story with its published tables and pictures of the day's traffic.

They are read from the day's triage folder, so they match the published tables, even after the
telemetry is gone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from analyst import pictures
from analyst.investigation import DIRECTIONS, drawn_branches
from analyst.listing import Listing
from analyst.live import Story
from analyst.pictures.notebook import Picture
from analyst.pictures.text import many
from analyst.published import read_manifest
from analyst.report import facts
from analyst.selectors import Row
from analyst.workbench import Workbench
from python_enrichers.domain import split_name
from spot_oa.errors import printable
from spot_oa.publish import published_folder
from spot_oa.warehouse.published import read_rows

BEHIND = (
    "The published tables do not have this story yet: run `spot-oa refresh {} --date {}`, or press "
    "Save in Edge_Investigation."
)
_TIME = re.compile(r"(\d{1,2}):(\d{1,2})")
_ANCHORS = ("ip_threat", "dns_threat", "p_threat", "anchor")
"""The names of the anchor's column in the tables."""


@dataclass(frozen=True, slots=True)
class StoryView:
    """A story with its tables and picture."""

    story: Story
    tables: Sequence[Listing] = ()
    picture: Picture | None = None
    note: str = ""
    """What is missing in them."""


def read(day: Workbench, story: Story) -> StoryView:
    """Read the published tables of a story; return a note if they do not have it.

    Args:
        day: The day.
        story: A current story of the day.
    """
    rows = _published(day, story)
    if rows is None:
        return StoryView(story, note=BEHIND.format(day.part.pipeline, day.part.date))
    if story.anchor_kind == "ip":
        return _of_flows(day, story, rows)
    if story.anchor_kind in ("client", "query"):
        return _of_answers(day, story, rows["dns_threat_dendro"])
    return _of_requests(story, rows)


def _published(day: Workbench, story: Story) -> Mapping[str, Sequence[Row]] | None:
    """Return the anchor's rows by table; None if the tables are older than this story."""
    described, folder = day.triage.stories, published_folder(day.settings.triage_dir, day.part)
    manifest = read_manifest(folder) or {}
    there = manifest.get("tables") or {}
    if not described or any(name not in there for name in described.tables):
        return None
    if int(manifest.get("last_seq") or 0) < story.action.seq:
        return None
    try:
        return {
            name: [row for row in read_rows(folder / f"{name}.parquet") if _is_of(row, story)]
            for name in described.tables
        }
    except OSError:
        # The tables are being published again right now.
        return None


def _is_of(row: Row, story: Story) -> bool:
    # A client and a name may be equal texts: the column tells them apart.
    if story.anchor_kind == "client" and "dns_qry_name" in row:
        return row["anchor"] == story.anchor == row["ip_dst"]
    if story.anchor_kind == "query" and "dns_qry_name" in row:
        return row["anchor"] == story.anchor == row["dns_qry_name"]
    return story.anchor in [row[name] for name in _ANCHORS if name in row]


def _of_flows(day: Workbench, story: Story, rows: Mapping[str, Sequence[Row]]) -> StoryView:
    peers = [row for row in rows["flow_story_peers"] if row["is_top"]]
    sums = rows["flow_story"][0] if rows["flow_story"] else {}
    counts = ", ".join(f"{sums.get(name, 0)} {text.lower()}" for name, text in DIRECTIONS.items())
    cut = int(str(sums.get("timeline_cut") or 0))
    off = int(str(sums.get("off_map") or 0))
    note = f"peers: {counts}; " + many(int(str(sums.get("scored_rows") or 0)), "scored row")
    frame = pd.DataFrame(
        [
            {
                "peer": row["peer"],
                "direction": DIRECTIONS[str(row["direction"])],
                "connections": row["conns"],
                "bytes": row["sumbyts"],
                "largest": row["maxbyts"],
                "called": row["context"],
                "place": facts.place_of(row["place"]),
                "first": row["firstseen"],
                "last": row["lastseen"],
            }
            for row in peers
        ],
        dtype=object,
    )
    spots = pd.DataFrame(
        [
            {
                **{name: row[name] for name in ("ip", "latitude", "longitude")},
                "place": facts.place_of(row["place"]),
                "ends": 1,
                "known_bad": row["ip"] in day.facts.known_bad,
            }
            for row in _once(rows["flow_story_map"])
        ],
        dtype=object,
    )
    leaves = [
        (DIRECTIONS[str(row["direction"])], str(row["context"]) or None, int(str(row["peers"])))
        for row in rows["flow_incident_progression"]
    ]
    order = list(DIRECTIONS.values())
    leaves.sort(key=lambda leaf: order.index(leaf[0]))
    band = _band(story, [str(row["tstart"]) for row in rows["flow_timeline"]], day)
    missing = [
        *([f"{many(off, 'peer')} not on the map"] if off else []),
        *([f"{many(cut, 'later row')} not in the timeline"] if cut else []),
    ]
    return StoryView(
        story,
        [Listing(frame, "Peers", note)],
        Picture(
            drawn_branches(leaves, story.anchor, "peer")
            + pictures.worldmap(spots, "address of the story")
            + pictures.timeline([band])
        ),
        "; ".join(missing),
    )


def _once(rows: Sequence[Row]) -> Sequence[Row]:
    """Return each address of the map once, even if it is on both sides."""
    return list({str(row["ip"]): row for row in rows}.values())


def _of_answers(day: Workbench, story: Story, rows: Sequence[Row]) -> StoryView:
    partner = "dns_qry_name" if story.anchor_kind == "client" else "ip_dst"
    frame = pd.DataFrame(
        [{partner: row[partner], "answers": row["total"]} for row in rows], dtype=object
    )
    title = "Names that it asked for" if partner == "dns_qry_name" else "Clients that asked for it"
    if partner == "ip_dst":
        leaves = [("Asked by", str(row["ip_dst"]), int(str(row["total"]))) for row in rows]
        svg = drawn_branches(leaves, story.anchor, "answer")
    else:
        suspicious = {str(row["dns_qry_name"]) for row in day.published.rows}
        svg = pictures.tree(
            pd.DataFrame([dict(row) for row in rows], dtype=object),
            story.anchor,
            suspicious,
            lambda name: split_name(name)[0],
            day.facts.known_bad,
        )
    return StoryView(story, [Listing(frame, title)], Picture(svg))


def _of_requests(story: Story, rows: Mapping[str, Sequence[Row]]) -> StoryView:
    counted = Counter(
        ("Requested by", str(row["clientip"]))
        if row["relation"] == "requested"
        else ("Referred to", str(row["fulluri"]))
        for row in rows["proxy_incident_progression"]
    )
    leaves = [(branch, leaf, total) for (branch, leaf), total in sorted(counted.items())]
    moments = [str(row["tstart"]) for row in rows["proxy_timeline"]]
    times = pd.DataFrame(
        [
            {
                "when": row["tstart"],
                "client": row["clientip"],
                "status": f"{printable(row['respcode'] or '')} {row['respcodename']}".strip(),
                "duration": row["duration"],
            }
            for row in rows["proxy_timeline"]
        ],
        dtype=object,
    )
    return StoryView(
        story,
        [Listing(times, "Requests for it")],
        Picture(
            drawn_branches(leaves, story.anchor, "way") + pictures.timeline([_band(story, moments)])
        ),
    )


def _band(story: Story, moments: Sequence[str], day: Workbench | None = None) -> pictures.Band:
    """Return the anchor's events, minute by minute; suspicious events are ticks."""
    minutes = Counter(
        f"{'':11}{int(found[1]):02}:{int(found[2]):02}"
        for each in moments
        if (found := _TIME.search(each[8:]))
    )
    received = pd.DataFrame(sorted(minutes.items()), columns=["tdate", "total"], dtype=object)
    events = day.facts.events[day.pipeline.name] if day else []
    marked = facts.marks([each for each in events if story.anchor in each.ends])
    return pictures.Band(story.anchor, received, marked, steady=False)
