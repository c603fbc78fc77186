"""Runs that are killed or ended at any moment, while a reader looks at the day all the time."""

from __future__ import annotations

import hashlib
import json
import random
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from spot_oa.demo import DEMO_DATES
from tests.support.disturbed import NEW, OLD, leftovers
from tests.support.published import digests
from tests.support.warm import Process, Warm

FIRST, SECOND = DEMO_DATES
INTERRUPTED = "spot-oa: interrupted; no day is partly published: run it again\n"
AFTER = ("", "prepare", "land", "reputation", "dbt build", "publish")
"""Parts of a run by the step whose end they follow: dbt comes after reputation, say."""


@pytest.mark.parametrize(
    "pipeline",
    ["flow", *(pytest.param(name, marks=pytest.mark.thorough) for name in ("proxy", "dns"))],
)
def test_whenever_a_run_ends_the_day_is_whole_and_a_rerun_makes_it_new(
    home: Path, runs: Warm, pipeline: str, moments: int, seed: int
) -> None:
    print(f"moments of {pipeline}: --moments {moments} --seed {seed}")
    chance = random.Random(f"{seed} {pipeline}")
    day = home / "data" / pipeline / f"{FIRST:%Y%m%d}"
    days = {OLD: digests(day)}
    parts = (chance.sample(AFTER, len(AFTER)) * (moments // len(AFTER) + 1))[:moments]
    # What is imported before a run begins is only there where a user starts it.
    lasting = followed(start(runs, home, pipeline, NEW, cold="" in parts))
    days[NEW] = digests(day)
    assert days[OLD] != days[NEW]
    before, other = inventory(home), digests(day.with_name(f"{SECOND:%Y%m%d}"))
    limits = [OLD, NEW]
    for number, part in enumerate(parts):
        # Each part meets both in turn.
        signum = (signal.SIGKILL, signal.SIGTERM)[(number + number // len(AFTER)) % 2]
        moment = chance.uniform(0, lasting[part])
        wanted = limits[number % 2]
        what = f"{signum.name} {moment:.3f} s after {part or 'the start'}"
        with reading(day, days) as seen:
            run = start(runs, home, pipeline, wanted, cold=part == "")
            if part:
                run.until(f": {part}: ")
            time.sleep(moment)
            code = end(run, signum)
            stands = digests(day)
            assert stands in days.values(), what
            # Before it begins and when it is over, the interpreter dies of any signal.
            assert code in (0, 1, -signum), what
            if code != -signum:
                assert run.err.read_text("utf-8") == (INTERRUPTED if code else ""), what
            rerun = start(runs, home, pipeline, wanted)
            lasting |= followed(rerun) | {"": lasting[""]}
            assert "waiting" not in rerun.out.read_text("utf-8"), what
        assert digests(day) == days[wanted], what
        assert seen.wrong == [], what
        assert seen.whole > 0, what
        if wanted == NEW:
            assert inventory(home) == before, what
        assert leftovers(home, home / "data") == [], what
        print(f"{what}: exit {code}, {seen.whole} whole days read")
    assert digests(day.with_name(f"{SECOND:%Y%m%d}")) == other


def start(runs: Warm, home: Path, pipeline: str, limit: int, *, cold: bool = False) -> Process:
    arguments = ["run", pipeline, "--date", str(FIRST), "--limit", str(limit)]
    return runs.start(home, *arguments, cold=cold)


def end(run: Process, signum: signal.Signals) -> int:
    # A run that is over is still there as long as nobody has waited for it.
    run.send(signum)
    return run.wait()


def followed(run: Process) -> dict[str, float]:
    """Wait for its end; how long it took from the end of each step to that of the next."""
    marks = [time.monotonic()]
    for part in AFTER[1:]:
        assert run.until(f": {part}: "), run.err.read_text("utf-8")
        marks.append(time.monotonic())
    assert run.wait() == 0, run.err.read_text("utf-8")
    marks.append(time.monotonic())
    return {part: marks[n + 1] - marks[n] for n, part in enumerate(AFTER)}


class Seen:
    """What a reader saw."""

    def __init__(self) -> None:
        self.whole = 0
        self.wrong: list[str] = []


@contextmanager
def reading(day: Path, days: Mapping[int, Mapping[str, str]]) -> Iterator[Seen]:
    """Read the day over and over: each file is there and whole, and all belong to the manifest."""
    seen, over = Seen(), threading.Event()

    def read() -> None:
        while not over.wait(0.05):
            try:
                before = (day / "manifest.json").read_bytes()
                found = {
                    name: hashlib.sha256((day / name).read_bytes()).hexdigest()
                    for name in days[OLD]
                }
                after = (day / "manifest.json").read_bytes()
            except OSError as error:
                seen.wrong.append(str(error))
                continue
            if any(
                digest not in {d[name] for d in days.values()} for name, digest in found.items()
            ):
                seen.wrong.append("a file that is neither the old one nor the new one")
            if before == after:
                seen.whole += 1
                if found != days[json.loads(before)["limit"]]:
                    seen.wrong.append("files that are not of their manifest")

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield seen
    finally:
        over.set()
        reader.join()


def inventory(home: Path) -> list[tuple[object, ...]]:
    """Every table of the warehouse, and how many rows it has of each date, but for the audit."""
    found: list[tuple[object, ...]] = []
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        tables = connection.execute(
            "select table_schema || '.' || table_name, table_type, "
            "bool_or(column_name = 'd') and table_type = 'BASE TABLE' "
            "from information_schema.tables join information_schema.columns "
            "using (table_schema, table_name) where table_name <> 'run_audit' "
            "group by table_schema, table_name, table_type order by 1"
        ).fetchall()
        for table, kind, dated in tables:
            by = "select y, m, d, count(*) from {} group by all order by all"
            counts = connection.execute(by.format(table)).fetchall() if dated else []
            found.append((table, kind, counts))
    return found
