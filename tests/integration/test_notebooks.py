"""Every notebook of every pipeline runs from top to bottom, and changes nothing by it."""

from __future__ import annotations

import hashlib
import shutil
import time
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from analyst import open_day
from analyst.actions import Severity
from analyst.feedback import FILE
from analyst.notebooks.copies import copies, render
from flows.run.runner import refresh_day, run_day
from spot_oa.dates import Slice
from spot_oa.demo import DEMO_DATES, generate
from spot_oa.publish import published_folder
from spot_oa.settings import Settings, load_settings
from tests.support.labelled import judge
from tests.support.report import Told

NAMES = ("Edge_Investigation", "Threat_Investigation", "Advanced_Mode")
PIPELINES = ("flow", "dns", "proxy")
SECONDS = 15
# Each costs a kernel: `make test` runs those of one pipeline.
SOME = [
    pytest.param(name, pipeline, marks=[] if pipeline == "flow" else [pytest.mark.long])
    for pipeline in PIPELINES
    for name in NAMES
]


def executed(path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[nbformat.NotebookNode, float]:
    """The notebook after a kernel without a network has run it, and how long that took."""
    # Whoever asks another host in the kernel, fails; sockets of this host are the kernel's own.
    quiet = path.parent / ".no-network"
    quiet.mkdir(exist_ok=True)
    (quiet / "sitecustomize.py").write_text(NO_NETWORK)
    monkeypatch.setenv("PYTHONPATH", str(quiet))
    notebook = nbformat.read(path, as_version=4)
    begun = time.process_time(), time.perf_counter()
    client = NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": path.parent}}
    )
    client.execute()
    return notebook, time.perf_counter() - begun[1]


NO_NETWORK = """
import socket

_connect = socket.socket.connect


def connect(self, address):
    if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1", "localhost"):
        raise AssertionError(f"asked {address}")
    return _connect(self, address)


socket.socket.connect = connect
"""


def complaints(notebook: nbformat.NotebookNode) -> list[str]:
    """Errors, and whatever came to stderr."""
    return [
        str(output.get("text") or output.get("evalue"))
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "error" or output.get("name") == "stderr"
    ]


def state(home: Path) -> dict[str, str]:
    """What lies below home, but for notebooks and what SQLite keeps while it reads."""
    return {
        str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(home.rglob("*"))
        if path.is_file()
        and "ipynb" not in path.relative_to(home).parts
        and not path.name.endswith(("-shm", "-wal"))
    }


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home with a day without suspects, of every pipeline."""
    home = tmp_path_factory.mktemp("empty")
    generate(home, pipelines=PIPELINES, rows_per_day=300, suspicious=20)
    settings = load_settings(home=home)
    for pipeline in PIPELINES:
        run_day(settings, pipeline, DEMO_DATES[0], Told(), limit=0)
    return settings


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_a_run_makes_the_notebooks_of_its_day(built: Settings, pipeline: str) -> None:
    for date in DEMO_DATES:
        part = Slice(pipeline, date)
        found = copies(built, part)
        assert {each.name for each in found} == set(NAMES)
        assert {each.touched for each in found} == {False}
        assert render(built, part).made == []


@pytest.mark.parametrize(("name", "pipeline"), SOME)
def test_run_all_writes_nothing(
    built: Settings, name: str, pipeline: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = built.notebooks_dir / pipeline / f"{DEMO_DATES[0]:%Y%m%d}" / f"{name}.ipynb"
    before = state(built.home)
    notebook, seconds = executed(path, monkeypatch)
    assert complaints(notebook) == []
    assert state(built.home) == before
    assert seconds < SECONDS * 3, f"{seconds:.1f} s, on a machine of its own {SECONDS} s at most"


@pytest.fixture(scope="module")
def judged(built: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home in which a day of flows has labels, High rows, stories and delivered feedback."""
    home = tmp_path_factory.mktemp("judged") / "home"
    shutil.copytree(built.home, home)
    uri = str(home / "delivered")
    settings = load_settings(home=home, feedback_uri=uri, feedback_pipelines=("flow",))
    part = Slice("flow", DEMO_DATES[0])
    run_day(settings, part.pipeline, part.date, Told())
    judge(settings, part)
    refresh_day(settings, part.pipeline, part.date, Told())
    return settings


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_run_all_leaves_labels_stories_and_feedback_as_they_are(
    judged: Settings, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = judged.notebooks_dir / "flow" / f"{DEMO_DATES[0]:%Y%m%d}" / f"{name}.ipynb"
    before = state(judged.home)
    files = [str(Path("triage/flow/20160708") / each) for each in (FILE, "actions.jsonl")]
    files += ["triage/flow/20160708/flow_triage.parquet", judged.analyst_db.name]
    files += [f"delivered/flow/scored_results/20160708/feedback/{FILE}"]
    assert set(files) < before.keys()
    day = open_day("flow", DEMO_DATES[0], settings=judged)
    assert day.saved_stories()
    assert Severity.HIGH in {each.severity for each in day.rows()}
    actions = day.actions()
    notebook, _ = executed(path, monkeypatch)
    assert complaints(notebook) == []
    assert state(judged.home) == before
    assert day.actions() == actions


@pytest.mark.long
@pytest.mark.parametrize("pipeline", PIPELINES)
@pytest.mark.parametrize("name", NAMES)
def test_the_other_demo_day_runs_too(
    built: Settings, name: str, pipeline: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = built.notebooks_dir / pipeline / f"{DEMO_DATES[1]:%Y%m%d}" / f"{name}.ipynb"
    notebook, _ = executed(path, monkeypatch)
    assert complaints(notebook) == []


@pytest.mark.long
@pytest.mark.parametrize("pipeline", PIPELINES)
@pytest.mark.parametrize("name", NAMES)
def test_a_day_without_suspects_runs_too(
    empty: Settings, name: str, pipeline: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = empty.notebooks_dir / pipeline / f"{DEMO_DATES[0]:%Y%m%d}" / f"{name}.ipynb"
    before = state(empty.home)
    notebook, _ = executed(path, monkeypatch)
    assert complaints(notebook) == []
    assert state(empty.home) == before


@pytest.mark.long
def test_a_day_that_is_not_published_stops_with_one_sentence(
    built: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = built.model_copy(update={"notebooks_dir": built.home / "ipynb"})
    part = Slice("flow", DEMO_DATES[0].replace(year=2015))
    path = render(settings, part).folder / "Edge_Investigation.ipynb"
    notebook = nbformat.read(path, as_version=4)
    monkeypatch.setenv("SPOT_OA_HOME", str(built.home))
    client = NotebookClient(
        notebook,
        timeout=120,
        kernel_name="python3",
        allow_errors=True,
        resources={"metadata": {"path": tmp_path}},
    )
    client.execute()
    first = next(each for cell in notebook.cells for each in cell.get("outputs", []))
    assert first.traceback == [
        "flow 2015-07-08 is not published: run `spot-oa run flow --date 2015-07-08`"
    ]


def test_a_template_that_is_broken_is_a_warning_of_the_run(built: Settings, tmp_path: Path) -> None:
    own = tmp_path / "templates"
    (own / "flow").mkdir(parents=True)
    (own / "flow" / "Mine_master.py").write_text("# %%\n1\n")
    settings = built.model_copy(update={"templates_dir": own, "notebooks_dir": tmp_path / "ipynb"})
    # Where its files lie is among what makes a day: in this home it has not been run.
    run_day(built, "flow", DEMO_DATES[0], Told())
    summary = run_day(settings, "flow", DEMO_DATES[0], Told(), skip_unchanged=True)
    assert summary.unchanged
    (warning,) = summary.of_notebooks
    assert "Mine_master.py has no code cell tagged `parameters`" in warning
    assert len(list((tmp_path / "ipynb/flow/20160708").iterdir())) == len(NAMES)


def test_notebooks_that_cannot_be_written_do_not_fail_the_run(
    built: Settings, tmp_path: Path
) -> None:
    (tmp_path / "ipynb").write_text("a file")
    settings = built.model_copy(update={"notebooks_dir": tmp_path / "ipynb"})
    summary = run_day(settings, "flow", DEMO_DATES[0], Told(), skip_unchanged=True)
    (warning,) = summary.of_notebooks
    assert warning.startswith("no notebooks: notebooks cannot be written to")
    assert published_folder(built.data_dir, summary.part).is_dir()
