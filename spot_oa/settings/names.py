"""Find variables that look like settings and are not: they would have no effect, unnoticed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import get_origin

from spot_oa.errors import printable
from spot_oa.settings.sources import Stage, variables

ELSEWHERE = ("reference_dir", "bin")
"""What the tests read: names, or beginnings of names."""


def misspelt(settings: type[Stage]) -> Iterator[str]:
    """Name each variable of the environment and `.env` that is not a setting, and the nearest one.

    Args:
        settings: The class that has all settings.

    Yields:
        One line each.
    """
    nested = {name for name, f in settings.model_fields.items() if get_origin(f.annotation) is dict}
    prefix = str(settings.model_config["env_prefix"])
    for variable in variables(settings):
        name = variable.removeprefix(prefix.lower())
        field, dots, _ = name.partition("__")
        known = field in nested if dots else field in settings.model_fields
        if not known and not name.startswith(ELSEWHERE):
            near = _nearest(name, settings.model_fields, nested)
            advice = f"did you mean {prefix}{near.upper()}?" if near else "docs/settings.md has all"
            shown = printable(f"{prefix}{name.upper()}")
            yield f"{shown} is not a setting and has no effect; {advice}"


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that is most like this one; nothing if none is."""
    return next(iter(get_close_matches(word, list(known), 1)), "")


def _nearest(name: str, known: Iterable[str], nested: Iterable[str]) -> str:
    """The same for a setting, whose options follow `__`."""
    for field in nested:
        if name.startswith(f"{field}_") and not name.startswith(f"{field}__"):
            return f"{field}__{name.removeprefix(f'{field}_')}"
    field, dots, options = name.partition("__")
    near = nearest(field, known)
    return f"{near}{dots}{options}" if near in nested else near
