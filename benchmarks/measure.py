"""How things are timed: in turns, so that what else the machine does hits all cases alike."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timed:
    """Each case's seconds on the clock and of the processor, one pair per round."""

    rounds: Mapping[str, Sequence[tuple[float, float]]]

    def seconds(self, case: str) -> float:
        """The case's median on the clock."""
        return statistics.median(wall for wall, _ in self.rounds[case])

    def cpu_seconds(self, case: str) -> float:
        """The case's median of the processor."""
        return statistics.median(cpu for _, cpu in self.rounds[case])

    def ratio(self, case: str, *floor: str) -> float:
        """Median over the rounds of the case's time to the floor's, its parts' sum, in the same."""
        floors = zip(*(self.rounds[part] for part in floor), strict=True)
        sums = [sum(wall for wall, _ in parts) for parts in floors]
        pairs = zip(self.rounds[case], sums, strict=True)
        return statistics.median(one / other for (one, _), other in pairs)

    def cpu_ratio(self, case: str, floor: str) -> float:
        """The same of processor time, in which other programs show less."""
        pairs = zip(self.rounds[case], self.rounds[floor], strict=True)
        return statistics.median(one / other for (_, one), (_, other) in pairs)


def in_turns(runs: int, cases: Mapping[str, Callable[[], object]]) -> Timed:
    """Time all cases in each of `runs` rounds, after one round that warms them up."""
    rounds: dict[str, list[tuple[float, float]]] = {name: [] for name in cases}
    for round_ in range(runs + 1):
        for name, case in cases.items():
            begin = time.process_time()
            wall = timed(case)
            if round_:
                rounds[name].append((wall, time.process_time() - begin))
    return Timed(rounds)


def timed(case: Callable[[], object]) -> float:
    """Seconds of one call."""
    begin = time.perf_counter()
    case()
    return time.perf_counter() - begin


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command took.

    Attributes:
        seconds: On the clock.
        cpu: Seconds of the processor, its children's too.
        peak_mb: The most resident memory of it or a child of it.
        output: What it printed.
    """

    seconds: float
    cpu: float
    peak_mb: float
    output: str


def run(command: Sequence[str], environment: Mapping[str, str]) -> Ran:
    """Run a command to its good end.

    Its peak is the highest one of the command and the processes that it waited for.
    """
    begin = time.perf_counter()
    read, write = os.pipe()
    pid = os.posix_spawn(
        command[0],
        command,
        {**os.environ, **environment},  # noqa: TID251 - handed on, not read
        file_actions=[(os.POSIX_SPAWN_DUP2, write, 1), (os.POSIX_SPAWN_DUP2, write, 2)],
    )
    os.close(write)
    with os.fdopen(read, encoding="utf-8") as pipe:
        output = pipe.read()
    _, status, usage = os.wait4(pid, 0)
    seconds = time.perf_counter() - begin
    if status:
        raise subprocess.CalledProcessError(os.waitstatus_to_exitcode(status), command, output)
    return Ran(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, output)
