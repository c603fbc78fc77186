"""A day of flows on a Spark cluster on this machine, and on DuckDB."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.bench import LIMIT, Bench, seconds, size, spot_oa_run
from spot_oa.settings import Settings
from tests.support.spark import HOST, Cluster

STEPS = ("prepare", "land", "geo", "network_context", "reputation", "dbt build", "publish")
MB = 1_000_000


class Events:
    """Rows read, bytes shuffled and memory of the cluster's tasks, from Spark's event log.

    Args:
        folder: The folder of the Thrift server's event log.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self._read = 0

    @property
    def properties(self) -> Mapping[str, str]:
        """Return the Spark properties that enable the log."""
        return {
            "spark.eventLog.enabled": "true",
            "spark.eventLog.dir": self.folder.as_uri(),
            "spark.eventLog.rolling.enabled": "false",
            "spark.eventLog.compress": "false",
        }

    def since(self) -> dict[str, float]:
        """Return sums over tasks ended since the last call; `held` is the maximum of a task."""
        found = dict.fromkeys(("tasks", "cpu", "rows", "shuffled", "spilled", "held"), 0.0)
        (log,) = self.folder.glob("[!.]*")
        with log.open("rb") as file:
            file.seek(self._read)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._read += len(line)
                if b'"Event":"SparkListenerTaskEnd"' not in line[:60]:
                    continue
                metrics = json.loads(line).get("Task Metrics") or {}
                found["tasks"] += 1
                found["cpu"] += metrics["Executor CPU Time"] / 1e9
                found["rows"] += metrics["Input Metrics"]["Records Read"]
                found["shuffled"] += metrics["Shuffle Write Metrics"]["Shuffle Bytes Written"]
                found["spilled"] += metrics["Disk Bytes Spilled"]
                found["held"] = max(found["held"], metrics["Peak Execution Memory"])
        return found


def measure(bench: Bench) -> Iterator[dict[str, str]]:
    """Measure one column per size, engine and run: the first, which makes the tables, and later."""
    columns: dict[str, dict[str, str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        events = Events(Path(folder) / "events")
        with Cluster(
            Path(folder) / "cluster", properties=events.properties, small=False
        ) as cluster:
            for rows in bench.sizes:
                home = bench.home("flow", rows)
                environment = {
                    "SPOT_OA_TARGET": "spark",
                    "SPOT_OA_SPARK_HOST": HOST,
                    "SPOT_OA_SPARK_PORT": str(cluster.port),
                    "SPOT_OA_SCHEMA_PREFIX": f"rows{rows}_",
                }
                for which, took in _runs(bench, home, {}, events):
                    columns[f"{size(rows)}, DuckDB, {which}"] = _of_command(took)
                for which, took in _runs(bench, home, environment, events):
                    columns[f"{size(rows)}, Spark, {which}"] = _of_command(took) | {
                        **_of_cluster(took),
                        "executors' resident peak, MB": " + ".join(
                            f"{peak / MB:.0f}" for peak in cluster.peaks()
                        ),
                    }
    for part in columns[next(reversed(columns))]:
        yield {"part": part, **{name: column.get(part, "") for name, column in columns.items()}}


def _of_command(took: Mapping[str, float]) -> dict[str, str]:
    return {
        **{step: seconds(took[step]) for step in STEPS},
        "**whole command**": seconds(took["whole"]),
        "processor time of the command": seconds(took["cpu"]),
        "its peak memory, MB": f"{took['memory']:.0f}",
    }


def _of_cluster(took: Mapping[str, float]) -> dict[str, str]:
    return {
        "tasks of the cluster": f"{took['cluster tasks']:.0f}",
        "their processor time": seconds(took["cluster cpu"]),
        "rows read, million": f"{took['cluster rows'] / 1e6:.1f}",
        "shuffled, MB": f"{took['cluster shuffled'] / MB:.1f}",
        "spilled, MB": f"{took['cluster spilled'] / MB:.0f}",
        "most that a task held, MB": f"{took['cluster held'] / MB:.0f}",
    }


def _runs(
    bench: Bench, home: Settings, environment: dict[str, str], events: Events
) -> Iterator[tuple[str, dict[str, float]]]:
    def run() -> dict[str, float]:
        if environment:
            events.since()
        took = spot_oa_run(home, "flow", LIMIT, **environment)
        used = events.since() if environment else {}
        return took | {f"cluster {name}": value for name, value in used.items()}

    if not environment:
        home.warehouse.unlink(missing_ok=True)
    shutil.rmtree(home.data_dir, ignore_errors=True)
    yield "first", run()
    yield "later", bench.median(run)
