"""As a user goes: logs in, telemetry out, runs on it, late rows, and what the command line says."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from flows.cli.ingest import late, status_rows
from flows.run import steps
from flows.run.runner import run_day
from spot_oa.ingest.status import ended_early, sensors
from spot_oa.settings import load_settings
from tests.support.ingested import CONN, DNS, HTTP, SAMPLES, landed, take, tree, zeek
from tests.support.project import PROJECT
from tests.support.report import Told

DAY = "2024-04-20"


def spot_oa(
    home: Path, *args: str, stdin: bytes = b"", **env: str
) -> subprocess.CompletedProcess[str]:
    made = subprocess.run(
        [str(Path(sys.executable).with_name("spot-oa")), *args],
        env={"PATH": os.environ["PATH"], "SPOT_OA_HOME": str(home), "HOME": str(home), **env},
        cwd=home,
        input=stdin,
        capture_output=True,
        check=False,
        timeout=280,
    )
    return subprocess.CompletedProcess(
        made.args, made.returncode, made.stdout.decode(), made.stderr.decode()
    )


def logs(folder: Path) -> Path:
    """A day of Zeek's logs, of which some lines are in the results too."""
    folder.mkdir()
    noon = 1713614400
    conn = (
        f"{noon + n} C{n} 10.0.0.{n % 5 + 1} 5{n:03} 192.0.2.{n % 7 + 1} 443 tcp ssl 1.5 400 900 SF "
        f"ShADadFf 10 {1500 + n} 12 9000"
        for n in range(50)
    )
    dns = (
        f"{noon + n}.5 D{n} 10.0.0.{n % 5 + 1} 5000 192.0.2.53 53 udp h{n % 3}.example 1 1 0 198.51.100.1"
        for n in range(30)
    )
    http = (
        f"{noon + n}.1 H{n} 10.0.0.{n % 5 + 1} 5000 192.0.2.80 80 GET www.example.com /a{n % 3} - curl/8 "
        "0 1234 200 - text/html"
        for n in range(30)
    )
    for name, fields, rows in (("conn", CONN, conn), ("dns", DNS, dns), ("http", HTTP, http)):
        (folder / f"{name}.log").write_bytes(zeek(name, fields, *rows))
    return folder


RESULTS = {
    "flow": "treceived tryear trmonth trday trhour trminute trsec tdur sip dip sport dport proto ipkt "
    "ibyt opkt obyt",
    "dns": "frame_time unix_tstamp frame_len ip_dst dns_qry_name dns_qry_class dns_qry_type "
    "dns_qry_rcode",
    "proxy": "p_date p_time clientip host reqmethod useragent resconttype duration username webcat "
    "referer respcode uriport uripath uriquery serverip scbytes csbytes fulluri word",
}


def score(home: Path, pipeline: str) -> None:
    """Results of which every fifth event is one."""
    (file,) = (home / "raw" / pipeline).glob("y=*/**/*.parquet")
    rows = pq.ParquetFile(file).read().to_pylist()[::5]
    folder = home / "ml" / pipeline / "scored_results/20240420/scores"
    folder.mkdir(parents=True)
    lines = [
        "\t".join("null" if row.get(c) is None else str(row[c]) for c in RESULTS[pipeline].split())
        + f"\t{n / 1000}\n"
        for n, row in enumerate(rows, 1)
    ]
    (folder / f"{pipeline}_results.csv").write_text("".join(lines))


@pytest.mark.timeout(600)
def test_logs_then_runs_without_a_warning(tmp_path: Path) -> None:
    folder = logs(tmp_path / "zeek")
    made = spot_oa(tmp_path, "ingest", "zeek", str(folder), "--sensor", "s1")
    assert made.returncode == 0, made.stderr
    assert "conn.log: 50 flow rows, hours 2024-04-20 12" in made.stdout
    for pipeline in RESULTS:
        score(tmp_path, pipeline)
    made = spot_oa(tmp_path, "run", "all", "--date", DAY)
    assert made.returncode == 0, made.stderr
    for pipeline in RESULTS:
        published = tmp_path / "data" / pipeline / "20240420"
        manifest = json.loads((published / "manifest.json").read_text())
        assert manifest["warnings"] == []
        assert manifest["telemetry"] == {"files": 1, "sensors": ["zeek/s1"], "refused": 0}
        summary = pq.read_table(published / f"{pipeline}_ingest_summary.parquet").to_pylist()
        totals = [row["total"] for row in summary]
        assert sum(totals) == {"flow": 50, "dns": 30, "proxy": 30}[pipeline]

    # A connection of that day that ended today: named, and its day alone is run again.
    more = tmp_path / "conn.2024-04-21.log"
    row = "1713614401 L1 10.0.0.1 1 192.0.2.1 443 tcp - 1 1 1 SF S 1 1 1 1"
    more.write_bytes(zeek("conn", CONN, row, row.replace("1713614401", "1713700801")))
    made = spot_oa(tmp_path, "ingest", "zeek", str(more), "--sensor", "s1")
    told = "late: 2024-04-20 flow 1 rows (50.0 %); spot-oa backfill flow --from 2024-04-20 --to 2024-04-20"
    assert told in made.stdout
    command = told.partition("; spot-oa ")[2].split()
    made = spot_oa(tmp_path, *command)
    assert made.returncode == 0, made.stderr
    summary = tmp_path / "data/flow/20240420/flow_ingest_summary.parquet"
    assert sum(row["total"] for row in pq.read_table(summary).to_pylist()) == 51
    before = tree(tmp_path / "data")
    made = spot_oa(tmp_path, *command)
    assert tree(tmp_path / "data") == before


def test_an_ingest_during_a_run_is_for_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = logs(tmp_path / "zeek")
    take(tmp_path, "zeek", folder / "conn.log")
    score(tmp_path, "flow")
    more = tmp_path / "more.conn.log"
    row = "1713614401 L1 10.0.0.1 1 192.0.2.1 443 tcp - 1 1 1 SF S 1 1 1 1"
    more.write_bytes(zeek("conn", CONN, *[row] * 9))
    build = steps.build

    def ingest_then_build(*given: Any, **named: Any) -> Any:
        (taken,) = take(tmp_path, "zeek", more)
        assert taken.rows == {"flow": 9}
        return build(*given, **named)

    settings, day = load_settings(home=tmp_path), dt.date.fromisoformat(DAY)

    def seen() -> tuple[int, int]:
        """Events counted, and raw flows of the pair that the new ones are of too."""
        folder = tmp_path / "data/flow/20240420"
        summary = pq.read_table(folder / "flow_ingest_summary.parquet").to_pylist()
        edges = pq.read_table(folder / "flow_edge.parquet").to_pylist()
        pair = [row for row in edges if (row["srcip"], row["dstip"]) == ("10.0.0.1", "192.0.2.1")]
        return sum(row["total"] for row in summary), len(pair)

    with monkeypatch.context() as patched:
        patched.setattr(steps, "build", ingest_then_build)
        run_day(settings, "flow", day, Told())
    before = seen()
    assert before[0] == 50
    run_day(settings, "flow", day, Told())
    assert seen() == (before[0] + 9, before[1] + 9)


def test_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    home = tmp_path / "home"
    data = SAMPLES["nfdump-new"][2]
    made = spot_oa(home, "ingest", "nfdump", "-", stdin=data)
    assert made.returncode == 1
    assert "--timezone" in made.stderr
    assert made.stderr.count("\n") == 1
    made = spot_oa(home, "ingest", "nfdump", "-", "--timezone", "UTC", stdin=data)
    assert made.returncode == 0
    assert re.search(r"stdin-[0-9a-f]{16}: 2 flow rows", made.stdout)
    made = spot_oa(home, "ingest", "nfdump", "-", "--timezone", "UTC", "--json", stdin=data)
    assert json.loads(made.stdout)["status"] == "known"
    good, bad = tmp_path / "conn.log", tmp_path / "bad_conn.log"
    good.write_bytes(SAMPLES["conn"][2])
    bad.write_bytes(b"nonsense\n" * 3)
    made = spot_oa(home, "ingest", "zeek", str(bad), str(good))
    assert made.returncode == 1
    assert "conn.log: 7 flow rows" in made.stdout
    assert "no #fields line before it" in made.stderr
    made = spot_oa(home, "ingest", "--status")
    assert "zeek/main" in made.stdout
    made = spot_oa(home, "ingest", "--forget", str(good))
    assert "7 rows removed" in made.stdout
    for wrong in (["zeek"], [], ["zeek", "/no/such/file"], ["bro", str(good)]):
        assert spot_oa(home, "ingest", *wrong).returncode == 2
    configured = {
        "SPOT_OA_INGEST__EDGE__SOURCE": "zeek",
        "SPOT_OA_INGEST__EDGE__PATHS": f"{tmp_path}/c*.log",
        "SPOT_OA_INGEST__EDGE__SENSOR": "edge",
    }
    made = spot_oa(home, "ingest", **configured)
    assert made.returncode == 0, made.stderr
    assert "conn.log: 7 flow rows" in made.stdout
    made = spot_oa(home, "doctor", **configured)
    assert "logs edge (zeek/edge): 1 paths" in made.stdout
    assert "logs of zeek/edge: newest flow 2024-04-20" in made.stdout


def test_help_imports_no_engine() -> None:
    code = (
        "import sys; sys.argv = ['spot-oa', 'ingest', '--help']\n"
        "from flows.cli.app import app\n"
        "try: app(standalone_mode=False)\n"
        "except SystemExit: pass\n"
        "assert not {'duckdb', 'pyarrow', 'prefect', 'dbt'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=PROJECT, timeout=60)


def test_a_sensor_that_ends_early_is_a_warning_of_the_day_that_ended(tmp_path: Path) -> None:
    (tmp_path / "conn.log").write_bytes(
        zeek("conn", CONN, "1713652860 C 10.0.0.1 1 192.0.2.1 443 tcp - 1 1 1 SF S 1 1 1 1")
    )
    take(tmp_path, "zeek", tmp_path / "conn.log", sensor="s1")
    settings = load_settings(home=tmp_path)
    date = dt.date(2024, 4, 20)
    two = dt.datetime(2024, 4, 21, 2, tzinfo=dt.UTC)
    assert list(ended_early(settings, "flow", date, two)) == ["zeek/s1 ends 2024-04-20 22:41"]
    assert not list(ended_early(settings, "dns", date, two))
    assert not list(ended_early(settings, "flow", date, two + dt.timedelta(days=30)))
    ((name, pipeline, newest, *_),) = status_rows(sensors(settings), two)
    assert (name, pipeline, newest) == ("zeek/s1", "flow", "2024-04-20 22:41:00")


def test_no_late_rows_without_a_published_day(tmp_path: Path) -> None:
    source, name, data, _ = SAMPLES["conn"]
    (tmp_path / name).write_bytes(data)
    assert not list(late(take(tmp_path, source, tmp_path / name)))


def test_the_page_on_adding_a_source(tmp_path: Path) -> None:
    page = (PROJECT / "docs/adding-a-source.md").read_text()
    (described,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (line,) = re.findall(r"for lines like `(.*?)`", page)
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources/firewall.yml").write_text(described)
    header = "time;source;sport;destination;dport;proto;bytes;action\n"
    (tmp_path / "fw.log").write_text(header + line + "\n" + line.replace("drop", "allow") + "\n")
    commands = re.findall(r"\$ spot-oa (.*)", page)
    assert len(commands) == 2
    for command in commands:
        made = spot_oa(tmp_path, *command.split(), SPOT_OA_SOURCES_DIR=str(tmp_path / "sources"))
        assert made.returncode == 0, made.stderr
        assert "1 flow rows, 1 skipped (dropped), hours 2024-04-20 05" in made.stdout
    ((_, row),) = landed(tmp_path)
    assert dict(row)["ibyt"] == 1500


def test_every_command_of_the_page_on_ingest(tmp_path: Path) -> None:
    """With logs of our own in the places that the page names; tools that read binaries are left out."""
    page = (PROJECT / "docs/ingest.md").read_text()
    files = {
        "2024-04-20/conn.log": "conn",
        "2024-04-20/dns.log": "dns",
        "eve.json": "eve",
        "access.log": "squid",
        "main.log.gz": "elf",
        "capture.binetflow": "argus",
        "vpcflowlogs.log.gz": "vpc",
    }
    for name, sample in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(SAMPLES[sample][2])
    epochs = (
        b"firstSeen,duration,proto,srcAddr,dstAddr,srcPort,dstPort,flags,inPackets,inBytes,outPackets,"
        b"outBytes,srcTos,input,output,srcAS,dstAS,routerIP\n"
        b"1713589200.250,0.5,6,10.0.0.5,192.0.2.1,1,443,...AP.SF,3,580,1,2,0,0,0,0,0,192.0.2.9\n"
    )
    done = 0
    for command in re.findall(r"^\$ (.*)$", page, re.MULTILINE):
        if command.startswith("spot-oa run"):
            continue
        tool, _, ours = command.rpartition("spot-oa ")
        args = [re.sub(r"^/.*?([^/]+/?)$", r"\1", word) for word in ours.split()]
        stdin = epochs if "%tsr" in tool else SAMPLES["nfdump-new"][2] if tool else b""
        made = spot_oa(tmp_path, *args, stdin=stdin)
        assert made.returncode == 0, (command, made.stderr)
        done += 1
    assert done == 11

    # There is no cluster here: a folder stands in for it, and nothing is registered.
    settings, delivery = re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    local = {
        "/opt/zeek/logs/": f"{tmp_path}/",
        "hdfs://namenode/user/spot": f"file://{tmp_path}/cluster/raw",
    }
    for theirs, here in local.items():
        settings, delivery = settings.replace(theirs, here), delivery.replace(theirs, here)
    configured = dict(re.findall(r"^(\w+)=(.*)$", settings, re.MULTILINE))
    assert len(configured) == 3
    (tmp_path / "current").mkdir()
    (tmp_path / "current/dns.log").write_bytes(SAMPLES["dns"][2])
    made = spot_oa(tmp_path, "ingest", **configured)
    assert made.returncode == 0, made.stderr
    made = spot_oa(tmp_path, "doctor", **configured)
    assert "ok          logs edge (zeek/edge): 2 paths\n" in made.stdout
    assert "ok          logs of zeek/edge: newest" in made.stdout
    found = re.fullmatch(r"((?:\w+=\S+ )+)spot-oa (.*)\n", delivery)
    assert found is not None
    given = dict(word.split("=", 1) for word in found[1].split())
    assert given.pop("SPOT_OA_TARGET") == "impala"
    before = landed(tmp_path)
    made = spot_oa(tmp_path, *found[2].split(), **given)
    assert made.returncode == 0, made.stderr
    assert landed(tmp_path / "cluster") == before
    assert not landed(tmp_path)
