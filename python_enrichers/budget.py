"""Budgets of services: limits on calls, and the calls made, stored across runs."""

from __future__ import annotations

import datetime as dt
import math
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from python_enrichers.base import SourceError, Status

MINUTE = 60.0
_WAIT_FOR_OTHERS = 10.0


class NotAskedError(SourceError):
    """The budget or time of a service is used up; the reason names which."""

    def __init__(self, reason: str) -> None:
        super().__init__(Status.NOT_ASKED, reason)


@dataclass(frozen=True, slots=True)
class Limits:
    """Calls that a service allows, per day (UTC) and in any 60 seconds."""

    daily: int
    per_minute: int


class Deadline:
    """Time limit of a service within one run; unlimited until `start` is called."""

    def __init__(self) -> None:
        self._end = math.inf

    def start(self, seconds: float) -> None:
        """Start the time limit."""
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Return the seconds left, never below 0."""
        return max(0.0, self._end - time.monotonic())


class Budget:
    """The calls made, in an SQLite file that several runs may share."""

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        self._path = path
        self._now = now

    def take(self, service: str, limits: Limits) -> float:
        """Record a call if the limits allow it now.

        Returns:
            0 if the call is allowed and recorded, else the seconds to wait before trying again.

        Raises:
            NotAskedError: The day's calls are used up.
            SourceError: The file cannot be used, so the number of calls is unknown.
        """
        now = self._now()
        with self._connection() as connection:
            connection.execute(
                "delete from calls where service = ? and at < ?",
                (service, min(_midnight(now), now - MINUTE)),
            )
            if _count(connection, service, _midnight(now)) >= limits.daily:
                raise NotAskedError(f"the day's budget of {limits.daily} calls is used up")
            earlier = connection.execute(
                "select at from calls where service = ? and at > ? "
                "order by at desc limit 1 offset ?",
                (service, now - MINUTE, limits.per_minute - 1),
            ).fetchone()
            if earlier:
                return float(earlier[0]) + MINUTE - now
            connection.execute("insert into calls values (?, ?)", (service, now))
        return 0.0

    def left(self, service: str, limits: Limits) -> int:
        """Return the number of calls left today.

        Raises:
            SourceError: The file cannot be used.
        """
        with self._connection() as connection:
            return max(0, limits.daily - _count(connection, service, _midnight(self._now())))

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with (
                closing(sqlite3.connect(self._path, timeout=_WAIT_FOR_OTHERS)) as connection,
                connection,
            ):
                connection.execute("create table if not exists calls (service text, at real)")
                connection.execute("create index if not exists by_service on calls (service, at)")
                connection.commit()
                # Lock now, so that only one of two processes gets the last call.
                connection.execute("begin immediate")
                yield connection
        except (OSError, sqlite3.Error) as error:
            raise SourceError(
                Status.UNAVAILABLE, f"the budget file {self._path} cannot be used ({error})"
            ) from error


@dataclass(frozen=True, slots=True)
class Meter:
    """Counts the calls of one service; every call must go through it, including retries."""

    service: str
    limits: Limits
    budget: Budget
    deadline: Deadline
    sleep: Callable[[float], None] = time.sleep
    gaps: dict[str, None] = field(default_factory=dict)
    """Warnings of incomplete answers, with advice, each once."""

    def left_out(self, reason: str) -> None:
        """Record that not all pages of an answer were requested, which is a warning of the run."""
        self.gaps[reason] = None

    def take(self) -> None:
        """Wait until a call is allowed.

        Raises:
            NotAskedError: The budget is used up, or the wait would exceed the time left.
            SourceError: The budget cannot be read.
        """
        while True:
            if not self.deadline.left():
                raise NotAskedError("the time for this service is over")
            wait = self.budget.take(self.service, self.limits)
            if not wait:
                return
            if wait > self.deadline.left():
                raise NotAskedError(f"more than {self.limits.per_minute} calls a minute")
            self.sleep(wait)

    def left(self) -> int:
        """Return the number of calls left today; see `Budget.left`."""
        return self.budget.left(self.service, self.limits)

    def left_in_words(self) -> str:
        """Format the number of calls left, or the reason why it is unknown."""
        try:
            return f"{self.left()} of {self.limits.daily} calls left today"
        except SourceError as error:
            return error.reason


def _count(connection: sqlite3.Connection, service: str, since: float) -> int:
    (count,) = connection.execute(
        "select count(*) from calls where service = ? and at >= ?", (service, since)
    ).fetchone()
    return int(count)


def _midnight(now: float) -> float:
    day = dt.datetime.fromtimestamp(now, dt.UTC).date()
    return dt.datetime.combine(day, dt.time(), dt.UTC).timestamp()
