from __future__ import annotations

import subprocess
import sys

import pandas as pd
import pyarrow as pa
import pytest

from python_enrichers import STEPS, load_enricher, lookup_tables
from python_enrichers.base import Indicators
from spot_oa.errors import ConfigError
from spot_oa.pipelines import load_pipelines
from spot_oa.settings import Settings

INDICATORS: Indicators = {
    "address": ["10.0.0.1", "2001:db8::1", "not an address"],
    "name": ["www.example.com"],
    "uri": ["www.example.com/a;b?c"],
}


def test_every_step_of_every_pipeline_has_an_enricher(settings: Settings) -> None:
    for pipeline in load_pipelines().values():
        for step in pipeline.enrich:
            load_enricher(step, settings)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("indicators", [INDICATORS, {}], ids=["some", "none"])
def test_rows_fit_their_tables(step: str, indicators: Indicators, settings: Settings) -> None:
    tables = load_enricher(step, settings).enrich(indicators).tables
    declared = lookup_tables(step)
    assert [*tables] == [table.name for table in declared]
    for table in declared:
        frame = tables[table.name]
        assert not frame.duplicated(list(table.key)).any()
        own = [
            field for field in table.arrow_schema if field.name not in ("pipeline", "y", "m", "d")
        ]
        assert list(frame.columns) == [field.name for field in own]
        written = pa.Table.from_pandas(frame, pa.schema(own), preserve_index=False)
        pd.testing.assert_frame_equal(written.to_pandas().isna(), frame.isna())


def test_an_unknown_step_is_named_with_those_there_are(settings: Settings) -> None:
    with pytest.raises(ConfigError, match="'geoo' is unknown: take one of geo, network_context"):
        load_enricher("geoo", settings)


def test_importing_the_package_does_not_import_what_the_steps_need() -> None:
    check = (
        "import sys, python_enrichers; "
        "slow = {'numpy', 'pandas', 'pyarrow', 'geoip2', 'maxminddb', 'tldextract'}; "
        "print(*slow & set(sys.modules))"
    )
    found = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == ""
