"""A real Chromium before a real Streamlit server over the fake service. Nothing here reaches another host."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Request, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass
class Site:
    """A running dashboard: its address and the commands its pages sent."""

    url: str
    dump: Path

    def commands(self) -> list[list[str]]:
        lines = self.dump.read_text(encoding="utf-8").splitlines() if self.dump.exists() else []
        return [json.loads(line) for line in lines]


@dataclass
class Visit:
    """A page with every request it made off its own origin."""

    page: Page
    site: Site
    strayed: list[str] = field(default_factory=list)

    def go(self, path: str) -> Page:
        self.page.goto(f"{self.site.url}/{path}")
        self.page.wait_for_selector("h1", timeout=30_000)
        self.page.wait_for_function("!document.querySelector('[data-testid=stStatusWidgetRunningIcon]')")
        self.page.wait_for_timeout(800)
        return self.page

    def note(self, request: Request) -> None:
        if request.url.startswith(("data:", "blob:", self.site.url)):
            return
        if urlsplit(request.url).netloc != urlsplit(self.site.url).netloc:
            self.strayed.append(request.url)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip("Chromium is missing: apt-get install chromium fonts-noto-cjk")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield chromium
        chromium.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_up(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(240):
        if process.poll() is not None:
            pytest.fail(f"the server ended with {process.returncode}")
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=1):
                return
        except OSError:
            time.sleep(0.25)
    pytest.fail("the server did not come up within a minute")


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Site]]:
    """`serve("full")`: one server for each scene; `serve("full", fresh=True)` a process of its own."""
    running: dict[str, tuple[Site, subprocess.Popen[bytes]]] = {}

    def serving(scene: str, *, fresh: bool = False) -> Site:
        key = f"{scene}-{len(running)}" if fresh else scene
        if key not in running:
            port = free_port()
            dump = tmp_path_factory.mktemp(key) / "sent.jsonl"
            command = [sys.executable, "-m", "tests.support.fake_app", scene, str(port), str(dump)]
            process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
            running[key] = (Site(f"http://127.0.0.1:{port}", dump), process)
            wait_until_up(running[key][0].url, process)
        return running[key][0]

    yield serving
    for _, process in running.values():
        process.send_signal(signal.SIGTERM)
    for _, process in running.values():
        process.wait(timeout=20)


@pytest.fixture
def visit(browser: Browser, serve: Callable[..., Site]) -> Iterator[Callable[..., Visit]]:
    """`visit("full")`: a new visitor of that scene; a request to another host fails the test."""
    visits: list[Visit] = []

    def visiting(
        scene: str, *, fresh: bool = False, locale: str = "en-US", theme: str = "light", width: int = 1440
    ) -> Visit:
        context = browser.new_context(
            viewport={"width": width, "height": 1000},
            locale=locale,
            color_scheme="dark" if theme == "dark" else "light",
        )
        made = Visit(context.new_page(), serve(scene, fresh=fresh))
        made.page.on("request", made.note)
        visits.append(made)
        return made

    yield visiting
    for made in visits:
        made.page.context.close()
        assert made.strayed == []
