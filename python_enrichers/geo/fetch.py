"""Fetch geo databases: free ones from DB-IP, or from MaxMind with a key.

A new database is unpacked and opened before it replaces the old one; its licence is recorded next
to it.
"""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import json
import shutil
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import maxminddb

from python_enrichers.base import SourceError, Status
from python_enrichers.budget import Deadline
from python_enrichers.geo.licences import DBIP, MAXMIND, Licence
from python_enrichers.http import Client, Download, Marks
from spot_oa.errors import ConfigError, EnrichmentError, UsageError, printable
from spot_oa.settings import Settings

HTTP_NOT_FOUND = 404


@dataclass(frozen=True, slots=True)
class Database:
    """A database to fetch: its local name, its possible URLs (newest first), how to unpack it."""

    name: str
    urls: tuple[str, ...]
    unpack: Callable[[Path, Path], None]


@dataclass(frozen=True, slots=True)
class Source:
    """Databases of one provider that are fetched together."""

    licence: Licence
    databases: Callable[[Settings, dt.date], list[Database]]
    client: Callable[[Settings], Client]


def fetch(
    source: str,
    settings: Settings,
    report: Callable[[str], None],
    today: dt.date | None = None,
) -> list[Path]:
    """Fetch the databases of a source into `<home>/geo`.

    Args:
        source: One of `SOURCES`.
        settings: The configuration: home, URLs and keys.
        report: Called with messages: the licence, and each fetched database.
        today: The current day (UTC) if None.

    Returns:
        The databases; runs use them once `SPOT_OA_GEO_DB` lists them.

    Raises:
        UsageError: The source is unknown.
        ConfigError: A key is missing.
        EnrichmentError: A database could not be fetched; the old one is unchanged.
    """
    if source not in SOURCES:
        raise UsageError(f"geo source {printable(source)!r} is unknown: take {', '.join(SOURCES)}")
    chosen = SOURCES[source]
    client = chosen.client(settings)
    report(f"{chosen.licence.name}, {chosen.licence.url}: {chosen.licence.text}")
    folder = settings.home / "geo"
    today = today or dt.datetime.now(dt.UTC).date()
    paths = []
    for database in chosen.databases(settings, today):
        path = folder / f"{database.name}.mmdb"
        with _faults(database.name):
            report(_fetch(database, path, chosen.licence, client))
        paths.append(path)
    return paths


def _fetch(database: Database, path: Path, licence: Licence, client: Client) -> str:
    packed, fresh = path.with_name(f".{path.name}.packed"), path.with_name(f".{path.name}.new")
    record = path.with_name(f"{path.name}.json")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        had = _recorded(record, path)
        marks: Marks = had.get("marks", {})
        for url in database.urls:
            # A month's URL never changes; other servers are asked whether theirs is newer.
            if len(database.urls) > 1 and had.get("url") == url:
                return f"{path} is up to date"
            came = client.download(url, packed, missing=(HTTP_NOT_FOUND,), marks=marks)
            if came is Download.UNCHANGED:
                return f"{path} is up to date"
            if came is Download.NEW:
                break
        else:
            raise SourceError(Status.UNAVAILABLE, f"{database.urls[0]} does not exist")
        database.unpack(packed, fresh)
        kind, built = _opened(fresh)
        facts = _facts(database, url, fresh, licence)
        facts |= {"type": kind, "built": built.isoformat(), "marks": marks}
        fresh.replace(path)
        _record(record, facts)
    finally:
        packed.unlink(missing_ok=True)
        fresh.unlink(missing_ok=True)
    return f"{path}: {printable(kind)}, built {built}"


def _opened(path: Path) -> tuple[str, dt.date]:
    """Check that a database can be read; return its type and build date."""
    with maxminddb.open_database(path) as reader:
        reader.get("8.8.8.8")
        metadata = reader.metadata()
    return metadata.database_type, dt.datetime.fromtimestamp(metadata.build_epoch, dt.UTC).date()


def _facts(database: Database, url: str, path: Path, licence: Licence) -> dict[str, object]:
    return {
        "name": database.name,
        "url": url,
        "fetched_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "sha256": _digest(path),
        "licence": asdict(licence),
    }


def _record(path: Path, facts: Mapping[str, object]) -> None:
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", "utf-8")
    fresh.replace(path)


def _recorded(record: Path, path: Path) -> dict[str, Any]:
    """Return the record of a database; empty if the file has changed since it was fetched."""
    try:
        facts: dict[str, Any] = json.loads(record.read_text("utf-8"))
        return facts if facts["sha256"] == _digest(path) else {}
    except (OSError, ValueError, LookupError, TypeError):
        return {}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _faults(name: str) -> Iterator[None]:
    try:
        yield
    except SourceError as error:
        raise EnrichmentError(
            f"geo database {name}: {printable(error)}; the old file is unchanged",
            transient=error.status in (Status.UNAVAILABLE, Status.TIMEOUT),
        ) from None
    except (
        *(OSError, EOFError, ValueError, zlib.error),
        *(tarfile.TarError, maxminddb.InvalidDatabaseError),
    ) as error:
        raise EnrichmentError(
            f"geo database {name}: the download cannot be used ({printable(error)}); "
            "the old file is unchanged"
        ) from error


def _gunzip(packed: Path, fresh: Path) -> None:
    with gzip.open(packed) as source, fresh.open("wb") as file:
        shutil.copyfileobj(source, file)


def _untar(packed: Path, fresh: Path) -> None:
    with tarfile.open(packed, "r:gz") as archive, fresh.open("wb") as file:
        # Copy the content only: names in the archive are never used as paths.
        shutil.copyfileobj(_member(archive), file)


def _member(archive: tarfile.TarFile) -> IO[bytes]:
    for member in archive:
        if member.isreg() and member.name.endswith(".mmdb"):
            file = archive.extractfile(member)
            if file:
                return file
    raise ValueError("the archive has no .mmdb file")


def _dbip(*names: str) -> Source:
    def databases(settings: Settings, today: dt.date) -> list[Database]:
        # A month's databases are published on one of its first days.
        base = settings.dbip_url.rstrip("/")
        months = (today, today.replace(day=1) - dt.timedelta(days=1))
        return [
            Database(
                name,
                tuple(f"{base}/{name}-{month:%Y-%m}.mmdb.gz" for month in months),
                _gunzip,
            )
            for name in names
        ]

    return Source(DBIP, databases, lambda settings: Client(settings, Deadline()))


def _maxmind_databases(settings: Settings, today: dt.date) -> list[Database]:  # noqa: ARG001
    base = settings.maxmind_url.rstrip("/")
    return [
        Database(
            edition,
            (f"{base}/{edition}/download?suffix=tar.gz",),
            _untar,
        )
        for edition in settings.maxmind_editions
    ]


def _maxmind_client(settings: Settings) -> Client:
    if not (settings.maxmind_account_id and settings.maxmind_license_key):
        raise ConfigError(
            "SPOT_OA_MAXMIND_ACCOUNT_ID and SPOT_OA_MAXMIND_LICENSE_KEY are needed for MaxMind: "
            "set both (https://www.maxmind.com/en/geolite2/signup)"
        )
    basic = settings.maxmind_account_id, settings.maxmind_license_key
    return Client(settings, Deadline(), basic=basic)


SOURCES: Mapping[str, Source] = {
    "dbip-city": _dbip("dbip-city-lite"),
    "asn-country": _dbip("dbip-asn-lite", "dbip-country-lite"),
    "maxmind": Source(MAXMIND, _maxmind_databases, _maxmind_client),
}
