"""Impala's dialect, and dbt-impala's connections."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import impala.dbapi

from spot_oa.errors import SpotOaError
from spot_oa.settings import Settings
from spot_oa.warehouse.hiveserver2.connection import connect, failure
from spot_oa.warehouse.hiveserver2.dialect import Server


class Impala:
    """See `Dialect`."""

    views_hold_rows = False
    telemetry_uri = ""

    def __init__(self, settings: Settings) -> None:
        self.staging_uri = settings.impala_staging_uri
        self.staging_location = settings.impala_staging_location
        options = {name.upper(): value for name, value in settings.impala_options.items()}
        self.server = Server(
            "Impala",
            "SPOT_OA_IMPALA_",
            settings.impala_host,
            settings.impala_port,
            settings.impala_auth,
            settings.impala_user,
            settings.impala_password,
            settings.impala_kerberos_service,
            tls=settings.impala_tls,
            ca=settings.impala_ca,
            http=settings.impala_http,
            http_path=settings.impala_http_path,
            timeout=settings.impala_timeout,
            options={"TIMEZONE": "UTC"} | options,
        )

    def refresh(self, table: str, partition: str = "") -> str:
        """See `Dialect.refresh`."""
        return f"refresh {table} partition ({partition})" if partition else f"refresh {table}"

    def files(self, table: str, condition: str) -> str:
        """See `Dialect.files`."""
        return f"show files in {table} partition ({condition})"

    def tables(self, rows: Sequence[Sequence[Any]]) -> set[str]:
        """See `Dialect.tables`."""
        return {row[0] for row in rows}

    def columns(self, rows: Sequence[Sequence[Any]]) -> dict[str, str]:
        """See `Dialect.columns`."""
        return {row[0]: row[1] for row in rows}


@contextmanager
def connections_of_dbt(settings: Settings) -> Iterator[Sequence[SpotOaError]]:
    """See `spot_oa.warehouse.connections_of_dbt`."""
    server = Impala(settings).server
    raised: list[SpotOaError] = []

    def connect_for_dbt(*_: Any, **__: Any) -> Any:
        try:
            return connect(server, lambda error: raised.append(failure(server, error)))
        except SpotOaError as error:
            raised.append(error)
            raise

    original = impala.dbapi.connect
    impala.dbapi.connect = connect_for_dbt
    try:
        yield raised
    finally:
        impala.dbapi.connect = original
