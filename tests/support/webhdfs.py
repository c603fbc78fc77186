"""A WebHDFS name node and data node in one small HTTP server, over a local folder."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit


class WebHdfs(ThreadingHTTPServer):
    """Serves `root`; `broken` answers every request with that status and exception."""

    def __init__(self, root: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.root = root
        self.broken: tuple[int, str] | None = None
        self.bytes_sent = 0
        self._open = threading.Event()
        self._open.set()

    def hold(self) -> None:
        """Answer requests for data only once `release` is called."""
        self._open.clear()

    def release(self) -> None:
        self._open.set()

    def wait(self) -> None:
        self._open.wait(60)

    @property
    def url(self) -> str:
        return f"webhdfs://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: WebHdfs

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        file = self.server.root / unquote(parts.path).removeprefix("/webhdfs/v1/")
        if self.server.broken:
            self._refuse(*self.server.broken)
        elif not file.exists():
            self._refuse(404, "FileNotFoundException")
        elif query["op"] == "GETFILESTATUS":
            self._answer(200, {"FileStatus": _status(file, "")})
        elif query["op"] == "LISTSTATUS":
            found = [_status(path, path.name) for path in file.iterdir()]
            self._answer(200, {"FileStatuses": {"FileStatus": found}})
        elif query["op"] != "OPEN":
            self._refuse(400, "UnsupportedOperationException")
        elif "datanode" not in query:
            self.send_response(307)
            self.send_header(
                "Location", f"http://127.0.0.1:{self.server.server_port}{self.path}&datanode=1"
            )
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self.server.wait()
            start = int(query.get("offset", 0))
            length = int(query["length"]) if "length" in query else None
            with file.open("rb") as source:
                source.seek(start)
                data = source.read(-1 if length is None else length)
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
            self.server.bytes_sent += len(data)

    def _refuse(self, status: int, exception: str) -> None:
        self._answer(status, {"RemoteException": {"message": "no", "exception": exception}})

    def _answer(self, status: int, body: dict[str, object]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        pass


def _status(file: Path, suffix: str) -> dict[str, object]:
    found = file.stat()
    return {
        "type": "DIRECTORY" if file.is_dir() else "FILE",
        "pathSuffix": suffix,
        "length": 0 if file.is_dir() else found.st_size,
        "modificationTime": found.st_mtime_ns // 1_000_000,
        "accessTime": time.time_ns() // 1_000_000,
    }


@contextmanager
def webhdfs(root: Path) -> Iterator[WebHdfs]:
    with WebHdfs(root) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
