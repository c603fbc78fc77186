"""One writer per warehouse: an advisory file lock, held during a run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from spot_oa.errors import WarehouseError, printable


@contextmanager
def warehouse_lock(
    warehouse: Path, owner: str, timeout: float, report: Callable[[str], None]
) -> Iterator[None]:
    """Hold the lock of the warehouse; wait for a process that has it.

    The operating system releases the lock when the process ends, however it ends.

    Args:
        warehouse: The DuckDB file; the lock file is `<file>.lock` next to it.
        owner: The holder's name, shown to waiting processes.
        timeout: Seconds to wait.
        report: Called once with a message, before waiting begins.

    Raises:
        WarehouseError: The other run did not end in time (transient), or the lock file cannot be
            created.
    """
    path = warehouse.with_name(warehouse.name + ".lock")
    holder = warehouse.with_name(warehouse.name + ".holder")
    # The steps of a run use several threads; the lock belongs to the run.
    lock = FileLock(path, thread_local=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            report(f"waiting for {_read(holder)} to release {warehouse}")
            lock.acquire(timeout=timeout)
        holder.write_text(f"{owner} (process {os.getpid()})", "utf-8")
    except Timeout as error:
        raise WarehouseError(
            f"warehouse {warehouse} is still used by {_read(holder)} after {timeout:g} s; "
            "wait for that run, or raise SPOT_OA_LOCK_TIMEOUT",
            transient=True,
        ) from error
    except OSError as error:
        raise WarehouseError(
            f"warehouse {warehouse}: cannot lock it ({printable(error)}); "
            "make its folder writable, or correct SPOT_OA_WAREHOUSE"
        ) from error
    try:
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def is_held(warehouse: Path) -> bool:
    """Return whether a run holds the lock at this moment."""
    path = warehouse.with_name(warehouse.name + ".lock")
    if not path.exists():
        return False
    lock = FileLock(path, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False


def _read(holder: Path) -> str:
    try:
        return printable(holder.read_text("utf-8")) or "another run"
    except OSError:
        return "another run"
