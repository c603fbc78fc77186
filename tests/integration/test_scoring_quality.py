"""How well the built-in scorer ranks labelled days: average precision, and attacks seen early.

The floors are below what the method reaches and above what it has without one of its parts. No
constant of the scorer is chosen by these sets.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.labelled_sets import LabelledSet, capped, ranked

pytestmark = [pytest.mark.reference, pytest.mark.long, pytest.mark.timeout(900)]


@dataclass(frozen=True)
class Floor:
    """What a set must reach: average precision, and `seen/attacks` among the first 100 rows."""

    name: str
    first_day: float
    with_memory: float
    attacks: str


FLOORS = (
    Floor("office.flow", 0.56, 0.74, "4/5"),
    Floor("wrccdc.dns", 0.78, 0.81, "7/7"),
    Floor("rita2018.proxy", 0.81, 0.90, "4/4"),
    Floor("apt29.flow", 0.97, 0.97, "1/1"),
)
BRIEF = {"office.flow", "apt29.flow"}


@pytest.mark.parametrize(
    "floor",
    [
        pytest.param(
            floor, id=floor.name, marks=[] if floor.name in BRIEF else pytest.mark.thorough
        )
        for floor in FLOORS
    ],
)
def test_a_labelled_set(floor: Floor, reference: Path, tmp_path: Path) -> None:
    labelled = LabelledSet(reference / "labelled" / f"{floor.name}.parquet")
    pipeline, days = labelled.lay_out(tmp_path)
    first = labelled.measured(ranked(capped(tmp_path), pipeline, days[-1:]))
    (tmp_path / "warehouse.duckdb").unlink()
    memory = labelled.measured(ranked(capped(tmp_path), pipeline, days))
    usual = capped(tmp_path, pair=3, service=10)
    few = labelled.measured(ranked(usual, pipeline, days[-1:]))
    print(floor.name, first["AP"], memory["AP"], few["episodes@100"])  # noqa: T201
    assert first["rows"] == first["of"]
    assert first["AP"] >= floor.first_day
    assert memory["AP"] >= floor.with_memory
    seen, attacks = map(int, floor.attacks.split("/"))
    assert int(str(few["episodes@100"]).partition("/")[0]) >= seen
    assert attacks >= seen
