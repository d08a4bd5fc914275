"""Services in folders of their own, on a small stock of restaurants, with practice servers over real HTTP."""

from __future__ import annotations

import json
import shutil
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.base.settings import load_settings
from core.practice import PracticeProcess
from core.service import Service

RESTAURANTS = 8
WORKLOAD = "restaurant-reviews"
SENTENCES = (
    "The service was quick and the staff were friendly.",
    "The prices are fair for what you get.",
    "The food was delicious and the noodles tasted wonderful.",
)
SETTINGS = """
model = "practice-small"
[search]
embedder = "hash"
"""
ZERO = """
[[endpoint]]
name = "practice"
kind = "practice"
preset = "zero"
models = ["practice-small", "practice-large"]
"""


def until(true: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


@dataclass(frozen=True)
class Server:
    """A practice server behind the `openai` kind of endpoint, whose own log can be asked."""

    url: str

    @property
    def endpoint(self) -> str:
        prices = 'price_input = "0.15"\nprice_output = "0.60"'
        return f'[[endpoint]]\nname = "practised"\nurl = "{self.url}"\nmodels = ["practice-small"]\n{prices}\n'

    def log(self) -> dict[str, Any]:
        """Its own call log so far."""
        with urllib.request.urlopen(self.url.replace("/v1", "/practice/log"), timeout=10) as reply:
            told: dict[str, Any] = json.loads(reply.read())
        return told

    def since(self, before: dict[str, Any]) -> dict[str, Decimal]:
        """What its log has grown by."""
        now = self.log()
        names = ("calls", "ok", "input_tokens", "output_tokens", "cost_usd")
        return {name: Decimal(str(now[name])) - Decimal(str(before[name])) for name in names}


@pytest.fixture(scope="session")
def steady() -> Iterator[Server]:
    """A server that takes a tenth of a second for each call, however many there are."""
    with PracticeProcess("fixed", latency_s=0.1) as process:
        yield Server(process.url)


Open = Callable[..., Service]


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Open]:
    """Opens services on one empty database; at the end they are closed and no thread of theirs is left."""
    before = set(threading.enumerate())
    opened: list[Service] = []

    def open_one(endpoints: str = ZERO, search: str = "", env: dict[str, str] | None = None, **cli: object) -> Service:
        config = tmp_path / f"{len(opened)}.toml"
        config.write_text(SETTINGS + search + endpoints, encoding="utf-8")
        given = {"db": tmp_path / "b.db", **cli}
        settings = load_settings(config=config, env=env or {}, cli=given, dotenv=None)
        opened.append(Service.open(settings, env or {}))
        return opened[-1]

    yield open_one
    for service in opened:
        service.close(5.0)
    until(lambda: not set(threading.enumerate()) - before, 5.0)


@pytest.fixture(scope="session")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an operator's own restaurants, imported and indexed once for all tests."""
    folder = tmp_path_factory.mktemp("stock")
    file = folder / "reviews.jsonl"
    with file.open("w", encoding="utf-8") as out:
        for r in range(RESTAURANTS):
            for n in range(6):
                row = {"restaurant_id": f"r{r}", "restaurant_name": f"Place {r}", "review_id": f"v{n}"}
                out.write(json.dumps(row | {"text": f"{SENTENCES[n % 3]} Visit {n} to place {r}."}) + "\n")
    config = folder / "stock.toml"
    config.write_text(SETTINGS, encoding="utf-8")
    home = folder / "db"
    settings = load_settings(config=config, env={}, cli={"db": home / "b.db"}, dotenv=None)
    with Service.open(settings, {}) as service:
        service.import_file(file)
    return home


@pytest.fixture
def opened(fresh: Open, stock: Path, tmp_path: Path) -> Open:
    """Opens services on one copy of the stock."""
    shutil.copytree(stock, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.ballast"))
    return fresh
