from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from flows.run.steps import Run, enrich
from flows.run.tables import python_tables
from python_enrichers.base import Enrichment, Indicators, lookup_frame
from python_enrichers.geo.tables import IP_GEO
from spot_oa.dates import Slice
from spot_oa.errors import EnrichmentError
from spot_oa.pipelines import load_pipelines
from spot_oa.settings import load_settings
from spot_oa.warehouse import open_warehouse


class Rows:
    """Gives these rows, whatever it is asked for."""

    def __init__(self, *ips: str) -> None:
        self._ips = ips

    def enrich(self, indicators: Indicators) -> Enrichment:
        return Enrichment({IP_GEO.name: lookup_frame(IP_GEO, {"ip": self._ips})})


def test_an_indicator_has_one_row(tmp_path: Path) -> None:
    """Marts join on it: two rows would double every event of the address."""
    settings, pipelines = load_settings(home=tmp_path), load_pipelines()
    warehouse, part = open_warehouse(settings), Slice("flow", dt.date(2016, 7, 8))
    warehouse.prepare(python_tables(pipelines))
    run = Run(settings, pipelines["flow"], part, 10, warehouse)
    assert enrich(run, "geo", Rows("10.0.0.1", "10.0.0.2")).rows == {"ip_geo": 2}
    with pytest.raises(EnrichmentError, match=r"geo: two rows of ip=10.0.0.1 for lookups.ip_geo"):
        enrich(run, "geo", Rows("10.0.0.1", "10.0.0.2", "10.0.0.1"))
    kept = warehouse.latest(IP_GEO, "ip", 10)
    assert [row["ip"] for row in kept] == ["10.0.0.2", "10.0.0.1"], "the slice is as it was"
