"""The catalogues say the same things, and the pages say nothing that is not in them."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st

from core.base.records import ItemStatus, RunStatus
from core.ui.components.picker import SCOPES
from core.ui.texts import LANGUAGES, catalogue, knows, pick, translate

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted([ROOT / "app.py", *(ROOT / "pages").glob("*.py"), *(ROOT / "core" / "ui").rglob("*.py")])
# The positions and names under which Streamlit takes words for the screen.
SPOKEN = {"label", "body", "help", "placeholder", "text", "title", "value", "options"}
NOT_WORDS = {
    "set_page_config",
    "Page",
    "columns",
    "container",
    "grid",
    "form",
    "space",
    "switch_page",
    "fragment",
    "cast",
}


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_catalogues_have_the_same_keys() -> None:
    assert set(catalogue("en")) == set(catalogue("ko"))


@pytest.mark.parametrize("key", sorted(catalogue("en")))
def test_both_languages_take_the_same_parameters(key: str) -> None:
    assert placeholders(catalogue("en")[key]) == placeholders(catalogue("ko")[key])


def test_no_text_is_empty_and_none_is_left_in_the_other_language() -> None:
    for language in LANGUAGES:
        assert all(text.strip() for text in catalogue(language).values())
    hangul = re.compile(r"[가-힣]")
    assert not [k for k, v in catalogue("en").items() if hangul.search(v)]
    foreign = {k for k, v in catalogue("ko").items() if not hangul.search(v) and re.search(r"[A-Za-z]{4,}", v)}
    assert foreign == {"export.jsonl", "frame.footer", "forecast.between"}


def test_every_state_has_its_words() -> None:
    needed = [f"status.{s}" for s in RunStatus] + [f"status_says.{s}" for s in RunStatus]
    needed += [f"item.{s}" for s in ItemStatus] + [f"scope.{s}" for s in SCOPES]
    assert [k for k in needed if not knows(k)] == []


def test_an_unknown_key_is_an_error() -> None:
    with pytest.raises(KeyError):
        translate("en", "no.such.key")


@pytest.mark.parametrize(
    ("locale", "language"), [("ko-KR", "ko"), ("ko", "ko"), ("en-GB", "en"), (None, "en"), ("fr", "en")]
)
def test_the_browsers_locale_chooses_the_first_language(locale: str | None, language: str) -> None:
    assert pick(locale) == language


def calls(path: Path) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield node


def keys_used(path: Path) -> Iterator[str]:
    for call in calls(path):
        named_t = isinstance(call.func, ast.Name) and call.func.id == "t"
        if named_t and call.args and isinstance(call.args[0], ast.Constant):
            yield str(call.args[0].value)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_key_a_source_uses_is_in_the_catalogues(path: Path) -> None:
    assert [k for k in keys_used(path) if not knows(k)] == []


def test_no_key_is_left_over() -> None:
    """Keys that are built (`f"status.{x}"`) count by their beginning."""
    source = "\n".join(p.read_text(encoding="utf-8") for p in SOURCES)
    begun = set(re.findall(r'f"([a-z_]+)\.\{', source)) | set(re.findall(r'f"([a-z_]+\.[a-z_]+)\{', source))
    headed = {
        f"{k}.{end}" for k in re.findall(r'"((?:empty|chart)\.[a-z_]+)"', source) for end in ("title", "body", "note")
    }
    left = [
        k
        for k in catalogue("en")
        if not re.search(rf"""["']{re.escape(k)}["']""", source)
        and k not in headed
        and not any(k.startswith(f"{b}.") for b in begun)
    ]
    assert left == []


def spoken(call: ast.Call) -> Iterator[ast.expr]:
    """What a call to Streamlit (or to one of its containers) puts on the screen."""
    if isinstance(call.func, ast.Attribute) and call.func.attr not in NOT_WORDS:
        yield from call.args[:1]
        yield from (k.value for k in call.keywords if k.arg in SPOKEN)


def is_streamlit(call: ast.Call) -> bool:
    """`st.x(...)`, and `column.x(...)` for every x that Streamlit has."""
    func = call.func
    if not isinstance(func, ast.Attribute) or not isinstance(func.value, ast.Name):
        return False
    return hasattr(st, func.attr) and func.value.id not in ("charts", "log")


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_source_has_words_of_its_own(path: Path) -> None:
    said = [
        (call.lineno, word.value)
        for call in calls(path)
        if is_streamlit(call)
        for word in spoken(call)
        if isinstance(word, ast.Constant)
        and isinstance(word.value, str)
        and re.search(r"[A-Za-z가-힣]{2,}", word.value)
    ]
    assert said == []
