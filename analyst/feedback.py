"""Writes the analysts' labels as a file that spot-ml's own reader can read.

The reader splits lines at tabs, does not support quotes, and crashes on a line that is too short
or on text where it expects a number: rows that would crash it are left out and counted.
docs/labels.md has its rules.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from analyst.selectors import Row
from spot_oa.dates import Slice
from spot_oa.errors import ConfigError, printable
from spot_oa.whole_files import WRITE_ERRORS, write_whole

FILE = "ml_feedback.csv"

_INT = range(-(2**31), 2**31)
_LONG = range(-(2**63), 2**63)
_BREAKS = re.compile(r"[\t\r\n]")
_TIMESTAMP = re.compile(
    r"(\d{4}-\d{2}-\d{2})[ T]([01]?\d|2[0-3]):([0-5]?\d):([0-5]?\d)(\.\d*)?Z?", re.ASCII
)
_HOUR = re.compile(r"([01]?\d|2[0-3])(:.*)?", re.ASCII | re.DOTALL)
_HOUR_OF_FRAME_TIME = 3


class _LeftOutError(Exception):
    """The row has a value that the reader cannot read, or lacks one that it needs."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A labelled row with its current severities by column, as `Triage.targets` names them."""

    row: Row
    severities: Mapping[str, int]


@dataclass(slots=True)
class Feedback:
    """Lines for the scorer, and the number of rows that it could not read."""

    header: str
    lines: list[str] = field(default_factory=list)
    left_out: int = 0
    cut: int = 0
    """Number of rows beyond the limit."""

    @property
    def text(self) -> str:
        """The content of the file; never empty, which would make the scorer's job fail."""
        return "".join(f"{line}\n" for line in (self.header, *self.lines))


Write = Callable[[Judged], str]


def _value(name: str, *, null: str = "") -> Write:
    def write(judged: Judged) -> str:
        value = judged.row[name]
        if value is None:
            return null
        # No exponent.
        return format(Decimal(repr(value)), "f") if isinstance(value, float) else str(value)

    return write


def _needed(name: str) -> Write:
    return lambda judged: _some(_value(name)(judged) or None)


def _number(name: str, within: range, *, null: int | None = None) -> Write:
    def write(judged: Judged) -> str:
        value = judged.row[name] if judged.row[name] is not None else null
        if not isinstance(value, int) or value not in within:
            raise _LeftOutError
        return str(value)

    return write


def _severity(column: str) -> Write:
    return lambda judged: str(judged.severities[column])


def _some(value: str | None) -> str:
    if value is None:
        raise _LeftOutError
    return value


def _second(judged: Judged) -> str:
    match = _TIMESTAMP.fullmatch(str(judged.row["tstart"]))
    if match is None:
        raise _LeftOutError
    date, *parts = match.groups()[:4]
    return f"{date} {':'.join(part.zfill(2) for part in parts)}"


def _frame_time(judged: Judged) -> str:
    text = str(judged.row["frame_time"])
    parts = re.split(" +", text)
    if len(parts) <= _HOUR_OF_FRAME_TIME or not _HOUR.fullmatch(parts[_HOUR_OF_FRAME_TIME]):
        raise _LeftOutError
    return text


def _request_hash(judged: Judged) -> str:
    pair = f"{judged.row['clientip']}{judged.row['fulluri']}"
    digest = hashlib.md5(pair.encode(), usedforsecurity=False).hexdigest()
    return digest + str(judged.row["time"]).partition(":")[0]


def _named(*names: str) -> dict[str, Write]:
    return {name: _value(name) for name in names}


COLUMNS: Mapping[str, Mapping[str, Write]] = {
    "flow": {
        "sev": _severity("severity"),
        "tstart": _second,
        "sip": _needed("srcip"),
        "dip": _needed("dstip"),
        "sport": _number("sport", _INT),
        "dport": _number("dport", _INT),
        "ipkt": _number("ipkt", _LONG),
        "ibyt": _number("ibyt", _LONG),
        # No reader uses it yet; one that builds the trainer's rows would need it.
        "proto": _value("proto"),
    },
    "dns": {
        "frame_time": _frame_time,
        "frame_len": _number("frame_len", _INT),
        "ip_dst": _needed("ip_dst"),
        "dns_qry_name": _needed("dns_qry_name"),
        "dns_qry_class": _value("dns_qry_class", null="unknown"),
        "dns_qry_type": _number("dns_qry_type", _INT, null=-1),
        "dns_qry_rcode": _number("dns_qry_rcode", _INT, null=-1),
        **_named("score", "tld", "query_rep", "hh"),
        "ip_sev": _severity("ip_sev"),
        "dns_sev": _severity("dns_sev"),
        **_named("dns_qry_class_name", "dns_qry_type_name", "dns_qry_rcode_name"),
        "network_context": _value("network_context"),
        "unix_tstamp": _number("unix_tstamp", _LONG),
    },
    "proxy": {
        "p_date": _value("tdate"),
        "p_time": _value("time"),
        "clientip": _value("clientip"),
        "host": _needed("host"),
        "reqmethod": _value("reqmethod", null="null"),
        "useragent": _value("useragent", null="-"),
        "resconttype": _value("resconttype", null="-"),
        **_named("duration", "username", "webcat", "referer"),
        "respcode": _value("respcode", null="unknown_response_code"),
        **_named("uriport", "uripath", "uriquery", "serverip", "scbytes", "csbytes"),
        "fulluri": _value("fulluri"),
        "word": _value("word"),
        "score": _value("ml_score"),
        "uri_rep": _value("uri_rep"),
        "uri_sev": _severity("uri_sev"),
        **_named("respcode_name", "network_context"),
        "hash": _request_hash,
    },
}
"""Pipeline -> column of the file -> its writer, in the order that spot-ml expects."""

SPOILS_THE_SCORER = ("flow",)
"""Pipelines whose reader in spot-ml 1.0 fails at the first Low row, whatever its content."""


def write_rows(pipeline: str, judged: Sequence[Judged], limit: int | None = None) -> Feedback:
    """Write labelled rows in the scorer's format.

    Args:
        pipeline: One of `COLUMNS`; other pipelines have no scorer that reads feedback.
        judged: Rows with a severity, in the order of the lines.
        limit: Maximum number of lines.

    Raises:
        ConfigError: The pipeline has no feedback format.
    """
    columns = columns_of(pipeline)
    feedback = Feedback("\t".join(columns))
    for each in judged:
        try:
            values = [write(each) for write in columns.values()]
        except _LeftOutError:
            feedback.left_out += 1
            continue
        if any(_BREAKS.search(value) for value in values):
            feedback.left_out += 1
        elif limit is not None and len(feedback.lines) >= limit:
            feedback.cut += 1
        else:
            feedback.lines.append("\t".join(values))
    return feedback


def columns_of(pipeline: str) -> Mapping[str, Write]:
    """Return the columns of a pipeline's feedback file and their writers.

    Raises:
        ConfigError: The pipeline has no feedback format.
    """
    if pipeline not in COLUMNS:
        raise ConfigError(f"{pipeline} has no feedback file: its scorer does not read one")
    return COLUMNS[pipeline]


def delivered_to(uri: str, part: Slice) -> str:
    """Return the path at which the scorer of a day looks for feedback."""
    return f"{uri.rstrip('/')}/{part.pipeline}/scored_results/{part.compact}/feedback/{FILE}"


def deliver(uri: str, text: str) -> None:
    """Write a file to any file system; readers see either the old file or the new one.

    Args:
        uri: An fsspec URL or a path.
        text: The content of the file.

    Raises:
        ConfigError: The file cannot be written.
    """
    try:
        write_whole(uri, text.encode())
    except WRITE_ERRORS as error:
        raise ConfigError(
            f"feedback {printable(uri)} cannot be written ({printable(error)}); correct "
            "SPOT_OA_FEEDBACK_URI or unset it"
        ) from error
