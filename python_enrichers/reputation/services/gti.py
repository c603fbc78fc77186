"""McAfee/Trellix GTI: a REST endpoint, or the vendor's `restclient` program."""

from __future__ import annotations

import csv
import json
import shlex
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, Protocol, Self

from pydantic import Field, Json, SecretStr, model_validator

from python_enrichers.base import SourceError, Status
from python_enrichers.budget import Meter
from python_enrichers.http import Client
from python_enrichers.reputation.base import (
    HIGH,
    LOW,
    MEDIUM,
    UNVERIFIED,
    LiveOptions,
    LiveService,
    Tools,
    Verdict,
    part,
)
from spot_oa.errors import ConfigError, printable
from spot_oa.pipelines import IndicatorType

OPERATIONS: Mapping[IndicatorType, str] = {"address": "ip", "name": "url", "uri": "url"}
BANDS = ((15, "Minimal", LOW), (30, "Unverified", UNVERIFIED), (50, "Medium", MEDIUM))
"""Upper bound of a reputation (exclusive), its name, and its severity."""


class Options(LiveOptions):
    """Set exactly one of `url` and `command`.

    `command` is split into arguments like a shell command, and run without a shell; `{server}`,
    `{user}` and `{password}` in an argument are replaced by these options, `{file}` by a file with
    the request, which otherwise is passed on standard input.
    """

    url: str = ""
    command: str = ""
    server: str = ""
    user: str = ""
    password: SecretStr = SecretStr("")
    ci: Json[dict[str, Any]] = Field(default={}, validate_default=False)
    """Client information that the vendor requires, as JSON: cliid, prn, sdkv and so on."""
    batch_size: int = Field(default=50, ge=1)
    categories: Path | None = None
    """CSV with code, name and group of each category."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.url) == bool(self.command):
            raise ValueError("set either URL or COMMAND")
        return self


def load(options: Options, tools: Tools) -> Sequence[LiveService]:
    """Return the service.

    Raises:
        ConfigError: The file of categories cannot be read.
    """
    return [Gti(options, tools)]


class Way(Protocol):
    """A transport of requests to GTI."""

    def send(self, request: Mapping[str, Any]) -> Any:
        """Send a request and return the decoded answer.

        Raises:
            SourceError: There was no usable answer.
            NotAskedError: There is no budget left.
        """
        ...


class Gti:
    """Queries in batches; the answers are in the order of the questions."""

    kinds: AbstractSet[IndicatorType] = frozenset(OPERATIONS)

    def __init__(self, options: Options, tools: Tools) -> None:
        self.name = tools.name
        self.batch_size = options.batch_size
        self.meter = tools.meter(options.limits)
        self._ci = options.ci
        self._categories = _categories(options.categories)
        self._way: Way = (
            Rest(options, tools.client(self.meter))
            if options.url
            else RestClient(options, self.meter, tools.settings.http_timeout)
        )

    def lookup(
        self, kind: IndicatorType, indicators: Sequence[str]
    ) -> Mapping[str, Verdict | None]:
        """See `LiveService`."""
        op = OPERATIONS[kind]
        questions = [{"op": op, op: indicator} for indicator in indicators]
        answers = part(self._way.send({"ci": self._ci, "q": questions}), "a")
        if answers is None:
            return dict.fromkeys(indicators)
        if isinstance(answers, dict):
            answers = [answers]
        return dict(zip(indicators, map(self._verdict, answers), strict=False))

    def _verdict(self, answer: Mapping[str, Any] | None) -> Verdict | None:
        # `aflag` means that the values could not be determined.
        if not answer or "rep" not in answer or "aflag" in answer:
            return None
        reputation = int(answer["rep"])
        label, severity = next(
            ((label, severity) for below, label, severity in BANDS if reputation < below),
            ("High", HIGH),
        )
        names = [self._categories.get(str(code), str(code)) for code in answer.get("cat") or ()]
        return Verdict(severity, label, float(reputation), ", ".join(names) or None)


class Rest:
    """The REST endpoint."""

    def __init__(self, options: Options, client: Client) -> None:
        self._url = options.url
        self._client = client

    def send(self, request: Mapping[str, Any]) -> Any:
        """See `Way`."""
        return self._client.post_json(self._url, json=request)


class RestClient:
    """The vendor's program; requests never pass through a shell."""

    def __init__(self, options: Options, meter: Meter, seconds: float) -> None:
        self._arguments = shlex.split(options.command)
        self._values = {
            "{server}": options.server,
            "{user}": options.user,
            "{password}": options.password.get_secret_value(),
        }
        self._meter = meter
        self._seconds = seconds

    def send(self, request: Mapping[str, Any]) -> Any:
        """See `Way`."""
        self._meter.take()
        text = json.dumps(request)
        with tempfile.TemporaryDirectory(prefix="spot-oa-gti-") as folder:
            file = Path(folder) / "request.json"
            if in_file := any("{file}" in argument for argument in self._arguments):
                file.write_text(text, "utf-8")
            values = {**self._values, "{file}": str(file)}
            output = self._run([_filled(argument, values) for argument in self._arguments], text)
        try:
            return json.loads(output)
        except ValueError:
            where = "a file" if in_file else "standard input"
            raise SourceError(
                Status.MALFORMED, f"the GTI program, with {where}, did not answer with JSON"
            ) from None

    def _run(self, arguments: Sequence[str], request: str) -> str:
        patience = max(0.001, min(self._seconds, self._meter.deadline.left()))
        try:
            done = subprocess.run(  # noqa: S603 - the operator's program, an argument list
                arguments,
                input=request,
                capture_output=True,
                text=True,
                encoding="utf-8",
                timeout=patience,
                check=False,
            )
        except subprocess.TimeoutExpired:
            fault = SourceError(Status.TIMEOUT, f"the GTI program took over {patience:.0f} s")
        except (OSError, ValueError) as error:
            kind = getattr(error, "strerror", None) or type(error).__name__
            fault = SourceError(Status.UNAVAILABLE, f"the GTI program cannot be run ({kind})")
        else:
            if not done.returncode:
                return done.stdout
            fault = SourceError(
                Status.UNAVAILABLE, f"the GTI program ended with code {done.returncode}"
            )
        # Not chained: those errors contain the arguments, and one may be the password.
        raise fault from None


def _filled(argument: str, values: Mapping[str, str]) -> str:
    for placeholder, value in values.items():
        argument = argument.replace(placeholder, value)
    return argument


def _categories(path: Path | None) -> Mapping[str, str]:
    if path is None:
        return {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            rows = [[cell.strip() for cell in row] for row in csv.reader(lines) if row[2:]]
    except (OSError, ValueError, csv.Error) as error:
        raise ConfigError(
            f"SPOT_OA_SERVICES__GTI__CATEGORIES={printable(path)}: cannot be read "
            f"({printable(error)}); correct it or unset it"
        ) from error
    return {code: f"{name}|{group}" for code, name, group, *_ in rows}
