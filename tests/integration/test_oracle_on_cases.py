"""The slow statement of the rules gives the intended tables of every reference case.

It is what generated days are compared with (tests/faults/test_generated_days.py).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from spot_oa.dates import parse_date
from tests.support.cases import FOLDERS, Case, assert_same, table_of
from tests.support.days import read_day
from tests.support.oracle import expected

pytestmark = pytest.mark.reference


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_case(folder: Path, reference: Path, tmp_path: Path) -> None:
    case = Case.read(folder)
    case.lay_out(tmp_path, reference)
    day = read_day(tmp_path, case.pipeline.name, parse_date(case.date), case.run["limit"])
    made = expected(day)
    intended = case.intended()
    # The cases have the tables of Spot's own OA.
    assert made.keys() - intended.keys() <= {"flow_addresses"}
    assert intended.keys() <= made.keys()
    for table, wanted in intended.items():
        assert_same(table_of(wanted.header, made[table]), wanted, table)
