"""How one engine that speaks HiveServer2 differs from another; the rest they share."""

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
    """Its name, for messages."""
    prefix: str
    """What the names of its settings begin with, for messages."""
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
        """The server, for messages."""
        return f"{self.engine} at {self.host}:{self.port}"


class Dialect(Protocol):
    """One engine, as its settings describe it."""

    server: Server
    staging_uri: str
    """A folder for rows on their way into tables; they go in SQL text if empty."""
    staging_location: str
    """The same folder as the engine names it; empty if that follows from the URI."""
    views_hold_rows: bool
    """Whether rows in SQL text can wait in temporary views: they leave nothing behind."""
    telemetry_uri: str
    """Where telemetry lies that the project itself makes tables over; empty if others do."""

    def refresh(self, table: str, partition: str = "") -> str:
        """Write the statement that has the engine see files which others wrote.

        Args:
            table: Where they are.
            partition: Keys and values of their partition, if they are all in one.
        """
        ...

    def files(self, table: str, condition: str) -> str:
        """Write a query for the files of the partitions for which the condition holds.

        A row per file; the whole row changes when the file does.
        """
        ...

    def tables(self, rows: Sequence[Sequence[Any]]) -> set[str]:
        """Read the names from the rows of `show tables`."""
        ...

    def columns(self, rows: Sequence[Sequence[Any]]) -> dict[str, str]:
        """Read column -> type from the rows of `describe`, those of the partition keys last."""
        ...
