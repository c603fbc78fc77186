"""The cost of scoring a day, and the quality of its ranking on available labelled sets."""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from sklearn.ensemble import IsolationForest

from benchmarks.bench import DATE, LIMIT, Bench, seconds, size, spot_oa
from flows.run.dbt_runner import parse
from spot_oa.pipelines import get_pipeline
from tests.support.labelled_sets import READ, LabelledSet, capped, feedback, ranked

FEW = 1000
"""Rows of a day whose cost is that of the command itself."""
MEMORY = "1500MB"
OTHERS_UP_TO = 1_000_000
"""Maximum rows per day for which dns and proxy are measured."""
_SEED = 8
_SENT: Mapping[str, tuple[str, ...]] = {
    "flow": ("ibyt", "obyt"),
    "dns": ("frame_len",),
    "proxy": ("csbytes", "scbytes"),
}
_NO_FEATURES = {
    *("treceived", "tryear", "trmonth", "trday", "trhour", "trminute", "trsec"),
    *("frame_time", "unix_tstamp", "p_date", "p_time", "word", "score"),
}
"""Times, and fields that the scorer has added."""

Lines = Sequence[Sequence[str]]


def measure(bench: Bench) -> Iterator[dict[str, str]]:
    """Score a day of the demo without memory of earlier days, with the engine limited to 1.5 GB.

    dbt has parsed the project before, as it has for every day but the first. The cost of a day of
    a thousand rows is that of dbt and its nodes.
    """
    for pipeline in ("flow", "dns", "proxy"):
        few = 0.0
        for rows in (FEW, *bench.sizes):
            if pipeline != "flow" and rows > OTHERS_UP_TO:
                continue
            took = bench.median(lambda: _scored(bench, pipeline, rows))  # noqa: B023
            few = few or took["cpu"]
            yield {
                "pipeline": pipeline,
                "raw rows": size(rows),
                "N": size(LIMIT),
                "seconds": seconds(took["whole"]),
                "CPU time": seconds(took["cpu"]),
                f"more than {size(FEW)} rows": seconds(took["cpu"] - few),
                "peak memory, MB": f"{took['memory']:.0f}",
            }


def _scored(bench: Bench, pipeline: str, rows: int) -> Mapping[str, float]:
    settings = bench.home(pipeline, rows)
    warehouse = bench.folder / "scorer.duckdb"
    warehouse.unlink(missing_ok=True)
    parse(settings.model_copy(update={"memory_limit": MEMORY, "warehouse": warehouse}))
    own = {
        "SPOT_OA_MEMORY_LIMIT": MEMORY,
        "SPOT_OA_WAREHOUSE": str(warehouse),
        "SPOT_OA_ML_URI": str(bench.folder / "scorer-ml"),
    }
    arguments = ("score", pipeline, "--date", str(DATE), "--limit", str(LIMIT))
    _, took = spot_oa(settings, *arguments, **own)
    return took


def measure_quality(bench: Bench) -> Iterator[dict[str, str]]:
    """Measure the average precision on the labelled sets."""
    for file in _sets():
        labelled = LabelledSet(file)
        home = _emptied(bench.folder / "labelled" / file.stem)
        pipeline, days = labelled.lay_out(home)
        first = ranked(capped(home), pipeline, days[-1:])
        found = {name: labelled.measured(_other(first, pipeline, name)) for name in _OTHERS}
        found["first day"] = labelled.measured(first)
        (home / "warehouse.duckdb").unlink()
        found["with memory"] = labelled.measured(ranked(capped(home), pipeline, days))
        few = labelled.measured(ranked(capped(home, pair=3, service=10), pipeline, days[-1:]))
        yield {
            "set": file.stem,
            **{name: f"{each['AP']:.3f}" for name, each in found.items()},
            f"attacks in the first {READ}": few[f"episodes@{READ}"],
        }


def measure_feedback(bench: Bench) -> Iterator[dict[str, str]]:
    """Measure the effect of a day's labels on the next day's ranking, if the attacks continue."""
    for file in _sets():
        home = _emptied(bench.folder / "labelled" / f"{file.stem}-feedback")
        measured = {name: f"{ap:.3f}" for name, ap in feedback(LabelledSet(file), home)}
        yield {"set": file.stem, **measured}


def _sets() -> Sequence[Path]:
    reference = os.environ.get("SPOT_OA_REFERENCE_DIR", "")  # noqa: TID251 - no setting of a run
    found = sorted((Path(reference) / "labelled").glob("*.parquet")) if reference else []
    assert found, f"SPOT_OA_REFERENCE_DIR={reference}: there are no labelled sets"
    return found


def _emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _other(results: Path, pipeline: str, by: str) -> Path:
    """Rank the same rows by another method."""
    lines = results.read_text("utf-8").splitlines(keepends=True)
    order = _OTHERS[by]([line.rstrip("\n").split("\t") for line in lines], pipeline)
    other = results.with_name(f"{by}.csv")
    other.write_text("".join(lines[place] for place in np.argsort(order, kind="stable")), "utf-8")
    return other


def _at_random(lines: Lines, _: str) -> Sequence[float]:
    chance = random.Random(_SEED)
    return [chance.random() for _ in lines]


def _by_bytes(lines: Lines, pipeline: str) -> Sequence[float]:
    fields = get_pipeline(pipeline).results.fields
    places = [fields[name].index or 0 for name in _SENT[pipeline]]
    return [-sum(_number(line[place]) for place in places) for line in lines]


def _by_forest(lines: Lines, pipeline: str) -> Sequence[float]:
    """Rank with features: numbers as log(1 + x), text by rarity and length, without times."""
    features = []
    for name, field in get_pipeline(pipeline).results.fields.items():
        if field.index is None or name in _NO_FEATURES:
            continue
        values = [line[field.index] for line in lines]
        if field.type == "string" or "port" in name:
            often = Counter(values)
            features.append([-np.log2(often[value] / len(values)) for value in values])
            features.append([np.log1p(len(value)) for value in values])
        else:
            features.append([np.log1p(_number(value)) for value in values])
    forest = IsolationForest(n_estimators=200, random_state=_SEED)
    table = np.array(features).T
    return list(forest.fit(table).score_samples(table))


def _number(text: str) -> float:
    try:
        return max(float(text), 0.0)
    except ValueError:
        return 0.0


_OTHERS = {"random": _at_random, "bytes": _by_bytes, "IsolationForest": _by_forest}
