"""Labels through runs and refreshes: what is landed, built and published of them."""

from __future__ import annotations

import datetime as dt
import io
import json
import os
import shutil
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from analyst import open_day
from analyst.actions import COLUMNS, from_line
from analyst.day import Day
from analyst.feedback import FILE
from analyst.store import open_store
from analyst.suppressions import hits, suppress, suppression, unsuppress
from analyst.workbench import open_day as open_bench
from flows.run.labels import pending
from flows.run.runner import refresh_day, run_day
from flows.run.summary import Summary
from spot_oa.dates import Slice
from spot_oa.demo import DEMO_DATES, generate
from spot_oa.errors import BuildError, ConfigError, StoreError, WarehouseError
from spot_oa.pipelines import get_pipeline, load_pipelines
from spot_oa.settings import Settings, load_settings
from spot_oa.warehouse.published import read_rows
from tests.support.audit import audit
from tests.support.published import digests
from tests.support.report import Told
from tests.support.warm import Warm

FIRST = DEMO_DATES[0]
PIPELINES = ("flow", "dns", "proxy")
SINCE_SCORES = [
    *("severity", "severity_name", "scored_by", "scored_at", "via", "rule_id", "note"),
    *("action_id", "is_open", "suppressed", "suppression_id", "sort_order", "y", "m", "d"),
]
OWN = {
    "flow": [],
    "dns": ["rank", "ip_sev", "dns_sev"],
    "proxy": ["rank", "uri_sev", "pair_hash", "request_hash"],
}
INVESTIGATED = {
    "flow": ["tstart", "srcip", "dstip", "srcport", "dstport", "score"],
    "dns": ["unix_tstamp", "ip_dst", "dns_qry_name", "ip_sev", "dns_sev"],
    "proxy": ["tdate", "fulluri", "uri_sev"],
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home in which every pipeline has run on one date, with nothing labelled."""
    home = tmp_path_factory.mktemp("labelled")
    generate(home, pipelines=tuple(load_pipelines()), rows_per_day=1000, suspicious=40)
    settings = load_settings(home=home, reports=False)
    for pipeline in PIPELINES:
        run_day(settings, pipeline, FIRST, Told())
    return settings


def spot_oa(
    warm: Warm, settings: Settings, command: str, pipeline: str, *options: str
) -> tuple[int, str, str]:
    """Exit code, output and errors of a command with the settings of these tests."""
    environment = {"SPOT_OA_ANALYST_DB": str(settings.analyst_db), "SPOT_OA_REPORTS": "false"}
    return warm.run(settings.home, command, pipeline, *options, **environment)


def opened(settings: Settings, pipeline: str = "flow") -> Day:
    return open_day(pipeline, FIRST, settings=settings, author="ann", made_with="cli")


def folder(settings: Settings, pipeline: str = "flow") -> Path:
    return settings.triage_dir / pipeline / f"{FIRST:%Y%m%d}"


def table(settings: Settings, name: str) -> list[dict[str, Any]]:
    return read_rows(folder(settings, name.partition("_")[0]) / f"{name}.parquet")


def manifest(settings: Settings, pipeline: str = "flow") -> dict[str, Any]:
    text = (folder(settings, pipeline) / "manifest.json").read_text("utf-8")
    read: dict[str, Any] = json.loads(text)
    return read


def agree(settings: Settings, pipeline: str) -> None:
    """The tables have what the live view has, in its order."""
    live = opened(settings, pipeline).in_order()
    rows = table(settings, f"{pipeline}_triage")
    assert [row["sort_order"] for row in rows] == list(range(len(live)))
    assert [row["rank"] for row in rows] == [each.rank for each in live]
    columns = [*opened(settings, pipeline).triage.targets.values(), "severity"]
    for row, each in zip(rows, live, strict=True):
        told = {**each.severities, "severity": int(each.severity)}
        assert {name: row[name] for name in columns} == {name: told[name] for name in columns}
        assert row["is_open"] == each.is_open
        assert row["severity_name"] == each.severity.title
        assert row["scored_by"] == (each.action.author if each.action else "")
        assert row["action_id"] == (each.action.action_id if each.action else "")
        assert row["note"] == ((each.action.note or "") if each.action else "")
        when = each.action.recorded_at[:19].replace("T", " ") if each.action else ""
        assert row["scored_at"] == when


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_a_fresh_day_is_open(home: Settings, pipeline: str) -> None:
    rows = table(home, f"{pipeline}_triage")
    scores = read_rows(home.data_dir / pipeline / "20160708" / f"{pipeline}_scores.parquet")
    assert list(rows[0]) == [*list(scores[0])[:-3], *OWN[pipeline], *SINCE_SCORES]
    own = [name for name in scores[0] if name != "rank"]
    assert sorted([repr([row[n] for n in own]) for row in rows]) == sorted(
        [repr([row[n] for n in own]) for row in scores]
    )
    told = manifest(home, pipeline)
    assert [told[k] for k in ("open", "high", "medium", "low", "orphans", "last_seq")] == [
        len(scores), 0, 0, 0, 0, 0,
    ]  # fmt: skip
    run = json.loads((home.data_dir / pipeline / "20160708" / "manifest.json").read_text())
    assert told["scores_run_id"] == run["run_id"]
    for column in ("severity", *opened(home, pipeline).triage.targets.values()):
        assert {row[column] for row in rows} == {0}, column
    assert [row["rank"] for row in rows] == list(range(len(rows)))
    assert table(home, f"{pipeline}_threat_investigation") == []
    assert (folder(home, pipeline) / "actions.jsonl").read_text() == ""
    assert (folder(home, pipeline) / "ml_feedback.csv").read_text().count("\n") == 1
    assert not home.analyst_db.exists()


def test_a_day_that_only_rules_label_has_feedback(home: Settings) -> None:
    file = home.rules_dir / "flow.yml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(
        "- {id: all, when: [{field: dport, op: geq, value: 0}], severity: low, enabled: true}\n"
    )
    refresh_day(home, "flow", FIRST, Told())
    feedback = (folder(home) / FILE).read_text("utf-8")
    assert feedback == opened(home).feedback().text
    assert feedback.count("\n") > 1
    file.unlink()
    refresh_day(home, "flow", FIRST, Told())


def _label_flow(day: Day) -> None:
    row = day.published.rows[0]
    day.label("ip", {"ip": str(row["srcip"])}, 1, note="o'brien; --\u2028")
    day.label_ranks([2, 3], 3)
    day.undo()
    day.label_ranks([5], 2)
    day.clear_ranks([6])


def _label_dns(day: Day) -> None:
    row = day.published.rows[0]
    day.label("client", {"ip_dst": str(row["ip_dst"])}, 2)
    day.label("query", {"dns_qry_name": str(day.published.rows[5]["dns_qry_name"])}, 3)
    day.label_ranks([7], 1)


def _label_proxy(day: Day) -> None:
    row = day.published.rows[0]
    day.label("uri", {"fulluri": str(row["fulluri"])}, 1)
    day.label_ranks([9], 3)


@pytest.mark.parametrize(
    ("pipeline", "label"), [("flow", _label_flow), ("dns", _label_dns), ("proxy", _label_proxy)]
)
def test_labels_reach_the_tables(
    home: Settings, pipeline: str, label: Callable[[Day], None]
) -> None:
    before = digests(home.data_dir / pipeline / "20160708")
    day = opened(home, pipeline)
    label(day)
    told = Told()
    refresh_day(home, pipeline, FIRST, told)
    agree(home, pipeline)
    scored = [each for each in day.rows() if each.severity]
    investigated = table(home, f"{pipeline}_threat_investigation")
    assert len(investigated) == len(scored) > 0
    assert list(investigated[0])[:-3] == INVESTIGATED[pipeline]
    text = (folder(home, pipeline) / "ml_feedback.csv").read_text("utf-8")
    assert text == day.feedback().text
    lines = (folder(home, pipeline) / "actions.jsonl").read_text("utf-8").splitlines()
    assert [from_line(line) for line in lines] == day.actions()
    assert manifest(home, pipeline)["last_seq"] == day.actions()[-1].seq
    assert digests(home.data_dir / pipeline / "20160708") == before
    again = digests(folder(home, pipeline))
    refresh_day(home, pipeline, FIRST, Told())
    assert digests(folder(home, pipeline)) == again


def test_other_results_keep_the_labels_of_their_rows(home: Settings) -> None:
    ranks = [each.rank for each in opened(home).rows() if each.severity]
    assert ranks
    store = home.analyst_db.read_bytes()
    run_day(home, "flow", FIRST, Told(), limit=1)
    assert manifest(home)["rows"] == 1
    assert manifest(home)["orphans"] > 0
    agree(home, "flow")
    run_day(home, "flow", FIRST, Told(), limit=500)
    assert [each.rank for each in opened(home).rows() if each.severity] == ranks
    assert manifest(home)["orphans"] == 0
    agree(home, "flow")
    assert home.analyst_db.read_bytes() == store


def test_other_scores_of_the_same_events_keep_their_labels(home: Settings) -> None:
    """The scorer ran again: everything has another rank, and the worst host does something new."""
    file = home.home / "ml/flow/scored_results/20160708/scores/flow_results.csv"
    before = file.read_bytes()

    def labelled() -> Counter[tuple[Any, ...]]:
        names = ("tstart", "srcip", "dstip", "sport", "dport", "ipkt", "ibyt", "severity", "note")
        rows = table(home, "flow_triage")
        return Counter(tuple(row[name] for name in names) for row in rows if row["severity"])

    kept = labelled()
    fields = [line.split("\t")[:-1] for line in before.decode().splitlines()]
    source = next(row[1] for row in kept)
    (known, *_) = (line for line in fields if len(line) == 17 and line[8] == source)
    new = [*known[:10], "4", "4", *known[12:]]
    lines = ["\t".join([*line, f"{n}e-9"]) for n, line in enumerate([new, *reversed(fields)], 1)]
    try:
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        run_day(home, "flow", FIRST, Told())
        assert labelled() == kept
        (fresh,) = (row for row in table(home, "flow_triage") if row["rank"] == 0)
        assert (fresh["srcip"], fresh["dport"], fresh["severity"]) == (source, 4, 0)
        agree(home, "flow")
    finally:
        file.write_bytes(before)
        run_day(home, "flow", FIRST, Told())
    assert labelled() == kept


def test_a_store_that_cannot_be_read_leaves_the_triage_as_it_was(
    home: Settings, warm: Warm
) -> None:
    broken = home.home / "broken.sqlite"
    broken.write_bytes(b"no store" * 1000)
    before = digests(folder(home))
    old = manifest(home)
    settings = home.model_copy(update={"analyst_db": broken})
    # Other results than the triage was made of: its tests are not of this run.
    summary = run_day(settings, "flow", FIRST, Told(), limit=7)
    assert summary.warnings[0].startswith("THE TRIAGE WAS NOT UPDATED: store ")
    assert "file is not a database" in summary.warnings[0]
    assert summary.tables["flow_scores"] == 7
    assert digests(folder(home)) == before
    assert manifest(home) == old
    assert broken.read_bytes() == b"no store" * 1000
    run = json.loads((home.data_dir / "flow" / "20160708" / "manifest.json").read_text())
    assert run["run_id"] == summary.run_id != old["scores_run_id"]
    told = Told()
    # Its labels are tried again, and do not make an unchanged day fail.
    assert run_day(settings, "flow", FIRST, told, limit=7, skip_unchanged=True).unchanged
    assert any("THE TRIAGE WAS NOT UPDATED" in note for note in told.notes)
    code, output, errors = spot_oa(
        warm, settings, "run", "flow", "--date", str(FIRST), "--limit", "8"
    )
    assert (code, errors) == (0, "")
    assert "THE TRIAGE WAS NOT UPDATED" in output
    scores = read_rows(home.data_dir / "flow" / "20160708" / "flow_scores.parquet")
    assert len(scores) == 8
    assert (digests(folder(home)), manifest(home)) == (before, old)


def _spoil_a_label(settings: Settings) -> None:
    """A severity that there is not: no command writes it."""
    copied = ", ".join(name for name in COLUMNS if name not in ("action_id", "severity"))
    with closing(sqlite3.connect(settings.analyst_db)) as store, store:
        (seq,) = store.execute(
            "select max(seq) from actions where pipeline = 'flow' and kind = 'label'"
        ).fetchone()
        new = store.execute(
            f"insert into actions (action_id, severity, {copied}) "
            f"select 'spoilt', 7, {copied} from actions where seq = ?",
            [seq],
        ).lastrowid
        store.execute(
            "insert into action_rows select ?, row_key, target from action_rows where seq = ?",
            [new, seq],
        )


def _spoil_a_model(settings: Settings) -> None:
    """A table that has come to differ from its contract."""
    with duckdb.connect(str(settings.warehouse)) as connection:
        connection.execute("alter table oa.flow_fan_out add column surplus int")


def _mend_the_model(settings: Settings) -> None:
    with duckdb.connect(str(settings.warehouse)) as connection:
        connection.execute("alter table oa.flow_fan_out drop column surplus")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_spoil_a_label, "dbt test flow_triage_has_severities failed"),
        (_spoil_a_model, "dbt model flow_fan_out failed"),
    ],
)
def test_a_failing_triage_does_not_stop_the_day(
    home: Settings, tmp_path: Path, spoil: Callable[[Settings], None], says: str
) -> None:
    """The day is published, its triage stays as it was, and that is the first warning."""
    settings = home.model_copy(update={"analyst_db": tmp_path / "store.sqlite"})
    shutil.copy(home.analyst_db, settings.analyst_db)
    spoil(settings)
    before = digests(folder(home)), manifest(home)
    summary = run_day(settings, "flow", FIRST, Told())
    assert summary.warnings[0].startswith(f"THE TRIAGE WAS NOT UPDATED: {says}")
    assert (digests(folder(home)), manifest(home)) == before
    run = json.loads((home.data_dir / "flow" / "20160708" / "manifest.json").read_text())
    assert run["run_id"] == summary.run_id
    assert audit(home.warehouse)[-1]["status"] == "done"
    with pytest.raises(BuildError, match=says):
        refresh_day(settings, "flow", FIRST, Told())
    assert (digests(folder(home)), manifest(home)) == before
    if spoil is _spoil_a_model:
        _mend_the_model(home)
    refresh_day(home, "flow", FIRST, Told())
    agree(home, "flow")


def test_an_emptied_or_other_store_unlabels_nothing(home: Settings, warm: Warm) -> None:
    before, old = digests(folder(home)), manifest(home)
    other = home.model_copy(update={"analyst_db": home.home / "other.sqlite"})
    with pytest.raises(StoreError, match=r"is not the store of .* --accept-store"):
        refresh_day(other, "flow", FIRST, Told())
    code, _, errors = spot_oa(warm, other, "refresh", "flow", "--date", str(FIRST))
    assert (code, errors.count("\n")) == (1, 1)
    assert "--accept-store" in errors
    assert digests(folder(home)) == before
    summary = run_day(other, "flow", FIRST, Told())
    assert any("--accept-store" in warning for warning in summary.warnings)
    assert digests(folder(home)) == before
    assert manifest(home) == old
    refresh_day(other, "flow", FIRST, Told(), accept_store=True)
    assert {row["severity"] for row in table(home, "flow_triage")} == {0}
    refresh_day(home, "flow", FIRST, Told())
    agree(home, "flow")


def test_an_older_copy_of_the_store_unlabels_nothing(home: Settings) -> None:
    """As after a restored backup: it is the same store, without the last actions."""
    older = home.model_copy(update={"analyst_db": home.home / "older.sqlite"})
    with (
        closing(sqlite3.connect(home.analyst_db)) as now,
        closing(sqlite3.connect(older.analyst_db)) as then,
    ):
        now.backup(then)
    day = open_day("flow", FIRST, settings=home)
    day.label_ranks([3], "low")
    refresh_day(home, "flow", FIRST, Told())
    before = digests(folder(home))
    with pytest.raises(StoreError, match=r"lacks actions of .* --accept-store"):
        refresh_day(older, "flow", FIRST, Told())
    summary = run_day(older, "flow", FIRST, Told())
    assert any("--accept-store" in warning for warning in summary.warnings)
    assert digests(folder(home)) == before
    day.undo()
    refresh_day(home, "flow", FIRST, Told())
    agree(home, "flow")


class Killed(Told):
    """Ends a run before one of its steps."""

    def __init__(self, before: str) -> None:
        super().__init__()
        self.before = before

    def started(self, step: str) -> None:
        if step == self.before:
            raise KeyboardInterrupt


def _kill_a_run(settings: Settings, pipeline: str) -> None:
    """The warehouse has the results of another run, which was never published."""
    with pytest.raises(KeyboardInterrupt):
        run_day(settings, pipeline, FIRST, Killed("publish"), limit=5)


def _lose_the_day(settings: Settings, pipeline: str) -> None:
    with duckdb.connect(str(settings.warehouse)) as connection:
        for schema, name in connection.execute(
            "select schema_name, table_name from duckdb_tables() where schema_name <> 'main' "
            "and starts_with(table_name, ?)",
            [pipeline],
        ).fetchall():
            connection.execute(f"delete from {schema}.{name}")


def _lose_the_warehouse(settings: Settings, pipeline: str) -> None:
    settings.warehouse.unlink()


@pytest.mark.parametrize("pipeline", ["flow", "dns"])
@pytest.mark.parametrize("change", [_kill_a_run, _lose_the_day, _lose_the_warehouse])
def test_a_refresh_refuses_a_warehouse_without_the_published_run(
    home: Settings, pipeline: str, change: Callable[[Settings, str], None]
) -> None:
    before, old = digests(folder(home, pipeline)), manifest(home, pipeline)
    kept = home.warehouse.read_bytes()
    change(home, pipeline)
    wanted = rf"does not hold the published run {old['scores_run_id']} of {pipeline} 2016-07-08: .*"
    with pytest.raises(WarehouseError, match=wanted + rf"`spot-oa run {pipeline} --date"):
        refresh_day(home, pipeline, FIRST, Told())
    assert (digests(folder(home, pipeline)), manifest(home, pipeline)) == (before, old)
    home.warehouse.write_bytes(kept)
    refresh_day(home, pipeline, FIRST, Told())
    assert digests(folder(home, pipeline)) == before


def test_a_triage_of_other_connections_than_the_results_is_refused(home: Settings) -> None:
    before, kept = digests(folder(home)), home.warehouse.read_bytes()
    with duckdb.connect(str(home.warehouse)) as connection:
        connection.execute("update oa.flow_scores set ibyt = ibyt + 1 where rank = 0")
    with pytest.raises(BuildError, match="flow_triage"):
        refresh_day(home, "flow", FIRST, Told())
    assert digests(folder(home)) == before
    home.warehouse.write_bytes(kept)


def test_a_store_without_the_suppressions_of_a_day_opens_nothing(
    home: Settings, tmp_path: Path
) -> None:
    """No action on the day, but a suppression: another store is refused just as well."""
    mine = home.model_copy(update={"analyst_db": tmp_path / "mine.sqlite"})
    store, flow = open_store(mine), get_pipeline("flow")
    asked = {"column": "srcip", "exact": str(opened(home).published.rows[0]["srcip"])}
    kept = suppression(flow, asked, reason="ours", today=FIRST)
    suppress(store, flow, kept, reason="ours", author="ann", made_with="cli")
    refresh_day(mine, "flow", FIRST, Told(), accept_store=True)
    before, old = digests(folder(home)), manifest(home)
    assert old["last_seq"] == 0 < old["suppressed"]
    other = home.model_copy(update={"analyst_db": tmp_path / "other.sqlite"})
    with pytest.raises(StoreError, match=r"is not the store of .* --accept-store"):
        refresh_day(other, "flow", FIRST, Told())
    assert (digests(folder(home)), manifest(home)) == (before, old)
    refresh_day(home, "flow", FIRST, Told(), accept_store=True)
    agree(home, "flow")


def test_an_unchanged_day_gets_newer_labels(home: Settings, warm: Warm) -> None:
    run_day(home, "proxy", FIRST, Told())
    opened(home, "proxy").label_ranks([1], 2, note="newer")
    summary = run_day(home, "proxy", FIRST, Told(), skip_unchanged=True)
    assert summary.unchanged
    agree(home, "proxy")
    assert run_day(home, "proxy", FIRST, Told(), skip_unchanged=True).seconds == {}
    days = home.data_dir / "proxy" / "20160708"
    published = digests(days), (days / "manifest.json").read_bytes()
    opened(home, "proxy").label_ranks([2], 1, note="newest")
    dates = ("--from", str(FIRST), "--to", str(FIRST))
    code, output, errors = spot_oa(warm, home, "backfill", "proxy", *dates)
    assert (code, errors) == (0, "")
    assert "unchanged" in output
    assert (digests(days), (days / "manifest.json").read_bytes()) == published
    agree(home, "proxy")
    assert "newest" in {row["note"] for row in table(home, "proxy_triage")}


class Scored(Told):
    """An analyst scores and saves as a step begins, the first time that it does."""

    def __init__(self, settings: Settings, step: str) -> None:
        super().__init__()
        self.settings = settings
        self.step = step
        self.said: list[str] = []
        self.took = 0.0

    def started(self, step: str) -> None:
        if step == self.step and not self.said:
            bench = open_bench("proxy", FIRST, settings=self.settings, author="ann")
            bench.label_ranks([4], 3, note=f"during {step}")
            begun = time.perf_counter()
            self.said.append(bench.save())
            self.took = time.perf_counter() - begun


@pytest.mark.parametrize(
    ("go", "step"),
    [
        (run_day, "publish"),
        (run_day, "notebooks"),
        (refresh_day, "publish triage"),
    ],
)
def test_what_is_saved_while_the_warehouse_is_held_is_in_the_tables_afterwards(
    home: Settings, go: Callable[..., Summary], step: str
) -> None:
    """Scored after the labels were landed: they are landed once more before the lock is free."""
    analyst = Scored(home, step)
    summary = go(home, "proxy", FIRST, analyst)
    assert summary.of_labels == []
    (told,) = analyst.said
    assert "a run holds the warehouse: the tables follow" in told
    assert analyst.took < 2
    agree(home, "proxy")
    assert f"during {step}" in {row["note"] for row in table(home, "proxy_triage")}
    feedback = (folder(home, "proxy") / FILE).read_text("utf-8")
    assert feedback == opened(home, "proxy").feedback().text
    assert pending(home, [get_pipeline("proxy")]) == []


def test_a_day_without_suspects_has_empty_tables(home: Settings) -> None:
    run_day(home, "dns", FIRST, Told(), limit=0)
    assert table(home, "dns_triage") == table(home, "dns_threat_investigation") == []
    told = manifest(home, "dns")
    assert [told[k] for k in ("rows", "open", "high", "medium", "low")] == [0] * 5
    assert told["orphans"] > 0


def test_feedback_goes_to_the_scorer(home: Settings, tmp_path: Path) -> None:
    run_day(home, "dns", FIRST, Told())
    settings = home.model_copy(update={"feedback_uri": str(tmp_path / "ml")})
    for pipeline in ("dns", "flow"):
        refresh_day(settings, pipeline, FIRST, Told())
    files = sorted(path.relative_to(tmp_path / "ml") for path in tmp_path.rglob("*.csv"))
    # A Low flow would end spot-ml 1.0's job: it has to be asked for.
    assert [str(file) for file in files] == [
        f"dns/scored_results/{day}/feedback/ml_feedback.csv" for day in ("20160708", "20160709")
    ]
    one, other = (set((tmp_path / "ml" / file).read_text().splitlines()) for file in files)
    assert one == other == set(opened(home, "dns").feedback().text.splitlines())


def test_no_telemetry_is_read_and_a_reader_sees_old_or_new(home: Settings) -> None:
    """A refresh, without the raw data, while somebody reads the folder all the time."""
    day = opened(home)
    refresh_day(home, "flow", FIRST, Told())
    old = manifest(home)
    written = day.label_ranks([0], 2, note="read while refreshed").action
    assert written is not None
    over, states = threading.Event(), set()

    def read() -> None:
        while not over.is_set():
            with closing_folder(folder(home)) as handle:
                told = json.loads(read_in(handle, "manifest.json"))
                lines = read_in(handle, "actions.jsonl").splitlines()
                rows = pq.read_table(io.BytesIO(read_in(handle, "flow_triage.parquet")))
                notes = set(rows.column("note").to_pylist())
                states.add(
                    (told["last_seq"], len(lines), told["rows"], "read while refreshed" in notes)
                )

    reader = threading.Thread(target=read)
    reader.start()
    raw = Path(home.raw_uri)
    raw.rename(raw.with_name("away"))
    try:
        refresh_day(home, "flow", FIRST, Told())
    finally:
        raw.with_name("away").rename(raw)
        over.set()
        reader.join()
    actions = len(day.actions())
    before = (old["last_seq"], actions - 1, old["rows"], False)
    assert before in states
    assert states <= {before, (written.seq, actions, old["rows"], True)}
    agree(home, "flow")


@contextmanager
def closing_folder(path: Path) -> Iterator[int]:
    """A folder as it is at this moment: an exchange does not change what its handle means."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield handle
    finally:
        os.close(handle)


def read_in(handle: int, name: str) -> bytes:
    with os.fdopen(os.open(name, os.O_RDONLY, dir_fd=handle), "rb") as file:
        return file.read()


def test_a_rule_file_holds_for_as_long_as_it_says_so(home: Settings) -> None:
    file = home.rules_dir / "flow.yml"
    file.parent.mkdir(parents=True, exist_ok=True)
    text = (
        "- {id: all, version: 3, when: [{field: dport, op: geq, value: 0}], severity: low, "
        "enabled: true}\n"
    )
    day = opened(home)
    assert any(each.is_open for each in day.rows())
    before = [row["severity"] for row in table(home, "flow_triage")]
    file.write_text(text)
    refresh_day(home, "flow", FIRST, Told())
    agree(home, "flow")
    rows = table(home, "flow_triage")
    assert {row["rule_id"] for row in rows if row["via"] == "rule"} == {"all"}
    with duckdb.connect(str(home.warehouse), read_only=True) as connection:
        asked = (
            f"select distinct rule_id, rule_version from raw.flow_rule_hits where d = {FIRST.day}"
        )
        assert connection.execute(asked).fetchall() == [("all", "3")]
    assert {row["is_open"] for row in rows if row["severity"] == 3} == {0}
    assert (folder(home) / "ml_feedback.csv").read_text() == opened(home).feedback().text
    by_hand = [row["action_id"] for row in rows if row["action_id"]]
    # An unknown field is refused before anything is replaced; a run publishes the day all the same.
    good = digests(folder(home))
    file.write_text(text.replace("dport", "nosuch"))
    with pytest.raises(ConfigError, match="rules cannot use the column 'nosuch'"):
        refresh_day(home, "flow", FIRST, Told())
    summary = run_day(home, "flow", FIRST, Told())
    assert "rules cannot use the column 'nosuch'" in summary.warnings[0]
    assert digests(folder(home)) == good
    file.write_text(text.replace("true", "false"))
    refresh_day(home, "flow", FIRST, Told())
    agree(home, "flow")
    rows = table(home, "flow_triage")
    assert [row["severity"] for row in rows] == before
    assert [row["action_id"] for row in rows if row["action_id"]] == by_hand
    file.unlink()


def test_what_is_suppressed_is_in_every_table_and_in_no_open_list(home: Settings) -> None:
    store, flow = open_store(home), get_pipeline("flow")
    before = opened(home).rows()
    first = next(each for each in before if each.is_open)
    asked = {"column": "srcip", "exact": str(first.row["srcip"])}
    kept = suppression(flow, asked, reason="o'brien; --", today=FIRST, last="2016-07-20")
    made = suppress(store, flow, kept, reason="o'brien; --", author="ann", made_with="cli")
    assert pending(home, [flow]) == [Slice("flow", FIRST)]
    refresh_day(home, "flow", FIRST, Told())
    agree(home, "flow")
    rows = table(home, "flow_triage")
    assert len(rows) == len(before)
    covered = [row for row in rows if row["srcip"] == first.row["srcip"]]
    assert {(row["suppressed"], row["suppression_id"]) for row in covered} == {(1, made.id)}
    assert manifest(home)["suppressed"] == len(covered) == hits(home, "flow")[made.id]
    # Neither the judgement nor what the scorer is told changes.
    assert [int(each.severity) for each in opened(home).rows()] == [int(e.severity) for e in before]
    assert pending(home, [flow]) == []
    # A rerun keeps it.
    run_day(home, "flow", FIRST, Told())
    assert manifest(home)["suppressed"] == len(covered)
    unsuppress(store, made.id, author="bob", made_with="cli")
    assert pending(home, [flow]) == [Slice("flow", FIRST)]
    refresh_day(home, "flow", FIRST, Told())
    assert manifest(home)["suppressed"] == 0
    agree(home, "flow")


def test_feedback_is_of_the_last_days_and_stays_at_home_unless_asked(
    home: Settings, tmp_path: Path
) -> None:
    second = DEMO_DATES[1]
    run_day(home, "proxy", second, Told())
    other = open_day("proxy", second, settings=home, author="ann", made_with="cli")
    other.label_ranks([0], 3)
    other.label_ranks([1], 1)
    outside = set(tmp_path.rglob("*"))
    refresh_day(home, "proxy", second, Told())
    assert set(tmp_path.rglob("*")) == outside
    settings = home.model_copy(update={"feedback_uri": str(tmp_path / "ml")})
    refresh_day(settings, "proxy", second, Told())
    own = other.feedback().lines
    earlier = opened(home, "proxy").feedback().lines
    assert own
    assert earlier
    scored = tmp_path / "ml" / "proxy" / "scored_results"
    for day in ("20160709", "20160710"):
        lines = (scored / day / "feedback" / FILE).read_text("utf-8").splitlines()[1:]
        # The newest day first, of it the Low ones.
        assert lines[: len(own)] == own
        assert sorted(lines[len(own) :]) == sorted(earlier)
    alone = settings.model_copy(update={"feedback_days": 0, "feedback_rows": 1})
    refresh_day(alone, "proxy", second, Told())
    file = (
        tmp_path / "ml" / "proxy" / "scored_results" / "20160709" / "feedback" / "ml_feedback.csv"
    )
    assert file.read_text("utf-8").splitlines()[1:] == own[:1]


def test_feedback_that_cannot_be_delivered_is_a_warning(home: Settings, tmp_path: Path) -> None:
    (tmp_path / "ml").write_text("no folder")
    settings = home.model_copy(update={"feedback_uri": str(tmp_path / "ml")})
    opened(home, "proxy").label_ranks([2], 3, note="undelivered")
    summary = refresh_day(settings, "proxy", FIRST, Told())
    (warning,) = summary.warnings
    assert warning.startswith("the feedback was not delivered to the scorer: ")
    assert "correct SPOT_OA_FEEDBACK_URI" in warning
    agree(home, "proxy")


def test_pending_days_are_those_with_something_new(home: Settings) -> None:
    wanted = [get_pipeline(name) for name in PIPELINES]
    for part in pending(home, wanted):
        refresh_day(home, part.pipeline, part.date, Told())
    assert pending(home, wanted) == []
    opened(home, "dns").label_ranks([0], 2)
    assert pending(home, wanted) == [Slice("dns", FIRST)]
    refresh_day(home, "dns", FIRST, Told())
    assert pending(home, wanted) == []
    # Another rule, another severity of it, none any more; not its title, nor one of another day.
    file = home.rules_dir / "dns.yml"
    file.parent.mkdir(parents=True, exist_ok=True)
    rule = "- {id: r, when: [{field: dns_qry_name, op: contains, value: a}], enabled: true, "
    for rest, behind in (
        ("severity: low}", True),
        ("severity: low, title: t}", False),
        ("severity: high}", True),
        ("severity: nosuch}", True),
        ("severity: high, valid_from: 2016-07-09}", True),
        ("severity: low, valid_from: 2016-07-09}", False),
    ):
        file.write_text(f"{rule}{rest}\n")
        assert pending(home, wanted) == [Slice("dns", FIRST)] * behind, rest
        if behind and "nosuch" not in rest:
            run_day(home, "dns", FIRST, Told(), skip_unchanged=True)
            assert pending(home, wanted) == [], rest
            agree(home, "dns")
    file.unlink()
    assert pending(home, wanted) == []
    # Published again, and its triage was not.
    broken = home.model_copy(update={"analyst_db": home.home / "broken.sqlite"})
    run_day(broken, "proxy", FIRST, Told())
    assert pending(home, wanted) == [Slice("proxy", FIRST)]
    # No triage and nothing to say: a day from before there were labels.
    shutil.rmtree(folder(home, "proxy").with_name("20160709"))
    shutil.copytree(home.data_dir / "proxy" / "20160709", home.data_dir / "proxy" / "20160710")
    assert Slice("proxy", dt.date(2016, 7, 10)) not in pending(home, wanted)
    shutil.rmtree(home.data_dir / "proxy" / "20160710")
