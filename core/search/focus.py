"""From found points to evidence; of a whole review, only the sentences that speak of what was asked.

Where a point is a whole review, most of what a search finds speaks of something else. The sentences of the
reviews found are scored here as indexed sentences are: by the probe's direction and keywords, each keyword at one
usual weight because no index knows how rare it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from core.base.endpoints import SearchConfig
from core.base.records import Evidence
from core.search.embedders import Embedder, Vectors
from core.search.payload import Hit, ranked, read
from core.search.probe import Probe
from core.search.sentences import split_sentences
from core.search.terms import sparse_terms

USUAL_RARITY = 4.0


def as_evidence(
    found: Sequence[Iterable[Hit]], probes: Sequence[Probe], config: SearchConfig, embedder: Callable[[], Embedder]
) -> list[list[Evidence]]:
    """The answer to each query from the points an engine found; it embeds (blocking) where points are whole reviews."""
    rows = [read(hits, probe, config) for hits, probe in zip(found, probes, strict=True)]
    if config.whole_reviews:
        rows = _focused(rows, probes, embedder())
    return [ranked(row, probe) for row, probe in zip(rows, probes, strict=True)]


def _focused(rows: Sequence[list[Evidence]], probes: Sequence[Probe], embedder: Embedder) -> list[list[Evidence]]:
    """The sentences of each row's reviews; all of them are embedded in one call."""
    texts = list(dict.fromkeys(text for row in rows for review in row for text in split_sentences(review.text)))
    vectors = dict(zip(texts, embedder.documents(texts), strict=True)) if texts else {}
    return [
        [sentence for review in row for sentence in _sentences(review, probe, vectors)]
        for row, probe in zip(rows, probes, strict=True)
    ]


def _sentences(review: Evidence, probe: Probe, vectors: Mapping[str, Vectors]) -> list[Evidence]:
    texts = split_sentences(review.text)
    return [
        replace(review, text=text, position=position, score=_score(text, probe, vectors[text]))
        for position, text in enumerate(texts)
    ]


def _score(text: str, probe: Probe, vector: Vectors) -> float:
    said = sparse_terms(text)
    keywords = sum(weight * said.get(term, 0.0) for term, weight in probe.terms.items())
    return probe.score(probe.raw(float(vector @ probe.direction), USUAL_RARITY * keywords))
