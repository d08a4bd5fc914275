"""Putting chosen sentences into a text that fits, and the few sentences that are the model's own."""

from __future__ import annotations

from collections.abc import Sequence

from core.models.extractive.blocks import Block
from core.models.extractive.choose import Choice
from core.models.tokens import estimate_tokens

MAX_CITES = 4
_NOTHING_CLEAR = {
    "en": "The reviews say nothing clear about this.",
    "ko": "리뷰에서 뚜렷하게 확인되는 내용이 없습니다.",
}
_NAMES_KO = {"service": "서비스", "price": "가격", "food": "음식"}


def cited(choices: Sequence[Choice]) -> list[str]:
    """Each chosen sentence followed by its citations."""
    return [f"{choice.sentence.text} {''.join(choice.cites[:MAX_CITES])}".strip() for choice in choices]


def within(lines: Sequence[str], tokens: int) -> str:
    """The lines that fit the tokens, in order; a first one that does not is the caller's to cut."""
    text = lines[0] if lines else ""
    for line in lines[1:]:
        longer = f"{text} {line}"
        text = longer if estimate_tokens(longer) <= tokens else text
    return text


def clipped(text: str, tokens: int) -> str:
    """The text up to the last word that fits the tokens."""
    while text and estimate_tokens(text) > tokens:
        text = text[: len(text) - max((estimate_tokens(text) - tokens) // 2, 1)]
        text = text.rsplit(" ", 1)[0] if " " in text else text
    return text.rstrip()


def language(text: str) -> str:
    """`ko` where a tenth of the characters are Hangul, else `en`."""
    return "ko" if not text.isascii() and sum("가" <= c <= "힣" for c in text) * 10 > len(text) else "en"


def language_of(block: Block) -> str:
    """The language a block asks for, else that of its text."""
    lang = block.attributes.get("lang") or language(" ".join(block.lines))
    return "ko" if lang == "ko" else "en"


def nothing_clear(block: Block) -> str:
    """What is said where no sentence may be used."""
    return _NOTHING_CLEAR[language_of(block)]


def is_nothing_clear(text: str) -> bool:
    """Whether a result is that sentence and nothing else."""
    return text.strip() in _NOTHING_CLEAR.values()


def nothing_about(names: Sequence[str], lang: str) -> str:
    """The gap, named: aspects that no review speaks of."""
    if lang == "ko":
        return f"{', '.join(_NAMES_KO.get(name, name) for name in names)}에 대한 리뷰는 없습니다."
    return f"Nothing on {' or '.join(names)}."
