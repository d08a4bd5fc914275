"""The embedded model: answers a request from the data blocks in it, without a server."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from core.base.records import ModelReply, ModelRequest, Usage
from core.models.extractive.aspect import summarise_aspect
from core.models.extractive.blocks import Block, json_lines, read_blocks, result_texts, without_blocks
from core.models.extractive.parts import describe
from core.models.extractive.tidy import plain, sentences
from core.models.extractive.total import summarise_results
from core.models.extractive.wording import clipped, within
from core.models.tokens import estimate_tokens

NAME = "extractive"
ENTRY = 14  # tokens of a JSON entry around its text
OPENING = 3  # sentences of a prompt without data


class ExtractiveModel:
    """A `Model` that picks, tidies and orders sentences of what the prompt holds: deterministic and fast."""

    def __repr__(self) -> str:
        return "<ExtractiveModel>"

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The answer to a request; `finish` is "length" only where it had to be cut in mid-sentence."""
        return answer(request)

    async def aclose(self) -> None:
        """Nothing is held open."""


def answer(request: ModelRequest) -> ModelReply:
    """The reply without a loop, for a caller that simulates a server's speed itself."""
    prompt = "\n".join(message.content for message in request.messages)
    blocks = read_blocks(prompt)
    text = _json(blocks, prompt, request.max_tokens) if request.json else _text(blocks, prompt, request.max_tokens)
    whole = estimate_tokens(text) <= request.max_tokens
    text = text if whole else clipped(text, request.max_tokens)
    usage = Usage(estimate_tokens(prompt), estimate_tokens(text), estimated=True)
    return ModelReply(text=text, usage=usage, finish="stop" if whole else "length", model=NAME)


def _text(blocks: Sequence[Block], prompt: str, tokens: int) -> str:
    """The answer in plain text, from the most worked-out kind of block at hand."""
    if results := _of(blocks, "results"):
        return summarise_results(results, tokens, without_blocks(prompt), _of(blocks, "evidence"))
    if evidence := _of(blocks, "evidence"):
        return " ".join(summarise_aspect(block, tokens // len(evidence)) for block in evidence)
    if parts := _fields(blocks, "parts"):
        return " ".join(describe(part, tokens // len(parts)) for part in parts)
    if items := _fields(blocks, "item"):
        return describe({key: value for item in items for key, value in item.items()}, tokens)
    return within([s.strip() for s in sentences(plain(prompt))][:OPENING], tokens)


def _json(blocks: Sequence[Block], prompt: str, tokens: int) -> str:
    """{"results": [{"id", "text"}]}: one entry per part in order, sharing the tokens evenly."""
    parts = {str(part.get("id", "")): part for part in _fields(blocks, "parts")}
    evidence = {block.part: block for block in _of(blocks, "evidence")}
    ids = list(parts) or list(evidence) or [""]
    share = max(tokens // len(ids) - ENTRY, 1)
    own = {name: text for block in _of(blocks, "results") for name, text in result_texts(block)}

    def told(part: str) -> str:
        if part in evidence:
            return clipped(summarise_aspect(evidence[part], share), share)
        if part in parts and part not in own:
            return describe(parts[part], share)
        return clipped(own.get(part) or _text(blocks, prompt, share), share)

    return orjson.dumps({"results": [{"id": part, "text": told(part)} for part in ids]}).decode()


def _of(blocks: Sequence[Block], kind: str) -> list[Block]:
    return [block for block in blocks if block.kind == kind and (block.lines or kind != "parts")]


def _fields(blocks: Sequence[Block], kind: str) -> list[dict[str, object]]:
    return [fields for block in _of(blocks, kind) for fields in json_lines(block)]
