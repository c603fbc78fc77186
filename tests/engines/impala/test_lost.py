"""A build is tried again if the daemon went away, and not if the daemon said no."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Callable

import pytest

from flows.run.dbt_runner import build
from flows.run.tables import python_tables
from spot_oa.demo import DEMO_DATES
from spot_oa.errors import BuildError
from spot_oa.pipelines import load_pipelines
from spot_oa.settings import Settings
from spot_oa.warehouse import open_warehouse
from tests.support.impala import StandIn
from tests.support.impala.engine import ImpalaError


def hang_up(stand_in: StandIn) -> None:
    for client in stand_in._clients:
        with contextlib.suppress(OSError, AttributeError):
            client.handle.shutdown(socket.SHUT_RDWR)


def say_no(stand_in: StandIn) -> None:
    # Words that also stand in the messages of a daemon that is away.
    raise ImpalaError("AnalysisException: it cannot be reached, rejected the connection")


@pytest.mark.parametrize(
    ("act", "at", "transient"),
    [
        # While it builds a model, and while dbt looks which tables there are.
        (hang_up, ("flow_ingest_summary", "select"), True),
        (hang_up, ("show tables",), True),
        (say_no, ("flow_ingest_summary", "select"), False),
    ],
)
def test_the_kind_of_an_error_decides_and_not_its_words(
    stand_in: StandIn,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    act: Callable[[StandIn], None],
    at: tuple[str, ...],
    transient: bool,
) -> None:
    open_warehouse(settings).prepare(python_tables(load_pipelines()))
    carry_out = stand_in.engine.execute
    struck: list[str] = []

    def execute(statement: str) -> object:
        # One of dbt's, well after it has logged in.
        if all(word in statement for word in at):
            struck.append(statement)
            act(stand_in)
        return carry_out(statement)

    monkeypatch.setattr(stand_in.engine, "execute", execute)
    with pytest.raises(BuildError) as raised:
        build(settings, "flow", [DEMO_DATES[0]], lambda _: None)
    assert struck
    assert raised.value.transient is transient
    said = str(raised.value)
    assert "\n" not in said
    assert (f"Impala at 127.0.0.1:{stand_in.port}" in said) is transient
    # A thread of dbt's may be logging in when the daemon goes away.
    lost = "the connection was lost; try again|; if they match, try again|; start it, or correct"
    assert bool(re.search(lost, said)) is transient
