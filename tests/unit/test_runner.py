"""How steps are called without Prefect."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from flows.run import runner
from flows.run.runner import PlainCaller


@pytest.fixture
def interrupted_soon() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interrupted_soon")
def test_an_interrupt_lets_steps_end_that_do_so_soon() -> None:
    ended = []

    def step() -> None:
        time.sleep(1)
        ended.append(1)

    with pytest.raises(KeyboardInterrupt):
        PlainCaller().call_together({"one": step, "another": step})
    assert ended == [1, 1]


@pytest.mark.usefixtures("interrupted_soon")
def test_an_interrupt_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "GRACE", 0.1)
    over = threading.Event()
    with pytest.raises(KeyboardInterrupt):
        PlainCaller().call_together({"one": over.wait})
    over.set()


def test_an_error_is_raised_when_all_steps_have_ended() -> None:
    ended = []

    def good() -> None:
        time.sleep(0.3)
        ended.append(1)

    def bad() -> None:
        raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        PlainCaller().call_together({"bad": bad, "good": good})
    assert ended == [1]


def test_steps_give_what_they_return() -> None:
    calls = {"one": lambda: 1, "two": lambda: 2}
    assert PlainCaller().call_together(calls) == {"one": 1, "two": 2}
    assert PlainCaller().call_together({}) == {}
