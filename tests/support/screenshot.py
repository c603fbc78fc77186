"""Take the screenshots of the demo for README and docs: `make screenshot`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from analyst.notebooks.copies import update
from analyst.report import write, written
from spot_oa.dates import Slice
from spot_oa.demo import DEMO_DATES
from spot_oa.settings import Settings, load_settings
from tests.support.lab import jupyterlab, run_all

REPORT = Path("docs/report.png")
SCORE = Path("docs/notebook-score.png")
THREAT = Path("docs/notebook-threat.png")


def main(program: str) -> None:
    """Take the screenshots with this Chromium."""
    settings = load_settings()
    write(settings, DEMO_DATES[-1])
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 1310}, color_scheme="light")
        page.goto(written(settings.data_dir, DEMO_DATES[-1]).as_uri())
        page.screenshot(path=REPORT)
        _notebooks(settings, browser, Path(folder))
        browser.close()


def _notebooks(settings: Settings, browser: Browser, folder: Path) -> None:
    # The demo has scored a few rows of its first day.
    part = Slice("flow", DEMO_DATES[0])
    update(settings, part)
    with jupyterlab(settings, part, folder) as lab:
        page = browser.new_page(viewport={"width": 1280, "height": 1180}, color_scheme="light")
        page.goto(lab.url(part))
        run_all(page)
        page.keyboard.press("Control+b")
        grid = page.locator(".soa-triage .grid")
        grid.focus()
        for key in "jjja":
            grid.press(key)
        page.locator(".soa-triage .side[data-at='3']").wait_for()
        _seen(page, ".soa-edge")
        page.screenshot(path=SCORE)
        page.goto(lab.url(part, "Threat_Investigation"))
        run_all(page)
        page.keyboard.press("Control+b")
        # The client that uploads at night.
        option = page.locator(".soa-edge select option", has_text="10.1.0.23").first
        page.locator(".soa-edge select").select_option(option.get_attribute("value"))
        page.get_by_role("button", name="Search", exact=True).click()
        page.locator(".soa table.rows", has_text="connections").first.wait_for()
        page.locator(".jp-CodeCell", has_text="panel.preview()").click()
        page.keyboard.press("Control+Enter")
        page.locator(".soa .branches").wait_for()
        _seen(page, ".soa-edge")
        page.screenshot(path=THREAT)


def _seen(page: Page, selector: str) -> None:
    """Scroll the notebook to the cell with this panel."""
    page.locator(f".jp-CodeCell:has({selector})").evaluate("cell => cell.scrollIntoView()")
    page.mouse.move(1, 1)
    page.wait_for_timeout(500)


if __name__ == "__main__":
    main(sys.argv[1])
