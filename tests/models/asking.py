"""Ask a model on a fault server once and look at what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from core.base.errors import ModelError
from core.base.records import Message, ModelReply, ModelRequest
from core.models import Deadlines, HttpTransport, OpenAIModel
from tests.support.fault_server import Fault, FaultServer, Received

PLAIN = ModelRequest("m", (Message("user", "hi"),), max_tokens=32, timeout=2.0)
STREAMED = ModelRequest("m", (Message("user", "hi"),), max_tokens=32, stream=True, timeout=2.0)
PATIENT = Deadlines()
QUICK = Deadlines(connect=1.0, first_byte=0.06, idle=0.06)


@dataclass(frozen=True)
class Asked:
    """A call's reply and the requests that reached the server."""

    reply: ModelReply
    requests: list[Received]


def with_model(
    use: Callable[[OpenAIModel, FaultServer], Awaitable[Any]],
    *faults: Fault,
    deadlines: Deadlines = PATIENT,
    **options: Any,
) -> Any:
    """Run `use` with a model on a fault server; everything is closed afterwards."""

    async def main() -> Any:
        async with FaultServer(*faults) as server:
            transport = HttpTransport(deadlines=deadlines)
            try:
                return await use(OpenAIModel(server.url, transport=transport, **options), server)
            finally:
                await transport.aclose()

    return asyncio.run(main())


def ask(request: ModelRequest, *faults: Fault, **options: Any) -> Asked:
    """One call that succeeds."""

    async def use(model: OpenAIModel, server: FaultServer) -> Asked:
        return Asked(await model.complete(request), server.requests)

    return with_model(use, *faults, **options)


def failure(request: ModelRequest, *faults: Fault, **options: Any) -> ModelError:
    """The error of one call that must fail, having asked the server no more than once."""

    async def use(model: OpenAIModel, server: FaultServer) -> ModelError:
        with pytest.raises(ModelError) as caught:
            await model.complete(request)
        assert len(server.requests) <= 1, "the client tried again by itself"
        return caught.value

    return with_model(use, *faults, **options)
