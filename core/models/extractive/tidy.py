"""Light clean-up of a reviewer's sentence, so that it reads well: nothing is added but a capital, "The" and a stop."""

from __future__ import annotations

import re
import unicodedata

_INVISIBLE = re.compile(r"[\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\u00ad\U000e0000-\U000e007f]")
_BRACKETED = re.compile(r"\[[^\]]*\]|[\[\]]")
_JAMO = re.compile(r"[\u3131-\u318e]+|[ㆍᆞ]")
_EMOJI = re.compile(
    r"[\u2190-\u21ff\u2300-\u27bf\u2b00-\u2bff\ufe0f\U0001f000-\U0001faff]|[:;]-?[)(DPp](?=\s|$)|\^+_*\^+"
)
_REPEATED = re.compile(r"([!?~.,])(?:\s*[!?~.,])+")
_MARKS = re.compile(r"[~*]+|[:;]-?[)(DPp](?=\s|$)")
_SPACE = re.compile(r"\s+")
_LOOSE = re.compile(r" +([,.;!?])")
_AND = r"(?:also|but|and|plus|oh)"
_TURN = (
    r"(?:so|anyways?|well|yes|ok|okay|overall|however|then|besides|additionally|honestly|hence|first of all|first off|"
    r"secondly|lastly|finally|in addition|on top of that|to top it off|btw|fyi|p\.?s\.?|though|in conclusion|"
    r"in summary|"
    r"all in all|by the way|unfortunately|luckily|sadly|thankfully|or|yet|still|because|as usual|as always|"
    r"again|yup|yep|"
    r"no|wow|omg|lol|hmm|nevertheless|therefore|thus|moreover|furthermore|otherwise|basically|clearly)"
)
_SUBJECT = (
    r"(?:the|this|it|its|they|their|there|these|i|we|my|our|food|service|staff|prices?|portions?|"
    r"everything|also|overall)\b"
)
_LABEL = (
    r"(?:prices?|pricing|food|service|staff|ambience|ambiance|taste|value|quality|quantity|pros?|cons?|verdict|place|"
    r"location|drinks?|starters?|mains?|desserts?|update|edit|note|tip)"
)
_LEAD_KO = (
    r"(?:그리고|근데|그런데|하지만|그래서|그래도|그러나|또한|또|암튼|아무튼|역시나|역시|와|우와|음|아|"
    r"오|다만|그치만|그나마)"
)
_LEAD = re.compile(
    rf"(?:{_AND}\b(?:\s*[,:.!…-]+\s*|\s+)|{_TURN}(?:\s*[,:.!…-]+\s*|\s+(?={_SUBJECT}))|"
    rf"{_LABEL}\s*(?:[:=]|-\s)[-:\s]*|{_LEAD_KO}\s*[,.!]*\s+)+",
    re.IGNORECASE,
)
_TAIL = re.compile(r"[\s,]+(?:though|tho|however|too|as well|lol|haha|btw|imo|imho|etc)$", re.IGNORECASE)
_BARE = re.compile(
    r"(?:food|(?:customer |wait )?(?:service|staff)|prices?|portions?|atmosphere|ambience|ambiance|quality|"
    r"menu|owner|manager|"
    r"waiters?|servers?|waitress|environment|place|restaurant)"
    r"(?= (?:is|are|was|were|has|have|isn't|wasn't|aren't|weren't|tastes?|tasted)\b)",
    re.IGNORECASE,
)
# Fillers of talk; after "not" they carry the meaning ("not really good") and stay.
_FILLER = re.compile(
    r"\b(?:really|super|soo+|definitely|literally|totally|absolutely|honestly|actually)\s+"
    r"(?!(?:that|many|much|far|as|to|for|the|an?|i|we|it|they|in|like|you)\b)",
    re.IGNORECASE,
)
_NEGATED = re.compile(r"n't|\b(?:not|no|never)\b", re.IGNORECASE)
_EDGES = " \t\"'`“”‘’«»-–—•*_#>|,;:/\\()."
_SENTENCE = re.compile(
    r"(?<=[.!?。！？…])[\"'”’)]*\s+|(?<=[a-z)]{2}[.!?])(?=[A-Z])|(?<=[a-z]{3})(?=(?:The|They|This|It|We|My|But|"
    r"And|Their) )|"
    r"(?<=니다|네요|어요|아요|해요|에요|예요|세요|군요|구요|워요|려요|와요|져요|겨요|여요|음ㅎ) +(?=\S)"
)


def plain(text: str) -> str:
    """`text` without invisible characters, markup brackets, emoji, lone jamo (ㅋㅋ, ㅠㅠ) and repeated marks."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", _JAMO.sub(" ", _INVISIBLE.sub("", text)))
        text = _EMOJI.sub(" ", text)
    text = _MARKS.sub(" ", _BRACKETED.sub(" ", text))
    text = _SPACE.sub(" ", _REPEATED.sub(r"\1", text))
    return _LOOSE.sub(r"\1", text).strip()


def sentences(text: str) -> list[str]:
    """The sentences of a text; Korean ones also where only a polite ending and a space divide them."""
    return [part for part in _SENTENCE.split(text) if part and part.strip()]


def tidy(sentence: str) -> str:
    """A clean sentence: no leading connective, a capital first, one mark at the end ('' when nothing is left)."""
    body = sentence.strip(_EDGES + "!?")
    if lead := _LEAD.match(body):
        body = body[lead.end() :].strip(_EDGES + "!?") or body
    body = _in_english(body) if body.isascii() else body
    if not body:
        return ""
    body = body + ")" if body.count("(") > body.count(")") else body
    body = body.replace(" i ", " I ").replace(" i'", " I'")
    return (body[0].upper() + _lowered(body[1:], body)) + "."


def _in_english(body: str) -> str:
    """Make "Food was really cold though" reads as "The food was cold"."""
    body = _TAIL.sub("", body)
    body = body if _NEGATED.search(body) else _FILLER.sub("", body)
    return f"The {body[0].lower()}{body[1:]}" if _BARE.match(body) else body


def _lowered(rest: str, whole: str) -> str:
    """Shouted sentences are spoken: more than two thirds capitals become lower case."""
    letters = [c for c in whole if c.isalpha()]
    shouted = len(letters) > 12 and sum(c.isupper() for c in letters) * 3 > len(letters) * 2
    return rest.lower() if shouted else rest
