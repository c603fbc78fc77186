"""Names of addresses from a NetBox export: `<context_dir>/netbox/<object>.json` or `.csv`.

Objects are `prefixes`, `devices` and `ip-addresses`, as NetBox's API returns them (a page, several
pages one after the other or in a list, or only the objects) or as its web pages export them. All
are optional.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from python_enrichers.addresses import Span, parse_address, parse_span
from python_enrichers.context_files import ContextFile, naive_utc, open_text, split_lines
from python_enrichers.network_context.sources import Labelled, Networks
from spot_oa.errors import EnrichmentError, printable
from spot_oa.settings import Settings

Record = Mapping[str, Any]
FIELDS_SHOWN = 10


def open_netbox(settings: Settings, fresh: bool) -> Networks | None:  # noqa: ARG001 - as every source
    """Read an export.

    The name of an address overrides that of its prefix, the name of a narrow prefix that of a wide
    one, and `dns_name` the name of the device.

    Returns:
        Networks and their names, or None without any file.

    Raises:
        EnrichmentError: A file cannot be read, or all its objects are invalid.
    """
    folder = settings.context_dir / "netbox"
    paths = [
        (path, labels)
        for name, labels in OBJECTS.items()
        for path in (folder / f"{name}.json", folder / f"{name}.csv")
        if path.exists()
    ]
    if not paths:
        return None
    exports = [_read(path, labels) for path, labels in paths]
    whole = ContextFile(
        "netbox",
        [entry for export in exports for entry in export.entries],
        sum(export.skipped for export in exports),
        min(export.written_at for export in exports),
        next((export.first_skipped for export in exports if export.skipped), ""),
        ", ".join(export.incomplete for export in exports if export.incomplete),
    )
    return Networks(whole)


def _read(path: Path, labels: Callable[[Record], Iterable[Labelled]]) -> ContextFile[Labelled]:
    records, incomplete = _csv_records(path) if path.suffix == ".csv" else _json_records(path)
    entries: list[Labelled] = []
    skipped: list[str] = []
    for number, record in enumerate(records, 1):
        try:
            entries.extend(labels(_flat(record)))
        except ValueError as error:
            skipped.append(f"{path.name}, object {number}: {printable(error)}")
    if skipped and len(skipped) == len(records):
        raise _unusable(path, f"{len(records)} objects, none can be used: {skipped[0]}")
    written_at = naive_utc(path.stat().st_mtime)
    first = skipped[0] if skipped else ""
    return ContextFile(path.name, entries, len(skipped), written_at, first, incomplete)


def _prefixes(record: Record) -> Iterable[Labelled]:
    network = parse_span(_needed(record, "prefix"))
    name = record.get("description") or " ".join(
        filter(None, (record.get("role"), record.get("scope") or record.get("site")))
    )
    return [(network, name)] if name else []


def _devices(record: Record) -> Iterable[Labelled]:
    fields = ("primary_ip4", "primary_ip6", "primary_ip", "ip_address")
    addresses = dict.fromkeys(filter(None, (record.get(field) for field in fields)))
    name = _needed(record, "name")
    return [(_host(address), name) for address in addresses] if name else []


def _addresses(record: Record) -> Iterable[Labelled]:
    address = _host(_needed(record, "address", "ip_address"))
    fields = ("dns_name", "device", "virtual_machine", "description")
    name = next((record[field] for field in fields if record.get(field)), "")
    return [(address, name)] if name else []


OBJECTS: Mapping[str, Callable[[Record], Iterable[Labelled]]] = {
    "prefixes": _prefixes,
    "devices": _devices,
    "ip-addresses": _addresses,
}


def _needed(record: Record, *names: str) -> str:
    for name in names:
        if name in record:
            return str(record[name])
    found = ", ".join(list(record)[:FIELDS_SHOWN]) or "none"
    raise ValueError(f"has no field {' or '.join(names)}, found {found}")


def _host(text: str) -> Span:
    """Return the address of `10.0.0.5/24` without the prefix length."""
    packed = parse_address(text.partition("/")[0].strip())
    return packed, packed


def _flat(record: Any) -> Record:
    """Convert a record to texts by field name: objects to their address or name."""
    if not isinstance(record, dict):
        raise ValueError("is not an object with fields")
    flat = {_field(name): _text(value) for name, value in record.items()}
    assigned = record.get("assigned_object")
    if isinstance(assigned, dict):
        flat |= {name: _text(assigned.get(name)) for name in ("device", "virtual_machine")}
    return flat


def _field(name: Any) -> str:
    return str(name).strip().lower().replace(" ", "_")


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return _text(value.get("address") or value.get("name") or value.get("display"))
    text = value.strip() if isinstance(value, str) else ""
    text.encode()  # A ValueError for half of a surrogate pair, which tables cannot store.
    return text


def _csv_records(path: Path) -> tuple[list[Any], str]:
    with _faults(path), open_text(path) as file:
        lines = split_lines(file)
        _, header = next(lines, (0, []))
        return [dict(zip(header, columns, strict=False)) for _, columns in lines], ""


def _json_records(path: Path) -> tuple[list[Any], str]:
    """Return the objects of all pages, and a warning of missing ones."""
    with _faults(path):
        data = path.read_bytes()
        documents = list(_documents(data.decode(json.detect_encoding(data))))
    lists = all(isinstance(document, list) for document in documents)
    pages = [
        page
        for document in documents
        for page in (document if isinstance(document, list) else [document])
    ]
    if lists and not any(map(_is_page, pages)):
        return pages, ""  # Only the objects.
    for page in pages:
        if not _is_page(page):
            detail = page.get("detail") if isinstance(page, dict) else None
            answer = f": NetBox answered '{detail}'" if detail else ""
            raise _unusable(path, f"has no list of objects{answer}")
    records = [record for page in pages for record in page["results"]]
    counts = [page["count"] for page in pages if isinstance(page.get("count"), int)]
    if len(records) < max(counts, default=0) or (not counts and pages[-1].get("next")):
        of = f" of {max(counts)}" if counts else ", and there is a next page"
        remedy = "put all pages into it, one after the other"
        return records, f"{path.name} has {len(records)} objects{of}: {remedy}"
    return records, ""


def _is_page(document: Any) -> bool:
    return isinstance(document, dict) and isinstance(document.get("results"), list)


def _documents(text: str) -> Iterator[Any]:
    """Yield JSON values that follow one another in a text."""
    decoder, at = json.JSONDecoder(), 0
    text = text.strip()
    while at < len(text) or not at:
        value, at = decoder.raw_decode(text, at)
        yield value
        while text[at : at + 1].isspace():
            at += 1


@contextmanager
def _faults(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise _unusable(path, f"cannot be read ({reason})") from error


def _unusable(path: Path, reason: str) -> EnrichmentError:
    return EnrichmentError(
        f"NetBox export {printable(path)} {printable(reason)}; export it again or remove it"
    )
