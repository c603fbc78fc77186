"""The copies of a day: made once; a copy that was edited or run is never overwritten."""

from __future__ import annotations

import datetime as dt
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analyst.notebooks import places
from analyst.notebooks.places import folder_of
from analyst.notebooks.templates import Template, find, rendered, source_sha256
from spot_oa.dates import Slice
from spot_oa.errors import PublishError, UsageError, printable
from spot_oa.settings import Settings


@dataclass(slots=True)
class Rendered:
    """The result of rendering the notebooks of a day."""

    folder: Path
    made: list[Path] = field(default_factory=list)
    """The files that were written."""
    notes: list[str] = field(default_factory=list)
    """Problems of templates, one line each."""

    def __str__(self) -> str:
        return f"{len(self.made)} written to {self.folder}"


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of a template."""

    name: str
    path: Path
    version: int | None
    """The version of its template when it was made; None if unknown."""
    newest: int
    """The current version of the template."""
    touched: bool
    """Whether a cell was changed or run."""
    outdated: bool
    """Whether the template has changed since."""


def render(settings: Settings, part: Slice) -> Rendered:
    """Make the missing copies of a day; touched copies are not changed.

    An untouched copy of an older template is replaced. Next to a touched copy, the newer template
    is written once, as `<Name>-v<version>.ipynb`.

    Raises:
        PublishError: The folder cannot be written.
    """
    templates, notes = find(settings, part.pipeline)
    done = Rendered(folder_of(settings, part), notes=notes)
    try:
        if templates:
            done.folder.mkdir(parents=True, exist_ok=True)
        for template in templates:
            text = rendered(template, part, settings.home)
            path = done.folder / f"{template.name}.ipynb"
            if _create(path, text):
                done.made.append(path)
                continue
            copy = _copy(template, path)
            if not copy.outdated:
                continue
            if not copy.touched:
                _replace(path, text)
                done.made.append(path)
            elif _create(newer := path.with_stem(f"{path.stem}-v{template.version}"), text):
                done.made.append(newer)
    except OSError as error:
        raise _unwritable(done.folder, error) from error
    return done


def update(settings: Settings, part: Slice, name: str | None = None) -> Rendered:
    """Replace the copies by new ones; touched copies are kept as `.bak.ipynb`.

    Args:
        settings: The configuration.
        part: The pipeline and the day.
        name: Only this notebook.

    Raises:
        UsageError: There is no template with that name.
        PublishError: The folder cannot be written.
    """
    templates, notes = find(settings, part.pipeline)
    wanted = [each for each in templates if name in (None, each.name)]
    if name is not None and not wanted:
        known = ", ".join(each.name for each in templates) or "there is none"
        raise UsageError(f"notebook {printable(name)!r} has no template: use one of {known}")
    done = Rendered(folder_of(settings, part), notes=notes)
    now = dt.datetime.now(dt.UTC)
    try:
        done.folder.mkdir(parents=True, exist_ok=True)
        for template in wanted:
            path = done.folder / f"{template.name}.ipynb"
            if path.exists() and _copy(template, path).touched:
                path.rename(path.with_name(f"{template.name}.{now:%Y%m%dT%H%M%S%f}Z.bak.ipynb"))
            _replace(path, rendered(template, part, settings.home))
            done.made.append(path)
    except OSError as error:
        raise _unwritable(done.folder, error) from error
    return done


def copies(settings: Settings, part: Slice) -> list[Copy]:
    """Return the existing copies of a day, by name."""
    templates, _ = find(settings, part.pipeline)
    folder = folder_of(settings, part)
    paths = [(template, folder / f"{template.name}.ipynb") for template in templates]
    return [_copy(template, path) for template, path in paths if path.exists()]


def _copy(template: Template, path: Path) -> Copy:
    notebook = places.read(path)
    about = places.about(notebook)
    version = about.get("version")
    version = version if isinstance(version, int) else None
    # An older spot-oa must not write an older template next to a newer copy.
    older = version is not None and template.version < version
    outdated = about.get("template_sha256") != template.sha256 and not older
    touched = _is_touched(notebook, about)
    return Copy(template.name, path, version, template.version, touched, outdated)


def _is_touched(notebook: Mapping[str, Any] | None, about: Mapping[str, Any]) -> bool:
    # Treat an unreadable file as touched.
    if notebook is None or not isinstance(notebook.get("cells"), list):
        return True
    cells = notebook["cells"]
    try:
        sources = [
            {"cell_type": cell["cell_type"], "source": _joined(cell["source"])} for cell in cells
        ]
        run = any(cell.get("outputs") or cell.get("execution_count") for cell in cells)
    except (KeyError, TypeError, AttributeError):
        return True
    return run or source_sha256(sources) != about.get("source_sha256")


def _joined(source: object) -> str:
    return "".join(map(str, source)) if isinstance(source, list) else str(source)


def _create(path: Path, text: str) -> bool:
    """Write a file atomically unless it exists; return whether it was written."""
    # Check first: nearly always the file exists.
    if path.exists():
        return False
    draft = _draft(path, text)
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink(missing_ok=True)
    return True


def _replace(path: Path, text: str) -> None:
    draft = _draft(path, text)
    try:
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def _draft(path: Path, text: str) -> Path:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    draft = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            os.fchmod(handle, 0o644)
            file.write(text)
            file.flush()
            os.fsync(handle)
    except BaseException:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise
    return draft


def _unwritable(folder: Path, error: OSError) -> PublishError:
    return PublishError(
        f"notebooks cannot be written to {folder} ({printable(error)}); free space or fix the "
        "folder's permissions, or correct SPOT_OA_NOTEBOOKS_DIR"
    )
