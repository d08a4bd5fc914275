"""Import, run, show, export: the whole chain through real processes."""

from __future__ import annotations

import contextlib
import csv
import json
import signal
import sqlite3
import time
from pathlib import Path

from tests.cli.conftest import RESTAURANTS, Core, Ended, reviews
from tests.cli.model_server import ModelServer

RUN_KEYS = {
    "run_id", "status", "selected", "done", "failed", "refused", "no_reviews", "pending", "wall_s", "cpu_s",
    "first_result_s", "median_result_s", "calls", "retries", "rate_limited", "fallbacks", "tokens", "cost_usd",
    "time_saved_s", "peak", "limit", "rss_mb",
}  # fmt: skip
EXPORT_KEYS = ["item_id", "item_name", "stage", "part", "text", "evidence", "flags", "model", "cost_usd"]


def test_an_import_tells_what_it_took_and_what_was_bad(imported: tuple[Path, Ended]) -> None:
    """Good rows are imported though two are bad; the bad ones are told by line, and the command succeeds."""
    told = imported[1].json
    assert imported[1].code == 0
    assert (told["imported"], told["bad_count"], told["restaurants"]) == (RESTAURANTS * 3, 2, RESTAURANTS)
    assert [bad["line"] for bad in told["bad"]] == [RESTAURANTS * 3 + 1, RESTAURANTS * 3 + 2]


def test_the_chain(core: Core, tmp_path: Path) -> None:
    """A run's JSON, its listing, its details and its exports agree."""
    ran = core("run", "--items", 5, "--llm-model", "extractive", "--json", "--quiet")
    assert (ran.code, ran.err) == (0, "")
    told = ran.json
    assert set(told) >= RUN_KEYS
    assert (told["status"], told["selected"], told["done"], told["pending"]) == ("finished", 5, 5, 0)
    assert told["calls"] == {"search": 15, "llm": 20}

    shown = core("show", told["run_id"], "--json").json
    assert {key: shown[key] for key in told} == told
    assert [run["run_id"] for run in core("runs", "--json").json] == [told["run_id"]]

    rows = core("export", "last", "--format", "jsonl").lines
    assert len(rows) == 20
    assert all(list(row) == EXPORT_KEYS for row in rows)
    assert {row["stage"] for row in rows} == {"aspect_summary", "total_summary"}
    table = tmp_path / "out.csv"
    assert core("export", "last", "--out", table).code == 0
    with table.open(encoding="utf-8-sig", newline="") as file:
        assert len(list(csv.DictReader(file))) == 20
    assert not list(tmp_path.glob("*.part"))


def test_a_dry_run_checks_and_writes_nothing(core: Core, server: ModelServer) -> None:
    """It reaches the server, forecasts the calls, makes none and leaves no run."""
    told = core("run", "--items", 4, "--llm-url", server.url, "--dry-run", "--json")
    assert told.code == 0
    assert (told.json["items"], told.json["search_calls"], told.json["llm_calls"]) == (4, 12, 16)
    assert server.calls == 0
    assert core("runs", "--json").json == []


def test_a_run_through_a_server(core: Core, server: ModelServer) -> None:
    """The model is the one that the server offers, and what has no price costs null."""
    told = core("run", "--items", 3, "--llm-url", server.url, "--llm-limit", 2, "--json").json
    assert (told["done"], told["calls"]["llm"], server.calls) == (3, 12, 12)
    assert told["cost_usd"] is None
    assert told["limit"]["llm"] == 2
    assert told["peak"]["llm"] <= 2


def test_a_search_is_one_line_per_item_and_part(core: Core) -> None:
    """The lines stand in the items' order, each with the ranked sentences of its own restaurant."""
    found = core("search", "--items", "r03,r01", "--search-limit", 2)
    assert found.code == 0
    assert [(row["item_id"], row["part"]) for row in found.lines] == [
        (item, part) for item in ("r03", "r01") for part in ("service", "price", "food")
    ]
    ranked = [row["ranked"] for row in found.lines if row["ranked"]]
    assert ranked
    assert all(set(entry) == {"review_id", "text", "score"} for rows in ranked for entry in rows)
    assert all(rows == sorted(rows, key=lambda e: -e["score"]) for rows in ranked)


def test_failed_items_give_their_own_code(core: Core, server: ModelServer) -> None:
    """An item whose answers never parse fails alone: exit 3, and the first errors are told."""
    server.broken = "Place 1"
    ended = core("run", "--items", 3, "--llm-url", server.url, "--json", "--no-progress")
    assert ended.code == 3
    assert (ended.json["done"], ended.json["failed"]) == (2, 1)
    assert "failed: r01 (Place 1)" in ended.err


def test_a_budget_stops_the_run(core: Core, server: ModelServer, tmp_path: Path) -> None:
    """Exit 4, with what is left still pending and the way to go on."""
    config = tmp_path / "priced.toml"
    endpoint = f'[[endpoint]]\nname = "priced"\nurl = "{server.url}"\nmodels = ["test-model"]\n'
    config.write_text(f'model = "test-model"\n{endpoint}price_input = "10"\nprice_output = "30"\n')
    ended = core("run", "--config", config, "--budget", "0.03", "--json")
    assert ended.code == 4, ended.err
    assert ended.json["status"] == "budget"
    assert ended.json["pending"] > 0
    assert 0 < ended.json["cost_usd"] <= 0.03
    assert f"--resume {ended.json['run_id']}" in ended.err
    again = core("run", "--config", config, "--resume", "last", "--budget", 5, "--json")
    assert (again.code, again.json["pending"]) == (0, 0)


def test_a_key_that_is_refused_pauses_the_run(core: Core, server: ModelServer) -> None:
    """401 ends the command with exit 1, the reason and the way to resume; resumed without options it finishes."""
    server.status = 401
    ended = core("run", "--items", 4, "--llm-url", server.url, "--llm-limit", 2, "--json")
    assert ended.code == 1, ended.err
    assert ended.json["status"] == "paused"
    assert "401" in ended.err
    assert f"run --resume {ended.json['run_id']} --db" in ended.err
    assert server.calls <= 4
    server.status = 200
    again = core("run", "--resume", ended.json["run_id"], "--json")
    assert (again.code, again.json["done"]) == (0, 4)


def test_items_of_another_workload(empty: Core, tmp_path: Path) -> None:
    """A JSONL file of readings is registered for its workload, bad lines are told, and a run finds them."""
    cards = [{"id": f"c{n}", "position": "past", "card": "The Sun", "meaning": "joy"} for n in range(4)]
    file = tmp_path / "readings.jsonl"
    reading = {"id": "one", "name": "One", "question": "What now?", "cards": cards}
    file.write_text(json.dumps(reading) + "\nnot json\n", encoding="utf-8")
    told = empty("import", file, "--workload", "celtic-cross", "--json").json
    assert (told["items"], told["bad_count"], told["bad"][0]["line"]) == (1, 1, 2)
    ended = empty("run", "--workload", "celtic-cross", "--llm-model", "extractive", "--json")
    assert (ended.code, ended.json["selected"], ended.json["done"]) == (0, 1, 1)
    assert ended.json["calls"] == {"search": 0, "llm": 5}


def test_without_an_import_the_samples_are_run(empty: Core) -> None:
    """The first run on a new database registers the sample restaurants and says so."""
    ended = empty("run", "--items", 2, "--llm-model", "extractive")
    assert ended.code == 0
    assert "sample" in ended.err
    assert "2 done of 2" in ended.out


def wait_for_reviews(db: Path) -> None:
    """Wait until an import has taken in its first reviews."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with contextlib.suppress(sqlite3.OperationalError), contextlib.closing(sqlite3.connect(db)) as reader:
            if reader.execute("SELECT count(*) FROM reviews").fetchone()[0]:
                return
        time.sleep(0.005)
    raise AssertionError("no review came")


def test_an_interrupted_import_keeps_what_it_has(empty: Core, tmp_path: Path) -> None:
    """Ctrl-C ends an import with 130; the same command then goes on and everything is there."""
    file = reviews(tmp_path / "many.jsonl", restaurants=400, each=30)
    process = empty.start("import", file, "--json")
    wait_for_reviews(empty.db)
    process.send_signal(signal.SIGINT)
    ended = empty.end(process)
    assert ended.code == 130, ended.err
    assert ended.json["stopped"] is True
    again = empty("import", file, "--json")
    assert again.code == 0
    assert again.json["imported"] + again.json["unchanged"] == 12_000
