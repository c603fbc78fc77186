"""Find variables that look like settings but are not: without a warning a typo has no effect."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import get_origin

from spot_oa.errors import printable
from spot_oa.settings.sources import Stage, variables

ELSEWHERE = ("reference_dir", "bin")
"""Names, or beginnings of names, of variables that only the tests read."""


def misspelt(settings: type[Stage]) -> Iterator[str]:
    """Report variables of the environment and `.env` that are not settings, with the nearest one.

    Args:
        settings: The class of all settings.

    Yields:
        One line per variable.
    """
    nested = {name for name, f in settings.model_fields.items() if get_origin(f.annotation) is dict}
    prefix = str(settings.model_config["env_prefix"])
    for variable in variables(settings):
        name = variable.removeprefix(prefix.lower())
        field, dots, _ = name.partition("__")
        known = field in nested if dots else field in settings.model_fields
        if not known and not name.startswith(ELSEWHERE):
            near = _nearest(name, settings.model_fields, nested)
            advice = (
                f"did you mean {prefix}{near.upper()}?" if near else "see docs/settings.md for all"
            )
            shown = printable(f"{prefix}{name.upper()}")
            yield f"{shown} is not a setting and has no effect; {advice}"


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word that is most similar, or an empty string."""
    return next(iter(get_close_matches(word, list(known), 1)), "")


def _nearest(name: str, known: Iterable[str], nested: Iterable[str]) -> str:
    """Return the most similar setting; its options follow `__`."""
    for field in nested:
        if name.startswith(f"{field}_") and not name.startswith(f"{field}__"):
            return f"{field}__{name.removeprefix(f'{field}_')}"
    field, dots, options = name.partition("__")
    near = nearest(field, known)
    return f"{near}{dots}{options}" if near in nested else near
