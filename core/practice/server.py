"""The practice server: the HTTP face of the simulation."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from functools import partial
from urllib.parse import parse_qs

import orjson

from core.base.clock import SYSTEM_CLOCK, Clock
from core.practice.answers import Answers, Asked, BadRequest, error_body
from core.practice.batch import Batch
from core.practice.call import Call
from core.practice.faults import FAILED, Fate, Fates, outlet
from core.practice.http import Connection, Request
from core.practice.laws import Fixed, Instant, Job, Law
from core.practice.ledger import CallLog
from core.practice.presets import Preset
from core.practice.quota import Quota

TERSE = b"", dict[str, str]()
HEADERS = {"x-brigade-practice": "simulated", "server": "brigade-practice"}


def law_of(preset: Preset, now: float) -> Law:
    """The simulation of a preset."""
    if preset.law == "instant":
        return Instant()
    return Fixed(preset) if preset.law == "fixed" else Batch(preset, now)


class PracticeServer:
    """Answers /v1/chat/completions, /v1/models, /health, /metrics and /practice/log, at the preset's speed."""

    def __init__(self, preset: Preset, clock: Clock = SYSTEM_CLOCK) -> None:
        self.preset = preset
        self.clock = clock
        self.law = law_of(preset, clock.monotonic())
        self.log = CallLog(preset.prices)
        self.began = clock.monotonic()
        self._answers = Answers(preset)
        self._quota = Quota(preset, self.began)
        self._chance = random.Random(preset.seed)
        self._fates = Fates(preset)
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at: float | None = None
        self._connections: set[Connection] = set()
        self._routes: dict[str, Callable[[Request, Connection], None]] = {
            "/v1/chat/completions": self._complete,
            "/v1/models": self._models,
            "/health": self._health,
            "/metrics": self._metrics,
            "/practice/log": self._show_log,
        }

    async def listen(self, host: str, port: int) -> asyncio.Server:
        """Accept connections; the port is in the server's sockets."""
        loop = asyncio.get_running_loop()
        return await loop.create_server(lambda: Connection(self.handle, self._connections, HEADERS), host, port)

    def close(self) -> None:
        """Hang up on everybody."""
        if self._alarm:
            self._alarm.cancel()
        for connection in list(self._connections):
            connection.close()

    def handle(self, request: Request, connection: Connection) -> None:
        """Answer a request, now or when the simulation says so."""
        route = self._routes.get(request.path)
        if route is None:
            connection.send(404, error_body(f"There is no {request.path} here.", "not_found"))
        elif request.method != ("POST" if route == self._complete else "GET"):
            connection.send(405, error_body(f"{request.method} is not for {request.path}.", "method_not_allowed"))
        else:
            route(request, connection)

    def _complete(self, request: Request, connection: Connection) -> None:
        number, now = self.log.begin(), self.clock.monotonic()
        try:
            asked = self._answers.ask(request.body)
        except BadRequest as bad:
            self.log.end(number, "", "refused", bad.status, 0, 0, now - self.began, 0.0, False)
            connection.send(bad.status, bad.body)
            return
        usage = asked.reply.usage
        if rejection := self._rejection(usage.input_tokens + usage.output_tokens, now):
            self.log.end(number, asked.model, "rejected", 429, 0, 0, now - self.began, 0.0, asked.stream)
            connection.send(429, *(TERSE if self.preset.terse else rejection))
            return
        fate = self._fates.draw()
        on_end = partial(self._log_end, number, asked, now, fate)
        told = {} if self.preset.terse else self._quota.headers()  # as a gateway does: when it lets the call in
        call = Call(number, asked, outlet(fate, connection), told, on_end)
        if fate is Fate.HANG:
            later = asyncio.get_running_loop().call_later(self.preset.hang_s, self._begin, call, connection)
            connection.on_lost = partial(self._hung_up, call, later)
        else:
            self._begin(call, connection)

    def _begin(self, call: Call, connection: Connection) -> None:
        connection.on_lost = partial(self._abort, call)
        self._submit(call.job)

    def _hung_up(self, call: Call, later: asyncio.TimerHandle) -> None:
        later.cancel()
        call.abort()

    def _rejection(self, tokens: int, now: float) -> tuple[bytes, dict[str, str]] | None:
        """Why a call is rejected, and when to come again."""
        wait = self._quota.admit(tokens, now)
        if wait > 0:
            message = f"Rate limit reached for requests or tokens per minute. Please try again in {wait:.3f}s."
            headers = {"retry-after": f"{max(round(wait), 1)}", "retry-after-ms": f"{wait * 1000:.0f}"}
            return error_body(message, "rate_limit_exceeded", kind="requests"), headers | self._quota.headers()
        if self.preset.queue is not None and self.law.waiting >= self.preset.queue:
            body = error_body("Too many requests are waiting.", "queue_full", kind="overloaded")
            return body, {"retry-after": "1"} | self._quota.headers()
        if self.preset.stray and self._chance.random() < self.preset.stray:
            return error_body("Please try again.", "rate_limit_exceeded", kind="requests"), self._quota.headers()
        return None

    def _log_end(self, number: int, asked: Asked, began: float, fate: Fate, state: str) -> None:
        if state == "ok" and fate in FAILED:
            state = "failed"
        ok, usage = state == "ok", asked.reply.usage
        read, written = (usage.input_tokens, usage.output_tokens) if ok else (0, 0)
        seconds = self.clock.monotonic() - began
        status = 200 if ok else FAILED[fate] if state == "failed" else 499
        self.log.end(number, asked.model, state, status, read, written, began - self.began, seconds, asked.stream)

    def _submit(self, job: Job) -> None:
        self.law.submit(job, self.clock.monotonic())
        self._set_alarm()

    def _abort(self, call: Call) -> None:
        self.law.cancel(call.job, self.clock.monotonic())
        call.abort()
        self._set_alarm()

    def _set_alarm(self) -> None:
        """One timer for everything: the simulation's next event."""
        at = self.law.next_at
        if at == self._alarm_at and self._alarm:
            return
        if self._alarm:
            self._alarm.cancel()
        self._alarm_at, self._alarm = at, None
        if at is not None:
            self._alarm = asyncio.get_running_loop().call_later(max(at - self.clock.monotonic(), 0.0), self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self.law.advance(self.clock.monotonic())
        self._set_alarm()

    def _models(self, _: Request, connection: Connection) -> None:
        data = [
            {
                "id": name,
                "object": "model",
                "created": 0,
                "owned_by": "brigade-practice",
                "max_model_len": self.preset.context,
                "pricing": {
                    "input_per_million_usd": str(read),
                    "output_per_million_usd": str(written),
                    "simulated": True,
                },
            }
            for name, (read, written) in self.preset.prices.items()
        ]
        connection.send(200, orjson.dumps({"object": "list", "data": data}))

    def _health(self, _: Request, connection: Connection) -> None:
        state = {
            "status": "ok",
            "simulated": True,
            "note": "This is a practice server: its speed and its prices are simulated, its answers are extractive.",
            "preset": self.preset.name,
            "law": self.preset.title,
            "running": self.law.running,
            "waiting": self.law.waiting,
        }
        connection.send(200, orjson.dumps(state))

    def _metrics(self, _: Request, connection: Connection) -> None:
        values = {
            "vllm:num_requests_running": ("gauge", self.law.running),
            "vllm:num_requests_waiting": ("gauge", self.law.waiting),
            "vllm:num_preemptions": ("counter", self.law.preemptions),
            "vllm:num_preemptions_total": ("counter", self.law.preemptions),
        }
        lines = [
            f'# TYPE {name} {kind}\n{name}{{model_name="practice"}} {n:.1f}\n' for name, (kind, n) in values.items()
        ]
        connection.send(200, "".join(lines).encode(), kind="text/plain; version=0.0.4")

    def _show_log(self, request: Request, connection: Connection) -> None:
        most = parse_qs(request.query).get("entries", ["0"])[0]
        entries = self.log.entries(int(most) if most.isdecimal() else 0)
        told = {
            "preset": self.preset.name,
            "preemptions": self.law.preemptions,
            **self.log.summary(),
            "entries": entries,
        }
        connection.send(200, orjson.dumps(told))
