"""What a reputation service is, and how its verdicts look.

A kind of service is a module with a class `Options` and a function `load`, named by an entry point
in the group `spot_oa.reputation`; it is in use exactly if `SPOT_OA_SERVICES__<NAME>` is set. What
`load` gives is asked over the network indicator by indicator (`LiveService`), or is a list that is
fetched now and then and answers from the copy (`ListSource`). Both are wrapped into what
`Reputation` asks, a `ReputationService`.
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
"""How lists write severities, in lower case."""


class Verdict(NamedTuple):
    """What a service said of an indicator.

    `severity` is -1 unverified, 0 none, 1 low, 2 medium, 3 high; `confidence` is the service's own
    number, on its own scale; `matched_entry` is the entry of a list that the indicator matched.
    """

    severity: int
    label: str
    confidence: float | None = None
    category: str | None = None
    matched_entry: str | None = None


class Entry(NamedTuple):
    """A line of a list: its verdict, and the addresses or the key that it matches."""

    verdict: Verdict
    matches: Span | str


def storable(*texts: str | None) -> None:
    """Refuse what no table takes: JSON may have half of a surrogate pair in a text, or no text.

    Raises:
        ValueError: A text has half a surrogate pair.
        TypeError: One is not text.
    """
    "".join([text for text in texts if text is not None]).encode()


def part(answer: Any, *path: str) -> Any:
    """Follow keys into a decoded answer.

    Many servers write an object in which nothing is as an empty list or null, and so is read what
    has no more in it.

    Returns:
        What is there, None if there is nothing on the way or at the end.

    Raises:
        LookupError, TypeError: The answer is of another form.
    """
    for key in path:
        if answer is None or answer == []:
            return None
        answer = answer[key]
    return None if answer in ([], {}) else answer


def read_severity(text: str) -> int:
    """Read a severity that a list has as a number or a word.

    Raises:
        ValueError: It is none.
    """
    severity = SEVERITY_WORDS.get(text.strip().lower())
    if severity is None:
        raise ValueError(f"its severity is not one of {', '.join(SEVERITY_WORDS)}")
    return severity


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What a service said: rows as in lookups.reputation_verdicts, one per indicator asked.

    Severity and label are NULL unless the service answered.
    """

    rows: pd.DataFrame
    outcome: Outcome


class ReputationService(Protocol):
    """One source of verdicts, as `Reputation` asks it: it never raises for what is outside."""

    name: str
    """Unique among the services in use, without `:` and `;`."""
    kinds: AbstractSet[IndicatorType]
    """The kinds of indicator it can be asked about."""

    def lookup(self, indicators: Indicators) -> Verdicts:
        """Ask about indicators, all of a kind that the service takes."""
        ...


@runtime_checkable
class LiveService(Protocol):
    """A service that is asked over the network; it sees only what may be sent."""

    name: str
    kinds: AbstractSet[IndicatorType]
    batch_size: int
    """How many indicators it takes at a time."""
    meter: Meter
    """Its budget: what its client counts."""

    def lookup(
        self, kind: IndicatorType, indicators: Sequence[str]
    ) -> Mapping[str, Verdict | SourceError | None]:
        """Ask about at most `batch_size` indicators.

        Args:
            kind: What they are.
            indicators: Addresses in their usual form, names in lower case without the last dot,
                or URIs with a scheme.

        Returns:
            The verdict on each, None where the service does not know it, a SourceError where it
            did not answer.

        Raises:
            SourceError: There was no usable answer, or no budget to ask.
            LookupError, TypeError, ValueError, AttributeError: The answer is not of its form.
        """
        ...


@runtime_checkable
class ListSource(Protocol):
    """A list that is fetched at most every so often and answers from the copy."""

    name: str
    kinds: AbstractSet[IndicatorType]
    interval: dt.timedelta
    """The copy is not renewed before it is this old."""
    max_age: dt.timedelta | None
    """What a copy older than this says counts no more."""
    attribution: str
    meter: Meter
    """Its budget: what its client counts."""

    def fetch(self, path: Path, marks: Marks) -> bool:
        """Write the list to a file.

        Args:
            path: Replaced.
            marks: For `Client.download_all`; what else asks need not look at it.

        Returns:
            Whether it has changed; if not, nothing is written.

        Raises:
            SourceError: It could not be got.
        """
        ...

    def read(self, path: Path) -> ContextFile[Entry] | None:
        """Read a file that `fetch` wrote; None if there is none.

        Raises:
            SourceError: It cannot be read, or has no entry.
            LookupError, TypeError, ValueError, AttributeError: It is not of its form.
        """
        ...


def _base_url(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise ValueError("it has to begin with http:// or https://")
    return url.rstrip("/")


def _split_words(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return json.loads(value)
    return [word.strip() for word in value.split(",") if word.strip()]


WordList = Annotated[tuple[str, ...], BeforeValidator(_split_words)]
"""Words separated by commas; a JSON list is taken too."""

BaseUrl = Annotated[str, AfterValidator(_base_url)]
"""Where the paths of an API begin."""


class ServiceOptions(BaseModel):
    """What is set for a service as `SPOT_OA_SERVICES__<NAME>__<OPTION>`."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class LiveOptions(ServiceOptions):
    """Options that every service has which is asked over the network."""

    daily: int = Field(default=1000, ge=0)
    """Calls a day (UTC)."""
    per_minute: int = Field(default=60, ge=1)

    @property
    def limits(self) -> Limits:
        """The two as limits."""
        return Limits(self.daily, self.per_minute)


class Tools(Protocol):
    """What a service is built with."""

    name: str
    settings: Settings

    def meter(self, limits: Limits, name: str = "") -> Meter:
        """A counter of calls; of a second thing of the same service if `name` is given."""
        ...

    def client(
        self,
        meter: Meter | None = None,
        *,
        headers: Mapping[str, SecretStr] | None = None,
    ) -> Client:
        """A client whose requests the meter counts."""
        ...


class ServiceModule(Protocol):
    """What an entry point names."""

    Options: type[BaseModel]
    load: Callable[..., Sequence[LiveService | ListSource]]
    """Makes the services from an `Options` and the `Tools`; it may raise a ConfigError."""


def fault_of(error: Exception) -> SourceError:
    """What an error means that a service or list has raised, whatever it is.

    Of an unknown one its type is told and not its text, which may hold what was sent.
    """
    if isinstance(error, SourceError):
        return error
    form = type(error).__name__
    return SourceError(Status.MALFORMED, f"its answer is of no known form ({form})")


def every(indicators: Indicators) -> list[Key]:
    """The indicators one by one, each with its kind."""
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
        service: Whose verdicts they are.
        asked: The indicators.
        outcomes: What became of each question.
        verdicts: What was said where that is ANSWERED; none at all if left out.
        times: Columns `fetched_at` and `expires_at`, in UTC without a zone.
    """
    said = [*zip(*((verdict or _NOTHING) for verdict in verdicts), strict=True)]
    return lookup_frame(
        VERDICTS,
        {
            "indicator": [text for _, text in asked],
            "indicator_type": [kind for kind, _ in asked],
            "service": [service] * len(asked),
            "outcome": outcomes,
            **dict(zip(Verdict._fields, said, strict=False)),
            **times,
        },
    )


_NOTHING = (None,) * len(Verdict._fields)
