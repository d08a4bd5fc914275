"""Nothing foreign is read as markup: which calls are allowed, and what escaping does."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from core.ui.safe import chart, label, one_line
from tests.support.fake_world import HOSTILE

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted([ROOT / "app.py", *(ROOT / "pages").glob("*.py"), *(ROOT / "core" / "ui").rglob("*.py")])
FORBIDDEN = {"html", "iframe", "write", "table", "latex", "json", "help", "echo", "write_stream", "chat_message"}
MARKDOWN = {
    "markdown", "caption", "title", "header", "subheader", "badge", "error", "warning", "info", "success", "toast",
    "button", "form_submit_button", "download_button", "metric", "expander", "popover", "progress", "tabs", "toggle",
    "checkbox", "radio", "segmented_control", "pills", "slider", "text_input", "number_input", "selectbox", "status",
}  # fmt: skip
# What may stand where Markdown is read: the catalogue, our own escaping, and functions that say only catalogue words.
TRUSTED = {
    "t", "label", "money", "count", "rate", "seconds", "share", "moment", "status_name", "status_sentence",
    "progress_sentence", "bottleneck_sentence", "forecast_sentence", "trouble_sentence", "_unfinished",
    "plan_sentence", "days",
}  # fmt: skip


def calls(path: Path) -> list[ast.Call]:
    return [n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.Call)]


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_call_lets_html_through(path: Path) -> None:
    for call in calls(path):
        assert "unsafe_allow_html" not in {k.arg for k in call.keywords}, f"{path}:{call.lineno}"
        named = call.func
        if isinstance(named, ast.Attribute) and isinstance(named.value, ast.Name) and named.value.id == "st":
            assert named.attr not in FORBIDDEN, f"{path}:{call.lineno} st.{named.attr}"
    assert "components.v1" not in path.read_text(encoding="utf-8")


def trusted(value: ast.expr, told: dict[str, list[ast.expr]]) -> bool:
    """A literal, a call of a trusted function, a choice between such, or a local name for such."""
    if isinstance(value, ast.Constant):
        return True
    if isinstance(value, ast.IfExp):
        return trusted(value.body, told) and trusted(value.orelse, told)
    if isinstance(value, ast.Name):
        return value.id in told and all(trusted(v, {}) for v in told[value.id])
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in TRUSTED


def functions(path: Path) -> list[ast.FunctionDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]


def names(function: ast.FunctionDef) -> dict[str, list[ast.expr]]:
    """Local name -> everything that is assigned to it."""
    found: dict[str, list[ast.expr]] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found.setdefault(node.targets[0].id, []).append(node.value)
    return found


def read_as_markdown(call: ast.Call) -> list[ast.expr]:
    """The arguments of a call to Streamlit that it reads as Markdown."""
    func = call.func
    if not isinstance(func, ast.Attribute) or func.attr not in MARKDOWN or not isinstance(func.value, ast.Name):
        return []
    if func.value.id == "rows":  # the title of a chart's row, not Streamlit's
        return []
    first = [] if func.attr == "progress" else call.args[:1]
    if func.attr == "metric":
        first = call.args[:2]
    return [*first, *(k.value for k in call.keywords if k.arg in ("label", "body", "text", "help"))]


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_where_markdown_is_read_stands_only_our_own_or_escaped_text(path: Path) -> None:
    for function in functions(path):
        told = names(function)
        for call in (n for n in ast.walk(function) if isinstance(n, ast.Call)):
            for text in read_as_markdown(call):
                assert trusted(text, told), f"{path}:{call.lineno} {ast.unparse(text)}"


@pytest.mark.parametrize("payload", HOSTILE)
def test_a_label_leaves_no_mark_unescaped(payload: str) -> None:
    told = label(payload, 500)
    for mark in "<>[]()!`*_$":
        assert told.count(mark) == told.count(f"\\{mark}"), told
    assert "://" not in told


@pytest.mark.parametrize("payload", HOSTILE)
def test_a_chart_label_has_no_tag_and_no_template(payload: str) -> None:
    told = chart(payload, 500)
    assert "<" not in told
    assert "%{" not in told
    assert "$" not in told


def test_line_breaks_controls_and_bidi_marks_leave_a_single_line() -> None:
    assert one_line("a\n\n# b\u202e\x00c") == "a # b c"


def test_a_long_text_is_cut() -> None:
    assert len(one_line("x" * 500, 80)) == 80
