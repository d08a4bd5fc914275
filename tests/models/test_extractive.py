"""The embedded model's summaries: agreed, balanced, cited, tidy, within their tokens."""

from __future__ import annotations

import re
from collections.abc import Sequence
from time import process_time

import pytest

from core.base.records import Message, ModelReply, ModelRequest
from core.models.extractive import ExtractiveModel
from core.models.extractive.model import answer
from core.models.tokens import estimate_tokens

Row = tuple[int, str] | tuple[int, str, float]
CITATION = re.compile(r"\[(\d+)\]")


def fenced(kind: str, lines: Sequence[str], *, part: str = "service", fence: str = "0b5c77aa") -> str:
    data = "\n".join(lines)
    return f'<data id="{fence}" kind="{kind}" part="{part}">\n{data}\n</data id="{fence}">'


def evidence(rows: Sequence[Row], *, part: str = "service") -> str:
    rated = [f" ★{row[2]:g}" if len(row) > 2 else "" for row in rows]
    lines = [f"[{n}] (r{row[0]}{star}) {row[1]}" for n, (row, star) in enumerate(zip(rows, rated, strict=True), 1)]
    return fenced("evidence", lines, part=part)


def ask(*blocks: str, max_tokens: int = 160, json: bool = False) -> ModelReply:
    content = "\n".join(["Summarise what the reviews say.", *blocks])
    messages = (Message("system", "You summarise reviews."), Message("user", content))
    return answer(ModelRequest("extractive", messages, max_tokens=max_tokens, json=json))


PRAISED: list[Row] = [
    (1, "The staff were so friendly and helpful!!!"),
    (2, "Friendly staff, quick service."),
    (3, "Also, the service was quick and the waiters are friendly."),
    (4, "My wife and I walked in at noon and our server told us a long story about his cousin's wedding in Leeds."),
    (5, "Staff is friendly."),
    (6, "Service is quick even on Fridays."),
]


def test_a_summary_says_what_reviewers_agree_on_and_not_one_visitors_story() -> None:
    """Friendly staff and quick service are said; the tale only one reviewer tells is not."""
    text = ask(evidence(PRAISED)).text
    assert "friendly" in text.lower()
    assert "quick" in text.lower()
    assert "wedding" not in text


def test_every_sentence_is_cited_with_numbers_that_exist() -> None:
    """Each sentence ends in citations of this block's evidence, the sentence's own source first, none twice."""
    text = ask(evidence(PRAISED)).text
    for sentence in re.findall(r"[^\[\]]+(?:\[\d+\])*", text):
        numbers = [int(n) for n in CITATION.findall(sentence)]
        assert numbers, sentence
        assert len(numbers) == len(set(numbers))
        assert all(1 <= n <= len(PRAISED) for n in numbers)


def test_agreement_is_cited_as_support() -> None:
    """A sentence that others repeat in other words carries their numbers too."""
    rows: list[Row] = [(1, "The staff are friendly."), (2, "Friendly staff."), (3, "The waiters were friendly.")]
    assert set(CITATION.findall(ask(evidence(rows)).text)) == {"1", "2", "3"}


def test_nothing_is_said_twice() -> None:
    """Sentences that mean the same leave one behind."""
    rows: list[Row] = [(n, text) for n, text in enumerate(["The food is delicious.", "The food was delicious!"] * 3, 1)]
    assert ask(evidence(rows, part="food")).text.count("delicious") == 1


def test_words_are_the_reviewers_own() -> None:
    """But for a capital, an article and a stop, each sentence stands in the evidence."""
    source = " ".join(row[1] for row in PRAISED).lower()
    text = CITATION.sub("", ask(evidence(PRAISED)).text)
    for sentence in filter(None, (s.strip(" .") for s in text.split("."))):
        assert sentence.lower().removeprefix("the ") in source


@pytest.mark.parametrize(
    ("raw", "tidy"),
    [
        ("But the waiters were really attentive!!!", "The waiters were attentive."),
        ("Food wasn't really good though", "The food wasn't really good."),
        ("also, staff was attentive :)", "The staff was attentive."),
        ("Service - attentive waiters and fast kitchen", "Attentive waiters and fast kitchen."),
        ("THE WAITERS WERE VERY ATTENTIVE TO US ALL", "The waiters were very attentive to us all."),
        ("직원분들이 진짜 친절해요ㅋㅋㅋㅋ!!", "직원분들이 진짜 친절해요."),
        ("그리고 배달이 너무 늦었어요ㅠㅠㅠ", "배달이 너무 늦었어요."),
        ("\U0001f44d 서비스가 빨라요~~~ ♥♥", "서비스가 빨라요."),
    ],
)
def test_a_sentence_is_tidied_and_nothing_else(raw: str, tidy: str) -> None:
    """Connectives, labels, fillers, shouting, repeated marks, emoji and lone jamo go; the words stay."""
    assert ask(evidence([(1, raw)], part="place")).text == f"{tidy} [1]"


def test_one_poisoned_review_among_many_does_not_turn_the_summary() -> None:
    """An extreme outlier is neither first nor anywhere, even ranked first and in several sentences."""
    outlier: list[Row] = [
        (9, "The staff are the worst, rudest, most horrible people and the service is terrible.", 1.0),
        (9, "The staff are rude and the service is horrible.", 1.0),
    ]
    text = ask(evidence([*outlier, *PRAISED])).text.lower()
    assert "friendly" in text
    assert "horrible" not in text
    assert "rude" not in text


def test_one_rapturous_review_among_complaints_does_not_turn_it_either() -> None:
    """The same holds the other way round."""
    rows: list[Row] = [
        (1, "The service is the best and the staff are amazing, wonderful, perfect people.", 5.0),
        (2, "The service is slow.", 2.0),
        (3, "Slow service and rude staff.", 1.0),
        (4, "The waiters are rude.", 1.0),
        (5, "The staff were rude and slow.", 2.0),
        (6, "Service was very slow on Sunday.", 2.0),
    ]
    text = ask(evidence(rows)).text.lower()
    assert "slow" in text
    assert "amazing" not in text


def test_a_divided_house_is_reported_as_divided() -> None:
    """Where reviewers split evenly both sides are said."""
    rows: list[Row] = [
        (1, "The staff are friendly.", 5.0),
        (2, "The waiters are rude.", 1.0),
        (3, "Very friendly staff.", 5.0),
        (4, "The staff were rude and slow.", 1.0),
    ]
    text = ask(evidence(rows)).text
    assert "friendly" in text.lower()
    assert "rude" in text


def test_a_divided_house_in_korean_is_reported_as_divided() -> None:
    """Both sides are said in Korean too, with neither drowned."""
    rows: list[Row] = [
        (1, "배달이 정말 빨라요.", 5.0),
        (2, "배달이 너무 늦었어요.", 1.0),
        (3, "배달 빠르고 좋아요.", 5.0),
        (4, "배달이 한시간 넘게 늦게 왔네요.", 1.0),
    ]
    text = ask(evidence(rows)).text
    assert re.search("빨라|빠르", text)
    assert re.search("늦었|늦게", text)


def test_korean_reviewers_agree_across_particles_and_endings() -> None:
    """친절하고 and 친절하세요 are the same praise: said once, cited by all."""
    rows: list[Row] = [
        (1, "직원이 친절하고 좋아요."),
        (2, "직원분들 친절하셨어요."),
        (3, "음악이 커서 대화가 힘들었다."),
    ]
    text = ask(evidence(rows)).text
    assert "친절" in text
    assert set(CITATION.findall(text)) >= {"1", "2"}


def test_questions_and_orders_to_the_reader_are_left_out() -> None:
    """A summary tells; it does not ask or order."""
    rows: list[Row] = [
        (1, "Why would anyone pay this price?"),
        (2, "Go somewhere else for value."),
        (3, "The prices are fair."),
        (4, "가격이 왜 이렇게 비싼가요?"),
        (5, "꼭 드셔보세요."),
    ]
    assert ask(evidence(rows, part="price")).text == "The prices are fair. [3]"


@pytest.mark.parametrize("max_tokens", [24, 40, 64, 160, 400])
def test_the_tokens_are_kept_by_leaving_sentences_out(max_tokens: int) -> None:
    """A shorter allowance drops whole sentences: the reply ends with a citation and is not called cut."""
    reply = ask(evidence(PRAISED), max_tokens=max_tokens)
    assert reply.usage.output_tokens <= max_tokens
    assert reply.finish == "stop"
    assert reply.text.endswith("]")


def test_a_sentence_that_cannot_fit_is_cut_and_said_to_be() -> None:
    """Where not even one sentence fits, the reply is cut and its finish is "length"."""
    reply = ask(evidence([(1, "The friendly staff " + "and the friendly waiters " * 20 + "are quick.")]), max_tokens=16)
    assert reply.finish == "length"
    assert 0 < reply.usage.output_tokens <= 16


def test_no_usable_evidence_is_said_in_the_evidences_language() -> None:
    """A block of which nothing can be used yields one plain sentence without citations."""
    assert ask(evidence([(1, "???")])).text == "The reviews say nothing clear about this."
    assert ask(evidence([(1, "여기 어때요? 괜찮을까요?")])).text == "리뷰에서 뚜렷하게 확인되는 내용이 없습니다."


RESULTS = [
    "[service] The staff are friendly. [service 1][service 3][service 4] The waiters are slow on Sundays. [service 2]",
    "[price] (nothing found)",
    "[food] The noodles are fresh and springy. [food 2][food 5] The dumplings taste homemade. [food 1][food 3]",
]


def test_a_total_takes_sentences_of_every_aspect_with_their_citations() -> None:
    """Aspects stand in their order, citations name aspect and number, and the gap is named."""
    text = ask(fenced("results", RESULTS)).text
    assert text.index("friendly. [service 1][service 3][service 4]") < text.index("springy. [food 2][food 5]")
    assert text.endswith("Nothing on price.")


def test_a_gap_is_named_in_the_language_asked_for() -> None:
    """The block's `lang` decides, whatever language the reviews are in."""
    block = fenced("results", RESULTS).replace('part="service"', 'lang="ko"')
    assert ask(block).text.endswith("가격에 대한 리뷰는 없습니다.")


def test_a_total_reads_citations_before_the_full_stop_as_well() -> None:
    """Other models cite inside the sentence; the total puts the citation after it."""
    text = ask(fenced("results", ["[food] The soup is hot [food 1][food 2]. The bread is stale [food 3]."])).text
    assert "The soup is hot. [food 1][food 2]" in text
    assert "The bread is stale. [food 3]" in text


def test_a_total_stays_about_sixty_words() -> None:
    """Long aspect summaries do not make a long total."""
    dishes = ["soup", "bread", "curry", "salad", "burger", "taco", "steak", "trout", "omelette", "risotto"]
    praises = ["hot", "fresh", "spicy", "crisp", "juicy", "crunchy", "tender", "buttery", "fluffy", "creamy"]
    pairs = enumerate(zip(dishes, praises, strict=True), 1)
    said = [f"The {dish} that they make here is really very {praise}. [food {n}]" for n, (dish, praise) in pairs]
    total = ask(fenced("results", [f"[food] {' '.join(said)}"]), max_tokens=400).text
    words = re.sub(r"\[[^\]]*\]", "", total).split()
    assert 30 <= len(words) <= 60


def test_a_total_of_nothing_says_so() -> None:
    """Where no aspect found anything, the total says that much."""
    lines = ["[service] (nothing found)", "[food] (nothing found)"]
    assert ask(fenced("results", lines)).text == "The reviews say nothing clear about this."


def test_the_reply_is_the_same_each_time() -> None:
    """No clock, chance or hash order enters: twice the same request, twice the same reply."""
    first = ask(evidence(PRAISED))
    assert all(ask(evidence(PRAISED)) == first for _ in range(5))


def test_usage_is_estimated_from_prompt_and_reply() -> None:
    """Usage counts every message and the reply, and says that it is an estimate."""
    reply = ask(evidence(PRAISED))
    assert reply.usage.estimated
    assert reply.usage.output_tokens == estimate_tokens(reply.text)
    assert reply.usage.input_tokens > 100


async def complete(request: ModelRequest) -> ModelReply:
    model = ExtractiveModel()
    try:
        return await model.complete(request)
    finally:
        await model.aclose()


def test_the_model_answers_as_a_model() -> None:
    """Through the `Model` protocol the answer is the same."""
    import asyncio

    request = ModelRequest("extractive", (Message("user", evidence(PRAISED)),))
    assert asyncio.run(complete(request)) == answer(request)


def test_a_prompt_without_data_is_answered_with_its_own_beginning() -> None:
    """Without a block the first sentences come back, so that a smoke test of an endpoint has an answer."""
    request = ModelRequest("extractive", (Message("user", "Say hello. Then stop."),))
    assert answer(request).text == "Say hello. Then stop."


def test_a_typical_request_takes_well_under_two_milliseconds_of_processor() -> None:
    """It also answers for the practice server under load: the best of ten rounds is held, to ignore a busy machine."""
    block = evidence(
        [(n, f"{text} Dish{n} was fine too.") for n, (_, text, *_rest) in enumerate(PRAISED + PRAISED[:2])]
    )
    rounds = []
    for _ in range(10):
        start = process_time()
        for _ in range(20):
            ask(block)
        rounds.append((process_time() - start) / 20)
    assert min(rounds) < 0.002
