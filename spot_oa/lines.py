"""Split bytes into blocks of complete lines, and blocks into lines, for results and logs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

MAX_LINE = 1 << 26
"""Maximum number of bytes of a line; with longer lines the file is not text."""


def whole_lines(chunks: Iterable[bytes], too_long: Callable[[int], Exception]) -> Iterator[bytes]:
    """Cut chunks of a file at line ends.

    Args:
        chunks: The file's bytes, in chunks smaller than `MAX_LINE`; consumed lazily.
        too_long: Returns the error for a line longer than the given number of bytes.

    Yields:
        Blocks that end at a line's end; only the file's last line may lack its end.
    """
    rest = b""
    for chunk in chunks:
        end = chunk.rfind(b"\n") + 1
        # Only a line that began in an earlier chunk can be too long, even if it ends in this chunk.
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
    r"""Split a block into lines of text; also return which lines had bytes that are not UTF-8.

    Such bytes become `\xNN`. A line may end in CR LF.
    """
    body = block.removesuffix(b"\n")
    escaped = None
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        escaped = np.array([not _is_utf8(line) for line in body.split(b"\n")])
        text = body.decode("utf-8", "backslashreplace")
    lines = pc.split_pattern(pa.array([text]), "\n").flatten()
    if "\r" in text:
        # Remove only one CR: further ones are not part of the line end, but text.
        lines = pc.replace_substring_regex(lines, r"\r\z", "")
    return lines, np.zeros(len(lines), bool) if escaped is None else escaped


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
