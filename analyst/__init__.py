"""What analysts make of published days: labels and all else they do, kept for good.

`open_day` is the door: a published day with what analysts did to it. Actions live in an append-only
store (`analyst.store`); which of them hold is `analyst.state`; which rows a selector means is
`analyst.selectors`. Nothing here writes to the warehouse, and no run writes to the store.
"""

from analyst.day import Day, open_day

__all__ = ["Day", "open_day"]
