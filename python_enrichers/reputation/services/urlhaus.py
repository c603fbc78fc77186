"""URLhaus of abuse.ch: URLs that distribute malware, and their hosts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from pydantic import SecretStr

from python_enrichers.base import SourceError, Status
from python_enrichers.reputation.base import (
    EVERY_KIND,
    HIGH,
    MEDIUM,
    BaseUrl,
    LiveOptions,
    LiveService,
    Tools,
    Verdict,
    part,
)
from spot_oa.pipelines import IndicatorType


class Options(LiveOptions):
    """The key is free (https://auth.abuse.ch)."""

    key: SecretStr
    url: BaseUrl = "https://urlhaus-api.abuse.ch/v1"


def load(options: Options, tools: Tools) -> Sequence[LiveService]:
    """Return the service."""
    return [UrlHaus(options, tools)]


class UrlHaus:
    """Queries a URL, or an address or name as a host."""

    kinds: AbstractSet[IndicatorType] = EVERY_KIND
    batch_size = 1

    def __init__(self, options: Options, tools: Tools) -> None:
        self.name = tools.name
        self.meter = tools.meter(options.limits)
        self._client = tools.client(self.meter, headers={"Auth-Key": options.key})
        self._url = options.url

    def lookup(
        self, kind: IndicatorType, indicators: Sequence[str]
    ) -> Mapping[str, Verdict | None]:
        """See `LiveService`."""
        (indicator,) = indicators
        thing = "url" if kind == "uri" else "host"
        answer = self._client.post_json(f"{self._url}/{thing}/", data={thing: indicator})
        return {indicator: _verdict(answer)}


def _verdict(answer: Any) -> Verdict | None:
    if not part(answer):
        return None
    status = answer["query_status"]
    if status in ("no_results", "invalid_url", "invalid_host"):
        return None
    if status == "unknown_auth_key":
        raise SourceError(Status.UNAUTHORISED, "URLhaus rejected the key: check it")
    if status != "ok":
        raise SourceError(Status.MALFORMED, "URLhaus rejected the query")
    # The answer for a URL is that URL, for a host all URLs on it.
    urls = part(answer, "urls") if "urls" in answer else [answer]
    if not urls:
        return None
    online = sum(url["url_status"] == "online" for url in urls)
    threat = next((url.get("threat") for url in urls if url.get("threat")), None)
    label = "online" if online else "offline"
    return Verdict(HIGH if online else MEDIUM, label, float(len(urls)), threat)
