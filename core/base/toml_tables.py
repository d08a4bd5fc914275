"""Reading a TOML file with types: what does not fit is an error that names file, line, value and the way out."""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, cast

from core.base.errors import UsageError
from core.base.toml_lines import KeyPath, locate

_MOST_BYTES = 1_000_000
_LINE = re.compile(r"\(at line (\d+), column \d+\)")
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Source:
    """A TOML file with the lines of its keys; `error` is the class of what is raised about it."""

    path: Path
    lines: Mapping[KeyPath, int]
    error: type[UsageError]

    def line(self, path: KeyPath) -> int:
        """The line of a key, or of the nearest table around it that was written."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def fail(self, path: KeyPath, message: str) -> NoReturn:
        """Raise the file's error about a key: `file:line: message`."""
        msg = f"{self.path}:{self.line(path)}: {message}"
        raise self.error(msg)


def read_table(path: Path, error: type[UsageError]) -> Table:
    """The root table of a TOML file; an unreadable or invalid one is an error of the class given."""
    text = _text(path, error)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        found = _LINE.search(str(exc))
        line = found[1] if found else text.count("\n") + 1
        msg = f"{path}:{line}: not valid TOML: {_LINE.sub('', str(exc)).strip()}. See https://toml.io for the syntax."
        raise error(msg) from exc
    return Table(Source(path, locate(text), error), (), data)


def _text(path: Path, error: type[UsageError]) -> str:
    try:
        raw = path.read_bytes()
        if len(raw) > _MOST_BYTES:
            msg = f"{path}:1: the file has {len(raw)} bytes; at most {_MOST_BYTES} are read."
            raise error(msg)
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as exc:
        line = raw[: exc.start].count(b"\n") + 1
        msg = f"{path}:{line}: not UTF-8 text. Save the file as UTF-8."
        raise error(msg) from exc
    except OSError as exc:
        msg = f"{path}:1: cannot be read ({exc.strerror or exc}). Check the path."
        raise error(msg) from exc


@dataclass(slots=True)
class Table:
    """A table of the file: each getter takes a key out, `done` complains about the keys nobody asked for."""

    source: Source
    path: KeyPath
    data: dict[str, Any]
    known: list[str] = field(default_factory=list)

    def __contains__(self, key: str) -> bool:
        return key in self.data

    def fail(self, key: str, message: str) -> NoReturn:
        """Raise the file's error about one of the table's keys ('' is the table itself)."""
        self.source.fail((*self.path, key) if key else self.path, message)

    def done(self) -> None:
        """Every key must have been asked for by now."""
        for key in self.data:
            if key not in self.known:
                self.fail(key, f"unknown key {key!r}{suggestion(key, self.known)}")

    def text(self, key: str, default: str = "") -> str:
        """A string."""
        return cast(str, self._get(key, str, "a string", default))

    def name(self, key: str) -> str:
        """A string that must be there and not be blank."""
        value = self.text(key)
        if not value.strip():
            self.fail(key, f"{key!r} is missing. Give it a text." if key not in self.data else f"{key!r} is empty.")
        return value.strip()

    def flag(self, key: str, default: bool) -> bool:
        """true or false."""
        return cast(bool, self._get(key, bool, "true or false", default))

    def whole(self, key: str, default: int, *, least: int = 1) -> int:
        """A whole number, `least` or more."""
        value = cast(int, self._get(key, int, "a whole number", default))
        if value < least:
            self.fail(key, f"{key} = {value}: must be {least} or more.")
        return value

    def number(self, key: str, default: float, *, least: float = -math.inf, most: float = math.inf) -> float:
        """A finite number between `least` and `most`."""
        value = float(cast(float, self._get(key, (int, float), "a number", default)))
        if not math.isfinite(value) or not least <= value <= most:
            self.fail(key, f"{key} = {value:g}: must be a number {_range(least, most)}.")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings, none of them blank."""
        values = self._get(key, list, "a list of strings", [])
        for number, value in enumerate(values):
            if not isinstance(value, str) or not value.strip():
                self.source.fail((*self.path, key, number), f"{key}[{number}] = {shown(value)}: must be a text.")
        return tuple(values)

    def table(self, key: str) -> Table:
        """A sub-table; an empty one where there is none."""
        return Table(self.source, (*self.path, key), self._get(key, dict, "a table", {}))

    def tables(self, key: str) -> list[Table]:
        """A list of tables: `[[key]]` or `key = [{...}, ...]`."""
        entries = self._get(key, list, f"a list of tables ([[{key}]])", [])
        for number, entry in enumerate(entries):
            if not isinstance(entry, dict):
                self.source.fail((*self.path, key, number), f"{key}[{number}] = {shown(entry)}: must be a table.")
        return [Table(self.source, (*self.path, key, n), entry) for n, entry in enumerate(entries)]

    def raw(self, key: str) -> Any:
        """The value as TOML has it; None where there is none."""
        self.known.append(key)
        return self.data.get(key)

    def plain(self, key: str) -> dict[str, Any]:
        """A sub-table taken as it is."""
        return cast(dict[str, Any], self._get(key, dict, "a table", {}))

    def _get(self, key: str, kind: type | tuple[type, ...], what: str, default: object) -> Any:
        self.known.append(key)
        value = self.data.get(key, default)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            self.fail(key, f"{key} = {shown(value)}: must be {what}.")
        return value


def suggestion(word: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown word: the nearest known one, or all of them."""
    words = list(dict.fromkeys(known))
    near = difflib.get_close_matches(word, words, n=1)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; known are {', '.join(words)}." if words else "; nothing is known here."


def shown(value: object) -> str:
    """A value as an error message shows it: short."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _range(least: float, most: float) -> str:
    if math.isinf(most):
        return f"of {least:g} or more" if not math.isinf(least) else "that is finite"
    return f"from {least:g} to {most:g}"
