"""A Python function as a model: how it is found, called and understood, and what its faults become."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import pytest

from core.base.endpoints import EndpointConfig
from core.base.errors import (
    BrokenReplyError,
    ConfigError,
    MalformedError,
    ModelError,
    RefusedError,
    RejectedError,
    ServerFaultError,
    UnreachableError,
)
from core.base.records import Message, ModelReply, ModelRequest, Usage
from core.models import CallableModel, HttpTransport, open_model

ASKED = ModelRequest(
    "m", (Message("system", "Be brief."), Message("user", "Say four.")), max_tokens=9, temperature=0.5, timeout=5.0
)


@pytest.fixture
def module() -> Iterator[ModuleType]:
    """A module of the name `theirs`."""
    made = ModuleType("theirs")
    sys.modules["theirs"] = made
    yield made
    del sys.modules["theirs"]


def ask(function: Any, module: ModuleType, request: ModelRequest = ASKED) -> ModelReply:
    """One call of a function that lies in the module."""
    module.generate = function  # type: ignore[attr-defined]

    async def main() -> ModelReply:
        model = CallableModel("theirs:generate")
        try:
            return await model.complete(request)
        finally:
            await model.aclose()

    return asyncio.run(main())


def failure(function: Any, module: ModuleType, request: ModelRequest = ASKED) -> ModelError:
    """The error of a call that must fail."""
    with pytest.raises(ModelError) as caught:
        ask(function, module, request)
    return caught.value


def test_a_function_gets_the_request_and_its_text_is_the_reply(module: ModuleType) -> None:
    """Messages are dictionaries of role and content, the rest goes by name; tokens it does not count are estimated."""
    seen: dict[str, Any] = {}

    def generate(messages: Any, max_tokens: int, temperature: float, stop: Any) -> str:
        seen.update(messages=messages, max_tokens=max_tokens, temperature=temperature, stop=stop)
        seen["thread"] = threading.current_thread().name
        return "four and no more"

    reply = ask(generate, module, replace(ASKED, stop=("\n",)))
    thread = seen.pop("thread")
    assert seen == {
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say four."}],
        "max_tokens": 9,
        "temperature": 0.5,
        "stop": ["\n"],
    }
    assert thread == "theirs:generate-1"
    assert (reply.text, reply.finish, reply.model) == ("four and no more", "stop", "m")
    assert reply.usage == Usage(6, 4, estimated=True)


def test_a_function_is_given_only_what_it_names(module: ModuleType) -> None:
    """One that takes messages alone is called with them alone; one with **rest gets everything."""
    assert ask(lambda messages: messages[0]["content"], module).text == "Be brief."
    assert ask(lambda messages, **rest: " ".join(sorted(rest)), module).text == "json max_tokens model stop temperature"


@dataclass
class Told:
    text: str
    input_tokens: int
    output_tokens: int
    finish: str = "stop"


@pytest.mark.parametrize(
    "value",
    [
        {"text": "four", "input_tokens": 12, "output_tokens": 3, "finish": "length"},
        Told("four", 12, 3, "length"),
    ],
)
def test_a_reply_may_count_its_tokens(module: ModuleType, value: object) -> None:
    """As a mapping or as a record: text, tokens and whether it was cut."""
    reply = ask(lambda messages: value, module)
    assert (reply.text, reply.usage, reply.finish) == ("four", Usage(12, 3), "length")


def test_an_async_function_is_awaited(module: ModuleType) -> None:
    """On the loop of the caller, within the same deadline."""

    async def generate(messages: Any) -> str:
        await asyncio.sleep(0)
        return f"on {threading.current_thread().name}"

    assert ask(generate, module).text == "on MainThread"

    async def slow(messages: Any) -> str:
        await asyncio.Event().wait()
        return "never"

    error = failure(slow, module, replace(ASKED, timeout=0.02))
    assert isinstance(error, BrokenReplyError)
    assert "did not return within 0.02 s" in str(error)


def _raising(exc: BaseException) -> Callable[[Any], str]:
    def generate(messages: Any) -> str:
        raise exc

    return generate


@pytest.mark.parametrize("exc", [ValueError("bad sk-abcdef123456"), SystemExit(1), StopIteration(), MemoryError()])
def test_what_it_raises_is_an_error_of_the_tree(module: ModuleType, exc: BaseException) -> None:
    """Whatever it is: named with its line, worth another try, without what looks like a key, and unchained."""
    error = failure(_raising(exc), module)
    assert isinstance(error, ServerFaultError)
    assert f"theirs:generate raised {type(exc).__name__} at test_callable.py:" in str(error)
    assert "sk-abcdef" not in str(error)
    assert (error.retryable, error.__cause__, error.__context__) == (True, None, None)


def test_an_async_function_raises_alike(module: ModuleType) -> None:
    """What is raised while it is awaited is no other case."""

    async def generate(messages: Any) -> str:
        msg = "no GPU"
        raise RuntimeError(msg)

    error = failure(generate, module)
    assert isinstance(error, ServerFaultError)
    assert "raised RuntimeError at test_callable.py:" in str(error)
    assert str(error).endswith(": no GPU")


def test_it_may_raise_errors_of_the_tree_itself(module: ModuleType) -> None:
    """A refusal stays one: it is not tried again."""
    assert isinstance(failure(_raising(RefusedError("It will not.")), module), RefusedError)


@pytest.mark.parametrize(("value", "said"), [(None, "NoneType"), ({"txt": "x"}, "dict"), ("  ", "empty"), (4, "int")])
def test_what_is_no_reply_is_malformed(module: ModuleType, value: object, said: str) -> None:
    """No text, or none to speak of."""
    error = failure(lambda messages: value, module)
    assert isinstance(error, MalformedError)
    assert said in str(error)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("nowhere_at_all:generate", "no module 'nowhere_at_all'"),
        ("theirs:nothing", "has no nothing"),
        ("theirs:NUMBER", "a int, which cannot be called"),
        ("theirs", "package.module:name"),
        ("os; import x:y", "package.module:name"),
        ("theirs:greedy", "also needs session, retries"),
        ("theirs:idle", "takes no messages"),
        ("json.no_such_part:load", "no module 'json.no_such_part'"),
    ],
)
def test_a_path_that_leads_nowhere_is_a_setting_to_mend(module: ModuleType, path: str, said: str) -> None:
    """Loading says what is wrong; a call without loading stops the run for it, having sent nothing."""
    module.NUMBER = 4  # type: ignore[attr-defined]
    module.greedy = lambda messages, session, retries, max_tokens: ""  # type: ignore[attr-defined]
    module.idle = lambda: ""  # type: ignore[attr-defined]

    async def main() -> None:
        model = CallableModel(path)
        with pytest.raises(ConfigError, match=said):
            await model.load()
        with pytest.raises(RejectedError, match=said) as caught:
            await model.complete(ASKED)
        assert caught.value.sent is False
        await model.aclose()

    asyncio.run(main())


def test_a_module_that_fails_to_import_says_why(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exception of the module is told with its line."""
    (tmp_path / "broken_model.py").write_text("import math\nmath.sqrt(-1)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigError, match=r"importing broken_model raised ValueError at broken_model.py:2: .*"):
        asyncio.run(CallableModel("broken_model:generate").load())


def test_a_call_out_of_time_leaves_its_thread_behind(module: ModuleType) -> None:
    """It is told, further calls are turned away while no thread is left, and once it returns the next is answered."""
    free, calls = threading.Event(), []

    def generate(messages: Any) -> str:
        calls.append(len(calls))
        free.wait()
        return "late"

    module.generate = generate  # type: ignore[attr-defined]

    async def main() -> None:
        model = CallableModel("theirs:generate")
        with pytest.raises(BrokenReplyError, match="1 of the 1 threads of theirs:generate taken by calls"):
            await model.complete(replace(ASKED, timeout=0.05))
        assert "1 given up" in repr(model)
        with pytest.raises(UnreachableError, match="1 of the 1 threads") as caught:
            await model.complete(ASKED)
        assert (caught.value.sent, calls) == (False, [0])
        free.set()
        async with asyncio.timeout(10):
            while model.workers.lost:
                await asyncio.sleep(0.001)
        assert (await model.complete(ASKED)).text == "late"
        await model.aclose()

    asyncio.run(main())


def test_a_call_that_never_got_a_thread_was_never_made(module: ModuleType) -> None:
    """Behind one that hangs it waits for its time; then nothing was sent, and nothing is owed."""
    free = threading.Event()

    def generate(messages: Any) -> str:
        free.wait()
        return "late"

    module.generate = generate  # type: ignore[attr-defined]

    async def main() -> None:
        model = CallableModel("theirs:generate")
        first = asyncio.ensure_future(model.complete(ASKED))
        await asyncio.sleep(0.01)
        with pytest.raises(UnreachableError) as caught:
            await model.complete(replace(ASKED, timeout=0.02))
        assert caught.value.sent is False
        free.set()
        assert (await first).text == "late"
        await model.aclose()

    asyncio.run(main())


def test_an_endpoint_opens_it_with_its_limit() -> None:
    """As many threads as the endpoint's limit, one without; importing waits for the first use."""

    async def main() -> None:
        for limit, size in ((3, 3), (None, 1)):
            endpoint = EndpointConfig("e", "callable", function="nowhere_at_all:f", models=("m",), limit=limit)
            model = open_model(endpoint, transport=HttpTransport(), env={})
            assert isinstance(model, CallableModel)
            assert (model.path, model.workers.size) == ("nowhere_at_all:f", size)
        with pytest.raises(ConfigError, match="needs function"):
            open_model(EndpointConfig("e", "callable"), transport=HttpTransport(), env={})

    asyncio.run(main())
