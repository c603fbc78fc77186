"""Load the services in use, by their entry points and options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any, cast

from pydantic import SecretStr, ValidationError

from python_enrichers.budget import Budget, Deadline, Limits, Meter
from python_enrichers.http import Client
from python_enrichers.reputation.base import ENTRY_POINTS, ListSource, LiveService, ServiceModule
from spot_oa.errors import ConfigError, printable
from spot_oa.settings import Settings
from spot_oa.settings.names import nearest


@dataclass(frozen=True, slots=True)
class ServiceTools:
    """Objects from which the services of one name are built; see `Tools`."""

    name: str
    settings: Settings
    deadline: Deadline = field(default_factory=Deadline)

    def meter(self, limits: Limits, name: str = "") -> Meter:
        """See `Tools`."""
        budget = Budget(self.settings.cache_dir / "budget.sqlite")
        return Meter(name or self.name, limits, budget, self.deadline)

    def client(
        self, meter: Meter | None = None, *, headers: Mapping[str, SecretStr] | None = None
    ) -> Client:
        """See `Tools`."""
        return Client(self.settings, self.deadline, meter, headers=headers)


def load_services(settings: Settings) -> list[LiveService | ListSource]:
    """Make every service that is configured.

    Raises:
        ConfigError: A service is unknown, or its options are not usable. The message names the
            variable and shows no value.
    """
    found = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
    return [
        service
        for name, options in settings.services.items()
        for service in _load(name, found, options, settings)
    ]


def _load(
    name: str, found: Mapping[str, EntryPoint], options: Mapping[str, Any], settings: Settings
) -> Sequence[LiveService | ListSource]:
    variable = f"SPOT_OA_SERVICES__{printable(name).upper()}"
    if name not in found:
        near = nearest(name, found)
        hint = f"did you mean {near.upper()}? " if near else ""
        raise ConfigError(
            f"{variable}: no such service; {hint}there are {', '.join(sorted(found))}"
        )
    try:
        module = cast("ServiceModule", found[name].load())
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"{variable}: {found[name].value} cannot be loaded ({printable(error)}); "
            "install it again"
        ) from error
    try:
        checked = module.Options.model_validate(_revealed(options))
    except ValidationError as error:
        errors = error.errors(include_input=False, include_url=False)
        # Report a misspelt option rather than the option that is missing because of it.
        first = next((e for e in errors if e["type"] == "extra_forbidden"), errors[0])
        option = "__".join([variable, *(str(part).upper() for part in first["loc"])])
        if first["type"] == "extra_forbidden" and len(first["loc"]) == 1:
            there = [known.upper() for known in module.Options.model_fields]
            near = nearest(str(first["loc"][0]).upper(), there)
            advice = f"did you mean {near}?" if near else f"there are {', '.join(there)}"
            raise ConfigError(f"{option}: no such option; {advice}") from None
        raise ConfigError(f"{option}: {printable(first['msg'])}; correct it or unset it") from None
    tools = ServiceTools(name, settings)
    # For lists, which are fetched now; live services restart the deadline for their lookup.
    tools.deadline.start(settings.service_seconds)
    return module.load(checked, tools)


def _revealed(options: Any) -> Any:
    if isinstance(options, dict):
        return {name: _revealed(option) for name, option in options.items()}
    return options.get_secret_value() if isinstance(options, SecretStr) else options
