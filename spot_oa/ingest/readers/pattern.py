"""Lines that match a pattern, whose groups are the fields."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from spot_oa.ingest.readers.block import Context, Parsed, begun, is_blank, numbered, refuse
from spot_oa.ingest.readers.fields import add_part
from spot_oa.lines import split_lines


class Pattern:
    """Lines that match a pattern, whose groups are the fields."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._order = list(context.plans)
        if context.log is not None:
            self._order = [context.log]

    @property
    def state(self) -> dict[str, Any]:
        """See `Reader.state`."""
        return {}

    def read(self, block: bytes, first: int) -> Parsed:
        """See `Reader.read`."""
        parsed, block = begun(block, first)
        lines, _ = split_lines(block)
        numbers = numbered(first, len(lines))
        blank = is_blank(lines)
        parsed.blank += int(blank.sum())
        lines, numbers = lines.filter(pa.array(~blank)), numbers[~blank]
        for mark in self._context.source.comment:
            comment = pc.starts_with(lines, mark).to_numpy(zero_copy_only=False)
            parsed.comments += int(comment.sum())
            lines, numbers = lines.filter(pa.array(~comment)), numbers[~comment]
        for name in tuple(self._order):
            if not len(lines):
                break
            plan = self._context.plans[name]
            found = pc.extract_regex(lines, str(plan.log.pattern))
            right = found.is_valid().to_numpy(zero_copy_only=False)
            if not right.any():
                continue
            # The next block most likely belongs to the same log.
            self._order.remove(name)
            self._order.insert(0, name)
            taken = found.filter(pa.array(right))
            texts = {}
            for field_, place in plan.log.fields.items():
                groups = [pc.struct_field(taken, [group]) for group in place.places]
                column = groups[0]
                for unset in self._context.source.unset:
                    column = pc.if_else(pc.equal(column, unset), None, column)
                texts[field_] = column
            add_part(plan, texts, numbers[right], parsed, log=name, context=self._context)
            lines, numbers = lines.filter(pa.array(~right)), numbers[~right]
        reason = f"not a line of a {self._context.source.title} log"
        parsed.refused.extend(refuse(lines, numbers, reason))
        return parsed
