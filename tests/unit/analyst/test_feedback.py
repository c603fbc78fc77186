"""The file for the scorer, read back by the scorer's rules."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import fsspec
import pytest

from analyst.delivery import deliver_feedback
from analyst.feedback import COLUMNS, FILE, deliver, write_rows
from spot_oa.errors import ConfigError
from spot_oa.pipelines import get_pipeline
from spot_oa.settings import Settings, load_settings
from tests.support.labelled import DATE, day, publish
from tests.support.spot_ml import SEVERITY, read

HEADERS = {
    "flow": "sev tstart sip dip sport dport ipkt ibyt proto",
    "dns": "frame_time frame_len ip_dst dns_qry_name dns_qry_class dns_qry_type dns_qry_rcode "
    "score tld query_rep hh ip_sev dns_sev dns_qry_class_name dns_qry_type_name "
    "dns_qry_rcode_name network_context unix_tstamp",
    "proxy": "p_date p_time clientip host reqmethod useragent resconttype duration username "
    "webcat referer respcode uriport uripath uriquery serverip scbytes csbytes fulluri word "
    "score uri_rep uri_sev respcode_name network_context hash",
}


@pytest.mark.parametrize("pipeline", ["flow", "dns", "proxy"])
def test_the_scorer_takes_every_line(settings: Settings, pipeline: str) -> None:
    publish(settings, pipeline, [{}, {"score": 3e-17} if pipeline != "proxy" else {"word": None}])
    opened = day(settings, pipeline)
    opened.label_ranks([0], 1)
    opened.label_ranks([0, 1], 3)
    feedback = opened.feedback()
    lines = feedback.text.splitlines()
    assert lines[0].split("\t") == HEADERS[pipeline].split()
    assert {len(line.split("\t")) for line in lines} == {len(COLUMNS[pipeline])}
    assert [line.split("\t")[SEVERITY[pipeline]] for line in lines[1:]] == ["3", "3"]
    assert len(read(pipeline, feedback.text.encode())) == 2
    assert feedback.left_out == 0


VALUES: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "flow": (
        {
            "tstart": "2016-07-08 05:03:12", "srcip": "10.0.0.5", "dstip": "203.0.113.250",
            "sport": 40000, "dport": 443, "ipkt": 3, "ibyt": 152, "proto": "TCP",
        },
        "1|2016-07-08 05:03:12|10.0.0.5|203.0.113.250|40000|443|3|152|TCP",
    ),
    "dns": (
        {
            "frame_time": "Jul  8 2016 05:03:12.1 UTC", "frame_len": 90, "ip_dst": "10.0.0.5",
            "dns_qry_name": "a.example.org", "dns_qry_class": "0x00000001", "dns_qry_type": 28,
            "dns_qry_rcode": 3, "score": 0.25, "tld": "example.org", "query_rep": "vt:2",
            "hh": 5, "dns_qry_class_name": "Internet (IN)", "dns_qry_type_name": "AAAA",
            "dns_qry_rcode_name": "NXDomain", "network_context": "lab", "unix_tstamp": 1467954192,
        },
        "Jul  8 2016 05:03:12.1 UTC|90|10.0.0.5|a.example.org|0x00000001|28|3|0.25|example.org"
        "|vt:2|5|2|1|Internet (IN)|AAAA|NXDomain|lab|1467954192",
    ),
    "proxy": (
        {
            "tdate": "2016-07-08", "time": "08:05:09", "clientip": "10.1.2.3", "host": "x.com",
            "reqmethod": "GET", "useragent": "curl", "resconttype": "text/html", "duration": 12,
            "username": "ann", "webcat": "news", "referer": "y.org/", "respcode": "200",
            "uriport": "80", "uripath": "/a", "uriquery": "?b", "serverip": "198.51.100.7",
            "scbytes": 1000, "csbytes": 300, "fulluri": "x.com/a?b", "word": "w", "ml_score": 0.25,
            "uri_rep": "vt:2", "respcode_name": "OK", "network_context": "lab",
        },
        "2016-07-08|08:05:09|10.1.2.3|x.com|GET|curl|text/html|12|ann|news|y.org/|200|80|/a|?b"
        "|198.51.100.7|1000|300|x.com/a?b|w|0.25|vt:2|1|OK|lab|5f4d2b5821c3e8aaeabd5c15703f5c3d08",
    ),
}  # fmt: skip
"""A row whose columns all differ, and its line."""


@pytest.mark.parametrize("pipeline", ["flow", "dns", "proxy"])
def test_each_value_is_below_its_header(settings: Settings, pipeline: str) -> None:
    row, line = VALUES[pipeline]
    publish(settings, pipeline, [row])
    opened = day(settings, pipeline)
    opened.label_ranks([0], 1)
    if pipeline == "dns":
        opened.label("client", {"ip_dst": "10.0.0.5"}, 2)
    (written,) = opened.feedback().lines
    names, values = HEADERS[pipeline].split(), line.split("|")
    assert len(set(values)) == len(names)
    assert dict(zip(names, written.split("\t"), strict=True)) == dict(
        zip(names, values, strict=True)
    )


def test_flow_columns(settings: Settings) -> None:
    publish(
        settings,
        "flow",
        [{"tstart": "2016-07-08T05:03:12.345", "ipkt": 3, "ibyt": 152}, {"proto": None}],
    )
    opened = day(settings)
    opened.label_ranks([0, 1], 3)
    first, second = opened.feedback().lines
    assert first == ("3\t2016-07-08 05:03:12\t10.0.0.5\t203.0.113.250\t40000\t443\t3\t152\tTCP")
    assert second.endswith("\t152\t")


def test_dns_severities_have_their_own_columns(settings: Settings) -> None:
    publish(settings, "dns", [{"dns_qry_type": None, "dns_qry_rcode": None, "dns_qry_class": None}])
    opened = day(settings, "dns")
    opened.label("client", {"ip_dst": "10.0.0.5"}, 3)
    (line,) = opened.feedback().lines
    fields = line.split("\t")
    assert fields[4:7] == ["unknown", "-1", "-1"]
    assert (fields[11], fields[12], fields[7]) == ("3", "0", "0.0000001")
    # A label on a client alone is not used by spot-ml.
    assert read("dns", opened.feedback().text.encode()) == []


def test_proxy_columns(settings: Settings) -> None:
    change = {
        "clientip": "10.1.2.3", "fulluri": "x.com/a?b", "time": "08:05:09", "useragent": None,
        "resconttype": None, "reqmethod": None, "respcode": None, "duration": None,
    }  # fmt: skip
    publish(settings, "proxy", [change])
    opened = day(settings, "proxy")
    opened.label_ranks([0], 2)
    fields = opened.feedback().lines[0].split("\t")
    assert fields[4:8] == ["null", "-", "-", ""]
    assert fields[11] == "unknown_response_code"
    assert fields[22] == "2"
    assert fields[25] == "5f4d2b5821c3e8aaeabd5c15703f5c3d08"


@pytest.mark.parametrize(
    ("pipeline", "change"),
    [
        ("flow", {"sport": None}),
        ("flow", {"dport": None}),
        ("flow", {"ipkt": None}),
        ("flow", {"ibyt": None}),
        ("flow", {"tstart": "2016-07-08"}),
        ("flow", {"tstart": "2016-07-08 25:00:00"}),
        ("flow", {"tstart": "2016-07-08 05:03"}),
        ("flow", {"srcip": ""}),
        ("flow", {"proto": "T\rP"}),
        ("dns", {"frame_len": None}),
        ("dns", {"frame_len": 2**31}),
        ("dns", {"frame_time": None}),
        ("dns", {"frame_time": "2016-07-08 05:03:12"}),
        ("dns", {"frame_time": "  Jul  8 2016"}),
        ("dns", {"dns_qry_name": "a\tb"}),
        ("proxy", {"host": None}),
        ("proxy", {"useragent": "a\rb"}),
        ("proxy", {"useragent": "a\nb"}),
        ("proxy", {"referer": "a\tb"}),
    ],
)
def test_what_would_kill_the_scorer_is_left_out_and_counted(
    settings: Settings, pipeline: str, change: Mapping[str, Any]
) -> None:
    publish(settings, pipeline, [change, {}])
    opened = day(settings, pipeline)
    opened.label_ranks([0, 1], 3)
    feedback = opened.feedback()
    assert (len(feedback.lines), feedback.left_out) == (1, 1)
    assert "\r" not in feedback.text
    assert len(read(pipeline, feedback.text.encode())) == 1


@pytest.mark.parametrize("pipeline", ["flow", "dns", "proxy"])
def test_nothing_scored_is_a_header(settings: Settings, pipeline: str) -> None:
    publish(settings, pipeline, [{}])
    opened = day(settings, pipeline)
    header = "\t".join(HEADERS[pipeline].split()) + "\n"
    assert opened.feedback().text == header
    opened.label_ranks([0], 3)
    opened.reset("20160708")
    assert opened.feedback().text == header


def test_equal_rows_are_as_many_as_they_are(settings: Settings) -> None:
    publish(settings, "flow", [{}, {}, {"ibyt": 9}])
    opened = day(settings)
    opened.label_ranks([0], 3)
    assert len(opened.feedback().lines) == 2
    assert write_rows("flow", opened.judged(), 1).cut == 1


def test_a_day_that_only_rules_label_is_delivered(settings: Settings, tmp_path: Path) -> None:
    publish(settings, "dns", [{}, {"dns_qry_name": "x.org"}])
    when = "[{field: dns_qry_name, op: eq, value: x.org}]"
    settings.rules_dir.mkdir(parents=True)
    delivering = settings.model_copy(update={"feedback_uri": str(tmp_path / "ml")})
    for enabled, rows in (("false", 0), ("true", 1)):
        (settings.rules_dir / "dns.yml").write_text(
            f"- {{id: r, when: {when}, severity: low, enabled: {enabled}}}\n"
        )
        delivered = deliver_feedback(delivering, get_pipeline("dns"), DATE)
        assert [len(feedback.lines) for _, feedback in delivered] == [rows] * 2


def test_a_file_reaches_back_seven_days_and_of_flows_only_if_named(
    settings: Settings, tmp_path: Path
) -> None:
    flow, offsets = get_pipeline("flow"), (0, 6, 7, 8)
    for back in offsets:
        date = DATE - dt.timedelta(days=back)
        publish(settings, "flow", [{"ibyt": 1000 + back}], date=date)
        day(settings, date=date).label_ranks([0], 3)
    uri = str(tmp_path / "ml")
    unnamed = load_settings(home=settings.home, feedback_uri=uri)
    assert deliver_feedback(unnamed, flow, DATE) == []
    assert not (tmp_path / "ml").exists()
    named = load_settings(home=settings.home, feedback_uri=uri, feedback_pipelines="dns,flow")
    deliver_feedback(named, flow, DATE)
    for date, days in (("20160708", (0, 6, 7)), ("20160709", (0, 6))):
        path = tmp_path / "ml" / "flow" / "scored_results" / date / "feedback" / FILE
        _, *lines = path.read_text("utf-8").splitlines()
        assert [int(line.split("\t")[7]) - 1000 for line in lines] == list(days)
    assert deliver_feedback(named, get_pipeline("proxy"), DATE) == []


def test_a_pipeline_without_a_known_reader_is_refused() -> None:
    with pytest.raises(ConfigError, match="its scorer does not read one"):
        write_rows("mail", [])


def test_a_reader_sees_whole_files(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "ml_feedback.csv"
    texts = {"a" * 200_000 + "\n", "b" * 100_000 + "\n"}
    deliver(str(path), "a" * 200_000 + "\n")
    seen: set[str] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            seen.add(path.read_text())

    reader = threading.Thread(target=watch)
    reader.start()
    for _ in range(50):
        for text in sorted(texts):
            deliver(str(path), text)
    done.set()
    reader.join()
    assert seen <= texts
    assert [each.name for each in path.parent.iterdir()] == ["ml_feedback.csv"]


def test_other_file_systems_take_it_too(tmp_path: Path) -> None:
    deliver("memory://spot/flow/ml_feedback.csv", "one\n")
    deliver("memory://spot/flow/ml_feedback.csv", "two\n")
    memory = fsspec.filesystem("memory")
    assert memory.cat("/spot/flow/ml_feedback.csv") == b"two\n"
    assert len(memory.ls("/spot/flow")) == 1
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="correct SPOT_OA_FEEDBACK_URI"):
        deliver(str(tmp_path / "file" / "x" / "y"), "")
    with pytest.raises(ConfigError, match="correct SPOT_OA_FEEDBACK_URI"):
        deliver("nosuch://x/y", "")
