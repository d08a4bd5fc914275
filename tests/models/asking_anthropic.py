"""Ask Anthropic's client on a fault server once, and what such a server answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from core.base.errors import (
    ModelError,
)
from core.base.records import ModelReply, ModelRequest
from core.models import AnthropicModel, HttpTransport
from tests.models.asking import PATIENT, PLAIN, STREAMED
from tests.support import fault_server as fs

KEY = "sk-ant-canary-5b1e9c"
Use = Callable[[AnthropicModel, fs.FaultServer], Awaitable[Any]]
BOTH = pytest.mark.parametrize("request_", [PLAIN, STREAMED], ids=["whole", "streamed"])


def run(use: Use, *faults: fs.Fault, key: str | None = KEY, ending: str = "", deadlines: Any = PATIENT) -> Any:
    async def main() -> Any:
        async with fs.FaultServer(*faults) as server:
            transport = HttpTransport(deadlines=deadlines)
            try:
                base = server.url.removesuffix("/v1") + ending
                return await use(AnthropicModel(base, transport=transport, api_key=key), server)
            finally:
                await transport.aclose()

    return asyncio.run(main())


def ask(request: ModelRequest, *faults: fs.Fault, **options: Any) -> tuple[ModelReply, fs.Received]:
    async def use(model: AnthropicModel, server: fs.FaultServer) -> tuple[ModelReply, fs.Received]:
        return await model.complete(request), server.requests[0]

    found: tuple[ModelReply, fs.Received] = run(use, *faults, **options)
    return found


def failure(request: ModelRequest, *faults: fs.Fault, **options: Any) -> ModelError:
    async def use(model: AnthropicModel, server: fs.FaultServer) -> ModelError:
        with pytest.raises(ModelError) as caught:
            await model.complete(request)
        assert len(server.requests) <= 1, "the client tried again by itself"
        return caught.value

    found: ModelError = run(use, *faults, **options)
    return found


def message(**changes: Any) -> dict[str, Any]:
    """A good answer's body."""
    return {
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "All good. [1]"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 12, "output_tokens": 5},
    } | changes


def whole(**changes: Any) -> fs.Fault:
    return fs.response(200, message(**changes))


def delta(text: str, kind: str = "text") -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 0, "delta": {"type": f"{kind}_delta", kind: text}}


def start(**usage: Any) -> dict[str, Any]:
    counted = {"input_tokens": 12, "output_tokens": 1} | usage
    return {"type": "message_start", "message": {"model": "claude-x", "content": [], "usage": counted}}


def end(reason: str | None = "end_turn", **usage: Any) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 5} | usage}


STOP = {"type": "message_stop"}


def streamed(*events: dict[str, Any] | str) -> fs.Fault:
    return fs.stream(*events, done=False)


def told(kind: str, text: str = "no") -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": text}, "request_id": "req_1"}


def answers(reason: str = "end_turn", **usage: Any) -> dict[str, fs.Fault]:
    """The same answer, whole and streamed."""
    counted = {"input_tokens": 12, "output_tokens": 5} | usage
    return {
        "whole": whole(stop_reason=reason, usage=counted),
        "streamed": streamed(start(**usage), delta("All good. [1]"), end(reason, **usage), STOP),
    }


def of(request: ModelRequest, found: dict[str, fs.Fault]) -> fs.Fault:
    return found["streamed" if request.stream else "whole"]
