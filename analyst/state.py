"""Which actions of a day hold, and what severity they give each row.

The same rule is written in SQL in `int_<p>__severity_current`; a test holds the two equal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from analyst.actions import Action, Kind, RowKey, Via

Marks = Mapping[RowKey, Action]
"""The action that decides, by row key and target; a row without one is not scored."""

_JUDGEMENTS = frozenset({Kind.LABEL, Kind.CLEAR})
_RESETTABLE = _JUDGEMENTS | {Kind.NOTE, Kind.ASSIGN}


def alive(actions: Iterable[Action]) -> list[Action]:
    """The actions that no undo and no reset has taken back, in order.

    Args:
        actions: All of a day, in any order.
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
    """The action that decides about each row: the latest by hand, else the latest by a rule.

    Args:
        actions: All of a day, in any order.
    """
    judgements = [action for action in alive(actions) if action.kind in _JUDGEMENTS]
    # The last one written wins: rules first, then hands, each in order.
    in_line = sorted(judgements, key=lambda action: (action.via != Via.RULE, action.seq))
    return {row: action for action in in_line for row in action.rows}


def severity(marks_of_day: Marks, key: str, target: str) -> int:
    """What holds for a row and target; 0 is not scored."""
    action = marks_of_day.get((key, target))
    return action.severity or 0 if action else 0


def last_own(actions: Sequence[Action], author: str) -> Action | None:
    """An author's last action that can be taken back and still holds; no undo is meant by it."""
    own = [a for a in alive(actions) if a.author == author and a.kind != Kind.UNDO]
    return own[-1] if own else None
