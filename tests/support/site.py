"""A Prefect server with data for a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from spot_oa.settings import Settings
from tests.support.prefect_api import Api
from tests.support.webhdfs import WebHdfs


@dataclass(frozen=True)
class Site:
    """A home with demo data, its ML results behind WebHDFS, and a server to run it."""

    settings: Settings
    environment: dict[str, str]
    api: Api
    results: WebHdfs
    log: Path
