"""Who goes first at a gate: the oldest item, and at the end of a run what others still wait for."""

from __future__ import annotations

from core.pipeline.context import Context
from core.pipeline.feed import Feed
from core.pipeline.plan import Node

ENDGAME = 1e9
ENDING_ROUNDS = 2


class OldestFirst:
    """Ranks nodes: lower goes first."""

    def __init__(self, context: Context, feed: Feed) -> None:
        self._context = context
        self._feed = feed

    def __call__(self, order: int, node: Node) -> float:
        """Oldest item first. Once the last calls are queued, those that end an item wait for those that others still
        wait for: the tail of the run is then wide and short. A measurement wants the same mix to its end instead."""
        if node.height or not self._context.endgame or not self._ending():
            return order
        return order + ENDGAME

    def _ending(self) -> bool:
        """Whether no more items come and what waits is through in about two rounds (simulated: from there on the order
        saves 2 to 3 % of the makespan at 300 items, and hardly delays the median item)."""
        in_flight = self._context.gates["llm"].in_flight
        return self._feed.exhausted and self._context.queued <= ENDING_ROUNDS * in_flight
