"""Templates: notebooks with a parameters cell, from which a day's copies are made."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jupytext
import nbformat

from spot_oa.dates import Slice
from spot_oa.errors import ConfigError, printable
from spot_oa.settings import Settings

MASTER = "_master"
SUFFIXES = (".py", ".ipynb")
PARAMETERS = ("PIPELINE", "DATE", "COFF", "NWLOC", "TOP_RESULTS", "DETAILS_LIMIT", "AUTHOR")
"""The names that the cell tagged `parameters` may set."""
_SET = ("PIPELINE", "DATE")
_PACKAGED = Path(__file__).parent
_KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


@dataclass(frozen=True, slots=True)
class Template:
    """A template that can be rendered."""

    name: str
    """The name of its copies, without `_master`."""
    path: Path
    sha256: str
    version: int
    notebook: Any


def find(settings: Settings, pipeline: str) -> tuple[list[Template], list[str]]:
    """Find the templates of a pipeline; a user's template replaces a packaged one.

    Returns:
        The valid templates by name, and a line about each other file.
    """
    folders = [_PACKAGED / pipeline]
    if settings.templates_dir is not None:
        folders.append(settings.templates_dir / pipeline)
    files: dict[str, Path] = {}
    notes = []
    for folder in folders:
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.name.startswith((".", "_")) or path.is_dir():
                continue
            if path.suffix in SUFFIXES and path.stem.endswith(MASTER) and path.stem != MASTER:
                files[path.stem.removesuffix(MASTER)] = path
            else:
                notes.append(
                    f"{printable(path)} is not a template: name it <Name>{MASTER}.py or "
                    f"<Name>{MASTER}.ipynb"
                )
    found = []
    for name, path in sorted(files.items()):
        try:
            found.append(read(name, path))
        except ConfigError as error:
            notes.append(str(error))
    return found, notes


def read(name: str, path: Path) -> Template:
    """Read a template.

    Raises:
        ConfigError: The file is not a notebook, or its parameters cannot be set.
    """
    try:
        source = path.read_bytes()
        if path.suffix == ".py":
            notebook = jupytext.reads(source.decode("utf-8"), fmt="py:percent")
        else:
            notebook = nbformat.reads(  # type: ignore[no-untyped-call]
                source.decode("utf-8"), as_version=4
            )
    except Exception as error:
        raise ConfigError(
            f"template {printable(path)} cannot be read ({printable(error)[:200]}); correct it"
        ) from error
    for cell in notebook.cells:
        if cell.cell_type == "code" and _is_parameters(cell):
            _check(path, cell.source)
            break
    else:
        raise ConfigError(
            f"template {printable(path)} has no code cell tagged `parameters`: add one that sets "
            f"{' and '.join(_SET)}"
        )
    about = notebook.metadata.get("spot_oa", {})
    version = about.get("version", 1) if isinstance(about, Mapping) else 1
    if not isinstance(version, int) or version < 1:
        raise ConfigError(
            f"template {printable(path)}: version {printable(version)!r} is not 1 or more"
        )
    return Template(name, path, hashlib.sha256(source).hexdigest(), version, notebook)


def rendered(template: Template, part: Slice, home: Path) -> str:
    """Return a day's copy as the text of an `.ipynb`; equal arguments give equal text."""
    cells = []
    for place, cell in enumerate(template.notebook.cells):
        text = str(cell.source)
        for name, value in _words(template, part).items():
            text = text.replace(name, value)
        if cell.cell_type == "code" and _is_parameters(cell):
            text = _with_values(text, {"PIPELINE": part.pipeline, "DATE": part.date.isoformat()})
        made: dict[str, Any] = {
            "cell_type": cell.cell_type,
            "id": hashlib.sha256(f"{template.name}:{place}".encode()).hexdigest()[:8],
            "metadata": dict(cell.metadata),
            "source": text,
        }
        if cell.cell_type == "code":
            made |= {"execution_count": None, "outputs": []}
        cells.append(made)
    notebook = nbformat.from_dict(  # type: ignore[no-untyped-call]
        {
            "cells": cells,
            "metadata": {
                "kernelspec": _KERNEL,
                "language_info": {"name": "python"},
                "spot_oa": {
                    "template": f"{template.name}{MASTER}",
                    "version": template.version,
                    "template_sha256": template.sha256,
                    "source_sha256": source_sha256(cells),
                    "pipeline": part.pipeline,
                    "date": part.date.isoformat(),
                    "home": str(home),
                },
            },
            "nbformat": 4,
            "nbformat_minor": 5,
        }
    )
    return str(nbformat.writes(notebook)) + "\n"  # type: ignore[no-untyped-call]


def source_sha256(cells: Iterable[Mapping[str, Any]]) -> str:
    """Return a hash of the cells, to detect changes to a copy."""
    digest = hashlib.sha256()
    for cell in cells:
        digest.update(f"{cell['cell_type']}\0{cell['source']}\0".encode())
    return digest.hexdigest()


def _words(template: Template, part: Slice) -> dict[str, str]:
    return {
        "{{PIPELINE}}": part.pipeline,
        "{{DATE}}": part.date.isoformat(),
        "{{COMPACT}}": part.compact,
        "{{VERSION}}": str(template.version),
    }


def _is_parameters(cell: Any) -> bool:
    return "parameters" in cell.metadata.get("tags", ())


def _check(path: Path, source: str) -> None:
    """Check that the cell sets only parameters, and both required ones.

    Raises:
        ConfigError: The cell does something else, or lacks a required parameter.
    """
    try:
        found = _assigned(source)
    except (SyntaxError, ValueError) as error:
        raise ConfigError(
            f"template {printable(path)}: its parameters cell may only set {', '.join(PARAMETERS)} "
            f"({printable(error)})"
        ) from error
    if unknown := sorted(set(found) - set(PARAMETERS)):
        raise ConfigError(
            f"template {printable(path)}: parameter {printable(unknown[0])} is unknown: use only "
            f"{', '.join(PARAMETERS)}"
        )
    if missing := [name for name in _SET if name not in found]:
        raise ConfigError(
            f"template {printable(path)}: its parameters cell does not set {missing[0]}"
        )


def _assigned(source: str) -> dict[str, ast.expr]:
    """Return the values that a cell assigns, by name.

    Raises:
        ValueError: The cell does something else.
    """
    found = {}
    for statement in ast.parse(source).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                found[name] = value
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                found[name] = value
            case _:
                raise ValueError(f"line {statement.lineno} does not set a parameter")
    return found


def _with_values(source: str, values: Mapping[str, str]) -> str:
    lines = source.splitlines()
    for name, value in _assigned(source).items():
        if name in values:
            first, last = value.lineno - 1, (value.end_lineno or value.lineno) - 1
            # Columns of the syntax tree count bytes.
            head = lines[first].encode()[: value.col_offset].decode()
            tail = lines[last].encode()[value.end_col_offset or 0 :].decode()
            lines[first : last + 1] = [
                f'{head}"{values[name]}"{tail}',
                *[""] * (last - first),
            ]
    return "\n".join(lines)
