"""From a node to the messages of its call: the workload's prompt, with data in fenced blocks."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from core.base.prompt_files import PLACEHOLDER
from core.base.records import Item, Message, NodeResult
from core.base.workload import Part, Workload
from core.pipeline.answers import cite, parse_batch, with_labels
from core.pipeline.blocks import OPENING, evidence_block, item_block, parts_block, results_block
from core.pipeline.clean import INLINE, inline
from core.pipeline.evidence import Inputs, language, shown
from core.pipeline.plan import Node, parts_of

__all__ = ["Inputs", "cite", "input_hash", "parse_batch", "render", "shown", "with_labels"]

WORDS_PER_TOKEN = {"English": 0.6, "Korean": 0.35}
ENTRY_TOKENS = 14  # what a JSON entry costs around its text
_FENCE = re.compile(r'<data id="([^"\n]+)"')
_JSON_FORM = (
    'Answer with one JSON object and nothing else: {{"results": [{{"id": "...", "text": "..."}}]}}, '
    "with exactly one entry for each of these ids, in this order: {ids}."
)


@dataclass(frozen=True, slots=True)
class _Scene:
    """All that a placeholder may draw on."""

    workload: Workload
    node: Node
    item: Item
    inputs: Inputs
    fence: str
    language: str
    max_tokens: int

    @property
    def lang(self) -> str:
        return "ko" if self.language == "Korean" else "en"


def render(
    workload: Workload, node: Node, item: Item, inputs: Inputs, *, fence: str, max_tokens: int | None = None
) -> tuple[Message, ...]:
    """The messages of a node's call.

    fence: a fresh random word per call, unknown to whoever wrote the data; max_tokens: what the call may use where
    that differs from the stage's. A node with several parts is told to answer in JSON, whatever its prompt says.
    """
    prompt = workload.prompts[node.stage.prompt]
    tongue = language(node.parts, item, inputs)
    scene = _Scene(workload, node, item, inputs, fence, tongue, max_tokens or node.stage.max_tokens)
    user = _fill(prompt.user, scene)
    if len(node.parts) > 1:
        user = f"{user}\n\n{_JSON_FORM.format(ids=', '.join(part.id for part in node.parts))}"
    if not prompt.system:
        return (Message("user", user),)
    return (Message("system", _fill(prompt.system, scene)), Message("user", user))


def input_hash(messages: Sequence[Message], model: str, max_tokens: int, temperature: float) -> str:
    """sha256 (hex) of everything that determines the answer; the random fence is left out."""
    digest = hashlib.sha256(f"{model}\0{max_tokens}\0{temperature:g}".encode())
    for message in messages:
        found = _FENCE.search(message.content)
        content = message.content.replace(f'data id="{found[1]}"', "data") if found else message.content
        digest.update(f"\0{message.role}\0{content}".encode())
    return digest.hexdigest()


def _fill(template: str, scene: _Scene) -> str:
    """The template with its placeholders replaced once: what comes in is never read for placeholders again."""
    pieces = _pieces(template)
    filled = [pieces[0]]
    for name, before, after in zip(pieces[1::2], pieces[:-1:2], pieces[2::2], strict=True):
        value = _value(name, scene)
        if value.startswith(OPENING):
            last = before or "".join(filled[-2:])
            value = f"{_line_break(last, -1)}{value}{_line_break(after, 0)}"
        filled += [value, after]
    return "".join(filled)


def _line_break(text: str, at: int) -> str:
    """What stands between a text and a block, which has its lines to itself."""
    return "\n" if text and text[at] != "\n" else ""


@lru_cache(maxsize=256)
def _pieces(template: str) -> tuple[str, ...]:
    """Text and placeholder names by turns."""
    return tuple(PLACEHOLDER.split(template))


def _value(name: str, scene: _Scene) -> str:
    found = _VALUES.get(name)
    if found is not None:
        return found(scene)
    kind, _, what = name.partition(".")
    return _field(scene, what) if kind == "field" else _results_of(scene, what)


def _part(scene: _Scene) -> str:
    return inline(", ".join(part.title for part in scene.node.parts))


def _part_id(scene: _Scene) -> str:
    return ", ".join(part.id for part in scene.node.parts)


def _keywords(scene: _Scene) -> str:
    return ", ".join(word for part in scene.node.parts if part.query for word in part.query.keywords)


def _evidence(scene: _Scene) -> str:
    parts = scene.node.parts or _all_parts(scene, [s for s in scene.node.stage.after if s not in scene.inputs.results])
    found = scene.inputs.evidence
    return "\n".join([evidence_block(part, found.get(part.id, ()), scene.fence, scene.lang) for part in parts])


def _all_parts(scene: _Scene, stages: Sequence[str]) -> list[Part]:
    kinds = dict.fromkeys(scene.workload.stage(name).each for name in stages)
    return [part for kind in kinds if kind for part in parts_of(scene.workload.parts[kind], scene.item)]


def _results(scene: _Scene) -> str:
    written = [name for name in scene.node.stage.after if scene.workload.stage(name).kind == "llm"]
    return "\n".join([_results_of(scene, name) for name in written])


def _results_of(scene: _Scene, stage: str) -> str:
    return results_block(stage, _told(scene, stage), scene.fence, scene.lang)


def _told(scene: _Scene, stage: str) -> Iterator[tuple[str, NodeResult | None]]:
    """A stage's results for the node: of its own parts, of every part, or the one that is once per item."""
    results = scene.inputs.results.get(stage, {})
    if scene.workload.stage(stage).each is None:
        yield stage, results.get("")
        return
    for part in scene.node.parts or _all_parts(scene, [stage]):
        yield part.id, results.get(part.id)


def _item_block(scene: _Scene) -> str:
    lists = {kind.source for kind in scene.workload.parts.values()}
    return item_block(scene.item, [name for name in scene.item.fields if name not in lists], scene.fence)


def _field(scene: _Scene, name: str) -> str:
    """A short value as neutral text, anything else as a block of its own."""
    value: Any = scene.item.fields.get(name)
    if value is None or value == "":
        return "(not given)"
    if isinstance(value, str | int | float) and len(str(value)) <= INLINE and "\n" not in str(value):
        return inline(str(value))
    return item_block(scene.item, [name], scene.fence)


def _max_words(scene: _Scene) -> str:
    """What fits into the tokens with room to spare, for each part of a full batch."""
    batch = scene.node.stage.batch_size
    tokens = scene.max_tokens / batch - ENTRY_TOKENS if batch > 1 else scene.max_tokens
    words = max(5, int(tokens * WORDS_PER_TOKEN[scene.language]))
    return str(words - words % 5)


_VALUES: dict[str, Callable[[_Scene], str]] = {
    "item": lambda scene: inline(scene.item.name),
    "item_block": _item_block,
    "part": _part,
    "part_id": _part_id,
    "parts": lambda scene: parts_block(scene.node.parts, scene.fence),
    "keywords": _keywords,
    "evidence": _evidence,
    "results": _results,
    "language": lambda scene: scene.language,
    "max_words": _max_words,
}
