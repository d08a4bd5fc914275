"""Allocations and endpoints in the database: set by anybody, followed by runs under way, refused where they are bad."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from core.base.errors import BrigadeError, ConfigError, UnknownError
from core.base.records import RunStatus
from core.base.views import AttemptView
from core.connections import PracticeServers
from core.pipeline.engine import Engine
from core.practice import PracticeProcess
from core.service import Service
from tests.service.conftest import RESTAURANTS, WORKLOAD, ZERO, Open, Server, until

ASPECT, TOTAL = "aspect_summary", "total_summary"
KEY = f"allocation.{WORKLOAD}.{ASPECT}"


@pytest.fixture(scope="module")
def second() -> Iterator[Server]:
    """Another server like `steady`."""
    with PracticeProcess("fixed", latency_s=0.1) as process:
        yield Server(process.url)


def calls(service: Service, run_id: str, stage: str = "") -> list[AttemptView]:
    found = [a for n in range(RESTAURANTS) for a in service.timeline(run_id, f"r{n}") if a.resource == "llm"]
    return sorted((a for a in found if stage in ("", a.stage)), key=lambda a: a.id)


def begun(service: Service, calls: int = 2, **options: Any) -> str:
    """A run that is under way."""
    run_id = service.start(WORKLOAD, "all", who="tester", llm_limit=2, **options)
    until(lambda: service.measures(run_id)["calls"]["llm"] >= calls)
    return run_id


def engine(service: Service, run_id: str) -> Engine:
    """The engine of a run of this service."""
    driver = service._launcher._live[run_id].driver
    assert driver is not None
    return driver.engine


def said(service: Service, stage: str, key: str) -> tuple[Any, str]:
    view = next(v for v in service.allocations(WORKLOAD) if (v.stage, v.key) == (stage, key))
    return view.value, view.source


# Allocations


def test_what_is_set_is_shown_kept_and_cleared(opened: Open) -> None:
    """It is stronger than the file, its history says who, and cleared the file holds again."""
    service = opened()
    service.set_allocation(WORKLOAD, ASPECT, "max_tokens", 99, who="ana")
    service.set_allocation(WORKLOAD, ASPECT, "fallback", ("practice-large", "extractive"), who="ana")
    service.set_allocation(WORKLOAD, "", "max_concurrent", "3", who="ana")
    assert said(service, ASPECT, "max_tokens") == (99, "database")
    assert said(service, ASPECT, "fallback") == (("practice-large", "extractive"), "database")
    assert said(service, "", "max_concurrent") == (3, "database")
    service.set_allocation(WORKLOAD, ASPECT, "max_tokens", None, who="bob")
    assert said(service, ASPECT, "max_tokens")[1] == "workload"
    assert [row[1:] for row in service.store.settings.history(f"{KEY}.max_tokens")] == [("99", "ana"), ("", "bob")]


@pytest.mark.parametrize(
    ("stage", "key", "value", "kind", "says"),
    [
        (ASPECT, "max_tokens", "0", ConfigError, f"{KEY}.max_tokens = '0': must be a whole number of 1"),
        (ASPECT, "temperature", 3, ConfigError, "must be a number from 0 to 2"),
        (ASPECT, "model", "no-such-model", UnknownError, "'no-such-model'.*practice-small"),
        (ASPECT, "fallback", "practice-large,nowhere", UnknownError, "'nowhere'"),
        (ASPECT, "colour", "red", UnknownError, "no 'colour'.*max_tokens"),
        ("search", "model", "practice-large", UnknownError, "'search'.*aspect_summary"),
        ("", "model", "practice-large", UnknownError, "itself; there is max_concurrent"),
    ],
)
def test_what_cannot_be_is_refused_when_it_is_set(
    opened: Open, stage: str, key: str, value: object, kind: type[BrigadeError], says: str
) -> None:
    """Nothing is written, and the error names the value and what there is."""
    service = opened()
    with pytest.raises(kind, match=f"(?s){says}"):
        service.set_allocation(WORKLOAD, stage, key, value, who="ana")
    assert service.store.settings.all("") == {}


def test_a_change_by_another_process_reaches_the_next_call(opened: Open, steady: Server) -> None:
    """Set through a second service, the very next calls of the running run use it, and the ledger says why."""
    first = opened(steady.endpoint)
    run_id = begun(first)
    second = opened(steady.endpoint)
    second.set_allocation(WORKLOAD, ASPECT, "max_tokens", 33, who="ana")
    context = engine(first, run_id).context
    until(lambda: context.allocate(context.workload.stage(ASPECT)).max_tokens == 33)
    known = len(calls(first, run_id, ASPECT))
    assert first.wait(run_id, 60).status is RunStatus.FINISHED
    tokens = [a.max_tokens for a in calls(first, run_id, ASPECT)]
    assert tokens[0] != 33
    assert tokens == sorted(tokens, key=lambda n: n == 33), "once changed it stays"
    assert set(tokens[known + 2 :]) == {33}, "two seats may have been taken before"
    assert {a.temperature for a in calls(first, run_id)} == {0.0}


def test_another_model_is_made_ready_beside_the_run(
    opened: Open, steady: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model whose server has yet to be started, which the loop does not wait for: then calls go there."""
    threads: list[str] = []
    start = PracticeServers.url

    def watched(self: PracticeServers, name: str, preset: str) -> str:
        threads.append(threading.current_thread().name)
        return start(self, name, preset)

    monkeypatch.setattr(PracticeServers, "url", watched)
    service = opened(steady.endpoint + ZERO.replace('"practice-small", ', ""))
    run_id = begun(service)
    assert threads == []
    service.control(run_id, "pause", who="ana")
    service.set_allocation(WORKLOAD, TOTAL, "model", "practice-large", who="ana")
    service.set_allocation(WORKLOAD, ASPECT, "model", "practice-large", who="ana")
    context = engine(service, run_id).context
    until(lambda: context.allocate(context.workload.stage(ASPECT)).model == "practice-large")
    service.control(run_id, "resume", who="ana")
    assert service.wait(run_id, 60).done == RESTAURANTS
    assert threads
    assert service._runtime._thread.name not in threads
    why = {(a.endpoint, a.model, a.why) for a in calls(service, run_id)}
    assert ("practice", "practice-large", "database") in why
    assert {e for e, _, _ in why} == {"practised", "practice"}


def test_limits_in_the_database_hold_at_once(opened: Open, steady: Server) -> None:
    """A workload's most, set under way, caps the run; taken back the run's own limit holds again."""
    service = opened(steady.endpoint)
    run_id = service.start(WORKLOAD, "all", who="tester", llm_limit=6)
    service.set_allocation(WORKLOAD, "", "max_concurrent", 1, who="ana")
    gate = engine(service, run_id).gates["llm"]
    until(lambda: gate.limit == 1)
    service.set_allocation(WORKLOAD, "", "max_concurrent", None, who="ana")
    until(lambda: gate.limit == 6)
    service.set_allocation(WORKLOAD, ASPECT, "max_concurrent", 2, who="ana")
    stage_gates = engine(service, run_id).context.stage_gates
    until(lambda: stage_gates[ASPECT].limit == 2)
    assert service.wait(run_id, 60).done == RESTAURANTS


def test_nonsense_written_by_hand_is_ignored_and_said(
    opened: Open, steady: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """A bad number and a model that nobody serves change nothing but the log."""
    service = opened(steady.endpoint)
    run_id = begun(service)
    with caplog.at_level(logging.WARNING), sqlite3.connect(service.store.path) as db:
        rows = [(f"{KEY}.max_tokens", "lots"), (f"{KEY}.model", "no-such-model"), ("endpoint.x", "nonsense")]
        db.executemany("INSERT INTO settings (key, value) VALUES (?, ?)", rows)
        db.commit()
        until(lambda: "no-such-model" in caplog.text)
        assert service.wait(run_id, 60).done == RESTAURANTS
    db.close()
    assert f"Setting {KEY}.max_tokens = 'lots' in the database is ignored: must be a whole number" in caplog.text
    assert "Endpoint 'x': the database holds 'nonsense'" in caplog.text
    assert {(a.model, a.why) for a in calls(service, run_id)} == {("practice-small", calls(service, run_id)[0].why)}


def test_a_control_outlives_the_session_with_its_name(opened: Open, steady: Server) -> None:
    """Resumed by somebody else, the calls still say whose control it was, and it is stronger than the database."""
    service = opened(steady.endpoint)
    run_id = begun(service)
    service.control(run_id, "max_tokens", f"{TOTAL}=44", who="ana")
    until(lambda: all(c.applied_at for c in service.controls(run_id)))
    service.stop(run_id, "enough", at_once=True)
    service.wait(run_id, 30)
    service.set_allocation(WORKLOAD, TOTAL, "max_tokens", 55, who="bob")
    service.resume(run_id, who="bob")
    assert service.wait(run_id, 60).done == RESTAURANTS
    assert {a.max_tokens for a in calls(service, run_id, TOTAL) if a.state == "ok"} >= {44}
    assert calls(service, run_id, TOTAL)[-1].max_tokens == 44
    kept = service.run(run_id).settings
    assert kept["controls"] == {f"{TOTAL}.max_tokens": {"value": "44", "who": "ana"}}
    assert kept["stages"][TOTAL]["sources"]["max_tokens"] == "control by ana"


# Endpoints


def test_one_endpoint_leaves_and_another_joins_while_a_run_goes_on(
    opened: Open, steady: Server, second: Server
) -> None:
    """No call is lost, none goes where none may go any more, the new one gets its share; servers and ledger agree."""
    before = steady.log()["calls"], second.log()["calls"]
    service = opened(steady.endpoint)
    run_id = begun(service, calls=4)
    service.set_endpoint("other", {"url": second.url, "models": ["practice-small"], "limit": 4}, who="ana")
    until(lambda: second.log()["calls"] > before[1] + 2)
    service.remove_endpoint("practised", who="ana")
    pool = engine(service, run_id).context.pool("practice-small")
    until(lambda: [lane.name for lane in pool.lanes] == ["other"])
    removed_at = len(calls(service, run_id))
    run = service.wait(run_id, 60)
    assert (run.status, run.done, run.failed) == (RunStatus.FINISHED, RESTAURANTS, 0)
    made = calls(service, run_id)
    assert {a.endpoint for a in made[removed_at + 2 :]} == {"other"}, "two seats may have been taken before"
    assert {a.state for a in made} == {"ok"}
    sent = Counter(a.endpoint for a in made)
    assert (steady.log()["calls"], second.log()["calls"]) == (
        before[0] + sent["practised"],
        before[1] + sent["other"],
    )


def test_endpoints_are_shown_with_where_they_stand(opened: Open) -> None:
    """Configured, changed, added and removed ones, and who may use them next."""
    service = opened(env={"POD_API_KEY": "canary-pod-key"})
    service.set_endpoint("pod", {"url": "https://pod.example/v1", "key_env": "POD_API_KEY", "models": ["q"]}, who="ana")
    service.set_endpoint("practice", {"limit": 3}, who="ana")
    service.remove_endpoint("extractive", who="ana")
    views = {view.name: view for view in service.endpoints()}
    assert (views["pod"].source, views["pod"].key_env, views["pod"].key_set) == ("database", "POD_API_KEY", True)
    assert (views["practice"].limit, views["practice"].source.endswith(", database")) == (3, True)
    assert views["extractive"].removed
    assert "canary-pod-key" not in repr(service.endpoints())
    assert ("q", "pod") in service.models()
    assert "extractive" not in dict(service.models())
    service.restore_endpoint("extractive", who="ana")
    service.set_endpoint("practice", {"limit": None}, who="ana")
    views = {view.name: view for view in service.endpoints()}
    assert not views["extractive"].removed
    assert (views["practice"].limit, views["practice"].source.endswith("database")) == (None, False)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"url": "http://169.254.169.254/latest"}, "link-local or metadata"),
        ({"url": "http://metadata.google.internal/v1"}, "link-local or metadata"),
        ({"url": "http://[fd00:ec2::254]/v1"}, "link-local or metadata"),
        ({"url": "file:///etc/passwd"}, "must be an address"),
        ({"kind": "callable", "function": "os:system", "models": ["m"]}, "configuration file only"),
        ({"url": "http://elsewhere/v1", "key_env": "OPENAI_API_KEY"}, "belongs to api.openai.com"),
    ],
)
def test_what_an_endpoint_may_not_be_is_refused(opened: Open, fields: dict[str, Any], says: str) -> None:
    """Nothing is written."""
    service = opened()
    with pytest.raises(ConfigError, match=says):
        service.set_endpoint("new", fields, who="ana")
    with pytest.raises(UnknownError, match="no endpoint 'new'; there are practice"):
        service.remove_endpoint("new", who="ana")
    assert service.store.settings.all("") == {}


def test_an_endpoint_is_asked_what_it_serves(opened: Open, steady: Server) -> None:
    """A server by its list, one that is not there by its error; also one that the database adds."""
    service = opened(steady.endpoint)
    service.set_endpoint("gone", {"url": "http://127.0.0.1:9/v1", "models": ["m"]}, who="ana")
    found = service.discover("practised")
    assert "practice-small" in found.models
    assert found.error == ""
    assert service.discover("gone").error
    with pytest.raises(UnknownError, match="'nowhere'"):
        service.discover("nowhere")


def test_a_run_uses_an_endpoint_that_only_the_database_knows(opened: Open, steady: Server) -> None:
    """Its model can be chosen at the start, and for a stage."""
    service = opened()
    service.set_endpoint("pod", {"url": steady.url, "models": ["practice-small"]}, who="ana")
    service.remove_endpoint("practice", who="ana")
    run_id = service.start(WORKLOAD, "2", who="tester")
    assert service.wait(run_id, 60).done == 2
    assert {a.endpoint for a in calls(service, run_id)} == {"pod"}
