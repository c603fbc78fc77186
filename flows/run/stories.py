"""Stories in a run or refresh: their tables are built together from the day's telemetry.

A day without a story costs nothing: its telemetry is not read, and no model is built.
"""

from __future__ import annotations

from flows.run import dbt_runner
from flows.run.dbt_runner import Built, OnNode
from flows.run.steps import Run
from python_enrichers import peers
from spot_oa.warehouse.tables import YMD, Table

ANCHOR = "ip_threat"
PEER = "peer"


def investigate(run: Run, on_node: OnNode, *, has_telemetry: bool) -> Built | None:
    """Build and test the tables of the day's stories.

    Args:
        run: The day; its stories are landed, and its triage is built.
        on_node: Receives a line for each model and test that finishes.
        has_telemetry: Whether there are raw events of the day. Without them only the storyboard is
            built, if the other tables were built while there were events: those remain.

    Returns:
        The outcome of the build; None if the pipeline has no tables of stories.

    Raises:
        SpotOaError: A step failed; the published tables have not changed.
    """
    described = run.pipeline.triage and run.pipeline.triage.stories
    if not described:
        return None
    name, dates = run.pipeline.name, [run.part.date]
    run.warehouse.prepare(peers.TABLES)

    def build(*paths: str) -> Built:
        command = dbt_runner.story_command(dates, paths)
        return dbt_runner.build(run.settings, name, dates, on_node, command)

    landed = f"models/staging/landed/stg_landed__{name}_stories.sql"
    board = Table("oa", f"{name}_storyboard", YMD)
    if not has_telemetry and run.part.date in run.warehouse.dates(board):
        return build(landed, f"models/investigation/{name}/{name}_storyboard.sql")
    events = (landed, f"models/staging/telemetry/stg_telemetry__{name}.sql")
    traffic = f"models/intermediate/{name}/story"
    tables = f"models/investigation/{name}"
    if described.peers is None:
        return build(*events, traffic, tables)
    build(*events, traffic)
    _look_up(run, described.peers)
    return build("models/staging/lookups/stg_lookups__story_peers.sql", tables)


def _look_up(run: Run, model: str) -> None:
    """Replace the local lookups of anchors and peers."""
    traffic = Table("oa_intermediate", model, {ANCHOR: "string", PEER: "string", **YMD})
    found: dict[str, None] = {}
    for column in (ANCHOR, PEER):
        values = run.warehouse.distinct(traffic, column, run.part, by=column)
        found.update(dict.fromkeys(values))
    with run.warehouse.replacing(run.part, peers.STORY_PEERS) as writer:
        if found:
            writer.append(peers.STORY_PEERS, peers.look_up(run.settings, list(found)))
