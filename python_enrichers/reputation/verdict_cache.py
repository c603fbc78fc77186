"""Cache of a live service's answers by indicator: only verdicts and "not found".

Answers are stored by indicator, not by request, because services are queried in batches, and no two
days have the same batches. Neither requests nor keys are stored.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from typing import NamedTuple

from python_enrichers.reputation.base import MEDIUM, Key, Verdict
from spot_oa.errors import EnrichmentError, printable
from spot_oa.settings import Settings

_WAIT_FOR_OTHERS = 10.0


class Kept(NamedTuple):
    """An answer (None means "not found"), and its fetch and expiry times in seconds since 1970."""

    verdict: Verdict | None
    fetched: float
    expires: float


class VerdictCache:
    """The answers of one service, in an SQLite file that several runs may share.

    Raises:
        EnrichmentError: The file cannot be written.
    """

    def __init__(self, settings: Settings, service: str) -> None:
        self._seconds = {
            "suspicious": settings.ttl_suspicious * 3600,
            "harmless": settings.ttl_harmless * 3600,
            "not found": settings.ttl_not_found * 3600,
        }
        self._path = settings.cache_dir / "reputation" / f"{service}.sqlite"
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._connection() as connection:
                connection.execute("begin immediate")
                connection.execute(
                    "create table if not exists verdicts (key text primary key, answer text, "
                    "fetched real, expires real)"
                )
                connection.execute("delete from verdicts where expires < unixepoch()")
        except (OSError, sqlite3.Error) as error:
            raise EnrichmentError(
                f"cache {printable(self._path)} cannot be written ({printable(error)}); "
                "remove it, or make its folder writable"
            ) from error

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, _WAIT_FOR_OTHERS)) as connection, connection:
            yield connection

    def get(self, keys: Iterable[Key], now: float) -> dict[Key, Kept]:
        """Return the answers that have not expired."""
        found: dict[Key, Kept] = {}
        # Answers that cannot be read are queried again.
        with suppress(sqlite3.Error), self._connection() as connection:
            rows = connection.execute("select * from verdicts where expires > ?", (now,))
            known = {digest: rest for digest, *rest in rows}
            for key in keys:
                if at_hand := known.get(_digest(key)):
                    text, fetched, expires = at_hand
                    with suppress(TypeError, ValueError):
                        found[key] = Kept(_verdict(text), fetched, expires)
        return found

    def put(self, answers: Mapping[Key, Verdict | None], now: float) -> dict[Key, Kept]:
        """Store answers, each for the time of its kind."""
        kept = {
            key: Kept(verdict, now, now + self._seconds[_kind(verdict)])
            for key, verdict in answers.items()
        }
        rows = [
            (_digest(key), json.dumps(verdict), fetched, expires)
            for key, (verdict, fetched, expires) in kept.items()
        ]
        # If storing fails, use the answers anyway; they are queried again later.
        with suppress(sqlite3.Error), self._connection() as connection:
            connection.executemany("insert or replace into verdicts values (?, ?, ?, ?)", rows)
        return kept


def _kind(verdict: Verdict | None) -> str:
    if verdict is None:
        return "not found"
    return "suspicious" if verdict.severity >= MEDIUM else "harmless"


def _digest(key: Key) -> str:
    """Return the hash by which the file stores an indicator, so that it does not reveal it."""
    return hashlib.sha256("\0".join(key).encode()).hexdigest()


def _verdict(text: str) -> Verdict | None:
    fields = json.loads(text)
    return None if fields is None else Verdict(*fields)
