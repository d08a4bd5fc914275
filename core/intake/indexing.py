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

BATCH = 250
_PAGE = 4 * BATCH


class Indexer:
    """Keeps a crew busy with reviews that are stored and not indexed.

    What the reader stores is offered here and taken while there is room; the rest, and what earlier imports left over,
    is found in the catalogue afterwards. A review is marked after its sentences are in the index, so that an import
    that was killed goes on where it was, and memory holds only the batches in hand. For one thread at a time.
    """

    def __init__(self, shelf: Shelf, index: Index, crew: Crew, tally: Tally) -> None:
        self._shelf = shelf
        self._index = index
        self._crew = crew
        self._tally = tally
        self._after = 0
        self._passed = False
        self._queue: deque[list[Review]] = deque()
        self._in_flight: dict[Future[list[Prepared]], list[Review]] = {}

    def __repr__(self) -> str:
        return f"<Indexer {len(self._in_flight)}/{self._crew.room} batches in flight, {self._tally.indexed} indexed>"

    def offer(self, reviews: Sequence[Review]) -> None:
        """Reviews that were just stored: taken unless enough are in hand; then the catalogue keeps them for later."""
        if len(self._queue) <= self._crew.room:
            self._enqueue(reviews)

    def work(self, timeout: float = 0.0) -> bool:
        """Give the crew what it has room for and take what it has done, waiting up to `timeout` seconds for that.

        False when there is nothing in hand.
        """
        while self._queue and len(self._in_flight) < self._crew.room:
            batch = self._queue.popleft()
            self._in_flight[self._crew.submit(batch)] = batch
        done, _ = wait(self._in_flight, timeout, FIRST_COMPLETED)
        for future in done:
            self._take(future)
        return bool(self._in_flight or self._queue)

    def catch_up(self, timeout: float) -> bool:
        """As `work`, with what waits in the catalogue; False when everything in it is indexed."""
        if not self._queue and not (self._passed and self._in_flight):
            self._fill()
        return self.work(timeout) or not self._passed

    def forget(self, keys: Sequence[Key]) -> None:
        """Take reviews whose record changes out of the index.

        They are unmarked first: a kill in between leaves nothing that says it is indexed and is not.
        """
        if not self._in_hand().isdisjoint(keys):
            self._queue.clear()
            while self._in_flight:
                self._take(next(iter(self._in_flight)))
        self._shelf.unmark(keys)
        self._index.drop_reviews(keys)

    def recover(self, restaurant_ids: Sequence[str]) -> None:
        """Index restaurants again that the index knows nothing of: it was deleted, or is another one than before."""
        for restaurant_id in restaurant_ids:
            if not self._index.count(restaurant_id):
                self._shelf.unmark(self._shelf.keys_of(restaurant_id))

    def _in_hand(self) -> set[Key]:
        """The reviews queued or in flight."""
        return {key_of(review) for batch in (*self._queue, *self._in_flight.values()) for review in batch}

    def _fill(self) -> None:
        """Queue the next page of what waits in the catalogue; a page with nothing on it ends the pass over it."""
        page = self._shelf.waiting(self._after, _PAGE)
        self._passed = not page
        self._after = page[-1][0] if page else 0
        in_hand = self._in_hand()
        self._enqueue([review for _, review in page if key_of(review) not in in_hand])

    def _enqueue(self, reviews: Sequence[Review]) -> None:
        """Queue reviews in batches of like length, which waste less padding."""
        alike = sorted(reviews, key=lambda review: len(review.text))
        self._queue.extend(alike[start : start + BATCH] for start in range(0, len(alike), BATCH))

    def _take(self, future: Future[list[Prepared]]) -> None:
        """Put a batch's sentences into the index, then say so in the catalogue."""
        prepared = future.result()
        batch = self._in_flight.pop(future)
        self._index.put(prepared)
        self._shelf.mark([key_of(review) for review in batch])
        self._tally.indexed += len(batch)
        self._tally.sentences += len(prepared)
