from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from spot_oa.errors import ConfigError, UsageError
from spot_oa.pipelines import Pipeline, get_pipeline, load_pipelines

MINIMAL = {
    "name": "toy",
    "title": "Toy",
    "results": {
        "file": "toy_results.csv",
        "width": 2,
        "score": "score",
        "fields": {
            "ip": {"index": 0, "type": "string", "required": True},
            "score": {"index": 1, "type": "double", "required": True},
        },
    },
    "telemetry": {"columns": {"ip": "string"}},
    "tables": {"toy_scores": {}},
}


def describe(folder: Path, **changes: object) -> Path:
    (folder / "toy.yml").write_text(yaml.safe_dump({**MINIMAL, **changes}))
    return folder


def test_a_folder_adds_pipelines(tmp_path: Path) -> None:
    pipelines = load_pipelines(describe(tmp_path))
    assert "flow" in pipelines
    assert pipelines["toy"].results_table == "toy_results"


def test_a_folder_replaces_a_pipeline_with_another_scorers_columns(tmp_path: Path) -> None:
    flow = get_pipeline("flow").model_dump()
    flow["results"]["fields"]["sip"]["index"] = 9
    flow["results"]["fields"]["dip"]["index"] = 8
    (tmp_path / "flow.yml").write_text(
        yaml.safe_dump(Pipeline.model_validate(flow).model_dump(mode="json"))
    )
    assert get_pipeline("flow", tmp_path).results.fields["sip"].index == 9
    assert get_pipeline("flow").results.fields["sip"].index == 8


def test_an_unknown_pipeline_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"is unknown: take one of .*flow"):
        get_pipeline("fl\now")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"name": "other"}, "its file must be other.yml"),
        ({"name": "x; drop table"}, "should match pattern"),
        ({"surplus": 1}, "Extra inputs are not permitted"),
        ({"enrich": {"geo": {"nowhere": "address"}}}, "'nowhere' is not a results field"),
        ({"results": {**MINIMAL["results"], "width": 1}}, "has index 1, width is 1"),
        ({"results": {**MINIMAL["results"], "score": "ip2"}}, "is not among the fields"),
        ({"results": {**MINIMAL["results"], "file": "../x.csv"}}, "should match pattern"),
    ],
)
def test_an_inconsistent_description_is_refused(
    tmp_path: Path, changes: dict[str, object], reason: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_pipelines(describe(tmp_path, **changes))
    assert str(tmp_path / "toy.yml") in str(caught.value)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such folder"):
        load_pipelines(tmp_path / "nowhere")
