"""What a point carries beside its vectors, and how a found one becomes evidence."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from core.base.endpoints import SearchConfig
from core.base.records import Evidence
from core.search.prepare import Prepared, encodable
from core.search.probe import Probe

POSITION = "position"
CLEARLY_OTHER = 0.2  # the score under which a sentence speaks of another aspect
EXTRAS = ("author", "rating", "date")

_NOISE = re.compile(r"[\W_]+")

Hit = tuple[object, float, Mapping[str, Any]]


def payload_of(sentence: Prepared, config: SearchConfig) -> dict[str, Any]:
    """The payload of a sentence under the configured names; the engine takes no dates or NaN, so those become text."""
    own = {
        config.restaurant_field: sentence.restaurant_id,
        config.review_field: sentence.review_id,
        config.text_field: sentence.text,
        POSITION: sentence.position,
    }
    return {name: _plain(value) for name, value in sentence.payload.items()} | own


def fields_of(config: SearchConfig) -> list[str]:
    """The payload fields a search needs back."""
    return [config.text_field, config.review_field, POSITION, *EXTRAS]


def read(hits: Iterable[Hit], probe: Probe, config: SearchConfig) -> list[Evidence]:
    """Evidence from (point id, engine score, payload); a point without text is none."""
    found = [_evidence(hit, probe, config) for hit in hits]
    return [evidence for evidence in found if evidence.text]


def ranked(found: list[Evidence], probe: Probe) -> list[Evidence]:
    """Best first: repeats last, cut off, at most the query's limit. Ranks have no cut-off, only fitted scores do."""
    query, lowest = probe.query, probe.query.cutoff if probe.fitted else None
    found.sort(key=lambda e: (-e.score, e.review_id, e.position))  # engines order ties as they please
    if lowest is None:
        return _repeats_last(found)[: query.limit]
    floor = min(lowest, CLEARLY_OTHER)
    kept = [e for rank, e in enumerate(found) if e.score >= (floor if rank < query.keep else lowest)]
    return _repeats_last(kept)[: query.limit]


def _evidence(hit: Hit, probe: Probe, config: SearchConfig) -> Evidence:
    key, score, payload = hit
    author, date = payload.get("author"), payload.get("date")
    return Evidence(
        review_id=str(payload.get(config.review_field, key)),
        text=str(payload.get(config.text_field) or ""),
        score=probe.score(score),
        position=_whole(payload.get(POSITION)),
        author=None if author is None else str(author),
        rating=_number(payload.get("rating")),
        date=None if date is None else str(date),
    )


def _repeats_last(found: list[Evidence]) -> list[Evidence]:
    """A sentence that says word for word what a better one says goes behind all others."""
    seen: set[str] = set()
    first: list[Evidence] = []
    again: list[Evidence] = []
    for evidence in found:
        said = _NOISE.sub("", evidence.text.lower())
        (again if said in seen else first).append(evidence)
        seen.add(said)
    return first + again


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, Mapping):
        return {str(name): _plain(entry) for name, entry in value.items()}
    return str(value)


def _number(value: Any) -> float | None:
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError):
        return None


def _whole(value: Any) -> int:
    return value if isinstance(value, int) else 0
