"""What a query becomes: one dense direction, one sparse vector, and the numbers that turn their scores into one.

A query with contrast phrases is a small linear head, fitted in closed form when it is first used: ridge regression from
the vectors of its phrasings (+1) and contrasts (-1), both sides weighing the same (a regularised linear discriminant;
Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, 4.3). Points have unit length, so the cosine
with the head's direction ranks as the head does: the engine evaluates it as an ordinary dense query. Without contrast
there is nothing to fit: the direction is the phrasings' mean, and ranks are fused instead of scores.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import exp

import numpy as np

from core.base.records import Query
from core.search.embedders import Embedder, Vectors
from core.search.terms import keyword_terms

RIDGE = 0.03
STEEPNESS = 2.0
KEYWORD_WEIGHT = 3.0
KEYWORD_HALF = 4.0
RRF_K = 60
DEPTH = 100


@dataclass(frozen=True, eq=False)
class Probe:
    """A query ready to send.

    The final score is sigmoid(`raw`), so that 0.5 is as much like the phrasings as like the contrasts. `fitted` False:
    the phrasings' mean and RRF scores.
    """

    query: Query
    direction: Vectors
    slope: float
    offset: float
    fitted: bool

    @cached_property
    def dense(self) -> list[float]:
        """The direction as the engines take it."""
        values: list[float] = self.direction.tolist()
        return values

    @cached_property
    def terms(self) -> dict[int, float]:
        """The keywords' sparse vector, in the order of its indices."""
        return dict(sorted(keyword_terms(self.query.keywords).items()))

    @property
    def floor(self) -> float:
        """The cosine of a candidate that only its keywords brought: as far from the phrasings as the contrasts are."""
        return (-STEEPNESS - self.offset) / self.slope

    def raw(self, cosine: float, sparse: float) -> float:
        """The fused score before the sigmoid: slope * cosine + offset + KEYWORD_WEIGHT * s / (s + KEYWORD_HALF)."""
        return self.slope * cosine + self.offset + KEYWORD_WEIGHT * sparse / (sparse + KEYWORD_HALF)

    def score(self, raw: float) -> float:
        """An engine's score as Evidence shows it: between 0 and 1 for a fitted probe."""
        return 1 / (1 + exp(-max(-30.0, min(30.0, raw)))) if self.fitted else raw


def depth_of(probe: Probe) -> int:
    """How many candidates each prefetch brings."""
    return max(DEPTH, 2 * probe.query.limit)


def most_hits(probe: Probe) -> int:
    """How many fused points to ask for: more than the limit, because repeats go last."""
    return 2 * probe.query.limit


def make_probe(query: Query, embedder: Embedder) -> Probe:
    """Embed a query's texts and fit its head; blocking."""
    positive = embedder.queries(query.phrasings)
    if not query.contrast:
        mean = positive.mean(axis=0)
        return Probe(query, _unit(mean), 1.0, 0.0, fitted=False)
    weights, offset = fit_head(positive, embedder.queries(query.contrast))
    length = float(np.linalg.norm(weights)) or 1.0
    return Probe(query, _unit(weights), STEEPNESS * length, STEEPNESS * offset, fitted=True)


def fit_head(positive: Vectors, negative: Vectors) -> tuple[Vectors, float]:
    """Weights and offset of the ridge head, scaled so that the two sides' means project to +1 and -1."""
    rows = np.concatenate([positive, negative]).astype(np.float64)
    share = np.concatenate([np.full(len(side), 0.5 / len(side)) for side in (positive, negative)])
    signs = np.concatenate([np.ones(len(positive)), -np.ones(len(negative))])
    centre = share @ rows
    centred = (rows - centre) * np.sqrt(share)[:, None]
    gram = centred @ centred.T + RIDGE * np.eye(len(rows))
    weights = centred.T @ np.linalg.solve(gram, signs * np.sqrt(share))
    middle = [float((side @ weights).mean()) for side in (positive, negative)]
    scale = 2 / max(middle[0] - middle[1], 1e-9)
    return np.asarray(weights * scale, dtype=np.float32), -scale * sum(middle) / 2


def _unit(vector: Vectors) -> Vectors:
    return np.asarray(vector / (np.linalg.norm(vector) or 1.0), dtype=np.float32)
