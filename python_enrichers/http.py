"""The HTTP client: time limits, retries, budget, proxy, certificates, without leaking secrets.

Every failure is a `SourceError` whose reason names the host and the kind of fault. Errors of the
underlying libraries are not chained to it, because their texts contain URLs and headers.
"""

from __future__ import annotations

import codecs
import datetime as dt
import email.utils
import hashlib
import json
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
import tenacity
import urllib3
from pydantic import SecretStr

from python_enrichers.base import SourceError, Status
from python_enrichers.budget import Deadline, Meter, NotAskedError
from spot_oa import __version__
from spot_oa.settings import Settings

USER_AGENT = f"spot-oa/{__version__}"
MAX_ANSWER = 1 << 26
"""Maximum bytes of an answer that is read into memory."""
MAX_LIST = 1 << 28
MAX_DOWNLOAD = 1 << 31
_PIECE = 1 << 16
_SCRIPT = re.compile("json|javascript")
_BACKOFF = tenacity.wait_exponential_jitter(multiplier=0.5, max=10, jitter=0.5)

OK = 200
NOT_MODIFIED = 304
UNAUTHORISED = (401, 402, 403)
TOO_MANY = 429
SERVER_ERRORS = range(500, 600)
REDIRECTS = range(300, 400)

Marks = MutableMapping[str, dict[str, str]]
"""Headers of conditional requests, by a hash of the URL, because URLs may contain a key."""
MARKS = {"ETag": "If-None-Match", "Last-Modified": "If-Modified-Since"}


class Download(Enum):
    """The result of a download."""

    NEW = auto()
    UNCHANGED = auto()
    """Our copy is up to date; nothing was written."""
    MISSING = auto()


class _PassingError(SourceError):
    """A transient fault: a retry may succeed."""

    def __init__(self, status: Status, reason: str, retry_after: float | None = None) -> None:
        super().__init__(status, reason)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class _Question:
    """A request, the function that consumes its answer, and the answer's maximum size."""

    method: str
    url: str
    take: Callable[[Iterator[bytes], Mapping[str, str]], Any]
    limit: int
    missing: Collection[int] = ()
    explained: Collection[int] = ()
    content: Mapping[str, Any] = field(default_factory=dict)
    follow: bool = False


class Client:
    """Sends requests to one service.

    Args:
        settings: Time limits, retries, proxy and certificates.
        deadline: Ends requests and retries.
        meter: Counts every request; None to count none.
        headers: Sent with every request; redirects are then not followed.
        basic: User and password for basic authentication.
        sleep: Waits between attempts.
    """

    def __init__(
        self,
        settings: Settings,
        deadline: Deadline,
        meter: Meter | None = None,
        *,
        headers: Mapping[str, SecretStr] | None = None,
        basic: tuple[str, SecretStr] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = settings
        self._deadline = deadline
        self._meter = meter
        self._sleep = sleep
        self._not_before = 0.0
        # requests drops only basic auth on a cross-host redirect, so never follow redirects with
        # custom auth headers.
        self._may_follow = not headers
        self._session = requests.Session()
        # Ignore proxies from the environment and passwords from a .netrc.
        self._session.trust_env = False
        self._session.headers["User-Agent"] = USER_AGENT
        self._session.headers.update(
            {name: value.get_secret_value() for name, value in (headers or {}).items()}
        )
        if basic:
            self._session.auth = basic[0], basic[1].get_secret_value()
        if settings.proxy:
            proxy = settings.proxy.get_secret_value()
            self._session.proxies = {"http": proxy, "https": proxy}
        if settings.ca_bundle:
            self._session.verify = str(settings.ca_bundle)

    def get_json(
        self, url: str, params: Mapping[str, Any] | None = None, *, missing: Collection[int] = ()
    ) -> Any:
        """Get JSON.

        Args:
            url: The URL, without keys, and with values from traffic quoted.
            params: The query.
            missing: HTTP statuses that mean "not found".

        Returns:
            The decoded answer, None if not found.

        Raises:
            SourceError: There was no usable answer.
            NotAskedError: The request was not sent, because budget or time was used up.
        """
        content = {"params": params}
        return self._json(_Question("GET", url, _whole, MAX_ANSWER, missing, content=content))

    def post_json(self, url: str, *, explained: Collection[int] = (), **content: Any) -> Any:
        """Post a body, otherwise as `get_json`.

        Args:
            url: The URL.
            explained: HTTP statuses other than 200 whose JSON body is returned.
            content: `json=` or `data=`, as in requests.
        """
        return self._json(_Question("POST", url, _whole, MAX_ANSWER, (), explained, content))

    def download(
        self,
        url: str,
        path: Path,
        *,
        missing: Collection[int] = (),
        marks: Marks | None = None,
        limit: int = MAX_DOWNLOAD,
    ) -> Download:
        """Download a URL to a file; a fault leaves the file incomplete.

        Args:
            url: The URL.
            path: The file to replace.
            missing: HTTP statuses that mean "not found".
            marks: Marks of the existing copy; updated for a new one.
            limit: Maximum number of bytes.

        Raises:
            SourceError: The download failed.
            NotAskedError: The request was not sent.
        """
        known = {} if marks is None else marks
        address = hashlib.sha256(url.encode()).hexdigest()

        def write(pieces: Iterator[bytes], headers: Mapping[str, str]) -> Download:
            with path.open("wb") as file:
                for piece in pieces:
                    try:
                        file.write(piece)
                    except OSError as error:
                        raise SourceError(
                            Status.UNAVAILABLE, f"{path} cannot be written ({error.strerror})"
                        ) from None
            known[address] = {ask: headers[name] for name, ask in MARKS.items() if name in headers}
            return Download.NEW

        content = {"headers": known.get(address, {})}
        question = _Question(
            "GET", url, write, limit, missing, content=content, follow=self._may_follow
        )
        return Download(self._ask(question) or Download.MISSING)

    def download_all(self, urls: Sequence[str], path: Path, marks: Marks) -> bool:
        """Download several URLs into one file, one after the other.

        Args:
            urls: The URLs.
            path: The file to replace.
            marks: As for `download`.

        Returns:
            Whether anything has changed; if not, nothing is written.

        Raises:
            OSError: The file cannot be written.
            SourceError: A download failed.
            NotAskedError: A request was not sent.
        """
        parts = [path.with_name(f"{path.name}.{number}") for number in range(len(urls))]
        try:
            came = [
                self.download(url, part, marks=marks, limit=MAX_LIST)
                for url, part in zip(urls, parts, strict=True)
            ]
            if Download.NEW not in came:
                return False
            with path.open("wb") as whole:
                for url, part, how in zip(urls, parts, came, strict=True):
                    if how is Download.UNCHANGED:
                        self.download(url, part, limit=MAX_LIST)
                    content = part.read_bytes().removeprefix(codecs.BOM_UTF8).rstrip()
                    whole.write(content + b"\n")
        finally:
            for part in parts:
                part.unlink(missing_ok=True)
        return True

    def _json(self, question: _Question) -> Any:
        body = self._ask(question)
        if body is None:
            return None
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            answer = None
        if answer is None:
            raise SourceError(Status.MALFORMED, f"{_host(question.url)} did not answer with JSON")
        return answer

    def _ask(self, question: _Question) -> Any:
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(self._worth_another),
            stop=tenacity.stop_after_attempt(self._settings.http_attempts),
            wait=_wait,
            sleep=self._sleep,
            reraise=True,
        )
        return retrying(self._attempt, question)

    def _attempt(self, question: _Question) -> Any:
        host = _host(question.url)
        self._wait_if_asked_to(host)
        if self._meter:
            self._meter.take()
        patience = max(0.001, min(self._settings.http_timeout, self._deadline.left()))
        fault: SourceError
        try:
            with self._session.request(
                question.method,
                question.url,
                timeout=patience,
                stream=True,
                allow_redirects=question.follow,
                **question.content,
            ) as response:
                if response.status_code in question.missing:
                    return None
                if response.status_code == NOT_MODIFIED and question.content.get("headers"):
                    return Download.UNCHANGED
                is_script = _SCRIPT.search(response.headers.get("Content-Type", ""))
                if response.status_code not in question.explained or not is_script:
                    self._check(response, host)
                return question.take(self._pieces(response, host, question.limit), response.headers)
        except (requests.Timeout, urllib3.exceptions.TimeoutError):
            fault = _PassingError(Status.TIMEOUT, f"{host} did not answer in {patience:.0f} s")
        except (requests.exceptions.InvalidHeader, requests.exceptions.InvalidURL, ValueError):
            fault = SourceError(Status.UNAVAILABLE, "the URL, key or proxy is invalid: correct it")
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            fault = _PassingError(Status.UNAVAILABLE, f"{host}: {_kind(error)}")
        raise fault from None

    def _pieces(self, response: requests.Response, host: str, limit: int) -> Iterator[bytes]:
        # Read small pieces and check the deadline: a slow server would reset the socket timeout.
        read = 0
        while piece := response.raw.read1(_PIECE, decode_content=True):
            read += len(piece)
            if read > limit:
                raise SourceError(Status.MALFORMED, f"{host} sent more than {limit} bytes")
            if not self._deadline.left():
                raise SourceError(Status.TIMEOUT, f"{host} did not finish within the time limit")
            yield piece

    def _wait_if_asked_to(self, host: str) -> None:
        """Wait as long as the Retry-After of an earlier answer, of any thread, requires.

        Raises:
            NotAskedError: The wait would exceed the limit.
        """
        wait = self._not_before - time.monotonic()
        if wait > min(self._settings.retry_after_max, self._deadline.left()):
            raise NotAskedError(f"{host} accepts no requests for {wait:.0f} s")
        if wait > 0:
            self._sleep(wait)

    def _check(self, response: requests.Response, host: str) -> None:
        """Check the status of an answer.

        Raises:
            SourceError: The status is an error or a redirect.
        """
        code = response.status_code
        answered = f"{host} answered HTTP {code}"
        if code == TOO_MANY or code in SERVER_ERRORS:
            wait = _retry_after(response)
            self._not_before = max(self._not_before, time.monotonic() + (wait or 0.0))
            raise _PassingError(Status.UNAVAILABLE, answered, wait)
        if code in UNAUTHORISED:
            raise SourceError(Status.UNAUTHORISED, f"{answered}: check its key")
        if code in REDIRECTS:
            raise SourceError(Status.UNAVAILABLE, f"{answered}: redirects are not followed")
        if code != OK:
            raise SourceError(Status.MALFORMED, answered)

    def _worth_another(self, error: BaseException) -> bool:
        if not isinstance(error, _PassingError):
            return False
        wait = error.retry_after or 0.0
        return wait <= self._settings.retry_after_max and wait < self._deadline.left()


def _wait(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, _PassingError) else None
    return _BACKOFF(state) if asked is None else asked


def _whole(pieces: Iterator[bytes], headers: Mapping[str, str]) -> bytes:  # noqa: ARG001
    return b"".join(pieces)


def _retry_after(response: requests.Response) -> float | None:
    text = response.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        moment = email.utils.parsedate_to_datetime(text).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (moment - dt.datetime.now(dt.UTC)).total_seconds())


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or "the server"
    except ValueError:
        return "the server"


def _kind(error: Exception) -> str:
    kinds = {
        requests.exceptions.ProxyError: "the proxy rejected the request",
        requests.exceptions.SSLError: "its certificate is not trusted",
        requests.ConnectionError: "cannot be reached",
    }
    return next(
        (text for kind, text in kinds.items() if isinstance(error, kind)),
        "the connection was cut off",
    )
