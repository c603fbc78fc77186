"""Telemetry that an ingest brings to a cluster is there for the next run."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from spot_oa.ingest import Ingest
from spot_oa.ingest.delivery import deliver
from spot_oa.ingest.forgetting import forget
from spot_oa.pipelines import load_pipelines
from spot_oa.settings import load_settings
from spot_oa.warehouse import open_warehouse
from tests.support.impala import StandIn
from tests.support.impala.telemetry import create_telemetry
from tests.support.ingested import SAMPLES

DAY = dt.date(2024, 4, 20)


def test_partitions_are_added_and_refreshed_once(stand_in: StandIn, tmp_path: Path) -> None:
    place = tmp_path / "hdfs"
    settings = load_settings(
        home=tmp_path / "home",
        target="impala",
        impala_host="127.0.0.1",
        impala_port=stand_in.port,
        ingest_uri=place.as_uri(),
    )
    create_telemetry(stand_in.engine, settings, place)
    brought = {}
    for sample in ("conn", "dns", "http"):
        source, name, data, _ = SAMPLES[sample]
        path = tmp_path / name
        path.write_bytes(data)
        (taken,) = Ingest(settings, source).take_all([str(path)])
        ((pipeline, rows),) = taken.rows.items()
        brought[pipeline] = rows, len(taken.hours[pipeline]), path
    stand_in.statements.clear()
    done = deliver(settings)
    assert done is not None
    assert set(brought) == {"flow", "dns", "proxy"}
    for name, pipeline in load_pipelines().items():
        rows, hours, _ = brought[name]
        table = settings.telemetry_table(name)
        mine = [said for said in stand_in.statements if f" {table} " in f"{said} "]
        assert sum(said.startswith("alter table") for said in mine) == hours
        assert sum(said.startswith("refresh") for said in mine) == hours
        (found,) = stand_in.engine.execute(f"select count(*) from {table}").rows
        assert found[0] == rows
        assert not open_warehouse(settings).expose_telemetry(pipeline, [DAY]).without
    assert any("(y='2024', m='04', d='20', h='05')" in said for said in stand_in.statements)
    assert not any("invalidate" in said for said in stand_in.statements)

    forget(settings, str(brought["flow"][2]))
    deliver(settings)
    (found,) = stand_in.engine.execute(
        f"select count(*) from {settings.telemetry_table('flow')}"
    ).rows
    assert found[0] == 0
