"""A stand-in for Impala, with the telemetry tables that Spot's ingest makes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from spot_oa.settings import Settings, load_settings
from tests.support.impala import StandIn
from tests.support.impala.telemetry import create_telemetry


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    with StandIn() as stand_in:
        yield stand_in


@pytest.fixture
def settings(tmp_path: Path, stand_in: StandIn) -> Settings:
    settings = load_settings(
        home=tmp_path / "home",
        target="impala",
        impala_host="127.0.0.1",
        impala_port=stand_in.port,
    )
    create_telemetry(stand_in.engine, settings)
    return settings
