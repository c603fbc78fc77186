"""Creates a flow run's artifacts in Prefect's UI: a summary, dbt's nodes, and failed tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from flows.run.summary import Summary
from spot_oa.dates import Slice
from spot_oa.errors import BuildError, Node, SpotOaError, printable


def show_summary(summary: Summary) -> None:
    """Create artifacts of the run's summary and of dbt's nodes."""
    create_markdown_artifact(
        summary_markdown(summary), key=_key("summary", summary.part), description=summary.headline
    )
    if summary.built:
        create_table_artifact(
            node_table(summary.built.nodes),
            key=_key("dbt", summary.part),
            description="Models and tests of the build",
        )


def show_failure(part: Slice, error: SpotOaError) -> None:
    """Create an artifact of the failed models and tests of a build."""
    if isinstance(error, BuildError) and error.failed:
        create_table_artifact(
            node_table(error.failed),
            key=_key("failed", part),
            description="Models and tests that failed",
        )


def node_table(nodes: Sequence[Node]) -> list[dict[str, Any]]:
    """Return one row per model or test; `failing rows` is empty if there are none."""
    return [
        {
            "node": f"{node.kind} {node.name}",
            "status": node.status,
            "seconds": round(node.seconds, 2),
            "failing rows": node.rows or "",
            "message": node.message,
        }
        for node in nodes
    ]


def summary_markdown(summary: Summary) -> str:
    """Return the summary as Markdown: counts, sources, warnings, seconds, links to the files."""
    return "\n".join(_lines(summary))


def _lines(summary: Summary) -> Iterator[str]:
    yield f"# {summary.part}"
    if summary.report:
        yield f"Report of the day: [{summary.report.name}]({summary.report.as_uri()})\n"
    landed = summary.landed
    if landed:
        yield f"{landed.rows} results landed, {landed.rejected} lines rejected, "
        yield f"from `{_cell(landed.source_uri)}` (limit {summary.limit})."
    yield from _table("table", "rows", "file")
    for name, rows in summary.tables.items():
        file = summary.folder / f"{name}.parquet" if summary.folder else None
        yield f"| {name} | {rows} | {f'[{file.name}]({file.as_uri()})' if file else ''} |"
    yield from _table("source", "step", "outcome", "asked", "found", "detail")
    for step, enriched in summary.enriched.items():
        for o in enriched.outcomes:
            detail = _cell(o.detail)
            yield f"| {_cell(o.source)} | {step} | {o.status} | {o.asked} | {o.found} | {detail} |"
    yield from _table("step", "seconds")
    for step, seconds in summary.seconds.items():
        yield f"| {step} | {seconds:.1f} |"
    warnings = summary.warnings
    yield f"\n## {len(warnings)} warnings"
    for warning in warnings:
        yield f"- {_cell(warning)}"


def _table(*columns: str) -> Iterator[str]:
    yield ""
    yield f"| {' | '.join(columns)} |"
    yield f"|{' --- |' * len(columns)}"


def _cell(text: str) -> str:
    return printable(text).replace("|", "\\|").replace("`", "'").replace("<", "&lt;")


def _key(what: str, part: Slice) -> str:
    return f"{part.pipeline.replace('_', '-')}-{part.date.isoformat()}-{what}"
