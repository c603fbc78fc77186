from __future__ import annotations

import datetime as dt
import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import geoip2.models
import maxminddb
import pytest

from python_enrichers import load_enricher
from python_enrichers.addresses import pack
from python_enrichers.base import Enrichment, Outcome
from python_enrichers.geo.enricher import (
    Known,
    MaxMindDatabase,
    Model,
    geoloc,
    place_in_model,
    place_in_record,
)
from spot_oa.errors import EnrichmentError
from spot_oa.settings import Settings, load_settings
from tests.support.lookups import WriteContext, column

IPLOC = """\
"start","end","cc","country","state","city","lat","lon","owner","domain"
"16777216","16777471","AU","Australia","Queensland","Brisbane","-27.4679","153.0281","APNIC","apnic.net"
"167772160","184549375","-","-","-","-","0","0","Private network","-"
"184549376","184549631","US","USA","Ohio","Columbus","39.96","-82.99","DoD, ""Net""; X","nic.mil"
"3232235520","3232301055","","","","","","","",""
"281470681743360","281470681743361","DE","","","Bonn","nan","7","",""
"42540766411282592856903984951653826560","42540766411282592856903984951653826815","JP","","","Tokyo","35","139","",""
"""


def enrich(settings: Settings, *addresses: str) -> Enrichment:
    return load_enricher("geo", settings).enrich({"address": addresses})


def row(enrichment: Enrichment, ip: str) -> dict[str, object]:
    frame = enrichment.tables["ip_geo"]
    found = {name: column(frame, "ip", name)[ip] for name in frame.columns}
    return {name: value for name, value in found.items() if value not in ("", None)}


def test_nothing_configured_gives_empty_rows(settings: Settings) -> None:
    found = enrich(settings, "8.8.8.8", "no address")
    assert row(found, "8.8.8.8") == {"ip": "8.8.8.8"}
    assert row(found, "no address") == {"ip": "no address"}
    assert found.outcomes == []


def test_a_place_of_iploc(settings: Settings, write_context: WriteContext) -> None:
    path = write_context("iploc.csv", IPLOC)
    os.utime(path, (0, dt.datetime(2016, 7, 8, 1, 2, 3, tzinfo=dt.UTC).timestamp()))
    found = row(enrich(settings, "1.0.0.255"), "1.0.0.255")
    assert found.pop("source_built_at") == dt.datetime(2016, 7, 8, 1, 2, 3)  # noqa: DTZ001
    assert found == {
        "ip": "1.0.0.255",
        "geoloc": "Queensland;Brisbane APNIC",
        "domain": "apnic.net",
        "country_code": "AU",
        "country": "Australia",
        "region": "Queensland",
        "city": "Brisbane",
        "latitude": -27.4679,
        "longitude": 153.0281,
        "isp": "APNIC",
        "source": "iploc",
    }


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("1.0.0.0", "Queensland;Brisbane APNIC"),
        ("1.0.1.0", ""),
        ("0.255.255.255", ""),
        ("::ffff:1.0.0.0", "Queensland;Brisbane APNIC"),
        ("10.0.0.1", "-;- Private network"),
        ("11.0.0.1", 'Ohio;Columbus DoD, "Net" X'),
        ("192.168.0.1", ""),
        ("0.0.0.1", "Bonn"),
        ("0.0.0.2", ""),
        ("2001:db8::ff", "Tokyo"),
        ("2001:db8::100", ""),
        ("host", ""),
    ],
)
def test_a_place_counts_between_its_ends(
    settings: Settings, write_context: WriteContext, address: str, place: str
) -> None:
    write_context("iploc.csv", IPLOC)
    assert row(enrich(settings, address), address).get("geoloc", "") == place


def test_values_of_iploc_are_kept_or_unknown(
    settings: Settings, write_context: WriteContext
) -> None:
    write_context("iploc.csv", IPLOC)
    found = enrich(settings, "10.0.0.1", "192.168.0.1", "0.0.0.1")
    private = row(found, "10.0.0.1")
    assert (private["country_code"], private["domain"], private["latitude"]) == ("-", "-", 0.0)
    assert row(found, "192.168.0.1") == {"ip": "192.168.0.1"}
    half_a_position = row(found, "0.0.0.1")
    assert "latitude" not in half_a_position
    assert "longitude" not in half_a_position


def test_broken_lines_of_iploc_are_counted(settings: Settings, write_context: WriteContext) -> None:
    place = "DE,Germany,Hesse,Frankfurt,50,8,Owner,example.de"
    lines = [
        f"{start},{end},{place}"
        for start, end in [("5", "3"), ("1.0.0.0", "1.0.0.9"), ("-1", "3"), ("1", str(1 << 128))]
    ]
    # The last two lines are good: `0` begins IPv6 where the end is beyond 32 bits.
    lines += ["1,2,short", f"10,20,{place},further", f"0,{1 << 32},{place}"]
    write_context("iploc.csv", "header\n" + "\n".join(lines))
    found = enrich(settings, "0.0.0.10", "0.0.0.21", "::15")
    assert row(found, "0.0.0.10")["city"] == "Frankfurt"
    assert row(found, "0.0.0.21") == {"ip": "0.0.0.21"}
    assert row(found, "::15")["city"] == "Frankfurt"
    (outcome,) = found.outcomes
    assert (outcome.asked, outcome.found, outcome.skipped) == (3, 2, 5)
    assert outcome.detail.startswith("entries: 2, written ")


def test_a_line_end_in_a_place_is_a_blank(settings: Settings, write_context: WriteContext) -> None:
    write_context("iploc.csv", '1,2,DE,Germany,Hesse,"Bad\nHomburg",50,8,Owner,example.de\n')
    found = row(enrich(settings, "0.0.0.1"), "0.0.0.1")
    assert (found["city"], found["domain"]) == ("Bad Homburg", "example.de")


@pytest.mark.parametrize(
    ("known", "text"),
    [
        ({}, ""),
        ({"region": "Ohio", "city": "Columbus", "isp": "Owner"}, "Ohio;Columbus Owner"),
        ({"city": "Columbus", "isp": "Owner"}, "Columbus Owner"),
        ({"region": "Ohio", "isp": "Owner"}, "Ohio Owner"),
        ({"region": "Ohio", "city": "Columbus"}, "Ohio;Columbus"),
        ({"isp": "Owner", "as_org": "Other"}, "Owner"),
        ({"as_org": "Other", "country": "US", "domain": "x.com"}, "Other"),
        ({"region": "O;hio", "city": ";", "isp": "A; B"}, "Ohio A B"),
    ],
)
def test_geoloc(known: Known, text: str) -> None:
    assert geoloc(known) == text


NAMES = {"names": {"de": "M\u00fcnchen", "en": "Munich"}}


@pytest.mark.parametrize(
    ("record", "known"),
    [
        pytest.param(
            {
                "city": NAMES,
                "continent": {"code": "EU", "names": {"en": "Europe"}},
                "country": {"iso_code": "DE", "names": {"en": "Germany"}},
                "location": {"latitude": 48.1, "longitude": 11.5, "accuracy_radius": 5},
                "subdivisions": [{"iso_code": "BY", "names": {"en": "Bavaria"}}, NAMES],
                "registered_country": {"iso_code": "FR", "names": {"en": "France"}},
            },
            {
                "country_code": "DE",
                "country": "Germany",
                "region": "Bavaria",
                "city": "Munich",
                "latitude": 48.1,
                "longitude": 11.5,
            },
            id="city, nested",
        ),
        pytest.param(
            {
                "country": {"iso_code": "US", "names": {"en": "United States"}},
                "location": {"latitude": 37.7, "longitude": -97.8},
                "traits": {"is_anycast": True, "autonomous_system_number": 15169, "isp": "Google"},
            },
            {"asn": 15169, "isp": "Google"},
            id="anycast",
        ),
        pytest.param(
            {
                "country": {"iso_code": "DE"},
                "traits": {
                    "isp": "Isp",
                    "organization": "Org",
                    "domain": "example.de",
                    "autonomous_system_number": 64512,
                    "autonomous_system_organization": "AS",
                },
            },
            {
                "country_code": "DE",
                "isp": "Isp",
                "domain": "example.de",
                "asn": 64512,
                "as_org": "AS",
            },
            id="enterprise",
        ),
        pytest.param(
            {
                "country_code": "DE",
                "state1": "Bavaria",
                "state2": "Upper Bavaria",
                "city": "Munich",
                "latitude": 48.1,
                "longitude": 11.5,
                "postcode": "80331",
                "timezone": "Europe/Berlin",
            },
            {
                "country_code": "DE",
                "region": "Bavaria",
                "city": "Munich",
                "latitude": 48.1,
                "longitude": 11.5,
            },
            id="city, flat",
        ),
        pytest.param(
            {
                "country_code": "US",
                "city": "",
                "state1": "",
                "latitude": "37.5",
                "longitude": "-97",
            },
            {"country_code": "US", "latitude": 37.5, "longitude": -97.0},
            id="empty texts know nothing, numbers may be text",
        ),
        pytest.param({"region": "Bavaria"}, {"region": "Bavaria"}, id="region, flat"),
        pytest.param(
            {"autonomous_system_number": 1, "autonomous_system_organization": "AS"},
            {"asn": 1, "as_org": "AS"},
            id="asn",
        ),
        pytest.param({"organization": "Org"}, {"isp": "Org"}, id="organization for want of an isp"),
        pytest.param({"domain": "example.de"}, {"domain": "example.de"}, id="domain"),
        pytest.param({"latitude": 1.0}, {}, id="half a position"),
        pytest.param({"latitude": float("inf"), "longitude": 1.0}, {}, id="no position"),
        pytest.param(
            {"city": 7, "country": [], "subdivisions": {}, "location": "", "traits": None},
            {},
            id="another layout",
        ),
        pytest.param({"isp": 7, "region": ["Bavaria"]}, {}, id="no texts"),
        pytest.param({"subdivisions": [], "city": {"names": {"de": "M"}}}, {}, id="no English"),
        pytest.param({"autonomous_system_number": 1 << 100}, {}, id="no asn"),
        pytest.param(None, {}, id="no record"),
        pytest.param("text", {}, id="a text"),
    ],
)
def test_records(record: object, known: Mapping[str, Any]) -> None:
    assert place_in_record(record) == known


EN = ["en"]
PLACE_AND_OWNER: dict[str, Any] = {
    "city": NAMES,
    "country": {"iso_code": "DE", "names": {"en": "Germany"}},
    "location": {"latitude": 48.1, "longitude": 11.5},
    "subdivisions": [{"names": {"en": "Bavaria"}}, NAMES],
    "traits": {"isp": "Isp", "domain": "example.de", "autonomous_system_number": 64512},
}


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(geoip2.models.Enterprise(EN, **PLACE_AND_OWNER), id="enterprise"),
        pytest.param(geoip2.models.City(EN, city=NAMES), id="city alone"),
        pytest.param(geoip2.models.City(EN), id="nothing"),
        pytest.param(geoip2.models.Country(EN, country={"iso_code": "DE"}), id="country"),
        pytest.param(
            geoip2.models.City(EN, city=NAMES, traits={"is_anycast": True, "isp": "Isp"}),
            id="anycast",
        ),
        pytest.param(geoip2.models.ISP("1.1.1.1", isp="Isp", organization="Org"), id="isp"),
        pytest.param(geoip2.models.ASN("1.1.1.1", autonomous_system_number=1), id="asn"),
        pytest.param(geoip2.models.Domain("1.1.1.1", domain="example.de"), id="domain"),
    ],
)
def test_a_model_says_what_its_record_says(model: Model) -> None:
    assert place_in_model(model) == place_in_record(model.to_dict())


@pytest.mark.reference
@pytest.mark.parametrize(
    "name",
    [
        "GeoIP2-City-Test",
        "GeoLite2-City-Test",
        "GeoIP2-ISP-Test",
        "GeoLite2-ASN-Test",
        "GeoIP2-Domain-Test",
    ],
)
def test_databases_of_maxmind_are_read_by_geoip2(
    reference: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = reference / "geo" / f"{name}.mmdb"
    with maxminddb.open_database(path) as records:
        places = {str(network[0]): place_in_record(record) for network, record in records}
    # Not by what reads the other layouts.
    monkeypatch.setattr("python_enrichers.geo.enricher.place_in_record", lambda _: {})
    found = MaxMindDatabase(path).lookup([pack(address) for address in places])
    assert found == list(places.values())
    assert sum(map(bool, found)) > len(found) / 2


@pytest.mark.reference
@pytest.mark.parametrize(
    "record",
    [
        {"country_code": "NL", "city": "Leiden"},
        {"country": "NL", "city": {"names": {"en": "Leiden"}}},
        {"country_code": "NL", "city": {}, "state1": "South Holland"},
    ],
)
def test_a_database_of_maxminds_type_and_another_layout(
    reference: Path, record: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    database = MaxMindDatabase(reference / "geo" / "GeoLite2-City-Test.mmdb")
    wrapped = SimpleNamespace(get=lambda _: record, get_with_prefix_len=lambda _: (record, 24))
    monkeypatch.setattr(database, "_records", wrapped)
    monkeypatch.setattr(database._model.args[0], "_db_reader", wrapped)
    (known,) = database.lookup([pack("1.1.1.1")])
    assert known
    assert known == place_in_record(record)


@pytest.mark.parametrize("content", [None, b"", b"this is no database"])
def test_an_unusable_database_is_found_at_load(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "City.mmdb"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(EnrichmentError) as caught:
        load_enricher("geo", load_settings(home=tmp_path, geo_db=(path,)))
    message = str(caught.value)
    assert message.startswith(f"geo database {path} cannot be used (")
    assert "SPOT_OA_GEO_DB" in message
    assert "\n" not in message
    assert not caught.value.transient


class Ipv4Reader:
    """An IPv4 database, of which no test file is at hand: it cannot be asked about IPv6."""

    def metadata(self) -> SimpleNamespace:
        return SimpleNamespace(build_epoch=0, database_type="test", ip_version=4)

    def get(self, address: str) -> dict[str, str]:
        return {"city": str(ipaddress.IPv4Address(address))}


def test_an_ipv4_database_knows_nothing_of_ipv6(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maxminddb.open_database", lambda _: Ipv4Reader())
    found = enrich(with_databases(settings, Path("v4.mmdb")), "::ffff:10.0.0.1", "2001:db8::1")
    assert row(found, "::ffff:10.0.0.1")["city"] == "10.0.0.1"
    assert row(found, "2001:db8::1") == {"ip": "2001:db8::1"}
    age = (dt.datetime.now(dt.UTC) - dt.datetime.fromtimestamp(0, dt.UTC)).days
    detail = f"test, built 1970-01-01, {age} days old"
    assert found.outcomes == [Outcome("v4", asked=2, found=1, detail=detail)]


def with_databases(settings: Settings, *paths: Path) -> Settings:
    return load_settings(home=settings.home, geo_db=paths)


@pytest.mark.reference
def test_databases_are_merged_field_by_field(
    settings: Settings, write_context: WriteContext, reference: Path
) -> None:
    city, isp, asn = (
        reference / "geo" / f"{name}.mmdb"
        for name in ("GeoLite2-City-Test", "GeoIP2-ISP-Test", "GeoLite2-ASN-Test")
    )
    # 2.125.160.216 is Boxford, GB in the city database, 1.128.0.0 is Telstra in the other two.
    write_context("iploc.csv", "41787608,41787608,XX,,,Ourtown,,,Us,\n")
    found = enrich(
        with_databases(settings, city, isp, asn), "2.125.160.216", "1.128.0.0", "::ffff:1.128.0.0"
    )
    ours = row(found, "2.125.160.216")
    assert (ours["city"], ours["country_code"], ours["country"]) == (
        "Ourtown",
        "XX",
        "United Kingdom",
    )
    assert (ours["latitude"], ours["geoloc"]) == (51.75, "England;Ourtown Us")
    assert ours["source"] == "iploc+GeoLite2-City-Test"
    assert isinstance(ours["source_built_at"], dt.datetime)
    assert ours["source_built_at"].date() == dt.date.today()  # noqa: DTZ011 - iploc is from just now
    theirs = row(found, "1.128.0.0")
    assert (theirs["asn"], theirs["as_org"], theirs["isp"]) == (
        1221,
        "Telstra Pty Ltd",
        "Telstra Internet",
    )
    assert (theirs["geoloc"], theirs["source"]) == ("Telstra Internet", "GeoIP2-ISP-Test")
    assert row(found, "::ffff:1.128.0.0") | {"ip": "1.128.0.0"} == theirs
    assert [(o.source, o.asked, o.found) for o in found.outcomes] == [
        ("iploc", 3, 1),
        ("GeoLite2-City-Test", 3, 1),
        ("GeoIP2-ISP-Test", 3, 2),
        ("GeoLite2-ASN-Test", 3, 2),
    ]
    assert found.outcomes[1].detail.startswith("GeoLite2-City, built 20")


@pytest.mark.reference
def test_the_first_configured_database_wins(settings: Settings, reference: Path) -> None:
    isp, asn = (reference / "geo" / f"{n}.mmdb" for n in ("GeoIP2-ISP-Test", "GeoLite2-ASN-Test"))
    sources = {
        row(enrich(with_databases(settings, *order), "1.128.0.0"), "1.128.0.0")["source"]
        for order in [(isp, asn), (asn, isp)]
    }
    assert sources == {"GeoIP2-ISP-Test", "GeoLite2-ASN-Test+GeoIP2-ISP-Test"}


@pytest.mark.reference
def test_a_truncated_database_is_found_at_load(
    settings: Settings, reference: Path, tmp_path: Path
) -> None:
    whole = (reference / "geo" / "GeoLite2-City-Test.mmdb").read_bytes()
    path = tmp_path / "City.mmdb"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(EnrichmentError, match="cannot be used"):
        enrich(with_databases(settings, path), "2.125.160.216")


@pytest.mark.reference
@pytest.mark.parametrize("damage", [b"\xff", b"\xc3"])
def test_a_corrupt_record_is_an_error_and_no_blank(
    settings: Settings, reference: Path, tmp_path: Path, damage: bytes
) -> None:
    whole = (reference / "geo" / "GeoLite2-City-Test.mmdb").read_bytes()
    path = tmp_path / "City.mmdb"
    path.write_bytes(whole.replace(b"Boxford", b"Boxfor" + damage))
    with pytest.raises(EnrichmentError, match="fetch the file again"):
        enrich(with_databases(settings, path), "2.125.160.216")
