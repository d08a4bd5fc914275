"""Cutting reviews into sentences, English and Korean, however carelessly they are punctuated."""

from __future__ import annotations

import re
from itertools import pairwise

LONGEST = 300

_SHORT = "mr mrs ms dr st vs no rs approx etc e.g i.e a.m p.m inc ltd jr sr ave blvd u.s n.y min max dept est fig"
_ABBREVIATIONS = frozenset(_SHORT.split())
# What ends a Korean sentence even where nobody typed a full stop: polite and plain verb endings before a space.
_ENDINGS = (
    r"(?:니다|[어아여해에예세네데래나까지고구게려서든돼되와워줘봐져쳐겨켜려라대]요|[이]요|[죠쥬]|[어아여해에예네세데]용|[어아여해에예네세데]욤"
    r"|(?:[었았했였겠있없좋같싶왔갔렸졌랐났봤샀줬웠쳤됐녔셨한된난온는]|친절하)다|[었았했였]음|[었았했였]어|네여|어여|아여|해여|에여|예여|세여|습니당|니당|ㅂ니다)"
)
# Possessive, and each run tried from its beginning only: a hostile review of one repeated mark takes linear time.
_BOUNDARY = re.compile(
    r"(?P<line>\n\s*+)"
    r"|(?P<stop>(?<![.!?。！？…])[.!?。！？…]++[\"'”’)\]~^ㅋㅎㅠㅜ]*+(?=\s|$))"
    r"|(?P<tight>(?<=[a-z)가-힣ㅋㅎㅠㅜ])[.!?]++[\"'”’)\]]*+(?=[A-Z][a-z' ]|[가-힣]))"
    r"|(?P<laugh>(?:(?<![ㅋㅎㅠㅜ])[ㅋㅎㅠㅜ]{2,}+|(?<!\^)\^\^|(?<=[요다용죠네음당여])~++)[.!?~^;ㅋㅎㅠㅜ]*+(?=\s|[가-힣A-Za-z]|$))"
    r"|(?P<emoji>[\u2600-\u27bf\U0001f300-\U0001faff][\u2600-\u27bf\ufe0f\u200d\U0001f300-\U0001faff\s]*)"
    rf"|(?P<ending>(?<=[가-힣]){_ENDINGS}(?=\s))"
)
_SUBSTANCE = re.compile(r"[0-9A-Za-z\u00c0-\u024f\u0400-\u04ff\u3040-\u30ff\u3400-\u9fff가-힣]")
_LAST_WORD = re.compile(r"[\w.]*$")
_BREAKS = (", ", "; ", " ")


def split_sentences(text: str) -> list[str]:
    """The sentences of a text in order; nothing but white space between them is dropped.

    A fragment without a letter or digit stays with its neighbour; one longer than LONGEST characters is cut at a
    comma or a space.
    """
    pieces: list[str] = []
    for fragment in _fragments(text):
        if pieces and not (_SUBSTANCE.search(fragment) and _SUBSTANCE.search(pieces[-1])):
            pieces[-1] = f"{pieces[-1]} {fragment}"
        else:
            pieces.append(fragment)
    return [short for piece in pieces for short in _shortened(piece)]


def _fragments(text: str) -> list[str]:
    cuts = [match.end() for match in _BOUNDARY.finditer(text) if not _is_abbreviation(text, match)]
    edges = [0, *cuts, len(text)]
    fragments = (text[start:end].strip() for start, end in pairwise(edges))
    return [fragment for fragment in fragments if fragment]


def _is_abbreviation(text: str, match: re.Match[str]) -> bool:
    """Whether a full stop belongs to `Mr.`, `e.g.` or an initial rather than ending a sentence."""
    if match.lastgroup != "stop" or not match.group().startswith("."):
        return False
    word = _LAST_WORD.search(text, max(0, match.start() - 12), match.start())
    last = word.group().lower() if word else ""
    return last in _ABBREVIATIONS or (len(last) == 1 and last.isalpha() and last.isascii() and last != "i")


def _shortened(piece: str) -> list[str]:
    short = []
    while len(piece) > LONGEST:
        cut = _break_before(piece, LONGEST)
        short.append(piece[:cut].rstrip())
        piece = piece[cut:].lstrip()
    return [*short, piece] if piece else short


def _break_before(piece: str, limit: int) -> int:
    """Where to cut: after the last comma or space in the second half of the limit, otherwise at the limit."""
    for mark in _BREAKS:
        at = piece.rfind(mark, limit // 2, limit)
        if at > 0:
            return at + len(mark)
    return limit
