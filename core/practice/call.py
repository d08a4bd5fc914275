"""One completion on its way through the simulation to its client."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import orjson

from core.practice.answers import Asked
from core.practice.faults import Outlet
from core.practice.laws import Job

FINGERPRINT = "practice: simulated speed"
STREAM_GROUPS = 6


class Call:
    """Answers its client as the marks of its job come in; `on_end` is told how it ended: ok or aborted."""

    __slots__ = ("_asked", "_headers", "_on_end", "_outlet", "_sent", "_stamp", "job")

    def __init__(
        self,
        number: int,
        asked: Asked,
        outlet: Outlet,
        headers: Mapping[str, str],
        on_end: Callable[[str], None],
    ) -> None:
        self._asked = asked
        self._outlet = outlet
        self._headers = headers
        self._on_end = on_end
        self._sent = 0
        self._stamp = {
            "id": f"practice-{number}",
            "object": "chat.completion.chunk" if asked.stream else "chat.completion",
            "created": int(time.time()),
            "model": asked.model,
            "system_fingerprint": FINGERPRINT,
        }
        usage = asked.reply.usage
        self.job = Job(usage.input_tokens, usage.output_tokens, self._mark, STREAM_GROUPS if asked.stream else 0)

    def abort(self) -> None:
        """The client has gone."""
        self._on_end("aborted")

    def _mark(self, count: int) -> None:
        """So many tokens are out."""
        last = count >= self.job.output
        if last:
            self._on_end("ok")
        if self._asked.stream:
            self._stream(count, last=last)
        elif last:
            self._outlet.send(200, self._whole(), self._headers)

    def _usage(self) -> dict[str, int]:
        usage = self._asked.reply.usage
        read, written = usage.input_tokens, usage.output_tokens
        return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}

    def _whole(self) -> bytes:
        reply = self._asked.reply
        message = {"role": "assistant", "content": reply.text}
        choice = {"index": 0, "message": message, "finish_reason": reply.finish}
        return orjson.dumps({**self._stamp, "choices": [choice], "usage": self._usage()})

    def _stream(self, count: int, *, last: bool) -> None:
        """The text up to so many tokens; with the last of it the usage and the end."""
        if first := not self._sent:
            self._outlet.begin(self._headers)
        text = self._asked.reply.text
        upto = len(text) if last else max(len(text) * count // self.job.output, 1)
        delta = {"content": text[self._sent : upto]} | ({"role": "assistant"} if first else {})
        self._sent = max(upto, 1)
        data = self._event([{"index": 0, "delta": delta, "finish_reason": self._asked.reply.finish if last else None}])
        if last and self._asked.with_usage:
            data += self._event([], usage=self._usage())
        self._outlet.chunk(data + (b"data: [DONE]\n\n" if last else b""), last=last)

    def _event(self, choices: list[object], **more: object) -> bytes:
        return b"data: %b\n\n" % orjson.dumps({**self._stamp, "choices": choices, **more})
