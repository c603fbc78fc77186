"""Every reference case, run as an operator would, gives the intended tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.run.runner import run_day
from spot_oa.dates import parse_date
from spot_oa.settings import load_settings
from tests.support.cases import FOLDERS, Case, assert_same, published
from tests.support.report import Told

pytestmark = pytest.mark.reference
EVERYDAY = {"base", "real_20240420"}


@pytest.mark.parametrize(
    "folder",
    [
        pytest.param(
            folder,
            id=f"{folder.parent.name}-{folder.name}",
            marks=[] if folder.name in EVERYDAY else pytest.mark.long,
        )
        for folder in FOLDERS
    ],
)
def test_case(folder: Path, reference: Path, tmp_path: Path) -> None:
    case = Case.read(folder)
    home = tmp_path / "home"
    case.lay_out(home, reference)

    summary = run_day(
        load_settings(home=home, reports=False),
        case.pipeline.name,
        parse_date(case.date),
        Told(),
        limit=case.run["limit"],
    )

    assert summary.folder == home / "data" / case.pipeline.name / case.date
    made, intended = published(summary.folder), case.intended()
    # The cases have the tables of Spot's own OA.
    assert made.keys() - intended.keys() <= {"flow_addresses"}
    for table, rows in intended.items():
        assert_same(made[table], rows, table)
