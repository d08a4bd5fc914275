"""On which line of a TOML text each key stands: `tomllib` reads values but keeps no positions.

The text has passed `tomllib` already, so that only valid TOML is met here and everything else may be ignored.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass

KeyPath = tuple[str | int, ...]

_TOKEN = re.compile(
    r"(?P<blank>[ \t]+|\#[^\n]*|\r)"
    r"|(?P<newline>\n)"
    r'|(?P<string>"""(?:\\.|[^\\])*?"""(?:"{0,2})|\'\'\'.*?\'\'\'(?:\'{0,2})|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\')'
    r"|(?P<mark>[\[\]{},=.])"
    r'|(?P<bare>[^\s\[\]{},=."\'\#]+)',
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    line: int


def locate(text: str) -> dict[KeyPath, int]:
    """The 1-based line of every key, table and array entry of a valid TOML text, by its path from the root."""
    return _Scanner(list(_tokens(text))).scan()


def _tokens(text: str) -> Iterator[_Token]:
    line = 1
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or ""
        if kind != "blank":
            yield _Token(kind, match[0], line)
        line += match[0].count("\n")
    yield _Token("end", "", line)


class _Scanner:
    """Walks the tokens once; `lines` fills as it goes, the first mention of a key counts."""

    def __init__(self, tokens: list[_Token]) -> None:
        self.tokens = tokens
        self.at = 0
        self.lines: dict[KeyPath, int] = {}
        self.entries: dict[KeyPath, int] = {}

    def __repr__(self) -> str:
        return f"<_Scanner at token {self.at}/{len(self.tokens)}, {len(self.lines)} keys>"

    def scan(self) -> dict[KeyPath, int]:
        table: KeyPath = ()
        while self._peek().kind != "end":
            if self._peek().kind == "newline":
                self._next()
            elif self._peek().text == "[":
                table = self._header()
            else:
                self._pair(table)
        return self.lines

    def _peek(self) -> _Token:
        return self.tokens[self.at]

    def _next(self) -> _Token:
        self.at += 1
        return self.tokens[self.at - 1]

    def _header(self) -> KeyPath:
        """`[a.b]` or `[[a.b]]`: the table that the following pairs belong to."""
        line = self._next().line
        is_entry = self._peek().text == "["
        if is_entry:
            self._next()
        path = self._enter((), self._key(), line, is_entry=is_entry)
        while self._peek().text == "]":
            self._next()
        return path

    def _enter(self, path: KeyPath, keys: list[str], line: int, *, is_entry: bool = False) -> KeyPath:
        """Follow dotted keys from a table, into the newest entry of each array of tables on the way."""
        for position, key in enumerate(keys):
            path = (*path, key)
            self.lines.setdefault(path, line)
            if is_entry and position == len(keys) - 1:
                self.entries[path] = self.entries.get(path, -1) + 1
            if path in self.entries:
                path = (*path, self.entries[path])
                self.lines.setdefault(path, line)
        return path

    def _key(self) -> list[str]:
        keys = [_unquoted(self._next())]
        while self._peek().text == ".":
            self._next()
            keys.append(_unquoted(self._next()))
        return keys

    def _pair(self, table: KeyPath) -> None:
        line = self._peek().line
        path = self._enter(table, self._key(), line)
        self._next()
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        opening = self._peek()
        if opening.text == "[":
            self._array(path)
        elif opening.text == "{":
            self._inline(path)
        else:
            while self._peek().kind in ("bare", "string") or self._peek().text == ".":
                self._next()

    def _array(self, path: KeyPath) -> None:
        self._next()
        number = 0
        while self._peek().text != "]":
            if self._peek().kind == "newline" or self._peek().text == ",":
                self._next()
                continue
            self.lines[(*path, number)] = self._peek().line
            self._value((*path, number))
            number += 1
        self._next()

    def _inline(self, path: KeyPath) -> None:
        self._next()
        while self._peek().text != "}":
            if self._peek().kind == "newline" or self._peek().text == ",":
                self._next()
                continue
            self._pair(path)
        self._next()


def _unquoted(token: _Token) -> str:
    if token.kind != "string":
        return token.text
    return str(tomllib.loads(f"x = {token.text}")["x"])
