"""Look up 100,000 indicators, by stage, with the geo databases of `SPOT_OA_GEO_DB`."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.bench import Bench, seconds
from python_enrichers import load_enricher
from python_enrichers.base import Indicators
from spot_oa.settings import load_settings

ASKED = 100_000
ENTRIES = 200_000
PLACES = 1_000_000


def measure(bench: Bench) -> Iterator[dict[str, str]]:
    chance = random.Random(7)
    v4 = [".".join(str(chance.randrange(1, 224)) for _ in range(4)) for _ in range(ASKED)]
    v6 = [f"2a00:{chance.randrange(1 << 16):x}::{n:x}" for n in range(ASKED // 10)]
    addresses = [*v4[: -len(v6)], *v6]
    names = [f"www{n % 7}.host{n}.example{n % 1000}.com" for n in range(ASKED)]
    asked: Mapping[str, Indicators] = {
        "address": {"address": addresses},
        "name": {"name": names},
        "uri": {"uri": [f"{name}/path/{n}?q={n}" for n, name in enumerate(names)]},
    }
    hosts = [f"host{n}.example{n % 1000}.com" for n in range(ENTRIES)]
    lists = {
        "addresses": ("address", (addresses[::2] * 9)[:ENTRIES]),
        "networks": ("address", [f"{ip.rpartition('.')[0]}.0/24" for ip in v4] * 2),
        "names": ("name", hosts),
        "uris": ("uri", [f"www{n % 7}.{host}/path" for n, host in enumerate(hosts)]),
    }
    # Live services: the work before any request is sent.
    live = {"virustotal": {"key": "x", "daily": "0"}, "otx": {"key": "x", "daily": "0"}}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for kind, (_, entries) in lists.items():
            (home / f"{kind}.txt").write_text("\n".join(entries) + "\n")
        for context, text in (("places", map(_place, range(PLACES))), ("nets", _networks())):
            (home / context).mkdir()
            name = "iploc.csv" if context == "places" else "networkcontext.csv"
            (home / context / name).write_text("".join(text))
        geo_db = load_settings().geo_db
        stages: dict[str, tuple[str, str, dict[str, object]]] = {
            "geo": ("geo", "address", {"geo_db": geo_db}),
            f"geo, iploc.csv of {PLACES:,}": ("geo", "address", {"context_dir": home / "places"}),
            "network context": ("network_context", "address", {"context_dir": home / "nets"}),
            **{
                f"list of {kind}": (
                    "reputation",
                    of,
                    {"services": {"feeds": {"mine": {"path": str(home / f"{kind}.txt")}}}},
                )
                for kind, (of, _) in lists.items()
            },
            "two live services": ("reputation", "address", {"services": live}),
        }
        for stage, (step, of, options) in stages.items():
            settings = load_settings(home=home, **options)
            enricher = load_enricher(step, settings)
            found = bench.in_turns(
                {
                    "load": lambda step=step, settings=settings: load_enricher(step, settings),
                    "look up": lambda e=enricher, of=of: e.enrich(asked[of]),
                }
            )
            yield {
                "stage": stage,
                "load": seconds(found.seconds("load")),
                "indicators": f"{len(next(iter(asked[of].values()))):,}",
                "looked up": seconds(found.seconds("look up")),
            }


def _networks() -> Iterator[str]:
    yield from (f"{n % 223 + 1}.{n // 256 % 256}.{n % 256}.0/24,net {n}\n" for n in range(50_000))


def _place(number: int) -> str:
    """Return a line of iploc.csv, one of consecutive ranges of 2,048 addresses."""
    first = (1 << 24) + 2048 * number
    place = f'"US","United States","Ohio","City {number % 20_000}","39.96","-82.99","Owner","x.com"'
    return f'"{first}","{first + 2047}",{place}\n'
