"""Evidence, citations and flags as compact JSON columns, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from core.base.records import Citation, Evidence, NodeResult
from core.store.money import to_nano

RESULT_COLUMNS = (
    "run_id", "item_id", "stage", "part", "status", "text", "model", "cost_nano", "input_hash", "error",
    "flags", "citations", "used", "evidence",
)  # fmt: skip


def dump(value: object) -> str:
    """JSON text for a column; what JSON does not know is written as its text."""
    return orjson.dumps(value, default=str).decode()


def load(text: str | None) -> Any:
    """What `dump` wrote; None for an empty column."""
    return None if text is None else orjson.loads(text)


def mapping(value: Mapping[str, Any]) -> str:
    """A mapping of any kind as JSON text."""
    return dump(dict(value))


def result_row(result: NodeResult) -> tuple[Any, ...]:
    """The values of `RESULT_COLUMNS`. A search's evidence is stored whole, a text's by name only."""
    found = bool(result.evidence) and not result.text
    return (
        result.run_id,
        result.item_id,
        result.stage,
        result.part,
        result.status,
        result.text,
        result.model,
        to_nano(result.cost_usd),
        result.input_hash,
        result.error,
        dump(result.flags) if result.flags else None,
        dump([[c.start, c.end, c.review_ids] for c in result.citations]) if result.citations else None,
        dump([[e.review_id, e.position] for e in result.evidence]) if result.evidence and not found else None,
        dump_evidence(result.evidence) if found else None,
    )


def dump_evidence(evidence: Sequence[Evidence]) -> str:
    """Sentences as lists, without field names."""
    return dump([[e.review_id, e.text, e.score, e.position, e.author, e.rating, e.date] for e in evidence])


def load_evidence(text: str | None) -> tuple[Evidence, ...]:
    """What `dump_evidence` wrote."""
    return tuple(Evidence(*fields) for fields in load(text) or ())


def load_citations(text: str | None) -> tuple[Citation, ...]:
    """The citations of a result."""
    return tuple(Citation(start, end, tuple(ids)) for start, end, ids in load(text) or ())


def load_flags(text: str | None) -> tuple[str, ...]:
    """The flags of a result."""
    return tuple(load(text) or ())
