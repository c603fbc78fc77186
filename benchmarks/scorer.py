"""What scoring a day costs, and how well it ranks the days of labelled sets that are at hand."""

from __future__ import annotations

import importlib.util
import os
import random
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks.bench import DATE, LIMIT, Bench, seconds, size, spot_oa
from spot_oa.pipelines import get_pipeline
from spot_oa.settings import load_settings

OTHERS_UP_TO = 1_000_000
"""Larger days of dns and proxy are not measured."""
_ALL = 10_000_000
"""More rows than any labelled day has."""
_FIRST = 100


def measure(bench: Bench) -> Iterator[dict[str, str]]:
    """A day of the demo's network without a memory, engine limited to 2 GB."""
    for pipeline in ("flow", "dns", "proxy"):
        for rows in bench.sizes:
            if pipeline != "flow" and rows > OTHERS_UP_TO:
                continue
            settings = bench.home(pipeline, rows)
            arguments = ("score", pipeline, "--date", str(DATE), "--limit", str(LIMIT))
            own = {
                "SPOT_OA_MEMORY_LIMIT": "2GB",
                "SPOT_OA_WAREHOUSE": str(bench.folder / "scorer.duckdb"),
                "SPOT_OA_ML_URI": str(bench.folder / "scorer-ml"),
            }
            Path(own["SPOT_OA_WAREHOUSE"]).unlink(missing_ok=True)
            _, took = spot_oa(settings, *arguments, **own)
            yield {
                "pipeline": pipeline,
                "raw rows": size(rows),
                "N": size(LIMIT),
                "seconds": seconds(took["whole"]),
                "CPU time": seconds(took["cpu"]),
                "peak memory, MB": f"{took['memory']:.0f}",
            }


def measure_quality(bench: Bench) -> Iterator[dict[str, str]]:
    """Average precision on the labelled sets below `SPOT_OA_REFERENCE_DIR`, if there are any."""
    reference = os.environ.get("SPOT_OA_REFERENCE_DIR", "")  # noqa: TID251 - no setting of a run
    folder = Path(reference) / "labelled"
    sets = sorted(folder.glob("*.parquet")) if reference else []
    for file in sets:
        lay_out, evaluate = _module(folder / "lay_out.py"), _module(folder / "evaluate.py")
        home = bench.folder / "labelled" / file.stem
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        pipeline, days = lay_out.lay_out(str(file), str(home))
        found: dict[str, Any] = {}
        for name, dates, limit in (
            ("first day", days[-1:], 0),
            ("with memory", days, 0),
            ("with the caps", days[-1:], 3),
        ):
            if name != "with the caps":
                (home / "warehouse.duckdb").unlink(missing_ok=True)
            for day in dates:
                spot_oa(
                    load_settings(home=home), "score", pipeline, "--date", str(day),
                    "--limit", str(_ALL), SPOT_OA_ROWS_PER_PAIR=str(limit),
                    SPOT_OA_ROWS_PER_SERVICE=str(10 if limit else 0),
                )  # fmt: skip
            results = _results(home, pipeline, days[-1].strftime("%Y%m%d"))
            found[name] = evaluate.evaluate(str(file), str(results))
            if name == "first day":
                found |= {
                    other: evaluate.evaluate(str(file), str(_ordered(results, pipeline, other)))
                    for other in ("random", "bytes")
                }
        yield {
            "set": file.stem,
            **{name: f"{found[name]['AP']:.3f}" for name in ("random", "bytes")},
            **{name: f"{found[name]['AP']:.3f}" for name in ("first day", "with memory")},
            f"attacks in the first {_FIRST}": found["with the caps"][f"episodes@{_FIRST}"],
        }


def _results(home: Path, pipeline: str, day: str) -> Path:
    folder = home / "ml" / pipeline / "scored_results" / day / "scores"
    return folder / f"{pipeline}_results.csv"


def _ordered(results: Path, pipeline: str, by: str) -> Path:
    """The same rows in random order, or those with the most bytes first."""
    lines = results.read_text("utf-8").splitlines(keepends=True)
    if by == "random":
        random.Random(8).shuffle(lines)
    else:
        names = {"flow": ("ibyt", "obyt"), "dns": ("frame_len",), "proxy": ("csbytes", "scbytes")}
        fields = get_pipeline(pipeline).results.fields
        places = [fields[name].index or 0 for name in names[pipeline]]
        lines.sort(key=lambda line: -_sum(line.rstrip("\n").split("\t"), places))
    other = results.with_name(f"{by}.csv")
    other.write_text("".join(lines), "utf-8")
    return other


def _sum(values: Sequence[str], places: Sequence[int]) -> float:
    return sum(float(values[place]) for place in places if values[place] != "null")


def _module(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
