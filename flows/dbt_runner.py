"""Dbt, in this process: arguments built by a pure function, errors as one line."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from spot_oa.errors import BuildError, Node, printable
from spot_oa.settings import Settings

OnNode = Callable[[str], None]
"""Told in one line of each node that finishes."""

_DONE_WELL = {"success", "pass", "warn", "no-op"}


@dataclass(frozen=True, slots=True)
class Built:
    """What a build did; a failed node is an error, not an outcome."""

    nodes: Sequence[Node]

    @property
    def models(self) -> int:
        """How many models and seeds were built."""
        return sum(node.kind != "test" for node in self.nodes)

    @property
    def tests_passed(self) -> int:
        """How many data tests passed."""
        return sum(node.kind == "test" and node.status == "pass" for node in self.nodes)

    @property
    def tests_warned(self) -> Sequence[Node]:
        """The data tests that warned."""
        return [node for node in self.nodes if node.status == "warn"]


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
        # Nobody reads a run's manifest.json and run_results.json; they take half a second.
        "--no-write-json",
        "--cache-selected-only",
    ]


def build_command(pipeline: str, dates: Sequence[dt.date]) -> list[str]:
    """The build of a pipeline's marts and all they stand on.

    Unit tests are left out: they test the SQL and not the day. So are the tests that read the
    telemetry again to compare it with the marts: a run reads it no more often than it has to.

    Args:
        pipeline: Its marts lie in models/marts/<pipeline>.
        dates: Consecutive days.

    Returns:
        The dbt command.
    """
    first, last = min(dates).isoformat(), max(dates).isoformat()
    return [
        "build",
        "--select",
        f"+path:models/marts/{pipeline}",
        "--vars",
        f'{{date_from: "{first}", date_to: "{last}"}}',
        "--exclude-resource-type",
        "unit_test",
        "--exclude",
        "tag:reconciliation",
    ]


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
        parsed: Any = _uninterrupted(dbtRunner().invoke(dbt_arguments(settings, ["parse"])))
        if parsed.exception is not None:
            raise BuildError(f"dbt cannot read the project: {_one_line(parsed.exception)}")
        runner = dbtRunner(
            # A manifest that has served an invocation does not serve a second one: it is parsed
            # (from what dbt kept) for each build.
            manifest=parsed.result,
            callbacks=[lambda event: _tell(event, on_node)],
        )
        command = build_command(pipeline, dates)
        outcome = _uninterrupted(runner.invoke(dbt_arguments(settings, command)))
    if outcome.exception is not None:
        raise BuildError(f"dbt build failed: {_one_line(outcome.exception)}")
    return _built(outcome.result.results, settings)


def _uninterrupted(result: Any) -> Any:
    """Dbt's result, unless it was cut short: dbt keeps an interrupt as if it were an error."""
    error = result.exception
    if error is not None and not isinstance(error, Exception):
        raise error
    return result


def _built(results: Sequence[Any], settings: Settings) -> Built:
    nodes = [
        Node(
            kind=str(result.node.resource_type),
            name=result.node.name,
            status=str(result.status),
            seconds=result.execution_time,
            rows=getattr(result, "failures", None),
            message=_one_line(result.message or ""),
        )
        for result in results
    ]
    undone = tuple(node for node in nodes if node.status not in _DONE_WELL)
    # What is skipped is so because something before it failed.
    failed = tuple(node for node in undone if node.status != "skipped") or undone
    if failed:
        first = failed[0]
        rows = f" ({first.rows} rows)" if first.rows else ""
        more = f", and {len(failed) - 1} more" if len(failed) > 1 else ""
        raise BuildError(
            f"dbt {first.kind} {first.name} failed{rows}{more}: {first.message}; "
            f"see {settings.target_dir / 'logs' / 'dbt.log'}",
            failed=failed,
        )
    return Built(nodes)


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
