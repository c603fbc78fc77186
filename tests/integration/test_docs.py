"""The dbt docs: everything is described as it is, and a person can read it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from spot_oa.demo import DEMO_DATES
from spot_oa.pipelines import load_pipelines
from spot_oa.settings import Settings
from spot_oa.warehouse import open_warehouse
from tests.support.dbt import dbt
from tests.support.descriptions import complaints


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
