"""`make screenshot`: the picture of the demo's report that README shows."""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from analyst.report import write, written
from spot_oa.demo import DEMO_DATES
from spot_oa.settings import load_settings

PICTURE = Path("docs/report.png")


def main(program: str) -> None:
    """Write the picture of the last demo day, with this Chromium."""
    settings = load_settings()
    write(settings, DEMO_DATES[-1])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 1310}, color_scheme="light")
        page.goto(written(settings.data_dir, DEMO_DATES[-1]).as_uri())
        page.screenshot(path=PICTURE)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1])
