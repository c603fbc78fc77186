"""Chromium for the tests that look at what a person looks at."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium without a profile, a screen and a network of its own."""
    program = shutil.which("chromium")
    if program is None:
        assert "CI" not in os.environ, "CI looks at pages in Chromium: .ci/run installs it"
        pytest.skip("no chromium here (Debian's package)")
    expect.set_options(timeout=30_000)  # milliseconds; a busy machine needs more than the usual 5 s
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ],
        )
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A page of a context of its own, as wide as a laptop's screen."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()
