"""Screenshots of pages."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

from tests.support.project import PROJECT

SCREENSHOTS = PROJECT / "target" / "screenshots"
"""Folder of the screenshots."""


def screenshot(page: Page, name: str) -> Path:
    """Store a screenshot of the full page."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    path = SCREENSHOTS / f"{name}.png"
    page.screenshot(path=path, full_page=True)
    return path
