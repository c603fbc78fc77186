"""A person works in the notebooks of a day: in a real JupyterLab, in Chromium."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from analyst.actions import Action
from analyst.day import Day
from analyst.notebooks.copies import render
from flows.run.runner import run_day
from spot_oa.dates import Slice
from spot_oa.demo import DEMO_DATES, generate
from spot_oa.settings import Settings, load_settings
from tests.support import labelled
from tests.support.browser import screenshot
from tests.support.lab import READY, Lab, jupyterlab, run_all, theme
from tests.support.markup import HOSTILE
from tests.support.report import Told

DATE = DEMO_DATES[0]
FLOW = Slice("flow", DATE)
PROXY = Slice("proxy", DATE)
Open = Callable[..., Page]
SOURCES = ".soa-lists > :first-child select"
ROWS = ".soa-triage .grid tbody tr"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home with a day of flow as a run leaves it, and a hostile one of proxy."""
    settings = load_settings(home=tmp_path_factory.mktemp("lab") / "home")
    generate(settings.home, pipelines=("flow",), rows_per_day=4000, suspicious=120)
    run_day(settings, "flow", DATE, Told())
    texts = [text for text in HOSTILE if text.strip()]
    rows = [dict.fromkeys(("fulluri", "clientip", "host", "useragent"), text) for text in texts]
    labelled.publish(settings, "proxy", rows, date=DATE)
    render(settings, PROXY)
    return settings


@pytest.fixture(scope="module")
def lab(
    home: Settings, chromium: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lab]:
    with jupyterlab(home, FLOW, tmp_path_factory.mktemp("jupyter")) as started:
        yield started


@pytest.fixture
def opened(lab: Lab, chromium: Browser) -> Iterator[Open]:
    """Opens a notebook and runs it; what it asks of other hosts, says or throws fails the test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_(
        part: Slice = FLOW,
        name: str = "Edge_Investigation",
        *,
        at: Lab = lab,
        **given: object,
    ) -> Page:
        context = chromium.new_context(viewport={"width": 1280, "height": 1000}, **given)
        contexts.append(context)
        page = context.new_page()
        page.on(
            "console",
            lambda message: complaints.append(message.text) if message.type == "error" else None,
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
        own = (at.origin, at.origin.replace("http", "ws"), "data:", "blob:")
        page.on(
            "request",
            lambda request: None if request.url.startswith(own) else complaints.append(request.url),
        )
        page.goto(at.url(part, name))
        run_all(page)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def day(home: Settings) -> Iterator[Day]:
    """The day as it is; what a test has scored is taken back."""
    opened = labelled.day(home, date=DATE)
    yield opened
    opened.reset(DATE.strftime("%Y%m%d"), with_stories=True)


def done(day: Day) -> list[Action]:
    """What was done since this test began."""
    return [each for each in day.actions() if each.seq > day.seen_seq]


def sources(page: Page) -> list[str]:
    return page.locator(f"{SOURCES} option").all_inner_texts()[1:]


def message(page: Page) -> str:
    return page.locator(".soa-edge .said").last.inner_text()


def keys(page: Page, *pressed: str) -> None:
    page.locator(".soa-triage .grid").focus()
    for key in pressed:
        page.keyboard.press(key)


def here(page: Page) -> int:
    return page.locator(ROWS).evaluate_all("rows => rows.findIndex(r => r.matches('.here'))")


# -- lists --------------------------------------------------------------------------------------


def test_an_analyst_scores_saves_and_finds_it_again(opened: Open, home: Settings, day: Day) -> None:
    page = opened()
    assert done(day) == []
    first = sources(page)[0]
    score = page.get_by_role("button", name="Score", exact=True)
    expect(score).to_be_disabled()
    page.locator(SOURCES).select_option(first)
    expect(page.locator(".soa-edge .preview")).to_contain_text("choose a severity")
    page.locator(".soa-edge").get_by_role("button", name="Low").click()
    expect(score).to_be_enabled()
    score.click()
    expect(page.locator(".soa-edge .said").last).to_contain_text("scored Low (action")
    assert first not in sources(page)
    (action,) = done(day)
    assert json.loads(action.selector or "") == {"srcip": first.replace("\xa0", "")}

    second = sources(page)[0]
    page.get_by_placeholder("Quick IP scoring").fill(second)
    expect(page.locator(SOURCES)).to_be_disabled()
    page.locator(".soa-edge").get_by_role("button", name="High").click()
    score.click()
    expect(page.locator(".soa-edge .said").last).to_contain_text("scored High (action")
    screenshot(page, "lab-scored")

    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".soa-edge .said").last).to_contain_text("up to date", timeout=READY)
    folder = home.triage_dir / "flow" / f"{DATE:%Y%m%d}"
    written = (folder / "ml_feedback.csv").read_text("utf-8").splitlines()
    assert len(written) == 1 + len([row for row in day.rows() if row.severity])
    assert json.loads((folder / "manifest.json").read_text("utf-8"))["last_seq"] == (
        done(day)[-1].seq
    )

    again = opened()
    assert not {first, second} & set(sources(again))
    expect(again.locator(".soa-triage .count")).to_contain_text(
        f"{sum(row.is_open for row in day.rows())} open"
    )


def test_two_people_at_once_lose_nothing_and_hear_of_each_other(
    opened: Open, home: Settings, day: Day, tmp_path: Path
) -> None:
    """Each has a JupyterLab and a browser of their own, and the same home."""
    bobs = home.model_copy(update={"author": "bob"})
    with jupyterlab(bobs, FLOW, tmp_path) as his_lab:
        hers, his = opened(), opened(at=his_lab)
        source = sources(hers)[0]
        assert sources(his)[0] == source
        for page, level in ((his, "Low"), (hers, "High")):
            page.locator(SOURCES).select_option(source)
            page.locator(".soa-edge").get_by_role("button", name=level).click()
            page.get_by_role("button", name="Score", exact=True).click()
            said = page.locator(".soa-edge .said").last
            expect(said).to_contain_text(f"scored {level} (action")
        # She had not seen that he was there first.
        expect(hers.locator(".soa-edge .said").last).to_contain_text("bob scored them Low")
        screenshot(hers, "lab-two-people")
        first, last = done(day)
        assert (first.author, first.severity, last.severity) == ("bob", 3, 1)
        assert last.author != "bob"
        row = next(row for row in day.rows() if row.row["srcip"] == source.replace("\xa0", ""))
        assert row.severity == 1
        his.get_by_role("button", name="Refresh", exact=True).click()
        expect(his.locator(".soa-triage tbody tr", has_text="High").first).to_be_visible()
        # Before its server is.
        his.context.close()


# -- keys ---------------------------------------------------------------------------------------


CELLS = "cells => cells.map(cell => [...cell.classList].filter(c => /^jp-.*Cell$/.test(c)).sort())"
"""The types of cells."""


def test_keys_score_all_of_a_source_as_one_action(opened: Open, day: Day) -> None:
    page = opened()
    cells = page.locator(".jp-Notebook .jp-Cell").evaluate_all(CELLS)
    source = str(day.published.rows[2]["srcip"])
    before = sources(page)
    keys(page, "j", "j", "a")
    expect(page.locator(".soa-triage .count")).to_contain_text("of this source selected")
    screenshot(page, "lab-keys")
    keys(page, "1")
    expect(page.locator(".soa-triage > .said")).to_contain_text("scored High (action")
    (action,) = done(day)
    assert json.loads(action.selector or "") == {"srcip": source}
    assert source not in sources(page)
    keys(page, "u")
    expect(page.locator(".soa-triage > .said")).to_contain_text("Undone")
    expect(page.locator(f"{SOURCES} option")).to_have_count(len(before) + 1)
    assert not any(row.severity for row in day.rows())
    # Lab's own `a`, `x`, `1` would have made, cut or turned cells.
    keys(page, "x", "x", "X")
    assert page.locator(".jp-Notebook .jp-Cell").evaluate_all(CELLS) == cells


def test_ten_rows_are_scored_with_a_dozen_keys(opened: Open, day: Day) -> None:
    page = opened()
    keys(page, *"xjxjxjxjxjxjxjxjxjx3")
    expect(page.locator(".soa-triage > .said")).to_contain_text("10 rows scored Low")
    assert [int(row.severity) for row in day.rows()[:11]] == [3] * 10 + [0]
    # The mark has moved on to the next open row.
    assert here(page) == 10


def test_details_belong_to_the_marked_row(opened: Open, day: Day) -> None:
    page = opened()
    keys(page, *["j"] * 50)
    side = page.locator(".soa-triage .side")
    expect(side).to_have_attribute("data-at", "50", timeout=READY)
    rank = side.locator("dt", has_text="rank").locator("+ dd")
    expect(rank).to_have_text(str(day.published.ranks[50]))
    keys(page, "k", "k", "k")
    expect(rank).to_have_text(str(day.published.ranks[47]))


def test_the_picture_is_one_tab_stop_and_enter_shows_the_rows_of_a_mark(
    opened: Open, day: Day
) -> None:
    page = opened()
    side = page.locator(".soa-triage .side")
    svg = side.locator("svg")
    while not svg.count():
        keys(page, "j")
        expect(side).to_have_attribute("data-at", str(here(page)), timeout=READY)
    assert svg.locator("[tabindex='0']").count() == 0
    total, before = page.locator(ROWS).count(), here(page)
    svg.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "End", "ArrowRight"):
        page.keyboard.press(key)
    mark = svg.locator(".mark").last
    expect(mark).to_be_focused()
    assert "none" not in mark.evaluate("mark => getComputedStyle(mark).outlineStyle")
    assert here(page) == before
    while (value := page.evaluate("document.activeElement.dataset.k")) is None:
        page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    assert page.locator(".soa-triage .find").input_value() == value
    assert 0 < page.locator(ROWS).count() < total
    assert all(value in text for text in page.locator(ROWS).all_inner_texts())
    expect(page.locator(".soa-triage .grid")).to_be_focused()
    page.keyboard.press("Escape")
    assert page.locator(ROWS).count() == total
    assert done(day) == []


def test_the_filter_types_and_escape_returns_to_the_rows(opened: Open, day: Day) -> None:
    page = opened()
    total = page.locator(ROWS).count()
    source = str(day.published.rows[0]["srcip"])
    keys(page, "/")
    page.keyboard.type(f"{source} -udp")
    assert page.locator(".soa-triage .find").input_value() == f"{source} -udp"
    assert 0 < page.locator(ROWS).count() < total
    assert all(source in text for text in page.locator(ROWS).all_inner_texts())
    page.keyboard.press("Escape")
    assert page.locator(ROWS).count() == total
    before = here(page)
    page.keyboard.press("j")
    assert here(page) == before + 1
    page.locator(".jp-Notebook .jp-MarkdownCell").first.click()
    page.keyboard.press("1")
    assert done(day) == []


# -- looks --------------------------------------------------------------------------------------

CONTRAST = """
(selector) => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (css) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = css;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b]
    .map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3] > 250) return colour;
    }
    return [255, 255, 255, 255];
  };
  return [...document.querySelectorAll(selector)]
    .filter((e) => e.textContent.trim() && e.getClientRects().length)
    .map((element) => {
      const style = getComputedStyle(element);
      const ink = rgba(element instanceof SVGElement ? style.fill : style.color);
      const [a, b] = [light(ink), light(behind(element))].sort((x, y) => y - x);
      return [Math.round(((a + 0.05) / (b + 0.05)) * 100) / 100, element.textContent.slice(0, 40)];
    });
}
"""
TEXTS = (
    ".soa-triage td, .soa-triage th, .soa-triage dd, .soa-triage dt, .soa-triage h4, "
    ".soa-triage i, .soa-triage kbd, .soa-triage .count, .soa-triage .help span, .soa text, "
    ".soa table.rows td, .soa table.rows th, .soa-panel.count, .soa-panel.preview, .soa-panel.said"
)


@pytest.mark.parametrize(
    ("browser", "shown"),
    [
        ("light", "dark"),
        ("dark", "light"),
        pytest.param("light", "light", marks=pytest.mark.thorough),
        pytest.param("dark", "dark", marks=pytest.mark.thorough),
    ],
)
def test_text_is_readable_whatever_the_browser_is(
    opened: Open, day: Day, shown: str, browser: str
) -> None:
    day.label_ranks([1, 2], "low")
    page = opened(color_scheme=browser)
    theme(page, shown)
    keys(page, "j", "x", "j")
    page.locator(".soa-triage").scroll_into_view_if_needed()
    expect(page.locator(".soa-triage .side")).to_have_attribute("data-at", "2")
    screenshot(page, f"lab-{shown}-in-a-{browser}-browser")
    found = page.evaluate(CONTRAST, TEXTS)
    assert len(found) > 500
    assert [each for each in found if each[0] < 4.5] == []


# -- threat investigation -----------------------------------------------------------------------


def test_a_story_is_found_out_and_written(opened: Open, home: Settings, day: Day) -> None:
    address = str(day.published.rows[0]["srcip"])
    day.label("ip", {"ip": address}, "high")
    page = opened(name="Threat_Investigation")
    page.locator(".soa-edge select").select_option(address)
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.locator(".soa-edge .said")).to_contain_text("two way", timeout=READY)
    for title in ("source IP per connections", "destination IP per bytes"):
        expect(page.locator(".soa h4", has_text=title)).to_be_visible()
    page.get_by_placeholder("Title").fill("Exfiltration")
    page.get_by_placeholder("What you found").fill("Line one\nline 'two'")
    page.get_by_role("button", name="Save story").click()
    expect(page.locator(".soa-edge .said")).to_contain_text("Story saved")
    (story,) = day.saved_stories()
    assert (story.anchor, story.title, story.text) == (
        address,
        "Exfiltration",
        "Line one\nline 'two'",
    )
    assert page.locator(".soa-edge select option").all_inner_texts()[1].startswith("✎")
    screenshot(page, "lab-threat")


# -- hostile text -------------------------------------------------------------------------------


def test_hostile_text_runs_nothing_and_is_not_typeset(
    opened: Open, home: Settings, tmp_path: Path
) -> None:
    day = labelled.day(home, "proxy", author=HOSTILE[0], date=DATE)
    for place, text in enumerate(HOSTILE):
        day.label_ranks([place % len(day.rows())], 1 + place % 3, note=text[:1999])
    formula = "$x^2$ \\(y\\)"
    day.save_story("uri", formula, "$x^2$ title", "<script>alert(1)</script> $y$")
    page = opened(PROXY)
    rows = page.locator(ROWS).count()
    keys(page, *["j"] * rows)
    expect(page.locator(".soa-triage .side")).to_have_attribute("data-at", str(rows - 1))
    for kind in (".soa-triage", ".soa table.rows"):
        assert page.locator(kind, has_text="$x^2$ \\(y\\)").count()
    assert page.locator("mjx-container").count() == 0
    inside = "img, iframe, script, base, meta, [onload], [onerror], [onmouseover], a[href^=java]"
    for area in (".soa-triage", ".soa-edge", ".soa"):
        assert page.locator(area).locator(inside).count() == 0
    screenshot(page, "lab-hostile")
    threat = opened(PROXY, "Threat_Investigation")
    assert threat.locator("mjx-container").count() == 0
    assert threat.locator(".soa table.rows", has_text="$x^2$ title").count()
