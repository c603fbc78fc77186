"""Connect to a HiveServer2 and log in."""

from __future__ import annotations

import logging
import re
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import certifi
from impala import hiveserver2

# Private, and the only way to give impyla our own transport.
from impala._thrift_api import ThriftClient, get_http_transport, get_transport  # noqa: PLC2701
from impala.error import Error, HttpError
from thrift.protocol.TBinaryProtocol import TBinaryProtocolAccelerated
from thrift.Thrift import TException
from thrift.transport.TSocket import TSocket
from thrift.transport.TTransport import TTransportException

from spot_oa.errors import ConfigError, SpotOaError, WarehouseError, printable
from spot_oa.warehouse.hiveserver2.dialect import Server

UNAUTHORIZED = 401
_REFUSED = "Bad status: 3"
"""Text of the error when a SASL login is rejected."""

_OF_SPARK = re.compile(
    r"org\.apache\.hive\.service\.cli\.HiveSQLException: Error running query: "
    r"(\[\S+\] )?([\w.$]+(Exception|Error): )?(?P<reason>.*)"
)
"""The first line of Spark's errors: its exceptions, then the reason; a stack trace follows."""

# Keep their log off the user's screen, the errors contain the same: without a handler Python's last
# resort would print it, otherwise the root logger's handler that one of dbt's packages installs.
for _name in ("impala", "thrift"):
    logging.getLogger(_name).addHandler(logging.NullHandler())
    logging.getLogger(_name).propagate = False


class _Socket(TSocket):  # type: ignore[misc]  # Thrift has no types
    """Thrift's socket with certificates checked by Python, and errors passed on unchanged."""

    def __init__(
        self, host: str, port: int, timeout: float, context: ssl.SSLContext | None
    ) -> None:
        super().__init__(host, port)
        self.setTimeout(timeout * 1000)
        self._context = context

    def isOpen(self) -> bool:  # noqa: N802 - Thrift's name
        """Thrift's own check peeks into the socket, which TLS does not allow (THRIFT-5595)."""
        return self.handle is not None

    def open(self) -> None:
        """Connect, with a TLS handshake if there is a context."""
        handle = socket.create_connection((self.host, self.port), self._timeout)
        try:
            self.handle = (
                self._context.wrap_socket(handle, server_hostname=self.host)
                if self._context
                else handle
            )
        except BaseException:
            handle.close()
            raise


class _Connection(hiveserver2.HiveServer2Connection):  # type: ignore[misc]  # no types
    """impyla's connection; every session has the server's options."""

    def __init__(self, service: Any, options: Mapping[str, str]) -> None:
        super().__init__(service)
        self._options = options

    def cursor(self, *arguments: Any, **given: Any) -> Any:
        """Open a session."""
        given["configuration"] = {**self._options, **(given.get("configuration") or {})}
        return super().cursor(*arguments, **given)


class WatchedClient:
    """Thrift's client; passes each error of a call to `on_error` before raising it."""

    def __init__(self, client: Any, on_error: Callable[[Exception], None]) -> None:
        self._client = client
        self._on_error = on_error

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)
        return partial(self._watched, call) if callable(call) else call

    def _watched(self, call: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return call(*arguments)
        except Exception as error:
            self._on_error(error)
            raise


def connect(server: Server, on_error: Callable[[Exception], None] | None = None) -> Any:
    """Return a logged-in impyla connection.

    impyla's own `connect` cannot check certificates over HTTP, and from Python 3.12 on only by
    their common name, so this builds its transports with a context of Python's ssl.

    Args:
        server: The server's address and login.
        on_error: Called with each error that a later call to the server raises.

    Raises:
        ConfigError: The server rejects the user, its certificate is not trusted, or Kerberos is
            not available.
        WarehouseError: The server cannot be reached.
    """
    with refusals(server):
        opened = transport(server)
        opened.open()
        client = ThriftClient(TBinaryProtocolAccelerated(opened))
        if on_error:
            client = WatchedClient(client, on_error)
        # One attempt: a lost connection fails the step, and the step is retried.
        connection = _Connection(hiveserver2.HS2Service(client, retries=1), server.options)
        # Over HTTP, a wrong login fails only at the first request, so make one now.
        connection.cursor().close()
    return connection


@contextmanager
def refusals(server: Server) -> Iterator[None]:
    """Turn connection errors of the block into a one-line error.

    Raises:
        SpotOaError: See `connect`.
    """
    try:
        yield
    except (TException, Error, OSError, ImportError) as error:
        raise _refused(server, error) from None


def transport(server: Server) -> Any:
    """Return a Thrift transport that logs in when it is opened."""
    password = server.password.get_secret_value() if server.password else None
    mechanism = server.auth.upper()
    service, user = server.kerberos_service, server.user or None
    context = ssl.create_default_context(cafile=server.ca) if server.tls else None
    if server.http:
        return get_http_transport(
            server.host,
            server.port,
            server.http_path,
            use_ssl=server.tls,
            # Without a CA file impyla would not check certificates.
            ca_cert=str(server.ca or ssl.get_default_verify_paths().cafile or certifi.where()),
            auth_mechanism=mechanism,
            user=user,
            password=password,
            kerberos_host=server.host,
            kerberos_service_name=service,
            http_cookie_names="*",
        )
    socket_ = _Socket(server.host, server.port, server.timeout, context)
    return get_transport(socket_, server.host, service, mechanism, user, password)


def _refused(server: Server, error: Exception) -> SpotOaError:
    """Return a one-line error for a failed connection, without secrets."""
    at, setting = server.where, server.prefix
    cause = getattr(error, "inner", None) or error
    reason = _reason(cause)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return ConfigError(
            f"{at}: its certificate is not trusted ({printable(cause.verify_message)}); "
            f"set {setting}CA, or correct {setting}HOST"
        )
    if isinstance(cause, ssl.SSLError):
        return ConfigError(
            f"{at}: the TLS handshake failed ({printable(cause.reason or cause)}); "
            f"correct {setting}PORT or unset {setting}TLS"
        )
    if server.auth == "gssapi":
        return ConfigError(
            f"{at}: the Kerberos login failed ({reason}); `pip install kerberos`, get a ticket "
            f"(kinit), or correct {setting}KERBEROS_SERVICE"
        )
    if getattr(error, "code", None) == UNAUTHORIZED or _REFUSED in reason:
        return ConfigError(
            f"{at}: user {printable(server.user)!r} was rejected; correct "
            f"{setting}USER, {setting}PASSWORD or {setting}AUTH"
        )
    if isinstance(error, TTransportException):
        return WarehouseError(
            f"{at} rejected the connection ({reason}); {setting}AUTH={server.auth} or "
            f"{setting}TLS={str(server.tls).lower()} may not match the server's settings; "
            "if they match, try again",
            transient=True,
        )
    return WarehouseError(
        f"{at} cannot be reached ({reason}); start it, or correct {setting}HOST",
        transient=True,
    )


def failure(server: Server, error: Exception) -> WarehouseError:
    """Return a one-line error for a failed statement; lost connections are transient."""
    reason = _reason(getattr(error, "inner", None) or error)
    lost = isinstance(error, (TTransportException, OSError, HttpError))
    advice = "the connection was lost; try again" if lost else _advice(reason)
    return WarehouseError(f"{server.where}: {reason}; {advice}", transient=lost)


def _reason(error: BaseException) -> str:
    text = str(getattr(error, "message", None) or error) or type(error).__name__
    if found := _OF_SPARK.match(text):
        text = found["reason"].rstrip(";")
    return printable(" ".join(text.split()))[:500]


def _advice(reason: str) -> str:
    if "Database does not exist" in reason or "SCHEMA_NOT_FOUND" in reason:
        return "create that database, or correct SPOT_OA_SCHEMA_PREFIX or SPOT_OA_TELEMETRY_SCHEMA"
    if "Could not resolve" in reason or "TABLE_OR_VIEW_NOT_FOUND" in reason:
        return "create that table, or correct the settings that name it"
    if "AuthorizationException" in reason:
        return "grant the user the missing privilege"
    return "see the server's log"
