"""The demo generator: the same bytes again, the right shapes, and what is planted is there."""

import datetime as dt
from collections import Counter
from functools import cache
from ipaddress import ip_address, ip_network
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spot_oa.demo import DEMO_DATES, STORIES, Day, Generated, generate, generator
from spot_oa.demo.generator import java_text
from spot_oa.errors import ConfigError
from spot_oa.pipelines import get_pipeline
from spot_oa.warehouse.tables import ARROW_TYPES

SIZES = {"rows_per_day": 3000, "suspicious": 120}
PIPELINES = ("flow", "proxy", "dns")
DASHED = {"flow": "tdur", "proxy": "duration", "dns": "frame_len"}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Generated:
    return generate(tmp_path_factory.mktemp("demo"), **SIZES)


def contents(home: Path) -> dict[str, bytes]:
    files = [path for path in home.rglob("*") if path.is_file()]
    return {path.relative_to(home).as_posix(): path.read_bytes() for path in files}


def day_of(demo: Generated, pipeline: str, date: dt.date = DEMO_DATES[0]) -> Day:
    return next(day for day in demo.days if (day.pipeline, day.date) == (pipeline, date))


def events_of(day: Day) -> pa.Table:
    hours = sorted(day.raw.iterdir(), key=lambda folder: int(folder.name[2:]))
    # partitioning=None: the h= in the path is no column of the file.
    return pa.concat_tables(
        pq.read_table(file, partitioning=None) for hour in hours for file in sorted(hour.iterdir())
    )


def lines_of(day: Day) -> list[list[str]]:
    text = day.results.read_bytes().decode()
    assert text == "" or text.endswith("\n")
    return [line.split("\t") for line in text.split("\n")[:-1]]


@cache
def fields_of(pipeline: str) -> list[str]:
    fields = get_pipeline(pipeline).results.fields
    return sorted(fields, key=lambda name: fields[name].index)


def whole_lines_of(day: Day) -> list[list[str]]:
    return [line for line in lines_of(day) if len(line) == len(fields_of(day.pipeline))]


# -- the same again ------------------------------------------------------------------------------


def test_the_same_arguments_give_the_same_bytes(demo: Generated, tmp_path: Path) -> None:
    generate(tmp_path, **SIZES)
    assert contents(tmp_path) == contents(demo.home)


def test_a_day_depends_on_no_other_day_or_pipeline(demo: Generated, tmp_path: Path) -> None:
    generate(tmp_path, dates=[DEMO_DATES[1]], pipelines=["dns"], **SIZES)
    alone, among = contents(tmp_path), contents(demo.home)
    assert len(alone) > 24
    assert {path: among[path] for path in alone} == alone


def test_another_seed_gives_another_day(demo: Generated, tmp_path: Path) -> None:
    generate(tmp_path, seed=2, **SIZES)
    ours, theirs = contents(demo.home), contents(tmp_path)
    # The names of manifest entries include the content.
    names, others = (
        sorted(path.partition(".ingest/files/")[0] for path in found) for found in (ours, theirs)
    )
    assert names == others
    same = {path for path in ours if ours[path] == theirs.get(path)}
    assert same == {path for path in ours if path.startswith("context/")} | {"raw/.ingest/lock"}


def test_what_stood_there_of_the_day_is_gone(tmp_path: Path) -> None:
    other_day = tmp_path / "raw/flow/y=2016/m=07/d=09/h=05/part-0.parquet"
    stale = [
        tmp_path / "raw/flow/y=2016/m=7/d=8/h=99/part-0.parquet",
        tmp_path / "raw/flow/y=2016/m=07/d=08/h=05/part-0.parquet",
        tmp_path / "ml/flow/scored_results/20160708/scores/part-00001",
    ]
    for path in (other_day, *stale):
        path.parent.mkdir(parents=True)
        path.write_text("old")
    generate(tmp_path, dates=DEMO_DATES[:1], pipelines=["flow"], **SIZES)
    assert [path for path in stale if path.exists()] == []
    assert other_day.exists()


def test_results_are_written_only_for_those_who_ask_for_some(tmp_path: Path) -> None:
    sizes = {"dates": DEMO_DATES[:1], "pipelines": ["flow"], "rows_per_day": 800}
    generate(tmp_path, suspicious=1, **sizes)
    (day,) = generate(tmp_path, **sizes).days
    assert (day.lines, day.told, day.results.exists()) == (0, {}, False)
    assert day.planted


# -- shapes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PIPELINES)
def test_telemetry_has_the_columns_and_types_of_the_description(demo: Generated, name: str) -> None:
    columns = get_pipeline(name).telemetry.columns
    wanted = pa.schema([(column, ARROW_TYPES[kind]) for column, kind in columns.items()])
    for date in DEMO_DATES:
        assert events_of(day_of(demo, name, date)).schema == wanted


@pytest.mark.parametrize(
    ("pipeline", "folder"),
    [
        ("flow", "raw/flow/y=2016/m=7/d=8/h=5"),
        ("dns", "raw/dns/y=2016/m=7/d=8/h=5"),
        ("proxy", "raw/proxy/y=2016/m=07/d=08/h=05"),
    ],
)
def test_partitions_are_spelt_as_each_ingest_does(
    demo: Generated, pipeline: str, folder: str
) -> None:
    day = day_of(demo, pipeline)
    assert day.raw == (demo.home / folder).parent
    assert len(list(day.raw.iterdir())) == 24
    assert len(list((demo.home / folder).glob("*.parquet"))) == 1
    results = f"ml/{pipeline}/scored_results/20160708/scores/{pipeline}_results.csv"
    assert day.results == demo.home / results
    assert day.results.is_file()


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_counts_are_as_reported(demo: Generated, pipeline: str) -> None:
    for date in DEMO_DATES:
        day = day_of(demo, pipeline, date)
        assert events_of(day).num_rows == day.events == SIZES["rows_per_day"]
        assert len(lines_of(day)) == day.lines == SIZES["suspicious"]
        assert day.planted.keys() == day.told.keys() <= STORIES.keys()


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_events_lie_in_their_hour_in_order_of_time(demo: Generated, pipeline: str) -> None:
    day = day_of(demo, pipeline)
    midnight = int(dt.datetime.combine(day.date, dt.time(), dt.UTC).timestamp())
    for folder in day.raw.iterdir():
        hour = int(folder.name.removeprefix("h="))
        (file,) = folder.iterdir()
        table = pq.read_table(file, partitioning=None)
        if pipeline == "proxy":
            parts = [map(int, text.split(":")) for text in table["p_time"].to_pylist()]
            seconds = [h * 3600 + m * 60 + s for h, m, s in parts]
        else:
            seconds = [stamp - midnight for stamp in table["unix_tstamp"].to_pylist()]
        assert seconds == sorted(seconds)
        assert {second // 3600 for second in seconds} == {hour}


def test_times_of_an_event_agree(demo: Generated) -> None:
    flow = events_of(day_of(demo, "flow")).to_pandas()
    stamps = pd.to_datetime(flow["unix_tstamp"], unit="s")
    assert (stamps.dt.strftime("%Y-%m-%d %H:%M:%S") == flow["treceived"]).all()
    for column, part in {"tryear": "year", "trhour": "hour", "trsec": "second"}.items():
        assert (getattr(stamps.dt, part) == flow[column]).all()
    dns = events_of(day_of(demo, "dns")).to_pandas()
    stamps = pd.to_datetime(dns["unix_tstamp"], unit="s")
    texts = stamps.dt.strftime("Jul  8 2016 %H:%M:%S")
    assert (dns["frame_time"].str.replace(r"\.\d{9} UTC$", "", regex=True) == texts).all()


def test_a_day_in_many_blocks_is_as_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generator, "BLOCK", 100)
    monkeypatch.setattr(generator, "LINES", 7)
    (day,) = generate(tmp_path, dates=DEMO_DATES[:1], pipelines=["flow"], **SIZES).days
    assert events_of(day).num_rows == SIZES["rows_per_day"]
    assert len(lines_of(day)) == SIZES["suspicious"]
    assert_lines_are_events(day)


@pytest.mark.parametrize(("rows", "lines"), [(0, 0), (10, 10), (900, 900), (900, 1)])
@pytest.mark.parametrize("pipeline", PIPELINES)
def test_small_days(tmp_path: Path, pipeline: str, rows: int, lines: int) -> None:
    sizes = {"rows_per_day": rows, "suspicious": lines}
    (day,) = generate(tmp_path, dates=DEMO_DATES[:1], pipelines=[pipeline], **sizes).days
    assert events_of(day).num_rows == day.events == max(rows, sum(day.planted.values()))
    assert len(lines_of(day)) == day.lines == lines


# -- results -------------------------------------------------------------------------------------


def java(number: float, kind: type = float) -> str:
    """Double.toString and Float.toString, by the book."""
    if number == 0:
        return "0.0"
    if 1e-3 <= number < 1e7:
        return np.format_float_positional(kind(number), unique=True, trim="0")
    text = np.format_float_scientific(kind(number), unique=True, trim="0")
    mantissa, exponent = text.split("e")
    return f"{mantissa}E{int(exponent)}"


def assert_lines_are_events(day: Day) -> None:
    telemetry = get_pipeline(day.pipeline).telemetry.columns
    names = [name for name in fields_of(day.pipeline) if name in telemetry]

    def text(name: str, value: object) -> str:
        if value is None:
            return "-" if name == DASHED[day.pipeline] else "null"
        return java(value, np.float32) if name == "tdur" else str(value)

    rows = events_of(day).select(names).to_pylist()
    events = Counter(tuple(text(name, row[name]) for name in names) for row in rows)
    assert Counter(tuple(line[: len(names)]) for line in whole_lines_of(day)) <= events


@pytest.mark.parametrize("pipeline", PIPELINES)
@pytest.mark.parametrize("date", DEMO_DATES)
def test_results_are_events_ascending_by_score(
    demo: Generated, pipeline: str, date: dt.date
) -> None:
    day = day_of(demo, pipeline, date)
    widths = [len(line) for line in lines_of(day)]
    broken = [i for i, width in enumerate(widths) if width != len(fields_of(pipeline))]
    assert broken == [generator.BROKEN_LINE]
    assert_lines_are_events(day)
    lines = whole_lines_of(day)
    scores = [float(line[-1]) for line in lines]
    assert scores == sorted(scores)
    assert [line[-1] for line in lines] == [java(score) for score in scores]
    assert max(scores) < 1
    assert sum(score < 2e-9 for score in scores) == sum(day.told.values()) - 1
    assert any("-" in line for line in lines)


def test_the_word_of_a_request_is_made_of_its_line(demo: Generated) -> None:
    for line in whole_lines_of(day_of(demo, "proxy")):
        word = line[19].split("_")
        assert len(word) == 8
        assert int(word[1]) == int(line[1].split(":")[0])
        assert (word[2], word[4], word[7]) == (line[4], line[6].split("/")[0], line[11])


def test_java_number_text() -> None:
    known = {0.0: "0.0", 100.0: "100.0", 0.001: "0.001", 0.0009: "9.0E-4", 1e-10: "1.0E-10"}
    assert java_text(pa.array(list(known))).to_pylist() == list(known.values())
    assert java_text(pa.array([None], pa.float64())).to_pylist() == [None]
    rng = np.random.default_rng(0)
    for kind in (np.float64, np.float32):
        numbers = (10.0 ** rng.uniform(-12, 6.9, 5000)).astype(kind)
        assert java_text(pa.array(numbers)).to_pylist() == [java(n, kind) for n in numbers]


# -- the stories ---------------------------------------------------------------------------------


def test_exfiltration(demo: Generated) -> None:
    flow = events_of(day_of(demo, "flow")).to_pandas()
    sent = flow[(flow["sip"] == "10.1.0.23") & (flow["dip"] == "203.0.113.66")]
    assert len(sent) == day_of(demo, "flow").planted["exfiltration"] == 40
    assert sent["trhour"].isin([1, 2]).all()
    assert sent["ibyt"].sum() > 2e9
    proxy = events_of(day_of(demo, "proxy")).to_pandas()
    posts = proxy[proxy["host"] == "drop.example.net"]
    assert posts["csbytes"].tolist() == sent["ibyt"].tolist()
    assert ("2016-07-08 " + posts["p_time"]).tolist() == sent["treceived"].tolist()


def test_beacon_is_periodic_and_the_same_in_all_pipelines(demo: Generated) -> None:
    flow, dns = (events_of(day_of(demo, name)).to_pandas() for name in ("flow", "dns"))
    calls = flow[flow["dip"] == "2001:db8:bad::99"]["unix_tstamp"].tolist()
    assert len(calls) == day_of(demo, "flow").planted["beacon"] == 288
    assert {after - before for before, after in pairwise(calls)} == {300}
    assert dns[dns["dns_qry_name"] == "c2.example.net"]["unix_tstamp"].tolist() == calls
    proxy = events_of(day_of(demo, "proxy")).to_pandas()
    times = pd.to_datetime(pd.Series(calls), unit="s").dt.strftime("%H:%M:%S").tolist()
    assert proxy[proxy["host"] == "c2.example.net"]["p_time"].tolist() == times


def test_scan(demo: Generated) -> None:
    flow = events_of(day_of(demo, "flow")).to_pandas()
    probes = flow[flow["sip"] == "192.0.2.200"]
    assert len(probes) == 400
    assert probes.groupby("dip")["dport"].nunique().tolist() == [100] * 4
    assert probes["unix_tstamp"].max() - probes["unix_tstamp"].min() < 200


def test_tunnel(demo: Generated) -> None:
    dns = events_of(day_of(demo, "dns")).to_pandas()
    asked = dns[dns["dns_qry_name"].str.endswith(".t.example.net")]
    assert asked["dns_qry_name"].nunique() == len(asked) == 300
    assert set(asked["dns_qry_type"]) == {16}
    assert asked["dns_qry_name"].str.len().min() > 100
    assert asked["dns_qry_name"].str.split(".").explode().str.len().max() <= 63


@pytest.mark.parametrize(
    ("pipeline", "nullable"),
    [
        ("flow", ["tdur", "ibyt", "ipkt", "opkt", "flag", "sport", "dport"]),
        ("proxy", ["duration", "referer", "respcode", "scbytes", "useragent"]),
        ("dns", ["frame_len", "dns_qry_rcode", "dns_a"]),
    ],
)
def test_awkward_rows(demo: Generated, pipeline: str, nullable: list[str]) -> None:
    day = day_of(demo, pipeline)
    table = events_of(day)
    assert [name for name in nullable if table[name].null_count == 0] == []
    text = day.results.read_text("utf-8")
    assert "00:00:00" in text
    assert "23:59:59" in text
    assert day.told["awkward"] == day.planted["awkward"]
    if pipeline == "dns":
        assert -1 in table["dns_qry_type"].to_pylist()
    if pipeline != "flow":
        assert [char for char in "\"';ü" if char not in text] == []


def test_nobody_real_is_accused(demo: Generated) -> None:
    nets = [
        ip_network(net)
        for net in (
            *("10.0.0.0/8", "192.168.0.0/16", "192.0.2.0/24", "198.51.100.0/24"),
            *("203.0.113.0/24", "198.18.0.0/15", "2001:db8::/32"),
        )
    ]
    columns = {"flow": ["sip", "dip"], "proxy": ["clientip", "serverip"], "dns": ["ip_dst"]}
    for pipeline, names in columns.items():
        table = events_of(day_of(demo, pipeline))
        found = {ip_address(text) for name in names for text in table[name].to_pylist()}
        assert {address.version for address in found} == {4, 6}
        assert [ip for ip in found if not any(ip in net for net in nets)] == []
    hosts = set(events_of(day_of(demo, "proxy"))["host"].to_pylist()) - {"192.0.2.17"}
    tops = (".example", ".test", ".example.com", ".example.net", ".example.org")
    assert [host for host in hosts if not host.removesuffix(":443").endswith(tops)] == []


def test_a_day_has_its_rhythm_and_its_heavy_tail(demo: Generated) -> None:
    flow = events_of(day_of(demo, "flow")).to_pandas()
    flow = flow[flow["dport"] != flow["sport"]]
    by_hour = flow[~flow["dip"].isin(["2001:db8:bad::99"])].groupby("trhour").size()
    assert by_hour[9:11].min() > 3 * by_hour[3:5].max()
    assert flow["ibyt"].mean() > 5 * flow["ibyt"].median()


# -- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rows_per_day": -1}, "rows_per_day=-1"),
        ({"suspicious": -5}, "suspicious=-5"),
        ({"seed": -1}, "seed=-1"),
        ({"rows_per_day": 10, "suspicious": 11}, "suspicious=11 > rows_per_day=10"),
        ({"dates": []}, "at least one date"),
        ({"pipelines": []}, "at least one date and one pipeline"),
        ({"pipelines": ["flow", "ne\x1bt"]}, r"'ne\\x1bt' is unknown: use flow, proxy, dns"),
    ],
)
def test_nonsense_is_refused_before_anything_is_written(
    tmp_path: Path, arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        generate(tmp_path / "home", **arguments)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "home").exists()


def test_a_home_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"demo home .*file.*choose a folder") as caught:
        generate(tmp_path / "file")
    assert "\n" not in str(caught.value)
