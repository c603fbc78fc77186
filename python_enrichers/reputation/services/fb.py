"""Meta ThreatExchange: threat descriptors by the Graph API, in batches."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from pydantic import Field, SecretStr

from python_enrichers.base import SourceError, Status
from python_enrichers.reputation.base import (
    HIGH,
    MEDIUM,
    NONE,
    UNVERIFIED,
    BaseUrl,
    LiveOptions,
    LiveService,
    Tools,
    Verdict,
    part,
)
from spot_oa.pipelines import IndicatorType

TYPES: Mapping[IndicatorType, str] = {"address": "IP_ADDRESS", "name": "DOMAIN", "uri": "URI"}
SEVERITIES = {"UNKNOWN": UNVERIFIED, "NON_MALICIOUS": NONE, "SUSPICIOUS": MEDIUM, "MALICIOUS": HIGH}
BATCH = 50
"""Maximum number of requests in a batch."""
MAX_PAGES = 10
OK = 200
EXPLAINED = (400, 401, 403)
"""Statuses of a batch whose body has the error: a bad token and too many calls are both 400."""
REFUSED = frozenset({10, 102, 190, *range(200, 300)})
"""Error codes of the API: token and permissions."""
PASSING = frozenset({1, 2, 4, 17, 32, 341, 613})
"""Error codes of the API: outages and limits."""
LEFT_OUT = {"error": {"code": 1}}
"""Result of a request in a batch that took too long, for which the API returns null."""


class Options(LiveOptions):
    """The application's id and secret."""

    app_id: str
    app_secret: SecretStr
    url: BaseUrl = "https://graph.facebook.com"
    version: str = "v26.0"
    page_size: int = Field(default=100, ge=1, le=1000)


def load(options: Options, tools: Tools) -> Sequence[LiveService]:
    """Return the service."""
    return [ThreatExchange(options, tools)]


class ThreatExchange:
    """Queries the descriptors that match an indicator exactly; the worst status counts."""

    kinds: AbstractSet[IndicatorType] = frozenset(TYPES)
    batch_size = BATCH

    def __init__(self, options: Options, tools: Tools) -> None:
        self.name = tools.name
        self.meter = tools.meter(options.limits)
        # The token goes into the body, where neither proxies nor servers log it.
        self._client = tools.client(self.meter)
        self._token = f"{options.app_id}|{options.app_secret.get_secret_value()}"
        self._url = f"{options.url}/{options.version}/"
        self._page_size = options.page_size

    def lookup(
        self, kind: IndicatorType, indicators: Sequence[str]
    ) -> Mapping[str, Verdict | SourceError | None]:
        """See `LiveService`."""
        found = defaultdict[str, list[Mapping[str, Any]]](list)
        pages = dict.fromkeys(indicators, "")
        unanswered: dict[str, SourceError] = {}
        for _ in range(MAX_PAGES):
            if not pages:
                break
            pages = self._page(kind, pages, found, unanswered)
        else:
            self.meter.left_out(f"some have more than {MAX_PAGES} pages: raise page_size")
        return {
            indicator: unanswered.get(indicator) or _verdict(found[indicator])
            for indicator in indicators
        }

    def _page(
        self,
        kind: IndicatorType,
        pages: Mapping[str, str],
        found: Mapping[str, list[Mapping[str, Any]]],
        unanswered: dict[str, SourceError],
    ) -> dict[str, str]:
        """Request a page for each indicator; return indicators with a next page, and its cursor."""
        batch = [
            {"method": "GET", "relative_url": self._question(kind, indicator, after)}
            for indicator, after in pages.items()
        ]
        answers = self._client.post_json(
            self._url,
            explained=EXPLAINED,
            data={
                "access_token": self._token,
                "batch": json.dumps(batch),
                "include_headers": "false",
            },
        )
        if isinstance(answers, dict):
            raise _fault(answers)
        if len(answers) != len(batch):
            raise SourceError(Status.MALFORMED, "ThreatExchange sent a wrong number of answers")
        following = {}
        for indicator, answer in zip(pages, answers, strict=True):
            content: Any = json.loads(answer["body"]) if answer else LEFT_OUT
            if not answer or answer["code"] != OK:
                unanswered[indicator] = _fault(content)
                continue
            found[indicator].extend(part(content, "data") or ())
            if after := _next_page(content):
                following[indicator] = after
        return following

    def _question(self, kind: IndicatorType, indicator: str, after: str) -> str:
        question = {
            "type": TYPES[kind],
            "text": indicator,
            "strict_text": "true",
            "fields": "indicator,status,confidence,severity,review_status",
            "limit": self._page_size,
        }
        return "threat_descriptors?" + urlencode(question | ({"after": after} if after else {}))


def _fault(answer: Mapping[str, Any]) -> SourceError:
    """Convert an error of the API."""
    code = int(answer["error"]["code"])
    reason = f"ThreatExchange answered with error {code}"
    if code in REFUSED:
        return SourceError(Status.UNAUTHORISED, f"{reason}: check its key")
    return SourceError(Status.UNAVAILABLE if code in PASSING else Status.MALFORMED, reason)


def _next_page(content: Any) -> str:
    """Return the cursor of the next page, never its URL, which contains the token."""
    paging = part(content, "paging") if content and "paging" in content else None
    if not paging or "next" not in paging:
        return ""
    cursor = (paging.get("cursors") or {}).get("after")
    return str(cursor or parse_qs(urlsplit(paging["next"]).query).get("after", [""])[0])


def _severity(descriptor: Mapping[str, Any]) -> int:
    return SEVERITIES.get(descriptor["status"], UNVERIFIED)


def _verdict(descriptors: Sequence[Mapping[str, Any]]) -> Verdict | None:
    if not descriptors:
        return None
    worst = max(descriptors, key=_severity)
    confidence = worst.get("confidence")
    return Verdict(
        _severity(worst),
        worst["status"],
        None if confidence is None else float(confidence),
        worst.get("severity"),
    )
