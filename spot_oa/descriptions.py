"""Reading descriptions: one YAML file per pipeline or source, checked by its model."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError

from spot_oa.errors import ConfigError, UsageError, printable

T = TypeVar("T")
Description = TypeVar("Description", bound=BaseModel)


def read_description(path: Path, kind: str, model: type[Description]) -> Description:
    """Read a description from `<name>.yml`.

    Args:
        path: The file.
        kind: What it describes, for messages: `pipeline` or `source`.
        model: What it must be; it has a field `name`.

    Raises:
        ConfigError: It cannot be read, is not consistent, or its name is not its file's.
    """
    where = f"{kind} description {path}"
    found = read_yaml(path, where, model)
    name = getattr(found, "name", None)
    if name != path.stem:
        raise ConfigError(f"{where}: it says name {name!r}, its file must be {name}.yml")
    return found


def read_yaml(path: Path, where: str, kind: type[T], empty: object = None) -> T:
    """Read a YAML file as what it must be.

    Args:
        path: The file.
        where: What to call it in messages.
        kind: A type that pydantic can check.
        empty: What a file without content stands for.

    Raises:
        ConfigError: It cannot be read, or is something else.
    """
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
        return TypeAdapter(kind).validate_python(empty if content is None else content)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        reason = f"{field + ': ' if field else ''}{first['msg']}"
        raise ConfigError(f"{where}: {printable(reason)}") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError, UsageError) as error:
        raise ConfigError(f"{where}: {printable(error)}") from error
