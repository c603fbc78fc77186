"""One JSON object per line."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from spot_oa.errors import printable
from spot_oa.ingest.readers.block import Context, Parsed, Refused, begun, is_blank, numbered, refuse
from spot_oa.ingest.readers.fields import add_part
from spot_oa.lines import split_lines


class NdJson:
    """One JSON object per line."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._last = ""

    @property
    def state(self) -> dict[str, Any]:
        """See `Reader.state`."""
        return {}

    def read(self, block: bytes, first: int) -> Parsed:
        """See `Reader.read`."""
        parsed, block = begun(block, first)
        lines, escaped = split_lines(block)
        numbers = numbered(first, len(lines))
        if escaped.any():
            # The escapes of bytes that are not UTF-8 would be mistaken for JSON's.
            odd = pa.array(escaped)
            parsed.refused.extend(refuse(lines.filter(odd), numbers[escaped], "not UTF-8"))
            lines, numbers = lines.filter(pa.array(~escaped)), numbers[~escaped]
        blank = is_blank(lines)
        if blank.any():
            parsed.blank += int(blank.sum())
            lines, numbers = lines.filter(pa.array(~blank)), numbers[~blank]
        context = self._context
        by = context.source.by
        if self._last and len(lines):
            # Most likely all lines belong to the same log as the block before.
            plan = context.plans[self._last]
            fields = context.mapper.json_fields(lines, plan, block, by, self._last)
            if fields is not None:
                add_part(plan, fields, numbers, parsed, log=self._last, context=context)
                return parsed
        wrong, logs = context.mapper.json(lines, by)
        if wrong.null_count < len(wrong):
            odd = wrong.is_valid()
            for line_no, reason, line in zip(
                numbers[odd.to_numpy(zero_copy_only=False)].tolist(),
                wrong.filter(odd).to_pylist(),
                lines.filter(odd).to_pylist(),
                strict=True,
            ):
                parsed.refused.append(Refused(line_no, reason, line))
            right = wrong.is_null()
            lines, logs = lines.filter(right), logs.filter(right)
            numbers = numbers[right.to_numpy(zero_copy_only=False)]
        only = next(iter(context.plans)) if len(context.plans) == 1 else ""
        logs = pc.fill_null(logs, context.log or only)
        distinct = pc.unique(logs).to_pylist()
        uniform = by and len(distinct) == 1 and distinct[0] in context.plans
        self._last = distinct[0] if uniform else ""
        for log in distinct:
            mine = pc.equal(logs, log) if len(distinct) > 1 else None
            some = lines if mine is None else lines.filter(mine)
            which = numbers if mine is None else numbers[mine.to_numpy(zero_copy_only=False)]
            if log in context.plans:
                plan = context.plans[log]
                texts = context.mapper.json_fields(some, plan, block)
                assert texts is not None  # noqa: S101 - they are objects of this log
                add_part(plan, texts, which, parsed, log=log, context=context)
            elif log:
                parsed.skipped[f"{by[0].lstrip('_')} {printable(log)[:60]}"] += len(some)
            else:
                known = "|".join(context.plans)
                reason = f"no {' or '.join(by)} in it: say which log with --log {known}"
                parsed.refused.extend(refuse(some, which, reason))
        return parsed
