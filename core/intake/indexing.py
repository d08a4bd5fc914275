"""From the catalogue into the index: whatever is stored and not indexed yet is prepared, put and marked."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait

from core.base.records import Review
from core.intake.crew import Crew
from core.intake.report import Tally
from core.intake.shelf import Key, Shelf, key_of
from core.search import Index, Prepared

BATCH = 128
_PAGE = 4 * BATCH


class Indexer:
    """Keeps a crew busy with what the catalogue says is waiting.

    The catalogue is the queue: a review is marked after its sentences are in the index, so that an import that was
    killed goes on exactly where it was, and memory holds only the batches in flight. One thread at a time.
    """

    def __init__(self, shelf: Shelf, index: Index, crew: Crew, tally: Tally) -> None:
        self._shelf = shelf
        self._index = index
        self._crew = crew
        self._tally = tally
        self._after = 0
        self._next: deque[list[Review]] = deque()
        self._in_flight: dict[Future[list[Prepared]], list[Review]] = {}

    def __repr__(self) -> str:
        return f"<Indexer {len(self._in_flight)}/{self._crew.room} batches in flight, {self._tally.indexed} indexed>"

    def work(self, timeout: float = 0.0) -> bool:
        """Give the crew what it has room for and take what it has done, waiting up to `timeout` seconds for that.

        False when nothing is in flight and nothing is waiting: all that is stored is indexed.
        """
        while len(self._in_flight) < self._crew.room and (batch := self._batch()):
            self._in_flight[self._crew.submit(batch)] = batch
        if not self._in_flight:
            return False
        done, _ = wait(self._in_flight, timeout, FIRST_COMPLETED)
        for future in done:
            self._take(future)
        return True

    def forget(self, keys: Sequence[Key]) -> None:
        """Take reviews whose record changes out of the index.

        They are unmarked first: a kill in between leaves nothing that says it is indexed and is not.
        """
        self.settle(keys)
        self._shelf.unmark(keys)
        self._index.drop_reviews(keys)

    def recover(self, restaurant_ids: Sequence[str]) -> None:
        """Index restaurants again that the index knows nothing of: it was deleted, or is another one than before."""
        for restaurant_id in restaurant_ids:
            if not self._index.count(restaurant_id):
                self._shelf.unmark(self._shelf.keys_of(restaurant_id))

    def settle(self, keys: Sequence[Key]) -> None:
        """Wait until none of these reviews is in flight; those that wait here are read from the catalogue again."""
        chosen = set(keys)
        if chosen.isdisjoint(key_of(review) for batch in (*self._in_flight.values(), *self._next) for review in batch):
            return
        while self._in_flight:
            self._take(next(iter(self._in_flight)))
        self._next.clear()
        self._after = 0

    def _batch(self) -> list[Review]:
        """The next batch, from the rows beyond the last page; from the beginning again when nothing is in flight."""
        if not self._next:
            self._fill()
        if not self._next and not self._in_flight and self._after:
            self._after = 0
            self._fill()
        return self._next.popleft() if self._next else []

    def _fill(self) -> None:
        """Read a page of what is waiting; reviews of like length are prepared together, which wastes less padding."""
        page = self._shelf.waiting(self._after, _PAGE)
        if page:
            self._after = page[-1][0]
        reviews = sorted((review for _, review in page), key=lambda review: len(review.text))
        self._next.extend(reviews[start : start + BATCH] for start in range(0, len(reviews), BATCH))

    def _take(self, future: Future[list[Prepared]]) -> None:
        """Put a batch's sentences into the index, then say so in the catalogue."""
        prepared = future.result()
        batch = self._in_flight.pop(future)
        self._index.put(prepared)
        self._shelf.mark([key_of(review) for review in batch])
        self._tally.indexed += len(batch)
        self._tally.sentences += len(prepared)
