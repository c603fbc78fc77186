"""Write the page of settings: `python -m spot_oa.settings.table > docs/settings.md`."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, get_origin

from pydantic_core import PydanticUndefined

from spot_oa.settings import SECRET, STAGES
from spot_oa.settings.sources import Stage

HEAD = """# Settings

Environment variables, or lines of a `.env` file in the working directory. Lists are separated by
commas. `$HOME` is the value of `SPOT_OA_HOME`. Never shown: {secrets}.

This page is generated from the classes in `spot_oa/settings`: `python -m spot_oa.settings.table`.
"""

BELOW_HOME = re.compile(r" \((`\$HOME[^`]*`)(?:; [^)]*)?\)")
"""Matches a default below SPOT_OA_HOME in a description."""


def page() -> Iterator[str]:
    """Yield the lines of the page: a table per stage."""
    secrets = ", ".join(f"`SPOT_OA_{name.upper()}`" for name in SECRET)
    yield HEAD.format(secrets=secrets)
    for stage in STAGES:
        yield f"## {(stage.__doc__ or '').partition('.')[0]}"
        yield "| variable | default | meaning |"
        yield "| --- | --- | --- |"
        described = descriptions(stage)
        for name in described:
            place = BELOW_HOME.search(described[name])
            default = place[1] if place else _shown(stage.model_fields[name].default)
            meaning = BELOW_HOME.sub("", described[name])
            yield f"| `{_variable(stage, name)}` | {default} | {meaning} |"
        yield ""


def descriptions(stage: type[Stage]) -> Mapping[str, str]:
    """Return the docstring below each of the stage's own fields, on one line."""
    (tree,) = ast.parse(inspect.getsource(stage)).body
    found = {}
    for field, below in pairwise(tree.body if isinstance(tree, ast.ClassDef) else []):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            match below:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    found[field.target.id] = " ".join(text.split())
                case _:
                    raise ValueError(f"{stage.__name__}.{field.target.id} has no docstring")
    return found


def _variable(stage: type[Stage], name: str) -> str:
    kind = stage.model_fields[name].annotation
    return f"SPOT_OA_{name.upper()}" + ("__..." if get_origin(kind) is dict else "")


def _shown(value: Any) -> str:
    if value in (None, "", (), {}, Path(), PydanticUndefined):
        return "none"
    if isinstance(value, tuple):
        return f"`{','.join(f'{v:g}' if isinstance(v, float) else str(v) for v in value)}`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


if __name__ == "__main__":
    sys.stdout.write("\n".join(page()))
