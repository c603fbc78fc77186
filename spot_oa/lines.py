"""Bytes as blocks of whole lines, blocks as lines of text: for results files and logs alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

MAX_LINE = 1 << 26
"""A line of more bytes is none: the file holds something else."""


def whole_lines(chunks: Iterable[bytes], too_long: Callable[[int], Exception]) -> Iterator[bytes]:
    """Cut chunks of a file at line ends.

    Args:
        chunks: The file's bytes, in chunks smaller than `MAX_LINE`; taken one by one.
        too_long: Makes the error for a line of more than so many bytes.

    Yields:
        Blocks that end at a line's end; of the last line the file may lack the end.
    """
    rest = b""
    for chunk in chunks:
        end = chunk.rfind(b"\n") + 1
        # Only a line that an earlier chunk began can be too long, even if it ends in this one.
        if len(rest) + (chunk.find(b"\n") if end else len(chunk)) > MAX_LINE:
            raise too_long(MAX_LINE)
        if end:
            yield rest + chunk[:end]
            rest = chunk[end:]
        else:
            rest += chunk
    if rest:
        yield rest


def split_lines(block: bytes) -> tuple[pa.Array, np.ndarray]:
    r"""The lines of a block as text, and which of them held bytes that are not UTF-8.

    Such bytes are kept readable as `\xNN`. A line may end in CR LF.
    """
    body = block.removesuffix(b"\n")
    mended = None
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        mended = np.array([not _is_utf8(line) for line in body.split(b"\n")])
        text = body.decode("utf-8", "backslashreplace")
    lines = pc.split_pattern(pa.array([text]), "\n").flatten()
    if "\r" in text:
        # One of them, not all: a CR that does not belong to the line's end is a character.
        lines = pc.replace_substring_regex(lines, r"\r\z", "")
    return lines, np.zeros(len(lines), bool) if mended is None else mended


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
