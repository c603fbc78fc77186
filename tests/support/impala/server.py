"""The wire: impyla's own generated HiveServer2 service, over a socket, SASL, TLS or HTTP."""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import struct
import threading
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from impala._thrift_gen.ImpalaService import ImpalaHiveServer2Service
from impala._thrift_gen.ImpalaService.ttypes import (
    TCloseImpalaOperationResp,
    TDmlResult,
    TGetRuntimeProfileResp,
)
from impala._thrift_gen.TCLIService import ttypes as t
from thrift.protocol.TBinaryProtocol import TBinaryProtocol, TBinaryProtocolAccelerated
from thrift.transport.TSocket import TServerSocket
from thrift.transport.TSSLSocket import TSSLServerSocket
from thrift.transport.TTransport import (
    TBufferedTransport,
    TFramedTransport,
    TMemoryBuffer,
    TTransportException,
)

from tests.support.impala.engine import Engine, Result
from tests.support.impala.language import ImpalaError

_OK = t.TStatus(statusCode=t.TStatusCode.SUCCESS_STATUS)
_COLUMNS = {
    "BOOLEAN": (t.TTypeId.BOOLEAN_TYPE, "boolVal", t.TBoolColumn),
    "TINYINT": (t.TTypeId.TINYINT_TYPE, "byteVal", t.TByteColumn),
    "SMALLINT": (t.TTypeId.SMALLINT_TYPE, "i16Val", t.TI16Column),
    "INT": (t.TTypeId.INT_TYPE, "i32Val", t.TI32Column),
    "BIGINT": (t.TTypeId.BIGINT_TYPE, "i64Val", t.TI64Column),
    "FLOAT": (t.TTypeId.FLOAT_TYPE, "doubleVal", t.TDoubleColumn),
    "DOUBLE": (t.TTypeId.DOUBLE_TYPE, "doubleVal", t.TDoubleColumn),
    "TIMESTAMP": (t.TTypeId.TIMESTAMP_TYPE, "stringVal", t.TStringColumn),
    "STRING": (t.TTypeId.STRING_TYPE, "stringVal", t.TStringColumn),
}


@dataclass
class _Operation:
    result: Result
    sent: int = 0
    handle: t.TOperationHandle = field(init=False)

    def __post_init__(self) -> None:
        self.handle = t.TOperationHandle(
            operationId=_identifier(),
            operationType=t.TOperationType.EXECUTE_STATEMENT,
            hasResultSet=bool(self.result.columns),
        )


class _Service(ImpalaHiveServer2Service.Iface):
    """The calls of impyla and dbt-impala; any other call is an unknown method."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._sessions: set[bytes] = set()
        self.options: list[Mapping[str, str]] = []
        self._operations: dict[bytes, _Operation] = {}

    def OpenSession(self, req: Any) -> Any:
        handle = t.TSessionHandle(sessionId=_identifier())
        self._sessions.add(handle.sessionId.guid)
        self.options.append(req.configuration or {})
        return t.TOpenSessionResp(
            status=_OK,
            serverProtocolVersion=t.TProtocolVersion.HIVE_CLI_SERVICE_PROTOCOL_V6,
            sessionHandle=handle,
            configuration={},
        )

    def CloseSession(self, req: Any) -> Any:
        self._sessions.discard(req.sessionHandle.sessionId.guid)
        return t.TCloseSessionResp(status=_OK)

    def ExecuteStatement(self, req: Any) -> Any:
        try:
            if req.sessionHandle.sessionId.guid not in self._sessions:
                raise ImpalaError("Invalid session id")
            result = self._engine.execute(req.statement)
        except ImpalaError as error:
            return t.TExecuteStatementResp(
                status=t.TStatus(
                    statusCode=t.TStatusCode.ERROR_STATUS, errorMessage=str(error), sqlState="HY000"
                )
            )
        operation = _Operation(result)
        self._operations[operation.handle.operationId.guid] = operation
        return t.TExecuteStatementResp(status=_OK, operationHandle=operation.handle)

    def _of(self, req: Any) -> _Operation:
        return self._operations[req.operationHandle.operationId.guid]

    def GetOperationStatus(self, req: Any) -> Any:
        return t.TGetOperationStatusResp(
            status=_OK,
            operationState=t.TOperationState.FINISHED_STATE,
            hasResultSet=bool(self._of(req).result.columns),
        )

    def GetResultSetMetadata(self, req: Any) -> Any:
        columns = [
            t.TColumnDesc(
                columnName=name,
                typeDesc=t.TTypeDesc([t.TTypeEntry(t.TPrimitiveTypeEntry(_COLUMNS[kind][0]))]),
                position=place,
            )
            for place, (name, kind) in enumerate(self._of(req).result.columns)
        ]
        return t.TGetResultSetMetadataResp(status=_OK, schema=t.TTableSchema(columns))

    def FetchResults(self, req: Any) -> Any:
        operation = self._of(req)
        rows = operation.result.rows[operation.sent : operation.sent + req.maxRows]
        operation.sent += len(rows)
        columns = [
            _column(kind, [row[place] for row in rows])
            for place, (_, kind) in enumerate(operation.result.columns)
        ]
        return t.TFetchResultsResp(
            status=_OK,
            hasMoreRows=operation.sent < len(operation.result.rows),
            results=t.TRowSet(startRowOffset=0, rows=[], columns=columns),
        )

    def GetLog(self, req: Any) -> Any:
        return t.TGetLogResp(status=_OK, log="")

    def CancelOperation(self, req: Any) -> Any:
        return t.TCancelOperationResp(status=_OK)

    def CloseOperation(self, req: Any) -> Any:
        self._operations.pop(req.operationHandle.operationId.guid)
        return t.TCloseOperationResp(status=_OK)

    def CloseImpalaOperation(self, req: Any) -> Any:
        operation = self._operations[req.operationHandle.operationId.guid]
        modified = operation.result.modified
        rows = None if modified is None else TDmlResult(rows_modified={"": modified})
        return TCloseImpalaOperationResp(status=_OK, dml_result=rows)

    def GetRuntimeProfile(self, req: Any) -> Any:
        modified = self._of(req).result.modified
        lines = "" if modified is None else f"\n    NumModifiedRows: {modified}\n"
        return TGetRuntimeProfileResp(status=_OK, profile=f"Query (id=0:0):{lines}")


def _identifier() -> t.THandleIdentifier:
    return t.THandleIdentifier(guid=uuid.uuid4().bytes, secret=b"0" * 16)


def _column(kind: str, values: Sequence[Any]) -> t.TColumn:
    """One column of a result: its values, and a NULL bit for each."""
    _, name, make = _COLUMNS[kind]
    bits = bytearray((len(values) + 7) // 8)
    for place, value in enumerate(values):
        if value is None:
            bits[place // 8] |= 1 << place % 8
    if name == "stringVal":
        sent = [b"" if value is None else str(value).encode() for value in values]
    else:
        sent = [0 if value is None else value for value in values]
    return t.TColumn(**{name: make(values=sent, nulls=bytes(bits))})


class StandIn:
    """A server on a loopback port while the `with` block runs.

    Args:
        users: Names and passwords; who connects must log in by SASL PLAIN (or HTTP Basic), as with
            LDAP. Without them nobody is asked (NOSASL).
        certificate: A PEM file with certificate and key; the server then speaks TLS only.
        http: Speak Thrift over HTTP.
    """

    def __init__(
        self,
        *,
        users: Mapping[str, str] | None = None,
        certificate: Path | None = None,
        http: bool = False,
    ) -> None:
        self.engine = Engine()
        self.users = users
        self.certificate = certificate
        self._service = _Service(self.engine)
        self.processor = ImpalaHiveServer2Service.Processor(self._service)
        self._http = http
        self._clients: list[Any] = []

    @property
    def statements(self) -> list[str]:
        """Return every statement received, in order; tests can clear it."""
        return self.engine.statements

    @property
    def options(self) -> list[Mapping[str, str]]:
        """Return the query options of every session, in order."""
        return self._service.options

    def __enter__(self) -> StandIn:
        if self._http:
            self._listen_http()
        else:
            self._listen()
        return self

    def __exit__(self, *_: object) -> None:
        self._close()
        for client in self._clients:
            with contextlib.suppress(OSError, AttributeError):
                client.handle.shutdown(socket.SHUT_RDWR)
        self.engine.close()

    def _listen(self) -> None:
        if self.certificate:
            door = TSSLServerSocket("127.0.0.1", 0, certfile=str(self.certificate))
        else:
            door = TServerSocket("127.0.0.1", 0)
        door.listen()
        self.port = int(door.handle.getsockname()[1])

        def close() -> None:
            door.handle.shutdown(socket.SHUT_RDWR)  # Or it goes on listening while it accepts.
            door.close()

        self._close = close
        threading.Thread(target=self._accept, args=(door,), daemon=True).start()

    def _accept(self, door: TServerSocket) -> None:
        while door.handle is not None:
            try:
                client = door.accept()
            except (OSError, AttributeError, TTransportException):
                continue
            if client is not None:
                self._clients.append(client)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: Any) -> None:
        try:
            if self.users is None:
                transport = TBufferedTransport(client)
            else:
                _log_in(client, self.users)
                transport = TFramedTransport(client)
            protocol = TBinaryProtocolAccelerated(transport)
            while True:
                self.processor.process(protocol, protocol)
        except (TTransportException, OSError, EOFError):
            pass
        finally:
            client.close()

    def _listen_http(self) -> None:
        stand_in = self

        class Door(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                given = self.headers.get("Authorization", "").removeprefix("Basic ")
                name, _, password = base64.b64decode(given).decode().partition(":")
                if stand_in.users is not None and stand_in.users.get(name) != password:
                    self.send_error(401)
                    return
                answer = TMemoryBuffer()
                stand_in.processor.process(
                    TBinaryProtocol(TMemoryBuffer(body)), TBinaryProtocol(answer)
                )
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer.getvalue())))
                self.end_headers()
                self.wfile.write(answer.getvalue())

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        self.port = server.server_port
        self._close = lambda: (server.shutdown(), server.server_close())
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()


def _log_in(client: Any, users: Mapping[str, str]) -> None:
    """SASL in Thrift's frames: a status byte and a length before each message."""
    start, complete, bad = 1, 5, 3

    def read() -> tuple[int, bytes]:
        status, length = struct.unpack(">BI", _exactly(client, 5))
        return status, _exactly(client, length)

    def write(status: int, payload: bytes) -> None:
        client.write(struct.pack(">BI", status, len(payload)) + payload)

    status, mechanism = read()
    _, answer = read()
    _, name, password = (part.decode() for part in answer.split(b"\0", 2))
    if status != start or mechanism != b"PLAIN" or users.get(name) != password:
        write(bad, b"Error validating the login")
        raise TTransportException(message="not logged in")
    write(complete, b"")


def _exactly(client: Any, count: int) -> bytes:
    found = b""
    while len(found) < count:
        part = client.read(count - len(found))
        if not part:
            raise EOFError
        found += part
    return found
