"""What a server says of itself, and servers that say nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from core.models import AnthropicModel, ExtractiveModel, HttpTransport, OpenAIModel
from core.models.gauges import PATIENCE, GaugeReader, address_of, gauges_of, parse
from core.practice.presets import preset_of
from core.practice.server import PracticeServer

VLLM = """# HELP vllm:num_requests_waiting Number of requests waiting to be processed.
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="a b} c"} 3.0
vllm:num_requests_waiting{engine="1",model_name="x"} 4.0 1700000000000
vllm:num_requests_waiting_by_reason{reason="capacity"} 99.0
# TYPE vllm:num_preemptions_total counter
vllm:num_preemptions_total{engine="0"} 12.0
vllm:num_preemptions_total{engine="1"} 1e1
vllm:num_preemptions_created{engine="0"} 1.7e9
"""


def test_gauges_are_summed_over_engines() -> None:
    """Both engines' requests and preemptions, and no other metric whose name begins alike."""
    found = parse(VLLM, 5.0)
    assert found is not None
    assert (found.at, found.waiting, found.preemptions) == (5.0, 7.0, 22.0)


def test_the_older_name_of_the_counter_is_read_too_and_not_twice() -> None:
    """A server that writes both names of the counter has preempted no more for it."""
    old = "vllm:num_requests_waiting 1\nvllm:num_preemptions 5\n"
    assert [
        found.preemptions for text in (old, f"{old}vllm:num_preemptions_total 5\n") if (found := parse(text, 0))
    ] == [5, 5]


@pytest.mark.parametrize(
    "text", ["", "<html>hello</html>", "vllm:num_requests_waiting NaN\n", "vllm:num_requests_waiting"]
)
def test_what_holds_no_gauge_is_none(text: str) -> None:
    """Another server's metrics, a page, or nonsense."""
    assert parse(text, 0.0) is None


def serving(preset: str, scene: Callable[[str, HttpTransport, PracticeServer], Awaitable[None]]) -> None:
    """Play a scene beside a practice server."""

    async def main() -> None:
        practice = PracticeServer(preset_of(preset, {}))
        server = await practice.listen("127.0.0.1", 0)
        transport = HttpTransport()
        try:
            await scene(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", transport, practice)
        finally:
            await transport.aclose()
            server.close()
            practice.close()

    asyncio.run(main())


def test_they_stand_beside_the_api() -> None:
    """From http://host/v1 the reader finds http://host/metrics, and reads them every time."""

    async def scene(url: str, transport: HttpTransport, practice: PracticeServer) -> None:
        reader = gauges_of(OpenAIModel(f"{url}/v1/", transport=transport))
        assert reader is not None
        for _ in range(2):
            found = await reader.read()
            assert found is not None
            assert (found.waiting, found.preemptions) == (0.0, 0.0)
        assert not reader.given_up

    serving("zero", scene)


def test_a_server_without_them_is_asked_once() -> None:
    """404: given up at once, without a word."""

    async def scene(url: str, transport: HttpTransport, practice: PracticeServer) -> None:
        reader = GaugeReader(f"{url}/elsewhere/v1", transport)
        assert await reader.read() is None
        assert reader.given_up

    serving("zero", scene)


def test_a_server_that_does_not_answer_is_asked_three_times_and_again_after_its_outage() -> None:
    """Nobody listens: given up after three times; once it answers calls again, it is asked again."""

    async def main() -> None:
        transport = HttpTransport()
        reader = GaugeReader("http://127.0.0.1:9/v1", transport)
        asked = 0
        while not reader.given_up:
            assert await reader.read() is None
            asked += 1
        assert asked == PATIENCE
        reader.retry()
        assert not reader.given_up
        await transport.aclose()

    asyncio.run(main())


def test_who_can_have_gauges_and_an_address() -> None:
    """vLLM speaks OpenAI's protocol; an address holds no password; what calls no server has neither."""
    transport = HttpTransport()
    openai = OpenAIModel("http://ann:secret@gpu:8000/v1", transport=transport)
    claude = AnthropicModel("https://api.anthropic.com", transport=transport)
    assert (address_of(openai), gauges_of(openai) is not None) == ("http://gpu:8000/v1", True)
    assert gauges_of(claude) is None
    assert (address_of(ExtractiveModel()), gauges_of(ExtractiveModel())) == ("", None)
