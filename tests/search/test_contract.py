"""What every backend does: the embedded engine, qdrant-client's local mode, a server over HTTP."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from core.base.errors import IndexMismatchError, SearchError
from core.base.records import Evidence, Query
from core.search import prepare
from tests.search.conftest import HASH, Backend, asking, review

REVIEWS = (
    review("cafe", 1, "The waiter was friendly. The soup was cold.", author="Kim", rating=4.5, date="2024-05-01"),
    review("cafe", 2, "A friendly waiter. Parking is hard."),
    review("bar", 1, "Nobody was friendly here."),
)
FRIENDLY = asking("service", ["the waiter was friendly", "friendly waiter"])
SOUP = asking("food", ["the soup was cold"])


def ids(found: list[Evidence]) -> list[tuple[str, int]]:
    return [(evidence.review_id, evidence.position) for evidence in found]


def test_finds_the_sentences_of_that_restaurant(backend: Backend) -> None:
    """The best sentences come first, and never those of another restaurant."""
    backend.filled(*REVIEWS).close()
    [found] = backend.search("cafe", FRIENDLY)
    assert set(ids(found)[:2]) == {("v1", 0), ("v2", 0)}
    assert len(found) == 4
    assert [e.score for e in found] == sorted((e.score for e in found), reverse=True)
    assert all(0 < e.score < 1 for e in found)


def test_answers_each_query_in_order(backend: Backend) -> None:
    """All queries of an item are answered at once, in their order."""
    backend.filled(*REVIEWS).close()
    soup, friendly = backend.search("cafe", SOUP, FRIENDLY)
    assert ids(soup)[0] == ("v1", 1)
    assert ids(friendly)[0] in {("v1", 0), ("v2", 0)}


def test_evidence_names_its_review(backend: Backend) -> None:
    """Evidence carries the sentence, its place in the review, and the review's author, rating and date."""
    backend.filled(*REVIEWS).close()
    [found] = backend.search("cafe", SOUP)
    best = found[0]
    assert best == Evidence("v1", "The soup was cold.", best.score, 1, "Kim", 4.5, "2024-05-01")
    assert found[-1].author is None or found[-1].review_id == "v1"


def test_unknown_item_and_no_query(backend: Backend) -> None:
    """A restaurant without points gives an empty list per query; no query gives no list."""
    backend.filled(*REVIEWS).close()
    assert backend.search("nowhere", FRIENDLY, SOUP) == [[], []]
    assert backend.search("cafe") == []


def test_limit_and_cutoff(backend: Backend) -> None:
    """At most `limit` sentences come back, and none below the cut-off."""
    backend.filled(*REVIEWS).close()
    [two] = backend.search("cafe", replace(FRIENDLY, limit=2))
    assert len(two) == 2
    [all_of_them] = backend.search("cafe", FRIENDLY)
    threshold = all_of_them[1].score - 1e-3
    [kept] = backend.search("cafe", replace(FRIENDLY, cutoff=threshold))
    assert set(ids(kept)) == {("v1", 0), ("v2", 0)}


def test_without_contrast_ranks_are_fused(backend: Backend) -> None:
    """A query without contrast has no head: reciprocal ranks decide, and the cut-off does not apply."""
    backend.filled(*REVIEWS).close()
    [found] = backend.search("cafe", Query("food", ("cold soup",), keywords=("soup",), cutoff=0.99))
    assert ids(found)[0] == ("v1", 1)
    assert found[0].score == pytest.approx(2 / 60, rel=0.05)


def test_a_bare_phrasing_is_enough(backend: Backend) -> None:
    """One phrasing without contrast and keywords searches by meaning alone."""
    backend.filled(*REVIEWS).close()
    [found] = backend.search("cafe", Query("food", ("cold soup",)))
    assert ids(found)[0] == ("v1", 1)


def test_lone_surrogates_are_replaced(backend: Backend) -> None:
    """Half a character, as JSON allows it, neither stops an import nor loses the sentence."""
    backend.filled(review("cafe", 1, "A friendly \ud83d waiter.", author="\udc00")).close()
    [found] = backend.search("cafe", FRIENDLY)
    assert (found[0].text, found[0].author) == ("A friendly \ufffd waiter.", "\ufffd")


def test_repeats_go_last(backend: Backend) -> None:
    """A sentence said word for word before goes behind the others."""
    backend.filled(
        *(review("cafe", n, "Friendly waiter!") for n in range(3)), review("cafe", 9, "Slow waiter.")
    ).close()
    [found] = backend.search("cafe", replace(FRIENDLY, limit=2))
    assert {e.text for e in found} == {"Friendly waiter!", "Slow waiter."}


def test_import_again_changes_nothing(backend: Backend) -> None:
    """The same review has the same ids: importing it twice leaves one copy."""
    index = backend.filled(*REVIEWS)
    index.put(prepare(REVIEWS, HASH))
    assert (index.count(), index.count("cafe"), index.count("nowhere")) == (5, 4, 0)
    index.close()


def test_drop_reviews(backend: Backend) -> None:
    """Dropping a review removes all its sentences, of that restaurant only."""
    index = backend.filled(*REVIEWS)
    index.drop_reviews([("cafe", "v1"), ("cafe", "v7")])
    index.flush()
    assert (index.count("cafe"), index.count("bar")) == (2, 1)
    index.close()
    [found] = backend.search("cafe", SOUP)
    assert {e.review_id for e in found} == {"v2"}


def test_another_embedder_is_refused(backend: Backend) -> None:
    """An index of one embedder is not opened with another; the message names both and the way out."""
    backend.filled(*REVIEWS).close()
    with pytest.raises(IndexMismatchError, match=r"'hash' in 256.*'other' in 64.*Set the embedder to 'hash'"):
        backend.index(("other", 64))


def test_a_missing_index_says_import(backend: Backend) -> None:
    """Searching before importing says what to do."""
    if backend.name == "local":
        pytest.skip("local mode has exceptions of its own; the product never meets them")
    with pytest.raises(IndexMismatchError, match="Import reviews"):
        backend.search("cafe", FRIENDLY)


def broken_vectors() -> list[tuple[str, dict[str, object]]]:
    return [
        ("a shape", {"dense": np.ones(7, dtype=np.float32)}),
        ("NaN", {"dense": np.full(256, np.nan, dtype=np.float32)}),
        ("infinite value", {"terms": {1: float("inf")}}),
        ("negative index", {"terms": {-1: 1.0}}),
        ("index over u32", {"terms": {2**32: 1.0}}),
        ("text for a value", {"terms": {1: "x"}}),
    ]


@pytest.mark.parametrize(
    ("what", "change"), broken_vectors(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_broken_vectors_are_refused_first(backend: Backend, what: str, change: dict[str, object]) -> None:
    """A vector that would break the engine is refused with the review's name, and the index goes on working."""
    index = backend.index(HASH)
    good = prepare(REVIEWS, HASH)
    with pytest.raises(SearchError, match="'v1'"):
        index.put([replace(good[0], **change)])
    index.put(good)
    assert index.count() == 5
    index.close()


def test_a_sentence_without_words(backend: Backend) -> None:
    """Text without any term has an empty sparse vector and is indexed all the same."""
    index = backend.filled(review("cafe", 1, "!!!"), review("cafe", 2, "😀"))
    assert index.count() == 2
    index.close()
    [found] = backend.search("cafe", FRIENDLY)
    assert len(found) == 2


def test_many_searches_at_once(backend: Backend) -> None:
    """Fifty concurrent searches of one searcher answer as one does."""
    backend.filled(*REVIEWS).close()

    async def fifty() -> list[list[list[Evidence]]]:
        searcher = backend.searcher()
        try:
            return await asyncio.gather(*(searcher.search("cafe", [FRIENDLY, SOUP]) for _ in range(50)))
        finally:
            await searcher.aclose()

    first, *others = asyncio.run(fifty())
    assert all(other == first for other in others)


def test_extra_columns_do_no_harm(backend: Backend) -> None:
    """Unknown columns become payload whatever they hold, and never replace the sentence's own fields."""
    odd = {"text": "not this", "tags": ["a", 1, None], "when": {"at": complex(1)}, "nan": float("nan")}
    backend.filled(review("cafe", 1, "A friendly waiter.", extra=odd)).close()
    [found] = backend.search("cafe", FRIENDLY)
    assert found[0].text == "A friendly waiter."
