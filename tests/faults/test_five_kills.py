"""A mixed run from the command line whose process is killed five times: the servers' logs tell what was paid twice."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from core.store import Store
from tests.cli.conftest import ASPECTS, Core, Ended
from tests.faults.counting_server import CountingServer
from tests.faults.test_mixed import unlucky
from tests.faults.world import assert_invariants, attempts, serving

SOAK = os.environ.get("BRIGADE_SOAK") == "1"
COUNT = 300 if SOAK else 60
KILLS = 5
LLM_LIMIT = 18
WORKLOAD = """
title = "Mixed"
item_kind = "restaurant"
[parts.aspect]
values = [
  { id = "service", title = "Service", phrasings = ["The service was quick."] },
  { id = "price", title = "Price", phrasings = ["The prices are fair."] },
  { id = "food", title = "Food", phrasings = ["The food was delicious."] },
]
[[stage]]
id = "search"
kind = "search"
each = "aspect"
[[stage]]
id = "aspect_summary"
kind = "llm"
each = "aspect"
after = ["search"]
prompt = "aspect"
model = "small"
max_tokens = 80
timeout_s = 3.0
[[stage]]
id = "total_summary"
kind = "llm"
after = ["aspect_summary"]
prompt = "total"
model = "large"
max_tokens = 80
timeout_s = 3.0
"""
PROMPTS = {"aspect": "About {{part}} of {{item}}:\n{{evidence}}", "total": "All of {{item}}:\n{{results}}"}
ENDPOINT = """
[[endpoint]]
name = "{name}"
url = "{url}"
models = ["{model}"]
price_input = "0.5"
price_output = "1.5"
{more}
"""


@dataclass
class Kitchen:
    """Three servers of the small model and one of the large, on a loop of their own."""

    servers: list[CountingServer]
    loop: asyncio.AbstractEventLoop

    @property
    def asked(self) -> int:
        return sum(len(server.log) for server in self.servers)

    def do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    def wait_for(self, true: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline, what
            time.sleep(0.005)


@contextmanager
def cooking() -> Iterator[Kitchen]:
    """The servers, with faults of every kind, while the block lasts."""
    servers = [CountingServer(latency_s=0.12 if n < 3 else 0.05) for n in range(4)]
    for seed, server in enumerate(servers):
        server.decide = unlucky(seed)
    up, down = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def main() -> None:
        async with serving(servers):
            up.set()
            await down.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(main(),), daemon=True)
    thread.start()
    assert up.wait(10)
    try:
        yield Kitchen(servers, loop)
    finally:
        loop.call_soon_threadsafe(down.set)
        thread.join(20)
        loop.close()


def home(folder: Path, kitchen: Kitchen) -> tuple[Core, dict[str, str]]:
    """An imported database, the workload and the configuration; the command line on it and its environment."""
    (folder / "workloads").mkdir()
    (folder / "prompts").mkdir()
    (folder / "workloads" / "mixed.toml").write_text(WORKLOAD, encoding="utf-8")
    for name, user in PROMPTS.items():
        (folder / "prompts" / f"{name}.md").write_text(
            f"# System\nYou summarise.\n\n# User\n{user}\n", encoding="utf-8"
        )
    with (folder / "reviews.jsonl").open("w", encoding="utf-8") as file:
        for r in range(COUNT):
            for n, text in enumerate(ASPECTS):
                row = {"restaurant_id": f"r{r}", "restaurant_name": f"Restaurant r{r}", "review_id": f"v{n}"}
                file.write(json.dumps(row | {"text": f"{text} Visit {n} to place {r}."}) + "\n")
    models = ["small"] * 3 + ["large"]
    more = ["", "", "", f"tpm = {100_000 if SOAK else 60_000}"]
    (folder / "brigade.toml").write_text(
        "".join(
            ENDPOINT.format(name=f"e{n}", url=server.url, model=models[n], more=more[n])
            for n, server in enumerate(kitchen.servers)
        ),
        encoding="utf-8",
    )
    env = {"BRIGADE_CONFIG": str(folder / "brigade.toml"), "BRIGADE_WORKLOADS": str(folder / "workloads")}
    core = Core(folder / "b.db")
    assert core("import", folder / "reviews.jsonl", **env).code == 0
    return core, env


def killed_again_and_again(core: Core, env: dict[str, str], kitchen: Kitchen) -> tuple[Ended, list[int]]:
    """Start, kill and resume until the run is through; how it ended, and what each kill left open.

    The second server dies in the second session and returns in the third.
    """
    words: tuple[object, ...] = ("run", "--workload", "mixed", "--items", "all", "--llm-limit", LLM_LIMIT)
    left = []
    for kill in range(KILLS):
        process = core.start(*words, "--no-progress", **env)
        goal = kitchen.asked + 4 * COUNT // (KILLS + 2)
        kitchen.wait_for(lambda goal=goal: kitchen.asked >= goal, "the run is under way")  # type: ignore[misc]
        if kill == 1:
            kitchen.do(kitchen.servers[1].go_down())
            kitchen.wait_for(lambda goal=goal: kitchen.asked >= goal + 20, "the others go on")  # type: ignore[misc]
        if kill == 2:
            kitchen.do(kitchen.servers[1].come_back())
        process.kill()
        process.communicate()
        left.append(open_calls(core.db))
        words = ("run", "--resume", "last")
    return core.end(core.start(*words, "--json", **env), 300.0), left


def open_calls(db: Path) -> int:
    with Store.open(db) as store:
        rows = attempts(store, store.runs.view("last").id)
    return sum(row["state"] == "started" for row in rows)


@pytest.mark.timeout(900 if SOAK else 180)
def test_a_mixed_run_survives_five_kills(tmp_path: Path) -> None:
    """Every restaurant is done, no result twice, and what was asked again is what was in flight at the kills.

    5 % 500s, 3 % 429s, 2 % resets, 1 % garbage and some hangs on four servers, one of which dies and returns; the
    large model has a quota of tokens. The servers' logs equal the ledger, to the cent.
    """
    with cooking() as kitchen:
        core, env = home(tmp_path, kitchen)
        ended, left = killed_again_and_again(core, env, kitchen)
        assert ended.code == 0, ended.err
        told = ended.json
        assert (told["status"], told["done"], told["failed"], told["pending"]) == ("finished", COUNT, 0, 0)
        assert max(left) <= LLM_LIMIT
        with Store.open(core.db) as store:
            rows = attempts(store, told["run_id"])
            unsent = sum(r["state"] == "failed" and r["status"] is None and r["cost_nano"] is None for r in rows)
            assert_invariants(store, told["run_id"], kitchen.servers, unsent=unsent)
            orphans = sum(row["state"] == "orphaned" for row in rows)
            assert orphans <= sum(left)
            results = store.reports.results(told["run_id"], limit=100_000)
        assert len(results) == 7 * COUNT
        assert len(kitchen.servers[1].log) > COUNT // 4, "the server that returned is used again"
        print(f"{COUNT} restaurants, {KILLS} kills: {kitchen.asked} requests, {len(rows)} attempts, {orphans} orphans")
