"""Read values from the environment and `.env`; no other module reads the environment."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)


def _split_numbers(value: Any) -> Any:
    return [part for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _split_words(value: Any) -> Any:
    if isinstance(value, str):
        return [word.strip() for word in value.split(",") if word.strip()]
    return value


def _split_paths(value: Any) -> Any:
    return _split_words(value.replace(os.pathsep, ",")) if isinstance(value, str) else value


NumberList = Annotated[tuple[float, ...], NoDecode, BeforeValidator(_split_numbers)]
WordList = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_words)]
PathList = Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_split_paths)]
SqlName = Annotated[str, Field(pattern=r"^([a-z][a-z0-9_]*)?$")]
"""A name that is safe in SQL without quoting, or empty."""


def is_word(value: str | None, word: str) -> bool:
    """Return whether a variable's value is this word, in any case."""
    return value is not None and value.strip().lower() == word


def secret(value: Any) -> Any:
    """Convert an option of a service, of any type, to SecretStr; names to lower case."""
    if isinstance(value, dict):
        return {str(name).lower(): secret(option) for name, option in value.items()}
    if isinstance(value, SecretStr):
        return value
    return SecretStr(value if isinstance(value, str) else json.dumps(value))


class _AsWritten(EnvSettingsSource):
    """Leaves the values of options unchanged: a key like `12e45` is not a number."""

    def decode_complex_value(self, field_name: str, field: FieldInfo | None, value: Any) -> Any:
        return super().decode_complex_value(field_name, field, value) if field else value

    def explode_env_vars(
        self, field_name: str, field: FieldInfo, env_vars: Mapping[str, str | None]
    ) -> dict[str, Any]:
        """Nest the variables of a field; options override `on`, and `off` overrides options."""
        if field_name != "services":
            return super().explode_env_vars(field_name, field, env_vars)
        prefix = f"{self.env_prefix}{field_name}".lower()
        whole = {
            name: value for name, value in env_vars.items() if name.rpartition("__")[0] == prefix
        }
        on = [name for name, value in whole.items() if is_word(value, "on")]
        off = tuple(f"{name}__" for name, value in whole.items() if is_word(value, "off"))
        given = {
            name: value
            for name, value in env_vars.items()
            if name not in on and not name.startswith(off)
        }
        exploded = super().explode_env_vars(field_name, field, given)
        return {name.rpartition("__")[2]: {} for name in on} | exploded


class _AsWrittenInFile(_AsWritten, DotEnvSettingsSource):
    """The same for the `.env` file."""


class Stage(BaseSettings):
    """Settings of one stage: every field is the variable `SPOT_OA_<FIELD>`.

    The docstring below a field is its line in docs/settings.md.
    """

    model_config = SettingsConfigDict(
        env_prefix="SPOT_OA_",
        env_nested_delimiter="__",
        env_file=".env",
        extra="ignore",
        frozen=True,
        env_ignore_empty=True,
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - replaced
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - replaced
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources of values; the first that has a value wins."""
        return (
            init_settings,
            _AsWritten(settings_cls),
            _AsWrittenInFile(settings_cls),
            file_secret_settings,
        )


def variables(settings: type[Stage]) -> list[str]:
    """Return the lower-case names of all variables with the prefix of settings."""
    sources = (_AsWritten(settings), _AsWrittenInFile(settings))
    prefix = str(settings.model_config["env_prefix"]).lower()
    names = {name for source in sources for name in source.env_vars}
    return sorted(name for name in names if name.startswith(prefix))


def handed_on_with(settings: type[Stage], values: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with the variables of `.env` and these values of settings."""
    prefix = str(settings.model_config["env_prefix"]).lower()
    found = _AsWrittenInFile(settings).env_vars
    written = {
        name.upper(): value
        for name, value in found.items()
        if name.startswith(prefix) and value is not None
    }
    return {**written, **os.environ, **values}  # noqa: TID251 - the reader of the environment
