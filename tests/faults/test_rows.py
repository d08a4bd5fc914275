"""The table of faults, row by row: engine, driver and store over real HTTP; `World.play` asserts the invariants."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import sqlite3
import ssl
import subprocess
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from pathlib import Path

import pytest

from core.base.errors import RunError, SearchUnavailableError
from core.base.records import Evidence, Item, ModelReply, ModelRequest, Query, RunStatus
from core.base.workload import Workload
from core.pipeline.answers import Answer, read_text
from core.pipeline.driver import RunDriver
from core.pipeline.evidence import Inputs
from core.pipeline.plan import Plan as PipelinePlan
from core.pipeline.plan import expand
from core.store import Store
from tests.faults.counting_server import PRICES, CountingServer, Plan, Says
from tests.faults.world import Witness, World, attempts, story, until, workload_of
from tests.support.fakes import FakeSearcher
from tests.support.fault_server import (
    Fault,
    Received,
    drip,
    hang,
    oversized,
    reset,
    reset_in_body,
    reset_in_stream,
    response,
    stream,
)

CALLS = 12
KEY = "r1/price"
FAILED = "failed"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "b.db")


def error(status: int, message: str = "no", code: str = "", **headers: str) -> Fault:
    """An error as OpenAI writes it."""
    return response(status, {"error": {"message": message, "code": code, "type": code}}, **headers)


def finished(world: World, calls: int = CALLS, **states: int) -> None:
    """The run is finished with every restaurant done, after so many requests that ended so."""
    view = world.store.runs.view("run")
    assert (view.status, view.done, view.reason) == (RunStatus.FINISHED, world.count, "")
    assert len(world.server.log) == calls
    assert dict(world.states()) == {"ok": CALLS} | states


def one_failed(world: World, calls: int, said: str) -> None:
    """Only r1 failed, with a reason, after so many requests; the others are done."""
    view = world.store.runs.view("run")
    assert (view.status, view.done, view.failed) == (RunStatus.FINISHED, world.count - 1, 1)
    assert len(world.server.log) == calls
    item = next(row for row in world.store.catalogue.items("restaurant", run_id="run").rows if row.id == "r1")
    assert said in (item.error or "")


# Rejections


def in_two_seconds() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)


def slow_down(headers: Callable[[], dict[str, str]]) -> Plan:
    """A 429 whose headers are made as it is answered: a date means so long from then, however busy the machine is."""

    async def fault(received: Received, writer: asyncio.StreamWriter) -> None:
        await error(429, "slow down", **headers())(received, writer)

    return fault


@pytest.mark.parametrize(
    ("headers", "least_s"),
    [
        (lambda: {"retry_after": "0.3"}, 0.3),
        (lambda: {"retry_after_ms": "300"}, 0.3),
        (lambda: {"retry_after": in_two_seconds()}, 0.9),
    ],
    ids=["seconds", "milliseconds", "http-date"],
)
def test_a_rejected_call_waits_as_told_and_burns_no_try(
    world: World, headers: Callable[[], dict[str, str]], least_s: float
) -> None:
    """With a single try per call, a 429 is asked again no earlier than the server said, and the restaurant is done."""
    world.workload = workload_of(attempts=1)
    world.server.plan(KEY, slow_down(headers))
    world.play()
    finished(world, CALLS + 1, rate_limited=1)
    first, second = world.server.asked(KEY)
    assert second.at - first.at >= least_s


@pytest.mark.parametrize("told", ["-5", "nan", "inf", "Mon, 01 Jan 2001 00:00:00 GMT", "soon"])
def test_a_retry_after_that_makes_no_sense_is_a_back_off(world: World, told: str) -> None:
    """A moment that is past, NaN or words: the call backs off and is asked again."""
    world.server.plan(KEY, error(429, "slow down", retry_after=told))
    world.play()
    finished(world, CALLS + 1, rate_limited=1)


@pytest.mark.parametrize("headers", [{"retry_after": "900"}, {"retry_after_ms": "900000"}], ids=["seconds", "ms"])
def test_a_long_retry_after_pauses_the_run_and_says_when_it_goes_on(world: World, headers: dict[str, str]) -> None:
    """More than 120 s: the run is paused, its reason names the moment, and resumed it is finished."""
    world.server.plan(KEY, error(429, "slow down", **headers))
    before = datetime.now(UTC)
    view = world.play()
    assert (view.status, view.done < 3) == (RunStatus.PAUSED, True)
    moments = [before + timedelta(seconds=900 + late) for late in range(-1, 30)]
    assert any(f"{moment:%H:%M:%S} UTC" in view.reason for moment in moments), view.reason
    assert world.play(resumed=True).done == 3
    finished(world, CALLS + 1, rate_limited=1)


def test_a_spend_limit_pauses_and_is_never_retried(world: World) -> None:
    """A 429 that speaks of quota pauses the run; at most what was in flight is asked besides."""
    world.server.decide = lambda _: error(429, "You exceeded your current quota", "insufficient_quota")
    view = world.play()
    assert view.status is RunStatus.PAUSED
    assert "spend limit" in view.reason
    assert 1 <= len(world.server.log) <= world.llm_limit
    assert view.cost_usd in (None, Decimal(0))


def test_a_stray_rejection_slows_nobody(tmp_path: Path) -> None:
    """One 429 in thirty, without a word of when: no cascade is seen, nobody is paced, and everything is done."""
    world = World(tmp_path / "b.db", count=15)
    world.server.decide = lambda _: error(429) if len(world.server.log) % 30 == 15 else None
    view = world.play()
    assert (view.done, view.measures["rate_limited"]) == (15, 2)
    (lane,) = world.drivers[0].engine.context.pool("m").lanes
    assert (lane.rates.events, lane.rates.pace) == (0, None)


def test_a_cascade_of_rejections_slows_all_callers_once(tmp_path: Path) -> None:
    """A server that rejects for a while: one event, calls are held, every restaurant is done and no try is burnt."""
    world = World(tmp_path / "b.db", count=4, llm_limit=8, workload=workload_of(attempts=1))
    began: list[float] = []

    def decide(_: object) -> Plan | None:
        began.append(time.monotonic())
        return error(429, "slow down", retry_after_ms="200") if began[-1] - began[0] < 0.3 else None

    world.server.decide = decide
    assert world.play().done == 4
    (lane,) = world.drivers[0].engine.context.pool("m").lanes
    assert lane.rates.events >= 1
    assert world.states()["rate_limited"] <= 24


# Faults of a server


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 529])
def test_a_server_fault_is_tried_again(world: World, status: int) -> None:
    """One fault costs one more request and nothing else."""
    world.server.plan(KEY, error(status, "overloaded"))
    world.play()
    finished(world, CALLS + 1, failed=1)


def test_a_call_is_tried_three_times_in_each_of_two_passes(tmp_path: Path) -> None:
    """A call that always fails: its restaurant is failed with the server's words, the others are done."""
    world = World(tmp_path / "b.db", count=12)
    world.server.plan(KEY, *[error(500, "kitchen fire")] * 20)
    world.play()
    one_failed(world, 47 + 5, "kitchen fire")
    assert len(world.server.asked(KEY)) == 6


def test_a_restaurant_that_ran_out_of_tries_is_done_in_the_second_pass(world: World) -> None:
    """Three faults of one call: it is asked a fourth time at the end, and nothing that was done is asked again."""
    world.server.plan(KEY, *[error(500, "kitchen fire")] * 3)
    view = world.play()
    finished(world, CALLS + 3, failed=3)
    assert view.measures["second_pass"] == 1
    assert max(len(world.server.asked(key)) for key in ("r1/service", "r1/food", "r1/")) == 1


def test_an_outage_is_waited_out(tmp_path: Path) -> None:
    """Every connection drops and the port is closed for more than a second: all is done once the server is back."""
    world = World(tmp_path / "b.db", count=8)
    world.server.latency_s = 0.03

    async def scene(world: World, _: RunDriver) -> None:
        await until(lambda: len(world.server.log) >= 10, "the run is under way")
        await world.server.go_down()
        await asyncio.sleep(1.2)
        await world.server.come_back()

    view = world.play(scene)
    assert (view.status, view.done, view.failed) == (RunStatus.FINISHED, 8, 0)
    assert world.unsent >= 1


def test_a_server_that_answers_503_for_a_while_is_waited_out(tmp_path: Path) -> None:
    """Half a second of 503s opens the breaker: it is probed, not hammered, and everything is done."""
    world = World(tmp_path / "b.db", count=8)

    def decide(_: object) -> Plan | None:
        log = world.server.log
        return error(503) if len(log) > 10 and log[-1].at - log[10].at < 0.5 else None

    world.server.decide = decide
    view = world.play()
    assert (view.status, view.done, view.failed) == (RunStatus.FINISHED, 8, 0)
    assert world.states()["failed"] <= 12


# Nobody there


def refused() -> str:
    """A port of this machine where nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{held.getsockname()[1]}/v1"


@pytest.mark.parametrize("url", [refused, lambda: "http://nobody.invalid/v1"], ids=["refused", "dns"])
def test_nobody_there_pauses_the_run(world: World, monkeypatch: pytest.MonkeyPatch, url: Callable[[], str]) -> None:
    """The breaker opens; after the longest outage the run is paused with the host's name, and nothing was paid."""
    monkeypatch.setattr("core.pipeline.pool.OUTAGE_S", 0.5)
    world.urls["m"] = url()
    view = world.play()
    assert (view.status, view.pending, view.cost_usd or 0) == (RunStatus.PAUSED, 3, 0)
    assert world.urls["m"].split("/")[2].split(":")[0] in view.reason
    assert world.unsent <= 12
    world.urls.clear()
    assert world.play(resumed=True).done == 3


def test_nobody_there_goes_to_the_next_model_of_the_chain(world: World) -> None:
    """With a fallback served elsewhere everything is done, and each text says that it came from the fallback."""
    world.chain = ("lost", "m")
    world.urls["lost"] = refused()
    assert world.play().done == 3
    assert {entry.model for entry in world.server.log} == {"m"}
    assert "fallback" in world.flags("r1")


def test_an_untrusted_certificate_pauses_at_once(world: World, tmp_path: Path) -> None:
    """A self-signed server gets no request; the reason names the host."""
    if not shutil.which("openssl"):
        pytest.skip("openssl makes the certificate")
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")]
    subprocess.run(["openssl", *words.split(), *files], check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    world.server = CountingServer(tls=tls)
    world.servers = (world.server,)
    view = world.play()
    assert (view.status, view.pending, world.server.log) == (RunStatus.PAUSED, 3, [])
    assert "127.0.0.1" in view.reason
    assert "certificate" in view.reason
    assert world.unsent <= world.llm_limit


# Connections that break, and servers that take their time


def reserved_kept(world: World, count: int) -> bool:
    """Whether that many calls failed with their reservation as cost, for nobody knows whether they are billed."""
    rows = [row for row in attempts(world.store, "run") if row["state"] == FAILED]
    return len(rows) == count and all(row["cost_nano"] == row["reserved_nano"] > 0 for row in rows)


@pytest.mark.parametrize("fault", [reset, reset_in_body], ids=["before", "in-body"])
def test_a_reset_is_tried_once_more_and_keeps_its_cost(world: World, fault: Plan) -> None:
    """Billing is unknown: the reserved cost stays, and one more request gets the answer."""
    world.server.plan(KEY, fault)
    world.play()
    finished(world, CALLS + 1, failed=1)
    assert reserved_kept(world, 1)


def test_a_second_reset_of_a_call_fails_its_restaurant(world: World) -> None:
    """What may be billed twice already is not sent a third time in the same pass; each pass has two."""
    world.server.plan(KEY, *[reset_in_body] * 4)
    world.play()
    one_failed(world, 11 + 3, "")
    assert reserved_kept(world, 4)


@pytest.mark.parametrize("fault", [hang, drip], ids=["hang", "drip"])
def test_a_server_that_does_not_come_to_an_end_is_cut(world: World, fault: Plan) -> None:
    """Never a byte, or a byte now and then: the total deadline ends the call, its cost stays, one more is sent."""
    world.workload = workload_of(timeout_s=1.0)
    world.server.plan(KEY, fault)
    world.play()
    finished(world, CALLS + 1, failed=1)
    assert reserved_kept(world, 1)


def test_a_stream_that_breaks_off_is_no_answer(tmp_path: Path) -> None:
    """A reset after the first event: half a text is not accepted, the call is sent once more."""
    world = World(tmp_path / "b.db", stream=True)
    world.server.plan(KEY, reset_in_stream)
    world.play()
    finished(world, CALLS + 1, failed=1)
    assert reserved_kept(world, 1)


# Answers that are none

GARBAGE = {
    "cut-off": response(200, b'{"choices": [{"message": {"content": "All g'),
    "not-json": response(200, b"<html>welcome</html>"),
    "no-choices": Says({"choices": []}, good=False),
    "empty": Says(choice={"message": {"role": "assistant", "content": ""}}, good=False),
    "error-in-200": response(200, {"error": {"message": "the engine died"}}),
    "oversized": oversized(declared=False),
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_an_answer_that_is_none_is_tried_once_more(world: World, garbage: Plan) -> None:
    """An answer is only an answer when it parses: one more request, and the restaurant is done."""
    world.server.plan(KEY, garbage)
    world.play()
    finished(world, CALLS + 1, failed=1)


def test_an_error_inside_a_stream_is_no_answer(tmp_path: Path) -> None:
    """A 200 whose stream holds an error: one more request, and the restaurant is done."""
    world = World(tmp_path / "b.db", stream=True)
    world.server.plan(KEY, stream({"error": {"message": "the engine died"}}, done=False))
    world.play()
    finished(world, CALLS + 1, failed=1)


def test_garbage_twice_goes_to_the_next_model(world: World) -> None:
    """After one retry the next model of the chain is asked; the text says so."""
    world.chain = ("m", "big")
    world.server.plan(KEY, *[GARBAGE["cut-off"]] * 2)
    world.play()
    finished(world, CALLS + 2, failed=2)
    assert [entry.model for entry in world.server.asked(KEY)] == ["m", "m", "big"]
    assert "fallback" in world.flags("r1", "price")


def test_a_fallback_takes_a_permit_and_is_paid_as_the_model_that_it_is(world: World) -> None:
    """The dear model's call is reserved and paid at its own price, waits for the run's one permit, and is flagged."""
    world.chain, world.llm_limit = ("m", "dear"), 1
    world.server.plan(KEY, *[GARBAGE["cut-off"]] * 2)
    world.play()
    finished(world, CALLS + 2, failed=2)
    rows = [row for row in attempts(world.store, "run") if (row["item_id"], row["parts"]) == ("r1", '["price"]')]
    first, _, last = rows
    assert (last["model"], last["reserved_nano"]) == ("dear", 10 * first["reserved_nano"])
    assert last["cost_nano"] > first["reserved_nano"]
    assert world.drivers[0].engine.gates["llm"].peak == 1
    assert [place.peak for place in world.out.values()] == [1]
    assert "fallback" in world.flags("r1", "price")


def test_a_fallback_that_the_budget_does_not_allow_is_not_asked(tmp_path: Path) -> None:
    """There is money for the first model's calls, not for one of the dear model's: the run ends there, within it."""
    world = World(tmp_path / "b.db", count=1, llm_limit=1, chain=("m", "dear"))
    world.budget = PRICES.ceiling("", 2000, 200)
    world.server.plan("r0/service", *[GARBAGE["cut-off"]] * 2)
    view = world.play()
    assert (view.status, {entry.model for entry in world.server.log}) == (RunStatus.BUDGET, {"m"})
    assert "The budget of" in view.reason


def test_garbage_twice_without_another_model_fails_the_restaurant(world: World) -> None:
    """Without a fallback the restaurant is failed after its second pass, and only that one."""
    world.server.plan(KEY, *[GARBAGE["cut-off"]] * 4)
    world.play()
    one_failed(world, 11 + 3, "not JSON")


CUT = Says(choice={"finish_reason": "length"})
CUT_SHORT = Says(choice={"finish_reason": "length", "message": {"content": "The [1]"}})


def kept(world: World) -> str:
    """The text of the call that is cut."""
    return next(r.text for r in world.store.reports.results("run", "r1") if r.part == "price" and r.text)


def test_an_answer_that_was_cut_by_its_length_is_asked_for_once_more(world: World) -> None:
    """finish_reason length: one more request with twice the tokens, whose answer is kept and needs no flag."""
    world.server.plan(KEY, CUT_SHORT)
    world.play()
    finished(world, CALLS + 1, ok=CALLS + 1)
    assert world.flags("r1", "price") == ()
    assert kept(world).startswith("Verdict")
    rows = [row for row in attempts(world.store, "run") if (row["item_id"], row["parts"]) == ("r1", '["price"]')]
    assert [row["max_tokens"] for row in rows] == [80, 160]


def test_an_answer_that_is_cut_twice_says_so(world: World) -> None:
    """There is no third request; the longer text is kept, whichever it is, and flagged `truncated`."""
    world.server.plan(KEY, CUT, CUT_SHORT)
    world.play()
    finished(world, CALLS + 1, ok=CALLS + 1)
    assert world.flags("r1", "price") == ("truncated",)
    assert kept(world).startswith("Verdict")


@pytest.mark.parametrize("fault", [error(500), error(400, "maximum context length", "context_length_exceeded")])
def test_a_cut_answer_is_better_than_none(world: World, fault: Plan) -> None:
    """Where the second request comes to nothing, what was cut is what there is, and the restaurant is done."""
    world.server.plan(KEY, CUT, *[fault] * 3)
    assert world.play().done == 3
    assert world.flags("r1", "price") == ("truncated",)


def test_a_cut_answer_is_kept_where_the_budget_does_not_allow_another(tmp_path: Path) -> None:
    """Twice the room would pass the budget: no second request, the run finishes within it."""
    world = World(tmp_path / "b.db", count=1, llm_limit=1)
    world.server.plan("r0/", CUT)
    world.play()
    paid = world.store.runs.view("run").cost_usd
    last = attempts(world.store, "run")[3]
    assert paid is not None
    before = paid - Decimal(sum(row["cost_nano"] for row in attempts(world.store, "run")[3:])) / 10**9
    tight = World(tmp_path / "c.db", count=1, llm_limit=1, budget=before + Decimal(last["reserved_nano"]) / 10**9)
    tight.server.plan("r0/", CUT)
    view = tight.play()
    assert (view.status, view.done, len(tight.server.log)) == (RunStatus.FINISHED, 1, 4)
    assert "truncated" in tight.flags("r0")


@pytest.mark.parametrize(
    "refusal",
    [
        Says(choice={"finish_reason": "content_filter"}, good=False),
        Says(choice={"message": {"role": "assistant", "content": None, "refusal": "I cannot"}}, good=False),
        error(400, "filtered", "content_filter"),
    ],
    ids=["filter", "refusal", "400"],
)
def test_a_refusal_is_not_retried_and_the_total_names_the_gap(world: World, refusal: Plan) -> None:
    """One request for the refused aspect; the total is told that nothing stands there, and the restaurant is done."""
    world.server.plan(KEY, refusal)
    view = world.play()
    assert (view.done, len(world.server.log)) == (3, CALLS)
    assert world.states() == {"ok": 11, "refused": 1}
    (total,) = world.server.asked("r1/")
    assert "[price] (nothing found)" in total.prompt


def test_what_one_model_refuses_may_be_asked_of_the_next(world: World) -> None:
    """Where the workload says so: one request to the fallback, no retry, and the text is flagged for review."""
    world.workload, world.chain = workload_of(fallback_on_refusal=True), ("m", "big")
    world.server.plan(KEY, Says(choice={"finish_reason": "content_filter"}, good=False))
    world.play()
    finished(world, CALLS + 1, refused=1)
    assert [entry.model for entry in world.server.asked(KEY)] == ["m", "big"]
    assert "fallback" in world.flags("r1", "price")


def test_a_restaurant_of_which_all_is_refused_is_refused(world: World) -> None:
    """Three refusals and no total: the item is `refused`, and nothing more is spent on it."""
    for part in ("service", "price", "food"):
        world.server.plan(f"r1/{part}", Says(choice={"finish_reason": "content_filter"}, good=False))
    view = world.play()
    assert (view.done, view.refused, len(world.server.log)) == (2, 1, CALLS - 1)


LONG = "This model's maximum context length is 20 tokens"


@pytest.mark.parametrize("status", [400, 413])
def test_a_prompt_that_is_too_long_is_trimmed_once(world: World, status: int) -> None:
    """The lowest-ranked evidence goes; what was used is on record, and the text says `trimmed`."""
    world.searcher = FakeSearcher(found=8)
    world.server.plan(KEY, error(status, LONG, "context_length_exceeded"))
    world.play()
    finished(world, CALLS + 1, failed=1)
    first, second = world.server.asked(KEY)
    assert ("table 7" in first.prompt, "table 7" in second.prompt, "table 3" in second.prompt) == (True, False, True)
    (result,) = [
        r for r in world.store.reports.results("run", "r1") if (r.stage, r.part) == ("aspect_summary", "price")
    ]
    assert len(result.evidence) == 4
    assert "trimmed" in result.flags


def test_a_prompt_that_is_too_long_even_trimmed_fails_its_restaurant(world: World) -> None:
    """Trimming happens once."""
    world.server.plan(KEY, *[error(400, LONG, "context_length_exceeded")] * 3)
    world.play()
    one_failed(world, 11 + 1, "maximum context length")


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_rejected_key_or_model_pauses_at_once(tmp_path: Path, status: int) -> None:
    """At most what was in flight is wasted; once it is put right the run is resumed and asks nothing twice."""
    world = World(tmp_path / "b.db", count=6)
    world.server.decide = lambda _: error(status, "who are you") if len(world.server.log) > 5 else None
    view = world.play()
    assert (view.status, view.pending > 0) == (RunStatus.PAUSED, True)
    assert str(status) in view.reason
    wasted = world.states()[FAILED]
    assert 1 <= wasted <= world.llm_limit
    world.server.decide = lambda _: None
    assert world.play(resumed=True).done == 6
    assert len(world.server.log) == 24 + wasted


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": float("nan"), "completion_tokens": 5},
        {"prompt_tokens": -7, "completion_tokens": 5},
        {"prompt_tokens": 12},
        None,
    ],
    ids=["nan", "negative", "half", "missing"],
)
def test_usage_that_is_nonsense_is_charged_at_its_upper_bound(world: World, usage: dict[str, float] | None) -> None:
    """The call costs what it can have cost at most, and says that this is an estimate."""
    world.server.plan(KEY, Says({"usage": usage}, good=False))
    world.play()
    finished(world)
    (row,) = [row for row in attempts(world.store, "run") if row["estimated"]]
    assert row["cost_nano"] == row["reserved_nano"]
    assert row["output_tokens"] == row["max_tokens"]


# Money


def test_a_budget_is_never_passed(tmp_path: Path) -> None:
    """The run stops with status `budget` before the call that might pass it; what is paid stays within."""
    world = World(tmp_path / "b.db", count=10, budget=PRICES.ceiling("", 1000, 1000))
    view = world.play()
    assert view.status is RunStatus.BUDGET
    assert view.pending > 0
    assert world.store.runs.view("run").cost_usd <= world.budget
    budget = world.drivers[0].engine.context.budget
    assert budget.settled <= world.budget


# Search


def test_a_search_that_is_down_for_a_moment_is_tried_again(world: World) -> None:
    """Two failures in a row of one search cost no restaurant."""
    assert isinstance(world.searcher, FakeSearcher)
    world.searcher.enqueue(*[SearchUnavailableError("Qdrant is away.")] * 2)
    world.play()
    finished(world)
    assert sum(row["state"] == FAILED for row in attempts(world.store, "run", "search")) == 2


class LostSearcher(FakeSearcher):
    """Finds everything for the first `good` restaurants and is away from then on."""

    def __init__(self, good: int) -> None:
        super().__init__()
        self.good = good

    async def search(self, item_id: str, queries: list[Query]) -> list[list[Evidence]]:  # type: ignore[override]
        self.asked.append(item_id)
        if int(item_id[1:]) >= self.good:
            raise SearchUnavailableError("Qdrant is away.")
        return [self._rows(item_id, q) for q in queries]


def test_a_search_that_stays_down_pauses_the_run(tmp_path: Path) -> None:
    """Five searches lost in a row pause the run with the reason; the searches that come back let it go on."""
    world = World(tmp_path / "b.db", count=12, searcher=LostSearcher(3))
    view = world.play()
    assert view.status is RunStatus.PAUSED
    assert "Qdrant is away" in view.reason
    assert view.failed <= 5
    assert view.pending >= 4
    world.searcher = FakeSearcher()
    assert world.play(resumed=True).pending == 0


def test_a_slow_search_is_cut_and_tried_again(tmp_path: Path) -> None:
    """A search that hangs is given up after its deadline; the second try answers."""

    class Slow(FakeSearcher):
        async def search(self, item_id: str, queries: list[Query]) -> list[list[Evidence]]:  # type: ignore[override]
            self.asked.append(item_id)
            if self.asked.count(item_id) == 1 and item_id == "r1":
                await asyncio.Event().wait()
            return [self._rows(item_id, q) for q in queries]

    world = World(tmp_path / "b.db", searcher=Slow(), search_timeout_s=0.3)
    world.play()
    finished(world)
    failed = [row for row in attempts(world.store, "run", "search") if row["state"] == FAILED]
    assert [row["item_id"] for row in failed] == ["r1"]


@pytest.mark.parametrize("broken", ["search", "model", "reading"])
def test_a_bug_in_a_client_fails_its_restaurant_and_closes_its_attempt(
    world: World, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """What no client should raise costs its own restaurant only; nothing is left open in the ledger."""
    if broken == "search":
        assert isinstance(world.searcher, FakeSearcher)
        world.searcher.enqueue(ValueError("the wheel came off"))
    elif broken == "reading":
        monkeypatch.setattr("core.pipeline.writing.read_text", stumbling)
        world.server.plan(KEY, Says(choice={"message": {"content": "stumble"}}))
    else:
        monkeypatch.setattr(Witness, "complete", once(Witness.complete, ValueError("the wheel came off")))
    view = world.play()
    assert (view.status, view.done, view.failed) == (RunStatus.FINISHED, 2, 1)


def stumbling(text: str, part: str, inputs: Inputs) -> Answer:
    """The reader of answers, with a bug."""
    if text == "stumble":
        raise ValueError("the wheel came off")
    return read_text(text, part, inputs)


def once(complete: Callable[..., Awaitable[ModelReply]], error: Exception) -> Callable[..., Awaitable[ModelReply]]:
    """The same, but for the first answer, which is lost to a bug."""
    errors = [error]

    async def wrapped(witness: Witness, request: ModelRequest) -> ModelReply:
        reply = await complete(witness, request)
        if errors:
            raise errors.pop()
        return reply

    return wrapped


def test_nothing_found_costs_nothing_and_the_total_says_so(world: World) -> None:
    """An aspect without evidence costs no call; the total names the gap."""
    world.searcher = FakeSearcher(empty=["price"])
    view = world.play()
    assert (view.done, len(world.server.log)) == (3, 9)
    assert all("[price] (nothing found)" in e.prompt for e in world.server.log if e.key.endswith("/"))


def test_a_restaurant_of_which_nothing_is_found_has_no_reviews(world: World) -> None:
    """Nothing found at all: `no_reviews`, and not one model call."""
    world.searcher = FakeSearcher(empty=["service", "price", "food"])
    view = world.play()
    assert (view.no_reviews, view.done, world.server.log) == (3, 0, [])


# The store, the lease, the operator


def fill(store: Store) -> None:
    """Let the database grow no further."""

    def job(db: sqlite3.Connection) -> None:
        db.execute(f"PRAGMA max_page_count = {db.execute('PRAGMA page_count').fetchone()[0]}")

    store._writer.run(job)


def test_a_full_disk_stops_paid_calls_and_loses_no_result(tmp_path: Path) -> None:
    """Nothing is asked once the disk is full; what was in flight is taken in from the spill, and the run is resumed.

    The resumed run equals one that was never interrupted, and only calls that never came to an end are asked again.
    """
    straight = World(tmp_path / "a.db", count=20)
    straight.play()
    world = World(tmp_path / "b.db", count=20)
    world.server.latency_s = 0.05

    async def scene(world: World, driver: RunDriver) -> None:
        await until(lambda: len(world.server.log) >= 8, "the run is under way")
        await asyncio.to_thread(fill, world.store)
        await until(world.store.failed.is_set, "the disk is full")
        asked = len(world.server.log)
        await asyncio.sleep(0.3)
        assert len(world.server.log) <= asked + world.llm_limit

    view = world.play(scene, check=False)
    assert view.status is RunStatus.PAUSED
    assert "disk" in view.reason or "full" in view.reason
    seen = world.store.runs.view("run")
    assert (seen.status, seen.reason, seen.owner_alive) == (RunStatus.PAUSED, view.reason, False)
    world.store.close()
    paid = sum(entry.usage is not None for entry in world.server.log)
    world.store = Store.open(world.path)
    assert world.store.runs.view("run").status is RunStatus.PAUSED
    world.check()
    kept = world.states()
    assert kept["ok"] + kept["started"] >= paid
    world.drivers.clear()
    assert world.play(resumed=True).done == 20
    assert story(world.store) == story(straight.store)
    assert len(world.server.log) - 80 <= world.states()["orphaned"] <= world.llm_limit


def test_a_database_that_another_process_locks_is_waited_for(world: World) -> None:
    """A write lock that somebody holds for a while delays the run, and costs it nothing."""
    world.server.latency_s = 0.02

    async def scene(world: World, driver: RunDriver) -> None:
        await until(lambda: len(world.server.log) >= 3, "the run is under way")
        with contextlib.closing(sqlite3.connect(world.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            begun = len(attempts(world.store, "run"))
            await asyncio.sleep(0.4)
            assert len(attempts(world.store, "run")) == begun
            other.execute("ROLLBACK")

    world.play(scene)
    finished(world)


def test_machinery_that_breaks_is_a_crash_that_says_why_and_is_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What breaks the crew itself marks the run crashed with the reason; resumed, it equals one that went straight."""
    straight = World(tmp_path / "a.db", count=6)
    straight.play()
    world = World(tmp_path / "b.db", count=6)

    def breaking(workload: Workload, item: Item) -> PipelinePlan:
        if item.id == "r3":
            raise RuntimeError("the wheel came off")
        return expand(workload, item)

    monkeypatch.setattr("core.pipeline.crew.expand", breaking)
    view = world.play()
    assert (view.status, view.owner_alive) == (RunStatus.CRASHED, False)
    assert view.reason == "RuntimeError: the wheel came off"
    monkeypatch.setattr("core.pipeline.crew.expand", expand)
    cut = world.states()["cancelled"]
    assert world.play(resumed=True).done == 6
    assert story(world.store) == story(straight.store)
    assert len(world.server.log) <= 24 + cut


@pytest.mark.parametrize("attendant", ["_obey", "_measure", "_watch"])
def test_an_attendant_that_breaks_ends_the_run_as_crashed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attendant: str
) -> None:
    """Without whoever obeys, measures or watches nobody steers the run: it drains, is crashed, and is resumed."""
    world = World(tmp_path / "b.db", count=6)
    world.server.latency_s = 0.05

    async def breaking(self: RunDriver) -> None:
        await until(lambda: len(world.server.log) >= 4, "the run is under way")
        raise RuntimeError("the wheel came off")

    monkeypatch.setattr(RunDriver, attendant, breaking)
    view = world.play()
    assert (view.status, view.reason) == (RunStatus.CRASHED, "RuntimeError: the wheel came off")
    assert view.pending > 0
    assert world.states()["cancelled"] == 0
    monkeypatch.undo()
    assert world.play(resumed=True).done == 6
    assert len(world.server.log) == 24


def test_memory_pressure_holds_new_items_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the limit no new restaurant begins while others are in work; below it the run goes on and is done.

    Whoever looks at the run meanwhile is told.
    """
    monkeypatch.setattr("core.pipeline.driver.SAMPLE_S", 0.02)
    held = [10.0]
    monkeypatch.setattr("core.pipeline.memory_guard.rss_mb", lambda: held[0])
    world = World(tmp_path / "b.db", count=60)
    world.server.latency_s = 0.03

    def begun() -> int:
        return len({entry.key.split("/")[0] for entry in world.server.log})

    async def scene(world: World, driver: RunDriver) -> None:
        driver.engine.max_rss_mb = 100
        await until(lambda: begun() >= 6, "the run is under way")
        held[0] = 200.0
        await until(lambda: driver.engine.context.held_back, "memory is short")
        in_work = driver.engine.window + begun()
        await asyncio.sleep(0.5)
        assert begun() <= in_work
        said = world.store.runs.view("run")
        assert said.status is RunStatus.RUNNING
        assert said.reason.startswith("Memory is short: 200 MB of 100 MB are held.")
        await until(lambda: driver.engine.crew.busy <= 1, "the window is empty but for one", 20)
        held[0] = 10.0
        await until(lambda: not world.store.runs.view("run").reason, "there is room again")

    view = world.play(scene)
    assert (view.status, view.done, view.reason) == (RunStatus.FINISHED, 60, "")
    assert not world.drivers[0].engine.context.held_back


class JumpingClock:
    """The system's clock, whose wall time jumps."""

    def __init__(self) -> None:
        self.off_s = 0.0

    def wall(self) -> float:
        return time.time() + self.off_s

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@pytest.mark.parametrize("off_s", [86_400.0, -86_400.0], ids=["forward", "back"])
def test_a_clock_that_jumps_changes_nothing(world: World, off_s: float) -> None:
    """Wall time jumps by a day under way: timers are monotonic, the run is finished, and took seconds."""
    world.server.latency_s = 0.05
    clock = JumpingClock()

    async def scene(world: World, driver: RunDriver) -> None:
        driver.engine.clock = driver.engine.context.clock = clock
        await until(lambda: len(world.server.log) >= 4, "the run is under way")
        clock.off_s = off_s

    view = world.play(scene)
    finished(world)
    assert 0 < view.measures["wall_s"] < 30


def test_two_launches_of_one_run_do_its_work_once(world: World) -> None:
    """The second launch is told who owns the run; no call is made twice."""
    world.server.latency_s = 0.05

    async def scene(world: World, driver: RunDriver) -> None:
        await until(lambda: len(world.server.log) >= 2, "the first launch is under way")
        second = replace_owner(world, driver)
        with pytest.raises(RunError, match="here:1:a"):
            await second.drive()

    world.play(scene)
    finished(world)


def replace_owner(world: World, driver: RunDriver) -> RunDriver:
    """A second driver of the same run."""
    return RunDriver(world.store, replace(driver.order, owner="there:2:b"), driver.engine, driver.commands)


@pytest.mark.parametrize("how", ["cancel", "kill the task"])
def test_a_run_that_is_cut_off_leaks_nothing_and_goes_on(tmp_path: Path, how: str) -> None:
    """Calls in flight are cancelled with their cost kept; resumed, the run equals one that was left alone."""
    straight = World(tmp_path / "a.db", count=6)
    straight.play()
    world = World(tmp_path / "b.db", count=6)
    world.server.latency_s = 0.05

    async def scene(world: World, driver: RunDriver) -> None:
        await until(lambda: len(world.server.log) >= 9, "the run is under way")
        if how == "cancel":
            world.store.controls.send("run", "cancel", "", who="tester", reason="enough")
            return
        (running,) = [t for t in asyncio.all_tasks() if "drive" in repr(t.get_coro())]
        running.cancel()

    view = world.play(scene)
    assert view.status is (RunStatus.CANCELLED if how == "cancel" else RunStatus.INTERRUPTED)
    assert world.states()["cancelled"] >= 1
    cut = world.states()["cancelled"]
    assert world.play(resumed=True).done == 6
    assert story(world.store) == story(straight.store)
    assert len(world.server.log) <= 24 + cut
