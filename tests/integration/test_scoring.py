"""The built-in scorer from telemetry to published reasons, on the demo network's flows."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from analyst.day import open_day
from analyst.panels.rows import Rows
from analyst.workbench import open_day as open_workbench
from flows.run.runner import run_day, score_day
from flows.run.score_labels import Label, find
from flows.run.steps import Run
from flows.run.summary import Summary
from spot_oa.dates import Slice
from spot_oa.demo import CULPRITS, DEMO_DATES, generate
from spot_oa.errors import SpotOaError
from spot_oa.pipelines import get_pipeline
from spot_oa.settings import Settings, load_settings
from spot_oa.warehouse import open_warehouse
from spot_oa.warehouse.published import read_rows
from tests.support.report import Told
from tests.support.warm import SCRIPT

FIRST, SECOND = DEMO_DATES
LIMIT = 60
EVERYTHING = 10_000
"""More than the groups of a date."""


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which both dates are scored, landed and published, in order."""
    home = tmp_path_factory.mktemp("scored") / "home"
    generate(home, pipelines=("flow",), rows_per_day=2000, suspicious=60)
    for date in DEMO_DATES:
        run(load_settings(home=home), date)
    return home


@pytest.fixture
def home(scored: Path, tmp_path: Path) -> Settings:
    copy = tmp_path / "home"
    shutil.copytree(scored, copy)
    return load_settings(home=copy)


def run(settings: Settings, date: dt.date) -> Summary:
    return run_day(settings, "flow", date, Told(), limit=LIMIT, scorer="builtin")


def score(settings: Settings, date: dt.date) -> Summary:
    return score_day(settings, "flow", date, Told(), limit=LIMIT)


def results(settings: Settings, date: dt.date) -> Path:
    folder = Path(settings.ml_uri) / "flow" / "scored_results" / date.strftime("%Y%m%d")
    return folder / "scores" / "flow_results.csv"


def state(settings: Settings) -> list[tuple[object, ...]]:
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        return [
            row
            for table in ("seen", "profile")
            for row in connection.execute(
                f"select '{table}', * from oa_scoring.score_flow_{table} order by all"
            ).fetchall()
        ]


def reasons(settings: Settings, date: dt.date) -> list[dict[str, object]]:
    return read_rows(settings.data_dir / "flow" / date.strftime("%Y%m%d") / "flow_reasons.parquet")


def written_reasons(settings: Settings, date: dt.date) -> list[dict[str, object]]:
    text = results(settings, date).with_name("flow_reasons.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def best_ranks(settings: Settings, date: dt.date) -> dict[str, int]:
    """The best rank of each destination address in the results file."""
    lines = results(settings, date).read_text("utf-8").splitlines()
    return {line.split("\t")[9]: rank for rank, line in reversed(list(enumerate(lines)))}


def test_the_file_lands_as_it_is_and_each_row_has_its_reasons(home: Settings) -> None:
    lines = results(home, SECOND).read_text("utf-8").splitlines()
    scores = [float(line.split("\t")[17]) for line in lines]
    assert len(lines) == LIMIT
    assert scores == sorted(scores)
    published = home.data_dir / "flow" / SECOND.strftime("%Y%m%d")
    assert len(read_rows(published / "flow_scores.parquet")) == LIMIT
    with duckdb.connect(str(home.warehouse), read_only=True) as connection:
        assert connection.execute("select count(*) from raw.results_rejects").fetchall() == [(0,)]
    told = reasons(home, SECOND)
    assert [row["rank"] for row in told] == list(range(LIMIT))
    assert all(str(row["reason"]) for row in told[:20])
    assert '<td class="why">' in (home.data_dir / "reports" / "20160709.html").read_text("utf-8")


def test_a_rerun_gives_the_same_bytes_and_the_same_state(home: Settings) -> None:
    before = results(home, SECOND).read_bytes(), state(home)
    summary = score(home.model_copy(update={"threads": 1, "memory_limit": "1GB"}), SECOND)
    assert (results(home, SECOND).read_bytes(), state(home)) == before
    assert summary.ended == "scored"
    assert summary.scored is not None
    assert summary.scored.days == 1


def test_a_store_that_cannot_be_read_costs_the_labels_and_not_the_day(home: Settings) -> None:
    before = results(home, SECOND).read_bytes()
    home.analyst_db.write_bytes(b"no store" * 1000)
    words = f"scorer: labels had no effect on the scores: store {home.analyst_db}: "
    for summary in (score(home, SECOND), run(home, SECOND)):
        assert [line for line in summary.warnings if line.startswith(words)], summary.warnings
        assert results(home, SECOND).read_bytes() == before
    assert summary.published is not None


def test_a_late_day_is_told_and_scored_again_in_order(home: Settings) -> None:
    files = [results(home, date) for date in DEMO_DATES]
    files += [file.with_name("flow_reasons.jsonl") for file in files]
    before = [file.read_bytes() for file in files], state(home)
    with duckdb.connect(str(home.warehouse)) as connection:
        for table in ("seen", "profile"):
            connection.execute(f"delete from oa_scoring.score_flow_{table} where d = {FIRST.day}")
    score(home, SECOND)
    assert files[1].read_bytes() != before[0][1]
    for file in files:
        file.unlink()
    command = ["score", "flow", "--from", f"{FIRST}", "--date", f"{SECOND}"]
    rebuilt = subprocess.run(
        [SCRIPT, *command, "--limit", str(LIMIT)],
        check=False,
        env=os.environ | {"SPOT_OA_HOME": str(home.home)},
        capture_output=True,
        text=True,
    )
    assert (rebuilt.returncode, rebuilt.stderr) == (0, "")
    assert f"`spot-oa {' '.join(command)}`" in re.sub(r"[│\s]+", " ", rebuilt.stdout)
    assert ([file.read_bytes() for file in files], state(home)) == before


def test_a_day_without_telemetry_is_refused_and_the_old_file_stays(home: Settings) -> None:
    before = results(home, SECOND).read_bytes(), state(home)
    folder = Path(home.raw_uri) / "flow" / "y=2016"
    shutil.rmtree(folder)
    folder.mkdir()
    with pytest.raises(SpotOaError, match="no telemetry, nothing to score"):
        score(home, SECOND)
    assert (results(home, SECOND).read_bytes(), state(home)) == before


def test_what_analysts_judged_acts_on_later_dates_and_says_so(home: Settings) -> None:
    day = open_day("flow", FIRST, settings=home, author="anna")
    # What reputation calls high, as the exfiltration's address, is not lowered.
    benign, malicious = "2001:db8:bad::99", CULPRITS["exfiltration"]
    before = best_ranks(home, SECOND)
    assert 0 < before[benign] < LIMIT
    assert 0 < before[malicious] < LIMIT
    for address, severity in ((benign, 3), (malicious, 1)):
        day.label("fields", {"dstip": address}, severity)
    score_day(home, "flow", SECOND, Told(), limit=EVERYTHING)
    after = best_ranks(home, SECOND)
    assert after[benign] >= LIMIT
    assert after[malicious] <= before[malicious]
    lowered, raised = (written_reasons(home, SECOND)[after[each]] for each in (benign, malicious))
    assert f"; judged benign by anna on {FIRST} (-22.0)" in str(lowered["reason"])
    assert f"; judged malicious by anna on {FIRST} (+22.5)" in str(raised["reason"])
    assert (lowered["feedback"], raised["feedback"]) == (-21.9861, 22.4747)
    run_day(home, "flow", SECOND, Told(), limit=LIMIT, scorer="file")
    published = reasons(home, SECOND)
    said = [str(row["label"]) for row in published]
    assert any(f"judged malicious by anna on {FIRST}" in text for text in said)
    assert all(float(str(r["feedback"])) > 0 for r in published if "malicious" in str(r["label"]))
    shown = read_rows(home.data_dir / "flow" / "20160709" / "flow_scores.parquet")
    assert benign not in {row["dstip"] for row in shown}


def test_labels_keep_the_way_of_their_rows(home: Settings) -> None:
    settings = home.model_copy(update={"score_inbound": 1.0})
    run(settings, FIRST)
    day = open_day("flow", FIRST, settings=settings, author="anna")
    day.label_ranks(range(LIMIT), 3)
    score(settings, SECOND)
    own = "exists (select 1 from oa_scoring.int_score_flow__own as own where own.address = {})"
    with duckdb.connect(str(home.warehouse), read_only=True) as connection:
        found = connection.execute(
            f"select distinct way, {own.format('e')}, {own.format('p')} "
            "from oa_scoring.int_score_flow__labels where severity = 3"
        ).fetchall()
    assert set(found) == {("in", False, True), ("lat", True, True), ("out", True, False)}


def test_days_whose_labels_have_no_weight_are_not_read(home: Settings) -> None:
    open_day("flow", FIRST, settings=home, author="anna").label_ranks([0, 1], 3)

    def labels_of(after: int) -> list[Label]:
        part = Slice("flow", FIRST + dt.timedelta(days=after))
        return find(Run(home, get_pipeline("flow"), part, LIMIT, open_warehouse(home)), [])

    assert len(labels_of(129)) == 2
    (home.data_dir / "flow" / "20160708" / "flow_scores.parquet").write_bytes(b"")
    with pytest.raises(SpotOaError):
        labels_of(129)
    assert labels_of(130) == []


def test_a_build_of_everything_leaves_the_state_alone(home: Settings) -> None:
    from tests.support.dbt import dbt_in_a_run

    before = state(home)
    code, output = dbt_in_a_run(
        home, "run", "--select", "path:models/scoring/flow",
        "path:models/scoring/state/score_flow_*", "--vars", f"{{date: {FIRST}}}",
    )  # fmt: skip
    assert code == 0, output
    assert state(home) == before


def test_labels_lower_nothing_that_reputation_calls_high(home: Settings) -> None:
    day = open_day("flow", FIRST, settings=home, author="anna")
    day.label("ip", {"ip": CULPRITS["exfiltration"]}, 3)
    score(home, SECOND)
    run_day(home, "flow", SECOND, Told(), limit=LIMIT, scorer="file")
    said = f"judged benign by anna on {FIRST}, not lowered: reputation calls it high"
    kept = [row for row in reasons(home, SECOND) if said in str(row["reason"])]
    assert kept
    assert {row["feedback"] for row in kept} == {0.0}
    assert all("times the usual of tcp/443" in str(row["reason"]) for row in kept)


def test_what_is_not_scored_or_not_answered_is_told(home: Settings) -> None:
    nobody = without_port = 0
    for file in Path(home.raw_uri).glob("flow/y=2016/m=7/d=9/*/*.parquet"):
        rows = duckdb.sql(
            "select * replace (0::bigint as obyt, case when row_number() over () <= 2 then null "
            "else sip end as sip, case when row_number() over () in (3, 4) then null else dport "
            "end as dport, if(row_number() over () = 4, null, sport) as sport) "
            f"from read_parquet('{file}', hive_partitioning = false) "
            # Those whose server is the source are answers, of a sort.
            "where dport < sport"
        )
        table = rows.to_arrow_table()
        nobody += table["sip"].null_count
        without_port += table["dport"].null_count
        pq.write_table(table, file)
    summary = score(home, SECOND)
    assert summary.scored is not None
    assert summary.scored.unscored == nobody > 0
    assert without_port > 0
    lines = results(home, SECOND).read_text("utf-8").splitlines()
    told = [str(row["reason"]) for row in written_reasons(home, SECOND)]
    ports = [line.split("\t")[10:12] for line in lines]
    assert ["null", "null"] in ports
    assert any("tcp/0 used by" in told[rank] for rank, each in enumerate(ports) if "null" in each)
    assert [text for text in summary.warnings if "sees one direction" in text]
    assert not any("do not answer" in text for text in told)


def test_one_client_without_ranges_of_its_network_is_scored(home: Settings) -> None:
    Path(home.context_dir / "ipranges.csv").unlink()
    for file in Path(home.raw_uri).glob("flow/y=2016/m=7/d=9/*/*.parquet"):
        table = duckdb.sql(
            f"select * replace ('10.1.0.23' as sip) from "
            f"read_parquet('{file}', hive_partitioning = false) where sip like '10.1.0.%'"
        ).to_arrow_table()
        pq.write_table(table, file)
    summary = score(home, SECOND)
    assert [text for text in summary.warnings if "there is no ipranges.csv" in text]
    rows = written_reasons(home, SECOND)
    assert len(rows) == len(results(home, SECOND).read_text("utf-8").splitlines()) > 0
    # What everybody does who is there is no news.
    assert not any("contacted by 1 of 1 client" in str(row["reason"]) for row in rows)


def test_memory_counts_days_with_telemetry_and_old_state_goes(home: Settings) -> None:
    before = results(home, SECOND).read_bytes()
    with duckdb.connect(str(home.warehouse)) as connection:
        for table in ("seen", "profile"):
            name = f"oa_scoring.score_flow_{table}"
            # The first date was months ago, and nothing came since.
            connection.execute(f"update {name} set m = 2 where d = {FIRST.day}")
            for day in (1, 2, 3):
                connection.execute(
                    f"insert into {name} select * replace (1 as m, {day} as d) from {name} "
                    f"where d = {SECOND.day}"
                )
    score(home.model_copy(update={"score_days": 1}), SECOND)
    assert results(home, SECOND).read_bytes() == before
    with duckdb.connect(str(home.warehouse), read_only=True) as connection:
        for table in ("seen", "profile"):
            found = connection.execute(
                f"select distinct m, d from oa_scoring.score_flow_{table} order by all"
            ).fetchall()
            assert found == [(1, 3), (2, FIRST.day), (7, SECOND.day)]


def test_a_state_with_other_keys_is_no_memory(home: Settings) -> None:
    with duckdb.connect(str(home.warehouse)) as connection:
        # As after an upgrade of the engine.
        connection.execute(
            "update oa_scoring.score_flow_seen set item = item + 1 "
            f"where kind = 'id' and d = {FIRST.day}"
        )
    summary = score(home, SECOND)
    assert summary.scored is not None
    assert summary.scored.days == 0
    assert any("first day, nothing to compare with" in text for text in summary.warnings)
    assert not any("in 2 days" in str(row["reason"]) for row in written_reasons(home, SECOND))


def test_a_row_from_near_shows_why(home: Settings) -> None:
    shown = Rows(open_workbench("flow", FIRST, settings=home)).behind(0)
    why = [text for name, text in shown["fields"] if name == "why"]
    assert "; ".join(why) == reasons(home, FIRST)[0]["reason"]
