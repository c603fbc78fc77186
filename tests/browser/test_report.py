"""A person can work with a day's report: in Chromium, from a file, without a network."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from analyst.report import write
from spot_oa.demo import DEMO_DATES
from spot_oa.settings import Settings
from tests.support.browser import screenshot
from tests.support.pages import (
    DATE,
    HOSTILE,
    NEXT,
    dns,
    flow,
    proxy,
    publish,
    publish_hostile,
    publish_many,
)

Open = Callable[..., Page]
ROWS = ".panel[data-p={}] tr[data-i]:visible"


@pytest.fixture
def opened(chromium: Browser) -> Iterator[Open]:
    """Opens a page; whatever it says, asks for or throws fails the test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_(path: Path, width: int = 1280, **given: object) -> Page:
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, offline=True, **given
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
        asked = path.as_uri()
        page.on(
            "request",
            lambda request: None if request.url == asked else complaints.append(request.url),
        )
        page.goto(asked)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert complaints == []


def small(settings: Settings) -> Path:
    """A day of a few rows that differ in all that can be sorted and filtered."""
    bad = "blocklist:MALICIOUS:3"
    rows = [
        flow(0, srcip="10.3.0.34", ibyt=900, proto="UDP"),
        flow(1, srcip="10.3.0.34", ibyt=10_000, dst_rep=bad, dstip="203.0.113.66"),
        flow(2, srcip="10.3.0.34", ibyt=None, dstip="198.51.100.3"),
        flow(3, srcip="10.3.0.35", ibyt=90, dstip="198.51.100.3"),
    ]
    edge = [{"tstart": "2016-07-08 01:02:33", "srcip": "10.3.0.35", "dstip": "198.51.100.3",
             "dport": port} for port in range(1, 16)]  # fmt: skip
    chords = [
        {"ip_threat": "10.3.0.34", "srcip": "10.3.0.34", "dstip": peer, "ibyt": 5}
        for peer in ("198.51.100.1", "203.0.113.66", "198.51.100.3")
    ]
    publish(settings, "flow", rows, edge=edge, chords=chords)
    publish(settings, "dns", [dns(), dns(ip_dst="10.3.0.34")])
    publish(settings, "proxy", [proxy()])
    return write(settings, DATE)


def ranks(page: Page, pipeline: str = "flow") -> list[str]:
    cells = page.locator(f"{ROWS.format(pipeline)} > td:first-child")
    return cells.all_inner_texts()


def test_rows_are_sorted_by_number_and_empty_ones_stay_last(
    settings: Settings, opened: Open
) -> None:
    page = opened(small(settings))
    head = page.locator(".panel[data-p=flow] th", has_text="bytes")
    head.click()
    assert ranks(page) == ["1", "0", "3", "2"]
    assert head.get_attribute("aria-sort") == "descending"
    head.click()
    assert ranks(page) == ["3", "0", "1", "2"]
    page.locator(".panel[data-p=flow] th", has_text="rank").click()
    assert ranks(page) == ["0", "1", "2", "3"]


def test_words_and_chips_filter_and_say_how_many_are_left(settings: Settings, opened: Open) -> None:
    page = opened(small(settings))
    page.keyboard.press("/")
    page.keyboard.type("10.3.0.34 -udp")
    assert ranks(page) == ["1", "2"]
    assert page.locator(".panel[data-p=flow] output").inner_text() == "2 of 4 rows"
    chip = page.get_by_role("button", name="known bad 1")
    chip.click()
    assert ranks(page) == ["1"]
    page.keyboard.press("Escape")
    assert ranks(page) == ["0", "1", "2", "3"]
    assert chip.get_attribute("aria-pressed") == "false"


def test_a_peer_of_a_picture_filters_all_tables_and_lights_up_everywhere(
    settings: Settings, opened: Open
) -> None:
    page = opened(small(settings))
    page.locator("svg.chord .mark[data-k='203.0.113.66'] text").first.click()
    assert ranks(page) == ["1"]
    assert page.locator("svg.network .mark.lit").get_attribute("data-k") == "203.0.113.66"
    assert page.locator("#pill").inner_text().startswith("Shown: 203.0.113.66 · 1 rows")
    page.keyboard.press("Escape")
    assert page.locator(".lit").count() == 0
    assert ranks(page) == ["0", "1", "2", "3"]


def test_a_row_opens_its_fields_and_the_raw_events_behind_it(
    settings: Settings, opened: Open
) -> None:
    page = opened(small(settings))
    page.locator(ROWS.format("flow")).nth(3).locator("td").nth(1).click()
    more = page.locator("tr.more")
    assert "15 raw events behind this row" in more.inner_text()
    assert more.locator("tbody tr").count() == 15
    assert "198.51.100.3" in more.locator("dl").first.inner_text()
    assert "as dstip" in more.locator("dl.known").inner_text()
    # What it says is for the command line, in its own words.
    command = more.locator("code").inner_text()
    assert command == f"spot-oa explain flow --date {DATE} --rank 3"
    page.locator(ROWS.format("flow")).nth(3).locator("td").nth(1).click()
    assert page.locator("tr.more").count() == 0


def test_the_keyboard_does_all_of_it(settings: Settings, opened: Open) -> None:
    page = opened(small(settings))
    first = page.locator(ROWS.format("flow")).first
    first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert page.locator("tr.open td").first.inner_text() == "1"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert ranks(page) == ["0", "1", "2"]
    page.keyboard.press("Escape")
    # A picture is one stop, its marks are reached by arrows.
    stops = page.locator("svg.soa, svg.soa *").evaluate_all(
        "all => all.filter(e => e.tabIndex === 0)"
    )
    assert len(stops) == page.locator("svg.soa").count()
    page.locator("svg.chord").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    focused = page.evaluate("document.activeElement.dataset.k")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")
    assert page.locator("#pill").inner_text().startswith(f"Shown: {focused}")


def test_all_can_be_read_without_a_script(settings: Settings, opened: Open) -> None:
    page = opened(small(settings), java_script_enabled=False)
    assert page.locator(ROWS.format("flow")).count() == 4
    assert page.locator("svg.chord:visible").count() == page.locator("svg.chord").count() > 0
    assert page.locator("input[type=search]:visible").count() == 0
    for kind in ("timeline", "network", "scores"):
        assert page.locator(f"svg.{kind}").is_visible(), kind
    for tab, pipeline, rows in (("DNS", "dns", 2), ("Web proxy", "proxy", 1)):
        page.locator(".tabs > label", has_text=tab).click()
        assert page.locator(f"{ROWS.format(pipeline)}:visible").count() == rows
    assert page.get_by_role("link", name="flow_scores.parquet").is_visible()
    assert page.get_by_role("link", name="manifest.json").count() == 3


@pytest.mark.parametrize("with_policy", [True, False])
@pytest.mark.parametrize("width", [1280, 390])
def test_hostile_text_runs_nothing_with_and_without_the_policy(
    settings: Settings, opened: Open, width: int, with_policy: bool
) -> None:
    publish_hostile(settings)
    path = write(settings, DATE)
    if not with_policy:
        text = path.read_text()
        path.write_text(re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text))
    page = opened(path, width)
    for tab, pipeline in enumerate(("flow", "dns", "proxy")):
        page.locator(".tabs > label").nth(tab).click()
        for row in page.locator(ROWS.format(pipeline)).all()[:8]:
            row.locator("td").first.click()
    page.evaluate(
        "for (const cell of document.querySelectorAll('tr[data-i]:not(.open) > td:first-child'))"
        " cell.click()"
    )
    assert page.locator("tr.more").count() == 3 * len(HOSTILE)
    page.locator("svg.chord .mark[data-k]").first.dispatch_event("click")
    assert page.locator("img, base, iframe, main script, main style").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_one_changed_byte_stops_the_script(settings: Settings, chromium: Browser) -> None:
    path = small(settings)
    path.write_text(path.read_text().replace('"use strict";', '"use  strict";'))
    context = chromium.new_context()
    page = context.new_page()
    page.goto(path.as_uri())
    assert page.evaluate("document.documentElement.className") == ""
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_page_does_not_scroll_sideways(
    settings: Settings, opened: Open, scheme: str
) -> None:
    page = opened(small(settings), 390, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator(ROWS.format("flow")).nth(3).locator("td").nth(1).click()
    assert page.locator("tr.more").is_visible()
    page.locator("label", has_text="DNS").click()
    page.locator(".panel[data-p=dns] input").fill("10.3.0.34")
    assert len(ranks(page, "dns")) == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_paper_has_all_tables_without_controls(settings: Settings, opened: Open) -> None:
    publish_many(settings)
    page = opened(write(settings, DATE))
    page.emulate_media(media="print")
    for pipeline in ("flow", "dns", "proxy"):
        assert page.locator(ROWS.format(pipeline)).count() == 100
    for control in ("nav", "input", "button", "select", "#pill"):
        assert page.locator(f"{control}:visible").count() == 0
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    # A column too narrow for its words makes rows as high as they have letters.
    pages = len(re.findall(rb"/Type /Page$", page.pdf(format="A4"), re.MULTILINE))
    assert 3 < pages <= 20


def test_pictures_are_as_large_on_a_narrow_page(settings: Settings, opened: Open) -> None:
    page = opened(small(settings), 390)
    for picture in page.locator("svg.soa").all():
        given, box = picture.get_attribute("width"), picture.bounding_box()
        assert box is not None
        assert box["width"] == float(given or 0)


def test_three_thousand_rows_are_sorted_and_filtered_at_once(
    settings: Settings, opened: Open
) -> None:
    publish_many(settings)
    page = opened(write(settings, DATE))
    took = page.evaluate("""() => {
        const panel = document.querySelector(".panel"), find = panel.querySelector("input");
        const timed = act => { const begin = performance.now(); act(); document.body.offsetHeight;
                               return performance.now() - begin; };
        return [timed(() => panel.querySelectorAll("th")[6].click()),
                timed(() => { find.value = "10.3 -udp"; find.dispatchEvent(new Event("input")); })];
    }""")
    # 300 ms on a machine that does nothing else.
    assert max(took) < 1500, took


def test_the_index_leads_to_the_days(settings: Settings, chromium: Browser) -> None:
    small(settings)
    publish(settings, "flow", [flow()], date=NEXT)
    folder = write(settings, NEXT).parent
    context = chromium.new_context(viewport={"width": 390, "height": 900})
    page = context.new_page()
    page.goto((folder / "index.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("link", name="2016-07-08").click()
    assert page.locator("h1").inner_text() == "Friday, 8 July 2016"
    page.get_by_role("link", name="2016-07-09 →").click()
    assert page.locator("h1").inner_text() == "Saturday, 9 July 2016"
    context.close()


def test_the_demo_shows_its_attacks_first(built: Settings, opened: Open) -> None:
    for date in DEMO_DATES:
        begin = time.perf_counter()
        path = write(built, date)
        assert time.perf_counter() - begin < 20
        assert path.stat().st_size < 1_000_000
        page = opened(path)
        hosts = page.locator("#first tbody tr").all_inner_texts()
        top = " ".join(hosts[:6])
        for attacker in ("10.1.0.23", "2001:db8:1:2::77", "10.3.0.44", "192.0.2.200"):
            assert attacker in top, (attacker, hosts)
        tree = page.locator("svg.tree").first.text_content() or ""
        assert "10.3.0.44" in tree
        assert "example.net (" in tree
        screenshot(page, f"report-{date}")
    # The scan of the second date: a row stands for the raw events of its pair and minute.
    scans = page.locator(".panel[data-p=flow] tr[data-i]", has_text="192.0.2.200")
    scans.filter(has_text="10.0.0.10").first.locator("td").first.click()
    opened_row = page.locator(".panel[data-p=flow] tr.more")
    assert "15 raw events behind this row" in opened_row.inner_text()
    heads = opened_row.locator("table.inner th").all_inner_texts()
    ports = opened_row.locator(f"table.inner td:nth-child({heads.index('dport') + 1})")
    assert ports.all_inner_texts() == [str(port) for port in range(1, 16)]
