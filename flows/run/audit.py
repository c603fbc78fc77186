"""The audit: one row of oa.run_audit per run, however the run ends.

While a run is active, its row is in a file next to the warehouse, with the status `died`. At its
end the run sets the real status and moves the row to the table. A row that the next run, which
holds the lock, finds in the file is from a run that was killed or could not write to the warehouse.
"""

from __future__ import annotations

import datetime as dt
import getpass
import json
import os
import platform
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from flows.run.steps import Run
from flows.run.summary import Summary, versions
from spot_oa.errors import SpotOaError, printable
from spot_oa.lock import warehouse_lock
from spot_oa.settings import Settings
from spot_oa.warehouse import open_warehouse
from spot_oa.warehouse.tables import RUN_AUDIT


class Audit:
    """The run's row, and the rows of earlier runs that are still to be written."""

    def __init__(self, run: Run, summary: Summary, flow_run_id: str | None) -> None:
        self._run = run
        self._summary = summary
        self._who = {**_who(flow_run_id), "versions": _json(versions(summary.target))}
        self._path = pending_path(run.settings.lock)
        self._pending = pending(self._path)
        self._door = threading.Lock()

    def keep(self) -> None:
        """Store the run's progress on disk; parallel steps may call this."""
        with self._door:
            self._write([*self._pending, self._row("died", None)])

    def close(self, status: str, reason: str | None) -> str:
        """Move the rows to the table; they stay on disk if that fails.

        Returns:
            The reason of the failure, or an empty text.
        """
        finished = dt.datetime.now(dt.UTC)
        row = self._row(status, reason) | {
            "finished_at": _utc(finished),
            "seconds": (finished - self._summary.started).total_seconds(),
        }
        rows = [*self._pending, row]
        self._write(rows)
        try:
            if "prepare" not in self._summary.seconds:
                self._run.warehouse.prepare([RUN_AUDIT])
            self._run.warehouse.add(RUN_AUDIT, _table(rows))
            self._path.unlink(missing_ok=True)
        except (SpotOaError, OSError) as error:
            return f"the run is not in {RUN_AUDIT} yet: {printable(error)}"
        return ""

    def _write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        new = self._path.with_name(self._path.name + ".new")
        try:
            new.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
            new.replace(self._path)
        except OSError:
            # Probably a full disk: the steps report it if it affects them.
            new.unlink(missing_ok=True)

    def _row(self, status: str, reason: str | None) -> dict[str, Any]:
        summary, landed, built = self._summary, self._summary.landed, self._summary.built
        warnings = summary.warnings
        # Copy it: other threads may add to it meanwhile.
        seconds = dict(summary.seconds)
        return {
            "run_id": summary.run_id,
            "status": status,
            "reason": reason,
            "failed_step": ", ".join(summary.unfinished) or None,
            "started_at": _utc(summary.started),
            "step_seconds": _json({name: round(taken, 3) for name, taken in seconds.items()}),
            **self._who,
            "target": summary.target,
            "results_limit": summary.limit,
            "rows_landed": landed and landed.rows,
            "lines_rejected": landed and landed.rejected,
            "bad_values": landed and sum(landed.bad_values.values()),
            "enrichment": _json(
                {
                    f"{step}: {o.source}": {
                        "status": str(o.status),
                        "asked": o.asked,
                        "found": o.found,
                    }
                    for step, enriched in summary.enriched.items()
                    for o in enriched.outcomes
                }
            ),
            "models_built": built and built.models,
            "tests_passed": built and built.tests_passed,
            "tests_warned": built and len(built.tests_warned),
            "published_rows": _json(summary.tables),
            "warnings": len(warnings),
            "warning_texts": _json([printable(warning) for warning in warnings]),
            "fingerprint": summary.fingerprint or None,
            "pipeline": summary.part.pipeline,
            **summary.part.ymd,
        }


@contextmanager
def audited(
    run: Run, summary: Summary, flow_run_id: str | None, report: Callable[[str], None]
) -> Iterator[Audit]:
    """Write the run's row when the block ends, however it ends.

    The caller holds the warehouse's lock. If the row cannot be written, that is a warning.

    Args:
        run: The run.
        summary: The summary of the run; read when the block ends.
        flow_run_id: The Prefect flow run; None outside of one.
        report: Receives a warning if the row cannot be written.
    """
    audit = Audit(run, summary, flow_run_id)
    audit.keep()
    try:
        yield audit
    except BaseException as error:
        if isinstance(error, SpotOaError):
            failed = audit.close("failed", printable(error))
        elif isinstance(error, Exception):
            failed = audit.close("failed", printable(f"unexpected {type(error).__name__}: {error}"))
        else:
            failed = audit.close("interrupted", None)
        if failed:
            report(f"warning: {failed}")
        raise
    summary.unaudited = audit.close(summary.ended, summary.unlabelled or None)
    if summary.unaudited and summary.unchanged:
        report(f"warning: {summary.unaudited}")


def history(
    settings: Settings, count: int, pipeline: str | None, report: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Return the last runs, newest first, as columns of oa.run_audit.

    Args:
        settings: The settings of the warehouse; wait if a run uses it.
        count: Maximum number of runs.
        pipeline: Only runs of this pipeline, if given.
        report: Receives the name of the process that holds the lock.

    Raises:
        WarehouseError: The warehouse cannot be read.
    """
    warehouse = open_warehouse(settings)
    if not warehouse.exists():
        return []
    with warehouse_lock(settings.lock, "history", settings.lock_timeout, report):
        warehouse.prepare([RUN_AUDIT])
        rows = warehouse.latest(RUN_AUDIT, "started_at", count, pipeline)
        # Rows that the next run will write.
        waiting = _table(pending(pending_path(settings.lock))).to_pylist()
    rows += [row for row in waiting if pipeline in (None, row["pipeline"])]
    return sorted(rows, key=lambda row: row["started_at"], reverse=True)[:count]


def pending_path(warehouse: Path) -> Path:
    """Return the file of the rows that are still to be written."""
    return warehouse.with_name(warehouse.name + ".audit")


def pending(path: Path) -> list[dict[str, Any]]:
    """Return the rows in the file; lines that are not audit rows are left out."""
    try:
        lines = path.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return [row for line in lines if (row := _parsed(line))]


def _parsed(line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
        _table([row])
    except (ValueError, TypeError, AttributeError, pa.ArrowException):
        return {}
    return dict(row)


def _table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    times = [name for name, kind in RUN_AUDIT.columns.items() if kind == "timestamp"]
    typed = [
        {**row, **{n: dt.datetime.fromisoformat(row[n]) for n in times if row.get(n)}}
        for row in rows
    ]
    return pa.Table.from_pylist(typed, RUN_AUDIT.arrow_schema)


def _who(flow_run_id: str | None) -> Mapping[str, str | None]:
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):
        user = str(os.getuid())  # A container's user need not have a name.
    return {
        "user_name": user,
        "host": platform.node(),
        "started_from": "prefect" if flow_run_id else "cli",
        "flow_run_id": flow_run_id,
    }


def _utc(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).replace(tzinfo=None).isoformat()


def _json(content: object) -> str:
    return json.dumps(content, ensure_ascii=False)
