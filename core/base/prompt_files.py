"""Prompt files: `# System` and `# User` sections of Markdown with `{{placeholder}}`s, checked against their stage.

The system text is the same for every call, so that a server can keep its prefix: it takes no data at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from core.base.errors import WorkloadError
from core.base.toml_tables import suggestion
from core.base.workload import Prompt, Stage

PLACEHOLDER = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
ANYWHERE = ("language", "max_words")
OF_ITEM = (*ANYWHERE, "item", "item_block")
OF_PART = ("part", "part_id", "keywords")
_SECTION = re.compile(r"^#[ \t]+(System|User)[ \t]*$", re.MULTILINE)
_MOST_CHARACTERS = 50_000


@dataclass(frozen=True, slots=True)
class _Section:
    """A section's text and where it begins in the file."""

    start: int
    body: str


def read_prompt(path: Path, stage: Stage, stages: Mapping[str, Stage]) -> Prompt:
    """The prompt of a stage; WorkloadError names the prompt file and the line."""
    text = _text(path)
    sections = _sections(path, text)
    for name, section in sections.items():
        known = ANYWHERE if name == "System" else placeholders(stage, stages)
        _check(path, text, section, known, f"the {name.lower()} text of stage {stage.id!r}")
    user = sections["User"].body.strip()
    if not user:
        _fail(path, text, 0, "the prompt has no user text. Write it under `# User`.")
    system = sections["System"].body.strip() if "System" in sections else ""
    return Prompt(path.stem, system, user, path)


def placeholders(stage: Stage, stages: Mapping[str, Stage]) -> tuple[str, ...]:
    """What the user text of a stage may name, `field.NAME` aside."""
    known = list(OF_ITEM)
    if stage.each:
        known += ["parts", *(OF_PART if stage.batch_size <= 1 else ())]
    before = [stages[name] for name in stage.after]
    if any(other.kind == "search" for other in before):
        known.append("evidence")
    written = [other.id for other in before if other.kind == "llm"]
    if written:
        known += ["results", *(f"results.{name}" for name in written)]
    return tuple(known)


def _text(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        msg = f"{path}:1: the prompt cannot be read ({exc}). It must be a UTF-8 text file."
        raise WorkloadError(msg) from exc
    if len(text) > _MOST_CHARACTERS:
        _fail(path, text, 0, f"the prompt has {len(text)} characters; at most {_MOST_CHARACTERS} are read.")
    return text


def _sections(path: Path, text: str) -> dict[str, _Section]:
    """The sections by name; a file without headings is all user text."""
    heads = list(_SECTION.finditer(text))
    if not heads:
        return {"User": _Section(0, text)}
    if text[: heads[0].start()].strip():
        _fail(path, text, 0, "text before the first heading. Put it under `# System` or `# User`.")
    sections: dict[str, _Section] = {}
    for head, following in zip(heads, [*heads[1:], None], strict=True):
        if head[1] in sections:
            _fail(path, text, head.start(), f"a second `# {head[1]}` section. Keep one of each.")
        end = following.start() if following else len(text)
        sections[head[1]] = _Section(head.end(), text[head.end() : end])
    if "User" not in sections:
        _fail(path, text, 0, "there is no `# User` section. Add one: it holds the data.")
    return sections


def _check(path: Path, text: str, section: _Section, known: tuple[str, ...], where: str) -> None:
    for found in PLACEHOLDER.finditer(section.body):
        name = found[1]
        is_field = name.startswith("field.") and len(name) > len("field.") and "item" in known
        if name not in known and not is_field:
            message = f"{where} has no placeholder {{{{{name}}}}}{suggestion(name, known)}"
            _fail(path, text, section.start + found.start(), message)
    left = PLACEHOLDER.sub(lambda m: " " * len(m[0]), section.body)
    for braces in ("{{", "}}"):
        if braces in left:
            _fail(path, text, section.start + left.index(braces), f"a lone {braces} in {where}. Write {{{{name}}}}.")


def _fail(path: Path, text: str, position: int, message: str) -> NoReturn:
    line = text.count("\n", 0, position) + 1
    msg = f"{path}:{line}: {message}"
    raise WorkloadError(msg)
