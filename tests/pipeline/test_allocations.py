"""What a stage uses right now: controls over the layers beneath, and no model before it is ready."""

from __future__ import annotations

import asyncio

import pytest

from core.base.allocation import Allocation, Override
from core.base.errors import BrigadeError, UnknownError
from core.base.workload import Stage
from core.pipeline.allocations import Allocations

STAGE = Stage("advice", "llm", max_tokens=100)


class Servers:
    """Prepares models, or refuses those it does not know."""

    def __init__(self, *known: str) -> None:
        self.known = set(known)
        self.asked: list[str] = []

    async def prepare(self, model: str) -> str:
        self.asked.append(model)
        await asyncio.sleep(0)
        if model not in self.known:
            msg = f"No endpoint serves {model!r}."
            raise UnknownError(msg)
        return f"served-{model}"


def plain(model: str = "small", fallback: tuple[str, ...] = ()) -> Allocation:
    return Allocation(model, 100, 0.5, fallback, sources={"model": "workload", "max_tokens": "workload"})


def test_a_control_is_stronger_and_says_whose_it_is() -> None:
    """Each key is overridden on its own, and taken back it is what the layers say."""
    allocations = Allocations(lambda _: plain())
    allocations.override("advice", "max_tokens", Override("7", "ana"))
    allocations.override("advice", "fallback", Override("a, b", "ana"))
    found = allocations(STAGE)
    assert (found.model, found.max_tokens, found.temperature, found.fallback) == ("small", 7, 0.5, ("a", "b"))
    assert found.sources["max_tokens"] == "control by ana"
    assert found.source == "workload"
    assert allocations.override("advice", "max_tokens", None) == Override("7", "ana")
    assert allocations(STAGE).max_tokens == 100


def test_a_model_is_used_once_it_is_ready_and_not_before() -> None:
    """Until its servers have answered the stage stays with its model; everything else changes at once."""

    async def main() -> None:
        servers = Servers("small", "large")
        allocations = Allocations(lambda _: plain(), prepare=servers.prepare)
        await allocations.make_ready("small")
        assert allocations(STAGE).model == "served-small"
        allocations.override("advice", "model", Override("large", "ana"))
        allocations.override("advice", "max_tokens", Override("9", "ana"))
        assert (allocations(STAGE).model, allocations(STAGE).max_tokens) == ("served-small", 9)
        assert allocations.missing() == ("large",)
        await allocations.make_ready("large")
        assert allocations(STAGE).model == "served-large"
        assert allocations.missing() == ()

    asyncio.run(main())


def test_a_model_that_nobody_serves_changes_nothing() -> None:
    """The stage goes on with what it had, also when its fallbacks alone are unknown."""

    async def main() -> None:
        said = [plain("small", ("spare",))]
        allocations = Allocations(lambda _: said[0], prepare=Servers("small", "spare", "large").prepare)
        for model in said[0].chain:
            await allocations.make_ready(model)
        assert allocations(STAGE).chain == ("served-small", "served-spare")
        said[0] = plain("large", ("nowhere",))
        allocations.refresh()
        await allocations.make_ready("large")
        with pytest.raises(BrigadeError, match="nowhere"):
            await allocations.make_ready("nowhere")
        assert allocations(STAGE).chain == ("served-large", "served-spare")

    asyncio.run(main())


def test_a_model_is_prepared_once() -> None:
    """Switching back to a model that was used before asks nobody."""

    async def main() -> None:
        servers = Servers("small")
        allocations = Allocations(lambda _: plain(), prepare=servers.prepare)
        for _ in range(3):
            await allocations.make_ready("small")
        assert servers.asked == ["small"]

    asyncio.run(main())
