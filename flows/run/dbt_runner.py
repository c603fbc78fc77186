"""Dbt, in this process: arguments built by a pure function, errors as one line."""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from spot_oa.errors import BuildError, Node, SpotOaError, printable
from spot_oa.settings import Settings
from spot_oa.warehouse import connections_of_dbt

OnNode = Callable[[str], None]
"""Told in one line of each node that finishes."""

PROFILE = (
    *("home", "target", "warehouse", "memory_limit", "threads"),
    *("schema_prefix", "telemetry_schema"),
    *("impala_host", "impala_port", "impala_auth", "impala_user", "impala_kerberos_service"),
    *("impala_tls", "impala_http", "impala_http_path"),
    *("spark_host", "spark_port", "spark_auth", "spark_user", "spark_kerberos_service"),
    *("spark_tls",),
)
"""Settings that profiles.yml and the sources read; no secret is among them."""

_DONE_WELL = {"success", "pass", "warn", "no-op"}
_MARTS = "models/marts/"
_SAID_OF_ALL = "Unable to establish connection to Impala server: "
"""What dbt-impala puts before every error of SQL."""


@dataclass(frozen=True, slots=True)
class Built:
    """What a build did; what has failed of the marts is an error, not an outcome."""

    nodes: Sequence[Node]
    failed: Sequence[Node] = ()
    """What has failed and no mart stands on."""

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


def build_command(
    pipeline: str, dates: Sequence[dt.date], parts: Sequence[str] = ("marts",)
) -> list[str]:
    """The build of a pipeline's marts, or other parts, and all they stand on.

    Unit tests are left out: they test the SQL and not the day. So are the tests that read the
    telemetry again to compare it with the marts: a run reads it no more often than it has to.

    Args:
        pipeline: Its marts lie in models/marts/<pipeline>.
        dates: Consecutive days.
        parts: The folders of models: `marts`, `triage`.

    Returns:
        The dbt command.
    """
    return [
        "build",
        "--select",
        *(f"+path:models/{part}/{pipeline}" for part in parts),
        *_dates_option(dates),
        # Not the tests that also read a model which is not built.
        "--indirect-selection",
        "buildable",
        "--exclude-resource-type",
        "unit_test",
        "--exclude",
        "tag:reconciliation",
    ]


def triage_command(pipeline: str, dates: Sequence[dt.date]) -> list[str]:
    """The build of what analysts made of a day, on marts that are there: no telemetry is read."""
    return [
        "build",
        "--select",
        f"path:models/staging/landed/stg_landed__{pipeline}_*",
        f"path:models/intermediate/{pipeline}/triage",
        f"path:models/triage/{pipeline}",
        *_dates_option(dates),
        # Only tests of these models: those of the marts have passed.
        "--indirect-selection",
        "cautious",
        "--exclude-resource-type",
        "unit_test",
        "--exclude",
        "tag:reconciliation",
    ]


def score_command(pipeline: str, date: dt.date, variables: Mapping[str, Any]) -> list[str]:
    """The build of the scorer's models for a date, and their tests.

    Args:
        pipeline: Its models lie in models/scoring/<pipeline>, its state in models/scoring/state.
        date: The one date.
        variables: Those of dbt_project.yml that the run sets.

    Returns:
        The dbt command.
    """
    day = date.isoformat()
    return [
        "build",
        "--select",
        f"+path:models/scoring/{pipeline}",
        f"path:models/scoring/state/score_{pipeline}_*",
        "--vars",
        json.dumps({"date_from": day, "date_to": day, **variables}),
        "--indirect-selection",
        "buildable",
        "--exclude-resource-type",
        "unit_test",
    ]


def _dates_option(dates: Sequence[dt.date]) -> list[str]:
    first, last = min(dates).isoformat(), max(dates).isoformat()
    return ["--vars", f'{{date_from: "{first}", date_to: "{last}"}}']


def build(
    settings: Settings,
    pipeline: str,
    dates: Sequence[dt.date],
    on_node: OnNode,
    command: Sequence[str] | None = None,
) -> Built:
    """Build and test the pipeline's marts for the dates.

    Args:
        settings: Name the project and the target.
        pipeline: The pipeline.
        dates: Consecutive days whose slices are replaced.
        on_node: Told of each model and test that finishes.
        command: Another build, as `triage_command` gives; that of the marts if None.

    Returns:
        Counts and warned tests.

    Raises:
        BuildError: A model or a test failed, and marts stand on it if the build has any; the
            message names the first.
    """
    command = command or build_command(pipeline, dates)
    outcome = invoke(settings, command, lambda event: _tell(event, on_node))
    # One retry too many does no harm if something else has failed as well.
    transient = any(error.transient for error in outcome.engine_errors)
    if outcome.exception is not None:
        reason = _one_line(outcome.exception)
        raise BuildError(f"dbt build failed: {reason}", transient=transient)
    built = _built(outcome.result.results, settings, transient=transient)
    messages = _messages(settings, dates, outcome.result.results)
    told = [replace(node, message=messages.get(node.name, node.message)) for node in built.nodes]
    return replace(built, nodes=told)


def _messages(
    settings: Settings, dates: Sequence[dt.date], results: Sequence[Any]
) -> Mapping[str, str]:
    """What tests that warned say in their column `message`: dbt itself only counts their rows."""
    asked = [
        result.node.name
        for result in results
        if result.status == "warn" and result.node.config.meta.get("show_message")
    ]
    if not asked:
        return {}
    shown = invoke(settings, ["show", "--select", *asked, *_dates_option(dates)])
    if shown.exception is not None:
        return {}
    return {
        result.node.name: _one_line(", ".join(result.agate_table.columns["message"].values()))
        for result in shown.result.results
    }


@dataclass(frozen=True, slots=True)
class Invoked:
    """What dbt gives back: its result, or the exception that it ended with."""

    result: Any
    exception: BaseException | None
    engine_errors: Sequence[SpotOaError]
    """What its connections to the engine have raised; dbt itself keeps only their text."""


def invoke(
    settings: Settings, command: Sequence[str], on_event: Callable[[Any], None] = lambda _: None
) -> Invoked:
    """Run a dbt command in this process.

    The project is parsed without the command's variables, so that what dbt keeps of the parse
    serves every date.

    Args:
        settings: Name the project and the target.
        command: The dbt command with its own options.
        on_event: Told of each of dbt's events.

    Returns:
        Dbt's result, and what went wrong.

    Raises:
        BuildError: The project cannot be parsed.
    """
    # Costs seconds: paid by runs, not by `spot-oa --help`.
    from dbt.cli.main import dbtRunner  # noqa: PLC0415

    with environment(settings) as engine_errors:
        parsed: Any = _uninterrupted(dbtRunner().invoke(dbt_arguments(settings, ["parse"])))
        if parsed.exception is not None:
            raise BuildError(f"dbt cannot read the project: {_one_line(parsed.exception)}")
        # A manifest that has served an invocation does not serve a second one: it is parsed (from
        # what dbt kept) for each.
        runner = dbtRunner(manifest=parsed.result, callbacks=[on_event])
        done = _uninterrupted(runner.invoke(dbt_arguments(settings, command)))
        return Invoked(done.result, done.exception, engine_errors)


def _uninterrupted(result: Any) -> Any:
    """Dbt's result, unless it was cut short: dbt keeps an interrupt as if it were an error."""
    error = result.exception
    if error is not None and not isinstance(error, Exception):
        raise error
    return result


def _built(results: Sequence[Any], settings: Settings, *, transient: bool) -> Built:
    below = _below_marts(results)
    nodes, of_marts, others = list[Node](), list[Node](), list[Node]()
    for result in results:
        node = Node(
            kind=str(result.node.resource_type),
            name=result.node.name,
            status=str(result.status),
            seconds=result.execution_time,
            rows=getattr(result, "failures", None),
            message=_one_line(result.message or ""),
        )
        nodes.append(node)
        if node.status not in _DONE_WELL:
            (of_marts if not below or _is_below(result.node, below) else others).append(node)
    if of_marts:
        failed = _causes(of_marts)
        raise BuildError(what_failed(failed, settings), failed=failed, transient=transient)
    return Built(nodes, _causes(others))


def _causes(undone: Sequence[Node]) -> Sequence[Node]:
    """What is skipped is so because something before it failed."""
    return tuple(node for node in undone if node.status != "skipped") or tuple(undone)


def what_failed(failed: Sequence[Node], settings: Settings) -> str:
    """Failed models and tests in one line, of which the first is named."""
    first = failed[0]
    rows = f" ({first.rows} rows)" if first.rows else ""
    more = f", and {len(failed) - 1} more" if len(failed) > 1 else ""
    return (
        f"dbt {first.kind} {first.name} failed{rows}{more}: {first.message}; "
        f"see {settings.target_dir / 'logs' / 'dbt.log'}"
    )


def _below_marts(results: Sequence[Any]) -> set[str]:
    """The ids of the marts of a build and of all they stand on; none if it has no mart."""
    nodes = {result.node.unique_id: result.node for result in results}
    found: set[str] = set()
    left = [one for one, node in nodes.items() if node.original_file_path.startswith(_MARTS)]
    while left:
        one = left.pop()
        if one not in found:
            found.add(one)
            left += nodes[one].depends_on_nodes if one in nodes else ()
    return found


def _is_below(node: Any, below: set[str]) -> bool:
    """Whether marts stand on a model, or a test is of nothing else than such models."""
    return below.issuperset(
        node.depends_on_nodes if node.resource_type == "test" else {node.unique_id}
    )


def _tell(event: Any, on_node: OnNode) -> None:
    if event.info.name == "NodeFinished":
        node = event.data.node_info
        on_node(f"{node.resource_type} {node.node_name}: {node.node_status}")


def _one_line(error: object) -> str:
    return printable(" ".join(str(error).split())).replace(_SAID_OF_ALL, "")[:500]


@contextmanager
def environment(settings: Settings) -> Iterator[Sequence[SpotOaError]]:
    """Set what profiles.yml reads, from the settings, for as long as dbt runs.

    Yields:
        The errors that dbt's connections to the engine have raised so far.
    """
    values: dict[str, str] = {
        f"SPOT_OA_{name.upper()}": str(getattr(settings, name)) for name in PROFILE
    }
    values |= {
        f"SPOT_OA_TELEMETRY_TABLES__{pipeline.upper()}": table
        for pipeline, table in settings.telemetry_tables.items()
    }
    variables = os.environ  # noqa: TID251 - dbt has no other way to its profile
    before = {name: variables.get(name) for name in values}
    variables.update(values)
    try:
        with connections_of_dbt(settings) as errors:
            yield errors
    finally:
        for name, value in before.items():
            if value is None:
                del variables[name]
            else:
                variables[name] = value
