"""The demo: a synthetic network, so that every part of spot-oa can be tried without traffic.

`generate` writes telemetry, ML results and context files of an organisation that does not exist:
IPv4 and IPv6, a daily rhythm, a mix of services with heavy tails; results that are events of the
telemetry with a stand-in score (how rare service, peer and size are). Planted in every day:

* exfiltration (flow, proxy): a workstation of finance uploads gigabytes at night;
* beacon (flow, proxy, dns): a build agent calls its master every 300 seconds, over IPv6;
* scan (flow): a stranger tries the ports of four servers;
* tunnel (dns): long random labels below one domain, asked for as TXT;
* awkward (all): the first and last second, NULLs, `-` for a number, query type -1, quotes,
  semicolons and UTF-8 in user agents and URIs; and one results line breaks off.

`STORIES` says who and when. The stories have the lowest scores.
"""

from spot_oa.demo.generator import DEMO_DATES, Day, Generated, demo_settings, generate
from spot_oa.demo.stories import STORIES

__all__ = ["DEMO_DATES", "STORIES", "Day", "Generated", "demo_settings", "generate"]
