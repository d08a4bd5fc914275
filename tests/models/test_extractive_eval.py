"""Summaries against people's own, where the evaluation data is at hand (BRIGADE_EVAL_DATA names its folder).

Words stand in for search here: the bounds are a floor against regressions, not a score.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from core.base.records import Message, ModelRequest
from core.models.extractive.model import answer

FOLDER = os.environ.get("BRIGADE_EVAL_DATA")
ASPECTS = {
    "service": "staff service waiter waitress server manager friendly rude attentive helpful wait slow owner fast",
    "price": "price prices cheap expensive pricey overpriced value worth money cost affordable reasonable deal portion",
    "food": "food taste delicious flavor dish menu fresh chicken burger pizza sushi sauce coffee salad drinks bread",
}
OTHERS = 8

pytestmark = pytest.mark.skipif(not FOLDER, reason="BRIGADE_EVAL_DATA is not set")


def ask(kind: str, lines: list[str]) -> str:
    content = f'<data id="e7e7" kind="{kind}">\n' + "\n".join(lines) + '\n</data id="e7e7">'
    return answer(ModelRequest("extractive", (Message("user", content),), max_tokens=160)).text


def found(reviews: list[str], words: set[str]) -> list[str]:
    """A stand-in for search: the eight sentences with most of the aspect's words."""
    rows = [(n, s) for n, text in enumerate(reviews, 1) for s in re.split(r"(?<=[.!?])\s+", text)]
    scored = [(len(words & set(re.findall(r"[a-z]+", s.lower()))), r, s) for r, s in rows]
    best = sorted((row for row in scored if row[0]), key=lambda row: -row[0])[:8]
    return [f"[{n}] (r{r}) {' '.join(s.split())}" for n, (_, r, s) in enumerate(best, 1)]


def total(reviews: list[str]) -> str:
    lines = []
    for part, words in ASPECTS.items():
        evidence = found(reviews, set(words.split()))
        text = re.sub(r"\[(\d+)\]", rf"[{part} \1]", ask("evidence", evidence)) if evidence else "(nothing found)"
        lines.append(f"[{part}] {text}")
    return re.sub(r"\s*\[[^\]]*\]", "", ask("results", lines))


def test_totals_are_near_peoples_summaries_of_the_same_place_and_not_of_others() -> None:
    """ROUGE-1 against its own references is at least 28, and at least 6 above that against other places'."""
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rouge1"], use_stemmer=True)
    rows = (Path(FOLDER or "") / "summaries_en_dev.jsonl").read_text(encoding="utf-8").splitlines()
    items = [json.loads(row) for row in rows]

    def score(text: str, references: list[str]) -> float:
        return sum(scorer.score(r, text)["rouge1"].fmeasure for r in references) / len(references)

    own, other = [], []
    for i, item in enumerate(items):
        text = total(item["reviews"])
        own.append(score(text, item["references"]))
        others = [items[(i + k) % len(items)]["references"] for k in range(1, OTHERS + 1)]
        other += [score(text, references) for references in others]
    mean, elsewhere = sum(own) / len(own), sum(other) / len(other)
    assert mean >= 0.28
    assert mean - elsewhere >= 0.06
