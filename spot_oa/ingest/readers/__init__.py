"""Parse blocks of lines into typed fields, with one reader per log format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spot_oa.ingest.readers.block import Context, Parsed, Reader, Refused
from spot_oa.ingest.readers.delimited import ZEEK, Delimited, csv_rules
from spot_oa.ingest.readers.ndjson import NdJson
from spot_oa.ingest.readers.pattern import Pattern

__all__ = ["Context", "Parsed", "Reader", "Refused", "open_reader"]


def open_reader(context: Context, head: bytes, state: Mapping[str, Any] | None) -> Reader:
    """Return the reader for a file.

    Args:
        context: The reader's inputs.
        head: The file's first bytes.
        state: The state of an earlier reader, to read the rest of a file.
    """
    kind = context.source.reader
    if kind == "zeek":
        kind = "ndjson" if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") else "zeek"
    if kind == "ndjson":
        return NdJson(context)
    if kind == "pattern":
        return Pattern(context)
    rules = ZEEK if kind == "zeek" else csv_rules(context.source)
    reader = Delimited(context, rules)
    if state:
        reader.resume(state)
    return reader
