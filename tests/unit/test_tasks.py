"""What the Prefect shells promise without a server."""

from __future__ import annotations

import datetime as dt
import threading
import time

import pytest
from prefect import flow
from prefect.exceptions import ParameterTypeError
from prefect.testing.utilities import prefect_test_harness

from flows.orchestration.backfill import oa_backfill
from flows.orchestration.daily import flow_oa
from flows.orchestration.tasks import PrefectCaller
from spot_oa.errors import LandingError


@pytest.mark.parametrize("date", ["2016-07-08", "20160708", 20160708, dt.date(2016, 7, 8)])
def test_a_date_is_a_date_however_it_is_written(date: object) -> None:
    assert flow_oa.validate_parameters({"date": date})["date"] == dt.date(2016, 7, 8)


@pytest.mark.parametrize("parameters", [{"date": 20161301}, {"date": "2016-02-30"}, {"limit": -1}])
def test_a_bad_parameter_is_refused(parameters: dict[str, object]) -> None:
    with pytest.raises(ParameterTypeError):
        flow_oa.validate_parameters(parameters)


def test_a_backfill_takes_known_pipelines_only() -> None:
    dates = {"date_from": "20160708", "date_to": "20160709"}
    taken = oa_backfill.validate_parameters({**dates, "pipelines": ["dns"]})
    assert taken["pipelines"] == ["dns"]
    with pytest.raises(ParameterTypeError):
        oa_backfill.validate_parameters({**dates, "pipelines": ["nosuch"]})


@pytest.mark.long
def test_an_error_waits_for_the_steps_beside_it_and_only_transient_ones_are_retried() -> None:
    done = threading.Event()
    tries = {"lasting": 0, "passing": 0}

    def slow() -> str:
        time.sleep(1)
        done.set()
        return "slow"

    def failing(kind: str, *, transient: bool) -> str:
        tries[kind] += 1
        raise LandingError(kind, transient=transient)

    @flow
    def run() -> None:
        caller = PrefectCaller([0.1])
        with pytest.raises(LandingError, match="lasting"):
            caller.call_together({"bad": lambda: failing("lasting", transient=False), "slow": slow})
        assert done.is_set()
        with pytest.raises(LandingError, match="passing"):
            caller.call("passing", lambda: failing("passing", transient=True))

    with prefect_test_harness(server_startup_timeout=120):
        run()
    assert tries == {"lasting": 1, "passing": 2}
