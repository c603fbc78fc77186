"""`make mutants`: breaks every model in every way it knows and says what nobody noticed."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

from flows.dbt_runner import environment
from flows.runner import run_day
from spot_oa.demo import DEMO_DATES, generate
from spot_oa.pipelines import load_pipelines
from spot_oa.settings import Settings, load_settings
from tests.mutation import real_dbt
from tests.mutation.check import check, equivalent, killed_by, summary
from tests.mutation.unit_tests import read_unit_tests
from tests.support.report import Told

DATES = f"{{date_from: {DEMO_DATES[0]}, date_to: {DEMO_DATES[1]}}}"


def main() -> int:
    """Print what became of the mutants; 1 if one lives."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        settings = _home(Path(folder))
        _dbt(settings, real_dbt.PROJECT, ["--select", "test_type:unit"])
        tests = list(read_unit_tests(real_dbt.PROJECT, settings.target_dir / "target"))
        with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
            outcomes = check(connection, tests)
            chosen = real_dbt.sample(tests, turn=0)
            short = {
                model: killed_by(connection, test, mutant)
                for model, (test, mutant) in chosen.items()
            }
        report = summary(outcomes, equivalent())
        print("\n".join(report.lines))
        copy = real_dbt.copy_project(Path(folder) / "project")
        by_dbt = real_dbt.verdicts(
            chosen,
            copy,
            lambda project, names: _dbt(settings, project, ["--select", *names], fails=True),
        )
    differ = sorted(model for model in short if short[model] != by_dbt[model])
    print(f"dbt itself says the same of {len(short) - len(differ)} of {len(short)}: {differ}")
    print(f"{time.monotonic() - started:.0f} s")
    return int(not report.good or bool(differ))


def _home(folder: Path) -> Settings:
    """A home in which every pipeline has run, so that dbt knows the types of its relations."""
    generate(folder, pipelines=tuple(load_pipelines()), rows_per_day=1000, suspicious=40)
    settings = load_settings(home=folder)
    for pipeline in load_pipelines():
        run_day(settings, pipeline, DEMO_DATES[0], Told())
    return settings


def _dbt(settings: Settings, project: Path, select: list[str], *, fails: bool = False) -> str:
    target = settings.target_dir / "target" if project == real_dbt.PROJECT else project / "target"
    with environment(settings):
        done = subprocess.run(
            [
                Path(sys.executable).with_name("dbt"),
                "test",
                *select,
                *("--vars", DATES),
                *("--project-dir", project),
                *("--profiles-dir", project / "profiles"),
                *("--target-path", target),
                *("--log-path", target),
            ],
            check=False,
            capture_output=True,
            text=True,
        )
    if done.returncode and not fails:
        sys.exit(done.stdout)
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
