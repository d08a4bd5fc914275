"""What of the evidence a prompt shows, in which order it is numbered, and in which language it speaks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from core.base.records import Evidence, Item, NodeResult
from core.base.workload import Part

LEAST_SHARE = 2  # sentences that one author may always have
_HANGUL = re.compile("[가-힣ㄱ-ㆎᄀ-ᇿ]")


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a node works on: evidence by part id, results by stage id and part id ('' for once per item)."""

    evidence: Mapping[str, Sequence[Evidence]] = field(default_factory=dict)
    results: Mapping[str, Mapping[str, NodeResult]] = field(default_factory=dict)


def shown(evidence: Sequence[Evidence]) -> tuple[Evidence, ...]:
    """The evidence that a prompt shows, in its order: one author has at most a third of it (two sentences at least).

    The first sentence of the result has number 1. Showing what is shown already changes nothing.
    """
    authors = [e.author or e.review_id for e in evidence]
    counts = Counter(authors)
    if len(counts) < 2 or max(counts.values()) <= LEAST_SHARE:
        return tuple(evidence)
    share = _share(list(counts.values()))
    taken: Counter[str] = Counter()
    kept = []
    for author, sentence in zip(authors, evidence, strict=True):
        taken[author] += 1
        if taken[author] <= share:
            kept.append(sentence)
    return tuple(kept)


def _share(counts: Sequence[int]) -> int:
    """The most sentences an author may have so that nobody has more than a third of what is left."""
    for share in range(sum(counts) // 3, LEAST_SHARE, -1):
        if 3 * share <= sum(min(count, share) for count in counts):
            return share
    return LEAST_SHARE


def labelled(part: str, inputs: Inputs) -> dict[str, Evidence]:
    """The evidence a node may cite, by label.

    For a part `1` and `service 1`; for '' (once per item) `service 1` of every part.
    """
    found: dict[str, Evidence] = {}
    for name, evidence in inputs.evidence.items():
        rows = shown(evidence) if not part or name == part else ()
        if name == part:
            found.update({str(n): e for n, e in enumerate(rows, 1)})
        found.update({f"{name} {n}": e for n, e in enumerate(rows, 1)})
    for results in inputs.results.values():
        for name, result in results.items():
            if name and name not in inputs.evidence and (not part or name == part):
                found.update({f"{name} {n}": e for n, e in enumerate(result.evidence, 1)})
    return found


def language(parts: Sequence[Part], item: Item, inputs: Inputs) -> str:
    """Korean or English: what most sentences of the evidence are written in, else the item's `lang`, else English."""
    names = {part.id for part in parts}
    texts = [e.text for name, rows in inputs.evidence.items() if not names or name in names for e in rows]
    if not texts:
        texts = [e.text for r in _results(inputs) if not names or r.part in names for e in r.evidence]
    if texts:
        korean = sum([not t.isascii() and _HANGUL.search(t) is not None for t in texts])
        return "Korean" if 2 * korean > len(texts) else "English"
    return "Korean" if str(item.fields.get("lang", "")).lower().startswith(("ko", "kr")) else "English"


def _results(inputs: Inputs) -> Iterable[NodeResult]:
    return (result for by_part in inputs.results.values() for result in by_part.values())
