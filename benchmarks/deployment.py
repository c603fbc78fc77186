"""Seconds of a deployment run on the demo day, by step.

Starts a server and a worker of its own below a temporary folder and runs flow-oa/daily for the
demo's first day.
"""

from __future__ import annotations

import datetime as dt
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.tables import Table, seconds
from flows.orchestration.local_server import prefect_environment, register, server, worker
from spot_oa.demo import DEMO_DATES, demo_settings, generate
from tests.support.prefect_api import Api

PORT = 4290
DATE = DEMO_DATES[0].isoformat()


def measure(bench: Bench) -> Table:
    """Medians by part."""
    with tempfile.TemporaryDirectory() as folder:
        settings = demo_settings(Path(folder))
        generate(settings.home, pipelines=("flow",))
        environment = prefect_environment(settings, PORT)
        api = Api(environment["PREFECT_API_URL"])
        with server(environment, PORT):
            register(settings, environment)
            with (Path(folder) / "worker.log").open("w") as log, worker(environment, log):
                measured = [run(api) for _ in range(bench.runs + 1)][1:]
    rows = [[part, seconds(statistics.median(m[part] for m in measured))] for part in measured[0]]
    return Table(("part", "seconds"), rows)


def run(api: Api) -> dict[str, float]:
    """One flow run, its seconds by part."""
    created = time.time()
    run_id = api.start("flow-oa/daily", date=DATE)
    found = api.final(run_id)
    assert found["state_type"] == "COMPLETED", found["state"]
    tasks = api.task_runs(run_id)
    steps = {task["name"]: task["total_run_time"] for task in tasks}
    begun = min(_seconds(t["start_time"]) for t in tasks)
    ended = max(_seconds(t["end_time"]) for t in tasks)
    over = _seconds(found["state"]["timestamp"])
    return {
        "created to first step": begun - created,
        "prepare": steps["prepare"],
        "land": steps["land"],
        "enrich (three side by side)": max(
            steps[name] for name in ("geo", "network_context", "reputation")
        ),
        "dbt build (import, parse, run)": steps["dbt build"],
        "publish": steps["publish"],
        "artifacts": over - ended,
        "created to completed": over - created,
    }


def _seconds(text: str) -> float:
    return dt.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
