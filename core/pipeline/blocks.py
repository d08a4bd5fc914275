"""The data blocks of a prompt: whatever a reviewer, an item's owner or a model wrote stands between random fences.

A block of evidence is `<data id="9f3c2a1b" kind="evidence" part="service">`, a line `[1] (r3 ★4) The waiter forgot our
order twice.` per sentence, and `</data id="9f3c2a1b">` on a line of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from core.base.records import Evidence, Item, NodeResult
from core.base.workload import Part
from core.pipeline.citations import with_labels
from core.pipeline.clean import inline, json_line, sentence
from core.pipeline.evidence import shown

OPENING = '<data id="'
NOTHING_FOUND = "(nothing found)"
_BEST_RATING = 5
_MOST_CHARACTERS = 24_000


def evidence_block(part: Part, evidence: Sequence[Evidence], fence: str, lang: str) -> str:
    """The numbered sentences of one part, best first; sentences with the same `rK` are of one review."""
    reviews: dict[str, int] = {}
    lines = []
    for number, row in enumerate(shown(evidence), 1):
        review = reviews.setdefault(row.review_id, len(reviews) + 1)
        lines.append(f"[{number}] (r{review}{_stars(row.rating)}) {sentence(row.text)}")
    return _block(fence, f'kind="evidence" part="{part.id}" title="{inline(part.title)}" lang="{lang}"', lines)


def results_block(stage: str, results: Iterable[tuple[str, NodeResult | None]], fence: str, lang: str) -> str:
    """One line per earlier result, with its citations as `[service 1]`; a gap is named."""
    lines = [f"[{name}] {_told(result)}" for name, result in results]
    return _block(fence, f'kind="results" stage="{stage}" lang="{lang}"', lines)


def parts_block(parts: Sequence[Part], fence: str) -> str:
    """One JSON object per part: its id and its own fields."""
    return _block(fence, 'kind="parts"', [json_line(_fields(part)) for part in parts])


def item_block(item: Item, names: Iterable[str], fence: str) -> str:
    """One JSON object with those of the item's fields; its name is always there."""
    fields = {"name": item.name} | {name: item.fields[name] for name in names if name in item.fields}
    return _block(fence, 'kind="item"', [json_line(fields)])


def _block(fence: str, attributes: str, lines: Sequence[str]) -> str:
    body = "\n".join(line[:_MOST_CHARACTERS] for line in lines)
    return f'{OPENING}{fence}" {attributes}>\n{body}\n</data id="{fence}">'


def _told(result: NodeResult | None) -> str:
    if result is None or result.status != "done" or not result.text.strip():
        return NOTHING_FOUND
    return with_labels(result) or NOTHING_FOUND


def _fields(part: Part) -> Mapping[str, Any]:
    titled = {} if part.title in part.fields.values() or part.title == part.id else {"title": part.title}
    return {"id": part.id, **titled, **{k: v for k, v in part.fields.items() if k != "id"}}


def _stars(rating: float | None) -> str:
    return f" ★{rating:g}" if rating is not None and 0 < rating <= _BEST_RATING else ""
