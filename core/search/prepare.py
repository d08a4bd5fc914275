"""From reviews to sentences ready to index: pure CPU, meant for worker processes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.base.records import Review
from core.search.embedders import Embedder, Vectors
from core.search.sentences import split_sentences
from core.search.terms import sparse_terms


@dataclass(frozen=True, slots=True)
class Prepared:
    """One sentence (or one whole review) ready to index; `payload` holds the review's other columns."""

    restaurant_id: str
    review_id: str
    position: int
    text: str
    dense: Vectors
    terms: dict[int, float]
    payload: Mapping[str, Any]


def prepare(review_batch: Sequence[Review], embedder: Embedder, *, whole_reviews: bool = False) -> list[Prepared]:
    """Split, embed and take terms; a text that repeats inside the batch is embedded once.

    The whole batch goes to the embedder in one call, so hand over a few hundred reviews at a time.
    """
    cut = list(_cut(review_batch, whole_reviews))
    vectors = embedder.documents([text for _, _, text in cut])
    terms = {text: sparse_terms(text) for _, _, text in cut}
    payloads = {id(review): _payload(review) for review in review_batch}
    return [
        Prepared(
            review.restaurant_id, review.review_id, position, text, vector.copy(), terms[text], payloads[id(review)]
        )
        for (review, position, text), vector in zip(cut, vectors, strict=True)
    ]


def _cut(reviews: Sequence[Review], whole: bool) -> Iterator[tuple[Review, int, str]]:
    for review in reviews:
        said = encodable(review.text)
        texts = [said.strip()] if whole else split_sentences(said)
        yield from ((review, position, text) for position, text in enumerate(texts) if text)


def encodable(text: str) -> str:
    """The text without lone surrogates, which JSON can smuggle in and no engine takes."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _payload(review: Review) -> dict[str, Any]:
    own = {"rating": review.rating, "date": review.date, "author": review.author, "lang": review.lang}
    return dict(review.extra) | {name: value for name, value in own.items() if value is not None}
