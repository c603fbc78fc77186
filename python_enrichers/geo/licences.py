"""Licences of geo databases."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Licence:
    """The licence of a database."""

    name: str
    url: str
    attribution: str
    text: str


DBIP = Licence(
    "CC BY 4.0",
    "https://creativecommons.org/licenses/by/4.0/",
    "IP Geolocation by DB-IP (https://db-ip.com)",
    "The DB-IP Lite databases are licensed under the Creative Commons Attribution 4.0 "
    "International License. You are free to share and adapt them for any purpose, also "
    "commercially, if you give credit: whatever shows or publishes results of the database has to "
    "say «IP Geolocation by DB-IP» with a link to https://db-ip.com.",
)
MAXMIND = Licence(
    "GeoLite End User License Agreement",
    "https://www.maxmind.com/en/geolite/eula",
    "This product includes GeoLite Data created by MaxMind, available from https://www.maxmind.com",
    "The databases are fetched with your own account under the agreement that you made with "
    "MaxMind. You may not redistribute them, have to give credit where their data is shown, and "
    "have to replace and destroy an old copy within 30 days of a new release.",
)
