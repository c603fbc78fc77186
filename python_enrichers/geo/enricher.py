"""Location and owner of addresses: `iploc.csv` and MaxMind databases, merged field by field.

Each field comes from the first source that has it: `iploc.csv`, then the databases in the order of
`SPOT_OA_GEO_DB`.
"""

from __future__ import annotations

import datetime as dt
import math
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypedDict, cast

import geoip2.database
import geoip2.errors
import geoip2.models
import maxminddb
import pandas as pd

from python_enrichers.addresses import (
    V4_FIRST,
    WIDTH,
    Packed,
    RangeIndex,
    Span,
    is_v4,
    pack,
    span,
    unpack,
)
from python_enrichers.base import Enrichment, Indicators, Outcome, lookup_frame
from python_enrichers.context_files import ContextFile, naive_utc, read_context_file
from python_enrichers.geo.licences import DBIP, MAXMIND
from python_enrichers.geo.tables import IP_GEO
from spot_oa.errors import EnrichmentError, printable
from spot_oa.settings import Settings

PLACE = ("country_code", "country", "region", "city", "latitude", "longitude", "isp", "domain")
"""The columns of `iploc.csv` after start and end; the owner of a range counts as ISP."""
IPLOC_FORM = f"start,end,{','.join(PLACE)} (start and end as integers)"
TEXTS = ("country_code", "country", "region", "city", "domain", "isp", "as_org")
NUMBERS = ("latitude", "longitude", "asn")
ATTRIBUTIONS = (("DBIP", DBIP.attribution), ("GeoLite2", MAXMIND.attribution))
"""Attributions that licences require, by a part of the database's type."""
Model = (
    geoip2.models.Country  # of which City and Enterprise are kinds
    | geoip2.models.ISP
    | geoip2.models.ASN
    | geoip2.models.Domain
)
MODELS: Mapping[str, Callable[[geoip2.database.Reader, str], Model]] = {
    "Enterprise": geoip2.database.Reader.enterprise,
    "City": geoip2.database.Reader.city,
    "Country": geoip2.database.Reader.country,
    "GeoIP2-ISP": geoip2.database.Reader.isp,
    "GeoIP2-Domain": geoip2.database.Reader.domain,
    "GeoLite2-ASN": geoip2.database.Reader.asn,
}
"""geoip2's methods, by the part of a database's type that they require."""
V4_SHIFT = int.from_bytes(V4_FIRST)
MAX_DIGITS = 39
"""Maximum number of digits of an IPv6 address as an integer."""
MAX_ASN = (1 << 32) - 1


class Known(TypedDict, total=False):
    """A source's fields of an address; unknown fields are absent."""

    country_code: str
    country: str
    region: str
    city: str
    latitude: float
    longitude: float
    """Degrees; both are present or neither."""
    domain: str
    isp: str
    asn: int
    as_org: str


class Source(Protocol):
    """One file of locations."""

    name: str
    built_at: dt.datetime

    def lookup(self, addresses: Sequence[Packed | None]) -> list[Known]:
        """Return the known fields of each address; empty if unknown."""
        ...

    def outcome(self, asked: int, found: int) -> Outcome:
        """Return the source's outcome for `asked` addresses, of which it had `found`."""
        ...


class IpLocation:
    """`iploc.csv`: ranges as integers, with ten columns in total."""

    def __init__(self, file: ContextFile[tuple[Span, str]]) -> None:
        self.name = file.name
        self.built_at = file.written_at
        self._index = RangeIndex([place for place, _ in file.entries])
        # Drop the ranges, which would double the memory.
        places = [place for _, place in file.entries]
        self._file = ContextFile(
            file.name, places, file.skipped, file.written_at, file.first_skipped
        )

    def lookup(self, addresses: Sequence[Packed | None]) -> list[Known]:
        """See `Source.lookup`."""
        places = self._index.lookup(addresses).tolist()
        rows = self._file.entries
        return [
            _known(**dict(zip(PLACE, rows[at].split("\n"), strict=True))) if at >= 0 else Known()
            for at in places
        ]

    def outcome(self, asked: int, found: int) -> Outcome:
        """See `Source.outcome`."""
        return self._file.outcome(asked, found)


class MaxMindDatabase:
    """One `.mmdb` file: read with geoip2 if in MaxMind's layout, otherwise with maxminddb."""

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        self._path = path
        try:
            self._records = maxminddb.open_database(path)
            metadata = self._records.metadata()
            self.built_at = naive_utc(metadata.build_epoch)
            self._type = metadata.database_type
            self._v4_only = metadata.ip_version == 4  # noqa: PLR2004 - the field's own value
            read = next((read for kind, read in MODELS.items() if kind in self._type), None)
            self._model = partial(read, geoip2.database.Reader(path)) if read else None
        except (OSError, OverflowError, ValueError, maxminddb.InvalidDatabaseError) as error:
            raise self._unusable(error) from error

    def lookup(self, addresses: Sequence[Packed | None]) -> list[Known]:
        """See `Source.lookup`; an IPv4 database returns nothing for IPv6.

        Raises:
            EnrichmentError: A record is corrupt.
        """
        try:
            return [
                Known()
                if address is None or (self._v4_only and not is_v4(address))
                else self._known(unpack(address))
                for address in addresses
            ]
        except (ValueError, maxminddb.InvalidDatabaseError) as error:
            raise self._unusable(error) from error

    def _known(self, address: str) -> Known:
        if self._model:
            try:
                if known := place_in_model(self._model(address)):
                    return known
            except geoip2.errors.AddressNotFoundError:
                return Known()
            except (TypeError, AttributeError):
                pass
            # The type is MaxMind's, but the record has another layout: read it without geoip2.
        return place_in_record(self._records.get(address))

    def outcome(self, asked: int, found: int) -> Outcome:
        """See `Source.outcome`."""
        age = (naive_utc(time.time()) - self.built_at).days
        detail = f"{printable(self._type)}, built {self.built_at.date()}, {age} days old"
        attribution = next((text for kind, text in ATTRIBUTIONS if kind in self._type), "")
        return Outcome(self.name, asked=asked, found=found, detail=detail, attribution=attribution)

    def _unusable(self, error: Exception) -> EnrichmentError:
        reason = error.strerror if isinstance(error, OSError) else error
        return EnrichmentError(
            f"geo database {printable(self._path)} cannot be used ({printable(reason)}); "
            "fetch the file again, or remove it from SPOT_OA_GEO_DB"
        )


class Geo:
    """Looks addresses up in every source."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources

    def enrich(self, indicators: Indicators) -> Enrichment:
        """Look up addresses; see `Enricher.enrich`.

        Raises:
            EnrichmentError: A database is corrupt.
        """
        addresses = indicators.get("address", ())
        packed = [pack(address) for address in addresses]
        asked = len(packed) - packed.count(None)
        merged: list[Known] = [{} for _ in packed]
        contributors: list[list[Source]] = [[] for _ in packed]
        outcomes = []
        for source in self._sources:
            answers = source.lookup(packed)
            for known, so_far, contributed in zip(answers, merged, contributors, strict=True):
                if known.keys() - so_far.keys():
                    so_far.update(known | so_far)
                    contributed.append(source)
            outcomes.append(source.outcome(asked, sum(map(bool, answers))))
        return Enrichment({"ip_geo": _rows(addresses, merged, contributors)}, outcomes)


def load(settings: Settings, *, fresh: bool = False) -> Geo:  # noqa: ARG001 - as every loader
    """Open every source.

    Raises:
        EnrichmentError: An existing or configured source cannot be used.
    """
    iploc = read_context_file(settings.context_dir / "iploc.csv", _iploc_line, IPLOC_FORM)
    databases = [MaxMindDatabase(path) for path in settings.geo_db]
    return Geo([*([IpLocation(iploc)] if iploc else []), *databases])


def place_in_model(model: Model) -> Known:
    """Read a record of geoip2.

    Raises:
        TypeError, AttributeError: A part of the record is not in MaxMind's layout.
    """
    if not isinstance(model, geoip2.models.Country):
        return _known(**_owner(vars(model)))
    owner = _owner(vars(model.traits))
    if model.traits.is_anycast:
        # An anycast address is announced from many places, so its location means nothing.
        return _known(**owner)
    known = {"country_code": model.country.iso_code, "country": model.country.name} | owner
    if isinstance(model, geoip2.models.City):
        known |= {
            "region": model.subdivisions[0].name if model.subdivisions else None,
            "city": model.city.name,
            "latitude": model.location.latitude,
            "longitude": model.location.longitude,
        }
    return _known(**known)


def place_in_record(record: object) -> Known:
    """Read a record without a geoip2 model: flat as in @ip-location-db, nested, or mixed."""
    if not isinstance(record, dict):
        return {}
    country, subdivisions = record.get("country"), record.get("subdivisions")
    # In the flat layout the fields of location and traits are in the record itself.
    location, traits = record.get("location", record), record.get("traits", record)
    if _item(traits, "is_anycast"):
        return _known(**_owner(traits))
    return _known(
        latitude=_item(location, "latitude"),
        longitude=_item(location, "longitude"),
        country_code=_item(country, "iso_code") or record.get("country_code"),
        country=_english(country),
        region=_english(_first(subdivisions)) or record.get("region") or record.get("state1"),
        city=_english(record.get("city")),
        **_owner(traits),
    )


def _owner(traits: Any) -> dict[str, Any]:
    return {
        "asn": _item(traits, "autonomous_system_number"),
        "domain": _item(traits, "domain"),
        "isp": _item(traits, "isp") or _item(traits, "organization"),
        "as_org": _item(traits, "autonomous_system_organization"),
    }


def geoloc(known: Known) -> str:
    """Format a location as `Region;City Owner`, without unknown parts."""
    owner = known.get("isp") or known.get("as_org", "")
    parts = (known.get("region", ""), known.get("city", ""), owner)
    region, city, owner = (part.replace(";", "") for part in parts)
    return " ".join(filter(None, (";".join(filter(None, (region, city))), owner)))


def _iploc_line(columns: list[str]) -> tuple[Span, str]:
    """Parse a line into its range and its fields, as one text to save memory."""
    if len(columns) < 2 + len(PLACE):
        raise ValueError(f"{2 + len(PLACE)} columns are needed, found {len(columns)}")
    start, end = columns[:2]
    if not ((start + end).isascii() and (start + end).isdigit() and len(end) <= MAX_DIGITS):
        raise ValueError(f"'{start}' and '{end}' are not addresses as integers")
    first, last = int(start), int(end)
    if not first <= last < 1 << 8 * WIDTH:
        raise ValueError(f"{start} to {end} is not a range")
    place = "\n".join(columns[2 : 2 + len(PLACE)])
    if place.count("\n") >= len(PLACE):
        place = "\n".join(" ".join(text.split()) for text in columns[2 : 2 + len(PLACE)])
    # A range is IPv6 if its end exceeds 32 bits; its start may be 0 in both families.
    if last < 1 << 32:
        return ((first + V4_SHIFT).to_bytes(WIDTH), (last + V4_SHIFT).to_bytes(WIDTH)), place
    return span(first.to_bytes(WIDTH), last.to_bytes(WIDTH)), place


def _item(container: Any, key: str) -> Any:
    return container.get(key) if isinstance(container, dict) else None


def _first(container: Any) -> Any:
    return container[0] if isinstance(container, list) and container else None


def _english(place: Any) -> Any:
    return place if isinstance(place, str) else _item(_item(place, "names"), "en")


def _known(*, latitude: Any = None, longitude: Any = None, asn: Any = None, **texts: Any) -> Known:
    known: dict[str, Any] = {
        field: text for field, text in texts.items() if text and isinstance(text, str)
    }
    try:
        position = float(latitude), float(longitude)
    except (TypeError, ValueError):
        position = math.nan, math.nan
    if all(map(math.isfinite, position)):
        known["latitude"], known["longitude"] = position
    if isinstance(asn, int) and 0 <= asn <= MAX_ASN:
        known["asn"] = asn
    return cast("Known", known)


def _rows(
    addresses: Sequence[str], places: Sequence[Known], contributors: Sequence[Sequence[Source]]
) -> pd.DataFrame:
    return lookup_frame(
        IP_GEO,
        {
            "ip": addresses,
            "geoloc": map(geoloc, places),
            **{field: [known.get(field, "") for known in places] for field in TEXTS},
            **{field: [known.get(field) for known in places] for field in NUMBERS},
            "source": ["+".join(source.name for source in used) for used in contributors],
            "source_built_at": [used[0].built_at if used else None for used in contributors],
        },
    )
