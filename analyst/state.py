"""Determines which actions of a day are in effect, and the severity they give each row.

`int_<p>__severity_current` implements the same rule in SQL; a test checks that both agree.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from analyst.actions import Action, Kind, RowKey, Via

Marks = Mapping[RowKey, Action]
"""The deciding action, by row key and target; a row without one is not scored."""

_JUDGEMENTS = frozenset({Kind.LABEL, Kind.CLEAR})
_RESETTABLE = _JUDGEMENTS | {Kind.NOTE, Kind.ASSIGN}


def alive(actions: Iterable[Action]) -> list[Action]:
    """Return the actions in effect, which no undo or reset has taken back, in order.

    Args:
        actions: All actions of a day, in any order.
    """
    dead: set[str] = set()
    reset: set[str] = set()
    living = []
    for action in sorted(actions, key=lambda each: each.seq, reverse=True):
        if action.action_id in dead or action.kind in reset:
            continue
        living.append(action)
        if action.kind == Kind.UNDO and action.refers_to:
            dead.add(action.refers_to)
        elif action.kind == Kind.RESET:
            reset |= _RESETTABLE
            if resets_stories(action):
                reset |= {Kind.STORY, Kind.UNSTORY}
    return living[::-1]


def resets_stories(action: Action) -> bool:
    """Whether a reset also takes back the day's stories."""
    return action.payload == WITH_STORIES


WITH_STORIES = '{"with_stories":true}'
WITHOUT_STORIES = '{"with_stories":false}'


def marks(actions: Iterable[Action]) -> Marks:
    """Return the deciding action of each row: the latest by hand, else the latest by a rule.

    Args:
        actions: All actions of a day, in any order.
    """
    judgements = [action for action in alive(actions) if action.kind in _JUDGEMENTS]
    # The last one in this order wins: rules first, then actions by hand.
    in_line = sorted(judgements, key=lambda action: (action.via != Via.RULE, action.seq))
    return {row: action for action in in_line for row in action.rows}


def severity(marks_of_day: Marks, key: str, target: str) -> int:
    """Return the severity of a row and target; 0 is not scored."""
    action = marks_of_day.get((key, target))
    return action.severity or 0 if action else 0


def stories(actions: Iterable[Action]) -> dict[tuple[str, str], Action]:
    """Return the current story of each anchor, by its kind and value, in saving order.

    Args:
        actions: All actions of a day, in any order.
    """
    found: dict[tuple[str, str], Action] = {}
    for action in alive(actions):
        if action.kind in (Kind.STORY, Kind.UNSTORY):
            content = story_content(action)
            anchor = str(content.get("anchor_kind", "")), str(content.get("anchor", ""))
            found.pop(anchor, None)
            if action.kind == Kind.STORY:
                found[anchor] = action
    return found


def story_content(action: Action) -> Mapping[str, Any]:
    """Return the content of a story or its removal: anchor, title and text."""
    content = json.loads(action.payload or "{}")
    return content if isinstance(content, dict) else {}


def last_own(actions: Sequence[Action], author: str) -> Action | None:
    """Return an author's last action in effect that is not itself an undo."""
    own = [a for a in alive(actions) if a.author == author and a.kind != Kind.UNDO]
    return own[-1] if own else None
