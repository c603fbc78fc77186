"""Runs dbt in this process: arguments are built by a pure function, errors are one line."""

from __future__ import annotations

import datetime as dt
import gc
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from spot_oa.errors import BuildError, Node, SpotOaError, printable
from spot_oa.settings import Settings
from spot_oa.warehouse import connections_of_dbt

OnNode = Callable[[str], None]
"""Receives one line for each node that finishes."""

PROFILE = (
    *("home", "target", "warehouse", "memory_limit", "threads"),
    *("schema_prefix", "telemetry_schema"),
    *("impala_host", "impala_port", "impala_auth", "impala_user", "impala_kerberos_service"),
    *("impala_tls", "impala_http", "impala_http_path"),
    *("spark_host", "spark_port", "spark_auth", "spark_user", "spark_kerberos_service"),
    *("spark_tls",),
)
"""Settings that profiles.yml and the sources read; none of them is secret."""

_DONE_WELL = {"success", "pass", "warn", "no-op"}
_MARTS = "models/marts/"
_PREFIX_OF_ALL = "Unable to establish connection to Impala server: "
"""The text that dbt-impala puts before every SQL error."""


@dataclass(frozen=True, slots=True)
class Built:
    """The outcome of a build; a failure that affects a mart raises an error instead."""

    nodes: Sequence[Node]
    failed: Sequence[Node] = ()
    """Failed nodes on which no mart depends."""

    @property
    def models(self) -> int:
        """The number of models and seeds built."""
        return sum(node.kind != "test" for node in self.nodes)

    @property
    def tests_passed(self) -> int:
        """The number of data tests passed."""
        return sum(node.kind == "test" and node.status == "pass" for node in self.nodes)

    @property
    def tests_warned(self) -> Sequence[Node]:
        """The data tests that warned."""
        return [node for node in self.nodes if node.status == "warn"]


def dbt_arguments(settings: Settings, command: Sequence[str]) -> list[str]:
    """Return the arguments for a dbt invocation that writes nothing to the terminal.

    Args:
        settings: The settings of the project, the target and dbt's own folder.
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
        # Writing the unused manifest.json and run_results.json would take half a second.
        "--no-write-json",
        "--cache-selected-only",
    ]


def build_command(
    pipeline: str, dates: Sequence[dt.date], parts: Sequence[str] = ("marts",)
) -> list[str]:
    """Return the build of a pipeline's marts, or other parts, with all their parents.

    Unit tests are left out: they test the SQL and not the day. So are the tests that read the
    telemetry again to compare it with the marts: a run reads telemetry only as often as necessary.

    Args:
        pipeline: The pipeline; its marts are in models/marts/<pipeline>.
        dates: Consecutive days.
        parts: The folders of models: `marts`, `triage`.

    Returns:
        The dbt command.
    """
    return _build_of(
        [f"+path:models/{part}/{pipeline}" for part in parts],
        _dates_option(dates),
        # Without the tests that also read a model that is not built.
        "buildable",
        ["tag:reconciliation"],
    )


def triage_command(pipeline: str, dates: Sequence[dt.date]) -> list[str]:
    """Return the build of a day's triage on the existing marts; it reads no telemetry."""
    return _build_of(
        [
            f"path:models/staging/landed/stg_landed__{pipeline}_*",
            f"path:models/intermediate/{pipeline}/triage",
            f"path:models/triage/{pipeline}",
        ],
        _dates_option(dates),
        # Only tests of these models: the tests of the marts have passed before.
        "cautious",
        # Stories are built only for days that have one.
        ["tag:reconciliation", f"stg_landed__{pipeline}_stories"],
    )


def story_command(dates: Sequence[dt.date], paths: Sequence[str]) -> list[str]:
    """Return the build of some models of stories, with the tests that need no other models.

    Args:
        dates: Consecutive days.
        paths: The files and folders of the models.

    Returns:
        The dbt command.
    """
    selected = [f"path:{path}" for path in paths]
    return _build_of(selected, _dates_option(dates), "cautious", ["tag:reconciliation"])


def score_command(pipeline: str, date: dt.date, variables: Mapping[str, Any]) -> list[str]:
    """Return the build of the scorer's models for a date, with their tests.

    Args:
        pipeline: The pipeline; its models are in models/scoring/<pipeline> and .../state.
        date: The date.
        variables: The variables of dbt_project.yml that the run sets.

    Returns:
        The dbt command.
    """
    day = date.isoformat()
    given = {"date_from": day, "date_to": day, **variables}
    return _build_of(
        [f"+path:models/scoring/{pipeline}", f"path:models/scoring/state/score_{pipeline}_*"],
        ["--vars", json.dumps(given)],
        "buildable",
    )


def _build_of(
    selected: Sequence[str],
    variables: Sequence[str],
    indirect: str,
    excluded: Sequence[str] = (),
) -> list[str]:
    """Return a build of models with data tests; `indirect` selects tests of several models."""
    return [
        *("build", "--select", *selected, *variables),
        *("--indirect-selection", indirect, "--exclude-resource-type", "unit_test"),
        *(["--exclude", *excluded] if excluded else []),
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
        settings: The settings of the project and the target.
        pipeline: The pipeline.
        dates: Consecutive days whose slices are replaced.
        on_node: Receives a line for each model and test that finishes.
        command: Another build, e.g. from `triage_command`; the build of the marts if None.

    Returns:
        The outcome of all nodes.

    Raises:
        BuildError: A model or a test failed, and marts depend on it if the build has any; the
            message names the first one.
    """
    command = command or build_command(pipeline, dates)
    outcome = invoke(settings, command, lambda event: _report(event, on_node))
    # An unnecessary retry does no harm if something else has failed as well.
    lost = next((str(error) for error in outcome.engine_errors if error.transient), "")
    if outcome.exception is not None:
        reason = _one_line(outcome.exception)
        # dbt puts the kinds of its own exceptions before an error of ours, or leaves ours out.
        ours = (str(error) for error in outcome.engine_errors if str(error) in reason)
        why = next(ours, lost or reason)
        raise BuildError(f"dbt build failed: {why}", transient=bool(lost))
    built = _built(outcome.result.results, settings, lost)
    messages = _messages(settings, dates, outcome.result.results)
    nodes = [replace(node, message=messages.get(node.name, node.message)) for node in built.nodes]
    return replace(built, nodes=nodes)


def _messages(
    settings: Settings, dates: Sequence[dt.date], results: Sequence[Any]
) -> Mapping[str, str]:
    """Return the column `message` of tests that warned; dbt itself only counts their rows."""
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
    """The outcome of a dbt invocation: its result, or its exception."""

    result: Any
    exception: BaseException | None
    engine_errors: Sequence[SpotOaError]
    """The errors of its connections to the engine; dbt itself keeps only their text."""


def parse(settings: Settings) -> Any:
    """Parse the project, or what has changed in it since the last parse.

    The variables of a command and the paths of the home are not passed to dbt, so that its cached
    parse can be used for every date, and in every home it is copied to.

    Args:
        settings: The settings of the project, the target and dbt's own folder.

    Returns:
        Dbt's manifest.

    Raises:
        BuildError: The project cannot be parsed.
    """
    anywhere = {"home": Path(), "warehouse": Path(settings.warehouse.name)}
    with environment(settings.model_copy(update=anywhere)):
        parsed: Any = _uninterrupted(_dbt()().invoke(dbt_arguments(settings, ["parse"])))
    if parsed.exception is not None:
        raise BuildError(f"dbt cannot read the project: {_one_line(parsed.exception)}")
    return parsed.result


def _dbt() -> type[Any]:
    """Import dbt's runner: it takes seconds, which `spot-oa --help` need not wait for."""
    # A manifest is a million objects that live as long as the process. With Python's own threshold
    # the garbage collector visits them again and again: a sixth of a command's processor time.
    gc.set_threshold(50_000, 20, 100)
    from dbt.cli.main import dbtRunner  # noqa: PLC0415

    return dbtRunner


def invoke(
    settings: Settings, command: Sequence[str], on_event: Callable[[Any], None] = lambda _: None
) -> Invoked:
    """Run a dbt command in this process.

    Args:
        settings: The settings of the project and the target.
        command: The dbt command with its own options.
        on_event: Receives each of dbt's events.

    Returns:
        Dbt's result, and its errors.

    Raises:
        BuildError: The project cannot be parsed.
    """
    manifest = parse(settings)
    with environment(settings) as engine_errors:
        # A manifest cannot be used for a second invocation: it is parsed (from dbt's cache) for
        # each.
        runner = _dbt()(manifest=manifest, callbacks=[on_event])
        done = _uninterrupted(runner.invoke(dbt_arguments(settings, command)))
        return Invoked(done.result, done.exception, engine_errors)


def _uninterrupted(result: Any) -> Any:
    """Return dbt's result, or raise an interrupt, which dbt returns as if it were an error."""
    error = result.exception
    if error is not None and not isinstance(error, Exception):
        raise error
    return result


def _built(results: Sequence[Any], settings: Settings, lost: str) -> Built:
    """Return the outcome; `lost` says why the engine was away, if it was."""
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
        raise BuildError(what_failed(failed, settings, lost), failed=failed, transient=bool(lost))
    return Built(nodes, _causes(others))


def _causes(undone: Sequence[Node]) -> Sequence[Node]:
    """Leave out skipped nodes, which were skipped because of another failure."""
    return tuple(node for node in undone if node.status != "skipped") or tuple(undone)


def what_failed(failed: Sequence[Node], settings: Settings, lost: str = "") -> str:
    """Describe failed models and tests in one line that names the first one.

    Args:
        failed: The models and tests.
        settings: The settings.
        lost: Why the engine was away; models that met it may only have the driver's words.
    """
    first = failed[0]
    rows = f" ({first.rows} rows)" if first.rows else ""
    more = f", and {len(failed) - 1} more" if len(failed) > 1 else ""
    why = first.message
    if lost and first.status == "error" and lost not in why:
        why = f"{why}; {lost}"
    return (
        f"dbt {first.kind} {first.name} failed{rows}{more}: {why}; "
        f"see {settings.target_dir / 'logs' / 'dbt.log'}"
    )


def _below_marts(results: Sequence[Any]) -> set[str]:
    """Return the ids of a build's marts and all their parents; none if it has no mart."""
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
    """Whether marts depend on a model, or a test reads only such models."""
    return below.issuperset(
        node.depends_on_nodes if node.resource_type == "test" else {node.unique_id}
    )


def _report(event: Any, on_node: OnNode) -> None:
    if event.info.name == "NodeFinished":
        node = event.data.node_info
        on_node(f"{node.resource_type} {node.node_name}: {node.node_status}")


def _one_line(error: object) -> str:
    return printable(" ".join(str(error).split())).replace(_PREFIX_OF_ALL, "")[:500]


@contextmanager
def environment(settings: Settings) -> Iterator[Sequence[SpotOaError]]:
    """Set the environment variables that profiles.yml reads while dbt runs.

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
