"""Copies of templates: made once, never written over, renewed where nobody has worked in them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import nbformat
import pytest

from analyst.notebooks import templates
from analyst.notebooks.copies import copies, render, update
from spot_oa.dates import Slice
from spot_oa.errors import PublishError, UsageError
from spot_oa.settings import Settings
from tests.support.labelled import DATE

FLOW = Slice("flow", DATE)
NAMES = {"Edge_Investigation", "Threat_Investigation", "Advanced_Mode"}
OWN = """# %% [markdown]
# # Mine, {{PIPELINE}} of {{DATE}}

# %% tags=["parameters"]
PIPELINE = "flow"  # é
DATE = (
    "2016-01-01"
)
TOP_RESULTS = 5

# %%
PIPELINE, DATE
"""


def own(settings: Settings, name: str, text: str, pipeline: str = "flow") -> Settings:
    """Settings whose folder of templates has this one."""
    folder = settings.home / "templates"
    (folder / pipeline).mkdir(parents=True, exist_ok=True)
    (folder / pipeline / name).write_text(text, "utf-8")
    return settings.model_copy(update={"templates_dir": folder})


def versioned(version: int, text: str = OWN) -> str:
    return f"# ---\n# jupyter:\n#   spot_oa:\n#     version: {version}\n# ---\n{text}"


def cells(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_text("utf-8"))["cells"]


def worked_in(path: Path) -> bytes:
    """Somebody adds a line to the last cell."""
    notebook = json.loads(path.read_text("utf-8"))
    notebook["cells"][-1]["source"] = ["# mine\n", "1 + 1"]
    path.write_text(json.dumps(notebook), "utf-8")
    return path.read_bytes()


def run(path: Path) -> None:
    notebook = json.loads(path.read_text("utf-8"))
    next(each for each in notebook["cells"] if each["cell_type"] == "code")["execution_count"] = 1
    path.write_text(json.dumps(notebook), "utf-8")


@pytest.mark.parametrize("pipeline", ["flow", "dns", "proxy"])
def test_a_day_has_three_notebooks_none_of_which_is_called_master(
    settings: Settings, pipeline: str
) -> None:
    done = render(settings, Slice(pipeline, DATE))
    assert done.folder == settings.home / "ipynb" / pipeline / "20160708"
    assert {path.stem for path in done.folder.iterdir()} == NAMES
    assert done.notes == []
    for path in done.made:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        text = path.read_text("utf-8")
        assert "{{" not in text
        assert "widgets" not in notebook.metadata
        (parameters,) = (
            each.source for each in notebook.cells if "parameters" in each.metadata.get("tags", ())
        )
        assert f'PIPELINE = "{pipeline}"\nDATE = "2016-07-08"\n' in parameters


@pytest.mark.parametrize("pipeline", ["flow", "dns", "proxy"])
def test_what_writes_is_commented(settings: Settings, pipeline: str) -> None:
    done = render(settings, Slice(pipeline, DATE))
    writes = ("set_rules(", "apply_rules(", "attack_heuristics(", "undo(", "reset(", "restore(")
    writes += ("to_csv(",)
    written = [
        line
        for path in done.made
        for cell in cells(path)
        if cell["cell_type"] == "code"
        for line in "".join(cell["source"]).splitlines()
        if any(each in line for each in writes)
    ]
    assert written
    assert all(line.startswith("#") for line in written)
    whole = "\n".join(written)
    assert "day.reset(" in whole
    assert "day.restore(" in whole
    for each in ("def set_rules(", "day.apply_rules(", "attack_heuristics("):
        assert (each in whole) == (pipeline == "flow"), each


def test_equal_days_give_equal_bytes(settings: Settings) -> None:
    first = {path.name: path.read_bytes() for path in render(settings, FLOW).made}
    for name in first:
        (settings.home / "ipynb/flow/20160708" / name).unlink()
    again = render(settings, FLOW)
    assert {path.name: path.read_bytes() for path in again.made} == first


def test_what_somebody_works_in_stays_and_what_is_deleted_comes_back(settings: Settings) -> None:
    folder = render(settings, FLOW).folder
    edited = folder / "Edge_Investigation.ipynb"
    before = worked_in(edited)
    (folder / "Advanced_Mode.ipynb").unlink()
    assert [path.name for path in render(settings, FLOW).made] == ["Advanced_Mode.ipynb"]
    assert render(settings, FLOW).made == []
    assert edited.read_bytes() == before


def test_a_newer_template_replaces_an_untouched_copy(settings: Settings) -> None:
    name = "Edge_Investigation_master.py"
    render(own(settings, name, versioned(1)), FLOW)
    newer = own(settings, name, versioned(2, OWN + "\n# %%\n2\n"))
    (made,) = render(newer, FLOW).made
    assert made.name == "Edge_Investigation.ipynb"
    assert cells(made)[-1]["source"] == ["2"]


@pytest.mark.parametrize("touch", [worked_in, run])
def test_a_newer_template_lies_beside_a_touched_copy_once(settings: Settings, touch: Any) -> None:
    name = "Mine_master.py"
    copy = render(own(settings, name, versioned(1)), FLOW).folder / "Mine.ipynb"
    touch(copy)
    before = copy.read_bytes()
    newer = own(settings, name, versioned(2, OWN + "\n# %%\n2\n"))
    made = [path for _ in range(3) for path in render(newer, FLOW).made]
    assert [path.name for path in made] == ["Mine-v2.ipynb"]
    assert copy.read_bytes() == before
    (listed,) = (each for each in copies(newer, FLOW) if each.name == "Mine")
    assert (listed.version, listed.newest, listed.touched, listed.outdated) == (1, 2, True, True)


def test_an_older_template_replaces_nothing(settings: Settings) -> None:
    name = "Mine_master.py"
    copy = render(own(settings, name, versioned(2)), FLOW).folder / "Mine.ipynb"
    before = copy.read_bytes()
    assert render(own(settings, name, versioned(1, OWN + "# older")), FLOW).made == []
    assert copy.read_bytes() == before


def test_a_file_that_cannot_be_read_is_somebodys(settings: Settings) -> None:
    copy = render(settings, FLOW).folder / "Edge_Investigation.ipynb"
    copy.write_text("{ half")
    made = [path.name for _ in range(2) for path in render(settings, FLOW).made]
    assert made == ["Edge_Investigation-v1.ipynb"]
    assert copy.read_text() == "{ half"


def test_an_update_keeps_what_was_worked_in(settings: Settings) -> None:
    folder = render(settings, FLOW).folder
    copy = folder / "Edge_Investigation.ipynb"
    fresh, mine = copy.read_bytes(), worked_in(copy)
    (made,) = update(settings, FLOW, "Edge_Investigation").made
    assert (made, made.read_bytes()) == (copy, fresh)
    (kept,) = folder.glob("Edge_Investigation.*.bak.ipynb")
    assert kept.read_bytes() == mine
    update(settings, FLOW, "Edge_Investigation")
    assert len(list(folder.glob("*.bak.ipynb"))) == 1
    with pytest.raises(UsageError, match="'Nothing' has no template: use one of Advanced_Mode"):
        update(settings, FLOW, "Nothing")


def test_own_templates_replace_and_join(settings: Settings) -> None:
    both = own(settings, "Advanced_Mode_master.py", OWN)
    both = own(both, "Mine_master.ipynb", nbformat.writes(a_notebook()))
    folder = render(both, FLOW).folder
    assert {path.stem for path in folder.iterdir()} == NAMES | {"Mine"}
    mine = cells(folder / "Advanced_Mode.ipynb")
    assert "".join(mine[0]["source"]) == "# Mine, flow of 2016-07-08"
    values: dict[str, Any] = {}
    exec("".join(mine[1]["source"]), values)
    assert (values["PIPELINE"], values["DATE"], values["TOP_RESULTS"]) == ("flow", "2016-07-08", 5)
    assert "# é" in "".join(mine[1]["source"])
    assert cells(folder / "Mine.ipynb")[0]["outputs"] == []


def a_notebook() -> nbformat.NotebookNode:
    """As JupyterLab saves one, with outputs and the state of widgets."""
    cell = nbformat.v4.new_code_cell(
        'PIPELINE = "flow"\nDATE = "x"', metadata={"tags": ["parameters"]}
    )
    cell.outputs = [nbformat.v4.new_output("stream", text="old")]
    return nbformat.v4.new_notebook(cells=[cell], metadata={"widgets": {"state": {}}})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("# %%\n1\n", "has no code cell tagged `parameters`"),
        ('# %% tags=["parameters"]\nPIPELINE = "flow"\n', "does not set DATE"),
        ('# %% tags=["parameters"]\nPIPELINE = DATE = 1\n', "line 1 does not set a parameter"),
        ('# %% tags=["parameters"]\nPIPELINE = 1\nDATE = 2\nCOF = 3\n', "parameter COF is unknown"),
        ('# %% tags=["parameters"]\nPIPELINE = (\n', "may only set"),
        ('# %% tags=["parameters"]\nPIPELINE = 1\nDATE = 2\nprint(1)\n', "line 3 does not set a"),
        (versioned(0), "version '0' is not 1 or more"),
    ],
)
def test_a_template_that_is_none_is_named_and_the_others_are_made(
    settings: Settings, text: str, told: str
) -> None:
    done = render(own(settings, "Broken_master.py", text), FLOW)
    assert {path.stem for path in done.made} == NAMES
    (note,) = done.notes
    assert "Broken_master.py" in note
    assert told in note


def test_what_is_not_even_text_is_named(settings: Settings) -> None:
    mine = own(settings, "readme.txt", "")
    (mine.templates_dir / "flow" / "Bytes_master.ipynb").write_bytes(b"\xff\xfe{")
    (mine.templates_dir / "flow" / "Two_master.py").write_bytes(b"\xff")
    done = render(mine, FLOW)
    assert {path.stem for path in done.made} == NAMES
    assert sum("cannot be read" in note for note in done.notes) == 2
    assert sum("readme.txt is not a template: name it <Name>_master" in n for n in done.notes) == 1


def test_two_that_render_at_once_write_one_copy(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody's copy appears after it was looked for: it stays."""
    folder = settings.home / "ipynb/flow/20160708"
    link, theirs = os.link, b"theirs"

    def late(draft: Path, path: Path) -> None:
        if not path.exists():
            path.write_bytes(theirs)
        link(draft, path)

    monkeypatch.setattr(os, "link", late)
    assert render(settings, FLOW).made == []
    assert {path.read_bytes() for path in folder.iterdir()} == {theirs}


def test_a_folder_that_cannot_be_is_one_line(settings: Settings) -> None:
    settings.home.mkdir()
    (settings.home / "ipynb").write_text("a file")
    with pytest.raises(PublishError, match=r"notebooks cannot be written to .*ipynb/flow"):
        render(settings, FLOW)


def test_the_parameters_of_templates_are_those_that_are_known(settings: Settings) -> None:
    for pipeline in ("flow", "dns", "proxy"):
        found, notes = templates.find(settings, pipeline)
        assert (len(found), notes) == (3, [])
        assert {each.version for each in found} == {1}
