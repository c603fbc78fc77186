"""The lookup table of the geo step."""

from __future__ import annotations

from python_enrichers.base import lookup_table
from spot_oa.warehouse.tables import doc

IP_GEO = lookup_table(
    "ip_geo",
    "One row per distinct address of the slice: its location and owner.",
    {
        "ip": ("string", doc("looked_up_ip")),
        "geoloc": "string",
        "domain": ("string", doc("ip_domain")),
        "country_code": "string",
        "country": ("string", "Country."),
        "region": ("string", "Region or state."),
        "city": ("string", "City."),
        "latitude": "double",
        "longitude": "double",
        "asn": "bigint",
        "as_org": "string",
        "isp": ("string", "Internet service provider or owner of the address."),
        "source": ("string", "The sources of the row's fields, joined by +."),
        "source_built_at": ("timestamp", "When the first of these sources was built (UTC)."),
    },
    key=["ip"],
)
TABLES = (IP_GEO,)
