"""Reading descriptions: one YAML file per pipeline or source, checked by its model."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from spot_oa.errors import ConfigError, UsageError, printable

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
    try:
        found = model.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, UsageError) as error:
        raise ConfigError(f"{where}: {printable(error)}") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        reason = f"{field + ': ' if field else ''}{first['msg']}"
        raise ConfigError(f"{where}: {printable(reason)}") from error
    name = getattr(found, "name", None)
    if name != path.stem:
        raise ConfigError(f"{where}: it says name {name!r}, its file must be {name}.yml")
    return found
