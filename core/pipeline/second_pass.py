"""The second pass: items that failed for reasons that may pass are tried once more when no new ones are left.

An item that waits for it is still pending in the store, so a process that dies meanwhile leaves it to whoever resumes.
"""

from __future__ import annotations

import heapq

from core.pipeline.feed import Work
from core.pipeline.item_run import ItemRun

MOST_ASIDE = 1000  # items held in memory until the end of the run


class SecondPass:
    """Keeps what may be worth another pass, oldest first. Where most items fail nothing is: a server that is broken is
    not asked everything twice."""

    def __init__(self) -> None:
        self.lost = 0
        self._aside: list[tuple[int, Work, ItemRun]] = []

    def __repr__(self) -> str:
        return f"<SecondPass {self.lost} lost, {len(self._aside)} aside>"

    def keeps(self, work: Work, run: ItemRun) -> bool:
        """Whether the item waits for another pass instead of coming to its end."""
        if work.again or not run.failed:
            return False
        self.lost += 1
        if not run.may_recover or len(self._aside) >= MOST_ASIDE:
            return False
        heapq.heappush(self._aside, (work.order, work, run))
        return True

    def worthwhile(self, handed_out: int) -> bool:
        """Whether failures are the exception: at most half of the items begun so far."""
        return 2 * self.lost <= handed_out

    def take(self) -> tuple[Work, ItemRun] | None:
        """The oldest item that waits, with what its first pass came to."""
        if not self._aside:
            return None
        _, work, run = heapq.heappop(self._aside)
        return work, run
