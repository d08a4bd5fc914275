"""Which model does which stage, from a terminal: by environment variables, by the database, by controls."""

from __future__ import annotations

import json
import sqlite3
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from core.practice import PracticeProcess
from tests.cli.conftest import Core
from tests.cli.model_server import ModelServer

CELTIC = "CELTIC_CROSS_CARD_INTERPRETATION"
CELTIC_ENV = {
    f"{CELTIC}_MODEL": "practice-large",
    f"{CELTIC}_MAX_TOKENS": "333",
    f"{CELTIC}_TEMPERATURE": "0.7",
    f"{CELTIC}_MAX_CONCURRENT": "2",
    "CELTIC_CROSS_OVERALL_READING_MODEL": "practice-large",
    "CELTIC_CROSS_RELATIONSHIPS_MODEL": "practice-large",
    "CELTIC_CROSS_ADVICE_MODEL": "practice-large",
    "CELTIC_CROSS_ADVICE_FALLBACK": "practice-small",
    "CELTIC_CROSS_MAX_CONCURRENT": "3",
}
HOROSCOPE_ENV = {
    "HOROSCOPE_SIGN_HOROSCOPE_TEMPERATURE": "0.9",
    "HOROSCOPE_DAY_OVERVIEW_MAX_TOKENS": "99",
    "HOROSCOPE_MAX_CONCURRENT": "2",
}


class Servers:
    """Two practice servers of a tenth of a second a call, one for each model, in a configuration."""

    def __init__(self, folder: Path, small: PracticeProcess, large: PracticeProcess) -> None:
        self.small, self.large = small, large
        self.config = folder / "two.toml"
        endpoints = "".join(
            f'[[endpoint]]\nname = "{name}"\nurl = "{server.url}"\nmodels = ["practice-{name}"]\n'
            for name, server in (("small", small), ("large", large))
        )
        self.config.write_text(f'model = "practice-small"\n{endpoints}', encoding="utf-8")

    @staticmethod
    def log(server: PracticeProcess) -> Any:
        with urllib.request.urlopen(server.url.replace("/v1", "/practice/log"), timeout=10) as reply:
            return json.loads(reply.read())


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    with PracticeProcess("fixed", latency_s=0.1) as small, PracticeProcess("fixed", latency_s=0.1) as large:
        yield Servers(tmp_path, small, large)


def ledger(core: Core, workload: str) -> list[sqlite3.Row]:
    """The model calls of a workload's only run."""
    with closing(sqlite3.connect(core.db)) as db:
        db.row_factory = sqlite3.Row
        sql = "SELECT a.* FROM attempts a JOIN runs r ON r.id = a.run_id WHERE r.workload = ? AND a.resource = 'llm'"
        return db.execute(sql, (workload,)).fetchall()


def most_at_once(calls: list[sqlite3.Row]) -> int:
    """The most of these calls that were in flight together, by their own times."""
    moments = [(c["started_at"], 1) for c in calls] + [(c["started_at"] + c["service_s"], -1) for c in calls]
    found = most = 0
    for _, step in sorted(moments):
        found += step
        most = max(most, found)
    return most


def facts(calls: list[sqlite3.Row], stage: str) -> set[tuple[Any, ...]]:
    return {
        (c["endpoint"], c["model"], c["max_tokens"], c["temperature"], c["why"]) for c in calls if c["stage"] == stage
    }


def test_two_workloads_are_allocated_by_their_own_variables(empty: Core, servers: Servers) -> None:
    """Side by side on one database, each with its models, tokens, temperature and most in flight: the ledger and the
    servers' own logs agree, and each call says which variable chose its model."""
    common = ("--llm-limit", 8, "--no-progress", "--json", "--config", servers.config)
    assert empty("run", "--workload", "celtic-cross", "--dry-run", "--config", servers.config).code == 0  # the samples
    celtic = empty.start("run", "--workload", "celtic-cross", *common, **CELTIC_ENV)
    horoscope = empty.start("run", "--workload", "horoscope", *common, **HOROSCOPE_ENV)
    ended = empty.end(celtic), empty.end(horoscope)
    assert [e.code for e in ended] == [0, 0], [e.err for e in ended]
    assert [e.json["failed"] for e in ended] == [0, 0]
    assert ended[0].json["peak"]["llm"] <= 3
    assert ended[1].json["peak"]["llm"] <= 2

    calls = ledger(empty, "celtic-cross")
    chosen = f"environment {CELTIC}_MODEL"
    assert facts(calls, "card_interpretation") == {("large", "practice-large", 333, 0.7, chosen)}
    assert facts(calls, "overall_reading") == {
        ("large", "practice-large", 400, 0.0, "environment CELTIC_CROSS_OVERALL_READING_MODEL")
    }
    assert most_at_once([c for c in calls if c["stage"] == "card_interpretation"]) <= 2
    told = servers.log(servers.large)
    assert (told["calls"], told["peak_in_flight"] <= 3) == (len(calls), True)

    calls = ledger(empty, "horoscope")
    default = str(servers.config)
    assert facts(calls, "sign_horoscope") == {("small", "practice-small", 640, 0.9, default)}
    assert facts(calls, "day_overview") == {("small", "practice-small", 99, 0.0, default)}
    told = servers.log(servers.small)
    assert (told["calls"], told["peak_in_flight"] <= 2) == (len(calls), True)


def test_a_run_shows_why_each_call_went_where(empty: Core, servers: Servers) -> None:
    """`show --item --calls` has model, tokens, temperature, endpoint and reason of every request."""
    ended = empty("run", "--workload", "celtic-cross", "--items", 1, "--json", "--config", servers.config, **CELTIC_ENV)
    assert ended.code == 0, ended.err
    told = empty("show", "last", "--item", "reading-1", "--calls", "--json").json
    assert {(a["model"], a["max_tokens"], a["temperature"]) for a in told if a["stage"] == "card_interpretation"} == {
        ("practice-large", 333, 0.7)
    }
    assert {a["why"] for a in told} >= {f"environment {CELTIC}_MODEL", "environment CELTIC_CROSS_ADVICE_MODEL"}
    shown = empty("show", "last", "--item", "reading-1", "--calls")
    assert f"environment {CELTIC}_MODEL" in shown.out


def test_allocate_shows_changes_and_takes_back(shared: Core) -> None:
    """Values kept in the database are stronger than a variable, and say so with what lies beneath."""
    place = "restaurant-reviews.aspect_summary"
    variable = {"RESTAURANT_REVIEWS_ASPECT_SUMMARY_MAX_TOKENS": "77"}
    changed = shared("allocate", place, "model=practice-large", "max_tokens=200", "--json", **variable)
    assert changed.code == 0, changed.err
    found = {view["key"]: view for view in changed.json}
    assert (found["model"]["value"], found["model"]["source"]) == ("practice-large", "database")
    assert found["max_tokens"]["overridden"][0] == [77, "environment RESTAURANT_REVIEWS_ASPECT_SUMMARY_MAX_TOKENS"]
    cleared = shared("allocate", place, "--clear", "model", "--clear", "max_tokens", "--json", **variable)
    found = {view["key"]: view for view in cleared.json}
    assert found["max_tokens"]["value"] == 77
    assert found["model"]["source"] != "database"
    table = shared("allocate")
    assert table.code == 0
    assert all(word in table.out for word in ("celtic-cross", "card_interpretation", "horoscope", "temperature"))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("allocate pancakes model=m", "no workload 'pancakes'"),
        ("allocate celtic-cross.dessert model=practice-large", "no model stage 'dessert'"),
        ("allocate celtic-cross.advice model=no-such-model", "'no-such-model'"),
        ("allocate celtic-cross.advice max_tokens=0", "max_tokens = '0': must be a whole number of 1"),
        ("allocate celtic-cross.advice colour=red", "is not KEY=VALUE"),
        ("allocate celtic-cross model=practice-large", "there is max_concurrent"),
        ("endpoints --add x kind=callable function=os:system models=m", "configuration file only"),
        ("endpoints --add x url=http://169.254.169.254/v1", "link-local or metadata"),
        ("endpoints --remove nowhere", "no endpoint 'nowhere'"),
        ("endpoints limit=3", "--add NAME"),
        ("control last --max-tokens aspect_summary=many", "must be a whole number"),
        ("control last --temperature 0.5", "is not STAGE=T"),
    ],
)
def test_what_cannot_be_is_a_usage_error(shared: Core, words: str, says: str) -> None:
    """Exit 2, and the message names the value."""
    ended = shared(*words.split())
    assert ended.code == 2, ended.out
    assert says in ended.err


def test_endpoints_are_added_removed_and_restored(core: Core, server: ModelServer) -> None:
    """The table says where each stands; the doctor sees them too."""
    added = core("endpoints", "--add", "gpu2", f"url={server.url}", "models=test-model", "limit=8", "--json")
    assert added.code == 0, added.err
    found = {view["name"]: view for view in added.json}
    assert (found["gpu2"]["source"], found["gpu2"]["limit"], found["gpu2"]["models"]) == ("database", 8, ["test-model"])
    assert core("endpoints", "--discover", "gpu2", "--json").json["models"] == ["test-model"]
    removed = {view["name"]: view for view in core("endpoints", "--remove", "gpu2", "--json").json}
    assert removed["gpu2"]["removed"]
    restored = {view["name"]: view for view in core("endpoints", "--restore", "gpu2", "--json").json}
    assert not restored["gpu2"]["removed"]
    doctor = core("doctor", "--json").json
    assert ["endpoint.gpu2", "database"] in [[s["name"], s["source"]] for s in doctor["settings"]]
    assert any(v["stage"] == "advice" and v["key"] == "model" and v["source"] for v in doctor["allocations"])


def test_a_second_process_changes_a_running_run(core: Core, server: ModelServer) -> None:
    """Tokens by control, temperature by the database: both reach later calls, and the control is obeyed at once."""
    server.latency = 0.2
    process = core.start("run", "--llm-url", server.url, "--llm-limit", 2, "--no-progress", "--json")
    server.wait_for_calls(2)
    told = core("control", "last", "--max-tokens", "total_summary=44", "--max-concurrent", "aspect_summary=1", "--json")
    assert told.code == 0, told.err
    assert {c["outcome"] for c in told.json} == {"applied"}
    assert core("allocate", "restaurant-reviews.total_summary", "temperature=0.5").code == 0
    server.latency = 0.02
    ended = core.end(process)
    assert ended.code == 0, ended.err
    calls = [c for c in ledger(core, "restaurant-reviews") if c["stage"] == "total_summary"]
    assert (calls[-1]["max_tokens"], calls[-1]["temperature"]) == (44, 0.5)
