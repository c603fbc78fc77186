"""Names of addresses from a NetBox export: `<context_dir>/netbox/<object>.json` or `.csv`.

Objects are `prefixes`, `devices` and `ip-addresses`, as NetBox's API gives them or as its pages
export them. All are optional.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from python_enrichers.addresses import Span, pack, parse_span, span
from python_enrichers.context_files import ContextFile, naive_utc
from spot_oa.errors import EnrichmentError, printable
from spot_oa.settings import Settings

Labelled = tuple[Span, str]
Record = Mapping[str, Any]


def read_netbox(settings: Settings) -> ContextFile[Labelled] | None:
    """Read an export.

    The name of an address counts before that of its prefix, that of a narrow prefix before that
    of a wide one, and `dns_name` before the name of the device.

    Returns:
        Networks and their names, or None if there is no file.

    Raises:
        EnrichmentError: A file is there and cannot be read.
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
    entries: list[Labelled] = []
    skipped = 0
    for path, labels in paths:
        for record in _records(path):
            try:
                entries.extend(labels(_flat(record)))
            except (ValueError, AttributeError):
                skipped += 1
    oldest = min(path.stat().st_mtime for path, _ in paths)
    return ContextFile("netbox", entries, skipped, naive_utc(oldest))


def _prefixes(record: Record) -> Iterable[Labelled]:
    name = record.get("description") or " ".join(
        filter(None, (record.get("role"), record.get("scope") or record.get("site")))
    )
    return [(parse_span(record.get("prefix", "")), name)] if name else []


def _devices(record: Record) -> Iterable[Labelled]:
    fields = ("primary_ip4", "primary_ip6", "primary_ip", "ip_address")
    addresses = dict.fromkeys(filter(None, (record.get(field) for field in fields)))
    name = record.get("name")
    return [(_host(address), name) for address in addresses] if name else []


def _addresses(record: Record) -> Iterable[Labelled]:
    fields = ("dns_name", "device", "virtual_machine", "description")
    name = next((record[field] for field in fields if record.get(field)), "")
    address = record.get("address") or record.get("ip_address", "")
    return [(_host(address), name)] if name else []


OBJECTS: Mapping[str, Callable[[Record], Iterable[Labelled]]] = {
    "prefixes": _prefixes,
    "devices": _devices,
    "ip-addresses": _addresses,
}


def _host(text: str) -> Span:
    """The address alone of `10.0.0.5/24`."""
    packed = pack(text.partition("/")[0].strip())
    return span(packed, packed)


def _flat(record: Any) -> Record:
    """Texts by field name: of an object its address or name, of an interface its device."""
    if not isinstance(record, dict):
        raise ValueError("no record")
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
    text.encode()  # A ValueError: JSON may have half of a surrogate pair, which no table takes.
    return text


def _records(path: Path) -> list[Any]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            if path.suffix == ".csv":
                return list(csv.DictReader(file))
            content = json.load(file)
    except (OSError, ValueError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise EnrichmentError(
            f"NetBox export {printable(path)} cannot be read ({printable(reason)}); "
            "export it anew or remove it"
        ) from error
    records = content.get("results") if isinstance(content, dict) else content
    if not isinstance(records, list):
        raise EnrichmentError(
            f"NetBox export {printable(path)} has no list of objects; export it anew or remove it"
        )
    return records
