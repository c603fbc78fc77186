"""How long enrichment takes: `SPOT_OA_GEO_DB=... python -m benchmarks.enrichers`."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from python_enrichers import load_enricher
from python_enrichers.base import Indicators
from spot_oa.settings import load_settings

ADDRESSES = 100_000
ENTRIES = 200_000
PLACES = 1_000_000


def main() -> None:
    random.seed(7)
    v4 = {".".join(str(random.randrange(1, 224)) for _ in range(4)) for _ in range(ADDRESSES)}
    v6 = {f"2a00:{random.randrange(1 << 16):x}::{n:x}" for n in range(ADDRESSES // 10)}
    addresses = [*v4, *v6][:ADDRESSES]
    names = [f"www{n % 7}.host{n}.example{n % 1000}.com" for n in range(ADDRESSES)]
    uris = [f"{name}/path/{n}?q={n}" for n, name in enumerate(names)]

    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        context = home / "context"
        context.mkdir()
        measured("geo", home, "geo", {"address": addresses}, geo_db=load_settings().geo_db)
        (context / "iploc.csv").write_text("".join(map(place, range(PLACES))))
        measured(f"geo, iploc.csv of {PLACES:,}", home, "geo", {"address": addresses})
        (context / "iploc.csv").unlink()
        (context / "ipranges.csv").write_text("10.0.0.0,10.255.255.255,ours\n")
        (context / "networkcontext.csv").write_text(
            "".join(
                f"{n % 223 + 1}.{n // 256 % 256}.{n % 256}.0/24,net {n}\n" for n in range(50_000)
            )
        )
        measured("network context", home, "network_context", {"address": addresses})

        lists = {
            "addresses": (addresses[::2] * 9)[:ENTRIES],
            "networks": [f"{a.rpartition('.')[0]}.0/24" for a in v4 if "." in a] * 2,
            "names": [f"host{n}.example{n % 1000}.com" for n in range(ENTRIES)],
            "uris": [f"www{n % 7}.host{n}.example{n % 1000}.com/path" for n in range(ENTRIES)],
        }
        for kind, entries in lists.items():
            path = home / f"{kind}.txt"
            path.write_text("\n".join(entries[:ENTRIES]) + "\n")
            asked: Indicators = {
                "addresses": {"address": addresses},
                "networks": {"address": addresses},
                "names": {"name": names},
                "uris": {"uri": uris},
            }[kind]
            services = {"feeds": {"mine": {"path": str(path)}}}
            measured(f"list of {kind}", home, "reputation", asked, services=services)
        # Live services: what is done before anything is sent.
        services = {"virustotal": {"key": "x", "daily": "0"}, "otx": {"key": "x", "daily": "0"}}
        measured("two live services", home, "reputation", {"address": addresses}, services=services)


def measured(what: str, home: Path, step: str, indicators: Indicators, **settings: object) -> None:
    loaded = timed(lambda: load_enricher(step, load_settings(home=home, **settings)))
    asked = sum(map(len, indicators.values()))
    enricher = load_enricher(step, load_settings(home=home, **settings))
    enriched = timed(lambda: enricher.enrich(indicators))
    found = [f"{o.source} {o.found}" for o in enricher.enrich(indicators).outcomes]
    print(
        f"{what:28} load {loaded:5.2f} s, {asked} looked up {enriched:5.2f} s, "
        f"together {loaded + enriched:5.2f} s ({', '.join(found)})"
    )


def place(number: int) -> str:
    """A line of iploc.csv: ranges of 2,048 addresses, one after the other."""
    first = (1 << 24) + 2048 * number
    texts = (
        "US",
        "United States",
        "Ohio",
        f"City {number % 20_000}",
        "39.96",
        "-82.99",
        "Owner",
        "x.com",
    )
    return ",".join(f'"{text}"' for text in (first, first + 2047, *texts)) + "\n"


def timed(call: Callable[[], object]) -> float:
    """The best of three: what else the machine does is no matter here."""
    seconds = []
    for _ in range(3):
        begin = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - begin)
    return min(seconds)


if __name__ == "__main__":
    main()
