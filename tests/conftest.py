"""What all tests share: an environment without the developer's own settings."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

# Prefect reads this when it is imported: not the developer's own.
os.environ["PREFECT_HOME"] = tempfile.mkdtemp(prefix="prefect-")

import pytest

from spot_oa.settings import Settings, load_settings
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
    "faults/test_full_disk.py",
    "faults/test_generated_days.py",
    "faults/test_nine_at_once.py",
    "integration/deployments/test_adding_a_pipeline.py",
    "integration/deployments/test_crash.py",
    "integration/deployments/test_deployments.py",
    "integration/deployments/test_ingest.py",
    "integration/deployments/test_secrets.py",
    "integration/test_contributing.py",
    "mutation",
)
"""Tests that take minutes: `make test` leaves them out, `make test-all` runs them."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    folder = PROJECT / "tests"
    for item in items:
        if any(item.path.is_relative_to(folder / long) for long in LONG):
            item.add_marker(pytest.mark.long)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("SPOT_OA_") and name != "SPOT_OA_REFERENCE_DIR":
            monkeypatch.delenv(name)
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
    from flows.run.runner import run_day
    from spot_oa.demo import DEMO_DATES, generate
    from spot_oa.pipelines import load_pipelines
    from tests.support.dbt import dbt
    from tests.support.report import Told

    home = tmp_path_factory.mktemp("built")
    generate(home, pipelines=tuple(load_pipelines()), rows_per_day=1000, suspicious=40)
    settings = load_settings(home=home)
    for pipeline in load_pipelines():
        for date in DEMO_DATES:
            run_day(settings, pipeline, date, Told())
    variables = ("--vars", f"{{date: {DEMO_DATES[0]}, scoring: true}}")
    for select in (("path:models/staging",), ("path:models/scoring", "--empty")):
        code, output = dbt(settings, "run", "--select", *select, *variables)
        assert code == 0, output
    return settings
