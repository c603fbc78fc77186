"""Look up the peers of addresses with a story, in local files only.

Peers are never sent to a reputation service or a resolver.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from python_enrichers import load_enricher
from python_enrichers.base import Indicators
from python_enrichers.network_context import load_local
from spot_oa.settings import Settings
from spot_oa.warehouse.tables import declared, doc

STORY_PEERS = declared(
    "lookups",
    "story_peers",
    "One row per address with a story and per peer of one, with its data from local files.",
    {
        "ip": ("string", doc("looked_up_ip")),
        "place": ("string", doc("geoloc")),
        "latitude": "double",
        "longitude": "double",
        "context": ("string", doc("label")),
        "is_internal": "int",
    },
    key=["ip"],
)
TABLES = (STORY_PEERS,)


def look_up(settings: Settings, addresses: Sequence[str]) -> pa.Table:
    """Look up addresses in the files of locations and of the network context.

    Args:
        settings: Where the files are.
        addresses: Distinct addresses.

    Returns:
        A row of `STORY_PEERS` per address, known or not, without the slice columns.

    Raises:
        EnrichmentError: A file cannot be used.
    """
    asked: Indicators = {"address": list(addresses)}
    (places,) = load_enricher("geo", settings).enrich(asked).tables.values()
    (context,) = load_local(settings).enrich(asked).tables.values()
    frame = places[["ip", "geoloc", "latitude", "longitude"]].merge(
        context[["ip", "label", "is_internal"]], on="ip", validate="one_to_one"
    )
    frame = frame.rename(columns={"geoloc": "place", "label": "context"})
    names = [field.name for field in STORY_PEERS.arrow_schema if field.name in frame.columns]
    schema = pa.schema([STORY_PEERS.arrow_schema.field(name) for name in names])
    return pa.Table.from_pandas(frame[names], schema, preserve_index=False)
