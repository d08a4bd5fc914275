"""Which reviews of a batch are new, changed, unchanged, or there already under another line or id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from core.base.records import Review
from core.intake.keys import KeySet
from core.intake.shelf import Key, Shelf, key_of, text_hash

Numbered = tuple[int, Review]


@dataclass(slots=True)
class Sifted:
    """A batch, sorted out. `conflicts`: rows whose id stands on an earlier line with other content."""

    new: list[Review] = field(default_factory=list)
    changed: list[Review] = field(default_factory=list)
    unchanged: list[Review] = field(default_factory=list)
    duplicates: int = 0
    conflicts: list[tuple[int, str]] = field(default_factory=list)


class Sieve:
    """Sorts batches of one file.

    Of two rows with one id the first counts, so that importing a file again changes nothing: the second is a duplicate
    when it says the same and a bad row when it does not. A new review whose text its restaurant already has under
    another id is a duplicate too.
    """

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._seen = KeySet()

    def sift(self, batch: Sequence[Numbered]) -> Sifted:
        """Sort one batch against the catalogue and the file so far. The caller stores it before the next one."""
        keys = [key_of(review) for _, review in batch]
        again = self._seen.add(["\x1f".join(key) for key in keys])
        stored = self._shelf.stored(keys)
        texts = self._shelf.texts(
            [
                (key[0], text_hash(review.text))
                for key, (_, review) in zip(keys, batch, strict=True)
                if key not in stored
            ]
        )
        work = _Batch(stored, texts)
        for (line, review), repeated in zip(batch, again, strict=True):
            if repeated:
                work.repeat(line, review)
            else:
                work.place(review)
        return work.sifted


class _Batch:
    """One batch being sorted: `stored` and `texts` as the catalogue had them, kept up to date on the way."""

    def __init__(self, stored: Mapping[Key, Review], texts: Mapping[tuple[str, str], str]) -> None:
        self._stored = dict(stored)
        self._texts = dict(texts)
        self.sifted = Sifted()

    def repeat(self, line: int, review: Review) -> None:
        """A row whose id was seen in this file."""
        first = self._stored.get(key_of(review))
        if first is None or same(first, review):
            self.sifted.duplicates += 1
        else:
            reason = f"review_id {review.review_id!r} stands on an earlier line with other content: the first counts"
            self.sifted.conflicts.append((line, reason))

    def place(self, review: Review) -> None:
        """A row whose id is seen for the first time."""
        key = key_of(review)
        text = (review.restaurant_id, text_hash(review.text))
        before = self._stored.get(key)
        if before is None and text in self._texts:
            self.sifted.duplicates += 1
            return
        if before is None:
            self.sifted.new.append(review)
        elif same(before, review):
            self.sifted.unchanged.append(review)
        else:
            self.sifted.changed.append(review)
            self._texts.pop((review.restaurant_id, text_hash(before.text)), None)
        self._stored[key] = review
        self._texts[text] = review.review_id


def same(one: Review, other: Review) -> bool:
    """Whether two records of a review say the same; the restaurant's name is the restaurant's, not the review's."""
    return _facts(one) == _facts(other)


def _facts(review: Review) -> tuple[object, ...]:
    return (review.text, review.rating, review.date, review.author, review.lang, dict(review.extra))
