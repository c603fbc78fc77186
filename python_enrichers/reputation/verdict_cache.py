"""Answers of a live service, kept by indicator: only verdicts and "not found" ever get here.

They are kept by indicator and not by request, because services are asked in batches and no two
days have the same batches. Neither requests nor keys are stored.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from requests_cache.backends.sqlite import SQLiteCache
from requests_cache.serializers import SerializerPipeline, Stage

from python_enrichers.reputation.base import MEDIUM, Verdict
from spot_oa.errors import EnrichmentError, printable
from spot_oa.pipelines import IndicatorType
from spot_oa.settings import Settings

Key = tuple[IndicatorType, str]


@dataclass(frozen=True)
class Kept:
    """An answer, None being "not found", and the seconds since 1970 at which it came and ends."""

    verdict: Verdict | None
    fetched: float
    expires: float

    @property
    def expires_unix(self) -> float:
        """The end by the name that the store looks for."""
        return self.expires


class VerdictCache:
    """The answers of one service.

    Raises:
        EnrichmentError: The file cannot be written.
    """

    def __init__(self, settings: Settings, service: str) -> None:
        self._seconds = {
            "suspicious": settings.ttl_suspicious * 3600,
            "harmless": settings.ttl_harmless * 3600,
            "not found": settings.ttl_not_found * 3600,
        }
        path = settings.cache_dir / "reputation" / f"{service}.sqlite"
        _check(path)
        cache = SQLiteCache(path, serializer=_SERIALIZER)
        cache.delete(expired=True, vacuum=False)
        self._kept = cache.responses

    def get(self, keys: Iterable[Key], now: float) -> dict[Key, Kept]:
        """Find the answers that still count."""
        found: dict[Key, Kept | None] = {}
        # What cannot be read is asked again.
        with suppress(sqlite3.Error):
            known = set(self._kept)
            found = {key: self._kept[at] for key in keys if (at := _digest(key)) in known}
        # The store gives None for what it cannot read any more.
        return {key: kept for key, kept in found.items() if kept and kept.expires > now}

    def put(self, answers: Mapping[Key, Verdict | None], now: float) -> dict[Key, Kept]:
        """Keep answers, each as long as its kind is kept."""
        kept = {
            key: Kept(verdict, now, now + self._seconds[_kind(verdict)])
            for key, verdict in answers.items()
        }
        # What cannot be kept is asked again: no reason to lose it now.
        with suppress(sqlite3.Error), self._kept.bulk_commit():
            for key, answer in kept.items():
                self._kept[_digest(key)] = answer
        return kept


def _kind(verdict: Verdict | None) -> str:
    if verdict is None:
        return "not found"
    return "suspicious" if verdict.severity >= MEDIUM else "harmless"


def _digest(key: Key) -> str:
    # The store writes keys into its SQL as they are.
    return hashlib.sha256("\0".join(key).encode()).hexdigest()


def _dumps(kept: Kept) -> str:
    return json.dumps(asdict(kept))


def _loads(text: str) -> Kept:
    fields: dict[str, Any] = json.loads(text)
    verdict = fields.pop("verdict")
    return Kept(Verdict(**verdict) if verdict else None, **fields)


_SERIALIZER = SerializerPipeline([Stage(dumps=_dumps, loads=_loads)])


def _check(path: Path) -> None:
    """See that the file can be written: the store would wait for ever.

    Raises:
        EnrichmentError: It cannot.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("begin immediate")
            connection.rollback()
    except (OSError, sqlite3.Error) as error:
        raise EnrichmentError(
            f"cache {printable(path)} cannot be written ({printable(error)}); "
            "remove it, or make its folder writable"
        ) from error
