"""Fetching geo databases from servers that hand them out as DB-IP and MaxMind do."""

from __future__ import annotations

import base64
import datetime as dt
import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from flows.cli.app import app
from python_enrichers import load_enricher
from python_enrichers.geo.fetch import fetch
from spot_oa.errors import ConfigError, EnrichmentError, UsageError
from spot_oa.settings import Settings, load_settings

TODAY = dt.date(2026, 11, 2)
KEY = "s3cr3t-k3y"

pytestmark = pytest.mark.reference


@pytest.fixture
def city(reference: Path) -> bytes:
    return (reference / "geo" / "GeoLite2-City-Test.mmdb").read_bytes()


@pytest.fixture
def dbip(tmp_path: Path, httpserver: HTTPServer) -> Settings:
    return load_settings(
        home=tmp_path / "home", dbip_url=httpserver.url_for("/free"), http_attempts=1
    )


@pytest.fixture
def maxmind(tmp_path: Path, httpserver: HTTPServer) -> Settings:
    return load_settings(
        home=tmp_path / "home",
        maxmind_url=httpserver.url_for("/geoip"),
        maxmind_account_id="77",
        maxmind_license_key=KEY,
        maxmind_editions="GeoLite2-City",
        http_attempts=1,
    )


def archive(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name.replace("__", "/"))
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def run(source: str, settings: Settings, today: dt.date = TODAY) -> tuple[list[Path], list[str]]:
    told: list[str] = []
    return fetch(source, settings, told.append, today), told


def test_a_city_database_of_this_month(dbip: Settings, httpserver: HTTPServer, city: bytes) -> None:
    httpserver.expect_request("/free/dbip-city-lite-2026-11.mmdb.gz").respond_with_data(
        gzip.compress(city)
    )
    (path,), told = run("dbip-city", dbip)
    assert path == dbip.home / "geo" / "dbip-city-lite.mmdb"
    assert path.read_bytes() == city
    assert "CC BY 4.0" in told[0]
    assert "IP Geolocation by DB-IP" in told[0]
    record = json.loads(path.with_name("dbip-city-lite.mmdb.json").read_text())
    assert record["url"].endswith("/dbip-city-lite-2026-11.mmdb.gz")
    assert record["licence"]["attribution"] == "IP Geolocation by DB-IP (https://db-ip.com)"
    assert {file.name for file in path.parent.iterdir()} == {path.name, f"{path.name}.json"}
    found = load_enricher("geo", load_settings(home=dbip.home, geo_db=(path,))).enrich(
        {"address": ["2.125.160.216"]}
    )
    assert found.tables["ip_geo"]["city"].tolist() == ["Boxford"]


def test_last_months_until_this_months_is_there(
    dbip: Settings, httpserver: HTTPServer, city: bytes
) -> None:
    httpserver.expect_oneshot_request("/free/dbip-city-lite-2026-10.mmdb.gz").respond_with_data(
        gzip.compress(city)
    )
    httpserver.expect_request("/free/dbip-city-lite-2026-11.mmdb.gz").respond_with_data("", 404)
    for _ in range(2):
        (path,), told = run("dbip-city", dbip)
    assert path.read_bytes() == city
    assert told[1] == f"{path} is up to date"


def test_networks_and_countries(dbip: Settings, httpserver: HTTPServer, city: bytes) -> None:
    for name in ("asn", "country"):
        httpserver.expect_request(f"/free/dbip-{name}-lite-2026-11.mmdb.gz").respond_with_data(
            gzip.compress(city)
        )
    paths, _ = run("asn-country", dbip)
    assert [path.name for path in paths] == ["dbip-asn-lite.mmdb", "dbip-country-lite.mmdb"]


def test_maxmind_with_a_key(maxmind: Settings, httpserver: HTTPServer, city: bytes) -> None:
    def answer(request: Request) -> Response:
        expected = base64.b64encode(f"77:{KEY}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {expected}":
            return Response("", 401)
        return Response("", 302, {"Location": httpserver.url_for("/elsewhere")})

    httpserver.expect_request(
        "/geoip/GeoLite2-City/download", query_string={"suffix": "tar.gz"}
    ).respond_with_handler(answer)
    httpserver.expect_request("/elsewhere").respond_with_data(
        archive(
            **{"GeoLite2__LICENSE.txt": b"text", "..__..__GeoLite2-City.mmdb": city},
        )
    )
    (path,), told = run("maxmind", maxmind)
    assert path == maxmind.home / "geo" / "GeoLite2-City.mmdb"
    assert path.read_bytes() == city
    assert "End User License Agreement" in told[0]
    assert KEY not in path.with_name(f"{path.name}.json").read_text()
    outcome = (
        load_enricher("geo", load_settings(home=maxmind.home, geo_db=(path,)))
        .enrich({"address": []})
        .outcomes[0]
    )
    assert outcome.attribution.startswith("This product includes GeoLite Data created by MaxMind")
    assert outcome.detail.endswith(" days old")


def test_a_database_is_sent_again_only_if_it_has_changed(
    maxmind: Settings, httpserver: HTTPServer, city: bytes
) -> None:
    sent: list[int] = []
    packed = {"old": archive(**{"a.mmdb": city.replace(b"Boxford", b"Oldford")})}

    def answer(request: Request) -> Response:
        response = Response(packed.get("new", packed["old"]))
        response.add_etag()
        response.make_conditional(request)
        sent.append(response.status_code)
        return response

    httpserver.expect_request("/geoip/GeoLite2-City/download").respond_with_handler(answer)
    (path,), _ = run("maxmind", maxmind)
    settings = load_settings(home=maxmind.home, geo_db=(path,))
    assert place(settings) == "Oldford"
    _, told = run("maxmind", maxmind)
    assert told[1] == f"{path} is up to date"
    packed["new"] = archive(**{"a.mmdb": city})
    run("maxmind", maxmind)
    # What runs read next, in the same process.
    assert place(settings) == "Boxford"
    # Somebody put another file there: it is not what the server knows of.
    path.write_bytes(b"other")
    run("maxmind", maxmind)
    assert place(settings) == "Boxford"
    assert sent == [200, 304, 200, 200]


def place(settings: Settings) -> str:
    found = load_enricher("geo", settings).enrich({"address": ["2.125.160.216"]})
    return str(found.tables["ip_geo"]["city"][0])


def test_the_key_does_not_follow_a_redirect_elsewhere(
    maxmind: Settings, httpserver: HTTPServer, city: bytes
) -> None:
    with HTTPServer() as elsewhere:
        elsewhere.expect_request("/file").respond_with_data(archive(**{"a.mmdb": city}))
        httpserver.expect_request("/geoip/GeoLite2-City/download").respond_with_data(
            "", 302, {"Location": elsewhere.url_for("/file")}
        )
        run("maxmind", maxmind)
        ((request, _),) = elsewhere.log
    assert "Authorization" not in request.headers


def test_maxmind_without_a_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="SPOT_OA_MAXMIND_ACCOUNT_ID"):
        run("maxmind", load_settings(home=tmp_path))


def test_an_unknown_source(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="take dbip-city, asn-country, maxmind"):
        run("other", load_settings(home=tmp_path))


@pytest.mark.parametrize(
    ("answer", "reason", "transient"),
    [
        (("", 503), "HTTP 503", True),
        (("", 404), "does not exist", True),
        (("", 401), "check its key", False),
        (("<html>", 200), "the download cannot be used", False),
        ((gzip.compress(b"no database"), 200), "the download cannot be used", False),
        ((gzip.compress(b"x" * 99_999)[:-20], 200), "the download cannot be used", False),
    ],
)
def test_a_failure_leaves_the_old_database(
    dbip: Settings,
    httpserver: HTTPServer,
    city: bytes,
    answer: tuple[Any, int],
    reason: str,
    transient: bool,
) -> None:
    path = dbip.home / "geo" / "dbip-city-lite.mmdb"
    path.parent.mkdir(parents=True)
    path.write_bytes(city)
    httpserver.expect_request("/free/dbip-city-lite-2026-11.mmdb.gz").respond_with_data(*answer)
    httpserver.expect_request("/free/dbip-city-lite-2026-10.mmdb.gz").respond_with_data("", 404)
    with pytest.raises(EnrichmentError, match=reason) as caught:
        run("dbip-city", dbip)
    assert caught.value.transient is transient
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == city
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("content", [archive(**{"LICENSE.txt": b"text"}), b"no archive"])
def test_an_archive_without_a_database(
    maxmind: Settings, httpserver: HTTPServer, content: bytes
) -> None:
    httpserver.expect_request("/geoip/GeoLite2-City/download").respond_with_data(content)
    with pytest.raises(EnrichmentError, match="the download cannot be used"):
        run("maxmind", maxmind)
    assert list((maxmind.home / "geo").iterdir()) == []


def test_the_command(
    dbip: Settings,
    httpserver: HTTPServer,
    city: bytes,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    month = f"{dt.datetime.now(dt.UTC):%Y-%m}"
    httpserver.expect_request(f"/free/dbip-city-lite-{month}.mmdb.gz").respond_with_data(
        gzip.compress(city)
    )
    monkeypatch.setenv("SPOT_OA_HOME", str(dbip.home))
    monkeypatch.setenv("SPOT_OA_DBIP_URL", dbip.dbip_url)
    app(["geo", "fetch", "--source", "dbip-city"], standalone_mode=False)
    printed = capsys.readouterr().out
    assert "creativecommons.org/licenses/by/4.0" in printed
    assert f"SPOT_OA_GEO_DB={dbip.home}/geo/dbip-city-lite.mmdb" in printed
