"""docs/enrichment/own-service.md, performed as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from tests.support.project import PROJECT
from tests.support.reputation import KEY, Asked, statuses, texts

PAGE = (PROJECT / "docs" / "enrichment" / "own-service.md").read_text("utf-8")


def block(language: str) -> str:
    found = re.search(f"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found
    return found[1]


def test_a_service_as_the_page_has_it(
    ask: Asked, httpserver: HTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    info = site / "acme_reputation-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-reputation\nVersion: 1.0\n")
    group, name, module = re.findall(r'"(spot_oa\.\w+)"\]\n(\w+) = "(\w+)"', block("toml"))[0]
    (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {module}\n")
    (site / f"{module}.py").write_text(block("python"))
    monkeypatch.syspath_prepend(str(site))
    httpserver.expect_request(
        "/v1/check", "POST", headers={"X-Key": KEY}, json={"ips": ["8.8.8.8", "1.1.1.1"]}
    ).respond_with_json({"hits": [{"ip": "8.8.8.8", "why": "C2"}]})
    options = {"key": KEY, "url": httpserver.url_for("/v1")}
    found = ask({name: options}, "address", "8.8.8.8", "1.1.1.1", "10.0.0.1")
    assert texts(found) == {"8.8.8.8": "acme:C2:3", "1.1.1.1": "", "10.0.0.1": ""}
    assert statuses(found) == {"acme": "ok"}


def test_the_files_that_the_page_names_are_there() -> None:
    files = re.findall(r"`(python_enrichers/[\w/]+\.py)`", PAGE)
    assert files
    for file in files:
        assert (PROJECT / file).is_file()
