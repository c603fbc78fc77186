"""What all tests share: an environment without the developer's own settings."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

# Prefect reads this when it is imported: not the developer's own.
os.environ["PREFECT_HOME"] = tempfile.mkdtemp(prefix="prefect-")

import pytest
from filelock import FileLock

from spot_oa.settings import Settings, load_settings
from tests.support.parsed import share_the_parse
from tests.support.project import PROJECT


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--moments",
        type=int,
        default=2,
        help="fault tests: so many random moments, or batches of made-up days, per pipeline",
    )
    parser.addoption(
        "--seed", type=int, default=8, help="fault tests: what the moments follow from"
    )


LONG = (
    "browser",
    "engines",
    "faults/test_corrupt_inputs.py",
    "faults/test_kills.py",
    "faults/test_labels.py",
    "faults/test_secrets_stay.py",
    "integration/ingest/test_the_whole_way.py",
    "integration/test_demo.py",
    "integration/test_investigating.py",
    "integration/test_labels_in_runs.py",
    "integration/test_scoring.py",
    "integration/test_scoring_plans.py",
    "integration/test_wheel.py",
)
"""Tests that take minutes: `make test` leaves them out, `make test-all` runs them."""
THOROUGH = (
    "engines/impala/test_unit_tests.py",
    "engines/parity/test_histories.py",
    "faults/test_full_disk.py",
    "faults/test_generated_days.py",
    "faults/test_nine_at_once.py",
    "integration/deployments/test_adding_a_pipeline.py",
    "integration/deployments/test_crash.py",
    "integration/deployments/test_deployments.py",
    "integration/deployments/test_ingest.py",
    "integration/deployments/test_secrets.py",
    "integration/deployments/test_triage.py",
    "integration/test_contributing.py",
    "integration/test_time_zones.py",
    "mutation",
)
"""Long tests that CI leaves out: it has to end in time at half the usual speed, too."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    folder = PROJECT / "tests"
    for item in items:
        for mark, places in (("long", LONG), ("thorough", THOROUGH)):
            if any(item.path.is_relative_to(folder / place) for place in places):
                item.add_marker(mark)
        if item.get_closest_marker("thorough"):
            item.add_marker("long")
    # The longest test comes first: as the last one it would keep one process busy, the others idle.
    items.sort(key=lambda item: not item.name.startswith("test_changed_files["))


def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of the test session share, and no other session."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session", autouse=True)
def _no_settings_from_outside() -> None:
    for name in list(os.environ):
        if name.startswith("SPOT_OA_") and name != "SPOT_OA_REFERENCE_DIR":
            del os.environ[name]


@pytest.fixture(scope="session", autouse=True)
def _one_parse(
    _no_settings_from_outside: None,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    unit = PROJECT / "tests" / "unit"
    if not all(item.path.is_relative_to(unit) for item in request.session.items):
        share_the_parse(shared(tmp_path_factory))


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings whose home is empty and the test's own."""
    return load_settings(home=tmp_path / "home")


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder of reference cases and real telemetry; skips where there is none."""
    folder = Path(os.environ.get("SPOT_OA_REFERENCE_DIR", PROJECT.parent / "shared")).resolve()
    if not (folder / "cases").is_dir():
        pytest.skip(f"no reference cases at {folder} (SPOT_OA_REFERENCE_DIR)")
    return folder


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a home in which every pipeline has run on both demo dates.

    The built-in scorer's tables are there, empty. Who uses it leaves the tables as they are.
    """
    first = shared(tmp_path_factory) / "built"
    with FileLock(first.with_suffix(".lock")):
        if not first.is_dir():
            _build(first)
    # A process of its own may have DuckDB's file open.
    home = tmp_path_factory.mktemp("built") / "home"
    shutil.copytree(first, home)
    return load_settings(home=home)


def _build(home: Path) -> None:
    from flows.run.dbt_runner import invoke
    from flows.run.runner import run_day
    from spot_oa.demo import DEMO_DATES, generate
    from spot_oa.pipelines import load_pipelines
    from tests.support.labelled import land_stories
    from tests.support.report import Told

    generate(home, pipelines=tuple(load_pipelines()), rows_per_day=1000, suspicious=40)
    settings = load_settings(home=home)
    for pipeline in load_pipelines():
        for date in DEMO_DATES:
            run_day(settings, pipeline, date, Told())
    # Stories that no published day knows of: their tables are to have rows.
    stories = ["path:models/investigation"]
    for pipeline in load_pipelines().values():
        land_stories(settings, pipeline, DEMO_DATES[0])
        stories.append(f"path:models/intermediate/{pipeline.name}/story")
    variables = ("--vars", f"{{date: {DEMO_DATES[0]}, scoring: true}}")
    for select in (("path:models/staging", *stories), ("path:models/scoring", "--empty")):
        done = invoke(settings, ("run", "--select", *select, *variables))
        assert done.exception is None, done.exception
        assert {str(node.status) for node in done.result.results} == {"success"}
