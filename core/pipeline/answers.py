"""What a model's answer says: text for each part with citations, or MalformedError where it is no answer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import orjson

from core.base.errors import MalformedError
from core.base.records import Citation, Evidence
from core.base.workload import Part
from core.pipeline.citations import cite, read_marks, unknown_labels, with_labels
from core.pipeline.clean import visible
from core.pipeline.evidence import Inputs, labelled

__all__ = ["Answer", "cite", "parse_batch", "read_batch", "read_text", "unknown_labels", "with_labels"]

_THINKING = re.compile(r"^\s*<(think|thinking|reasoning)>.*?</\1>", re.DOTALL | re.IGNORECASE)
_FENCED = re.compile(r"^\s*```[\w-]*[ \t]*\n(.*?)\n?[ \t]*```\s*$", re.DOTALL)
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Answer:
    """A part's text without markers. evidence: what it was given, or for a text over all parts what it cites.

    flags: `uncited` (it had evidence and cites none), `unknown_citation` (it cites what does not exist).
    """

    text: str
    evidence: tuple[Evidence, ...] = ()
    citations: tuple[Citation, ...] = ()
    flags: tuple[str, ...] = ()


def read_text(text: str, part: str, inputs: Inputs) -> Answer:
    """The answer of a call for one part, or once per item (''); MalformedError where it is empty."""
    body = _body(text)
    if not body:
        _malformed("is empty", text)
    rows = labelled(part, inputs)
    reading = read_marks(body, {label: row.review_id for label, row in rows.items()})
    if not reading.text:
        _malformed("holds nothing but citations", text)
    flags = ["uncited"] if rows and not reading.citations else []
    flags += ["unknown_citation"] if reading.unknown else []
    given = rows.values() if part else [rows[label] for label in reading.cited]
    evidence = {(row.review_id, row.text): row for row in given}
    return Answer(reading.text, tuple(evidence.values()), reading.citations, tuple(flags))


def read_batch(text: str, parts: Sequence[Part], inputs: Inputs) -> dict[str, Answer]:
    """The answers of a call for several parts, by part id; MalformedError where one is missing or too many."""
    return {name: read_text(said, name, inputs) for name, said in parse_batch(text, parts).items()}


def parse_batch(text: str, parts: Sequence[Part]) -> dict[str, str]:
    """The texts of `{"results": [{"id", "text"}]}` by part id, in the parts' order.

    A code fence around the JSON is tolerated; a missing, unknown, repeated or empty entry is a MalformedError.
    """
    entries = _entries(text)
    wanted = [part.id for part in parts]
    found: dict[str, str] = {}
    for entry in entries:
        name, said = _entry(entry, text)
        if name not in wanted:
            _malformed(f"has an entry for {name!r}, which was not asked for", text)
        if name in found:
            _malformed(f"has two entries for {name!r}", text)
        found[name] = said
    missing = [name for name in wanted if name not in found]
    if missing:
        _malformed(f"has no entry for {', '.join(missing)}", text)
    return {name: found[name] for name in wanted}


def _entries(text: str) -> list[Any]:
    try:
        value = orjson.loads(_body(text))
    except orjson.JSONDecodeError as exc:
        msg = f"The answer is not JSON ({exc}): {text[:_SHOWN]!r}"
        raise MalformedError(msg) from exc
    entries = value.get("results") if isinstance(value, dict) else None
    if not isinstance(entries, list):
        _malformed('has no list "results"', text)
    return entries


def _entry(entry: object, text: str) -> tuple[str, str]:
    name, said = (entry.get("id"), entry.get("text")) if isinstance(entry, Mapping) else (None, None)
    if isinstance(name, int) and not isinstance(name, bool):
        name = str(name)
    said = visible(said).strip() if isinstance(said, str) else ""
    if not isinstance(name, str) or not said:
        _malformed('has an entry without "id" or "text"', text)
    return name, said


def _body(text: str) -> str:
    """The answer without a model's thinking, without a code fence around it, and without what cannot be seen."""
    body = _THINKING.sub("", text, count=1) if "<" in text else text
    fenced = _FENCED.match(body) if "```" in body else None
    return visible(fenced[1] if fenced else body).strip()


def _malformed(what: str, text: str) -> NoReturn:
    msg = f"The answer {what}: {text[:_SHOWN]!r}"
    raise MalformedError(msg)
