"""Aspect summaries stay on their aspect; a total hears the evidence too."""

from __future__ import annotations

import pytest

from core.base.records import Message, ModelRequest
from core.models.extractive.model import answer

NOTHING = "The reviews say nothing clear about this."


def block(kind: str, lines: list[str], part: str = "") -> str:
    body = "\n".join(lines)
    return f'<data id="1f0e77aa" kind="{kind}" part="{part}" lang="en">\n{body}\n</data id="1f0e77aa">'


def evidence(part: str, *texts: str) -> str:
    return block("evidence", [f"[{n}] (r{n}) {text}" for n, text in enumerate(texts, 1)], part)


def ask(*blocks: str) -> str:
    return answer(ModelRequest("extractive", (Message("user", "\n".join(blocks)),), max_tokens=256)).text


def test_clauses_about_another_aspect_are_cut() -> None:
    """Of a sentence about three aspects each summary has its own clause."""
    said = "The noodles were delicious, the waiters are kind and the prices are low."
    assert ask(evidence("price", said)) == "The prices are low. [1]"
    assert ask(evidence("service", said)) == "The waiters are kind. [1]"
    assert ask(evidence("food", said)) == "The noodles were delicious. [1]"


def test_entries_of_a_list_about_another_aspect_are_cut() -> None:
    """A sentence without a verb is divided at its commas."""
    assert ask(evidence("price", "Tender dumplings, kind waiters and low prices!")) == "Low prices. [1]"


def test_a_clause_is_not_torn_from_its_pair() -> None:
    """`both the service and the food` stays whole."""
    text = ask(evidence("service", "It is nice but we found both the service and the food were slow."))
    assert "both the service and the food were slow" in text


def test_a_summary_with_little_evidence_is_short_rather_than_padded() -> None:
    """Behind the last sentence about the price nothing general follows."""
    text = ask(evidence("price", "The prices are fair.", "A lovely evening.", "The soup was hot.", "We will be back."))
    assert text == "The prices are fair. [1]"


@pytest.mark.parametrize(
    "text", ["The soup was hot and the bread crisp.", "The waiters are kind.", "A lovely evening."]
)
def test_a_price_summary_without_a_price_says_so(text: str) -> None:
    """Sentences about anything else are no price summary."""
    assert ask(evidence("price", text)) == NOTHING


def test_service_is_often_told_without_a_word_for_it() -> None:
    """Where no sentence names the service, a general remark that the search found for it may stand."""
    assert ask(evidence("service", "They always find a corner for us.")) == "They always find a corner for us. [1]"


def test_an_aspect_whose_words_are_not_known_takes_what_it_is_given() -> None:
    """A new aspect is text in the workload file: nothing is cut from its evidence."""
    assert ask(evidence("terrace", "The soup was hot.")) == "The soup was hot. [1]"


@pytest.mark.parametrize(
    "text", ["The service was prompt.", "Prompt service!", "A prompt and courteous waiter served us."]
)
def test_prompt_service_is_no_attack(text: str) -> None:
    """The word alone does not make a review poison."""
    assert "[1]" in ask(evidence("service", text))


RESULTS = block(
    "results", ["[service] The waiters are kind. [service 1]", f"[price] {NOTHING}", "[food] (nothing found)"]
)


def test_a_total_hears_what_the_summaries_leave_out() -> None:
    """A general remark in the evidence is said, cited as evidence of the part that it was found for."""
    told = ask(
        RESULTS,
        evidence("service", "The waiters are kind.", "It is a small family bakery with a patio."),
        evidence("price", "A busy bakery with a lovely patio."),
    )
    assert "The waiters are kind. [service 1]" in told
    assert "family bakery with a patio. [service 2]" in told


def test_a_total_names_the_aspects_of_which_nothing_is_known() -> None:
    """An aspect without evidence and one whose evidence says nothing of it are gaps alike."""
    assert ask(RESULTS, evidence("service", "The waiters are kind.")).endswith("Nothing on price or food.")


def test_a_total_takes_no_evidence_of_an_aspect_without_a_summary() -> None:
    """A refused or failed summary stays a gap."""
    assert "dumplings" not in ask(
        RESULTS, evidence("service", "The waiters are kind."), evidence("food", "Hot dumplings.")
    )
