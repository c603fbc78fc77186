"""A minimal LDAP server for logins: it answers simple binds (RFC 4511, 4.2)."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

_BIND, _ANSWER, _INVALID_CREDENTIALS = 0x60, 0x61, 49


@contextmanager
def ldap(users: Mapping[str, str]) -> Iterator[str]:
    """Run the server and yield its URL; users are names as they are sent."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            while message := _received(self.request):
                number, kind, body = message
                if kind != _BIND:
                    return
                _, _, rest = _element(body)  # The version.
                _, name, rest = _element(rest)
                _, password, _ = _element(rest)
                known = users.get(name.decode()) == password.decode()
                code = 0 if known else _INVALID_CREDENTIALS
                answer = bytes([0x0A, 1, code, 4, 0, 4, 0])
                self.request.sendall(_packed(0x30, _packed(2, number) + _packed(_ANSWER, answer)))

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"ldap://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def _received(client: socket.socket) -> tuple[bytes, int, bytes] | None:
    """Return the number, kind and body of the next message, or None."""
    data = b""
    while part := client.recv(4096):
        data += part
        try:
            _, message, _ = _element(data)
        except IndexError:
            continue
        _, number, rest = _element(message)
        kind, body, _ = _element(rest)
        return number, kind, body
    return None


def _element(data: bytes) -> tuple[int, bytes, bytes]:
    """Return the tag and value of the first element (BER), and the rest.

    Raises:
        IndexError: It is not there as a whole.
    """
    tag, length, start = data[0], data[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(data[2:start], "big")
    if len(data) < start + length:
        raise IndexError
    return tag, data[start : start + length], data[start + length :]


def _packed(tag: int, value: bytes) -> bytes:
    return bytes([tag, len(value)]) + value
