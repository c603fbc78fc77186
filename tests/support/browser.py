"""Pictures of pages."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

from tests.support.project import PROJECT

SCREENSHOTS = PROJECT / "target" / "screenshots"
"""Where the pictures stay, to be looked at."""


def screenshot(page: Page, name: str) -> Path:
    """Keep a picture of the whole page."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    path = SCREENSHOTS / f"{name}.png"
    page.screenshot(path=path, full_page=True)
    return path
