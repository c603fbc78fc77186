"""A day of flows on a Spark cluster on this machine, and on DuckDB."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.bench import LIMIT, Bench, seconds, size, spot_oa_run
from spot_oa.settings import Settings
from tests.support.spark import HOST, Cluster

STEPS = ("prepare", "land", "geo", "network_context", "reputation", "dbt build", "publish")


def measure(bench: Bench) -> Iterator[dict[str, str]]:
    """Each size on both: the first run, which makes the tables, and later ones."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Cluster(Path(folder) / "cluster", small=False) as cluster,
    ):
        for rows in bench.sizes:
            home = bench.home("flow", rows)
            environment = {
                "SPOT_OA_TARGET": "spark",
                "SPOT_OA_SPARK_HOST": HOST,
                "SPOT_OA_SPARK_PORT": str(cluster.port),
                "SPOT_OA_SCHEMA_PREFIX": f"rows{rows}_",
            }
            for name, given in (("DuckDB", {}), ("Spark", environment)):
                first, later = _runs(bench, home, given)
                for which, took in (("first", first), ("later", later)):
                    yield {
                        "raw rows": size(rows),
                        "engine": name,
                        "run": which,
                        **{step: seconds(took[step]) for step in STEPS},
                        "whole": seconds(took["whole"]),
                        "processor time of the command": seconds(took["cpu"]),
                        "its peak memory, MB": f"{took['memory']:.0f}",
                    }


def _runs(
    bench: Bench, home: Settings, environment: dict[str, str]
) -> tuple[dict[str, float], dict[str, float]]:
    if not environment:
        home.warehouse.unlink(missing_ok=True)
    shutil.rmtree(home.data_dir, ignore_errors=True)
    first = spot_oa_run(home, "flow", LIMIT, **environment)
    return first, bench.median(lambda: spot_oa_run(home, "flow", LIMIT, **environment))
