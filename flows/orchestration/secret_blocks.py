"""Secrets from Prefect's Secret blocks: never parameters, which Prefect stores and shows.

A block named `spot-oa-<service>--<option>` is the option of a reputation service, as
SPOT_OA_SERVICES__<SERVICE>__<OPTION> is in the environment, and wins over it. Dashes stand for
underscores, which names of blocks cannot have.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from prefect.client.orchestration import get_client

from spot_oa.settings import Settings, load_settings

PREFIX = "spot-oa-"
_PAGE = 100


def settings_with_secrets() -> Settings:
    """The settings of a flow run: environment, `.env` and Secret blocks.

    Raises:
        ConfigError: A value is not usable.
    """
    services: dict[str, dict[str, str]] = {}
    for name, value in _secrets():
        service, _, option = name.removeprefix(PREFIX).replace("-", "_").partition("__")
        if service and option:
            services.setdefault(service, {})[option] = value
    return load_settings(services=services) if services else load_settings()


def _secrets() -> Iterator[tuple[str, str]]:
    """Name and value of each block that is ours; no other block's value leaves the server."""
    # The server finds names that contain the words, and others' may.
    names = [
        block["name"]
        for block in _blocks(include_secrets=False, name={"like_": f"{PREFIX}%--"})
        if block["name"].startswith(PREFIX)
    ]
    if names:
        for block in _blocks(include_secrets=True, name={"any_": names}):
            yield block["name"], str(block["data"]["value"])


def _blocks(*, include_secrets: bool, name: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Secret blocks with such names, page by page; Prefect's client has no filter by name."""
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
