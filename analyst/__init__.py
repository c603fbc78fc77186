"""The work of analysts on published days: labels, stories, rules and suppressions.

`open_day` is the entry point: a published day with the analysts' actions. Actions are stored in an
append-only store (`analyst.store`); `analyst.state` decides which of them are in effect, and
`analyst.selectors` which rows a selector matches. Nothing here writes to the warehouse, and no run
writes to the store.
"""

from analyst.day import Day, open_day

__all__ = ["Day", "open_day"]
