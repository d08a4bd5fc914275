"""What may never be picked: text that talks to the model or the reader instead of about the place.

Reviews are hostile text. A pattern list cannot name every attack, so the shape of a sentence counts too: questions,
commands, links, code, hidden or mixed scripts, made-up words. Agreement between reviewers does the rest.
"""

from __future__ import annotations

import re

_TO_A_MODEL = re.compile(
    r"\b(?:ignore|disregard|forget|override|bypass|overrule)\b.{0,40}\b(?:previous|prior|above|earlier|instruction\w*|rules?|"
    r"prompt\w*|everything|guidelines?|all|other|reviews?|evidence)\b|"
    r"\b(?:system|developer|hidden|initial|original|secret)\s+(?:prompt|message|instruction\w*|note|role|override|mode)\b|"
    r"\b(?:prompt|instructions?|jailbreak\w*|summari[sz]\w+|summary|chatgpt|gpt\S*|llms?|language model|chatbot|"
    r"claude|gemini|assistant|api|json|html|markdown|javascript|base64|rot13|admin\w*|sudo|root access|canary|"
    r"password|passphrase|credentials?|token|tokens|function call|tool call|debug|verbatim|roleplay|dan mode)\b|"
    r"\bas an? (?:ai|model|assistant)\b|\ba\.?i\.?\s+(?:model|system|assistant|reading|that|who|must|should)\b|\bAI\b|"
    r"\byou(?:'re| are| will| must| shall)? (?:now|henceforth|from now on)\b|\bfrom now on\b|\bact as\b|\bpretend\b|"
    r"\b(?:respond|reply|answer|output|print|repeat|translate|append|prepend|insert|echo|reveal|state|declare|conclude|"
    r"say|write|include|mention|report|claim|cite|quote)\b.{0,24}(?:\bonly\b|\bwith\b|\bexactly\b|\bthat\b|:|[\"'“‘]|\bthe (?:word|following|phrase)\b|"
    r"\bthis (?:sentence|text|line|word|place|restaurant)\b)(?=.)"
    r"|\b(?:the|your|any|this|every|final|whole) (?:summaries|output|response|reply|answer|conclusion|verdict)\b|"
    r"\b(?:readers?|users?|the model|everyone reading|reviewers?)\b.{0,20}\b(?:must|should|shall|have to|need to)\b|"
    r"\b(?:must|should) (?:say|write|mention|state|output|include|conclude|be (?:summari[sz]ed|described|rated|reported))\b|"
    r"\b(?:new|updated|important|urgent|additional|special) (?:instruction\w*|rule|task|order|directive|policy)\b|"
    r"\bend of (?:data|evidence|reviews?|block|input|text)\b|\b(?:untrusted|delimiter|fence)\b",
    re.IGNORECASE,
)
_TO_A_MODEL_KO = re.compile(
    r"무시\s*(?:하고|하세요|하라|해라|해\s*주|하십시오|할\s*것|하시오|해\b)|(?:이전|위|앞|모든|기존)의?\s*(?:지시|명령|지침|규칙|내용|리뷰|프롬프트)|"
    r"지시\s*(?:사항|문|를|을|는|에)|명령(?:어|문|을|이|한다)|프롬프트|시스템\s*(?:메시지|메세지|지시|명령|권한)|인공\s*지능|"
    r"챗\s*(?:gpt|지피티|봇)|지피티|언어\s*모델|어시스턴트|요약(?:문|에|은|을|하|해|할|본|결과|에는)|출력(?:하|해|할|은|을|에)|"
    r"(?:라고|이라고|고만|다고만|만)\s*(?:말해|말하|답해|답하|대답|써|쓰|적어|적으|작성|출력|응답|표시|전해|기록)|대답(?:해|하)|응답(?:해|하|은)|"
    r"비밀\s*번호|암호|관리자|개발자|역할(?:을|극)|지금부터|이제부터|너는|당신은|당신의|네가|사용자(?:에게|는|의)|독자|"
    r"(?:작성|기록|언급|포함|반복|번역|실행|클릭|접속|복사|표시|평가|추가)\s*(?:하세요|해라|하라|하십시오|해\s*주세요|하시오|할\s*것|해줘|하지\s*마)|"
    r"카나리|토큰|링크|홈페이지|검색하세요|문의\s*(?:주|하)세요|카톡|텔레그램"
)
_CODE = re.compile(
    r"https?:|www\.|\w\.(?:com|net|org|io|kr|ru|xyz|info)\b|@\w|[<>{}\\|=^`]|\$\w*[({]|#{2,}|-{3,}|\bdata id\b|"
    r"[A-Za-z]+_[A-Za-z_]+|\b(?=\w*\d)(?=\w*[A-Z])\w{7,}\b|\b[A-Z]{3,}[-:]\w+|\S{32,}|%[0-9A-Fa-f]{2}|&#?\w+;|"
    r"\b(?:\w[ .\-*]){6,}|\b[A-Za-z]+[0-9][A-Za-z]+[0-9A-Za-z]*\b|[\u0370-\u052f\u0590-\u08ff\ue000-\uf8ff\ufff0-\uffff]"
)
_QUESTION = re.compile(r"\?|(?:까요|나요|가요|을까|는지요)\W*$|^(?:who|what|why|how come|where|when)\b.*\b(?:you|i|they)\b", re.IGNORECASE)
_COMMAND = re.compile(
    r"^(?:please |just |so |also |do |don'?t |do not |never |always |definitely |then |and |but |if you\b.*, ?)*"
    r"(?:try|go|come|avoid|stay|skip|run|save|check|get|order|ask|stop|beware|let|make|trust|take|give|bring|eat|visit|"
    r"look|see|call|keep|think|remember|tell|say|write|print|output|repeat|use|read|click|buy|send|call|note|imagine|"
    r"consider|treat|set|add|replace|rate|describe|recommend|translate|reply|respond|answer|start|begin|end|follow|"
    r"execute|reveal|show|return|find|bite|drink|have a|spend|waste|listen|wait for|enjoy|mark|put|assume|promote|"
    r"praise|finish|delete|remove|change|switch|enter|open|complete|continue|produce|generate|pay|leave|turn)\b"
    r"(?! (?:was|is|were|are|had|has|of)\b)|\bdon'?t (?:go|bother|waste|eat|come|order|ever|expect|forget|miss)\b|"
    r"(?:하세요|보세요|드세요|마세요|가세요|오세요|주세요|십시오|하시길|바랍니다|바래요|해라|하라|마라|할 것|하시오|주십쇼|세여|"
    r"주시면|주셨으면|으세요|되세요|하소서)\W*$",
    re.IGNORECASE,
)


def to_a_model(text: str) -> bool:
    """Whether the text reads like an attack on a model: an instruction, a link, code, a disguise."""
    return bool(_CODE.search(text) or _TO_A_MODEL.search(text) or _TO_A_MODEL_KO.search(text))


def to_the_reader(text: str) -> bool:
    """Whether the sentence asks or orders rather than tells."""
    return bool(_QUESTION.search(text) or _COMMAND.search(text))
