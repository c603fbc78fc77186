"""How well the built-in scorer ranks labelled days: average precision, and attacks seen early.

The floors are below what the method reaches and above what it has without one of its parts. No
constant of the scorer is chosen by these sets.
"""

from __future__ import annotations

import importlib.util
import shutil
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from flows.run.runner import score_day
from spot_oa.settings import load_settings
from tests.support.report import Told

pytestmark = [pytest.mark.reference, pytest.mark.long, pytest.mark.timeout(900)]

ALL = 10_000_000


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


@pytest.mark.parametrize("floor", FLOORS, ids=lambda floor: floor.name)
def test_a_labelled_set(floor: Floor, reference: Path, tmp_path: Path) -> None:
    folder = reference / "labelled"
    lay_out, evaluate = (_module(folder / f"{name}.py") for name in ("lay_out", "evaluate"))
    file = folder / f"{floor.name}.parquet"
    pipeline, days = lay_out.lay_out(str(file), str(tmp_path))

    def ranked(dates: list[object], *, pair: int = 0, service: int = 0) -> Path:
        caps = {"rows_per_pair": pair, "rows_per_service": service}
        settings = load_settings(home=tmp_path).model_copy(update=caps)
        for date in dates:
            score_day(settings, pipeline, date, Told(), limit=ALL)  # type: ignore[arg-type]
        day = days[-1].strftime("%Y%m%d")
        scores = tmp_path / "ml" / pipeline / "scored_results" / day / "scores"
        results = tmp_path / f"{len(list(tmp_path.iterdir()))}.csv"
        shutil.copy(scores / f"{pipeline}_results.csv", results)
        return results

    first = evaluate.evaluate(str(file), str(ranked(days[-1:])))
    (tmp_path / "warehouse.duckdb").unlink()
    memory = evaluate.evaluate(str(file), str(ranked(days)))
    capped = evaluate.evaluate(str(file), str(ranked(days[-1:], pair=3, service=10)))
    print(floor.name, first["AP"], memory["AP"], capped["episodes@100"])  # noqa: T201
    assert first["rows"] == first["of"]
    assert first["AP"] >= floor.first_day
    assert memory["AP"] >= floor.with_memory
    seen, attacks = map(int, floor.attacks.split("/"))
    assert int(str(capped["episodes@100"]).partition("/")[0]) >= seen
    assert attacks >= seen


def _module(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
