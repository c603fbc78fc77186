"""Fetching geo databases: from DB-IP, which are free for all, or from MaxMind with a key.

A database is unpacked and opened before it takes the place of the one that was there; its licence
is recorded beside it.
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
    """A database to fetch: its name here, where it may be (the newest first), how it is packed."""

    name: str
    urls: tuple[str, ...]
    unpack: Callable[[Path, Path], None]


@dataclass(frozen=True, slots=True)
class Source:
    """Databases that come together."""

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
        settings: Where to, from where, and with which key.
        report: Told the licence, and what was fetched.
        today: The day (UTC); the present one if None.

    Returns:
        The databases; runs use them once `SPOT_OA_GEO_DB` names them.

    Raises:
        UsageError: There is no such source.
        ConfigError: A key is missing.
        EnrichmentError: A database could not be fetched; the one that was there is as it was.
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
            # What came in a month stays as it is; others are asked whether theirs is another.
            if len(database.urls) > 1 and had.get("url") == url:
                return f"{path} is the newest there is"
            came = client.download(url, packed, missing=(HTTP_NOT_FOUND,), marks=marks)
            if came is Download.UNCHANGED:
                return f"{path} is the newest there is"
            if came is Download.NEW:
                break
        else:
            raise SourceError(Status.UNAVAILABLE, f"there is nothing at {database.urls[0]}")
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
    """See that a database can be used; its type and the day on which it was built."""
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
    """What was recorded of the database, nothing if it is no longer the one that was fetched."""
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
            f"geo database {name}: {printable(error)}; what was there is still there",
            transient=error.status in (Status.UNAVAILABLE, Status.TIMEOUT),
        ) from None
    except (
        *(OSError, EOFError, ValueError, zlib.error),
        *(tarfile.TarError, maxminddb.InvalidDatabaseError),
    ) as error:
        raise EnrichmentError(
            f"geo database {name}: what came cannot be used ({printable(error)}); "
            "what was there is still there"
        ) from error


def _gunzip(packed: Path, fresh: Path) -> None:
    with gzip.open(packed) as source, fresh.open("wb") as file:
        shutil.copyfileobj(source, file)


def _untar(packed: Path, fresh: Path) -> None:
    with tarfile.open(packed, "r:gz") as archive, fresh.open("wb") as file:
        # Copied out by content: no name of the archive ever becomes a path.
        shutil.copyfileobj(_member(archive), file)


def _member(archive: tarfile.TarFile) -> IO[bytes]:
    for member in archive:
        if member.isreg() and member.name.endswith(".mmdb"):
            file = archive.extractfile(member)
            if file:
                return file
    raise ValueError("there is no .mmdb in it")


def _dbip(*names: str) -> Source:
    def databases(settings: Settings, today: dt.date) -> list[Database]:
        # A month's databases come on one of its first days.
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
