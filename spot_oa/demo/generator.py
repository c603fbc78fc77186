"""Write the demo block by block, so that memory does not grow with the day."""

from __future__ import annotations

import datetime as dt
import hashlib
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product, zip_longest
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spot_oa.dates import Slice
from spot_oa.demo.network import Floats
from spot_oa.demo.stories import Event, planted
from spot_oa.demo.telemetry import DRAWS, batch, word
from spot_oa.errors import ConfigError, printable
from spot_oa.ingest.store import Stage, Store
from spot_oa.pipelines import Pipeline, load_pipelines
from spot_oa.settings import Settings, load_settings

DEMO_DATES = (dt.date(2016, 7, 8), dt.date(2016, 7, 9))
MARK = ".spot-oa-demo"
"""File that marks a home as the demo's own."""
BLOCK = 500_000
"""Rows in memory at a time, and in a row group."""
LINES = 200_000
"""Results lines generated at a time."""
CONTEXT = Path(__file__).parent / "context"
"""Context files of the network's addresses."""
_DASHED = {"flow": "tdur", "proxy": "duration", "dns": "frame_len"}
"""The results column whose NULL is written `-`, as some sensors do."""
BROKEN_LINE = 4
"""Index of the results line that is cut off, so that the quarantine is not empty."""

# Events of each hour (UTC), relative: nightly jobs, a working day, a lunch break.
_RHYTHM = np.array(
    [18, 16, 15, 14, 15, 19, 30, 52, 78, 88, 90, 84, 66, 80, 88, 84, 74, 58, 42, 34, 30, 27, 24, 21]
)
_BEFORE = np.concatenate([[0], np.cumsum(_RHYTHM)]) / _RHYTHM.sum()


@dataclass(frozen=True, slots=True)
class Day:
    """The written files of one pipeline and date.

    Attributes:
        pipeline: flow, proxy or dns.
        date: The day.
        events: Rows of telemetry.
        lines: Lines of results.
        raw: The folder of the day's telemetry.
        results: The path of the results file, existing or not.
        planted: Story (a key of `STORIES`) -> number of its events in the telemetry.
        told: Story -> number of its events in the results, including the line that is cut off.
    """

    pipeline: str
    date: dt.date
    events: int
    lines: int
    raw: Path
    results: Path
    planted: Mapping[str, int]
    told: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Generated:
    """The home and the written days."""

    home: Path
    days: tuple[Day, ...]


def generate(
    home: Path,
    *,
    dates: Sequence[dt.date] = DEMO_DATES,
    pipelines: Sequence[str] = tuple(DRAWS),
    rows_per_day: int = 20_000,
    suspicious: int | None = None,
    seed: int = 1,
) -> Generated:
    """Write telemetry and context files of the demo network below `home`.

    The same arguments give the same bytes, and a day's files depend on its date, the sizes and
    the seed only. Files of the same pipelines and dates, and the context files, are replaced.

    Args:
        home: Parent of `raw`, `ml` and `context`; created if missing.
        dates: The days to generate.
        pipelines: Any of flow, proxy and dns.
        rows_per_day: Events of each pipeline and day; planted events are always written.
        suspicious: Results lines of each pipeline and day, including the line that is cut off, like
            those of another scorer, for tests and benchmarks. None writes no results, for the
            built-in scorer.
        seed: Seed of the random numbers; another seed varies the course of the same stories.

    Returns:
        The written days.

    Raises:
        ConfigError: An argument is invalid, or `home` cannot be written.
    """
    lines = 0 if suspicious is None else suspicious
    _check(dates, pipelines, rows_per_day=rows_per_day, suspicious=lines, seed=seed)
    try:
        for known in CONTEXT.rglob("*.csv"):
            copy = home / "context" / known.relative_to(CONTEXT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(known, copy)
        described = load_pipelines()
        days = [
            _write_day(
                home, described[name], date, rows=rows_per_day, suspicious=suspicious, seed=seed
            )
            for name in dict.fromkeys(pipelines)
            for date in dict.fromkeys(dates)
        ]
    except OSError as error:
        reason = printable(error)
        raise ConfigError(f"demo home {home}: {reason}; choose a folder you can write") from error
    return Generated(home, tuple(days))


def demo_settings(home: Path) -> Settings:
    """Return settings for running the demo below `home`, regardless of other configuration.

    Args:
        home: A folder only for the demo, which is marked as such.

    Returns:
        Settings in which every path is below `home`.

    Raises:
        ConfigError: `home` contains other data, which the demo would replace.
    """
    mark = home / MARK
    if not mark.exists():
        own = [name for name in ("raw", "ml", "context") if (home / name).exists()]
        if own:
            raise ConfigError(
                f"SPOT_OA_HOME={home} contains your own data ({', '.join(own)}), which the demo "
                "would replace; set SPOT_OA_HOME to another folder"
            )
        try:
            home.mkdir(parents=True, exist_ok=True)
            mark.write_text("spot-oa demo: its files are replaced when the demo is run again\n")
        except OSError as error:
            reason = printable(error)
            raise ConfigError(
                f"demo home {home}: {reason}; choose a folder you can write"
            ) from error
    return load_settings(
        home=home,
        raw_uri=str(home / "raw"),
        ml_uri=str(home / "ml"),
        context_dir=home / "context",
        geo_db=(),
        data_dir=home / "data",
        warehouse=home / "warehouse.duckdb",
        pipelines_dir=None,
        # The demo's scanner comes from outside.
        score_inbound=1,
    )


def _check(dates: Sequence[dt.date], pipelines: Sequence[str], **numbers: int) -> None:
    for name, number in numbers.items():
        if number < 0:
            raise ConfigError(f"demo {name}={number}: it cannot be negative")
    if numbers["suspicious"] > numbers["rows_per_day"]:
        shown = " > ".join(f"{name}={numbers[name]}" for name in ("suspicious", "rows_per_day"))
        raise ConfigError(f"demo {shown}: there cannot be more results than events; lower it")
    if not dates or not pipelines:
        raise ConfigError("demo: name at least one date and one pipeline")
    for name in pipelines:
        if name not in DRAWS:
            known = ", ".join(DRAWS)
            raise ConfigError(f"demo pipeline {printable(name)!r} is unknown: use {known}")


def _write_day(
    home: Path, pipeline: Pipeline, date: dt.date, *, rows: int, suspicious: int | None, seed: int
) -> Day:
    events = planted(pipeline.name, date, seed)
    ordinary = max(rows - len(events), 0)
    lines = suspicious or 0
    # Half of the lines are events of stories, and more only if there are no other events.
    told = min(len(events), max(lines // 2, lines - ordinary))
    events = _scored(events, told)
    kept = []
    store = Store(home / "raw", compression="snappy")
    raw = _emptied(store.root / pipeline.name, date, pipeline.telemetry.digits)
    stage = store.stage()
    for hour in range(24):
        key = [seed, date.toordinal(), list(DRAWS).index(pipeline.name), hour]
        rng = np.random.default_rng(np.random.SeedSequence(key))
        count = int(ordinary * _BEFORE[hour + 1]) - int(ordinary * _BEFORE[hour])
        own = [event for event in events if event.second // 3600 == hour]
        start = dt.datetime.combine(date, dt.time(hour), dt.UTC)
        hourly = _write_hour(stage, pipeline, rng, start=start, count=count, events=own)
        for block, score, others in hourly:
            # Each block's share, rounded up; the surplus is dropped when the day is sorted.
            share = -((told - lines) * others // max(ordinary, 1))
            told_here = int(np.isfinite(score).sum()) - others
            kept.append(_rarest(block, score, told_here + share))
    _commit(store, stage, pipeline, date, f"{seed} {rows} {lines}")
    results = Path(pipeline.results_uri(str(home / "ml"), Slice(pipeline.name, date)))
    shutil.rmtree(results.parent, ignore_errors=True)
    if suspicious is not None:
        _write_results(results, pipeline, kept, lines)
    return Day(
        pipeline.name,
        date,
        ordinary + len(events),
        lines,
        raw,
        results,
        Counter(event.story for event in events),
        Counter(event.story for event in events if np.isfinite(event.score)),
    )


def _scored(events: Sequence[Event], told: int) -> list[Event]:
    """Give `told` events scores below all ordinary ones, alternating between stories."""
    stories: dict[str, list[Event]] = {}
    for event in events:
        stories.setdefault(event.story, []).append(event)
    turns = [event for turn in zip_longest(*stories.values()) for event in turn if event]
    first = [event._replace(score=i * 1.37e-12) for i, event in enumerate(turns[:told], 1)]
    return first + turns[told:]


def _emptied(root: Path, date: dt.date, digits: int) -> Path:
    """Delete the day below `root`, in any spelling, and return its folder."""
    for month, day in product(("", "02"), repeat=2):
        old = root / f"y={date.year}" / f"m={date.month:{month}}" / f"d={date.day:{day}}"
        if old.exists():
            shutil.rmtree(old)
    return root / f"y={date.year}" / f"m={date.month:0{digits}}" / f"d={date.day:0{digits}}"


def _commit(store: Store, stage: Stage, pipeline: Pipeline, date: dt.date, how: str) -> None:
    """Move the day into place like an ingest, replacing an earlier demo."""
    key = hashlib.sha256(f"demo {pipeline.name} {date}".encode()).hexdigest()[:32]
    digest = hashlib.sha256(f"{key} {how}".encode()).hexdigest()
    rows = sum(stage.rows.values())
    end = dt.datetime.combine(date, dt.time(), dt.UTC) + dt.timedelta(days=1)
    moves = stage.finish(f"demo-main-{key[:16]}-0")
    entry = {
        "key": key,
        "source": "demo",
        "version": "",
        "sensor": "main",
        "path": f"demo {pipeline.name} {date}",
        "bytes": rows,
        "sha256": digest,
        "lines": rows,
        "rows": {pipeline.name: rows},
        "refused": 0,
        "newest": {pipeline.name: (end - dt.timedelta(seconds=1)).isoformat()},
        # Not the current time, so that the same demo has the same bytes.
        "taken": end.isoformat(),
        "files": sorted(moves.values()),
    }
    with store.locked():
        store.commit(stage, moves, entry, store.entries(key))


def _write_hour(
    stage: Stage,
    pipeline: Pipeline,
    rng: np.random.Generator,
    *,
    start: dt.datetime,
    count: int,
    events: Sequence[Event],
) -> Iterator[tuple[pa.RecordBatch, Floats, int]]:
    """Write `count` ordinary events and the planted ones of an hour, in order of time.

    Yields:
        Blocks: the events, their scores (infinite: not in the results), number of ordinary ones.
    """
    own = [event.second - 3600 * start.hour for event in events]
    # 16 bits, because numpy uses radix sort for them.
    drawn = np.concatenate([own, rng.integers(0, 3600, count)]).astype(np.int16)
    order = np.argsort(drawn, kind="stable")
    places = {int(row): events[order[row]] for row in np.flatnonzero(order < len(own))}
    seconds = drawn[order].astype(np.int32) + 3600 * start.hour
    midnight = int(start.timestamp()) - 3600 * start.hour
    for first in range(0, len(seconds), BLOCK):
        part = seconds[first : first + BLOCK]
        here = {row - first: e for row, e in places.items() if 0 <= row - first < BLOCK}
        values = {row: event.values for row, event in here.items()}
        block, score = batch(pipeline, rng, start.date(), part, values)
        when = pa.array((midnight + part.astype(np.int64)) * 1_000_000)
        stage.add(pipeline.name, pipeline.telemetry.digits, pa.table(block), when)
        score[list(here)] = [event.score for event in here.values()]
        yield block, score, len(score) - len(here)


def _rarest(rows: pa.RecordBatch, score: Floats, count: int) -> pa.Table:
    """Return the `count` rows with the lowest scores."""
    chosen = np.argpartition(score, max(count - 1, 0))[:count]
    rows = pa.table(rows).append_column("score", pa.array(score))
    return rows.take(pa.array(chosen))


def _write_results(path: Path, pipeline: Pipeline, kept: Sequence[pa.Table], count: int) -> None:
    """Write `count` rows like the scorer: tab separated, ascending by score, without quotes."""
    rows = pa.concat_tables(kept)
    order = np.argsort(rows["score"].to_numpy(), kind="stable")[:count]
    path.parent.mkdir(parents=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        for start in range(0, count, LINES):
            lines = _lines(pipeline, rows.take(pa.array(order[start : start + LINES])))
            if start == 0 and count > BROKEN_LINE:
                lines[BROKEN_LINE] = lines[BROKEN_LINE].rpartition("\t")[0]
            file.writelines(f"{line}\n" for line in lines)


def _lines(pipeline: Pipeline, rows: pa.Table) -> list[str]:
    """Return results lines without line ends."""
    fields = {name: f.index for name, f in pipeline.results.fields.items() if f.index is not None}
    texts = []
    for name in sorted(fields, key=fields.__getitem__):
        column = word(rows) if name == "word" else rows[name]
        text = java_text(column) if pa.types.is_floating(column.type) else column.cast(pa.string())
        texts.append(text.fill_null("-" if name == _DASHED[pipeline.name] else "null"))
    return list(pc.binary_join_element_wise(*texts, "\t").to_pylist())


def java_text(numbers: pa.Array) -> pa.Array:
    """Format numbers like Java's Double or Float: `0.5`, `1.2E-7`, `100.0`.

    Args:
        numbers: Floating point, each NULL, 0 or in [1e-99, 1e7); shape (n,).

    Returns:
        Texts, shape (n,); NULL stays NULL.
    """
    text = numbers.cast(pa.string())
    # Arrow writes the same digits, but uses exponents below 1e-6, Java below 1e-3.
    for pattern, replacement in (
        (r"^(\d+)$", r"\1.0"),
        (r"^0\.000([1-9])(\d*)$", r"\1.\2E-4"),
        (r"^0\.0000([1-9])(\d*)$", r"\1.\2E-5"),
        (r"^0\.00000([1-9])(\d*)$", r"\1.\2E-6"),
        (r"^(\d)\.?(\d*)e", r"\1.\2E"),
    ):
        text = pc.replace_substring_regex(text, pattern=pattern, replacement=replacement)
    return pc.replace_substring(text, pattern=".E", replacement=".0E")
