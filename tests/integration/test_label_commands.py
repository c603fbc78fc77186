"""What analysts type, in processes of its own: replies, exit codes, the store left as it is."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from analyst.feedback import COLUMNS, FILE
from analyst.store import open_store
from analyst.workbench import open_day
from spot_oa.errors import UsageError
from spot_oa.lock import warehouse_lock
from spot_oa.settings import load_settings
from tests.support.hostile import FILE_NAMES
from tests.support.labelled import DATE, day, publish, severities
from tests.support.warm import Warm

SCRIPT = Path(sys.executable).with_name("spot-oa")
DAY = ("--date", "2016-07-08")
X = "198.51.100.7"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    settings = load_settings(home=tmp_path / "home")
    publish(
        settings, "flow", [{"srcip": X}, {"srcip": X, "dport": 80}, {"dstip": X, "dport": 80}, {}]
    )
    publish(settings, "dns", [{"dns_qry_name": n} for n in ("evil.com", "a.evil.com", "x.org")])
    publish(settings, "proxy", [{}, {"clientip": "::1"}, {"fulluri": "x"}])
    return settings.home


def spot_oa(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRIPT, *arguments],
        check=False,
        cwd=home,
        env=os.environ | {"SPOT_OA_HOME": str(home), "SPOT_OA_AUTHOR": "ann"} | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def now(home: Path, pipeline: str = "flow", column: str | None = None) -> list[int]:
    return severities(day(load_settings(home=home), pipeline), column)


def test_a_label_its_undo_and_the_undo_of_that(home: Path) -> None:
    done = spot_oa(home, "label", "flow", *DAY, "--severity", "low", "--src", X, "--dport", "443",
                   "--json")  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    reply = json.loads(done.stdout)
    assert (reply["matched"], reply["changed"], reply["already_scored"]) == (1, 1, {})
    assert now(home) == [3, 0, 0, 0]
    # A typed address goes before what is chosen.
    done = spot_oa(home, "label", "flow", *DAY, "--severity", "1", "--ip", X, "--src", "10.0.0.5",
                   "--note", "o'brien; [red]")  # fmt: skip
    assert "3 rows, 3 changed, 1 already scored (1 Low); action " in done.stdout
    assert now(home) == [1, 1, 1, 0]
    done = spot_oa(home, "undo", "flow", *DAY)
    assert now(home) == [3, 0, 0, 0]
    history = spot_oa(home, "labels", "show", "flow", *DAY, "--history")
    assert history.stdout.count("\n") == 3
    assert "(taken back) o'brien; [red]" in history.stdout
    undone = history.stdout.splitlines()[-1].split()[2]
    assert spot_oa(home, "undo", undone).returncode == 0
    assert now(home) == [1, 1, 1, 0]
    assert spot_oa(home, "unlabel", "flow", *DAY, "--ranks", "0,1-2").returncode == 0
    assert now(home) == [0, 0, 0, 0]


def test_reset_asks_first(home: Path) -> None:
    spot_oa(home, "label", "flow", *DAY, "--severity", "low", "--ip", X)
    asked = spot_oa(home, "reset", "flow", *DAY)
    assert asked.returncode == 2
    assert "would take back 1 labels of 1 authors" in asked.stderr
    assert now(home) == [3, 3, 3, 0]
    assert "reset 1 labels" in spot_oa(home, "reset", "flow", *DAY, "--yes").stdout
    assert now(home) == [0, 0, 0, 0]


def test_dns_pairs_and_each(home: Path) -> None:
    pair = ("--client", "10.0.0.5", "--query", "EVIL.com.")
    spot_oa(home, "label", "dns", *DAY, "--severity", "low", *pair)
    assert now(home, "dns", "dns_sev") == now(home, "dns", "ip_sev") == [3, 0, 0]
    done = spot_oa(home, "label", "dns", *DAY, "--severity", "2", *pair, "--each", "--json")
    assert len({json.loads(line)["action_id"] for line in done.stdout.splitlines()}) == 2
    assert now(home, "dns", "dns_sev") == [2, 0, 0]
    assert now(home, "dns", "ip_sev") == [2, 2, 2]
    spot_oa(home, "label", "dns", *DAY, "--severity", "1", "--name", "evil.com")
    assert now(home, "dns", "dns_sev") == [1, 1, 0]


def test_proxy_uris_and_clients(home: Path) -> None:
    uri = ("--uri", "example.org/a")
    spot_oa(home, "label", "proxy", *DAY, "--severity", "low", *uri, "--client", "0::1")
    assert now(home, "proxy", "uri_sev") == [0, 3, 0]
    spot_oa(home, "label", "proxy", *DAY, "--severity", "high", *uri, "--only-open")
    assert now(home, "proxy", "uri_sev") == [1, 3, 0]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["label", "flow", *DAY, "--severity", "low"], 2, "nothing selected"),
        (["label", "flow", *DAY, "--ip", X], 2, "--severity"),
        (["label", "flow", *DAY, "--severity", "4", "--ip", X], 2, "severity '4' is unknown"),
        (["label", "flow", *DAY, "--severity", "1", "--ip", "abc"], 2, "'abc' is not an address"),
        (["label", "flow", *DAY, "--severity", "1", "--sport", "65536"], 2, "is not a port"),
        (["label", "flow", *DAY, "--severity", "1", "--uri", "x"], 2, "--uri cannot select"),
        (["label", "proxy", *DAY, "--severity", "1", "--client", "::1"], 2, "alone cannot select"),
        (["label", "flow", *DAY, "--severity", "1", "--ranks", "3-1"], 2, "write it as 3,7-9"),
        (["label", "flow", *DAY, "--severity", "1", "--ranks", "99"], 2, "rank 99 is not in"),
        (["label", "flow", *DAY, "--severity", "1", "--ranks", "1", "--ip", X], 2, "ranks cannot"),
        (["label", "nosuch", *DAY, "--severity", "1", "--ip", X], 2, "is unknown"),
        (["label", "flow", "--date", "20160709", "--severity", "1", "--ip", X], 1,
         "is not published: run `spot-oa run flow --date 2016-07-09`"),
        (["label", "dns", *DAY, "--severity", "1", "--client", "10.0.0.5", "--query", "", "--each"],
         2, "dns_qry_name is empty"),
        (["unlabel", "dns", *DAY, "--client", "10.0.0.5", "--query", "", "--each"],
         2, "dns_qry_name is empty"),
        (["label", "dns", *DAY, "--severity", "1", "--client", "10.0.0.5", "--name", "evil.com"],
         2, "--name cannot be combined with other selectors"),
        (["undo", "nosuch"], 2, "does not match any action"),
        (["undo", "flow", *DAY], 2, "has no action"),
        (["labels", "show", "flow", *DAY, "--open", "--scored"], 2, "use only one of them"),
        (["labels", "import", "/nowhere/x"], 1, "/nowhere/x"),
    ],
)  # fmt: skip
def test_what_is_refused_is_one_line_and_writes_nothing(
    warm: Warm, home: Path, arguments: list[str], code: int, says: str
) -> None:
    done, output, errors = warm.run(home, *arguments)
    assert (done, output) == (code, ""), errors
    assert says in errors
    assert errors.count("\n") == 1
    assert list(open_store(load_settings(home=home)).export()) == []


def test_a_suppression_is_not_undone_but_unsuppressed(warm: Warm, home: Path) -> None:
    asked = ("--column", "dstip", "--exact", X, "--reason", "ours")
    assert warm.run(home, "suppress", "flow", *asked)[0] == 0
    store = open_store(load_settings(home=home))
    (made,) = (each.short_id for each in store.undated("flow"))
    listed = warm.run(home, "suppressions")[1]
    assert f"flow: {made} dstip exact {X}, " in listed
    assert ", by " in listed
    assert ": ours; 0 rows in the last 30 days" in listed
    says = f"action {made} (suppress) cannot be undone: use `spot-oa unsuppress`"
    assert warm.run(home, "undo", made) == (2, "", f"spot-oa: {says}\n")
    with pytest.raises(UsageError, match=re.escape(says)):
        day(load_settings(home=home)).undo(made)
    assert warm.run(home, "unsuppress", made)[0] == 0
    back = store.undated("flow")[-1].short_id
    code, _, errors = warm.run(home, "undo", back)
    assert (code, "(unsuppress) cannot be undone: use `spot-oa suppress`" in errors) == (2, True)


def test_no_match_and_dry_runs_are_no_error(warm: Warm, home: Path) -> None:
    code, output, _ = warm.run(home, "label", "flow", *DAY, "--severity", "1", "--ip", "192.0.2.9")
    assert (code, output) == (0, "flow 2016-07-08: 0 rows, 0 changed; no action\n")
    code, output, _ = warm.run(
        home, "label", "flow", *DAY, "--severity", "1", "--ip", X, "--dry-run"
    )
    assert (code, "3 rows, 3 changed; dry run, nothing written" in output) == (0, True)
    assert list(open_store(load_settings(home=home)).export()) == []


def test_live_state_is_shown(warm: Warm, home: Path) -> None:
    warm.run(home, "label", "flow", *DAY, "--severity", "1", "--ip", X)
    lists = {
        option: [
            json.loads(line)["rank"]
            for line in warm.run(home, "labels", "show", "flow", *DAY, *option, "--json")[
                1
            ].splitlines()
        ]
        for option in [(), ("--open",), ("--scored",)]
    }
    assert lists == {(): [3, 0, 1, 2], ("--open",): [3], ("--scored",): [0, 1, 2]}
    publish(load_settings(home=home), "flow", [{}], run_id="run2")
    orphans = warm.run(home, "labels", "show", "flow", *DAY, "--orphans")[1]
    assert orphans.count("\n") == 1


def test_export_and_import(warm: Warm, home: Path, tmp_path: Path) -> None:
    file = tmp_path / "a file; $(x).jsonl"
    for pipeline in ("flow", "proxy"):
        warm.run(home, "label", pipeline, *DAY, "--severity", "2", "--ranks", "0")
    assert warm.run(home, "labels", "export", "flow", str(file))[1].startswith("1 actions written")
    assert warm.run(home, "labels", "export", "all", str(file))[1].startswith("2 actions written")
    elsewhere = {"SPOT_OA_ANALYST_DB": str(tmp_path / "other.sqlite")}
    for says in (
        "2 actions imported, 0 already stored\n",
        "0 actions imported, 2 already stored\n",
    ):
        assert warm.run(home, "labels", "import", str(file), **elsewhere)[1] == says
    shown = warm.run(home, "labels", "show", "flow", *DAY, "--scored", "--json", **elsewhere)[1]
    assert json.loads(shown)["severity"] == 2


def test_an_export_is_written_where_it_is_named_and_nowhere_else(
    warm: Warm, home: Path, tmp_path: Path
) -> None:
    warm.run(home, "label", "flow", *DAY, "--severity", "2", "--ranks", "0")
    (line,) = open_store(load_settings(home=home)).export()
    before = set(tmp_path.rglob("*"))
    for name in FILE_NAMES:
        code, output, errors = warm.run(home, "labels", "export", "flow", name)
        assert (code, errors) == (0, "")
        assert output.removesuffix("\n").isprintable()
        assert (home / name).read_text("utf-8") == f"{line}\n"
    assert set(tmp_path.rglob("*")) - before == {home / name for name in FILE_NAMES}


def test_a_history_has_who_and_when(warm: Warm, home: Path, tmp_path: Path) -> None:
    for author, severity in (("ann", "low"), ("bob", "high")):
        label = ("label", "flow", *DAY, "--severity", severity, "--ip", X)
        assert warm.run(home, *label, SPOT_OA_AUTHOR=author)[0] == 0
    lines = list(open_store(load_settings(home=home)).export())
    moments = ("2016-07-09T08:00:01.000001Z", "2016-07-10T09:30:59.999999Z")
    file, elsewhere = tmp_path / "both.jsonl", {"SPOT_OA_ANALYST_DB": str(tmp_path / "other")}
    dated = [
        json.dumps(json.loads(line) | {"recorded_at": moment})
        for line, moment in zip(lines, moments, strict=True)
    ]
    file.write_text("\n".join(dated), "utf-8")
    assert warm.run(home, "labels", "import", str(file), **elsewhere)[0] == 0
    show = ("labels", "show", "flow", *DAY, "--history")
    first, second = (json.loads(line)["action_id"][:8] for line in lines)
    assert [
        line.partition(" {")[0] for line in warm.run(home, *show, **elsewhere)[1].splitlines()
    ] == [f"2016-07-09 08:00:01 {first} ann label 3", f"2016-07-10 09:30:59 {second} bob label 1"]
    told = [
        json.loads(line) for line in warm.run(home, *show, "--json", **elsewhere)[1].splitlines()
    ]
    assert [(each["author"], each["recorded_at"], each["severity"]) for each in told] == [
        ("ann", moments[0], 3),
        ("bob", moments[1], 1),
    ]
    settings = load_settings(home=home, analyst_db=tmp_path / "other")
    columns = ["when (UTC)", "who", "severity"]
    assert open_day("flow", "2016-07-08", settings=settings).history().frame[
        columns
    ].values.tolist() == [
        ["2016-07-10 09:30:59", "bob", "High"],
        ["2016-07-09 08:00:01", "ann", "Low"],
    ]


def test_feedback_writes_the_days_file_and_delivers_as_many_earlier_days_as_asked(
    warm: Warm, home: Path, tmp_path: Path
) -> None:
    settings = load_settings(home=home)
    for back in range(3):
        date = DATE - dt.timedelta(days=back)
        publish(settings, "proxy", [{"fulluri": f"{back} back"}], date=date)
        day(settings, "proxy", date=date).label_ranks([0], 3)
    own = settings.triage_dir / "proxy" / "20160708" / FILE
    delivered = tmp_path / "ml" / "proxy" / "scored_results"
    header = "\t".join(COLUMNS["proxy"])

    def given(*options: str, **environment: str) -> list[list[str]]:
        """The URIs of the file of the day, of that for its scorer, and of that for the next day."""
        environment["SPOT_OA_FEEDBACK_URI"] = str(tmp_path / "ml")
        code, output, errors = warm.run(home, "feedback", "proxy", *DAY, *options, **environment)
        assert (code, errors) == (0, "")
        files = [own, *(delivered / d / "feedback" / FILE for d in ("20160708", "20160709"))]
        texts = [file.read_text("utf-8").splitlines() for file in files]
        assert {lines[0] for lines in texts} == {header}
        told = [int(count) for count in re.findall(r": ([0-9]+) rows, left out: 0", output)]
        assert told == [len(lines) - 1 for lines in texts]
        return [[line.split("\t")[18] for line in lines[1:]] for lines in texts]

    now, before, first = ("0 back", "1 back", "2 back")
    assert given("--days", "0") == [[now], [now], []]
    assert given("--days", "1") == [[now], [now, before], [now]]
    assert given("--days", "2") == [[now], [now, before, first], [now, before]]
    assert given() == [[now], [now, before, first], [now, before, first]]
    assert given(SPOT_OA_FEEDBACK_DAYS="1") == [[now], [now, before], [now]]
    assert warm.run(home, "reset", "proxy", *DAY, "--yes")[0] == 0
    assert given("--days", "1") == [[], [before], []]
    assert given("--days", "0") == [[], [], []]


def test_feedback_of_flows_is_delivered_only_if_named(
    warm: Warm, home: Path, tmp_path: Path
) -> None:
    uri = {"SPOT_OA_FEEDBACK_URI": str(tmp_path / "ml")}
    warm.run(home, "label", "flow", *DAY, "--severity", "low", "--ranks", "0")
    code, output, _ = warm.run(home, "feedback", "flow", *DAY, **uri)
    assert (code, "not delivered: set SPOT_OA_FEEDBACK_URI" in output) == (0, True)
    own = load_settings(home=home).triage_dir / "flow" / "20160708" / FILE
    assert own.read_text("utf-8").count("\n") == 2
    assert not (tmp_path / "ml").exists()
    named = uri | {"SPOT_OA_FEEDBACK_PIPELINES": "dns,flow"}
    code, output, _ = warm.run(home, "feedback", "flow", *DAY, **named)
    assert (code, "not delivered" in output) == (0, False)
    sent = tmp_path / "ml" / "flow" / "scored_results" / "20160708" / "feedback" / FILE
    assert sent.read_text("utf-8") == own.read_text("utf-8")


def test_rules_are_shown_and_applied(warm: Warm, home: Path) -> None:
    code, output, _ = warm.run(home, "rules", "flow", *DAY)
    assert (code, output) == (0, "flow 2016-07-08: no rules\n")
    file = load_settings(home=home).rules_dir / "flow.yml"
    file.parent.mkdir(parents=True)
    file.write_text(
        '- {id: web, version: 3, title: "\\e[1mweb", severity: low,'
        " when: [{field: dport, op: eq, value: 80}]}\n"
        "- {id: tls, when: [{field: dport, op: eq, value: 443}], severity: 1, enabled: true}\n"
    )
    code, output, _ = warm.run(home, "rules", "flow", *DAY)
    assert code == 0
    assert output.splitlines() == [
        "web 3 (off): 2 rows, 2 would be scored Low  \\x1b[1mweb",
        "tls 1 (on): 2 rows, 0 would be scored High",
    ]
    code, output, _ = warm.run(home, "rules", "flow", *DAY, "--json")
    assert json.loads(output.splitlines()[0]) == {
        "id": "web", "version": "3", "on": False, "rows": 2, "would_score": 2, "severity": "Low",
    }  # fmt: skip
    assert not load_settings(home=home).analyst_db.exists()
    code, output, errors = warm.run(home, "rules", "flow", *DAY, "--apply", "web", "--apply", "no")
    assert (code, output, errors.count("\n")) == (2, "", 1)
    assert not load_settings(home=home).analyst_db.exists()
    code, output, _ = warm.run(home, "rules", "flow", *DAY, "--apply", "web")
    assert code == 0
    assert "2 rows, 2 changed; action " in output
    assert now(home) == [1, 3, 3, 1]
    code, _, errors = warm.run(home, "rules", "flow", *DAY, "--apply", "nosuch")
    assert (code, errors.count("\n")) == (2, 1)
    file.write_text("- {id: web, when: [{field: nosuch, op: eq, value: 80}], severity: low}\n")
    code, _, errors = warm.run(home, "rules", "flow", *DAY)
    assert (code, errors.count("\n")) == (1, 1)
    assert "rules cannot use the column 'nosuch'" in errors


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("flow",), 2, "refresh needs either --date, or --pending"),
        (("flow", *DAY, "--pending"), 2, "refresh needs either --date, or --pending"),
        (("nosuch", *DAY), 2, "pipeline 'nosuch' is unknown"),
        (("flow", "--date", "2016-07-09"), 1, "flow 2016-07-09 is not published"),
        (("--pending",), 0, "the triage of every day is up to date"),
    ],
)
def test_refresh_says_what_it_needs(
    warm: Warm, home: Path, arguments: tuple[str, ...], code: int, says: str
) -> None:
    ended, output, errors = warm.run(home, "refresh", *arguments)
    assert ended == code
    assert says in output + errors
    assert (output + errors).count("\n") == 1


def test_a_label_does_not_wait_for_a_run(warm: Warm, home: Path) -> None:
    settings = load_settings(home=home)
    with warehouse_lock(settings.lock, "a run", 0, str):
        code, output, errors = warm.run(home, "label", "flow", *DAY, "--severity", "low", "--ip", X)
    assert (code, errors) == (0, "")
    assert "3 rows, 3 changed" in output
    assert now(home) == [3, 3, 3, 0]


def test_a_story_is_written_from_a_file_and_refused_otherwise(warm: Warm, home: Path) -> None:
    file, write = home / "story.txt", ("story", "write", "flow", *DAY, "--anchor", X)
    file.write_bytes("\N{BOM}it's\nlong; \N{RIGHT-TO-LEFT OVERRIDE}".encode())
    title = "it's\none's"
    code, out, _ = warm.run(home, *write, "--title", title, "--text-file", str(file), "--json")
    assert code == 0
    assert json.loads(out)["anchor"] == X
    (story,) = day(load_settings(home=home)).saved_stories()
    assert story.title == title
    assert story.text == "it's\nlong; \N{RIGHT-TO-LEFT OVERRIDE}"
    code, out, _ = warm.run(home, "story", "list", "flow", *DAY)
    assert (code, out.splitlines()[1:]) == (
        0, ["    it's", r"    long; \u202e", "flow 2016-07-08: 1 story"],
    )  # fmt: skip
    (home / "latin").write_bytes(b"\xe4")
    for arguments, said in (
        (("--title", "t"), "give the story with either --text or --text-file"),
        (("--title", "t", "--text", "x", "--text-file", str(file)), "give the story with"),
        (("--title", "t", "--text-file", str(home / "gone")), "use a UTF-8 text file"),
        (("--title", "t", "--text-file", str(home / "latin")), "use a UTF-8 text file"),
        (("--title", " ", "--text", "x"), "title is blank"),
        (("--title", "t" * 201, "--text", "x"), "200 are allowed"),
        (("--title", "t", "--text", "x", "--top", "0"), "use 1 to 1000"),
    ):
        code, _, err = warm.run(home, *write, *arguments)
        assert (code, said in err, err.count("\n")) == (2, True, 1), err
    assert len(day(load_settings(home=home)).actions()) == 1
