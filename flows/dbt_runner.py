"""Dbt, in this process: arguments built by a pure function, errors as one line."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from spot_oa.errors import BuildError, printable
from spot_oa.settings import Settings

OnNode = Callable[[str], None]
"""Told in one line of each node that finishes."""

_GOOD = {"success", "pass"}


@dataclass(frozen=True, slots=True)
class Built:
    """What a build did: nodes by outcome. A failed one is an error, not an outcome."""

    models: int
    tests_passed: int
    tests_warned: Sequence[str]


def dbt_arguments(settings: Settings, command: Sequence[str]) -> list[str]:
    """The arguments for one dbt invocation that writes nothing to the terminal.

    Args:
        settings: Name the project, the target and the folder for what dbt keeps.
        command: The dbt command with its own options.

    Returns:
        The full argument list, without the program's name.
    """
    return [
        *command,
        "--project-dir",
        str(settings.project_dir),
        "--profiles-dir",
        str(settings.project_dir / "profiles"),
        "--target",
        settings.target,
        "--target-path",
        str(settings.target_dir / "target"),
        "--log-path",
        str(settings.target_dir / "logs"),
        "--log-level",
        "none",
        "--log-level-file",
        "info",
    ]


def build_command(pipeline: str, dates: Sequence[dt.date], *, full: bool = False) -> list[str]:
    """The build of a pipeline's marts and all they stand on.

    Args:
        pipeline: Its marts lie in models/marts/<pipeline>.
        dates: Consecutive days.
        full: Run unit tests too; they test the SQL and not the day, so a run leaves them out.

    Returns:
        The dbt command.
    """
    first, last = min(dates).isoformat(), max(dates).isoformat()
    command = [
        "build",
        "--select",
        f"+path:models/marts/{pipeline}",
        "--vars",
        f'{{date_from: "{first}", date_to: "{last}"}}',
    ]
    return command if full else [*command, "--exclude-resource-type", "unit_test"]


def build(settings: Settings, pipeline: str, dates: Sequence[dt.date], on_node: OnNode) -> Built:
    """Build and test the pipeline's marts for the dates.

    The project is parsed without a date, so that what dbt keeps of the parse serves every run.

    Args:
        settings: Name the project and the target.
        pipeline: The pipeline.
        dates: Consecutive days whose slices are replaced.
        on_node: Told of each model and test that finishes.

    Returns:
        Counts and warned tests.

    Raises:
        BuildError: A model or a test failed; the message names the first.
    """
    # Costs seconds: paid by runs, not by `spot-oa --help`.
    from dbt.cli.main import dbtRunner  # noqa: PLC0415

    outcome: Any
    with environment(settings):
        parsed: Any = dbtRunner().invoke(dbt_arguments(settings, ["parse"]))
        if parsed.exception is not None:
            raise BuildError(f"dbt cannot read the project: {_one_line(parsed.exception)}")
        runner = dbtRunner(
            # A manifest that has served an invocation does not serve a second one: it is parsed
            # (from what dbt kept) for each build.
            manifest=parsed.result,
            callbacks=[lambda event: _tell(event, on_node)],
        )
        outcome = runner.invoke(dbt_arguments(settings, build_command(pipeline, dates)))
    if outcome.exception is not None:
        raise BuildError(f"dbt build failed: {_one_line(outcome.exception)}")
    return _built(outcome.result.results, settings)


def _built(results: Sequence[Any], settings: Settings) -> Built:
    failed = [r for r in results if r.status not in {*_GOOD, "warn", "skipped", "no-op"}]
    if failed:
        first = failed[0]
        what = f"{first.node.resource_type} {first.node.name}"
        rows = f" ({first.failures} rows)" if getattr(first, "failures", None) else ""
        more = f", and {len(failed) - 1} more" if len(failed) > 1 else ""
        raise BuildError(
            f"dbt {what} failed{rows}{more}: {_one_line(first.message)}; "
            f"see {settings.target_dir / 'logs' / 'dbt.log'}"
        )
    tests = [r for r in results if r.node.resource_type == "test"]
    return Built(
        models=len(results) - len(tests),
        tests_passed=sum(r.status == "pass" for r in tests),
        tests_warned=tuple(
            f"{r.node.name}: {_one_line(r.message)}" for r in tests if r.status == "warn"
        ),
    )


def _tell(event: Any, on_node: OnNode) -> None:
    if event.info.name == "NodeFinished":
        node = event.data.node_info
        on_node(f"{node.resource_type} {node.node_name}: {node.node_status}")


def _one_line(error: object) -> str:
    return printable(" ".join(str(error).split()))[:500]


@contextmanager
def environment(settings: Settings) -> Iterator[None]:
    """What profiles.yml reads, from the settings, for as long as dbt runs."""
    values: Mapping[str, str] = {
        "SPOT_OA_HOME": str(settings.home),
        "SPOT_OA_TARGET": settings.target,
        "SPOT_OA_WAREHOUSE": str(settings.warehouse),
    }
    variables = os.environ  # noqa: TID251 - dbt has no other way to its profile
    before = {name: variables.get(name) for name in values}
    variables.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del variables[name]
            else:
                variables[name] = value
