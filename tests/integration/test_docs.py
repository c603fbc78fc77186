"""The dbt docs: everything is described as it is, and a person can read it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.ui import WebDriverWait

from spot_oa.demo import DEMO_DATES
from spot_oa.pipelines import load_pipelines
from spot_oa.settings import Settings
from spot_oa.warehouse import open_warehouse
from tests.conftest import PROJECT
from tests.support.dbt import dbt
from tests.support.descriptions import complaints

pytestmark = pytest.mark.xdist_group("dbt")

SCREENSHOTS = PROJECT / "target" / "screenshots"
"""Where the pictures stay, to be looked at."""

# A page of somebody else's code, without a network, a profile and a screen.
CHROMIUM = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1400,1000",
)


@pytest.fixture(scope="module")
def target(built: Settings) -> Path:
    """dbt's target folder with the docs in it, as `make docs` writes them."""
    for pipeline in load_pipelines().values():
        open_warehouse(built).expose_telemetry(pipeline, [DEMO_DATES[0]])
    options = ("--static", "--vars", f"{{date: {DEMO_DATES[0]}}}")
    code, output = dbt(built, "docs", "generate", *options, "--write-json")
    assert code == 0, output
    return built.target_dir / "target"


@pytest.fixture(scope="module")
def manifest(target: Path) -> dict[str, Any]:
    return json.loads((target / "manifest.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def catalog(target: Path) -> dict[str, Any]:
    return json.loads((target / "catalog.json").read_text("utf-8"))


def test_everything_is_described_as_it_is(
    manifest: dict[str, Any], catalog: dict[str, Any]
) -> None:
    assert complaints(manifest, catalog) == []


def test_what_is_described_badly_is_told(manifest: dict[str, Any], catalog: dict[str, Any]) -> None:
    broken = json.loads(json.dumps(manifest))
    model = broken["nodes"]["model.spot_oa.flow_edge"]
    model["description"] = "Raw flows. One row each."
    del model["columns"]["sport"]
    model["columns"]["gone"] = {"name": "gone", "description": "No longer there."}
    model["columns"]["dport"]["description"] = ""
    broken["nodes"]["model.spot_oa.flow_chords"]["description"] = "One row per " + "x" * 200 + "."
    broken["macros"]["macro.spot_oa.rows_of_run"]["arguments"] = []
    assert complaints(broken, catalog) == [
        "flow_chords: first sentence of more than 200 characters",
        "flow_edge.dport: no description",
        "flow_edge.gone: described, and not there",
        "flow_edge.sport: no description",
        "flow_edge: the description does not begin with the grain, `One row per ..`",
        "macro rows_of_run: argument relation has no description",
        "macro rows_of_run: argument where has no description",
    ]


def test_the_way_from_telemetry_and_results_to_the_files_is_unbroken(
    manifest: dict[str, Any],
) -> None:
    parents: dict[str, list[str]] = manifest["parent_map"]

    def origins(node: str) -> set[str]:
        above = {origin for parent in parents.get(node, []) for origin in origins(parent)}
        return above or {node}

    for name, pipeline in load_pipelines().items():
        files = f"exposure.spot_oa.published_{name}"
        assert set(parents[files]) == {f"model.spot_oa.{table}" for table in pipeline.tables}
        assert origins(files) >= {
            f"source.spot_oa.telemetry.{name}",
            f"source.spot_oa.landed.{name}_results",
        }
        assert all(origin.startswith(("source.", "seed.")) for origin in origins(files))


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebDriver]:
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        assert "CI" not in os.environ, "CI looks at the docs in Chromium: .ci/run installs it"
        pytest.skip("no chromium and chromium-driver here (Debian's packages)")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in (*CHROMIUM, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    opened = webdriver.Chrome(options, webdriver.ChromeService(driver))
    yield opened
    opened.quit()


def _shown(browser: WebDriver, page: Path, fragment: str, words: str, name: str) -> str:
    """The text of a page of the site, when it shows the words; leaves a picture."""
    browser.get("about:blank")
    browser.get(f"{page.as_uri()}#!/{fragment}")
    wait = WebDriverWait(browser, 60)
    wait.until(lambda b: words in b.find_element(By.TAG_NAME, "body").text)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    browser.save_screenshot(str(SCREENSHOTS / f"{name}.png"))
    return browser.find_element(By.TAG_NAME, "body").text


def test_a_person_can_read_the_site(browser: WebDriver, target: Path) -> None:
    page = target / "static_index.html"

    overview = _shown(browser, page, "overview", "The way the data goes", "overview")
    assert "spot-oa run flow --date 2016-07-08" in overview
    assert "Read the scores" in overview

    model = "model/model.spot_oa.flow_scores"
    mart = _shown(browser, page, model, "One row per landed flow result", "flow_scores")
    assert "destip_internal" in mart
    assert "The scorer's probability of the event." in mart

    browser.get("about:blank")
    browser.get(f"{page.as_uri()}#!/overview?g_v=1&g_i=%2Bexposure:published_flow")
    WebDriverWait(browser, 60).until(lambda b: len(_graph_nodes(b)) > 10)
    nodes = set(_graph_nodes(browser))
    browser.save_screenshot(str(SCREENSHOTS / "lineage.png"))
    assert {
        "source.spot_oa.telemetry.flow",
        "source.spot_oa.landed.flow_results",
        "model.spot_oa.int_flow__traffic_filtered",
        "model.spot_oa.flow_edge",
        "exposure.spot_oa.published_flow",
    } <= nodes


def _graph_nodes(browser: WebDriver) -> list[str]:
    """The ids of what the lineage graph draws; it is a canvas, so its own object is asked."""
    return browser.execute_script(
        """
        const found = [...document.querySelectorAll('*')].map(e => e._cyreg && e._cyreg.cy);
        const graph = found.find(cy => cy);
        return graph ? graph.nodes().filter(n => n.visible()).map(n => n.id()) : [];
        """
    )
