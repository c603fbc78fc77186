"""A stand-in for VirusTotal that records its requests."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.support.reputation import (
    KEY,
)

STATS = {"data": {"attributes": {"last_analysis_stats": {"malicious": 9, "suspicious": 0}}}}
QUICK = {"per_minute": "1000"}


class Recorder:
    """Run the stand-in, which records all requests."""

    def __init__(self, answer: Callable[[int], Response] | None = None) -> None:
        self.requests: list[str] = []
        self.seen: list[str] = []
        self._answer = answer or (lambda _: Response(json.dumps(STATS)))

    def __call__(self, request: Request) -> Response:
        path = request.environ["RAW_URI"]
        self.requests.append(path.rpartition("/")[2])
        self.seen.append(path + str(request.headers) + request.get_data(as_text=True))
        return self._answer(len(self.requests))


def virustotal(
    httpserver: HTTPServer, recorder: Recorder, **options: str
) -> dict[str, dict[str, str]]:
    httpserver.expect_request(re.compile(".*")).respond_with_handler(recorder)
    url = httpserver.url_for("").rstrip("/")
    return {"virustotal": {"key": KEY, "url": url} | QUICK | options}


def always(status: int, body: str = "", **headers: str) -> Callable[[int], Response]:
    return lambda _: Response(body, status, headers)
