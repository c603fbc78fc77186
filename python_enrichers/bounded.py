"""Run jobs on a few threads for a limited time; abandon jobs that hang."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

Job = Callable[[], None]


def work_off(jobs: Iterable[Job], threads: int, seconds: float) -> None:
    """Run jobs in order, several at a time.

    When the time is over, start no further job and do not wait for running ones. The threads are
    daemons, so a job that hangs does not keep the process alive.

    Args:
        jobs: The jobs; they must not raise, and must store their results themselves.
        threads: Number of jobs to run at a time.
        seconds: Seconds to wait for all jobs together.
    """
    queue = iter(jobs)
    taking = threading.Lock()
    over = threading.Event()
    ended = threading.Semaphore(0)
    deadline = time.monotonic() + seconds

    def take() -> Job | None:
        with taking:
            return None if over.is_set() else next(queue, None)

    def work() -> None:
        try:
            while job := take():
                job()
        finally:
            ended.release()

    for _ in range(threads):
        threading.Thread(target=work, daemon=True).start()
    for _ in range(threads):
        if not ended.acquire(timeout=max(0.0, deadline - time.monotonic())):
            break
    over.set()
