"""What pages name is there: links, files of the project, names in its code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.support.project import PROJECT

PAGES = [
    *(PROJECT / name for name in ("README.md", "CONTRIBUTING.md")),
    *sorted((PROJECT / "docs").rglob("*.md")),
]
ADDING = sorted((PROJECT / "docs").glob("adding-an-*.md"))
ROOMS = (
    *("analyst", "benchmarks", "docs", "flows", "macros", "models", "profiles"),
    *("python_enrichers", "seeds", "spot_oa", "tests"),
)
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
FILE = re.compile(rf"(?:{'|'.join(ROOMS)})/[\w.*<>/-]*|[\w-]+\.(?:py|toml|yml|yaml)")
NAME = re.compile(r"[A-Za-z]\w*_\w+|[A-Z][a-z]+[A-Z]?\w+|[A-Z]{4,}")
NEW = {"adding-a-pipeline.md": "ssh", "adding-a-source.md": "firewall", "own-service.md": "acme"}
"""Pages that make files, and what these have in their names."""


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """What GitHub makes of its headings."""
    heads = re.findall(r"^#+ (.*)$", prose(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(prose(page)):
        if "://" not in link:
            name, _, anchor = link.partition("#")
            target = (page.parent / name).resolve() if name else page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


def files_named(page: Path) -> Iterator[str]:
    made = NEW.get(page.name)
    for text in CODE.findall(prose(page)):
        if FILE.fullmatch(text) and not (made and made in text):
            yield re.sub(r"<[^>]*>", "*", text).rstrip("/")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_of_the_project_are_there(page: Path) -> None:
    for name in files_named(page):
        if "/" in name:
            assert any(PROJECT.glob(name)), name


@cache
def words() -> set[str]:
    """Every word of the project's code."""
    files = [
        file
        for room in ROOMS
        for kind in ("*.py", "*.sql", "*.yml")
        for file in (PROJECT / room).rglob(kind)
        if file.name != Path(__file__).name
    ]
    files += [PROJECT / "pyproject.toml", PROJECT / "dbt_project.yml"]
    return {word for file in files for word in re.findall(r"\w+", file.read_text("utf-8"))}


@pytest.mark.parametrize("page", ADDING, ids=lambda page: page.name)
def test_names_in_the_code_are_there(page: Path) -> None:
    named = [text for text in CODE.findall(prose(page)) if NAME.fullmatch(text)]
    assert len(named) > 10, "the page names what it is about"
    for name in named:
        assert name in words(), name
