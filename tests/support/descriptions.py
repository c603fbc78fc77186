"""Find missing or invalid descriptions in the dbt project, from dbt's manifest."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

PACKAGE = "spot_oa"
FIRST_SENTENCE = 200
"""Impala stores 256 characters of a comment, after escaping."""


def complaints(manifest: dict[str, Any], catalog: dict[str, Any]) -> list[str]:
    """Everything that lacks a true description, sorted.

    Args:
        manifest: dbt's manifest.json.
        catalog: dbt's catalog.json, for the columns as the warehouse has them.
    """
    relations = [
        node
        for node in (*manifest["nodes"].values(), *manifest["sources"].values())
        if node["package_name"] == PACKAGE and node["resource_type"] in {"model", "seed", "source"}
    ]
    columns = {**catalog["nodes"], **catalog["sources"]}
    found: list[str] = []
    for node in relations:
        found += _of_relation(node)
        # dbt_project.yml gives the columns of a seed, also of one that no run has loaded yet.
        there = (
            node["config"]["column_types"]
            if node["resource_type"] == "seed"
            else columns[node["unique_id"]]["columns"]
        )
        found += _of_columns(node, list(there))
    for macro in manifest["macros"].values():
        if macro["package_name"] == PACKAGE:
            found += _of_macro(macro)
    for kind in ("exposures", "unit_tests"):
        for node in manifest[kind].values():
            if not node["description"]:
                found.append(f"{node['name']}: no description")
    return sorted(found)


def _of_relation(node: dict[str, Any]) -> Iterator[str]:
    first = re.split(r"(?<=[.:])\s", node["description"])[0]
    if not first.startswith("One row per "):
        yield f"{node['name']}: the description does not begin with the grain, `One row per ..`"
    if len(first) > FIRST_SENTENCE:
        yield f"{node['name']}: first sentence of more than {FIRST_SENTENCE} characters"


def _of_columns(node: dict[str, Any], there: list[str]) -> Iterator[str]:
    described = node["columns"]
    for name in there:
        text = described.get(name, {}).get("description", "")
        if not text:
            yield f"{node['name']}.{name}: no description"
        elif len(re.split(r"(?<=[.:])\s", text)[0]) > FIRST_SENTENCE:
            yield f"{node['name']}.{name}: first sentence of more than {FIRST_SENTENCE} characters"
    for name in described:
        if name not in there:
            yield f"{node['name']}.{name}: described, and not there"


def _of_macro(macro: dict[str, Any]) -> Iterator[str]:
    name = macro["name"]
    if not macro["description"]:
        yield f"macro {name}: no description"
    if name.startswith(("test_", "materialization_")):
        return  # dbt takes no arguments of theirs: words describe them
    described = {argument["name"]: argument["description"] for argument in macro["arguments"]}
    (signature,) = re.findall(rf"macro {name}\(([^)]*)\)", macro["macro_sql"])
    for argument in filter(None, (part.partition("=")[0].strip() for part in signature.split(","))):
        if not described.get(argument):
            yield f"macro {name}: argument {argument} has no description"
