"""A day's report and the cost of labels: sizes, times, and the page's load time in a browser."""

from __future__ import annotations

import gzip
import shutil
import statistics
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import sync_playwright

from analyst.report import write, written
from benchmarks.bench import DATE, WHOLE, Bench, seconds, spot_oa, steps
from spot_oa.demo import generate
from spot_oa.settings import Settings, load_settings

ROWS = (200, 1000, 3000)
"""Numbers of suspicious events per pipeline."""
EVENTS = 20_000
_LOAD = "(() => performance.getEntriesByType('navigation')[0].loadEventEnd)()"


def measure(bench: Bench) -> Iterator[dict[str, str]]:
    """Measure the page of a day of all three pipelines, by suspicious events per pipeline."""
    for rows in ROWS:
        settings = _published(bench, rows)
        built = bench.in_turns({"build": lambda settings=settings: write(settings, DATE)})
        page = written(settings.data_dir, DATE)
        size = page.stat().st_size
        yield {
            "rows per pipeline": f"{rows:,}",
            "build": seconds(built.seconds("build")),
            "page, kB": f"{size / 1000:,.0f}",
            "gzipped, kB": f"{len(gzip.compress(page.read_bytes())) / 1000:,.0f}",
            "load, s": seconds(_loaded(page, bench.runs)),
        }


def measure_labels(bench: Bench) -> Iterator[dict[str, str]]:
    """Measure an analyst's commands on that day, and its run without and with labels."""
    settings = _published(bench, ROWS[0])
    day = ("--date", str(DATE))
    run = ("run", "flow", *day, "--limit", str(ROWS[0]))
    label = ("label", "flow", *day, "--ranks", "0-9", "--severity", "low")
    refresh, reset = ("refresh", "flow", *day), ("reset", "flow", *day, "--yes")
    cases = {
        "run, no labels": run,
        "label, ten rows": label,
        "refresh": refresh,
        "run, ten rows labelled": run,
        "reset": reset,
        "refresh after it": refresh,
    }
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in cases}
    for _ in range(bench.runs + 1):
        settings.analyst_db.unlink(missing_ok=True)
        shutil.rmtree(settings.triage_dir, ignore_errors=True)
        for name, command in cases.items():
            output, used = spot_oa(settings, *command)
            rounds[name].append(used | {"labels": steps(output).get("labels", 0.0)})
    for name, found in rounds.items():
        middle = {key: statistics.median(one[key] for one in found[1:]) for key in found[0]}
        yield {
            "command": name,
            "seconds": seconds(middle["whole"]),
            "CPU time": seconds(middle["cpu"]),
            "of it the step `labels`, s": seconds(middle["labels"]) if middle["labels"] else "-",
        }


def _published(bench: Bench, rows: int) -> Settings:
    home = bench.folder / f"report-{rows}"
    whole = home / WHOLE
    if not whole.exists():
        shutil.rmtree(home, ignore_errors=True)
        generate(home, dates=[DATE], rows_per_day=EVENTS, suspicious=rows)
        spot_oa(load_settings(home=home), "run", "all", "--date", str(DATE), "--limit", str(rows))
        whole.touch()
    return load_settings(home=home)


def _loaded(page: Path, runs: int) -> float:
    """Return the median seconds in which headless Chromium loads the page."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        took = []
        for _ in range(runs + 1):
            shown = browser.new_page(viewport={"width": 1280, "height": 900})
            shown.goto(page.as_uri())
            took.append(float(shown.evaluate(_LOAD)) / 1000)
            shown.close()
        browser.close()
    return statistics.median(took[1:])
