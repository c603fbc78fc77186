"""Run jobs on a few threads for a limited time; abandon those that hang."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

Job = Callable[[], None]


def work_off(jobs: Iterable[Job], threads: int, seconds: float) -> None:
    """Run jobs in their order, several at a time.

    After the time is over no further job is begun and nothing is waited for. The threads are
    daemons: a job that hangs for ever does not keep the process.

    Args:
        jobs: They may not raise, and have to note what they did themselves.
        threads: How many run at a time.
        seconds: How long to wait for all of them.
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
