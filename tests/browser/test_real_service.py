"""The whole thing: `streamlit run app.py` over a new database, the sample restaurants, a run, its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import ROOT, free_port, wait_until_up

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
RUNNING = "Closing or reloading this page does not touch the run."
FINISHED = "Everything is done."
INTERRUPTED = "The process was asked to end"


class Console:
    """A dashboard process that can be ended and started again on the same database."""

    def __init__(self, database: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {**os.environ, "BRIGADE_DB": str(database)}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        options = ["--server.port", str(self.port), "--server.fileWatcherType", "none"]
        command = [sys.executable, "-m", "streamlit", "run", "app.py", *options]
        self.process = subprocess.Popen(command, cwd=ROOT, env=self.environment)
        wait_until_up(self.url, self.process)

    def end(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout=60)
            self.process = None


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    made = Console(tmp_path / "brigade.db")
    made.start()
    yield made
    made.end()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 1000}, locale="en-US")
    yield context.new_page()
    context.close()


def start_all(page: Page, console: Console, *, model: str, slowly: bool = False) -> None:
    """Open the dashboard for the first time, wait for the samples, start all restaurants."""
    page.goto(console.url)
    start = page.get_by_role("button", name="Start with")
    expect(start).to_be_visible(timeout=90_000)
    page.get_by_role("combobox", name="Model").click()
    page.get_by_role("option", name=model).click()
    if slowly:
        page.get_by_role("slider").first.focus()
        page.keyboard.press("Home")
        page.wait_for_timeout(1500)
    start.click()
    expect(page.get_by_text(RUNNING).or_(page.get_by_text(FINISHED)).first).to_be_visible(timeout=60_000)


def test_the_first_start_imports_samples_and_a_run_ends_with_quoted_evidence(console: Console, page: Page) -> None:
    start_all(page, console, model="extractive")
    expect(page.get_by_text(FINISHED)).to_be_visible(timeout=90_000)
    page.get_by_role("link", name="Results").click()
    expect(page.get_by_text("Total summary")).to_be_visible(timeout=30_000)
    expect(page.locator("[data-testid=stCode]").first).to_be_visible()
    page.get_by_role("link", name="Costs").click()
    expect(page.locator("h1")).to_have_text("Costs")
    assert page.locator("[data-testid=stException]").count() == 0


def test_ending_the_server_drains_the_run_and_another_server_goes_on_with_it(console: Console, page: Page) -> None:
    start_all(page, console, model="practice-small", slowly=True)
    page.wait_for_timeout(2000)
    link = page.url
    console.end()
    console.start()
    page.goto(link)
    expect(page.get_by_text(INTERRUPTED)).to_be_visible(timeout=30_000)
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text(RUNNING)).to_be_visible(timeout=30_000)
