"""Earlier results become one text: a total over cited summaries, or a selection in their order."""

from __future__ import annotations

import re
from collections.abc import Sequence

from core.models.extractive import hostile
from core.models.extractive.aspect import outline
from core.models.extractive.blocks import Block, result_texts
from core.models.extractive.choose import Taste, choose
from core.models.extractive.sentence import Sentence, read, terms_in
from core.models.extractive.sift import attacks, usable
from core.models.extractive.tidy import plain, sentences
from core.models.extractive.wording import (
    MAX_CITES,
    cited,
    is_nothing_clear,
    language_of,
    nothing_about,
    nothing_clear,
    within,
)

TASTE = Taste(words=60, sentences=9, ideal=15, support=0.2, concrete=0.2)
SELECTED = 7  # sentences of a selection, shared among the results
_CITE = re.compile(r"\[[^\[\]\n]{1,64} \d{1,4}\]")
_CITES = re.compile(rf"(?:\s*{_CITE.pattern})+")
_STOP_AFTER = re.compile(rf"({_CITES.pattern})\s*([.!?])")


def summarise_results(
    blocks: Sequence[Block], tokens: int, instruction: str = "", evidence: Sequence[Block] = ()
) -> str:
    """A total where the results cite evidence, else the sentences of each that suit the instruction best, in order."""
    results = [result for block in blocks for result in result_texts(block)]
    if not any(text for _, text in results):
        return nothing_clear(blocks[0])
    if evidence or any(_CITE.search(text) for _, text in results):
        return _total(results, evidence, tokens, language_of(blocks[0])) or nothing_clear(blocks[0])
    return _selection([text for _, text in results if text], tokens, instruction) or nothing_clear(blocks[0])


def _total(results: Sequence[tuple[str, str]], evidence: Sequence[Block], tokens: int, lang: str) -> str:
    """The best sentences over all aspects, aspect by aspect, and which aspects nobody speaks of."""
    silent = [name for name, text in results if not text or is_nothing_clear(text)]
    chosen = choose(_from_evidence(results, evidence) or _from_results(results), TASTE)
    names = [name for name, _ in results]
    chosen.sort(key=lambda choice: (names.index(choice.sentence.group), choice.sentence.order))
    lines = cited(chosen)
    if silent:
        lines += [nothing_about(silent, lang)]
    return within(lines, tokens)


def _from_evidence(results: Sequence[tuple[str, str]], evidence: Sequence[Block]) -> list[Sentence]:
    """What the evidence of the aspects that have a summary offers."""
    told = {name for name, text in results if text}
    return [candidate for block in evidence if block.part in told for candidate in _outlined(block)]


def _from_results(results: Sequence[tuple[str, str]]) -> list[Sentence]:
    """What the summaries themselves offer, where a prompt has nothing else."""
    return [c for name, text in results if not is_nothing_clear(text) for c in _candidates(name, text)]


def _outlined(block: Block) -> list[Sentence]:
    """The sentences of a block's evidence that a total may say, cited as evidence of its part."""
    return [
        read(
            choice.sentence.text,
            cites=tuple(f"[{block.part} {cite[1:]}" for cite in choice.cites[:MAX_CITES]),
            source=f"{block.part} {order}",
            order=order,
            group=block.part,
        )
        for order, choice in enumerate(outline(block))
    ]


def _candidates(name: str, text: str) -> list[Sentence]:
    """The sentences of an aspect's summary, as if each were a reviewer's own; its citations are its support."""
    found = enumerate(_with_citations(text))
    return [
        read(" ".join(told), cites=cites, source=f"{name} {order}", order=order, group=name)
        for order, (sentence, cites) in found
        if not attacks(sentence) and (told := usable(sentence))
    ]


def _with_citations(text: str) -> list[tuple[str, tuple[str, ...]]]:
    """Each sentence with the citations that follow it, before or after its full stop."""
    text = _STOP_AFTER.sub(r"\2\1", text)
    found: list[tuple[str, tuple[str, ...]]] = []
    position = 0
    for match in _CITES.finditer(text):
        found += _sentences(text[position : match.start()], tuple(_CITE.findall(match[0])))
        position = match.end()
    return found + _sentences(text[position:], ())


def _sentences(text: str, cites: tuple[str, ...]) -> list[tuple[str, tuple[str, ...]]]:
    """The sentences before a citation: only the last of them is cited by it."""
    said = sentences(text.strip())
    return [(s, cites if s is said[-1] else ()) for s in said]


def _selection(texts: Sequence[str], tokens: int, instruction: str) -> str:
    """Some sentences of every text in their order, those nearest to the instruction's words first."""
    each = max(SELECTED // len(texts), 1)
    wanted = terms_in(without_citations(instruction))
    lines = dict.fromkeys(line for text in texts for line in _nearest(text, wanted, each))
    return within(list(lines), tokens)


def _nearest(text: str, wanted: frozenset[str], count: int) -> list[str]:
    said = [s for s in sentences(plain(text)) if not hostile.instructs(s)]
    best = sorted(range(len(said)), key=lambda i: (-len(terms_in(said[i]) & wanted), i))[:count]
    return [said[i] for i in sorted(best)]


def without_citations(text: str) -> str:
    """The text without `[part n]`."""
    return _CITES.sub("", text)
