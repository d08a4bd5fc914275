"""Line numbers of keys in TOML texts."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.base.toml_lines import KeyPath, locate

EVERYTHING = '''# comment with [brackets] and = signs
title = "a # no comment [x]"   # 2
[parts.aspect]                 # 3
values = [                     # 4
  # a comment, with } and ]
  { id = "service", words = ["a",
    "b"] },                    # 7: words.1
  { id = 'p # q', at = { y = 1.5, z = -1e3 } },
]
text = """
first "quoted" \\""" line
id = "not a key"
"""
raw = \'\'\'
[[not.a.table]]
\'\'\'
"dotted.key".inner = 1979-05-27 07:32:00
[[stage]]                      # 18
id = "one"
[[stage]]                      # 20
id = "two"
[[stage.sub]]
k = [[1, 2], [3]]
[stage.sub.more]               # 24
z = true
'''
LINES = {
    ("title",): 2,
    ("parts",): 3,
    ("parts", "aspect", "values"): 4,
    ("parts", "aspect", "values", 0, "words", 1): 7,
    ("parts", "aspect", "values", 1): 8,
    ("parts", "aspect", "values", 1, "at", "z"): 8,
    ("parts", "aspect", "text"): 10,
    ("parts", "aspect", "raw"): 14,
    ("parts", "aspect", "dotted.key", "inner"): 17,
    ("stage",): 18,
    ("stage", 0, "id"): 19,
    ("stage", 1): 20,
    ("stage", 1, "id"): 21,
    ("stage", 1, "sub", 0, "k"): 23,
    ("stage", 1, "sub", 0, "k", 1, 0): 23,
    ("stage", 1, "sub", 0, "more"): 24,
    ("stage", 1, "sub", 0, "more", "z"): 25,
}


def paths(value: Any, path: KeyPath = ()) -> list[KeyPath]:
    found = [path] if path else []
    if isinstance(value, dict):
        return found + [p for key, inner in value.items() for p in paths(inner, (*path, key))]
    if isinstance(value, list):
        return found + [p for number, inner in enumerate(value) for p in paths(inner, (*path, number))]
    return found


@pytest.mark.parametrize("path", list(LINES), ids=lambda p: ".".join(map(str, p)))
def test_each_kind_of_key_has_its_line(path: KeyPath) -> None:
    """Tables, arrays of tables, dotted and quoted keys, inline tables and long texts are found where they stand."""
    assert locate(EVERYTHING)[path] == LINES[path]


def test_what_is_located_is_what_tomllib_reads() -> None:
    """Every key that tomllib sees has a line, and nothing else has one: texts and comments hold no keys."""
    assert set(locate(EVERYTHING)) == set(paths(tomllib.loads(EVERYTHING)))


words = st.text(st.sampled_from("ab#[]{}=,.\"' \\é"), max_size=8)
scalars = st.one_of(st.integers(-9, 9), st.booleans(), words)
values = st.recursive(scalars, lambda v: st.lists(v, max_size=3) | st.dictionaries(words, v, max_size=3), max_leaves=6)


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{quoted(k)} = {inline(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[ " + ", ".join(map(inline, value)) + " ]"
    return quoted(value) if isinstance(value, str) else str(value).lower()


@given(st.lists(st.tuples(st.sampled_from(["t", "a"]), st.dictionaries(words, values, max_size=4)), max_size=5))
def test_any_document_is_located_line_by_line(tables: list[tuple[str, dict[str, Any]]]) -> None:
    """Whatever keys and values hold, each key of a table stands on the line it was written on."""
    lines: list[str] = []
    expected: dict[KeyPath, int] = {}
    entries = 0
    for number, (kind, pairs) in enumerate(tables):
        path: KeyPath = ("entry", entries) if kind == "a" else (f"table{number}",)
        entries += kind == "a"
        lines.append("[[entry]]" if kind == "a" else f"[table{number}]")
        expected[path] = len(lines)
        for key, value in pairs.items():
            lines.append(f"{quoted(key)} = {inline(value)}  # {{[")
            expected[(*path, key)] = len(lines)
    text = "\n".join(lines)
    found = locate(text)
    assert set(found) == set(paths(tomllib.loads(text)))
    assert {path: found[path] for path in expected} == expected
