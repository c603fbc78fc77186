"""Broken inputs: an error in one line or a quarantined line, never a crash or half a day."""

from __future__ import annotations

import datetime as dt
import io
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import hypothesis
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from flows.run.runner import run_day
from flows.run.tables import python_tables
from python_enrichers import load_enricher
from spot_oa import lines, results_reader
from spot_oa.dates import Slice
from spot_oa.demo import DEMO_DATES
from spot_oa.errors import BuildError, LandingError, SpotOaError, WarehouseError
from spot_oa.landing import land
from spot_oa.pipelines import get_pipeline, load_pipelines
from spot_oa.results_reader import ResultsReader
from spot_oa.settings import Settings, load_settings
from spot_oa.warehouse import open_warehouse
from tests.support import days
from tests.support.oracle.context import Context, registered_domain
from tests.support.oracle.results import take
from tests.support.published import digests
from tests.support.report import Told

FIRST, _ = DEMO_DATES
PIPELINES = ("flow", "proxy", "dns")
MANY = 50


def generated(moments: int) -> hypothesis.settings:
    return hypothesis.settings(
        max_examples=MANY * moments,
        derandomize=moments < 3,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


JUNK = [b"\0", b"\xff\xfe", b"\xc3", b"\r", b"\r\n", b"\n", b"\t", b"null", b'"', b"\xef\xbb\xbf"]
JUNK += ["\u2028".encode(), b"x" * 5000, b"\x1a", b"\x0b\x0c\x1c\x85", b"\xed\xa0\x80"]


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_any_results_file_is_taken_as_the_rules_say(pipeline: str, moments: int) -> None:
    junk = st.lists(st.tuples(st.floats(0, 1), st.sampled_from(JUNK)), max_size=4)

    @generated(moments)
    @given(days.results(pipeline, FIRST), junk, st.sampled_from([500, 3, 1]))
    def is_taken(data: bytes, junk: list[tuple[float, bytes]], limit: int) -> None:
        for where, bad in junk:
            at = int(where * len(data))
            data = data[:at] + bad + data[at:]
        reader = ResultsReader([io.BytesIO(data)], get_pipeline(pipeline).results, limit)
        rows, rejects = [], []
        for taken, refused in reader:
            rows += taken.to_pylist()
            rejects += [(row["line_no"], row["line"]) for row in refused.to_pylist()]
        wanted = take(pipeline, data, limit)
        assert rows == wanted.rows
        assert rejects == wanted.rejects
        assert +reader.bad_values == wanted.bad_values
        assert (reader.invalid_utf8, reader.sha256) == (wanted.invalid_utf8, wanted.sha256)

    is_taken()


def test_a_line_of_ten_megabytes_is_quarantined_and_the_others_taken() -> None:
    line = "\t".join(days.RESULT["dns"](FIRST)[0].values()).encode()
    data = b"\n".join([line, b"x\t" * 5_000_000, line.replace(b"www", b"\0\xff"), line])
    reader = ResultsReader([io.BytesIO(data)], get_pipeline("dns").results, 500)
    batches = list(reader)
    assert (reader.rows, reader.rejected, reader.invalid_utf8) == (3, 1, 1)
    assert reader.sha256 == take("dns", data, 500).sha256
    (reject,) = [row for _, rejects in batches for row in rejects.to_pylist()]
    assert (reject["line_no"], len(reject["line"])) == (2, 10_000_000)


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_any_context_files_say_what_the_rules_say(
    pipeline: str, moments: int, tmp_path: Path
) -> None:
    kind, values = {
        "flow": ("address", days.ADDRESSES),
        "proxy": ("uri", days.URIS),
        "dns": ("name", days.NAMES),
    }[pipeline]

    @generated(moments)
    @given(days.contexts(pipeline))
    def say(files: dict[str, bytes]) -> None:
        shutil.rmtree(tmp_path / "context", ignore_errors=True)
        for name, data in files.items():
            file = tmp_path / "context" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        settings, context = load_settings(home=tmp_path), Context(files)

        def enriched(step: str, kind: str, values: list[str], *columns: str) -> dict[str, tuple]:
            found = load_enricher(step, settings).enrich({kind: values})
            for outcome in found.outcomes:
                assert outcome.skipped == context.skipped.get(outcome.source, 0), outcome
            frame = next(iter(found.tables.values()))
            rows = frame[[frame.columns[0], *columns]].itertuples(index=False)
            return {row[0]: tuple(row[1:]) for row in rows}

        made = enriched("network_context", "address", days.ADDRESSES, "is_internal", "label")
        assert made == {ip: (context.is_internal(ip), context.label(ip)) for ip in days.ADDRESSES}
        made = enriched("geo", "address", days.ADDRESSES, "geoloc", "domain")
        assert made == {ip: (context.geoloc(ip), context.ip_domain(ip)) for ip in days.ADDRESSES}
        made = enriched("reputation", kind, values, "reputation")
        assert made == {value: (context.reputation(kind, value),) for value in values}
        made = enriched("domain", "name", days.NAMES, "registered_domain")
        assert made == {name: (registered_domain(name),) for name in days.NAMES}

    say()


SPOIL = """
import random, sys
from pathlib import Path
from spot_oa.dates import parse_date
from spot_oa.errors import SpotOaError
from spot_oa.pipelines import get_pipeline
from spot_oa.settings import load_settings
from spot_oa.warehouse import open_warehouse
import duckdb
raw, file, times, seed = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
whole, chance = file.read_bytes(), random.Random(seed)
path = raw.parent / "spoilt.duckdb"
warehouse = open_warehouse(load_settings(raw_uri=str(raw), warehouse=path))
for _ in range(times):
    data = bytearray(whole)
    if chance.random() < 0.2:
        del data[chance.randrange(len(data)):]
    else:
        # The footer, which tells where everything is, is hit as often as all the rest.
        least = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
        for _ in range(chance.randrange(1, 9)):
            at = chance.randrange(chance.choice([0, least]), len(data))
            data[at] ^= 1 << chance.randrange(8)
    file.write_bytes(data)
    try:
        warehouse.expose_telemetry(get_pipeline("flow"), [parse_date(sys.argv[5])])
        with duckdb.connect(str(path)) as connection:
            connection.execute("select hash(columns(*)) from raw.flow").fetchall()
        print("read")
    except (SpotOaError, duckdb.Error) as error:
        print(type(error).__name__, len(str(error).splitlines()), repr(str(error)))
"""


@pytest.fixture
def flow(ran: Path, tmp_path: Path) -> Settings:
    """A home of one's own with a published day of flow."""
    copy = tmp_path / "home"
    shutil.copytree(ran, copy)
    return load_settings(home=copy)


def parquet(settings: Settings) -> Path:
    month = Path(settings.raw_uri) / "flow" / f"y={FIRST.year}" / f"m={FIRST.month}"
    return sorted((month / f"d={FIRST.day}").glob("*/*.parquet"))[12]


def test_spoilt_parquet_never_ends_the_process(flow: Settings, moments: int, seed: int) -> None:
    arguments = [flow.raw_uri, str(parquet(flow)), str(MANY * moments), str(seed), str(FIRST)]
    done = subprocess.run(
        [sys.executable, "-c", SPOIL, *arguments], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said = done.stdout.splitlines()
    assert len(said) == MANY * moments
    refused = [line for line in said if line.startswith("WarehouseError")]
    assert refused
    assert all(line.startswith("WarehouseError 1 ") for line in refused)
    assert all("not readable Parquet" in line for line in refused)


def test_a_broken_page_stops_the_run_and_the_mended_file_lets_it_go_on(flow: Settings) -> None:
    day = flow.data_dir / "flow" / f"{FIRST:%Y%m%d}"
    before, file = digests(day), parquet(flow)
    whole = file.read_bytes()
    column = pq.ParquetFile(file).metadata.row_group(0).column(9)
    start = column.dictionary_page_offset or column.data_page_offset
    spoilt = bytearray(whole)
    spoilt[start : start + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    file.write_bytes(spoilt)
    with pytest.raises(BuildError) as caught:
        run_day(flow, "flow", FIRST, Told())
    # DuckDB does not say which file it was; two models read it, whichever fails first.
    readers = r"dbt model (int_flow__traffic_filtered|flow_ingest_summary) failed"
    assert re.match(readers, str(caught.value))
    assert "\n" not in str(caught.value)
    assert digests(day) == before
    file.write_bytes(whole)
    run_day(flow, "flow", FIRST, Told(), limit=30)
    assert digests(day) == before


def in_the_way(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
    path.unlink(missing_ok=True)
    path.mkdir()


@pytest.mark.parametrize(
    "find",
    [
        lambda s: s.context_dir / "ipranges.csv",
        lambda s: next((s.context_dir / "reputation").glob("*.csv")),
        lambda s: s.warehouse,
    ],
    ids=["ipranges", "feed", "warehouse"],
)
def test_a_folder_where_a_file_should_be(flow: Settings, find: Callable[[Settings], Path]) -> None:
    path = find(flow)
    before = digests(flow.data_dir / "flow" / f"{FIRST:%Y%m%d}")
    in_the_way(path)
    with pytest.raises(SpotOaError) as caught:
        run_day(flow, "flow", FIRST, Told())
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert digests(flow.data_dir / "flow" / f"{FIRST:%Y%m%d}") == before


def test_a_results_file_that_grows_while_it_is_read(settings: Settings) -> None:
    pipeline, part = get_pipeline("dns"), Slice("dns", FIRST)
    line = "\t".join(days.RESULT["dns"](FIRST)[0].values()) + "\n"
    file = Path(pipeline.results_uri(settings.ml_uri, part))
    file.parent.mkdir(parents=True)
    file.write_text(line * 3)
    warehouse = open_warehouse(settings)
    warehouse.prepare(python_tables(load_pipelines()))
    land(pipeline, part, settings.ml_uri, 500, warehouse)

    def grow(_: str) -> None:
        if file.stat().st_size < len(line) * 4:
            with file.open("a") as more:
                more.write(line)

    with pytest.raises(LandingError, match="changed while it was read") as caught:
        land(pipeline, part, settings.ml_uri, 500, warehouse, progress=grow)
    assert caught.value.transient
    assert str(file) in str(caught.value)
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        assert connection.execute("select count(*) from raw.dns_results").fetchall() == [(3,)]
    # What is taken before the limit is what it is, whatever is appended.
    file.write_text(line * 3)
    assert land(pipeline, part, settings.ml_uri, 3, warehouse, progress=grow).rows == 3


def test_a_file_that_is_one_endless_line_is_named(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline, part = get_pipeline("dns"), Slice("dns", dt.date(2016, 7, 8))
    file = Path(pipeline.results_uri(settings.ml_uri, part))
    file.parent.mkdir(parents=True)
    file.write_bytes(b"x" * (results_reader.FIRST_BLOCK + 1))
    monkeypatch.setattr(lines, "MAX_LINE", 1000)
    warehouse = open_warehouse(settings)
    warehouse.prepare(python_tables(load_pipelines()))
    with pytest.raises(LandingError) as caught:
        land(pipeline, part, settings.ml_uri, 500, warehouse)
    assert str(file) in str(caught.value)


def test_a_spoilt_warehouse_is_not_said_to_be_open_elsewhere(flow: Settings) -> None:
    data = bytearray(flow.warehouse.read_bytes())
    for at in range(12288, len(data), 4096):
        data[at] ^= 255
    flow.warehouse.write_bytes(data)
    with pytest.raises(WarehouseError, match=r"cannot be opened \(.*block") as caught:
        run_day(flow, "flow", FIRST, Told())
    assert "another program" not in str(caught.value)
    assert "move the file away" in str(caught.value)
