from __future__ import annotations

import re

import pytest
import yaml

from flows.run.tables import python_tables, sources
from spot_oa.pipelines import Pipeline, load_pipelines
from spot_oa.warehouse.tables import RUN_AUDIT, telemetry_table
from tests.support.project import PROJECT

FILE = PROJECT / "models" / "staging" / "_sources.yml"
PIPELINES = load_pipelines()


def test_dbts_sources_are_made_from_the_tables() -> None:
    assert FILE.read_text("utf-8") == "\n".join(sources(PIPELINES)), (
        "python -m flows.run.tables > models/staging/_sources.yml"
    )


def test_every_table_is_a_source_with_its_columns() -> None:
    """The page is YAML: names, types and texts come back as they were declared."""
    read = {
        (source["name"], table["name"]): (
            table["description"],
            [(c["name"], c["data_type"], c["description"]) for c in table["columns"]],
        )
        for source in yaml.safe_load("\n".join(sources(PIPELINES)))["sources"]
        for table in source["tables"]
    }
    names = {"raw": "landed", "lookups": "lookups", "oa": "reasons"}
    tables = [
        ("audit" if table is RUN_AUDIT else names[table.schema], table)
        for table in python_tables(PIPELINES)
    ]
    tables += [("telemetry", telemetry_table(pipeline)) for pipeline in PIPELINES.values()]
    assert read == {
        (source, table.name): (table.description, list(table.described()))
        for source, table in tables
    }


def test_every_column_is_described() -> None:
    blocks = {
        name
        for file in (PROJECT / "models").rglob("*.md")
        for name in re.findall(r"{% docs (\w+) %}", file.read_text("utf-8"))
    }
    tables = [*python_tables(PIPELINES), *map(telemetry_table, PIPELINES.values())]
    for table in tables:
        assert table.description.startswith("One row per "), table
        for name, _, text in table.described():
            block = re.fullmatch(r"{{ doc\('(\w+)'\) }}", text)
            assert block is None or block[1] in blocks, f"{table}.{name}: no doc block {block}"


def test_a_doc_block_of_no_column_is_refused() -> None:
    flow = PIPELINES["flow"].model_dump()
    with pytest.raises(ValueError, match="docs: 'sipp' is neither a results field nor telemetry"):
        Pipeline.model_validate(flow | {"docs": {"sipp": "srcip"}})
