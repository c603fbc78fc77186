"""Secrets from Prefect's Secret blocks: never parameters, which Prefect stores and shows.

A block named `spot-oa-<service>--<option>` is the option of a reputation service, as
SPOT_OA_SERVICES__<SERVICE>__<OPTION> is in the environment, and wins over it. Dashes stand for
underscores, which names of blocks cannot have.
"""

from __future__ import annotations

from prefect.client.orchestration import get_client

from spot_oa.settings import Settings, load_settings

PREFIX = "spot-oa-"
_LOOKED_AT = 200


def settings_with_secrets() -> Settings:
    """The settings of a flow run: environment, `.env` and Secret blocks.

    Raises:
        ConfigError: A value is not usable.
    """
    services: dict[str, dict[str, str]] = {}
    for name, value in _secret_blocks().items():
        service, _, option = name.removeprefix(PREFIX).replace("-", "_").partition("__")
        if name.startswith(PREFIX) and option:
            services.setdefault(service, {})[option] = value
    return load_settings(services=services) if services else load_settings()


def _secret_blocks() -> dict[str, str]:
    with get_client(sync_client=True) as client:
        found = client.read_block_documents_by_type("secret", limit=_LOOKED_AT)
    return {block.name: str(block.data["value"]) for block in found if block.name}
