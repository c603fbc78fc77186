"""The interface of reputation services and their verdicts.

A kind of service is a module with a class `Options` and a function `load`, named by an entry point
in the group `spot_oa.reputation`; it is in use exactly if `SPOT_OA_SERVICES__<NAME>` is set. `load`
returns services that are queried over the network (`LiveService`), and lists that are fetched at
intervals and matched locally (`ListSource`). `Reputation` uses both through `ReputationService`.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Protocol, runtime_checkable

import pandas as pd
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from python_enrichers.addresses import Span
from python_enrichers.base import Indicators, Outcome, SourceError, Status, lookup_frame
from python_enrichers.budget import Limits, Meter
from python_enrichers.context_files import ContextFile
from python_enrichers.http import Client, Marks
from python_enrichers.reputation.tables import VERDICTS
from spot_oa.pipelines import IndicatorType
from spot_oa.settings import Settings

ENTRY_POINTS = "spot_oa.reputation"

EVERY_KIND: AbstractSet[IndicatorType] = frozenset(("address", "name", "uri"))
Key = tuple[IndicatorType, str]
"""An indicator with its kind."""

UNVERIFIED, NONE, LOW, MEDIUM, HIGH = SEVERITIES = range(-1, 4)
SEVERITY_WORDS = {
    "unverified": UNVERIFIED,
    "unknown": UNVERIFIED,
    "none": NONE,
    "low": LOW,
    "medium": MEDIUM,
    "high": HIGH,
    "critical": HIGH,
} | {str(severity): severity for severity in SEVERITIES}
"""Spellings of severities in lists, in lower case."""


class Verdict(NamedTuple):
    """A service's verdict on an indicator.

    `severity` is -1 unverified, 0 none, 1 low, 2 medium, 3 high; `confidence` is on the service's
    own scale; `matched_entry` is the entry of a list that the indicator matched.
    """

    severity: int
    label: str
    confidence: float | None = None
    category: str | None = None
    matched_entry: str | None = None


class Entry(NamedTuple):
    """An entry of a list: its verdict, and the addresses or the key that it matches."""

    verdict: Verdict
    matches: Span | str


def storable(*texts: str | None) -> None:
    """Check that tables can store texts from JSON, which may have half of a surrogate pair.

    Raises:
        ValueError: A text has half a surrogate pair.
        TypeError: A value is not text.
    """
    "".join([text for text in texts if text is not None]).encode()


def part(answer: Any, *path: str) -> Any:
    """Follow keys into a decoded answer.

    Many servers return an empty object as an empty list or null, so these count as missing.

    Returns:
        The value, None if it or a value on the way is missing.

    Raises:
        LookupError, TypeError: The answer has another format.
    """
    for key in path:
        if answer is None or answer == []:
            return None
        answer = answer[key]
    return None if answer in ([], {}) else answer


def read_severity(text: str) -> int:
    """Read a severity of a list, a number or a word.

    Raises:
        ValueError: The text is not a severity.
    """
    severity = SEVERITY_WORDS.get(text.strip().lower())
    if severity is None:
        raise ValueError(f"its severity is not one of {', '.join(SEVERITY_WORDS)}")
    return severity


@dataclass(frozen=True, slots=True)
class Verdicts:
    """A service's verdicts: rows as in lookups.reputation_verdicts, one per queried indicator.

    Severity and label are NULL unless the service answered.
    """

    rows: pd.DataFrame
    outcome: Outcome


class ReputationService(Protocol):
    """One source of verdicts, as `Reputation` uses it; external faults never raise an error."""

    name: str
    """Unique among the services in use, without `:` and `;`."""
    kinds: AbstractSet[IndicatorType]
    """The supported kinds of indicators."""

    def lookup(self, indicators: Indicators) -> Verdicts:
        """Look up indicators of supported kinds."""
        ...


@runtime_checkable
class LiveService(Protocol):
    """A service on the network; it gets only indicators that may be sent."""

    name: str
    kinds: AbstractSet[IndicatorType]
    batch_size: int
    """Maximum number of indicators per lookup."""
    meter: Meter
    """The budget that the service's client counts."""

    def lookup(
        self, kind: IndicatorType, indicators: Sequence[str]
    ) -> Mapping[str, Verdict | SourceError | None]:
        """Look up at most `batch_size` indicators.

        Args:
            kind: The kind of the indicators.
            indicators: Addresses in their usual form, names in lower case without the last dot,
                or URIs with a scheme.

        Returns:
            The verdict on each, None if the service does not know the indicator, a SourceError if
            it did not answer.

        Raises:
            SourceError: The answer is not usable, or the budget is used up.
            LookupError, TypeError, ValueError, AttributeError: The answer has another format.
        """
        ...


@runtime_checkable
class ListSource(Protocol):
    """A list that is fetched at most once per interval and matched in the local copy."""

    name: str
    kinds: AbstractSet[IndicatorType]
    interval: dt.timedelta
    """Minimum age of the copy before it is refreshed."""
    max_age: dt.timedelta | None
    """Entries of a copy older than this expire."""
    attribution: str
    meter: Meter
    """The budget that the list's client counts."""

    def fetch(self, path: Path, marks: Marks) -> bool:
        """Write the list to a file.

        Args:
            path: The file to replace.
            marks: For `Client.download_all`; other clients can ignore it.

        Returns:
            Whether the list has changed; if not, nothing is written.

        Raises:
            SourceError: The list could not be fetched.
        """
        ...

    def read(self, path: Path) -> ContextFile[Entry] | None:
        """Read a file that `fetch` wrote; None if the file is missing.

        Raises:
            SourceError: The file cannot be read, or has no entry.
            LookupError, TypeError, ValueError, AttributeError: The file has another format.
        """
        ...


def _base_url(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise ValueError("the URL must begin with http:// or https://")
    return url.rstrip("/")


def _split_words(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return json.loads(value)
    return [word.strip() for word in value.split(",") if word.strip()]


WordList = Annotated[tuple[str, ...], BeforeValidator(_split_words)]
"""Words separated by commas, or a JSON list."""

BaseUrl = Annotated[str, AfterValidator(_base_url)]
"""Base URL of an API."""


class ServiceOptions(BaseModel):
    """Options of a service, set as `SPOT_OA_SERVICES__<NAME>__<OPTION>`."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class LiveOptions(ServiceOptions):
    """Options of every service on the network."""

    daily: int = Field(default=1000, ge=0)
    """Calls per day (UTC)."""
    per_minute: int = Field(default=60, ge=1)

    @property
    def limits(self) -> Limits:
        """Return both as limits."""
        return Limits(self.daily, self.per_minute)


class Tools(Protocol):
    """Objects from which a service is built."""

    name: str
    settings: Settings

    def meter(self, limits: Limits, name: str = "") -> Meter:
        """Return a counter of calls, under the service's name unless `name` is given."""
        ...

    def client(
        self,
        meter: Meter | None = None,
        *,
        headers: Mapping[str, SecretStr] | None = None,
    ) -> Client:
        """Return a client whose requests the meter counts."""
        ...


class ServiceModule(Protocol):
    """A module that an entry point names."""

    Options: type[BaseModel]
    load: Callable[..., Sequence[LiveService | ListSource]]
    """Makes the services from `Options` and `Tools`; may raise a ConfigError."""


def fault_of(error: Exception) -> SourceError:
    """Convert any error of a service or list to a SourceError.

    Of an unknown error only the type is reported, as its text may contain the request.
    """
    if isinstance(error, SourceError):
        return error
    form = type(error).__name__
    return SourceError(Status.MALFORMED, f"its answer has an unknown format ({form})")


def every(indicators: Indicators) -> list[Key]:
    """Return the indicators one by one, each with its kind."""
    return [(kind, text) for kind, texts in indicators.items() for text in texts]


def verdict_rows(
    service: str,
    asked: Sequence[Key],
    outcomes: Sequence[Status],
    verdicts: Sequence[Verdict | None] = (),
    **times: Sequence[dt.datetime | None],
) -> pd.DataFrame:
    """Make rows of lookups.reputation_verdicts.

    Args:
        service: The service's name.
        asked: The indicators.
        outcomes: The status of each lookup.
        verdicts: The verdicts of lookups with status ANSWERED; can be omitted without any.
        times: Columns `fetched_at` and `expires_at`, in UTC without a zone.
    """
    columns = [*zip(*((verdict or _NOTHING) for verdict in verdicts), strict=True)]
    return lookup_frame(
        VERDICTS,
        {
            "indicator": [text for _, text in asked],
            "indicator_type": [kind for kind, _ in asked],
            "service": [service] * len(asked),
            "outcome": outcomes,
            **dict(zip(Verdict._fields, columns, strict=False)),
            **times,
        },
    )


_NOTHING = (None,) * len(Verdict._fields)
