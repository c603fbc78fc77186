"""A person can read the site that `make docs` writes."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from spot_oa.demo import DEMO_DATES
from spot_oa.pipelines import load_pipelines
from spot_oa.settings import Settings
from spot_oa.warehouse import open_warehouse
from tests.support.browser import screenshot
from tests.support.dbt import dbt

GRAPH = """() => {
    const found = [...document.querySelectorAll('*')].map(e => e._cyreg && e._cyreg.cy);
    const graph = found.find(cy => cy);
    return graph ? graph.nodes().filter(n => n.visible()).map(n => n.id()) : [];
}"""
"""The ids of what the lineage graph draws: it is a canvas, so its own object is asked."""


@pytest.mark.thorough
def test_the_site_shows_overview_columns_and_lineage(built: Settings, page: Page) -> None:
    for pipeline in load_pipelines().values():
        open_warehouse(built).expose_telemetry(pipeline, [DEMO_DATES[0]])
    options = ("--static", "--vars", f"{{date: {DEMO_DATES[0]}}}")
    code, output = dbt(built, "docs", "generate", *options)
    assert code == 0, output
    site = (built.target_dir / "target" / "static_index.html").as_uri()

    page.goto(f"{site}#!/overview")
    page.get_by_role("heading", name="Data flow").wait_for()
    text = page.inner_text("body")
    assert "spot-oa run flow --date 2016-07-08" in text
    assert "Read the scores" in text
    screenshot(page, "overview")

    page.goto("about:blank")
    page.goto(f"{site}#!/model/model.spot_oa.flow_scores")
    page.get_by_text("One row per landed flow result").first.wait_for()
    text = page.inner_text("body")
    assert "destip_internal" in text
    assert "The scorer's probability of the event." in text
    screenshot(page, "flow_scores")

    page.goto("about:blank")
    page.goto(f"{site}#!/overview?g_v=1&g_i=%2Bexposure:published_flow")
    page.wait_for_function(f"({GRAPH})().length > 10")
    assert {
        "source.spot_oa.telemetry.flow",
        "source.spot_oa.landed.flow_results",
        "model.spot_oa.int_flow__traffic_filtered",
        "model.spot_oa.flow_edge",
        "exposure.spot_oa.published_flow",
    } <= set(page.evaluate(GRAPH))
    screenshot(page, "lineage")
