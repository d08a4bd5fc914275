"""What is answered to each kind of block: an aspect's summary, a total, a text per part, a selection."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from core.models.extractive import form, hostile
from core.models.extractive.blocks import Block, evidence_lines, json_lines, result_texts
from core.models.extractive.choose import Choice, Taste, choose, merged
from core.models.extractive.sentence import Sentence, read
from core.models.extractive.tidy import plain, sentences, tidy
from core.models.tokens import estimate_tokens

ASPECT = Taste(words=70, sentences=5)
TOTAL = Taste(words=55, sentences=7, support=0.1)
MAX_CITES = 4
_CITED = re.compile(r"(?:\s*\[[^\[\]\n]{1,64}? \d{1,4}\])+")
_CITE = re.compile(r"\[[^\[\]\n]{1,64}? \d{1,4}\]")
_STOP_AFTER = re.compile(r"((?:\s*\[[^\[\]\n]{1,64}? \d{1,4}\])+)\s*([.!?])")
NOTHING = {"en": "The reviews say nothing clear about this.", "ko": "리뷰에서 뚜렷하게 확인되는 내용이 없습니다."}


def summarise_evidence(block: Block, tokens: int) -> str:
    """An aspect's summary: the agreed sentences of its evidence, each with the numbers of those who say so."""
    candidates = merged(_evidence_candidates(block))
    if not candidates:
        return NOTHING[language(" ".join(block.lines))]
    return within(_cited(choose(candidates, ASPECT)), tokens)


def summarise_results(blocks: Sequence[Block], tokens: int) -> str:
    """One text from earlier results: a total over cited summaries, otherwise a selection in their order."""
    results = [result for block in blocks for result in result_texts(block)]
    if any(_CITE.search(text) for _, text in results):
        return _total(results, tokens)
    return _selection([text for _, text in results if text], tokens)


def describe_part(fields: Mapping[str, Any], tokens: int) -> str:
    """A part in its own words: its title fields, then the first sentences of its longest descriptions."""
    texts = {key: str(value) for key, value in fields.items() if isinstance(value, str) and key != "id" and value.strip()}
    texts = {key: plain(text) for key, text in texts.items() if not hostile.to_a_model(text)}
    long = sorted((t for t in texts.values() if len(t) >= 30), key=len, reverse=True)[:2]
    title = ", ".join([t for t in texts.values() if len(t) < 30][:3])
    lines = [tidy(s) for t in long for s in sentences(t)[:2]]
    return within([f"{title}." if lines or not title else title, *lines] if title else lines, tokens)


def describe_parts(blocks: Sequence[Block], tokens: int) -> list[dict[str, str]]:
    """One {"id", "text"} per part, in order, sharing the tokens evenly."""
    parts = [part for block in blocks for part in json_lines(block)]
    share = max(tokens // max(len(parts), 1) - 12, 8)
    return [{"id": str(part.get("id", "")), "text": describe_part(part, share)} for part in parts]


def first_sentences(text: str, tokens: int) -> str:
    """The beginning of a text that holds no block."""
    return within([s.strip() for s in sentences(plain(text))][:4], tokens)


def language(text: str) -> str:
    """`ko` where a tenth of the letters are Hangul, else `en`."""
    hangul = sum("가" <= c <= "힣" for c in text)
    return "ko" if hangul * 10 > len(text) else "en"


def within(lines: Sequence[str], tokens: int) -> str:
    """As many whole lines as the tokens allow, at least the first (which the caller may have to cut)."""
    text = lines[0] if lines else ""
    for line in lines[1:]:
        longer = f"{text} {line}"
        if estimate_tokens(longer) > tokens:
            break
        text = longer
    return text


def _evidence_candidates(block: Block) -> list[Sentence]:
    return [
        read(text, cites=(f"[{line.number}]",), source=f"r{line.review}", order=order, rating=line.rating)
        for order, line in enumerate(evidence_lines(block))
        for text in _usable(line.text)
    ]


def _usable(raw: str) -> list[str]:
    """The tidy sentences of a raw text that tell something about the place; none of a text that holds an attack."""
    text = plain(raw)
    if hostile.to_a_model(raw) or hostile.to_a_model(text):
        return []
    tidied = (tidy(c) for s in sentences(text) if not hostile.to_the_reader(s) for c in form.clauses(tidy(s)))
    return [s for s in tidied if len(s) > 3 and not hostile.to_the_reader(s)]


def _total(results: Sequence[tuple[str, str]], tokens: int) -> str:
    candidates = merged([c for name, text in results for c in _result_candidates(name, text)])
    chosen = choose(candidates, TOTAL)
    order = [name for name, _ in results]
    chosen.sort(key=lambda c: (order.index(c.sentence.group), c.sentence.order))
    return within(_cited(chosen), tokens) or NOTHING[language(" ".join(t for _, t in results))]


def _result_candidates(name: str, text: str) -> list[Sentence]:
    """The sentences of an aspect summary; each kept apart as if by its own reviewer, its citations being its support."""
    found: list[Sentence] = []
    for order, (sentence, cites) in enumerate(_cited_sentences(text)):
        if usable := _usable(sentence):
            found.append(read(" ".join(usable), cites=cites, source=f"{name} {order}", order=order, group=name))
    return found


def _cited_sentences(text: str) -> list[tuple[str, tuple[str, ...]]]:
    text = _STOP_AFTER.sub(r"\2\1", text)
    found: list[tuple[str, tuple[str, ...]]] = []
    position = 0
    for match in _CITED.finditer(text):
        before = sentences(text[position : match.start()].strip())
        found += [(s, ()) for s in before[:-1]] + [(s, tuple(_CITE.findall(match[0]))) for s in before[-1:]]
        position = match.end()
    return found + [(s, ()) for s in sentences(text[position:].strip())]


def _selection(texts: Sequence[str], tokens: int) -> str:
    """The opening of each text in order: one sentence each, more where there are few."""
    each = max(6 // max(len(texts), 1), 1)
    pick: Callable[[str], list[str]] = lambda text: [tidy(s) for s in sentences(plain(text))[:each]]
    return within([s for text in texts if not hostile.to_a_model(text) for s in pick(text) if s], tokens)


def _cited(choices: Sequence[Choice]) -> list[str]:
    return [f"{choice.sentence.text} {''.join(choice.cites[:MAX_CITES])}".strip() for choice in choices]
