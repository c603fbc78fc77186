"""The differences between engines with a HiveServer2 interface."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pydantic import SecretStr


@dataclass(frozen=True, slots=True)
class Server:
    """Where an engine listens and how to log in."""

    engine: str
    """The engine's name, for messages."""
    prefix: str
    """Prefix of the engine's settings, for messages."""
    host: str
    port: int
    auth: str
    """`nosasl`, `plain`, `ldap` or `gssapi`."""
    user: str
    password: SecretStr | None
    kerberos_service: str
    tls: bool
    ca: Path | None
    http: bool
    http_path: str
    timeout: float
    """Seconds to wait for the server's next bytes."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Options of every session; one of them sets its time zone to UTC."""

    @property
    def where(self) -> str:
        """Return the engine and its address, for messages."""
        return f"{self.engine} at {self.host}:{self.port}"


class Dialect(Protocol):
    """One engine, as its settings describe it."""

    server: Server
    staging_uri: str
    """A folder to stage rows in; if empty, rows are sent in SQL text."""
    staging_location: str
    """The same folder as the engine names it; empty if that follows from the URI."""
    views_hold_rows: bool
    """Whether rows in SQL text can be staged in temporary views, which leave nothing behind."""
    telemetry_uri: str
    """Folder of the telemetry that the project makes tables over; empty if others make them."""

    def refresh(self, table: str, partition: str = "") -> str:
        """Return the statement that makes the engine see files that another process wrote.

        Args:
            table: The table of the files.
            partition: Keys and values of the files' partition, if they are all in one.
        """
        ...

    def files(self, table: str, condition: str) -> str:
        """Return a query for the files of the partitions that meet a condition.

        It returns a row per file; the row changes when the file changes.
        """
        ...

    def tables(self, rows: Sequence[Sequence[Any]]) -> set[str]:
        """Return the table names in the rows of `show tables`."""
        ...

    def columns(self, rows: Sequence[Sequence[Any]]) -> dict[str, str]:
        """Return column -> type from the rows of `describe`, partition keys last."""
        ...
