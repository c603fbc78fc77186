"""The demo: a synthetic network, to try every part of spot-oa without real traffic.

`generate` writes telemetry and context files of a fictitious organisation: IPv4 and IPv6, a daily
rhythm, a mix of services with heavy tails. `spot-oa demo` ranks it with the built-in scorer; for
tests and benchmarks `generate` can also write results, like another scorer. Planted in every day:

* exfiltration (flow, proxy): a workstation of finance uploads gigabytes at night;
* beacon (flow, proxy, dns): a build agent calls its master every 300 seconds, over IPv6;
* scan (flow): a stranger tries the ports of four servers;
* tunnel (dns): long random labels below one domain, asked for as TXT;
* awkward (all): the first and last second, NULLs, `-` for a number, query type -1, quotes,
  semicolons and UTF-8 in user agents and URIs; and one results line of `generate` is cut off.

`STORIES` describes actors and times, `CULPRITS` has the external address of some stories.
"""

from spot_oa.demo.generator import DEMO_DATES, Day, Generated, demo_settings, generate
from spot_oa.demo.stories import CULPRITS, STORIES

__all__ = ["CULPRITS", "DEMO_DATES", "STORIES", "Day", "Generated", "demo_settings", "generate"]
