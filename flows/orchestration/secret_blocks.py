"""Reads secrets from Prefect's Secret blocks: not from parameters, which Prefect shows.

A block named `spot-oa-<service>--<option>` sets an option of a reputation service, like
SPOT_OA_SERVICES__<SERVICE>__<OPTION> in the environment, and overrides it. Dashes replace
underscores, which are not allowed in names of blocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from prefect.client.orchestration import get_client

from spot_oa.settings import Settings, load_settings

PREFIX = "spot-oa-"
_PAGE = 100


def settings_with_secrets() -> Settings:
    """Return the settings of a flow run: environment, `.env` and Secret blocks.

    Raises:
        ConfigError: A value is invalid.
    """
    services: dict[str, dict[str, str]] = {}
    for name, value in _secrets():
        service, _, option = name.removeprefix(PREFIX).replace("-", "_").partition("__")
        if service and option:
            services.setdefault(service, {})[option] = value
    return load_settings(services=services) if services else load_settings()


def _secrets() -> Iterator[tuple[str, str]]:
    """Yield name and value of each of our blocks; other blocks' values stay on the server."""
    # The server finds names that contain the text, which may include others' blocks.
    names = [
        block["name"]
        for block in _blocks(include_secrets=False, name={"like_": f"{PREFIX}%--"})
        if block["name"].startswith(PREFIX)
    ]
    if names:
        for block in _blocks(include_secrets=True, name={"any_": names}):
            yield block["name"], str(block["data"]["value"])


def _blocks(*, include_secrets: bool, name: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the Secret blocks that match a filter of names, which Prefect's client lacks."""
    offset = 0
    with get_client(sync_client=True) as client:
        while True:
            question = {
                "block_types": {"slug": {"any_": ["secret"]}},
                "block_documents": {"name": name, "is_anonymous": {"eq_": False}},
                "include_secrets": include_secrets,
                "offset": offset,
                "limit": _PAGE,
            }
            page = client.request("POST", "/block_documents/filter", json=question).json()
            yield from page
            if len(page) < _PAGE:
                return
            offset += _PAGE
