"""The console script as an operator meets it, in processes of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock

from spot_oa.demo import DEMO_DATES, generate
from tests.support.published import digests

FIRST, SECOND = DEMO_DATES
SCRIPT = Path(sys.executable).with_name("spot-oa")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("cli")
    generate(home, pipelines=("flow",), rows_per_day=1000, suspicious=40)
    return home


def spot_oa(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRIPT, *arguments],
        check=False,
        cwd=home,
        env=os.environ | {"SPOT_OA_HOME": str(home)} | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_run_prints_lines_a_summary_and_where_the_files_are(home: Path) -> None:
    done = spot_oa(home, "run", "flow", "--date", FIRST.isoformat())
    assert (done.returncode, done.stderr) == (0, "")
    folder = home / "data" / "flow" / FIRST.strftime("%Y%m%d")
    assert done.stdout.splitlines()[-1] == f"files: {folder}"
    assert re.search(rf"^flow {FIRST}: land: \d+ rows, 1 rejected \(", done.stdout, re.MULTILINE)
    for word in ("flow_scores", "flow_edge", "flow_chords", "tests passed", "seconds", "warning"):
        assert word in done.stdout
    assert sorted(path.name for path in folder.iterdir())[-1] == "manifest.json"


@pytest.mark.long
def test_a_run_whose_report_cannot_be_written_ends_well_with_a_warning(
    home: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "home"
    shutil.copytree(home, copy, ignore=shutil.ignore_patterns("data"))
    reports = copy / "data" / "reports"
    reports.parent.mkdir()
    reports.write_text("a file")
    done = spot_oa(copy, "run", "flow", "--date", SECOND.isoformat())
    assert (done.returncode, done.stderr) == (0, "")
    assert f": report: no report: cannot write reports to {reports} (" in done.stdout
    told = re.sub(r"[│\s]+", " ", done.stdout)
    assert " warning no report: cannot write reports to " in told
    assert (reports.parent / "flow" / SECOND.strftime("%Y%m%d") / "manifest.json").is_file()
    assert reports.read_text("utf-8") == "a file"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "flow", "--date", "2016-02-30"], "'2016-02-30' is not a valid date; use"),
        (["run", "flow", "--date", "\x1b[31mred"], r"'\\x1b[31mred' is not a valid date"),
        (["run", "nosuch", "--date", "20160708"], "pipeline 'nosuch' is unknown: take one of"),
        (["run", "flow", "--date", "20160708", "--limit", "-1"], "--limit -1 is negative"),
        (["run", "flow", "--date", "20160708", "--limit", "x"], "--limit"),
        (["run", "flow"], "--date"),
        (["backfill", "flow", "--from", "20160709", "--to", "20160708"], "swap them"),
        (["run", "flow", "--date", "--debug"], "'--debug' is not a valid date"),
        (["nosuch"], "nosuch"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(home: Path, arguments: list[str], says: str) -> None:
    done = spot_oa(home, *arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("spot-oa: ")


def test_a_failed_run_is_one_line_and_exit_1(home: Path) -> None:
    done = spot_oa(home, "run", "flow", "--date", "2001-01-01")
    assert done.returncode == 1
    assert re.fullmatch(
        r"spot-oa: flow 2001-01-01: ML results \S+: no such file; .*\n", done.stderr
    )


def test_debug_shows_the_traceback(home: Path) -> None:
    done = spot_oa(home, "--debug", "run", "flow", "--date", "2001-01-01")
    assert done.returncode == 1
    assert "Traceback (most recent call last)" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("spot-oa: flow 2001-01-01: ML results")


@pytest.mark.parametrize(
    ("name", "value"), [("SPOT_OA_LIMIT", "lots"), ("SPOT_OA_TARGET", "oracle")]
)
def test_a_bad_setting_is_named(home: Path, name: str, value: str) -> None:
    done = spot_oa(home, "run", "flow", "--date", "20160708", **{name: value})
    assert done.returncode == 1
    assert done.stderr.startswith(f"spot-oa: {name}={value}: ")


def test_a_backfill_goes_on_after_a_bad_day(home: Path) -> None:
    before = FIRST.replace(day=FIRST.day - 1)
    done = spot_oa(home, "backfill", "flow", "--from", before.isoformat(), "--to", str(SECOND))
    assert done.returncode == 1
    first, last = done.stderr.splitlines()
    assert f"flow {before}: ML results" in first
    assert last == f"spot-oa: 1 runs failed: flow {before}; the others are done"
    assert (home / "data" / "flow" / SECOND.strftime("%Y%m%d") / "manifest.json").exists()


@pytest.mark.thorough
def test_runs_at_once_take_turns(home: Path) -> None:
    generate(home, rows_per_day=1000, suspicious=40)
    runs = [
        subprocess.Popen(
            [SCRIPT, "run", pipeline, "--date", str(FIRST)],
            env=os.environ | {"SPOT_OA_HOME": str(home)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for pipeline in ("flow", "proxy", "dns")
    ]
    outcomes = [(*run.communicate(timeout=120), run.returncode) for run in runs]
    assert [code for *_, code in outcomes] == [0, 0, 0], [error for _, error, _ in outcomes]
    # One had the warehouse at once, the others waited; those who came late may find it free.
    assert any("waiting for run " in output for output, *_ in outcomes)
    for pipeline in ("flow", "proxy", "dns"):
        assert (home / "data" / pipeline / "20160708" / "manifest.json").exists()


def test_an_open_warehouse_is_said_to_be_open(home: Path) -> None:
    reader = (
        "import duckdb, sys, time; c = duckdb.connect(sys.argv[1]); "
        "print('open', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", reader, str(home / "warehouse.duckdb")],
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        done = spot_oa(home, "run", "flow", "--date", str(FIRST))
        other.kill()
    assert done.returncode == 1
    assert "another program has it open" in done.stderr
    assert done.stderr.count("\n") == 1


def test_help_is_quick_to_import(home: Path) -> None:
    code = (
        "import sys, flows.cli; "
        "print([m for m in ('pandas', 'duckdb', 'dbt', 'prefect', 'pyarrow') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=home
    )
    assert done.stdout == "[]\n"
    assert spot_oa(home, "--help").returncode == 0


def test_doctor_says_what_is_missing(home: Path, tmp_path: Path) -> None:
    well = spot_oa(home, "doctor")
    assert "ok          telemetry of flow" in well.stdout
    ill = spot_oa(tmp_path, "doctor")
    assert ill.returncode == 1
    assert "missing     telemetry of flow" in ill.stdout


def test_the_demo_does_not_touch_a_home_of_ones_own(home: Path) -> None:
    done = spot_oa(home, "demo", "--rows", "1000")
    assert done.returncode == 1
    assert "contains your own data" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("step", ["prepare", "reputation"])
def test_an_interrupted_run_says_so_and_leaves_nothing(
    home: Path, number: signal.Signals, step: str
) -> None:
    """After `reputation` comes dbt, which would take an interrupt for an error."""
    before = digests(home / "data" / "flow" / "20160708")
    with subprocess.Popen(
        [SCRIPT, "backfill", "flow", "--from", str(FIRST), "--to", str(SECOND), "--force"],
        env=os.environ | {"SPOT_OA_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Interrupts may be ignored here, as in what a script starts with `&`; that is inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads
    ) as run:
        assert run.stdout is not None
        for line in run.stdout:
            if f": {step}: " in line:
                break
        time.sleep(0.3)
        run.send_signal(number)
        output, errors = run.communicate(timeout=60)
    assert run.returncode == 1
    assert errors == "spot-oa: interrupted; no day is partly published: run it again\n"
    assert f"flow {SECOND}" not in output
    assert digests(home / "data" / "flow" / "20160708") == before
    left = {path.name for path in home.iterdir()}
    assert "warehouse.duckdb.holder" not in left
    assert not (home / "data" / "flow" / ".20160708.new").exists()


@pytest.mark.long
def test_all_goes_on_after_a_pipeline_without_results(home: Path) -> None:
    date = "2016-07-08"
    generate(home, rows_per_day=1000, suspicious=40)
    (home / "ml" / "dns" / "scored_results" / "20160708" / "scores" / "dns_results.csv").unlink()
    done = spot_oa(home, "run", "all", "--date", date)
    assert done.returncode == 1
    assert (
        done.stderr.splitlines()[-1] == f"spot-oa: 1 runs failed: dns {date}; the others are done"
    )
    assert done.stdout.count("files: ") == 2


def test_doctor_does_not_disturb_and_makes_nothing(home: Path, tmp_path: Path) -> None:
    spot_oa(tmp_path, "doctor")
    assert list(tmp_path.glob("warehouse*")) == []
    with FileLock(home / "warehouse.duckdb.lock"):
        done = spot_oa(home, "doctor")
    assert "locked      warehouse" in done.stdout
    assert "is still used by" in done.stdout


def test_debug_may_stand_anywhere_and_help_needs_no_reason(home: Path) -> None:
    done = spot_oa(home, "run", "flow", "--date", "2001-01-01", "--debug")
    assert (done.returncode, "Traceback" in done.stderr) == (1, True)
    early = spot_oa(home, "--debug", "run", "flow", "--date", "2001-01-01")
    assert "Traceback" in early.stderr
    assert spot_oa(home).stderr == ""
    assert spot_oa(home, "run", "--help").stdout.count("--debug") == 1


def test_what_libraries_say_at_the_end_is_shown(home: Path) -> None:
    """DuckDB's notice of what dbt leaves behind is not: every good run's stderr is empty."""
    code = (
        "import atexit, sys, flows.cli; "
        "flows.cli.app.app.command('end')(lambda: atexit.register(lambda: 1 / 0) and None); "
        "sys.argv = ['spot-oa', 'end']; flows.cli.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, cwd=home
    )
    assert (done.returncode, "ZeroDivisionError" in done.stderr) == (0, True)


def test_output_that_cannot_be_written_is_an_error(home: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [SCRIPT, "history"],
            check=False,
            cwd=home,
            env=os.environ | {"SPOT_OA_HOME": str(home)},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 1
    assert done.stderr.startswith("spot-oa: unexpected OSError: ")
    assert done.stderr.count("\n") == 1


def test_a_misspelt_variable_is_the_first_line(home: Path) -> None:
    said = "SPOT_OA_LIMTI is not a setting and has no effect; did you mean SPOT_OA_LIMIT?"
    (home / ".env").write_text("SPOT_OA_LIMTI=5\n")
    run = spot_oa(home, "run", "flow", "--date", str(FIRST))
    checked = spot_oa(home, "doctor")
    (home / ".env").unlink()
    assert run.returncode == 0
    assert run.stdout.splitlines()[0] == f"flow {FIRST}: warning: {said}"
    manifest = home / "data" / "flow" / FIRST.strftime("%Y%m%d") / "manifest.json"
    assert said in json.loads(manifest.read_text("utf-8"))["warnings"]
    assert checked.stdout.splitlines()[0] == f"unknown     {said}"
    assert checked.returncode == 1


def test_doctor_says_what_is_unreachable_or_locked(home: Path) -> None:
    reader = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(1, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", reader, str(home / "warehouse.duckdb")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        done = spot_oa(home, "doctor", SPOT_OA_ML_URI="webhdfs://127.0.0.1:1/ml")
        other.kill()
    lines = done.stdout.splitlines()
    assert any(line.startswith("locked      warehouse ") for line in lines)
    assert any(line.startswith("unreachable ML results of flow ") for line in lines)
    assert done.returncode == 1
