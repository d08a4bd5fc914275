"""What may never be picked: text that talks to the model or the reader instead of about the place.

Reviews are hostile text. No list names every attack, so the shape of a sentence counts too (questions, commands,
links, code, hidden or foreign scripts, made-up words), a review caught once is left out as a whole, and agreement
between reviewers does the rest. Cheap checks go first: this runs over every sentence of every request.
"""

from __future__ import annotations

import re

from core.models.extractive.lexicon import words


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


_WORD = re.compile(r"[a-z']+")
# No diner says these of a meal.
_MACHINE = words(
    """prompts instruction instructions jailbreak jailbroken jailbreaking chatgpt gpt llm llms chatbot claude
    openai anthropic canary javascript sudo verbatim roleplay untrusted delimiter summarizer summariser summarize
    summarise summarizing summarising summarized summarised summaries passphrase credentials json html markdown
    backdoor payload exfiltrate decode encoded admin administrator overridden directive directives guideline
    guidelines compliance ai robot automated generator pipeline blurb authorise
    authorised authorize authorized overrides disregard pretend hereby henceforth headline digest writeup
    compiles compiling supersedes superseded paragraph wording sentiment citation citations
    evidence"""
)
# Only a text with one of these is worth the long look below.
_CUES = words(
    """prompt ignore forget bypass overrule skip system hidden initial original secret previous prior above now on
    respond reply
    answer output print repeat translate append prepend insert echo reveal state declare conclude say write include
    mention report claim quote response conclusion verdict must should shall model assistant end begin start new
    updated important urgent additional special next final real password token tokens reviewer reviewers readers
    reader user users everyone replace rate describe tell obey comply act summary reviews review"""
)
_SAYING = (
    r"\b(?:respond|reply|answer|output|print|repeat|translate|append|prepend|insert|echo|reveal|declare|"
    r"conclude|write|say|state|include|mention|report|claim|quote|replace|rate|describe|tell|begin|start|end)\b"
)
_TO_A_MODEL = _any(
    r"\b(?:the|this|that|your|my|our|its|a|an|any|each|every|system|hidden|initial|original|first|new|full|entire|whole|"
    r"user|previous|above|secret)\s+prompt\b(?!,? (?:and|but|service|staff|delivery|attention|response|seating|reply|"
    r"friendly|courteous|polite|attentive|efficient|manner|greeting|server|waiter|waitress|refill))",
    r"\bprompt\s*[:=\"'(]|\bprompt (?:injection|above|below|is|says|said|tells|leak|text)\b",
    r"\b(?:ignore|forget|bypass|overrule|skip)\b.{0,40}\b(?:previous|prior|above|earlier|rules?|everything|all|other|"
    r"reviews?|before|said|told|text|data|context)\b",
    r"\b(?:system|hidden|initial|original|secret)\s+(?:message|note|role|mode|rules?|text|word|code|order)\b",
    r"\b(?:language|this|the) model\b|\bmodel:",
    r"\bassistant\b(?! manager| chef| cook| at | was| were| helped)",
    r"\b(?:you|u) (?:are|must|will|shall|should) (?:now|only|always|never|say|write|respond|reply|answer|"
    r"output|obey)\b",
    r"\bfrom (?:now|here|this point) on\b",
    r"\b(?:new|updated|important|urgent|additional|special|next|final|real) (?:rules?|tasks?|policy)\b",
    _SAYING + r".{0,30}(?:\bonly\b|\bwith the\b|\bexactly\b|\bfollowing\b|:|[\"“‘«]|"
    r"\bthe (?:words?|phrase|sentence|text|line)\b|\byour (?:answer|reply|text|output|response)\b|\bin your\b|"
    r"\bthis (?:sentence|text|line|word|place as|restaurant as)\b|\bthat (?:this|it|the) (?:place|restaurant|"
    r"food|is)\b|"
    r"\bas (?:the best|the worst|closed|five|5|perfect)\b)",
    r"\b(?:(?:the|your|any|this|every|final|whole) summary|summary (?:must|should|shall|is|will|of this|"
    r"text))\b|summary:",
    r"\b(?:the|your|any|this|every|final|whole) (?:output|response|reply|answer|conclusion|verdict)\b",
    r"\b(?:readers?|users?|everyone|reviewers?|reviews?)\b.{0,30}\b(?:must|shall|is told|are told|"
    r"should (?:know|be told|say|visit|click|call))\b",
    r"\b(?:must|should|shall) (?:say|write|mention|state|output|include|conclude|"
    r"be (?:described|rated|reported|told|replaced))\b",
    r"\bend of (?:data|reviews?|block|input|text|file|list)\b",
    r"\b(?:password|tokens?)\b.{0,20}\b(?:is|are|:)",
    r"\b(?:other|all|these|those|negative|positive|bad) reviews? (?:are|is|were) (?:fake|lies|false|wrong|"
    r"invalid|paid)\b",
    r"\b(?:user|reader|owner|operator)s?\b.{0,20}\b(?:asks?|wants?|requests?|requires?) (?:you|that|every|all|"
    r"the text)\b",
    r"\bact as\b|\bobey\b|\bcomply\b",
)
_DO_KO = r"(?:하세요|해라|하라|하십시오|하시오|할\s*것|해\s*줘|해\s*주세요|하지\s*마|해야\s*(?:한다|합니다|해))"
_TO_A_MODEL_KO = _any(
    rf"무시\s*(?:하고|한\s*채|{_DO_KO})|잊(?:어라|으세요|고\s*대신|어\s*주|어버려)",
    r"(?:이전|위의?|앞선|앞의|모든|기존|지금까지의?)\s*(?:지시|명령|지침|규칙|프롬프트|대화)",
    r"지시\s*(?:사항|문|를|을|는|에|대로)|지침|명령(?:어|문|을|이다|한다|에|대로)|프롬프트|인공\s*지능|\bAI\b|"
    r"에이아이",
    r"시스템\s*(?:메시지|메세지|지시|명령|권한|모드|설정|알림|공지|:)|챗\s*(?:gpt|지피티|봇)|지피티",
    r"언어\s*모델|모델(?:은|이|에게|아)\s|어시스턴트|요약(?:문|에|은|을|하|해|할|본|결과|에는|자|기)|출력",
    rf"(?:답변|대답|응답)\s*(?:에는|형식|:|은\s*(?:오직|반드시|무조건|항상|다음)|을\s*(?:대신|바꾸|다음)|{_DO_KO})",
    r"라는\s*(?:말|문장|단어|문구)[을를만]",
    r"(?:라고|고만)\s*(?:만\s*)?(?:말해|말하|말씀|답해|답하|대답|써|쓰|적어|적으|작성|출력|응답|표시|전해|기록|"
    r"하세요|하라|해라|덧붙)",
    r"비밀\s*번호|암호|관리자|개발자|역할극|(?:너|네)의?\s*(?:임무|역할|목표)",
    r"(?:지금|이제)부터\s*(?:너|넌|당신|모든|답|요약|반드시|무조건|오직)|사용자|독자(?:에게|들|는|께)",
    r"소개글|문구[를로]|단어[를로는]|라고\s*했다고|쓰면\s*(?:됩|된)|사용하도록|무효",
    r"카나리|토큰|디버그|데이터\s*(?:끝|종료|블록)",
    rf"(?:작성|기록|언급|포함|반복|번역|실행|클릭|접속|복사|삭제|공개|누설|인용)\s*{_DO_KO}",
    r"리뷰[는들]?\s*(?:은\s*)?(?:모두|전부|다)\s*(?:가짜|거짓|조작)",
)
_ODD = re.compile(
    r"[^\x00-\x7f]|[<>{}\\|=^`@_%#$&*:]|[A-Z]{2}|\d[A-Za-z]|[A-Za-z]\d|\.[a-z]|-{2}|\S{30}|(?:\b\w[ .\-]){5}"
)
_CODE = _any(
    r"https?:|www\.|\w\.(?:com|net|org|io|kr|ru|xyz|info|ly|me|app|dev)\b|@\w|[<>{}\\|=^`]|\$\w*[({]|#\w*#|-{3,}",
    r"[A-Za-z]+_[A-Za-z_]+|[A-Za-z0-9+/]{34,}|%[0-9A-Fa-f]{2}|&#?\w+;|(?:\b[A-Za-z][ .\-*]+){5,}",
    r"\b(?:[A-Za-z]+[0-9]+){2,}[A-Za-z]*\b|[\u0370-\u052f\u0590-\u08ff\ue000-\uf8ff\ufff0-\uffff]",
    r"[\U000e0000-\U000e007f\u202a-\u202e\u2066-\u2069]",
    r"\b(?:user|human|assistant|system|model|task|output|response|answer)\s*:",
    r"(?<![가-힣])(?:너는\s|당신은)|(?:(?<![가-힣])[가-힣][ .\-_]){5,}|(?<!드)링크|홈페이지|카톡|텔레그램",
)
_CODE_WORD = re.compile(r"\b(?=\w*\d)(?=\w*[A-Z])\w{7,}\b|\b[A-Z]{3,}[-:_][A-Z0-9]{2,}|\bA\.?I\b")
_COMMAND = _any(
    r"(?:please |just |so |also |then |and |but |now |first |next |instead |kindly |simply |to everyone |dear \w+,? |"
    r"hey \w*,? |if you\b.{0,60}?, ?)*"
    r"(?:try|go|come|avoid|stay|skip|run|save|check|get|order|ask|stop|beware|let|make|trust|take|give|bring|"
    r"eat|visit|look|"
    r"see|call|keep|think|remember|tell|say|write|print|output|repeat|use|read|click|buy|send|note|imagine|"
    r"consider|treat|"
    r"set|add|replace|rate|describe|recommend|translate|reply|respond|answer|start|begin|end|follow|execute|"
    r"reveal|show|"
    r"return|ignore|disregard|forget|override|talk about|watch out|expect|pretend|act|find|bite|drink|listen|"
    r"wait for|mark|"
    r"put|assume|promote|praise|finish|delete|remove|change|switch|enter|open|complete|continue|produce|"
    r"generate|leave|turn|"
    r"do not|don't|dont|do yourself|never (?:go|eat|order|come|trust|buy|pay)|always (?:go|order|ask|say|write|"
    r"answer|rate)|"
    r"summari[sz]e|speak|append|insert|include|mention|state|declare|conclude|obey|comply|count|list|spread|"
    r"vote|quote|cite|"
    r"emit|encode|decode|download|type|paste|copy|email|text|dm|pay|choose|pick|select|report|mail)"
    r"\b(?! (?:was|is|were|are|had|has|of|in was|for|quality|menu|price|service|time|times)\b)",
)
_QUESTION_KO = re.compile(r"(?:까요|나요|가요|을까|는지요|냐고요|습니까)\W*$")
_COMMAND_KO = re.compile(
    r"(?:하세요|보세요|드세요|마세요|가세요|오세요|주세요|으세요|되세요|십시오|하시길|바랍니다|바래요|바람|"
    r"해라|하라|마라|할\s*것|"
    r"하시오|주십쇼|세여|하소서|해줘|해줘요|하자|합시다|말\s*것|마시오|쓰라|쓰시오|적어라|말해라|주시길|주시면|"
    r"해야\s*한다|해야\s*합니다)\W*$"
)


def to_a_model(text: str) -> bool:
    """Whether the text reads like an attack on a model: an instruction, a link, code, a disguise."""
    return instructs(text) or (_ODD.search(text) is not None and bool(_CODE.search(text) or _CODE_WORD.search(text)))


def instructs(text: str) -> bool:
    """Whether the text, read by a model, would be an instruction to it."""
    said = set(_WORD.findall(text.lower()))
    if not _MACHINE.isdisjoint(said):
        return True
    if not _CUES.isdisjoint(said) and _TO_A_MODEL.search(text):
        return True
    return not text.isascii() and _TO_A_MODEL_KO.search(text) is not None


def to_the_reader(text: str) -> bool:
    """Whether the sentence asks or orders rather than tells."""
    if "?" in text or _COMMAND.match(text):
        return True
    return not text.isascii() and bool(_QUESTION_KO.search(text) or _COMMAND_KO.search(text))
