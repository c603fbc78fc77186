"""How often a service may still be called: limits, and the calls made, kept across runs."""

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
    """No budget or no time is left to ask; the reason says which."""

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
        """Let the time begin."""
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds left, never below 0."""
        return max(0.0, self._end - time.monotonic())


class Budget:
    """The calls that were made, in an SQLite file that several runs may share."""

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        self._path = path
        self._now = now

    def take(self, service: str, limits: Limits) -> float:
        """Note a call, if it may be made now.

        Returns:
            0 if the call may be made and is noted, else the seconds to wait before trying again.

        Raises:
            NotAskedError: The day's calls are spent.
            SourceError: The file cannot be used, so nobody can tell what was spent.
        """
        now = self._now()
        with self._connection() as connection:
            connection.execute(
                "delete from calls where service = ? and at < ?",
                (service, min(_midnight(now), now - MINUTE)),
            )
            if _count(connection, service, _midnight(now)) >= limits.daily:
                raise NotAskedError(f"the day's budget of {limits.daily} calls is spent")
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
        """How many calls the day still has.

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
                # So that of two processes only one takes the last call.
                connection.execute("begin immediate")
                yield connection
        except (OSError, sqlite3.Error) as error:
            raise SourceError(
                Status.UNAVAILABLE, f"the file of budgets {self._path} cannot be used ({error})"
            ) from error


@dataclass(frozen=True, slots=True)
class Meter:
    """Counts the calls of one service; every call has to pass it, retries too."""

    service: str
    limits: Limits
    budget: Budget
    deadline: Deadline
    sleep: Callable[[float], None] = time.sleep
    gaps: dict[str, None] = field(default_factory=dict)
    """What was not asked for although there is more of it, with what to do; each once."""

    def left_out(self, reason: str) -> None:
        """Note that not all pages of an answer were asked for, which is a warning of the run."""
        self.gaps[reason] = None

    def take(self) -> None:
        """Wait until a call may be made.

        Raises:
            NotAskedError: The budget is spent, or the wait would be longer than the time left.
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
        """How many calls the day still has; see `Budget.left`."""
        return self.budget.left(self.service, self.limits)

    def left_in_words(self) -> str:
        """The same for people, or why nobody can tell."""
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
