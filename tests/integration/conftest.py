"""What the tests of the dbt project share: one home in which everything has run."""

from __future__ import annotations

import pytest

from flows.runner import run_day
from spot_oa.demo import DEMO_DATES, generate
from spot_oa.pipelines import load_pipelines
from spot_oa.settings import Settings, load_settings
from tests.support.report import Told


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a home in which every pipeline has run on both demo dates.

    Who uses it leaves the tables as they are, and is of the xdist group `dbt`.
    """
    home = tmp_path_factory.mktemp("built")
    generate(home, pipelines=tuple(load_pipelines()), rows_per_day=1000, suspicious=40)
    settings = load_settings(home=home)
    for pipeline in load_pipelines():
        for date in DEMO_DATES:
            run_day(settings, pipeline, date, Told())
    return settings
