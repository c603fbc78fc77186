"""Remove the rows of an ingested file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from spot_oa.errors import UsageError, printable
from spot_oa.ingest.store import Entry, Store, entry_name, telemetry_root
from spot_oa.settings import Settings


def forget(
    settings: Settings, path: str, source: str | None = None, sensor: str | None = None
) -> int:
    """Remove the rows of an ingested file.

    Args:
        settings: The configuration.
        path: The file's path, or the name shown for standard input; the file itself may be deleted.
        source: Only if ingested as this source; any source if None.
        sensor: Only of this sensor; any sensor if None.

    Returns:
        The number of removed rows.

    Raises:
        UsageError: No file of this path was ingested.
    """
    store = Store(telemetry_root(settings))
    store.recover()
    with store.locked():
        entries = [
            entry
            for entry in store.all_entries()
            if source in (None, entry["source"]) and sensor in (None, entry["sensor"])
        ]
        # Standard input, and files ingested by earlier versions, are recorded as typed.
        for name in (printable(Path(path).absolute()), printable(path)):
            mine = [entry for entry in entries if entry["path"] == name]
            if mine:
                break
        else:
            raise UsageError(
                f"{printable(path)}: no file of this name was ingested; give its path, or for "
                "standard input the name that ingest has shown (stdin-...)"
            )
        chain = _chain(mine, entries)
        store.forget(chain)
        store.forget_seen()
    return sum(sum(entry["rows"].values()) for entry in chain)


def _chain(mine: Iterable[Entry], entries: Iterable[Entry]) -> list[Entry]:
    """Return the entries of a log that grew, maybe under several names.

    Args:
        mine: Some entries of the log.
        entries: All entries. A part that the log shares with another log is left to that log.
    """
    chain = {entry_name(entry): entry for entry in mine}
    # The parts of a log have its key: a year of other logs is not compared.
    keys = {entry["key"] for entry in chain.values()}
    others = {
        name: entry
        for entry in entries
        if entry["key"] in keys and (name := entry_name(entry)) not in chain
    }
    while True:
        more = []
        for name, entry in others.items():
            next_ours = [_continues(part, entry) for part in chain.values()]
            next_others = [_continues(part, entry) for part in others.values()]
            follows = any(_continues(entry, part) for part in chain.values())
            if follows or (any(next_ours) and not any(next_others)):
                more.append(name)
        if not more:
            return list(chain.values())
        chain |= {name: others.pop(name) for name in more}


def _continues(entry: Entry, before: Entry) -> bool:
    """Return whether an entry begins where another one of the same log ends."""
    return bool(
        entry["key"] == before["key"]
        and entry["start"] == before["bytes"]
        # Entries of earlier versions do not record what they continue.
        and entry.get("after", before["sha256"]) == before["sha256"]
    )
