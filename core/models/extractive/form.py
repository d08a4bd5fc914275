"""How a sentence is made: a statement of what is reads well on its own; a story, a fragment or "he" does not.

The weights are a linear fit of how well a sentence's words are found in people's own summaries of the same place,
rounded; they are worth about as much as one term that all reviewers share.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from core.models.extractive.lexicon import words

_OPENING = frozenset(["the", "this", "their", "these", "all", "everything", "both", "most"])
_PRESENT = words("is are isn't aren't has have serves serve offers offer tastes it's they're")
_PAST = words("was were wasn't weren't had went came got ordered tried told asked said")
_YOU = words("you your you're yourself u ur")
_POINTING = words("he she him her his hers they them that those it with which who than of when if to as or not")
_STORY = words(
    """today yesterday tonight ago ordered asked told said walked went called decided stopped arrived sat waited
    left tried birthday anniversary january february march april june july august september october november
    december monday tuesday wednesday thursday friday saturday sunday lol omg haha yelp star stars"""
)
_TOPIC_KO = re.compile(r"[가-힣 ]{1,12}?[은는이가도] ")
_UNFINISHED_KO = re.compile(
    r"(?:[가-힣](?:고|지만|는데|은데|인데|서|며|면|니|구|려고|든지|느라)|너무|정말|진짜|그리고)\.?$"
)
_STORY_KO = re.compile(
    r"오늘|어제|저번|이번|처음|지난|주말|아까|생일|시켰|시킨|시켜|주문|갔는데|먹었는데|퇴근|점심에|저녁에|밤에"
)

_VERB = re.compile(
    r"\b(?:is|are|was|were|be|been|has|have|had|do|does|did|can|could|will|would|should|isn't|aren't|wasn't|"
    r"weren't|don't|"
    r"doesn't|didn't|can't|couldn't|won't|it's|that's|there's|they're|he's|she's|we're|i'm|i've|we've|"
    r"love[sd]?|like[sd]?|"
    r"tastes?|makes?|serves?|offers?|comes?|came|gets?|got|goes|went|seems?|looks?|feels?|needs?|gives?|gave|"
    r"takes?|took|"
    r"keeps?|knows?|knew|made|said|told|think|thought|found|left|lacks?|works?|costs?|\w{3,}ed)\b",
    re.IGNORECASE,
)
_SUBJECT = r"(?:the|their|everything|food|service|staff|prices?|portions?|i|we|my|our|you|there)\b"
_BREAK = re.compile(
    rf"\s*[;–—]\s*(?={_SUBJECT})|\s+-+\s+(?={_SUBJECT})|"
    rf",?\s+(?:and|but|however|though|so|plus|yet)\s+(?={_SUBJECT})|,\s+(?={_SUBJECT})",
    re.IGNORECASE,
)
_DEPENDENT = re.compile(
    r"(?:if|when|whenever|although|though|even|since|because|after|while|as|before|unless|once|until|despite|"
    r"where|not only|the (?:more|less|higher|lower)|"
    r"between|both|either|neither|whether|in|on|at|for|from)\b",
    re.IGNORECASE,
)
_HEDGE = re.compile(
    r"(?:i|we) (?:think|thought|must say|have to say|would say|gotta say|will say|can say|feel|felt|believe|"
    r"found|find|guess)"
    r" (?:that )?(?=(?:the|this|their|everything|all|food|service|staff|prices?) )",
    re.IGNORECASE,
)
_LONE_LEFT = 2  # spaces a clause needs at least
_PAIRED = re.compile(
    r"\b(?:both|either|neither|between)\b(?:(?!,|\b(?:and|or|nor)\b).)*$|\b(?:although|though|because|if|when|while)$",
    re.IGNORECASE,
)
_LISTED = re.compile(r"\s*,\s*(?:and\s+|&\s*)?|\s+(?:and|&)\s+", re.IGNORECASE)


def reads_alone(tokens: Sequence[str]) -> float:
    """How far an English sentence's form suits a summary, about -0.5 .. 0.2."""
    said = set(tokens)
    value = 0.12 * (tokens[0] in _OPENING) - 0.06 * (tokens[0] in _POINTING) if tokens else 0.0
    value += 0.09 * (not _PRESENT.isdisjoint(said)) - 0.08 * (not _PAST.isdisjoint(said))
    value -= 0.16 * (not _YOU.isdisjoint(said)) + 0.08 * any(t.isdigit() for t in tokens)
    return value - 0.04 * min(len(_STORY & said), 3)


def reads_alone_ko(text: str) -> float:
    """The same for Korean: a topic first, finished, and no order's story."""
    value = 0.1 * bool(_TOPIC_KO.match(text)) - 0.3 * bool(_UNFINISHED_KO.search(text))
    return value - 0.06 * min(len(_STORY_KO.findall(text)), 3)


def clauses(sentence: str) -> list[str]:
    """An English sentence's independent clauses, each whole in itself; the sentence alone where that is not certain."""
    body = _HEDGE.sub("", sentence, count=1) if sentence[:1] in "IWiw" else sentence
    if _DEPENDENT.match(body):
        return [body]
    parts, start = [], 0
    for match in _BREAK.finditer(body):
        before = body[start : match.start()]
        if _whole(before) and _whole(body[match.end() :]) and not _PAIRED.search(before):
            parts.append(before)
            start = match.end()
    return [*parts, body[start:]]


def listed(text: str) -> list[str]:
    """The entries of a sentence that is but a list of what there is ("Great food, kind staff."); else it alone."""
    body = text.removesuffix(".")
    entries = [] if _VERB.search(body) or not body.isascii() else _LISTED.split(body)
    return entries if len(entries) > 1 and all(" " in entry for entry in entries) else [text]


def _whole(text: str) -> bool:
    return text.count(" ") >= _LONE_LEFT and text.count("(") == text.count(")") and _VERB.search(text) is not None
