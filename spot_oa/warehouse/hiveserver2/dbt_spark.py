"""dbt-spark's connections, which use PyHive, an optional dependency."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from pyhive import exc, hive
from TCLIService.ttypes import TOperationState
from thrift.Thrift import TException

from spot_oa.errors import SpotOaError
from spot_oa.settings import Settings
from spot_oa.warehouse.hiveserver2.connection import WatchedClient, failure, refusals, transport
from spot_oa.warehouse.hiveserver2.dialect import Server
from spot_oa.warehouse.hiveserver2.spark import Spark

_PENDING = (
    TOperationState.INITIALIZED_STATE,
    TOperationState.RUNNING_STATE,
    TOperationState.PENDING_STATE,
)
_SHORTEST, _LONGEST = 0.02, 1.0
"""Shortest and longest seconds between two polls of a statement."""


class _Cursor(hive.Cursor):  # type: ignore[misc]  # no types
    """PyHive's cursor with faster polling; dbt itself would poll only every few seconds."""

    def poll(self, *arguments: Any, **given: Any) -> Any:
        """Wait until the statement is done."""
        pause = _SHORTEST
        while True:
            found = super().poll(*arguments, **given)
            if found.operationState not in _PENDING:
                return found
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST)


class _Connection(hive.Connection):  # type: ignore[misc]  # no types
    """PyHive's connection, logged in like ours; its cursors wait.

    Args:
        server: The server's address and login.
        raised: The list to which errors of calls are added.
    """

    def __init__(self, server: Server, raised: list[SpotOaError]) -> None:
        with refusals(server):
            super().__init__(
                username=server.user or None,
                configuration=dict(server.options),
                thrift_transport=transport(server),
            )
        client: Any = self.client
        self._client = WatchedClient(client, lambda error: raised.append(failure(server, error)))

    def cursor(self, *arguments: Any, **given: Any) -> Any:
        """Return a cursor that waits."""
        return _Cursor(self, *arguments, **given)

    def close(self) -> None:
        """Close the session, and ignore errors of closing.

        Spark raises such errors (`NoClassDefFoundError: ... LlapSigner`), and dbt would attribute
        them to the model that has just been built.
        """
        with suppress(exc.Error, TException, OSError):
            super().close()


@contextmanager
def connections_of_dbt(settings: Settings) -> Iterator[Sequence[SpotOaError]]:
    """See `spot_oa.warehouse.connections_of_dbt`."""
    server = Spark(settings).server
    raised: list[SpotOaError] = []

    def connect_for_dbt(*_: Any, **__: Any) -> Any:
        try:
            return _Connection(server, raised)
        except SpotOaError as error:
            raised.append(error)
            raise
        except exc.Error as error:
            raised.append(failure(server, error))
            raise raised[-1] from error

    original = hive.connect
    hive.connect = connect_for_dbt
    try:
        yield raised
    finally:
        hive.connect = original
