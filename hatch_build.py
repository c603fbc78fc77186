"""Add the dbt project, which is in the root of the checkout, to the wheel."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PROJECT = ("dbt_project.yml", "macros", "models", "prefect.yaml", "profiles", "seeds", "tests/dbt")


class CustomBuildHook(BuildHookInterface[Any]):
    """Adds `spot_oa/project/` to a wheel; an editable install reads the checkout itself."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """See `BuildHookInterface.initialize`."""
        if version == "standard":
            build_data["force_include"].update(
                {name: f"spot_oa/project/{name}" for name in PROJECT}
            )
