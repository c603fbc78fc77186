"""Read descriptions: one YAML file per pipeline or source, checked by its model."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError

from spot_oa.errors import ConfigError, UsageError, printable

# libyaml's loader is ten times faster; a PyYAML built from source may lack it.
_Safe = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

T = TypeVar("T")
Description = TypeVar("Description", bound=BaseModel)


def read_description(path: Path, kind: str, model: type[Description]) -> Description:
    """Read a description from `<name>.yml`.

    Args:
        path: The file.
        kind: `pipeline` or `source`, for messages.
        model: The model of the description, with a field `name`.

    Raises:
        ConfigError: The file cannot be read, is inconsistent, or its name is not its file's.
    """
    where = f"{kind} description {path}"
    found = read_yaml(path, where, model)
    name = getattr(found, "name", None)
    if name != path.stem:
        raise ConfigError(f"{where}: the name is {name!r}, so its file must be {name}.yml")
    return found


def read_yaml(path: Path, where: str, kind: type[T], empty: object = None) -> T:
    """Read a YAML file and check its type.

    Args:
        path: The file.
        where: The file's name in messages.
        kind: The expected type, which pydantic can check.
        empty: The value of an empty file.

    Raises:
        ConfigError: The file cannot be read, or has another type.
    """
    try:
        content = yaml.load(path.read_text("utf-8"), Loader=_Safe)  # noqa: S506 - a safe one
        return TypeAdapter(kind).validate_python(empty if content is None else content)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        reason = f"{field + ': ' if field else ''}{first['msg']}"
        raise ConfigError(f"{where}: {printable(reason)}") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError, UsageError) as error:
        raise ConfigError(f"{where}: {printable(error)}") from error
