"""Reputation from a local CSV file: `<context_dir>/reputation/<service>.csv`.

A line is `indicator,label,severity`; the indicator is an address, a network, a name or a URI.
"""

from __future__ import annotations

from pathlib import Path

from python_enrichers.context_files import read_context_file
from python_enrichers.reputation.base import Entry, read_severity
from python_enrichers.reputation.lists.listed import Listed
from python_enrichers.reputation.lists.match import entry
from spot_oa.errors import EnrichmentError, printable


def load_feeds(folder: Path) -> list[Listed]:
    """Read every feed of a folder, which may be missing.

    Raises:
        EnrichmentError: The folder or a feed cannot be read, or a feed's name is not valid for a
            service.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if path.match("[!.]*.csv"))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise EnrichmentError(
            f"reputation folder {printable(folder)} cannot be read ({error.strerror}); "
            "make it a readable folder or remove it"
        ) from error
    for path in paths:
        if ":" in path.stem or ";" in path.stem:
            raise EnrichmentError(
                f"reputation feed {printable(path)}: its name is the service's, "
                "which must not contain ':' or ';'; rename the file"
            )
    files = (read_context_file(path, _entry, "indicator,label,severity") for path in paths)
    return [Listed(file) for file in files if file]


def _entry(columns: list[str]) -> Entry:
    indicator, label, severity, *_ = columns
    return entry(indicator, label, read_severity(severity))
