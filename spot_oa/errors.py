"""The errors a run can end with.

Every message is one line: what failed, with which value, and what to do about it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class SpotOaError(Exception):
    """Base class. A retry may succeed after `transient` errors; all others are terminal."""

    def __init__(self, message: str, *, transient: bool = False) -> None:
        super().__init__(message)
        self.transient = transient

    def _render_traceback_(self) -> list[str]:
        """Show only the message in IPython, without a traceback."""
        return [printable(self)]


class UsageError(SpotOaError, ValueError):
    """The caller passed an invalid argument (exit code 2).

    Also a ValueError, so that pydantic reports it as a bad parameter.
    """


class ConfigError(SpotOaError):
    """A setting, a pipeline description or a configured file is unusable."""


class LandingError(SpotOaError):
    """The ML results could not be read or written."""


class IngestError(SpotOaError):
    """A log could not be read, or its telemetry could not be written."""


class EnrichmentError(SpotOaError):
    """A local enrichment source is unusable."""


class StoreError(SpotOaError):
    """The analysts' store cannot be opened, written or read."""


class WarehouseError(SpotOaError):
    """The warehouse cannot be opened, written or read."""


@dataclass(frozen=True, slots=True)
class Node:
    """The result of a dbt model or test; `rows` is the number of rows that failed a test."""

    kind: str
    name: str
    status: str
    seconds: float
    rows: int | None
    message: str


class BuildError(SpotOaError):
    """Dbt could not build the models, or a data test failed; `failed` lists which."""

    def __init__(
        self, message: str, *, failed: Sequence[Node] = (), transient: bool = False
    ) -> None:
        super().__init__(message, transient=transient)
        self.failed = failed


class PublishError(SpotOaError):
    """The published files could not be written or swapped in."""


def printable(text: object) -> str:
    """Make text from anywhere safe for a terminal and a one-line message.

    Args:
        text: Anything; it may contain text from traffic.

    Returns:
        Its `str`, with every character that is not printable (line ends, ANSI escapes,
        direction marks) written as a backslash escape.
    """
    shown = str(text)
    if shown.isprintable():
        return shown
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in shown
    )


def without_userinfo(uri: str) -> str:
    """Remove user and password from a URI, for messages and tables."""
    scheme, separator, rest = uri.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}" if separator else uri
