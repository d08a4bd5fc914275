"""Citations: `[1]`, `[1][3]`, `[1, 3]`, `[2-4]`, `[service 4]` in an answer become spans over a text without them."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from core.base.records import Citation, NodeResult
from core.pipeline.clean import RESULT, sentence

_ENTRY = r"\^?(?:[^\s\[\]【】［］,;]{1,64}[ \t]+)?#?\d{1,4}(?:[ \t]*[-–~][ \t]*\d{1,4})?"
_MARK = re.compile(
    rf"[\[【［(](?:(?<!\()[ \t]*({_ENTRY}(?:[ \t]*[,;、][ \t]*{_ENTRY})*)[ \t]*[\]】］]"
    r"|(?<=\()r\d{1,4}(?:[ \t]*★[\d.]+)?\))"
)
_ONE = re.compile(r"\^?(?:([^\s,;、]+)[ \t]+)?#?(\d+)(?:[ \t]*[-–~][ \t]*(\d+))?")
_STOP = re.compile(r"[.!?…。！？\n]+[\"'”’»」』)]*")
_NO_STOP = re.compile(r"(?:^|\n)[ \t]*\d+\.$|\b(?:Mr|Mrs|Ms|Dr|St|vs|e\.g|i\.e)\.$", re.IGNORECASE)
_WIDEST = 50  # numbers in a range
_BULLETS = " \t-*•·"


@dataclass(frozen=True, slots=True)
class Reading:
    """An answer without its markers: citations by sentence, labels that were cited, labels nobody knows."""

    text: str
    citations: tuple[Citation, ...]
    cited: tuple[str, ...]
    unknown: tuple[str, ...]


def cite(text: str, labels: Mapping[str, str]) -> tuple[str, tuple[Citation, ...]]:
    """The text without markers, and one citation per cited sentence. `labels`: `1` or `service 1` -> review id."""
    reading = read_marks(text, labels)
    return reading.text, reading.citations


def unknown_labels(text: str, labels: Mapping[str, str]) -> tuple[str, ...]:
    """The labels in the text's markers that point to no evidence; `cite` drops them."""
    return read_marks(text, labels).unknown


def read_marks(text: str, labels: Mapping[str, str]) -> Reading:
    """Take the markers out of an answer and find what each sentence cites."""
    clean, marks = _without_marks(text)
    spans = _sentences(clean) if marks else []
    found: dict[tuple[int, int], dict[str, None]] = {}
    cited: dict[str, None] = {}
    unknown: dict[str, None] = {}
    for position, is_leading, body in marks:
        for label in _labels(body, labels):
            if label not in labels:
                unknown[label] = None
                continue
            cited[label] = None
            if spans:
                found.setdefault(_span(clean, spans, position, is_leading), {})[labels[label]] = None
    citations = tuple([Citation(*span, tuple(ids)) for span, ids in sorted(found.items())])
    return Reading(clean, citations, tuple(cited), tuple(unknown))


def with_labels(result: NodeResult) -> str:
    """A result's text on one line, with `[service 1]` after each sentence that cites evidence 1 of part service."""
    numbers: dict[str, int] = {}
    for number, row in enumerate(result.evidence, 1):
        numbers.setdefault(row.review_id, number)
    pieces: list[str] = []
    at = 0
    for citation in result.citations if result.part else ():
        labels = [f"[{result.part} {numbers[r]}]" for r in citation.review_ids if r in numbers]
        if labels and at < citation.end <= RESULT:
            pieces += [sentence(result.text[at : citation.end], RESULT), "".join(labels)]
            at = citation.end
    pieces.append(sentence(result.text[at:RESULT], RESULT))
    return " ".join(piece for piece in pieces if piece)


def _without_marks(text: str) -> tuple[str, list[tuple[int, bool, str]]]:
    """The text without markers, and for each its place in it, whether it leads its line, and what it says."""
    clean = ""
    marks: list[tuple[int, bool, str]] = []
    at = 0
    for match in _MARK.finditer(text):
        clean += text[at : match.start()]
        at = match.end()
        is_leading = not clean.rpartition("\n")[2].strip(_BULLETS)
        if is_leading:
            at += len(text[at:]) - len(text[at:].lstrip(" \t"))
        else:
            clean = clean.rstrip(" \t")
            clean += " " if text[at : at + 1].isalnum() else ""
        marks.append((len(clean), is_leading, match[1] or ""))
    clean += text[at:]
    margin = len(clean) - len(clean.lstrip())
    return clean.strip(), [(position - margin, leading, body) for position, leading, body in marks]


def _labels(body: str, labels: Mapping[str, str]) -> Iterator[str]:
    """Each label a marker names, as `labels` spells it where it knows it; a number alone goes with the name before."""
    name = ""
    for entry in _ONE.finditer(body):
        name = entry[1] or name
        first, last = int(entry[2]), int(entry[3] or entry[2])
        for number in range(first, min(last, first + _WIDEST) + 1):
            yield _spelled(f"{name} {number}".strip(), labels)


def _spelled(label: str, labels: Mapping[str, str]) -> str:
    if label in labels:
        return label
    folded = label.casefold()
    return next((known for known in labels if known.casefold() == folded), label)


def _sentences(text: str) -> list[tuple[int, int]]:
    """(start, end) of each sentence, without the space around it."""
    spans: list[tuple[int, int]] = []
    start = 0
    for end in [*_ends(text), len(text)]:
        piece = text[start:end]
        if piece.strip():
            first = start + len(piece) - len(piece.lstrip())
            spans.append((first, start + len(piece.rstrip())))
        start = end
    return spans


def _ends(text: str) -> Iterator[int]:
    """Where sentences end: at a line's end, and at a stop that space follows and that is no number's or title's."""
    for stop in _STOP.finditer(text):
        end = stop.end()
        is_firm = stop[0][0] in "。！？" or "\n" in stop[0]
        if is_firm or (text[end : end + 1].isspace() and not _NO_STOP.search(text, max(0, end - 12), end)):
            yield end


def _span(text: str, spans: list[tuple[int, int]], position: int, is_leading: bool) -> tuple[int, int]:
    """The sentence a marker belongs to: the one that ends before it, or the one after it where it leads a line."""
    before, after = text[: max(position, 0)], text[max(position, 0) :]
    place = len(text) - len(after.lstrip()) if is_leading else len(before.rstrip()) - 1
    return spans[max(0, bisect_right(spans, (place, len(text))) - 1)]
