"""How a sentence is made: a statement about the place reads on its own; a story, a fragment or "he" does not."""

from __future__ import annotations

import re

VERB = re.compile(
    r"\b(?:is|are|was|were|be|been|has|have|had|do|does|did|can|could|will|would|should|isn't|aren't|wasn't|weren't|don't|"
    r"doesn't|didn't|can't|couldn't|won't|it's|that's|there's|they're|he's|she's|we're|i'm|i've|we've|"
    r"love[sd]?|like[sd]?|tastes?|makes?|serves?|offers?|comes?|came|gets?|got|goes|went|seems?|looks?|feels?|needs?|"
    r"gives?|gave|takes?|took|keeps?|know|knows|knew|made|said|told|think|thought|found|left|lacks?|works?|costs?|\w{3,}ed)\b",
    re.IGNORECASE,
)
_DANGLING = re.compile(r"(?:he|she|him|her|his|hers|they|them|that|those|it|with|which|who|than|then|of|when|if|to|as|or|not)\b", re.IGNORECASE)
_STORY = re.compile(
    r"\b(?:today|yesterday|tonight|last (?:night|week|time|year|month)|this (?:morning|evening|time)|ago|ordered|asked|told|said|"
    r"walked|went|called|decided|stopped|arrived|sat|waited|left|tried|had the|had a|got (?:the|a|our)|birthday|anniversary|"
    r"january|february|march|april|june|july|august|september|october|november|december|monday|tuesday|wednesday|"
    r"thursday|friday|saturday|sunday|lol|omg|haha|yelp|stars?)\b",
    re.IGNORECASE,
)
_BREAK = re.compile(
    r"(?:\s*[;–—]\s*|\s+-+\s+|,?\s+(?:and|but|however|though|so|plus|yet)\s+(?=(?:the|it|they|their|this|these|everything|food|"
    r"service|staff|prices?|portions?|i|we|my|our|you|he|she|there|would|will|have|had|went|came|got|was|is|were|are)\b)|"
    r",\s+(?=(?:i|we|my|our|the|it|they|their)\b))",
    re.IGNORECASE,
)
_DEPENDENT = re.compile(
    r"(?:if|when|whenever|although|though|even|since|because|after|while|as|before|unless|once|until|despite|where|not only|"
    r"between|both|either|neither|whether|in|on|at|for|from)\b",
    re.IGNORECASE,
)
_HEDGE = re.compile(
    r"(?:i|we) (?:think|thought|must say|have to say|would say|gotta say|will say|can say|feel|felt|believe|found|find|guess|"
    r"was told|heard) (?:that |like )?(?=(?:the|this|it|their|they|everything|all|food|service|staff|prices?)\b)",
    re.IGNORECASE,
)
_OWN_SUBJECT = re.compile(r"(?:the|it|they|their|this|these|everything|food|service|staff|prices?|portions?|i|we|my|our|you|he|she|there)\b", re.IGNORECASE)


_OPENING = re.compile(r"(?:The|This|Their|These|All|Everything|Both|Most)\b")
_PRESENT = re.compile(r"\b(?:is|are|isn't|aren't|has|have|serves?|offers?|tastes?|it's|they're)\b", re.IGNORECASE)
_PAST = re.compile(r"\b(?:was|were|wasn't|weren't|had|went|came|got|ordered|tried|told|asked|said)\b", re.IGNORECASE)
_YOU = re.compile(r"\b(?:you|your|you're|yourself|u|ur)\b", re.IGNORECASE)
_DIGIT = re.compile(r"\d")


def reads_alone(text: str) -> float:
    """How far its form suits a summary, about -0.5 .. 0.25: statements of what is, not what once happened to someone."""
    value = 0.12 * bool(_OPENING.match(text)) + 0.09 * bool(_PRESENT.search(text))
    value -= 0.08 * bool(_PAST.search(text)) + 0.16 * bool(_YOU.search(text)) + 0.08 * bool(_DIGIT.search(text))
    return value - 0.06 * bool(_DANGLING.match(text)) - 0.04 * min(len(_STORY.findall(text)), 3)


def clauses(sentence: str) -> list[str]:
    """An English sentence's independent clauses, each whole in itself; the sentence alone where that is not certain."""
    body = _HEDGE.sub("", sentence)
    if _DEPENDENT.match(body):
        return [body]
    parts, start = [], 0
    for match in _BREAK.finditer(body):
        if _whole(body[start : match.start()]) and _whole(body[match.end() :]) and _OWN_SUBJECT.match(body, match.end()):
            parts.append(body[start : match.start()])
            start = match.end()
    return [*parts, body[start:]]


def _whole(text: str) -> bool:
    return text.count(" ") >= 2 and text.count("(") == text.count(")") and VERB.search(text) is not None
