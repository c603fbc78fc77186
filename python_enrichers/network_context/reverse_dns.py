"""Names of addresses from the operator's resolver, stored in a snapshot per day."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import dns.exception
import dns.name
import dns.resolver
import dns.reversename

from python_enrichers.addresses import is_public, pack, unpack
from python_enrichers.base import Outcome, Status
from python_enrichers.bounded import work_off
from python_enrichers.network_context.sources import Asked
from spot_oa.errors import ConfigError, printable
from spot_oa.settings import Settings

SOURCE = "reverse dns"
PATIENCE = 3.0
"""Time limit of one query, in seconds."""
ENOUGH_FAULTS = 3
"""Stop after this many failures in a row; fewer may be single broken zones."""
PORT = 53

Resolve = Callable[[str], str]


class ReverseDns:
    """Looks up the names of addresses at the resolver."""

    def __init__(self, settings: Settings, resolve: Resolve, *, fresh: bool = False) -> None:
        self._resolve = resolve
        self._fresh = fresh
        self._budget = settings.dns_budget
        self._seconds = settings.dns_seconds
        self._threads = settings.service_threads
        self._ask_public = settings.dns_public
        self._folder = settings.cache_dir / "dns"

    def names(self, addresses: Sequence[Asked]) -> tuple[Sequence[str], Outcome]:
        """See `NameSource.names`; only for addresses without a name that may be looked up."""
        forms = [self._form(address) for address in addresses]
        names, outcome = self._found([*dict.fromkeys(filter(None, forms))])
        return [names.get(form, "") for form in forms], outcome

    def _form(self, address: Asked) -> str:
        """Return the address in the form of the query; empty if it is not looked up."""
        if address.packed is None or address.has_name:
            return ""
        ours = address.is_internal or not is_public(address.packed)
        return unpack(address.packed) if ours or self._ask_public else ""

    def _found(self, addresses: Sequence[str]) -> tuple[Mapping[str, str], Outcome]:
        """Look up names at the resolver or in today's snapshot.

        Answers of today are not queried again, whatever a run's date, unless `fresh`.

        Args:
            addresses: Distinct addresses, the most suspicious first.

        Returns:
            Names by address, empty if there is none, absent if the lookup did not succeed.
        """
        snapshot = self._folder / f"{dt.datetime.now(dt.UTC):%Y%m%d}.json"
        known = _read(snapshot)
        unknown = [address for address in addresses if self._fresh or address not in known]
        asked = unknown[: self._budget]
        found: dict[str, str] = {}
        faults: list[str] = []
        in_a_row = 0

        def ask(address: str) -> None:
            nonlocal in_a_row
            if in_a_row >= ENOUGH_FAULTS:
                return
            try:
                found[address] = self._resolve(address)
                in_a_row = 0
            except (dns.exception.DNSException, OSError) as error:
                faults.append(type(error).__name__)
                in_a_row += 1

        jobs = [partial(ask, address) for address in asked]
        work_off(jobs, min(len(jobs), self._threads), self._seconds)
        # A copy, because running lookups may still add answers.
        answers = dict(found)
        names = {
            address: name
            for address in addresses
            if (name := answers.get(address, known.get(address))) is not None
        }
        fault = _write(snapshot, known | answers) if answers else ""
        missing = len(unknown) - len(answers)
        silent = bool(faults) and (not answers or in_a_row >= ENOUGH_FAULTS)
        detail = [
            f"{len(names) - len(answers)} from today's snapshot",
            f"{missing} not resolved" if missing else "",
            f"{len(faults)} failures ({faults[0]})" if faults else "",
            "the resolver does not answer" if silent else "",
            fault,
        ]
        statuses = ((silent, Status.UNAVAILABLE), (fault, Status.FAILED), (missing, Status.PARTIAL))
        return names, Outcome(
            SOURCE,
            next((status for true, status in statuses if true), Status.OK),
            asked=len(addresses),
            found=sum(map(bool, names.values())),
            detail=", ".join(filter(None, detail)),
        )


def open_reverse_dns(settings: Settings, fresh: bool) -> ReverseDns | None:
    """Return the source if a resolver is configured.

    Raises:
        ConfigError: `SPOT_OA_DNS_RESOLVER` is not an address.
    """
    if not settings.dns_resolver:
        return None
    host, port = _host_and_port(settings.dns_resolver)
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers = [host]
    resolver.port = port
    resolver.lifetime = PATIENCE

    def resolve(address: str) -> str:
        name = dns.reversename.from_address(address)
        try:
            answer = resolver.resolve(name, "PTR", search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return ""
        target: dns.name.Name = answer[0].target
        # Escape the text, because a name may contain any byte.
        return printable(target.to_text(omit_final_dot=True))

    return ReverseDns(settings, resolve, fresh=fresh)


def _host_and_port(text: str) -> tuple[str, int]:
    host, port = text, str(PORT)
    if text.startswith("[") or text.count(":") == 1:
        host, _, port = text.rpartition(":") if not text.endswith("]") else (text, "", port)
    packed = pack(host.strip("[]"))
    if packed is None or not (port.isascii() and port.isdigit()) or not 0 < int(port) < 1 << 16:
        raise ConfigError(
            f"SPOT_OA_DNS_RESOLVER={printable(text)} is not an address; write it as 10.0.0.53, "
            "10.0.0.53:5353 or [2001:db8::53]:53"
        )
    return unpack(packed), int(port)


def _read(snapshot: Path) -> dict[str, str]:
    try:
        names: dict[str, str] = json.loads(snapshot.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return names if isinstance(names, dict) else {}


def _write(snapshot: Path, names: Mapping[str, str]) -> str:
    """Store the names; return the reason if that fails."""
    fresh = snapshot.with_name(f".{snapshot.name}.new")
    try:
        snapshot.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(json.dumps(names, indent=0, sort_keys=True), "utf-8")
        fresh.replace(snapshot)
    except OSError as error:
        return f"snapshot {printable(snapshot)} cannot be written ({error.strerror})"
    return ""
