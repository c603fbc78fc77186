"""The tables behind suspicious connections, asked for one query per connection and per address.

This is how the original went about it. The statements here are written from what the tables mean;
a sample of them is run, in the same engine on the same files, and multiplied by their number.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from functools import partial

import duckdb

from benchmarks.bench import DATE, Bench, size
from benchmarks.measure import Timed, in_turns
from benchmarks.statements import ready, run_all, warehouse
from benchmarks.tables import Table, filled, seconds, times

LIMITS = (500, 3000)
SAMPLE = 50

_OF_CONNECTION = """
    insert into edges
    select treceived, sip, dip, sport, dport, proto, flag, stos, ibyt, ipkt, input, output, rip,
        obyt, opkt, h, trminute
    from raw.flow
    where ((sip = $a and dip = $b) or (sip = $b and dip = $a)) and h = $h and trminute = $minute
        and y = $y and m = $m and d = $d
"""
_OF_ADDRESS = """
    insert into chords
    select $a, sip, dip, sum(ibyt), sum(ipkt)
    from raw.flow
    where ((sip = $a and list_contains($peers, dip)) or (dip = $a and list_contains($peers, sip)))
        and y = $y and m = $m and d = $d
    group by sip, dip
"""
_DAY = {"y": DATE.year, "m": DATE.month, "d": DATE.day}


def measure(bench: Bench) -> Table:
    head = (
        "raw rows",
        "N",
        "statements",
        "row by row",
        "our statements",
        "our marts",
        "ratio",
        "in CPU time",
    )
    return filled(head, _rows(bench))


def _rows(bench: Bench) -> Iterator[list[str]]:
    for rows in bench.sizes:
        for limit in LIMITS:
            settings = bench.home("flow", rows)
            models = ready(settings, "flow", limit)
            statements = [s for model in models for s in model.statements()]
            with warehouse(settings) as connection:
                marts = in_turns(bench.runs, {"marts": partial(run_all, connection, models)})
                count, (wall, cpu) = _one_by_one(connection)
            yield [
                size(rows),
                size(limit),
                str(count),
                seconds(wall),
                str(len(statements)),
                seconds(marts.seconds("marts")),
                times(wall / marts.seconds("marts")),
                times(cpu / marts.cpu_seconds("marts")),
            ]


def _one_by_one(connection: duckdb.DuckDBPyConnection) -> tuple[int, tuple[float, float]]:
    """How many statements there are; what all would take on the clock and of the processor."""
    connection.execute(
        "create temp table edges as select * exclude (y, m, d, pkts) from oa.flow_edge limit 0"
    )
    connection.execute(
        "create temp table chords as select * exclude (y, m, d) from oa.flow_chords limit 0"
    )
    connections = connection.execute(
        "select sip, dip, trhour, trminute from raw.flow_results "
        "where y = $y and m = $m and d = $d",
        _DAY,
    ).fetchall()
    peers: dict[str, set[str]] = {}
    for sip, dip, *_ in connections:
        if sip != dip:
            peers.setdefault(sip, set()).add(dip)
            peers.setdefault(dip, set()).add(sip)
    threats = [{"a": ip, "peers": sorted(of)} for ip, of in peers.items() if len(of) > 1]
    behind = [dict(zip(("a", "b", "h", "minute"), row, strict=True)) for row in connections]
    wall = cpu = 0.0
    for statement, asked in ((_OF_CONNECTION, behind), (_OF_ADDRESS, threats)):
        sample = _sample(connection, statement, asked)
        wall += len(asked) * sample.seconds("one")
        cpu += len(asked) * sample.cpu_seconds("one")
    connection.execute("drop table edges")
    connection.execute("drop table chords")
    return len(behind) + len(threats), (wall, cpu)


def _sample(
    connection: duckdb.DuckDBPyConnection, statement: str, asked: Sequence[dict[str, object]]
) -> Timed:
    sample = random.Random(1).sample(list(asked), min(SAMPLE, len(asked)))
    values = itertools.cycle(sample)
    return in_turns(
        len(sample), {"one": lambda: connection.execute(statement, _DAY | next(values))}
    )
