"""Preparing sentences for the index."""

from __future__ import annotations

import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from core.base.records import Review
from core.search import Prepared, load_embedder, prepare
from tests.search.conftest import HASH, review

REVIEWS = [
    review("cafe", 1, "Good soup. Bad wine.", rating=3.5, author="Kim", extra={"city": "Seoul", "rating": 1}),
    review("cafe", 2, "  "),
    review("bar", 1, "Good soup."),
]


def in_a_worker(batch: list[Review]) -> list[Prepared]:
    """What an import's worker process does."""
    return prepare(batch, load_embedder("hash", {}))


def test_one_entry_per_sentence() -> None:
    """Sentences are numbered within their review; a blank review gives none; the review's columns come along."""
    made = prepare(REVIEWS, HASH)
    assert [(p.restaurant_id, p.review_id, p.position, p.text) for p in made] == [
        ("cafe", "v1", 0, "Good soup."),
        ("cafe", "v1", 1, "Bad wine."),
        ("bar", "v1", 0, "Good soup."),
    ]
    assert made[0].payload == {"city": "Seoul", "rating": 3.5, "author": "Kim"}
    assert made[2].payload == {}
    assert np.array_equal(made[0].dense, made[2].dense)
    assert made[0].terms == made[2].terms


def test_whole_reviews() -> None:
    """On request a review stays whole."""
    assert [p.text for p in prepare(REVIEWS, HASH, whole_reviews=True)] == ["Good soup. Bad wine.", "Good soup."]


def test_nothing_to_prepare() -> None:
    """No reviews, no sentences."""
    assert prepare([], HASH) == []


def test_works_in_a_spawned_process() -> None:
    """Reviews go into a worker process and sentences come back, small enough to send."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        made = pool.submit(in_a_worker, REVIEWS).result()
    here = prepare(REVIEWS, HASH)
    assert [(p.text, p.terms) for p in made] == [(p.text, p.terms) for p in here]
    assert all(np.array_equal(a.dense, b.dense) for a, b in zip(made, here, strict=True))
    assert len(pickle.dumps(here, protocol=5)) < len(here) * (256 * 4 + 700)
